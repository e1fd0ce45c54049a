"""kill -9 in the middle of a change of many, around its transactions and requests: it ends as planned, exactly once."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from itertools import count, repeat

import orjson
import pytest

from gateway.change_paths import Path
from gateway.merge import Guard
from gateway.store.roster_changes import State, Status
from gateway.uow import Database
from models.roster import EnrollmentState
from tests.gateway.writes.bulk import Bulk, bulk
from tests.upstream import Upstream, upstream
from twin.records import User

ROWS = {False: 30, True: 10_000}


@pytest.fixture
def twin(proving: bool) -> Iterator[Upstream]:
    size = {"users": 14_000, "courses": 40} if proving else {}
    with upstream(control=True, **size) as running:
        yield running


@pytest.fixture
async def many(twin: Upstream, database: Database) -> AsyncIterator[Bulk]:
    async with bulk(twin, database, guard=Guard()) as ready:
        yield ready


async def _run(many: Bulk, change: int, last: int) -> int | None:
    """How many points it passed; None: it was killed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.gateway.writes.bulk_process"),
        *(many.database.url, many.twin.url, many.twin.token().secret),
        *map(str, (many.institution_id, change, last)),
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate()
    many.twin.clock.advance(
        timedelta(minutes=5)
    )  # the twin's stood still while the process's went on
    if process.returncode == -signal.SIGKILL:
        return None
    assert process.returncode == 0
    return int(told)


async def _killed_until_done(many: Bulk, change: int, strides: Iterator[int]) -> int:
    """Killed at these points, each counted from the last start, until one run gets to the end. The number of kills."""
    for kills in count():
        if await _run(many, change, next(strides)) is not None:
            return kills
    raise AssertionError


def _each(proving: bool) -> Iterator[int]:
    """By a file there are few points, and each is hit under --prove; the pages of a long list are all one."""
    yield from range(1, 25, 1 if proving else 3)
    yield from (25 * 2**power for power in count())


def _some(step: int) -> Iterator[int]:
    """By calls there are many points of the few kinds."""
    return repeat(step)


def _entries(rows: list[dict[str, object]]) -> Counter[tuple[object, object, object]]:
    """What the feed tells of each enrollment's state."""
    told: Counter[tuple[object, object, object]] = Counter()
    for row in rows:
        for field in orjson.loads(str(row["after"] or "[]")):
            if field["field"] == "state":
                told[row["subject_id"], row["kind"], field["value"]] += 1
    return told


async def _feed(many: Bulk, after: int) -> list[dict[str, object]]:
    rows = await many.database.rows(
        "select position, kind, subject_id, after from change where institution_id = $1 and position > $2"
        " and subject_type = 'Enrollment' order by position",
        many.institution_id,
        after,
    )
    every = await many.database.rows(
        "select position from change where institution_id = $1 order by position",
        many.institution_id,
    )
    assert [row["position"] for row in every] == list(range(1, len(every) + 1))
    return rows


async def _is_exactly_once(many: Bulk, change: int, users: list[User], state: str) -> None:
    done = await many.change(change)
    assert (done.state, done.message) == (State.SUCCEEDED, None)
    assert {row.status for row in await many.rows(change)} == {Status.DONE}
    for user in users:
        assert many.in_canvas(user) == [state]  # one row, and as planned


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("path", list(Path))
async def test_killed_anywhere_it_ends_as_planned_exactly_once(
    many: Bulk, path: Path, proving: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    users = many.strangers(ROWS[proving])
    [[end]] = [
        row.values()
        for row in await many.database.rows(
            "select feed_position from institution where id = $1", many.institution_id
        )
    ]
    kills: list[int] = []
    change = 0
    states = [EnrollmentState.ACTIVE, *([EnrollmentState.DELETED] if proving else [])]
    for state in states:
        before = many.twin.billed()
        change = await many.plan([many.said(user, state) for user in users], path)
        await many.changes.apply(
            many.viewer, change, confirmed=(await many.change(change)).removals, key=None
        )
        strides = _each(proving) if path is Path.SIS_IMPORT else _some(997 if proving else 31)
        kills.append(await _killed_until_done(many, change, strides))
        await _is_exactly_once(many, change, users, state.lower())
        after = many.twin.billed()
        sent = Counter(after) - Counter(before)
        told = {name: calls for name, calls in sent.items() if not name.startswith("GET")}
        assert sum(told.values()) == (1 if path is Path.SIS_IMPORT else len(users)), told
    ours = {row.enrollment_id for row in await many.rows(change)}  # not those of who observes them
    told_of = _entries([row for row in await _feed(many, int(end)) if row["subject_id"] in ours])
    assert set(told_of.values()) == {1}
    kinds = Counter(kind for _, kind, _ in told_of)
    assert kinds == {kind: len(users) for kind in ("CREATED", "REMOVED")[: len(states)]}
    with capsys.disabled():
        print(
            f"\n{path}: {len(users)} rows to be {' and '.join(states)}, killed {kills} times: each as planned, once"
        )


@pytest.mark.prove
@pytest.mark.parametrize(
    "engine", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
@pytest.mark.parametrize("path", list(Path))
async def test_killed_anywhere_with_postgresql_too(
    many: Bulk, path: Path, proving: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    await test_killed_anywhere_it_ends_as_planned_exactly_once(many, path, proving, capsys)
