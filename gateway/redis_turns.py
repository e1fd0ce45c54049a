"""Whose turn it is to read something, kept by Redis (or Valkey) for all processes that share it."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from redis.asyncio import Redis
from redis.exceptions import RedisError

_log = logging.getLogger(__name__)

_HELD_MS = 10_000  # a process that died holds its turn so long
_RENEWED_SECONDS = _HELD_MS / 1000 / 3
_LOOK_SECONDS = 0.05

# A turn that ran out may be somebody else's by now: only the token's owner may end or lengthen it.
_END = (
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"
)
_LENGTHEN = (
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('pexpire', KEYS[1], ARGV[2]) end"
    " return 0"
)


class RedisTurns:
    """While Redis cannot be reached, each process goes its own way."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[None]:
        name, token = f"roster:turn:{key}", secrets.token_hex(16)
        if not await self._taken(name, token):
            yield
            return
        renewing = asyncio.create_task(self._renew(name, token))
        try:
            yield
        finally:
            renewing.cancel()
            with suppress(RedisError):  # it runs out by itself
                await self._redis.eval(_END, 1, name, token)

    async def _taken(self, name: str, token: str) -> bool:
        try:
            while not await self._redis.set(name, token, nx=True, px=_HELD_MS):  # noqa: ASYNC110  another process's doing
                await asyncio.sleep(_LOOK_SECONDS)
        except RedisError as error:
            _log.warning("no turns", extra={"fields": {"error": type(error).__name__}})
            return False
        return True

    async def _renew(self, name: str, token: str) -> None:
        while True:
            await asyncio.sleep(_RENEWED_SECONDS)
            with suppress(RedisError):  # tried again before it runs out
                await self._redis.eval(_LENGTHEN, 1, name, token, str(_HELD_MS))
