"""How far a carried run is, and how many rows it has read, written where everybody can read it: seldom, however often an import says so."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime

from gateway.store import queued_runs
from gateway.store.queued_runs import Run
from gateway.sync.summary import Progress
from gateway.uow import Database

# The parts of the whole that an import's phases are: reading compares every row, writing meets those that differ.
_PARTS = {"reading": (0.1, 0.5), "writing": (0.5, 1.0)}


class Showing:
    """An import's progress."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._progress = 0.1
        self._rows: dict[str, int] = {}

    @classmethod
    @asynccontextmanager
    async def of(
        cls, database: Database, run: Run, every: float, clock: Callable[[], datetime]
    ) -> AsyncIterator["Showing"]:
        """`every`: how often it is written, in seconds."""
        showing = cls(clock)
        task = asyncio.create_task(showing._write(database, run, every))
        try:
            yield showing
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def __call__(self, progress: Progress) -> None:
        if progress.rows is not None:
            self._rows[progress.file] = progress.rows
        begins, ends = _PARTS[progress.phase]
        share = min(1.0, progress.done / progress.total) if progress.total else 0.0
        # Of several files each begins anew; what was shown stays.
        self._progress = max(self._progress, begins + (ends - begins) * share * 0.99)

    async def _write(self, database: Database, run: Run, every: float) -> None:
        shown = (0.0, 0)
        while True:
            known = (self._progress, sum(self._rows.values()))
            if known != shown:
                progress, rows = shown = known
                await queued_runs.advance(
                    database, run.institution_id, run.id, progress, rows=rows, now=self._clock()
                )
            await asyncio.sleep(every)
