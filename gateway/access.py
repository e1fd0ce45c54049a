"""The access log at work: what operations show of people is noted at once, and written down in batches behind them."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

from gateway.logs import request_id
from gateway.shield import finish
from gateway.store.access_log import Access, AccessLog, Wanted
from gateway.viewer import Viewer

__all__ = ["Access", "Accesses", "Wanted"]

_log = logging.getLogger(__name__)

WRITTEN_EVERY = 1.0  # seconds: what a crash may lose
PURGED_EVERY = timedelta(hours=1)
MOST_WAITING = 50_000
MOST_AT_ONCE = 5_000


class Accesses:
    """Of all institutions. `retention`: how long each keeps its records."""

    def __init__(
        self,
        log: AccessLog,
        clock: Callable[[], datetime],
        retention: Mapping[int, timedelta] | None = None,
    ) -> None:
        self._kept = log
        self._clock = clock
        self._retention = retention or {}
        self._waiting: list[Access] = []
        self._lost = 0
        self._news = asyncio.Event()
        self._purged_at: datetime | None = None

    def note(
        self, viewer: Viewer, subject: tuple[str, int], people: int, shown: tuple[str, ...]
    ) -> None:
        """That so many people were shown to this viewer, and what of them. Never waits."""
        if len(self._waiting) >= MOST_WAITING:
            self._lost += 1
            return
        kind, row_id = subject
        launched, service = viewer.launched, viewer.service
        self._waiting.append(
            Access(
                institution_id=viewer.institution_id,
                at=self._clock(),
                credential="session" if launched else "service",
                credential_id=launched.session_id
                if launched
                else service.token_id
                if service
                else 0,
                person_id=viewer.user_id,
                real_user=launched.real_user if launched else None,
                subject_kind=kind,
                subject_id=row_id,
                people=people,
                shown=shown,
                request_id=request_id.get() or None,
            )
        )
        self._news.set()

    async def find(self, institution_id: int, wanted: Wanted) -> list[Access]:
        """Those noted up to now included."""
        await self.write()
        return await self._kept.find(institution_id, wanted)

    async def write(self) -> None:
        """Write down what waits; what cannot be written waits on."""
        while self._waiting:
            batch = self._waiting[:MOST_AT_ONCE]
            del self._waiting[:MOST_AT_ONCE]
            try:
                await self._kept.keep(batch)
            except Exception:
                self._waiting[:0] = batch
                raise
        if self._lost:
            _log.error("accesses were not recorded", extra={"fields": {"lost": self._lost}})
            self._lost = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Writes behind the operations; what waits at the end is written then."""
        task = asyncio.ensure_future(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.write()

    async def _run(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            await asyncio.sleep(WRITTEN_EVERY)
            await finish(self.step())

    async def step(self) -> None:
        """Write what waits, and now and then drop what is older than it is kept."""
        try:
            await self.write()
            await self._purge()
        except Exception:  # noqa: BLE001  whatever it is, the next round tries again
            _log.exception("the access log cannot be written")
            self._news.set()

    async def _purge(self) -> None:
        now = self._clock()
        if self._purged_at is not None and now - self._purged_at < PURGED_EVERY:
            return
        self._purged_at = now
        for institution_id, kept_for in self._retention.items():
            await self._kept.purge(institution_id, now - kept_for)
