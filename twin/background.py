"""What Canvas does by itself: work that is due is done before the next request is answered.

No task runs beside the requests, so that a test which advances the clock sees what time has done
at once, and a change made later is never in a report that was due before it.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from twin.clock import Clock


class Worker(Protocol):
    async def catch_up(self, now: datetime) -> None:
        """Do all that is due by now, in the order in which it fell due."""
        ...


class Background:
    """ASGI middleware: time passes first, then the request is answered."""

    def __init__(self, app: ASGIApp, clock: Clock, workers: Sequence[Worker]) -> None:
        self._app = app
        self._clock = clock
        self._workers = workers
        self._work: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Work that takes long leaves room for other requests, which see it half done as they would
        # in Canvas. It is not the request's own: a client that hangs up does not break it off.
        if scope["type"] == "http" and (self._work is None or self._work.done()):
            self._work = asyncio.create_task(self._catch_up())
            await asyncio.shield(self._work)
        await self._app(scope, receive, send)

    async def _catch_up(self) -> None:
        for worker in self._workers:
            await worker.catch_up(self._clock.now())
