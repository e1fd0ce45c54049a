"""The buckets of all processes that share a Redis (or Valkey): one model of each, changed by compare-and-set.

The arithmetic stays in `gateway.canvas.throttle`; Redis keeps the value and its own clock dates it, so that processes
whose clocks differ agree.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar, cast

import msgspec
from redis.asyncio import Redis
from redis.exceptions import WatchError

from gateway.canvas.buckets import Sleep
from gateway.canvas.throttle import Bucket

T = TypeVar("T")

_KEPT_SECONDS = 3600  # Canvas forgets a bucket after an hour without a request


class SharedBuckets:
    """A process that dies in the middle of a request leaves its reserve taken; it leaks away like any other level."""

    def __init__(self, redis: Redis, sleep: Sleep = asyncio.sleep) -> None:
        self._redis = redis
        self._sleep = sleep

    async def admit(self, key: str, *, background: bool) -> None:
        def step(bucket: Bucket, now: datetime) -> tuple[Bucket, float]:
            wait = bucket.wait(now, background=background).total_seconds()
            return (bucket, wait) if wait else (bucket.begin(now), 0.0)

        while wait := await self._change(key, step):
            await self._sleep(wait)

    async def settle(self, key: str, *, cost: float, remaining: float | None) -> None:
        await self._change(key, lambda b, now: (b.end(now, cost=cost, remaining=remaining), None))

    async def refused(self, key: str, *, remaining: float | None) -> None:
        await self._change(key, lambda b, now: (b.refuse(now, remaining=remaining), None))

    async def remaining(self, key: str) -> float:
        return await self._change(key, lambda b, now: (b, b.remaining(now)))

    async def _change(self, key: str, step: Callable[[Bucket, datetime], tuple[Bucket, T]]) -> T:
        name = f"roster:bucket:{key}"
        async with self._redis.pipeline(transaction=True) as pipe:
            while True:
                await pipe.watch(name)
                now = await self._now()
                stored = await pipe.get(name)
                before = (
                    Bucket(at=now)
                    if stored is None
                    else msgspec.msgpack.decode(cast("bytes", stored), type=Bucket)
                )
                after, result = step(before, now)
                if after == before:
                    await pipe.unwatch()  # type: ignore[no-untyped-call]  # redis-py's own gap
                    return result
                pipe.multi()  # type: ignore[no-untyped-call]  # redis-py's own gap
                pipe.set(name, msgspec.msgpack.encode(after), ex=_KEPT_SECONDS)
                try:
                    await pipe.execute()
                except WatchError:
                    continue
                return result

    async def _now(self) -> datetime:
        seconds, microseconds = await self._redis.time()
        return datetime.fromtimestamp(seconds + microseconds / 1e6, tz=UTC)
