"""What the processes of one gateway share: the buckets of tokens, turns to read, and what may be forgotten."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from gateway import cache
from gateway.cache import Cache
from gateway.canvas.buckets import Buckets, LocalBuckets
from gateway.flights import OwnTurns, Turns
from gateway.seal import Seal
from gateway.settings import Server
from gateway.store.turns import open_turns

_SECONDS = 2.0  # a Redis that takes longer is as good as down


@dataclass(frozen=True, kw_only=True)
class Shared:
    buckets: Buckets
    turns: Turns
    cache: Cache


@asynccontextmanager
async def open_shared(server: Server, clock: Callable[[], datetime]) -> AsyncIterator[Shared]:
    """Through Redis where there is one; else turns through PostgreSQL, and buckets of each process's own."""
    if not server.cache_url.startswith("memory:"):
        from redis.asyncio import Redis  # noqa: PLC0415  installed where it is used
        from redis.exceptions import RedisError  # noqa: PLC0415  as above

        from gateway.canvas.either_buckets import EitherBuckets  # noqa: PLC0415  as above
        from gateway.canvas.shared_buckets import SharedBuckets  # noqa: PLC0415  as above
        from gateway.redis_turns import RedisTurns  # noqa: PLC0415  as above

        async with Redis.from_url(
            server.cache_url, socket_timeout=_SECONDS, socket_connect_timeout=_SECONDS
        ) as redis:
            buckets = EitherBuckets(SharedBuckets(redis), LocalBuckets(clock))
            seal = Seal([one.reveal() for one in server.secret_key])
            kept = cache.in_redis(
                redis, clock, house=server.database_url, seal=seal, down=(RedisError,)
            )
            yield Shared(buckets=buckets, turns=RedisTurns(redis), cache=kept)
    elif server.is_sqlite:
        yield Shared(buckets=LocalBuckets(clock), turns=OwnTurns(), cache=Cache(clock))
    else:
        async with open_turns(server.database_url) as turns:
            yield Shared(buckets=LocalBuckets(clock), turns=turns, cache=Cache(clock))
