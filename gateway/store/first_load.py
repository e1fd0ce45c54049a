"""A table that is empty in the whole database is filled without looking for what is there, and its indexes are made at last.

It goes by chunks, each one short transaction under the institution's lock, so readers and writers wait for one chunk, or for
one index, and a crash leaves whole chunks, which the next import finds done. Keys stand all the time. As soon as anybody else has written
to the table the rest has to be merged (`merging`).
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial

import polars as pl

from gateway.store import bulk, merging, statistics
from gateway.store.columns import indexes_of
from gateway.uow import Database, Dialect, Transaction

TABLES = ("person", "identity", "enrollment")


class FirstLoad:
    """Of some tables, for one institution."""

    def __init__(self, institution_id: int, *tables: str) -> None:
        self._institution_id = institution_id
        self._newest = dict.fromkeys(tables, 0)  # the last ids that were written, all of them ours

    async def may_begin(self, store: Database | Transaction) -> bool:
        """Whether the tables are empty; or, once it has begun, hold nothing of anybody else."""
        for table, newest in self._newest.items():
            rows = await store.rows(f"select id from {table} order by id desc limit 1")
            if [int(row["id"]) for row in rows] != [newest] * bool(newest):
                return False
        return True

    async def goes_on(self, tx: Transaction) -> bool:
        """The same under the institution's lock, where it stays so."""
        await merging.lock(tx, self._institution_id)
        return await self.may_begin(tx)

    @asynccontextmanager
    async def without_indexes(self, database: Database) -> AsyncIterator[bool]:
        """Whether it has begun; at the end, however it comes, the tables have their indexes."""
        try:
            yield await database.transact(self._put_off)
        finally:
            await make_indexes(database, *self._newest)
            await statistics.refresh(database, self._newest)  # an empty table's would mislead

    async def put(self, tx: Transaction, table: str, rows: pl.DataFrame) -> pl.Series:
        """The rows into the table; their ids."""
        ids = pl.Series("id", await _next_ids(tx, table, rows.height), dtype=pl.Int64)
        await bulk.copy_in(tx, table, rows.with_columns(ids))
        self._newest[table] = int(ids[-1]) if len(ids) else self._newest[table]
        return ids

    async def _put_off(self, tx: Transaction) -> bool:
        if not await self.goes_on(tx):
            return False
        for table in self._newest:
            for name in indexes_of(table):
                await tx.run(f"drop index if exists {name}")
        return True


async def make_indexes(database: Database, *tables: str) -> None:
    """Those that a first load has put off, this one or one that a crash ended; each in a transaction of its own."""
    for table in tables:
        rows = await database.rows(_INDEXES[database.dialect], table)
        made = {str(row["name"]) for row in rows}
        for name, columns in indexes_of(table).items():
            if name not in made:
                await database.transact(partial(_create, name=name, table=table, columns=columns))


async def _create(tx: Transaction, *, name: str, table: str, columns: Sequence[str]) -> None:
    await tx.run(f"create index if not exists {name} on {table} ({', '.join(columns)})")


async def _next_ids(tx: Transaction, table: str, count: int) -> Sequence[int]:
    if tx.dialect is Dialect.SQLITE:
        rows = await tx.rows("select seq from sqlite_sequence where name = $1", table)
        first = 1 + (int(rows[0]["seq"]) if rows else 0)
        return range(first, first + count)
    # the sequence is looked up once: for each id it would take longer than all else about a row
    rows = await tx.rows(
        f"select array_agg(nextval(s.sequence)) as ids from generate_series(1, $1),"
        f" (select pg_get_serial_sequence('{table}', 'id')::regclass as sequence offset 0) s",
        count,
    )
    ids: Sequence[int] = rows[0]["ids"] or ()
    return ids


_INDEXES = {
    Dialect.SQLITE: "select name from sqlite_master where type = 'index' and tbl_name = $1",
    Dialect.POSTGRES: "select indexname as name from pg_indexes"
    " where schemaname = current_schema() and tablename = $1",
}
