"""Connections of the reads' own: never behind a writing transaction, never able to write."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from threading import local
from typing import Any, Protocol
from urllib.parse import quote

import asyncpg

from gateway.errors import ConfigurationError
from gateway.shield import finish
from gateway.uow import Dialect, dialect_of

Record = Sequence[Any]


class Connections(Protocol):
    dialect: Dialect

    async def fetch(self, sql: str, values: Sequence[object] = ()) -> Sequence[Record]:
        """All rows of one statement, written with `$1`, `$2` … on either database."""
        ...

    def usage(self) -> dict[str, int]:
        """How many connections are at work, and how many are open and wait."""
        ...

    async def close(self) -> None: ...


@asynccontextmanager
async def open_connections(url: str, *, size: int | None = None) -> AsyncIterator[Connections]:
    """Connections to the migrated database at `url`; at most `size` statements run at once."""
    connections: Connections
    if dialect_of(url) is Dialect.SQLITE:
        connections = SqliteConnections(url, size=size or 2)
    else:
        connections = PostgresConnections(url, size=size or 8)
    try:
        yield connections
    finally:
        await connections.close()


class PostgresConnections:
    """A free list: asyncpg's pool sends a RESET with each release, which costs a quarter of the small reads."""

    dialect = Dialect.POSTGRES

    def __init__(self, url: str, *, size: int) -> None:
        self._url = url
        self._turns = asyncio.Semaphore(size)
        self._free: list[Any] = []
        self._busy = 0

    async def fetch(self, sql: str, values: Sequence[object] = ()) -> Sequence[Record]:
        return await finish(self._fetch(sql, values))

    async def _fetch(self, sql: str, values: Sequence[object]) -> Sequence[Record]:
        async with self._turns:
            connection = await self._take()
            self._busy += 1
            try:
                rows: list[Record] = await connection.fetch(sql, *values)
            finally:
                self._busy -= 1
                if not connection.is_closed():
                    self._free.append(connection)
            return rows

    async def _take(self) -> Any:
        while self._free:
            connection = self._free.pop()
            if not connection.is_closed():
                return connection
        return await asyncpg.connect(
            self._url.replace("asyncpg://", "postgres://", 1),
            server_settings={
                "default_transaction_read_only": "on",
                "jit": "off",  # compiling a plan takes longer than most of these statements run
                "random_page_cost": "1.1",  # what a roster read touches is cached, or on a disk without a head
            },
            statement_cache_size=512,
        )

    def usage(self) -> dict[str, int]:
        return {"busy": self._busy, "idle": len(self._free)}

    async def close(self) -> None:
        while self._free:
            await self._free.pop().close()


class SqliteConnections:
    """One read-only connection to each of a few threads; SQLite works without the interpreter's lock."""

    dialect = Dialect.SQLITE

    def __init__(self, url: str, *, size: int) -> None:
        path = url.removeprefix("sqlite://").partition("?")[0]
        if path == ":memory:":
            raise ConfigurationError("An in-memory SQLite database cannot be read; name a file.")
        self._uri = f"file:{quote(str(Path(path).absolute()))}?mode=ro"
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="roster-read")
        self._own = local()
        self._opened: list[sqlite3.Connection] = []
        self._busy = 0

    async def fetch(self, sql: str, values: Sequence[object] = ()) -> Sequence[Record]:
        bound = [self.dialect.bound(value) for value in values]
        work = asyncio.get_running_loop().run_in_executor(
            self._threads, self._fetch, self.dialect.sql(sql), bound
        )
        self._busy += 1
        work.add_done_callback(self._ended)
        return await asyncio.shield(work)

    def _fetch(self, sql: str, values: Sequence[Any]) -> list[Record]:
        return self._connection().execute(sql, values).fetchall()

    def _ended(self, _work: asyncio.Future[list[Record]]) -> None:
        self._busy -= 1

    def usage(self) -> dict[str, int]:
        busy = min(self._busy, len(self._opened))  # the rest waits for its turn
        return {"busy": busy, "idle": len(self._opened) - busy}

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = sqlite3.connect(self._uri, uri=True, check_same_thread=False)
            connection.execute("pragma busy_timeout = 10000")
            connection.execute("pragma mmap_size = 268435456")
            self._own.connection = connection
            self._opened.append(connection)
        return connection

    async def close(self) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        while self._opened:
            self._opened.pop().close()
