"""A table that is empty in the whole database is filled bare: keys and indexes go, the rows come, keys and indexes return.

All in one transaction, so a crash leaves the empty table as it was. Nobody can be waiting for rows that are not there yet;
a table that holds anything is filled in chunks instead (`merging`).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import polars as pl

from gateway.store import bulk, statistics
from gateway.uow import Database, Dialect, Transaction


@dataclass(frozen=True, kw_only=True)
class _Index:
    drop: str
    create: str


async def is_empty(tx: Transaction, table: str) -> bool:
    """Looked at again inside the transaction that fills it."""
    return not await tx.rows(f"select id from {table} limit 1")


async def is_empty_now(database: Database, table: str) -> bool:
    return not await database.rows(f"select id from {table} limit 1")


async def fill(
    tx: Transaction,
    table: str,
    frames: Iterable[pl.DataFrame],
    first: int,
    loaded: Callable[[int], None],
) -> int:
    """All frames into the empty `table`, with ids from `first` on; how many rows. `loaded` hears of each frame's."""
    total = 0
    async with _bare(tx, table):
        async for frame in _ahead(iter(frames)):
            ids = pl.int_range(first + total, first + total + pl.len()).alias("id")
            await bulk.copy_in(tx, table, frame.with_columns(ids))
            total += frame.height
            loaded(frame.height)
    await _ids_are_taken(tx, table)
    await statistics.analyze(
        tx, table
    )  # those of the empty table would mislead every plan from here on
    return total


async def _ahead(frames: Iterator[pl.DataFrame]) -> AsyncIterator[pl.DataFrame]:
    """Each frame, while the next is made in a thread: the database and the frames each have a core."""
    coming = asyncio.ensure_future(asyncio.to_thread(next, frames, None))
    try:
        while (frame := await coming) is not None:
            coming = asyncio.ensure_future(asyncio.to_thread(next, frames, None))
            yield frame
    finally:
        await asyncio.wait([coming])


@asynccontextmanager
async def _bare(tx: Transaction, table: str) -> AsyncIterator[None]:
    indexes = await (_of_sqlite if tx.dialect is Dialect.SQLITE else _of_postgres)(tx, table)
    for index in indexes:
        await tx.run(index.drop)
    yield
    for index in reversed(indexes):
        await tx.run(index.create)


async def _of_sqlite(tx: Transaction, table: str) -> list[_Index]:
    """Those of unique constraints belong to the table and stay."""
    rows = await tx.rows(
        "select name, sql from sqlite_master where type = 'index' and tbl_name = $1 and sql is not null"
        " order by name",
        table,
    )
    return [_Index(drop=f'drop index "{row["name"]}"', create=row["sql"]) for row in rows]


async def _of_postgres(tx: Transaction, table: str) -> list[_Index]:
    """Constraints last, so that they come back first."""
    rows = await tx.rows(
        "select i.relname as name, c.conname as constraint_name, pg_get_indexdef(x.indexrelid) as index_sql,"
        " pg_get_constraintdef(c.oid) as constraint_sql from pg_index x join pg_class i on i.oid = x.indexrelid"
        " left join pg_constraint c on c.conindid = x.indexrelid and c.contype in ('p', 'u')"
        " where x.indrelid = cast(cast($1 as text) as regclass) order by c.conname nulls first, i.relname",
        table,
    )
    return [
        _Index(
            drop=f'alter table {table} drop constraint "{row["name"]}"',
            create=f'alter table {table} add constraint "{row["name"]}" {row["constraint_sql"]}',
        )
        if row["constraint_name"]
        else _Index(drop=f'drop index "{row["name"]}"', create=row["index_sql"])
        for row in rows
    ]


async def next_id(tx: Transaction, table: str) -> int:
    if tx.dialect is Dialect.SQLITE:
        rows = await tx.rows("select seq as id from sqlite_sequence where name = $1", table)
        return 1 + (int(rows[0]["id"]) if rows else 0)
    rows = await tx.rows(f"select nextval(pg_get_serial_sequence('{table}', 'id')) as id")
    return int(rows[0]["id"])


async def _ids_are_taken(tx: Transaction, table: str) -> None:
    """SQLite notes the highest id by itself."""
    if tx.dialect is Dialect.POSTGRES:
        await tx.run(
            f"select setval(pg_get_serial_sequence('{table}', 'id'), coalesce(max(id), 1)) from {table}"
        )
