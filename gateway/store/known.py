"""What the store knows already, as sorted numbers: a million rows are 24 MB here and would be 200 MB as objects."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from gateway.shield import finish
from gateway.uow import Database, Dialect

Numbers = npt.NDArray[np.signedinteger[Any]]
Flags = npt.NDArray[np.bool_]

_PAGE = 20_000
_COPY_HEADER = 19


def contains(sorted_keys: Numbers, keys: Numbers) -> Flags:
    """Which of `keys` are among `sorted_keys`; looked up in parts, so that a million do not make three more arrays."""
    known, found = Known(keys=sorted_keys, values=()), np.empty(len(keys), dtype=np.bool_)
    for start in range(0, len(keys), _PAGE):
        part = slice(start, start + _PAGE)
        found[part] = known.find(keys[part])[1]
    return found


@dataclass(frozen=True, kw_only=True)
class Known:
    """Rows by `keys`, sorted; `values` stand beside them, one array for each column that was asked for."""

    keys: Numbers
    values: tuple[Numbers, ...]

    def find(self, keys: Numbers) -> tuple[Numbers, Flags]:
        """The place of each key, and whether it is known; an unknown key's place means nothing."""
        if not len(self.keys):
            return np.zeros(len(keys), dtype=np.int64), np.zeros(len(keys), dtype=np.bool_)
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return places, self.keys[places] == keys

    def lookup(self, keys: pl.Series, column: int = 0) -> pl.Series:
        """The value of each key, null where the key is null or unknown."""
        places, found = self.find(keys.fill_null(0).to_numpy())
        if not len(self.keys):
            return pl.Series([None] * len(keys), dtype=pl.Int64)
        values = pl.Series(self.values[column][places])
        return values.set(pl.Series(~found) | keys.is_null(), None)


def sorted_known(columns: Sequence[Numbers]) -> Known:
    """The columns by the first of them, in place where they are ours: a second copy of them all would be felt."""
    keys = columns[0]
    if len(keys) > 1 and (keys[1:] < keys[:-1]).any():
        order = np.argsort(keys)
        columns = [_reordered(column, order) for column in columns]
    return Known(keys=columns[0], values=tuple(columns[1:]))


def _reordered(column: Numbers, order: Numbers) -> Numbers:
    ordered = column[order]
    if not column.flags.writeable:
        return ordered
    column[:] = ordered
    return column


async def numbers(database: Database, columns: Sequence[str], source: str) -> tuple[Numbers, ...]:
    """`select <columns> from <source>` as one array a column. Every column is an SQL expression that is never null.

    `source` holds our own words and numbers only.
    """
    if database.dialect is Dialect.POSTGRES:
        return await finish(_copied(database, columns, source))
    return await asyncio.to_thread(_read, database.url, columns, source)


async def _copied(database: Database, columns: Sequence[str], source: str) -> tuple[Numbers, ...]:
    """COPY in its binary form: rows of the same length, which numpy reads as they come."""
    (counted,) = await database.rows(f"select count(*) as n from {source}")
    out = [np.empty(int(counted["n"]), dtype=np.int64) for _ in columns]
    fields = (f"{part}{i}" for i in range(len(columns)) for part in ("i4", "i8"))
    row = np.dtype([("n", ">i2"), *((field, f">{field[:2]}") for field in fields)])
    held, filled = b"", 0

    async def take(data: bytes) -> None:
        nonlocal held, filled
        held += data
        if filled == 0 and held.startswith(b"PGCOPY"):
            if len(held) < _COPY_HEADER:
                return
            held = held[_COPY_HEADER:]
        rows = np.frombuffer(held[: len(held) // row.itemsize * row.itemsize], dtype=row)
        for i in range(len(out)):
            if filled + len(rows) > len(out[i]):  # more than were counted just now
                out[i] = np.concatenate([out[i], np.empty_like(out[i], shape=len(rows))])
            out[i][filled : filled + len(rows)] = rows[f"i8{i}"]
        filled += len(rows)
        held = held[len(rows) * row.itemsize :]

    cast = ", ".join(f"cast({column} as bigint)" for column in columns)
    async with database.client.acquire_connection() as connection:
        query = f"select {cast} from {source}"
        await connection.copy_from_query(query, output=take, format="binary")
    return tuple(column[:filled] for column in out)


def _read(database_url: str, columns: Sequence[str], source: str) -> tuple[Numbers, ...]:
    """By a connection of its own that only reads: the process's one is everybody's."""
    path = Path(database_url.removeprefix("sqlite://").partition("?")[0]).absolute()
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        (count,) = connection.execute(f"select count(*) from {source}").fetchone()
        out = [np.empty(count, dtype=np.int64) for _ in columns]
        cursor = connection.execute(f"select {', '.join(columns)} from {source}")
        filled = 0
        while rows := cursor.fetchmany(_PAGE):
            flat = np.fromiter(chain.from_iterable(rows), dtype=np.int64)
            for i, values in enumerate(flat.reshape(-1, len(columns)).T):
                if filled + len(rows) > len(out[i]):  # more than were counted just now
                    out[i] = np.concatenate([out[i], np.empty_like(out[i], shape=len(rows))])
                out[i][filled : filled + len(rows)] = values
            filled += len(rows)
    return tuple(column[:filled] for column in out)


async def texts(database: Database, query: str, *values: object) -> tuple[pl.Series, Numbers]:
    """Of a query for `id` and `text`: the texts, and the ids beside them."""
    rows = await database.rows(query, *values)
    return (
        pl.Series([row["text"] for row in rows], dtype=pl.String),
        np.array([row["id"] for row in rows], dtype=np.int64),
    )
