"""A school in a database of its own, for servers to be measured on."""

import asyncio
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from gateway.uow import Database

SIZE = ["--courses", "2000", "--users", "60000", "--enrollments", "500000", "--big", "5000"]
QUICK_SIZE = ["--courses", "60", "--users", "2000", "--enrollments", "10000", "--big", "1000"]
_BIG_COURSE = (
    "select c.id, c.canvas_id from course c join enrollment e on e.institution_id = c.institution_id"
    " and e.course_id = c.id where c.institution_id = $1 group by c.id, c.canvas_id order by count(*) desc limit 1"
)


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """`row_id` and `canvas_id`: of its largest course. `token` may read everything."""

    url: str
    config: Path
    token: str
    row_id: int
    canvas_id: str


def report(folder: Path, size: Sequence[str]) -> Path:
    path = folder / "school.zip"
    call(sys.executable, "-m", "bench.generate_report", str(path), *size)
    return path


@contextmanager
def postgres_database(postgres: str) -> Iterator[str]:
    """The URL of an empty database on that server, which is dropped afterwards."""
    name = f"roster_bench_{secrets.token_hex(4)}"
    asyncio.run(run(postgres, f"create database {name}"))
    try:
        yield urlunsplit(urlsplit(postgres)._replace(path=f"/{name}"))
    finally:
        asyncio.run(run(postgres, f"drop database {name} with (force)"))


def load(url: str, folder: Path, report_file: Path) -> Loaded:
    """The report imported by the program's own commands, and a token made."""
    config = folder / f"{urlsplit(url).scheme}.toml"
    config.write_text(
        f'[server]\ndatabase_url = "{url}"\nsecret_key = "benchmarks have no secrets, but a key they need"\n'
        'public_url = "http://127.0.0.1:8000"\n\n[[institution]]\nslug = "bench"\n'
        'default_max_age = "P30D"\n'  # else all is too old after a quarter of an hour, and each request asks the ledger
    )
    roster = str(Path(sys.executable).with_name("roster"))
    own = ["--config", str(config)]
    call(roster, "migrate", *own)
    call(roster, "import", str(report_file), "--institution", "bench", *own)
    named = ["--institution", "bench", "--name", "bench"]
    scopes = ["--scope", "roster:read", "--scope", "pii:read"]
    made = call(roster, "token", "create", *named, *scopes, *own)
    token = next(word for word in made.split() if word.startswith("rst_"))
    row_id, canvas_id = asyncio.run(_big_course(url))
    return Loaded(url=url, config=config, token=token, row_id=row_id, canvas_id=canvas_id)


async def _big_course(url: str) -> tuple[int, str]:
    async with Database.open(url) as database:
        row = (await database.rows(_BIG_COURSE, 1))[0]
        return row["id"], str(row["canvas_id"] % 10**13)


async def run(postgres: str, sql: str) -> None:
    connection = await asyncpg.connect(postgres)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def call(*command: str, folder: Path | None = None) -> str:
    """What the program printed; the benchmark ends with what it said where it failed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command[:3])} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout
