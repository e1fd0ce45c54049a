"""Changes of many on the twin: planned, carried out by either path, read back, and taken back."""

from collections.abc import AsyncIterator, Iterator

import pytest
import stamina

from gateway.change_paths import Path
from gateway.roster_change import Outcome
from gateway.store.memberships import Guard
from gateway.store.roster_changes import State, Status
from gateway.uow import Database
from models.roster import EnrollmentState
from tests.gateway.writes.bulk import Bulk, bulk
from tests.upstream import Upstream, upstream

S = EnrollmentState
BOTH = pytest.mark.parametrize("path", list(Path))


@pytest.fixture(autouse=True)
def _retries_do_not_wait() -> Iterator[None]:
    with stamina.set_testing(testing=True, attempts=2):
        yield


@pytest.fixture
def twin() -> Iterator[Upstream]:
    with upstream() as running:
        yield running


@pytest.fixture
async def many(twin: Upstream, database: Database) -> AsyncIterator[Bulk]:
    async with bulk(twin, database, guard=Guard(share=0.2, least=25)) as ready:
        yield ready


@BOTH
async def test_people_come_go_and_change_and_all_of_it_is_read_back(many: Bulk, path: Path) -> None:
    first, second, third = many.strangers(3)
    change = await many.plan([many.said(one) for one in (first, second, third)], path)
    assert await many.outcomes(change) == [(Outcome.ADD, Status.WAITING)] * 3
    assert many.in_canvas(first) == []

    done = await many.apply(change)
    assert (done.state, done.message) == (State.SUCCEEDED, None)
    assert await many.outcomes(change) == [(Outcome.ADD, Status.DONE)] * 3
    for user in (first, second, third):
        assert many.in_canvas(user) == ["active"]
        assert await many.in_store(user) == ["ACTIVE"]

    rows = [many.said(first, S.DELETED), many.said(second, S.INACTIVE), many.said(third)]
    change = await many.plan(rows, path)
    done = await many.apply(change)
    assert done.state is State.SUCCEEDED
    assert await many.outcomes(change) == [
        (Outcome.REMOVE, Status.DONE),
        (Outcome.CHANGE, Status.DONE),
        (Outcome.NOTHING, Status.NONE),
    ]
    assert [many.in_canvas(one) for one in (first, second, third)] == [
        ["deleted"],
        ["inactive"],
        ["active"],
    ]
    assert await many.in_store(first) == ["DELETED"]
    assert done.requests > 0
