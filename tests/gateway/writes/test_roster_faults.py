"""Faults of Canvas while a change of many is carried out: all that is told as done is so, and nothing else in the school has changed."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, TypeAlias

import httpx
import pytest

from gateway.change_paths import Path
from gateway.merge import Guard
from gateway.store.roster_changes import Change, State, Status
from gateway.uow import Database
from models.roster import EnrollmentState
from tests.gateway.writes.bulk import Bulk, bulk
from tests.upstream import Upstream
from twin.faults import Kind
from twin.records import User

S = EnrollmentState
ON_SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
BOTH = pytest.mark.parametrize("path", list(Path))
School: TypeAlias = dict[tuple[int, int, str, int], str]
_SECONDS = 0.5
WRITES = {
    Path.SINGLE_CALLS: r"/enrollments(/\d+(/reactivate)?)?$",
    Path.SIS_IMPORT: r"/sis_imports\?import_type",
}
LOOKS = {Path.SINGLE_CALLS: r"/enrollments\?", Path.SIS_IMPORT: "/sis_imports"}
# What is broken, how often, and how it ends. Without a path it is whatever the change asks.
FAULTS: dict[str, tuple[dict[str, Any], State]] = {
    "a storm of the throttle": ({"kind": Kind.THROTTLE, "count": 8}, State.SUCCEEDED),
    "errors": ({"kind": Kind.STATUS, "status": 503, "count": 7}, State.SUCCEEDED),
    "errors now and then": (
        {"kind": Kind.STATUS, "status": 502, "after": 4, "count": 4},
        State.SUCCEEDED,
    ),
    "looks that fail": (
        {"kind": Kind.STATUS, "status": 502, "path": LOOKS, "count": 3},
        State.SUCCEEDED,
    ),
    "errors before the write": (
        {"kind": Kind.STATUS, "status": 500, "path": WRITES, "count": 2},
        State.SUCCEEDED,
    ),
    "answers lost after the write": (
        {"kind": Kind.CUT_BODY, "path": WRITES, "count": 4},
        State.SUCCEEDED,
    ),
    "no answers after the write": (
        {"kind": Kind.EMPTY, "path": WRITES, "count": 4},
        State.SUCCEEDED,
    ),
    "time-outs after the write": (
        {"kind": Kind.LATE_ANSWER, "seconds": 1.5 * _SECONDS, "path": WRITES, "count": 1},
        State.SUCCEEDED,
    ),
}


@pytest.fixture
async def many(twin: Upstream, database: Database) -> AsyncIterator[Bulk]:
    timeouts = httpx.Timeout(connect=5, read=_SECONDS, write=5, pool=5)
    async with bulk(twin, database, guard=Guard(), timeouts=timeouts) as ready:
        yield ready


def standing(many: Bulk) -> School:
    """All enrollments of the school, but for those of linked observers, whom Canvas lets follow by itself."""
    return {
        (row.user_id, row.section_id, row.type, row.role_id): row.workflow_state
        for row in many.twin.school.enrollments.values()
        if row.type != "ObserverEnrollment"
    }


def of(many: Bulk, user: User) -> tuple[int, int, str, int]:
    """In the role that they have there: a row that tells of no role leaves it as it is."""
    return user.id, many.section.id, "StudentEnrollment", many.row_of(user).role_id


def wished(many: Bulk, users: Iterator[User]) -> dict[User, EnrollmentState]:
    """Two come, two go, one is suspended and one comes back: a call of each kind."""
    there = iter([many.twin.school.users[one] for one in many.students()])
    back = next(there)
    many.twin.school.update(many.row_of(back), workflow_state="inactive")
    return {
        next(users): S.ACTIVE,
        next(there): S.DELETED,
        back: S.ACTIVE,
        next(users): S.ACTIVE,
        next(there): S.INACTIVE,
        next(there): S.COMPLETED,
    }


async def begun(many: Bulk, path: Path, wishes: dict[User, EnrollmentState]) -> int:
    """After the store has read how it is."""
    course = await many.readers.course(many.course)
    await many.readers.read(many.readers.need(course, states=frozenset(S)))
    rows = [many.said(user, state) for user, state in wishes.items()]
    change = await many.plan(rows, path)
    removals = (await many.change(change)).removals
    await many.changes.apply(many.viewer, change, confirmed=removals, key=None)
    return change


async def told(many: Bulk, change: int, wishes: dict[User, EnrollmentState]) -> School:
    """Those that are told as done, as they then have to be; what the store shows is no other."""
    found = {}
    for row, (user, state) in zip(await many.rows(change), wishes.items(), strict=True):
        if row.status is Status.DONE:
            found[of(many, user)] = state.lower()
        assert await many.in_store(user) == [one.upper() for one in many.in_canvas(user)]
    return found


async def ended(many: Bulk, change: int) -> Change:
    """After as many tries as the job makes."""
    for tries_left in reversed(range(5)):
        if await many.work(change, last=not tries_left) is None:
            break
    return await many.change(change)


def broken(path: Path, fault: dict[str, Any]) -> dict[str, Any]:
    return {**fault, "path": fault["path"][path]} if "path" in fault else fault


async def asked(many: Bulk, change: int) -> int:
    """Calls that it takes to change something: one for the file, one for each row beside it."""
    rows = await many.rows(change)
    by_file = [row.by_file for row in rows if row.status is not Status.NONE]
    return any(by_file) + by_file.count(False)


def writes(many: Bulk) -> int:
    return sum(n for name, n in many.twin.billed().items() if not name.startswith("GET"))


@ON_SQLITE
@BOTH
async def test_what_is_told_is_so_and_nothing_else(many: Bulk, path: Path) -> None:
    users = iter(many.strangers(2 * len(FAULTS)))
    for name, (fault, state) in FAULTS.items():
        wishes = wished(many, users)
        change = await begun(many, path, wishes)
        before, sent = standing(many), writes(many)
        order = many.twin.break_(**broken(path, fault))
        done = await ended(many, change)
        many.twin.mend()
        assert (name, done.state, order.hits > 0) == (name, state, True)
        assert (name, standing(many)) == (name, before | await told(many, change, wishes))
        if fault["kind"] not in (Kind.STATUS, Kind.THROTTLE):  # nothing is told twice
            assert writes(many) - sent == await asked(many, change)


@ON_SQLITE
async def test_a_row_that_never_goes_is_not_told_as_done(many: Bulk) -> None:
    wishes = wished(many, iter(many.strangers(2)))
    change = await begun(many, Path.SINGLE_CALLS, wishes)
    before, path = standing(many), WRITES[Path.SINGLE_CALLS]
    many.twin.break_(Kind.STATUS, path, status=500, after=1, count=3)
    assert (await ended(many, change)).state is State.PARTLY
    assert [row.status for row in await many.rows(change)].count(Status.FAILED) == 1
    assert standing(many) == before | await told(many, change, wishes)


@ON_SQLITE
async def test_a_file_that_never_goes_pauses_it_and_changes_nothing(many: Bulk) -> None:
    wishes = wished(many, iter(many.strangers(2)))
    change = await begun(many, Path.SIS_IMPORT, wishes)
    before = standing(many)
    many.twin.break_(Kind.STATUS, WRITES[Path.SIS_IMPORT], status=500)
    assert (await ended(many, change)).state is State.PAUSED
    assert (await told(many, change, wishes), standing(many)) == ({}, before)
    many.twin.mend()
    assert (await many.apply(change)).state is State.SUCCEEDED
    assert standing(many) == before | await told(many, change, wishes)


@ON_SQLITE
@BOTH
async def test_what_cannot_be_looked_up_is_not_told_as_done_nor_told_again(
    many: Bulk, path: Path
) -> None:
    """Canvas did it, its answer was lost, and then it was gone."""
    wishes = wished(many, iter(many.strangers(2)))
    change = await begun(many, path, wishes)
    before, sent = standing(many), writes(many)
    many.twin.break_(Kind.CUT_BODY, WRITES[path], count=1)
    read_before = path is Path.SINGLE_CALLS
    many.twin.break_(Kind.STATUS, LOOKS[path], method="GET", status=503, after=int(read_before))
    assert (await ended(many, change)).state is State.PAUSED
    assert {row.status for row in await many.rows(change)} <= {Status.SENDING, Status.WAITING}
    assert writes(many) - sent == 1
    many.twin.mend()
    assert (await many.apply(change)).state is State.SUCCEEDED
    assert standing(many) == before | await told(many, change, wishes)
    assert writes(many) - sent == await asked(many, change)
