"""The database's shape: brought up to date by one process at a time."""

import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tortoise.backends.base.client import BaseDBAsyncClient
from tortoise.migrations.executor import MigrationExecutor

from gateway.errors import ConfigurationError
from gateway.shield import finish
from gateway.uow import Database, Dialect, orm_config

_ADVISORY_LOCK = 0x524F53544552  # "ROSTER"


async def migrate(database: Database) -> None:
    """Apply what is missing of `models.migrations`; a second process waits until the first is done."""
    await finish(_migrate(database))


async def behind(database: Database) -> list[str]:
    """The migrations that this database lacks."""
    with database.active():
        executor = MigrationExecutor(database.client, orm_config(database.url)["apps"])
        return [step.migration.name for step in await finish(executor.plan())]


async def make_current(database: Database) -> None:
    """Bring a SQLite file up to date; on PostgreSQL that is an operator's step, so refuse what is behind."""
    missing = await behind(database)
    if missing and database.dialect is Dialect.POSTGRES:
        raise ConfigurationError(
            f"the database lacks {len(missing)} migrations ({', '.join(missing)}): run `roster migrate` first"
        )
    if missing:
        await migrate(database)


async def _migrate(database: Database) -> None:
    with database.active():
        async with _one_at_a_time(database):
            executor = MigrationExecutor(database.client, orm_config(database.url)["apps"])
            missing = await executor.plan()
            await executor.migrate(None)
            if missing and database.dialect is Dialect.SQLITE:
                await _count_anew(database.client)


async def _count_anew(client: BaseDBAsyncClient) -> None:
    """To SQLite an index that it has counted nothing of, beside others that it has, looks the best of all."""
    if await client.execute_query_dict("select 1 from sqlite_master where name = 'sqlite_stat1'"):
        await client.execute_query("analyze")


@asynccontextmanager
async def _one_at_a_time(database: Database) -> AsyncIterator[None]:
    if database.dialect is Dialect.POSTGRES:
        async with _advisory_lock(database.client):
            yield
    else:
        async with _file_lock(_sqlite_path(database.url)):
            yield


@asynccontextmanager
async def _advisory_lock(client: BaseDBAsyncClient) -> AsyncIterator[None]:
    async with client.acquire_connection() as connection:
        await connection.execute(f"select pg_advisory_lock({_ADVISORY_LOCK})")
        try:
            yield
        finally:
            await connection.execute(f"select pg_advisory_unlock({_ADVISORY_LOCK})")


@asynccontextmanager
async def _file_lock(database_file: str) -> AsyncIterator[None]:
    if database_file == ":memory:":
        yield
        return
    with Path(f"{database_file}.migrating").open("w") as lock:  # noqa: ASYNC230  opening a local file does not wait
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sqlite_path(url: str) -> str:
    return url.removeprefix("sqlite://").partition("?")[0]
