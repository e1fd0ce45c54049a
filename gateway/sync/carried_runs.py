"""Sync runs, carried by durable jobs: each ends as it would have without a crash, or says why it failed.

What a step returns says what to do next; expected failures are returned, not raised, so that they are kept like results.
A step that a crash cut off is begun again: starting a report shares the one that was started, a list is read anew,
and an import finds what it had written.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.canvas.client import Meter
from gateway.canvas.reports import Run as Report
from gateway.job_definitions import Steps
from gateway.level import Read
from gateway.needs import Need, Scope, ScopeKind, Subject
from gateway.outcomes import Asking, Spending
from gateway.reads import Reads
from gateway.store import queued_runs, runs, scopes
from gateway.store.queued_runs import Run
from gateway.store.runs import ImportRunning
from gateway.sync.account_walk import AccountWalk, tally_of
from gateway.sync.importer import import_report
from gateway.sync.places import Place
from gateway.sync.report_files import Limits
from gateway.sync.run_progress import Showing
from gateway.sync.steps import tried
from gateway.uow import Database, Transaction
from models.canvas_ids import to_rest
from models.roster import ROSTER_STATES, FieldGroup, Source, SyncRunState

_REPORT_TAKES_AT_MOST = timedelta(hours=2)
_LIST_TAKES_AT_MOST = timedelta(minutes=30)
_IMPORT_LOOKED_AT_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class CarriedRuns:
    """Of one process."""

    database: Database
    places: Mapping[int, Place]
    reads: Reads
    clock: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    limits: Limits = Limits()  # noqa: RUF009  frozen
    shown_every: float = 1.0

    async def carry(self, steps: Steps, institution_id: int, arguments: Mapping[str, Any]) -> None:
        """The job: one run, from wherever it is to its end."""
        run_id = int(arguments["run"])
        if not await steps.run("take up", lambda: self._begin(institution_id, run_id)):
            return
        place = self.places.get(institution_id)
        run = await queued_runs.by_id(self.database, institution_id, run_id)
        if place is None or run is None:
            problem: str | None = "the institution is not in the configuration any more"
        else:
            problem = await self._carried(steps, place, run, arguments)
        await steps.run("close", lambda: self._end(institution_id, run_id, problem))

    @property
    def _walk(self) -> AccountWalk:
        return AccountWalk(database=self.database, read=self.read, clock=self.clock)

    async def _begin(self, institution_id: int, run_id: int) -> bool:
        run = await self.database.transact(
            lambda tx: queued_runs.take_up(tx, institution_id, run_id)
        )
        return run is not None

    async def _end(self, institution_id: int, run_id: int, problem: str | None) -> None:
        """Close a run that nothing closed yet."""

        async def work(tx: Transaction) -> None:
            await runs.end(
                tx,
                institution_id,
                run_id,
                state=SyncRunState.SUCCEEDED if problem is None else SyncRunState.FAILED,
                message=problem,
                now=self.clock(),
            )
            await queued_runs.forget_parts(tx, institution_id, run_id)

        await self.database.transact(work)

    async def _carried(
        self, steps: Steps, place: Place, run: Run, arguments: Mapping[str, Any]
    ) -> str | None:
        """Why it failed, if it did."""
        match run.source:
            case Source.UPLOAD:
                return await self._of_upload(steps, place, run)
            case Source.REPORT:
                anyhow = bool(arguments.get("anyhow"))
                return await self._of_report(steps, place, run, anyhow=anyhow)
            case _ if run.scope.kind in (ScopeKind.COURSE, ScopeKind.PERSON, ScopeKind.SECTION):
                told = await tried(steps, "read", lambda: self._read(place, run))
                return told.get("problem")
            case _:
                return await self._walk.walk(steps, place, run)

    async def _read(self, place: Place, run: Run) -> None:
        """A course, a section or a person, by one list."""
        taken, meter = await self.read(place, run.scope, run.source, run.id)
        await queued_runs.add(
            self.database,
            run.institution_id,
            run.id,
            tally=tally_of(taken),
            requests=meter.requests,
            quota=meter.quota,
        )

    async def read(
        self, place: Place, scope: Scope, source: Source, run_id: int | None = None
    ) -> tuple[Read, Meter]:
        now, meter = self.clock(), Meter()
        need = Need(
            scope=scope,
            subject=Subject.MEMBERS if source is Source.NRPS else Subject.ENROLLMENTS,
            groups=frozenset(
                {FieldGroup.STANDING, FieldGroup.NAME, FieldGroup.LOGIN, FieldGroup.CONTACT}
                if source is not Source.NRPS
                else {FieldGroup.STANDING, FieldGroup.NAME}
            ),
            states=frozenset() if source is Source.NRPS else frozenset(ROSTER_STATES),
            max_age=timedelta(0),
            sources=frozenset({source}),
            deadline=_LIST_TAKES_AT_MOST,
        )
        asking = Asking(
            viewer=place.viewer,
            now=now,
            spending=Spending(most_requests=1e9, most_quota=1e9),
            background=True,
            run_id=run_id,
        )
        return await self.reads.read_now(need, asking, meter), meter

    async def _of_report(self, steps: Steps, place: Place, run: Run, *, anyhow: bool) -> str | None:
        """Canvas's report of the account: started or adopted, waited for, fetched and loaded.

        `anyhow`: where reports are refused to us, it is read course by course.
        """
        meter, account = Meter(), place.account_id
        if run.scope.kind is ScopeKind.ACCOUNT:
            named = await scopes.canvas_ids(self.database, run.institution_id, [run.scope])
            if run.scope not in named:
                return "what Canvas calls this account is not known"
            account = to_rest(named[run.scope], place.institution.shard)
        reports = place.reports_of(account)

        async def start() -> dict[str, Any]:
            began = self.clock()
            started = await reports.start(
                place.call(meter), not_before=began - _REPORT_TAKES_AT_MOST
            )
            await queued_runs.advance(
                self.database, run.institution_id, run.id, queued_runs.WAITING, now=self.clock()
            )
            return {"id": started.id, "ours": started.ours, "began": started.began_at.isoformat()}

        started = await tried(steps, "start", start)
        if started.get("refused") and anyhow:
            return await self._walk.walk(steps, place, run)
        if "problem" in started:
            return str(started["problem"])
        told = started["value"]

        async def wait() -> None:
            under_way = Report(
                id=told["id"],
                status="running",
                began_at=datetime.fromisoformat(told["began"]),
                parameters={},
                ours=told["ours"],
            )
            await reports.ended(place.call(meter), under_way, within=_REPORT_TAKES_AT_MOST)

        waited = await tried(steps, "wait", wait)
        if "problem" in waited:
            return str(waited["problem"])

        async def load() -> None:
            call = place.call(meter)
            report = await reports.find(call, told["id"])
            with tempfile.TemporaryDirectory(prefix="roster-report-") as folder:
                path = Path(folder) / "report"
                await reports.fetch(call, report, path)
                await self._import(place, run, path, as_of=report.began_at)

        loaded = await tried(steps, "load", load)
        return loaded.get("problem")

    async def _of_upload(self, steps: Steps, place: Place, run: Run) -> str | None:
        async def load() -> None:
            with tempfile.TemporaryDirectory(prefix="roster-upload-") as folder:
                # a name from outside is no path
                path = Path(folder) / Path(run.label or "report").name
                with path.open("wb") as out:
                    async for part in queued_runs.parts(self.database, run.institution_id, run.id):
                        out.write(part)
                await self._import(place, run, path, as_of=None)

        loaded = await tried(steps, "load", load)
        return loaded.get("problem")

    async def _import(self, place: Place, run: Run, path: Path, *, as_of: datetime | None) -> None:
        if not await self._begin(run.institution_id, run.id):
            return  # it was closed, and a crash came before this step was known to be done
        account = None
        if run.source is Source.REPORT:
            account = (
                run.scope.id if run.scope.kind is ScopeKind.ACCOUNT else await place.reported()
            )
        async with Showing.of(self.database, run, self.shown_every, self.clock) as showing:
            while True:
                try:
                    await import_report(
                        self.database,
                        place.institution,
                        path,
                        clock=self.clock,
                        as_of=as_of,
                        source=run.source,
                        account_id=account,
                        run_id=run.id,
                        guard=place.guard,
                        limits=self.limits,
                        progress=showing,
                    )
                except ImportRunning:
                    await self.sleep(_IMPORT_LOOKED_AT_SECONDS)
                else:
                    return
