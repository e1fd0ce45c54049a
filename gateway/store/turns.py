"""Whose turn it is to read something, kept by PostgreSQL: for processes that share it and no Redis."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from gateway.shield import finish

_LOOK_SECONDS = 0.05


class PostgresTurns:
    """Advisory locks of one connection, which end with it when the process dies."""

    def __init__(self, url: str) -> None:
        self._url = url.replace("asyncpg://", "postgres://", 1)
        self._connection: Any = None
        self._one_at_a_time = asyncio.Lock()

    @asynccontextmanager
    async def turn(self, key: str) -> AsyncIterator[None]:
        number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big", signed=True)
        connection = await self._take(number)
        try:
            yield
        finally:
            # with a broken connection its locks are gone as well
            if connection is self._connection and not connection.is_closed():
                await self._ask("select pg_advisory_unlock($1)", number)

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()

    async def _take(self, number: int) -> Any:
        while not await self._ask("select pg_try_advisory_lock($1)", number):  # noqa: ASYNC110  another process's doing
            await asyncio.sleep(_LOOK_SECONDS)
        return self._connection

    async def _ask(self, sql: str, number: int) -> Any:
        return await finish(self._asked(sql, number))

    async def _asked(self, sql: str, number: int) -> Any:
        async with self._one_at_a_time:
            if self._connection is None or self._connection.is_closed():
                self._connection = await asyncpg.connect(self._url)
            return await self._connection.fetchval(sql, number)


@asynccontextmanager
async def open_turns(url: str) -> AsyncIterator[PostgresTurns]:
    turns = PostgresTurns(url)
    try:
        yield turns
    finally:
        await turns.close()
