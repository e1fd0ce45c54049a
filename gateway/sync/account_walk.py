"""An account without its reports, which take a permission of their own: its courses, then each one's sections and enrollments.

The most used courses come first. What was read is in the ledger, so a walk that was cut off goes on where it was.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from gateway.batch import Batch
from gateway.canvas import rows
from gateway.canvas.client import Meter
from gateway.errors import SourceError, SourceThrottled
from gateway.job_definitions import Steps
from gateway.level import Read
from gateway.merge import Reading
from gateway.needs import Scope, ScopeKind
from gateway.store import queued_runs, scopes, taking, walked
from gateway.store.queued_runs import Run
from gateway.store.runs import Tally
from gateway.sync.places import Place
from gateway.sync.steps import tried
from gateway.uow import Database
from models.canvas_ids import to_rest
from models.roster import Source

COURSES_A_STEP = 5
_USED_WITHIN = timedelta(days=30)
_SHOWN_PROBLEMS = 10

ReadList = Callable[[Place, Scope, Source, int | None], Awaitable[tuple[Read, Meter]]]


@dataclass(frozen=True, kw_only=True)
class AccountWalk:
    database: Database
    read: ReadList
    clock: Callable[[], datetime]

    async def walk(self, steps: Steps, place: Place, run: Run) -> str | None:
        """Why it failed, if it did; courses that could not be read are told when all others were."""
        listed = await tried(steps, "courses", lambda: self._list_courses(place, run))
        if "problem" in listed:
            return str(listed["problem"])
        since = datetime.fromisoformat(listed["value"])
        problems: dict[str, str] = {}
        for number in range(1, 1_000_000):
            some = partial(self._read_some, place, run, since, frozenset(map(int, problems)))
            told = await tried(steps, f"courses {number}", some)
            if "problem" in told:
                return str(told["problem"])
            problems |= told["value"]["problems"]
            if not told["value"]["read"]:
                break
        if not problems:
            return None
        shown = "; ".join(list(problems.values())[:_SHOWN_PROBLEMS])
        return f"{len(problems)} courses could not be read: {shown}"

    async def _list_courses(self, place: Place, run: Run) -> str:
        """Every course into the store; when that began."""
        began, meter = self.clock(), Meter()
        path = f"/accounts/{await self._account(place, run)}/courses"
        async for page in place.asks().pages(
            place.call(meter), path, (("include[]", "term"), ("state[]", "all"))
        ):
            shard = place.institution.shard
            await self._take(
                place, run, began, courses=tuple(rows.course(row, shard) for row in page)
            )
        await self._spent(run, meter)
        return began.isoformat()

    async def _account(self, place: Place, run: Run) -> str:
        if run.scope.kind is not ScopeKind.ACCOUNT:
            return place.account_id
        named = await scopes.canvas_ids(self.database, run.institution_id, [run.scope])
        return to_rest(named[run.scope], place.institution.shard)

    async def _read_some(
        self, place: Place, run: Run, since: datetime, problems: frozenset[int]
    ) -> dict[str, Any]:
        """The next courses: how many were tried, and which could not be read, and why."""
        chosen = await walked.unread_courses(
            self.database,
            run.institution_id,
            run.scope,
            since=since,
            used_since=since - _USED_WITHIN,
            without=problems,
            limit=COURSES_A_STEP,
        )
        failed: dict[str, str] = {}
        for course in chosen:
            try:
                await self._read_course(place, run, course)
            except SourceThrottled:
                raise
            except SourceError as error:
                failed[str(course)] = str(error)
        await self._show(run, since, len(problems) + len(failed))
        return {"read": len(chosen), "problems": failed}

    async def _read_course(self, place: Place, run: Run, course: int) -> None:
        scope = Scope(kind=ScopeKind.COURSE, id=course)
        named = await scopes.canvas_ids(self.database, run.institution_id, [scope])
        meter, began = Meter(), self.clock()
        shard = place.institution.shard
        path = f"/courses/{to_rest(named[scope], shard)}/sections"
        async for page in place.asks().pages(place.call(meter), path):
            await self._take(
                place, run, began, sections=tuple(rows.section(row, shard) for row in page)
            )
        taken, of_list = await self.read(place, scope, Source.ENROLLMENTS_API, run.id)
        await queued_runs.add(
            self.database,
            run.institution_id,
            run.id,
            tally=tally_of(taken),
            requests=meter.requests + of_list.requests,
            quota=meter.quota + of_list.quota,
        )

    async def _take(self, place: Place, run: Run, began: datetime, **told: Any) -> None:
        now = self.clock()
        batch = Batch(
            institution_id=place.institution.id,
            source=Source.ENROLLMENTS_API,
            reading=Reading.ENROLLMENTS_API,
            authority="admin",
            began_at=began,
            ended_at=now,
            **told,
        )
        await taking.take(self.database, batch, now=now, run_id=run.id)

    async def _show(self, run: Run, since: datetime, failed: int) -> None:
        everything = await walked.how_many(self.database, run.institution_id, run.scope)
        left = await walked.how_many(self.database, run.institution_id, run.scope, since=since)
        done = everything - max(0, left - failed)
        await queued_runs.advance(
            self.database,
            run.institution_id,
            run.id,
            queued_runs.WAITING + 0.94 * done / max(1, everything),
            now=self.clock(),
        )

    async def _spent(self, run: Run, meter: Meter) -> None:
        await queued_runs.add(
            self.database,
            run.institution_id,
            run.id,
            tally=Tally(),
            requests=meter.requests,
            quota=meter.quota,
        )


def tally_of(taken: Read) -> Tally:
    """What reads of lists brought."""
    return Tally(
        rows_read=sum(one.created + one.updated + one.unchanged for one in taken),
        created=sum(one.created for one in taken),
        updated=sum(one.updated for one in taken),
        removed=sum(one.removed for one in taken),
        unchanged=sum(one.unchanged for one in taken),
        held=sum(one.held for one in taken),
    )
