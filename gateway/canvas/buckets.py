"""The buckets of all tokens in use: who may send now, and who waits."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol

from gateway.canvas.throttle import Bucket

Clock = Callable[[], datetime]
Sleep = Callable[[float], Awaitable[None]]


class Buckets(Protocol):
    """`key` names a bucket: one a token string. Every `admit` is followed by one `settle` or `refused`."""

    async def admit(self, key: str, *, background: bool) -> None:
        """Return when a request of this kind may be sent; its reserve is then taken."""

    async def settle(self, key: str, *, cost: float, remaining: float | None) -> None: ...

    async def refused(self, key: str, *, remaining: float | None) -> None: ...

    async def remaining(self, key: str) -> float: ...


class LocalBuckets:
    """The buckets of one process."""

    def __init__(self, clock: Clock, sleep: Sleep = asyncio.sleep) -> None:
        self._clock = clock
        self._sleep = sleep
        self._buckets: dict[str, Bucket] = {}

    async def admit(self, key: str, *, background: bool) -> None:
        while wait := self._bucket(key).wait(self._clock(), background=background):
            await self._sleep(wait.total_seconds())
        self._buckets[key] = self._bucket(key).begin(self._clock())

    async def settle(self, key: str, *, cost: float, remaining: float | None) -> None:
        self._buckets[key] = self._bucket(key).end(self._clock(), cost=cost, remaining=remaining)

    async def refused(self, key: str, *, remaining: float | None) -> None:
        self._buckets[key] = self._bucket(key).refuse(self._clock(), remaining=remaining)

    async def remaining(self, key: str) -> float:
        return self._bucket(key).remaining(self._clock())

    def _bucket(self, key: str) -> Bucket:
        """Canvas forgets a bucket after an hour without a request; so do we, then."""
        now = self._clock()
        bucket = self._buckets.get(key)
        if bucket is None or (not bucket.running and now - bucket.at > _FORGOTTEN):
            self._forget(now)
            return Bucket(at=now)
        return bucket

    def _forget(self, now: datetime) -> None:
        for key in [
            k for k, b in self._buckets.items() if not b.running and now - b.at > _FORGOTTEN
        ]:
            del self._buckets[key]


_FORGOTTEN = timedelta(hours=1)
