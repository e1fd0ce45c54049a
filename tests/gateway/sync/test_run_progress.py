"""How far a run is, as everybody is shown it: rows and pace, through waiting, crashes and new beginnings."""

import asyncio
from datetime import timedelta

from gateway.needs import Scope, ScopeKind
from gateway.store import queued_runs
from gateway.store.queued_runs import WAITING, Run
from gateway.sync.run_progress import Showing
from gateway.sync.summary import Progress
from gateway.uow import Database
from models.roster import Source
from tests.factories import School
from tests.fakes import TickingClock


async def started(school: School, clock: TickingClock) -> Run:
    scope = Scope(kind=ScopeKind.INSTITUTION, id=0)
    now = clock()
    run, _ = await school.database.transact(
        lambda tx: queued_runs.ask(
            tx, school.id, source=Source.REPORT, scope=scope, label="report", now=now
        )
    )
    return await taken_up(school, run)


async def taken_up(school: School, run: Run) -> Run:
    found = await school.database.transact(lambda tx: queued_runs.take_up(tx, school.id, run.id))
    assert found is not None
    return found


async def known(school: School, run: Run) -> Run:
    found = await queued_runs.by_id(school.database, school.id, run.id)
    assert found is not None
    return found


async def advanced(school: School, run: Run, clock: TickingClock, progress: float) -> Run:
    await queued_runs.advance(school.database, school.id, run.id, progress, now=clock())
    return await known(school, run)


async def test_waiting_for_canvas_is_no_pace(database: Database) -> None:
    school, clock = await School.open(database), TickingClock()
    run = await started(school, clock)

    waiting = await advanced(school, run, clock, WAITING)
    clock.advance(hours=1)
    begun = await advanced(school, run, clock, 0.1)
    clock.advance(minutes=1)
    further = await advanced(school, run, clock, 0.4)

    now = clock()
    assert [None, None] == [waiting.expected_end(now), begun.expected_end(now)]
    end = further.expected_end(now)
    assert end is not None
    assert timedelta(minutes=2) == timedelta(seconds=round((end - now).total_seconds()))


async def test_after_a_crash_the_pace_counts_from_where_the_run_goes_further(
    database: Database,
) -> None:
    school, clock = await School.open(database), TickingClock()
    run = await started(school, clock)
    await advanced(school, run, clock, 0.1)
    clock.advance(minutes=1)
    await advanced(school, run, clock, 0.7)
    clock.advance(hours=8)
    await taken_up(school, run)

    again = await advanced(school, run, clock, 0.1)
    clock.advance(minutes=1)
    still = await advanced(school, run, clock, 0.6)
    further = await advanced(school, run, clock, 0.8)

    now = clock()
    assert (0.7, 0.7, 0.8) == (again.progress, still.progress, further.progress)
    assert [None, None] == [again.expected_end(now), still.expected_end(now)]
    end = further.expected_end(now)
    assert end is not None
    assert end - now < timedelta(minutes=3)


async def test_rows_of_all_files_are_shown_while_they_are_read(database: Database) -> None:
    school, clock = await School.open(database), TickingClock()
    run = await started(school, clock)

    async def rows() -> int:
        counts = await queued_runs.counts(school.database, school.id, run.id)
        return counts["rows read"]

    async with Showing.of(school.database, run, 0.01, clock) as showing:
        showing(Progress(phase="reading", file="users.csv", done=5, total=10, rows=300))
        showing(Progress(phase="reading", file="users.csv", done=10, total=10, rows=600))
        showing(Progress(phase="reading", file="enrollments.csv", done=5, total=10, rows=1_000))
        showing(Progress(phase="writing", file="enrollments.csv", done=1, total=10))
        async with asyncio.timeout(10):
            while await rows() != 1_600:  # noqa: ASYNC110  the database tells nobody
                await asyncio.sleep(0.01)
