"""Who read whose data, as it is kept: in the database, and beside a SQLite one in a file of its own, so that reads stay reads."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from gateway.uow import Database, Dialect, Transaction


@dataclass(frozen=True, kw_only=True)
class Access:
    """One look at people's data.

    `credential` is service or session. `person_id`: whose eyes it was seen with; `real_user`: who acted as them in
    Canvas. `subject_kind` and `subject_id`: the person, or the place whose people were listed. `people`: how many were
    shown; `shown`: which fields of theirs.
    """

    institution_id: int
    at: datetime
    credential: str
    credential_id: int
    person_id: int | None
    real_user: str | None
    subject_kind: str
    subject_id: int
    people: int
    shown: tuple[str, ...]
    request_id: str | None
    id: int = 0  # until it is kept


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """`before`: an id that the rows come before; they come newest first."""

    subject: tuple[str, int] | None = None
    person: int | None = None
    since: datetime | None = None
    before: int | None = None
    limit: int = 50


class AccessLog(Protocol):
    async def keep(self, accesses: Sequence[Access]) -> None: ...
    async def find(self, institution_id: int, wanted: Wanted) -> list[Access]: ...
    async def purge(self, institution_id: int, before: datetime) -> int: ...
    async def forget(self, institution_id: int, person_id: int) -> int:
        """Nothing is kept that names this person."""


def access_log(database: Database) -> AccessLog:
    if database.dialect is Dialect.SQLITE:
        file = database.url.removeprefix("sqlite://").partition("?")[0]
        return FileLog(Path(f"{file}.access"))
    return TableLog(database)


class TableLog:
    """In the table `access_record`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, accesses: Sequence[Access]) -> None:
        async def work(tx: Transaction) -> None:
            # a list inside a list of a hundred rows is a hundred accesses
            await tx.driver.copy_records_to_table(
                "access_record",
                columns=("institution_id", *_COLUMNS),
                records=[_values(one) for one in accesses],
            )

        await self._database.transact(work)

    async def find(self, institution_id: int, wanted: Wanted) -> list[Access]:
        sql, values = _select(institution_id, wanted)
        return [_access(row) for row in await self._database.rows(sql, *values)]

    async def purge(self, institution_id: int, before: datetime) -> int:
        async def work(tx: Transaction) -> int:
            return await tx.run(_PURGE, institution_id, before)

        return await self._database.transact(work)

    async def forget(self, institution_id: int, person_id: int) -> int:
        async def work(tx: Transaction) -> int:
            return await tx.run(_FORGET, institution_id, person_id)

        return await self._database.transact(work)


class FileLog:
    """In a SQLite file of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = asyncio.Lock()

    async def keep(self, accesses: Sequence[Access]) -> None:
        rows = [[Dialect.SQLITE.bound(value) for value in _values(one)] for one in accesses]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(Dialect.SQLITE.sql(_INSERT), rows)

        await self._run(work)

    async def find(self, institution_id: int, wanted: Wanted) -> list[Access]:
        sql, values = _select(institution_id, wanted)
        rows = await self._run(lambda connection: _ran(connection, sql, *values).fetchall())
        return [_access(dict(row)) for row in rows]

    async def purge(self, institution_id: int, before: datetime) -> int:
        return int(await self._run(lambda c: _ran(c, _PURGE, institution_id, before).rowcount))

    async def forget(self, institution_id: int, person_id: int) -> int:
        return int(await self._run(lambda c: _ran(c, _FORGET, institution_id, person_id).rowcount))

    async def _run(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        def step() -> Any:
            with self._opened() as connection:
                return work(connection)

        async with self._lock:
            return await asyncio.to_thread(step)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=10)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("pragma journal_mode = wal")
            connection.execute("pragma synchronous = normal")
            connection.executescript(_CREATE)
            with connection:  # one transaction
                yield connection


def _ran(connection: sqlite3.Connection, sql: str, *values: object) -> sqlite3.Cursor:
    bound: list[Any] = [Dialect.SQLITE.bound(value) for value in values]
    return connection.execute(Dialect.SQLITE.sql(sql), bound)


_COLUMNS = (
    *("at", "credential", "credential_id", "person_id", "real_user"),
    *("subject_kind", "subject_id", "people", "shown", "request_id"),
)
_INSERT = (
    f"insert into access_record (institution_id, {', '.join(_COLUMNS)})"
    f" values ({', '.join(f'${place}' for place in range(1, len(_COLUMNS) + 2))})"
)
_PURGE = "delete from access_record where institution_id = $1 and at < $2"
_FORGET = (
    "delete from access_record where institution_id = $1"
    " and (person_id = $2 or (subject_kind = 'User' and subject_id = $2))"
)
_CREATE = """
create table if not exists access_record (
    id integer primary key autoincrement, institution_id int not null, at text not null, credential text not null,
    credential_id int not null, person_id int, real_user text, subject_kind text not null, subject_id int not null,
    people int not null, shown text not null, request_id text);
create index if not exists access_record_subject on access_record (institution_id, subject_kind, subject_id, at);
create index if not exists access_record_time on access_record (institution_id, at);
"""


def _select(institution_id: int, wanted: Wanted) -> tuple[str, list[object]]:
    values: list[object] = [institution_id]

    def bind(value: object) -> str:
        values.append(value)
        return f"${len(values)}"

    where = ["institution_id = $1"]
    if wanted.subject is not None:
        kind, row_id = wanted.subject
        where.append(f"subject_kind = {bind(kind)} and subject_id = {bind(row_id)}")
    if wanted.person is not None:
        where.append(f"person_id = {bind(wanted.person)}")
    if wanted.since is not None:
        where.append(f"at >= {bind(wanted.since)}")
    if wanted.before is not None:
        where.append(f"id < {bind(wanted.before)}")
    sql = (
        f"select id, institution_id, {', '.join(_COLUMNS)} from access_record where {' and '.join(where)}"
        f" order by id desc limit {bind(wanted.limit)}"
    )
    return sql, values


def _values(one: Access) -> list[object]:
    return [
        *(one.institution_id, one.at, one.credential, one.credential_id),
        *(one.person_id, one.real_user, one.subject_kind, one.subject_id),
        *(one.people, " ".join(one.shown), one.request_id),
    ]


def _access(row: dict[str, Any]) -> Access:
    at = row["at"]
    time = datetime.fromisoformat(at) if isinstance(at, str) else at
    return Access(**{**row, "at": time, "shown": tuple(row["shown"].split())})
