"""What the gateway does when nobody asks: jobs of syncs, and the chores that a schedule asks for."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from gateway import forgetting, settings, syncs
from gateway.canvas.client import Meter
from gateway.canvas.reports import Reports
from gateway.errors import SourceError
from gateway.http.client import Client
from gateway.jobs import Arguments, Job, Schedule, Steps, running_jobs
from gateway.merge import Guard
from gateway.needs import Scope, ScopeKind
from gateway.reads import Reads
from gateway.settings import Settings
from gateway.store import institutions, scopes, walked
from gateway.sync.carried_runs import CarriedRuns
from gateway.sync.places import Place
from gateway.sync.steps import tried
from gateway.syncs import Order
from gateway.uow import Database
from gateway.upstreams import Upstream
from models.roster import Source

_log = logging.getLogger(__name__)

EVERYTHING = Scope(kind=ScopeKind.INSTITUTION, id=0)
# Every so often a few courses are read that are due, or were launched lately and not read since.
_REFRESH_CRON, _REFRESHED_AT_ONCE = "*/10 * * * *", 20
_USED_WITHIN, _READ_WITHIN = timedelta(days=2), timedelta(hours=6)
# After a SIS import a report tells what it changed, but Canvas is not asked for one all the time.
_WATCH_CRON, _REPORTS_APART = "*/10 * * * *", timedelta(hours=1)
_CLEAN_CRON = "40 4 * * *"
_IMPORTED = ("imported", "imported_with_messages")


@dataclass(frozen=True, kw_only=True)
class Background:
    """`publish_keys`: makes the keys that we sign with, before they are needed."""

    configured: Settings
    database: Database
    http: Client
    upstreams: Mapping[int, Upstream]
    reads: Reads
    publish_keys: Callable[[], Awaitable[object]]
    clock: Callable[[], datetime]

    @asynccontextmanager
    async def running(self, more: Sequence[Job] = ()) -> AsyncIterator[None]:
        """Do it in this process, until the block ends, and what else may be asked for."""
        jobs, schedules = await self.jobs()
        async with running_jobs(self.database, [*jobs, *more], schedules, clock=self.clock):
            yield

    async def jobs(self) -> tuple[list[Job], list[Schedule]]:
        """What may be asked for, and what is asked for by the clock."""
        places: dict[int, Place] = {}
        schedules: list[Schedule] = []
        for one in self.configured.institutions:
            institution = await institutions.by_slug(self.database, one.slug)
            if institution is None:
                continue
            places[institution.id] = self._place(one, institution)
            schedules += self._schedules(one, institution.id)
        runs = CarriedRuns(
            database=self.database, places=places, reads=self.reads, clock=self.clock
        )
        chores = _Chores(self, places, runs)
        return [
            Job(name=syncs.JOB, work=runs.carry),
            Job(name="nightly", work=chores.nightly),
            Job(name="refresh", work=chores.refresh),
            Job(name="watch", work=chores.watch),
            Job(name="clean", work=chores.clean),
        ], schedules

    def asks(self, institution_id: int) -> bool:
        """Whether there is an admin token to ask its Canvas with."""
        upstream = self.upstreams.get(institution_id)
        return upstream is not None and upstream.credentials.admin() is not None

    def _place(self, one: settings.Institution, institution: institutions.Institution) -> Place:
        upstream = self.upstreams.get(institution.id)
        return Place(
            institution=institution,
            guard=Guard(share=one.shrink_guard, least=one.shrink_guard_min),
            account_id=one.account_id,
            reported=partial(
                institutions.reported_account, self.database, institution, one.account_id
            ),
            canvas=None if upstream is None else upstream.canvas,
            credentials=None if upstream is None else upstream.credentials,
            reports=None if upstream is None else partial(self._reports, upstream),
        )

    def _reports(self, upstream: Upstream, account: str) -> Reports:
        return Reports(canvas=upstream.canvas, http=self.http, account=account, sleep=asyncio.sleep)

    def _schedules(self, one: settings.Institution, institution_id: int) -> list[Schedule]:
        crons = {"clean": _CLEAN_CRON}
        if self.asks(institution_id):
            crons |= {"refresh": _REFRESH_CRON, "watch": _WATCH_CRON}
            if one.report_schedule:
                crons["nightly"] = one.report_schedule
        return [
            Schedule(
                name=f"{one.slug}-{job}",
                cron=cron,
                institution_id=institution_id,
                job=job,
                arguments={},
            )
            for job, cron in crons.items()
        ]


@dataclass(frozen=True)
class _Chores:
    """Jobs that a schedule asks for. One that fails is done again by the next."""

    background: Background
    places: Mapping[int, Place]
    runs: CarriedRuns

    async def nightly(self, steps: Steps, institution_id: int, _arguments: Arguments) -> None:
        """The whole institution, by its report."""
        await steps.run("ask", partial(self._ask, institution_id))

    async def refresh(self, steps: Steps, institution_id: int, _arguments: Arguments) -> None:
        """Courses that are due."""
        await tried(steps, "refresh", partial(self._refresh, institution_id))

    async def watch(self, steps: Steps, institution_id: int, _arguments: Arguments) -> None:
        """SIS imports: what they changed, a report tells."""
        await tried(steps, "watch", partial(self._watch, institution_id))

    async def clean(self, steps: Steps, institution_id: int, _arguments: Arguments) -> None:
        """Drop what is older than it is kept, and have keys ready before they are needed."""
        await steps.run("keys", self._publish_keys)
        await steps.run("clean", partial(self._clean, institution_id))

    async def _ask(self, institution_id: int) -> int:
        return await self.background.database.transact(
            lambda tx: syncs.ask(
                tx,
                institution_id,
                Order(scope=EVERYTHING),
                anyhow=True,
                now=self.background.clock(),
            )
        )

    async def _refresh(self, institution_id: int) -> dict[str, Any]:
        now, place = self.background.clock(), self.places[institution_id]
        courses = await walked.due_courses(
            self.background.database,
            institution_id,
            read_since=now - _READ_WITHIN,
            used_since=now - _USED_WITHIN,
            limit=_REFRESHED_AT_ONCE,
        )
        failed = 0
        for course in courses:
            scope = Scope(kind=ScopeKind.COURSE, id=course)
            try:
                await self.runs.read(place, scope, Source.ENROLLMENTS_API)
            except SourceError as error:
                failed += 1
                _log.info("not refreshed", extra={"fields": {"course": course, "why": str(error)}})
        return {"courses": len(courses), "failed": failed}

    async def _watch(self, institution_id: int) -> int | None:
        """The run that was asked for, if an import ended after the newest report began."""
        database, now = self.background.database, self.background.clock()
        newest = await scopes.newest_report(database, institution_id)
        if newest is None or now - newest < _REPORTS_APART:
            return None  # the first report is the nightly one's, or a person's
        place = self.places[institution_id]
        answer = await place.asks().get(
            place.call(Meter()), f"/accounts/{place.account_id}/sis_imports", (("per_page", "10"),)
        )
        ended = [
            datetime.fromisoformat(one["ended_at"])
            for one in answer.get("sis_imports", ())
            if one.get("workflow_state") in _IMPORTED and isinstance(one.get("ended_at"), str)
        ]
        return await self._ask(institution_id) if any(at > newest for at in ended) else None

    async def _publish_keys(self) -> None:
        await self.background.publish_keys()

    async def _clean(self, institution_id: int) -> dict[str, int]:
        slug = self.places[institution_id].institution.slug
        configured = self.background.configured.institution(slug)
        if configured is None:
            return {}
        return dict(
            await forgetting.clean(
                self.background.database,
                institution_id,
                configured.retention,
                now=self.background.clock(),
            )
        )
