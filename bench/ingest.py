"""A report of a million enrollments and 120,000 users into the store: the first load, a day's change, and nothing new.

Each measurement is a process of its own. Seconds are compared with the bare driver's fastest load of the report's own rows
into a table without keys in the same run: COPY of the CSV's bytes, or sqlite3's executemany of rows that lie in memory.
"""

import asyncio
import csv
import json
import sqlite3
import statistics
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from bench.generate_report import HEADERS, School, write_zip
from gateway.store import institutions, schema
from gateway.sync.importer import import_report
from gateway.uow import Database

LOADED = ("enrollments", "users")
NUMBERS = {"role_id"}


@dataclass(frozen=True, kw_only=True)
class Measured:
    seconds: float
    peak_mb: int


def run(folder: Path, postgres: str, quick: bool) -> str:  # noqa: FBT001  as every suite is called
    """The tables of docs/benchmarks.md."""
    size = {"courses": 40, "users": 1_200, "enrollments": 10_000}
    if not quick:
        size = {name: number * 100 for name, number in size.items()}
    first, second = folder / "first.zip", folder / "second.zip"
    write_zip(first, School(**size))
    write_zip(second, School(**size, change=0.01))
    url = urlunsplit(urlsplit(postgres)._replace(path="/roster_bench_ingest"))
    lines = [
        f"{size['enrollments']:,} enrollments, {size['users']:,} users; 1 % of the enrollments changed, new or gone.",
        "",
        "| | seconds | rows/s | x the bare driver | peak memory |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += _engine("PostgreSQL", first, second, url, size)
    lines += _engine("SQLite", first, second, f"sqlite://{folder / 'roster.db'}", size)
    return "\n".join(lines)


def _engine(name: str, first: Path, second: Path, url: str, size: dict[str, int]) -> Iterator[str]:
    rows = size["enrollments"] + size["users"]
    _in_process("recreate", url)
    bare = [_in_process("bare", url, first)]
    imports = {}
    for what, path in [("first load", first), ("1 % changed", second), ("nothing new", second)]:
        imports[what] = _in_process("load", url, path)
        bare.append(_in_process("bare", url, first))
    base = statistics.median(one.seconds for one in bare)
    yield _line(f"{name}: bare driver", rows, Measured(seconds=base, peak_mb=bare[0].peak_mb), base)
    for what, measured in imports.items():
        yield _line(f"{name}: {what}", rows, measured, base)


def _line(what: str, rows: int, one: Measured, base: float) -> str:
    return f"| {what} | {one.seconds:.2f} | {rows / one.seconds:,.0f} | {one.seconds / base:.2f} | {one.peak_mb} MB |"


def _in_process(task: str, *arguments: object) -> Measured:
    command = [sys.executable, "-m", "bench.ingest", task, *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def _clock() -> Iterator[list[float]]:
    """One number: the seconds that the block took."""
    seconds: list[float] = []
    began = time.perf_counter()
    yield seconds
    seconds.append(time.perf_counter() - began)


async def recreate(url: str) -> float:
    if urlsplit(url).scheme != "sqlite":
        name = urlsplit(url).path[1:]
        admin = await asyncpg.connect(urlunsplit(urlsplit(url)._replace(path="/postgres")))
        await admin.execute(f"drop database if exists {name} with (force)")
        await admin.execute(f"create database {name}")
        await admin.close()
    async with Database.open(url) as database:
        await schema.migrate(database)
    return 0.0


async def load(url: str, report: str) -> float:
    async with Database.open(url) as database:
        institution = await institutions.ensure(database, slug="bench", canvas_url=None)
        path = Path(report)
        with _clock() as seconds:
            await import_report(
                database,
                institution,
                path,
                clock=lambda: datetime.now(UTC),
                as_of=datetime.now(UTC),
            )
    return seconds[0]


async def bare(url: str, report: str) -> float:
    tables = [(name, HEADERS[name].split(",")) for name in LOADED]
    with zipfile.ZipFile(report) as archive:
        for name, _ in tables:
            archive.extract(f"{name}.csv", Path(report).parent)
    files = {name: Path(report).parent / f"{name}.csv" for name, _ in tables}
    if urlsplit(url).scheme == "sqlite":
        return _bare_sqlite(Path(url.removeprefix("sqlite://")).with_name("bare.db"), tables, files)
    return await _bare_postgres(url, tables, files)


async def _bare_postgres(
    url: str, tables: Sequence[tuple[str, list[str]]], files: dict[str, Path]
) -> float:
    connection = await asyncpg.connect(url)
    for name, columns in tables:
        typed = ", ".join(
            f"{column} {'bigint' if _is_number(column) else 'text'}" for column in columns
        )
        await connection.execute(f"drop table if exists bare_{name}")
        await connection.execute(f"create table bare_{name} ({typed})")
    with _clock() as seconds:
        for name, _ in tables:
            await _copy(connection, name, files[name])
    for name, _ in tables:
        await connection.execute(f"drop table bare_{name}")
    await connection.close()
    return seconds[0]


async def _copy(connection: Any, name: str, path: Path) -> None:  # asyncpg ships no types
    with path.open("rb") as file:
        await connection.copy_to_table(f"bare_{name}", source=file, format="csv", header=True)


def _bare_sqlite(
    place: Path, tables: Sequence[tuple[str, list[str]]], files: dict[str, Path]
) -> float:
    place.unlink(missing_ok=True)
    connection = sqlite3.connect(place, isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = normal")
    rows = {}
    for name, columns in tables:
        connection.execute(f"create table bare_{name} ({', '.join(columns)})")
        with files[name].open(encoding="utf-8", newline="") as file:
            rows[name] = list(_typed(file, columns))
    with _clock() as seconds:
        connection.execute("begin immediate")
        for name, columns in tables:
            marks = ", ".join("?" * len(columns))
            connection.executemany(f"insert into bare_{name} values ({marks})", rows[name])
        connection.execute("commit")
    connection.close()
    return seconds[0]


def _typed(file: IO[str], columns: Sequence[str]) -> Iterator[tuple[object, ...]]:
    numbers = [_is_number(column) for column in columns]
    reader = csv.reader(file)
    next(reader)
    for row in reader:
        yield tuple(
            (int(cell) if is_number else cell) if cell else None
            for cell, is_number in zip(row, numbers, strict=True)
        )


def _is_number(column: str) -> bool:
    return column.startswith("canvas_") or column in NUMBERS


def _peak_mb() -> int:
    """Of this process alone: what `getrusage` says begins with the parent's."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


TASKS: dict[str, Callable[..., Coroutine[Any, Any, float]]] = {
    "recreate": recreate,
    "load": load,
    "bare": bare,
}

if __name__ == "__main__":
    task, *given = sys.argv[1:]
    took = asyncio.run(TASKS[task](*given))
    print(json.dumps({"seconds": took, "peak_mb": _peak_mb()}))
