"""A process that carries a report sync, and kills itself at a chosen transaction, before or after it is committed.

Canvas is a file: whether a report was started, and what it holds.
"""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from gateway import syncs
from gateway.canvas.client import Call, Fixed, Meter
from gateway.canvas.reports import Reports, Run
from gateway.flights import Flights, OwnTurns
from gateway.job_definitions import Steps
from gateway.jobs import Job, running_jobs
from gateway.merge import Guard
from gateway.needs import Scope, ScopeKind
from gateway.reads import Reads
from gateway.store import institutions, queued_runs
from gateway.store.queued_runs import Run as SyncRun
from gateway.sync.carried_runs import CarriedRuns
from gateway.sync.places import Place
from gateway.syncs import Order
from gateway.uow import Database
from tests.gateway.sync.crash import LIMITS, Doomed

NOW = datetime(2026, 9, 2, tzinfo=UTC)
BEGAN = NOW - timedelta(hours=1)
_PATIENCE = 60.0


class FileReports:
    """As Canvas answers: a run that is under way is shared, and its file can be fetched again and again."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._started = file.with_suffix(".started")

    async def start(self, call: Call, *, not_before: datetime) -> Run:
        if not self._started.exists():
            with self._started.with_suffix(".starts").open("a") as log:
                log.write("started\n")
            self._started.touch()
        return self._run("running")

    async def ended(self, call: Call, run: Run, *, within: timedelta) -> Run:
        return self._run("complete")

    async def find(self, call: Call, run_id: str) -> Run:
        return self._run("complete")

    async def fetch(self, call: Call, run: Run, into: Path) -> None:
        shutil.copy(self._file, into)

    def _run(self, status: str) -> Run:
        return Run(id="7", status=status, began_at=BEGAN, parameters={}, ours=True, file={"id": 1})


class _Place(Place):
    def call(self, meter: Meter) -> Call:
        return Call(credential=Fixed(secret="of a file"), meter=meter)


async def ask(url: str) -> int:
    """The id of a run that is to be carried."""
    async with Database.open(url) as database:
        made = await institutions.ensure(database, slug="demo", canvas_url=None)
        order = Order(scope=Scope(kind=ScopeKind.INSTITUTION, id=0))
        return await database.transact(
            lambda tx: syncs.ask(tx, made.id, order, anyhow=False, now=NOW)
        )


@asynccontextmanager
async def carrying(
    url: str, file: Path, done: asyncio.Event
) -> AsyncIterator[tuple[Database, Doomed]]:
    """Jobs run within; the second database, of which transactions are counted, is the sync's own."""
    async with Database.open(url) as database, Doomed.open(url) as doomed:
        assert isinstance(doomed, Doomed)
        made = await institutions.ensure(database, slug="demo", canvas_url=None)

        async def whole() -> None:
            return None

        place = _Place(
            institution=made,
            guard=Guard(),
            account_id="1",
            reported=whole,
            reports=lambda _account: cast("Reports", FileReports(file)),
        )
        runs = CarriedRuns(
            database=doomed,
            places={made.id: place},
            reads=Reads({}, Flights(OwnTurns(), lambda: NOW), lambda: NOW),
            clock=lambda: NOW,
            limits=LIMITS,
            shown_every=3600,  # so that the transactions are always as many
        )

        async def carry(steps: Steps, institution_id: int, arguments: Any) -> None:
            await runs.carry(steps, institution_id, arguments)
            done.set()

        async with running_jobs(database, [Job(name=syncs.JOB, work=carry)], clock=lambda: NOW):
            yield database, doomed


async def carried(
    url: str, file: Path, run_id: int, *, last: int = 0, committed: bool = False
) -> tuple[SyncRun, int]:
    """The run when its job is over, and how many transactions it took."""
    done = asyncio.Event()
    async with carrying(url, file, done) as (database, doomed):
        doomed.last, doomed.committed = last, committed
        await asyncio.wait_for(done.wait(), _PATIENCE)
        made = await institutions.ensure(database, slug="demo", canvas_url=None)
        run = await queued_runs.by_id(database, made.id, run_id)
        assert run is not None
        return run, doomed.count


if __name__ == "__main__":
    url, path, run_id, last, committed = sys.argv[1:]
    asyncio.run(
        carried(url, Path(path), int(run_id), last=int(last), committed=committed == "committed")
    )
