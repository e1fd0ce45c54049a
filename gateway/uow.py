"""The unit of work: the only place where a transaction begins, and the one door to the database's connections."""

import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg
from tortoise.backends.base.client import BaseDBAsyncClient, TransactionalDBClient
from tortoise.context import TortoiseContext, _current_context
from tortoise.exceptions import BaseORMException
from tortoise.transactions import in_transaction  # noqa: TID251  this module is the helper that the ban points to

from gateway.errors import ConfigurationError
from gateway.shield import finish

T = TypeVar("T")
Row = dict[str, Any]

_PLACEHOLDER = re.compile(r"\$(\d+)")
_SQLITE_PRAGMAS = {"busy_timeout": "10000", "synchronous": "NORMAL"}


class Dialect(StrEnum):
    SQLITE = "sqlite"
    POSTGRES = "postgres"

    def sql(self, text: str) -> str:
        """`text` with its `$1`, `$2` … as this database numbers parameters."""
        return _numbered_for_sqlite(text) if self is Dialect.SQLITE else text

    def bound(self, value: object) -> object:
        """A parameter as this driver takes it; SQLite keeps a UTC time as text that sorts by time."""
        if self is Dialect.SQLITE and isinstance(value, datetime):
            return value.isoformat(" ")
        return value


@lru_cache(maxsize=4096)
def _numbered_for_sqlite(text: str) -> str:
    return _PLACEHOLDER.sub(r"?\1", text)


class Transaction:
    """An open transaction. Statements are written with `$1`, `$2` … on either database."""

    def __init__(self, client: TransactionalDBClient, dialect: Dialect) -> None:
        self.dialect = dialect
        self.client = client

    @property
    def driver(self) -> Any:
        """The driver's own connection (aiosqlite or asyncpg), for COPY and its like."""
        return self.client._connection  # noqa: SLF001  Tortoise offers no public way to it

    async def rows(self, sql: str, *values: object) -> list[Row]:
        return await self.client.execute_query_dict(self.dialect.sql(sql), self._bound(values))

    async def run(self, sql: str, *values: object) -> int:
        """Rows touched."""
        return (await self.client.execute_query(self.dialect.sql(sql), self._bound(values)))[0]

    async def many(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        await self.client.execute_many(self.dialect.sql(sql), [self._bound(row) for row in rows])

    def _bound(self, values: Sequence[object]) -> list[Any]:
        return [self.dialect.bound(value) for value in values]


Work = Callable[[Transaction], Awaitable[T]]


class Database:
    """The store's database, opened once a process; `url` as in the configuration."""

    def __init__(self, url: str, context: TortoiseContext) -> None:
        self.url = url
        self.dialect = dialect_of(url)
        self._context = context

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator["Database"]:
        async with TortoiseContext() as context:
            await context.init(config=orm_config(url))
            yield cls(url, context)

    async def reach(self) -> None:
        """A first question, so that a database that is not there is refused in words."""
        try:
            await self.rows("select 1 as one")
        except (BaseORMException, asyncpg.PostgresError, sqlite3.Error, OSError) as error:
            where = _without_credentials(self.url)
            raise ConfigurationError(
                f"the database {where} cannot be opened: {error.__cause__ or error}"
            ) from error

    @contextmanager
    def active(self) -> Iterator[None]:
        """Tortoise keeps its state in a context variable; a server sets it for each request."""
        token = _current_context.set(self._context)
        try:
            yield
        finally:
            _current_context.reset(token)

    @property
    def client(self) -> BaseDBAsyncClient:
        return self._context.connections.get("default")

    async def transact(self, work: Work[T]) -> T:
        """`work(transaction)`, whole or not at all, however often the caller is cancelled meanwhile.

        Keep it short and never wait for the network inside: on SQLite it is the only writer.
        """
        return await finish(self._transact(work))

    async def rows(self, sql: str, *values: object) -> list[Row]:
        """One statement that only reads, outside a transaction."""
        bound = [self.dialect.bound(value) for value in values]
        return await finish(self.client.execute_query_dict(self.dialect.sql(sql), bound))

    async def _transact(self, work: Work[T]) -> T:
        with self.active():
            async with in_transaction("default") as client:
                if self.dialect is Dialect.SQLITE:
                    await _begin_immediate(client)
                return await work(Transaction(client, self.dialect))


async def _begin_immediate(client: TransactionalDBClient) -> None:
    """Take the write lock first: a deferred BEGIN that reads and then writes fails at once beside another process."""
    connection = client._connection  # noqa: SLF001  Tortoise only ever begins deferred transactions
    await connection.execute("ROLLBACK")
    await connection.execute("BEGIN IMMEDIATE")


def dialect_of(url: str) -> Dialect:
    scheme = url.partition("://")[0]
    if scheme == "sqlite":
        return Dialect.SQLITE
    if scheme in ("postgres", "postgresql", "asyncpg"):
        return Dialect.POSTGRES
    raise ConfigurationError(
        f"database_url begins with {scheme!r}; use sqlite://roster.db or postgres://user@host:port/name"
    )


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))


def orm_config(url: str) -> dict[str, Any]:
    """Tortoise's configuration for `url`; parameters given in the URL win over ours."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    if dialect_of(url) is Dialect.SQLITE:
        query = _SQLITE_PRAGMAS | query
        full = f"{url.partition('?')[0]}?{urlencode(query)}"
    else:
        full = urlunsplit(
            parts._replace(
                scheme="asyncpg", query=urlencode({"minsize": "1", "maxsize": "8"} | query)
            )
        )
    return {
        "connections": {"default": full},
        "apps": {
            "models": {
                "models": ["models.tables"],
                "default_connection": "default",
                "migrations": "models.migrations",
            }
        },
        "use_tz": True,
        "timezone": "UTC",
    }
