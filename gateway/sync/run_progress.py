"""How far a carried run is, written where everybody can read it: seldom, however often an import says so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import ClassVar

from gateway.store import queued_runs
from gateway.store.queued_runs import Run
from gateway.sync.summary import Progress
from gateway.uow import Database

# The parts of the whole that an import's phases are: reading compares every row, writing meets those that differ.
_PARTS = {"reading": (0.1, 0.5), "writing": (0.5, 1.0)}


class Showing:
    """An import's progress."""

    WAITING: ClassVar[float] = 0.05  # Canvas makes the report, and does not say how far it is

    def __init__(self) -> None:
        self._progress = 0.1

    @classmethod
    @asynccontextmanager
    async def of(cls, database: Database, run: Run, every: float) -> AsyncIterator["Showing"]:
        """`every`: how often it is written, in seconds."""
        showing = cls()
        task = asyncio.create_task(showing._write(database, run, every))
        try:
            yield showing
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def __call__(self, progress: Progress) -> None:
        begins, ends = _PARTS[progress.phase]
        share = min(1.0, progress.done / progress.total) if progress.total else 0.0
        # Of several files each begins anew; what was shown stays.
        self._progress = max(self._progress, begins + (ends - begins) * share * 0.99)

    async def _write(self, database: Database, run: Run, every: float) -> None:
        shown = 0.0
        while True:
            if self._progress > shown:
                shown = self._progress
                await queued_runs.advance(database, run.institution_id, run.id, shown)
            await asyncio.sleep(every)
