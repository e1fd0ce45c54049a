"""The shared buckets while Redis answers, else this process's own: a cache that is down stops no reading."""

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from redis.exceptions import RedisError

from gateway.canvas.buckets import Buckets

T = TypeVar("T")

_log = logging.getLogger(__name__)


class EitherBuckets:
    """A request that was admitted by one and is settled in the other leaves a reserve behind, which leaks away."""

    def __init__(self, shared: Buckets, own: Buckets) -> None:
        self._shared = shared
        self._own = own
        self._is_down = False

    async def admit(self, key: str, *, background: bool) -> None:
        await self._either(lambda buckets: buckets.admit(key, background=background))

    async def settle(self, key: str, *, cost: float, remaining: float | None) -> None:
        await self._either(lambda buckets: buckets.settle(key, cost=cost, remaining=remaining))

    async def refused(self, key: str, *, remaining: float | None) -> None:
        await self._either(lambda buckets: buckets.refused(key, remaining=remaining))

    async def remaining(self, key: str) -> float:
        return await self._either(lambda buckets: buckets.remaining(key))

    async def _either(self, step: Callable[[Buckets], Awaitable[T]]) -> T:
        try:
            result = await step(self._shared)
        except RedisError as error:
            if not self._is_down:
                _log.warning(
                    "buckets are not shared", extra={"fields": {"error": type(error).__name__}}
                )
            self._is_down = True
            return await step(self._own)
        self._is_down = False
        return result
