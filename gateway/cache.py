"""What may be forgotten: kept for a while in memory, or for all processes in Redis, by aiocache.

A cache that cannot be reached is one that knows nothing. What is kept in Redis is sealed: some of it gives rights.
"""

import hashlib
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from aiocache import SimpleMemoryCache
from aiocache.serializers import BaseSerializer

from gateway.errors import ConfigurationError
from gateway.seal import Seal
from gateway.shield import finish

if TYPE_CHECKING:
    from redis.asyncio import Redis

T = TypeVar("T")

_log = logging.getLogger(__name__)

_MOST = 20_000  # in the memory of one process; aiocache itself knows no end
_SECONDS = 2.0  # a Redis that takes longer is as good as down


class _Bytes(BaseSerializer):  # type: ignore[misc]  # aiocache ships no types
    """As they are; aiocache's own serializers hand out texts, or the same object to everybody."""

    DEFAULT_ENCODING = None

    def dumps(self, value: bytes) -> bytes:
        return value

    def loads(self, value: bytes | None) -> bytes | None:
        return value


class _Memory(SimpleMemoryCache):  # type: ignore[misc]  # as above
    async def make_room(self) -> None:
        """Before there are too many: forgetting all costs some questions, once."""
        if len(self._cache) >= _MOST:
            await self.clear()


class _Kept(msgspec.Struct, array_like=True):
    until: datetime
    value: msgspec.Raw


class Cache:
    """Values of any type that msgspec knows, by words. `clock` decides what is over; the backend only throws it away."""

    def __init__(
        self,
        clock: Callable[[], datetime],
        backend: Any = None,
        *,
        seal: Seal | None = None,
        down: tuple[type[Exception], ...] = (),
    ) -> None:
        """`down`: what the backend raises when it cannot be reached."""
        self._clock = clock
        self._backend = _Memory(serializer=_Bytes()) if backend is None else backend
        self._seal = seal
        self._down: tuple[type[Exception], ...] = (*down, TimeoutError)
        self._is_down = False

    async def get(self, what: type[T], *words: object) -> T | None:
        sealed = await self._reached(self._backend.get(_key(words)))
        if sealed is None:
            return None
        try:
            kept = msgspec.msgpack.decode(self._opened(sealed), type=_Kept)
            if self._clock() >= kept.until:
                return None
            return msgspec.msgpack.decode(kept.value, type=what)
        except (ConfigurationError, msgspec.DecodeError):
            return None  # sealed with a key that is gone, or written by another version

    async def put(self, value: object, *words: object, lasts: timedelta) -> None:
        packed = msgspec.msgpack.encode(
            _Kept(until=self._clock() + lasts, value=msgspec.Raw(msgspec.msgpack.encode(value)))
        )
        sealed = packed if self._seal is None else self._seal.close(packed.hex()).encode()
        if isinstance(self._backend, _Memory):
            await self._backend.make_room()
        seconds = max(1, round(lasts.total_seconds()))
        await self._reached(self._backend.set(_key(words), sealed, ttl=seconds))

    async def forget(self, *words: object) -> None:
        await self._reached(self._backend.delete(_key(words)))

    def _opened(self, sealed: bytes) -> bytes:
        return sealed if self._seal is None else bytes.fromhex(self._seal.open(sealed.decode()))

    async def _reached(self, step: Any) -> Any:
        try:
            result = await finish(step)
        except self._down as error:
            if not self._is_down:
                _log.warning("no cache", extra={"fields": {"error": type(error).__name__}})
            self._is_down = True
            return None
        self._is_down = False
        return result


def in_redis(
    redis: "Redis",
    clock: Callable[[], datetime],
    *,
    house: str,
    seal: Seal,
    down: tuple[type[Exception], ...],
) -> Cache:
    """Through a client of ours: aiocache's own knows neither users nor our timeouts.

    `house`: whose it is, where several gateways use one Redis: what one of them knows is not so for another.
    """
    from aiocache import RedisCache  # noqa: PLC0415  there where redis is installed

    backend = RedisCache(
        serializer=_Bytes(), namespace=f"roster:cache:{_key((house,))[:16]}", timeout=_SECONDS
    )
    backend.client = redis
    return Cache(clock, backend, seal=seal, down=down)


def _key(words: tuple[object, ...]) -> str:
    """Of one length, and telling nobody who sees it whom it is about."""
    return hashlib.sha256("\0".join(map(str, words)).encode()).hexdigest()
