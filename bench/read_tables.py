"""Fill both databases with one school of 500,000 enrollments, start every server on each, and measure q1-q3."""

import asyncio
import secrets
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from bench import reads, servers
from gateway.uow import Database

SIZE = ["--courses", "2000", "--users", "60000", "--enrollments", "500000", "--big", "5000"]
QUICK_SIZE = ["--courses", "60", "--users", "2000", "--enrollments", "10000", "--big", "1000"]
BIG_COURSE = (
    "select c.id, c.canvas_id from course c join enrollment e on e.institution_id = c.institution_id"
    " and e.course_id = c.id where c.institution_id = $1 group by c.id, c.canvas_id order by count(*) desc limit 1"
)


def run(folder: Path, postgres: str, quick: bool) -> str:  # noqa: FBT001  one signature for all suites
    report = folder / "school.zip"
    _call(
        sys.executable, "-m", "bench.generate_report", str(report), *(QUICK_SIZE if quick else SIZE)
    )
    name = f"roster_bench_{secrets.token_hex(4)}"
    asyncio.run(_statement(postgres, f"create database {name}"))
    urls = {
        "PostgreSQL": urlunsplit(urlsplit(postgres)._replace(path=f"/{name}")),
        "SQLite": f"sqlite://{folder / 'roster.db'}",
    }
    try:
        tables = [_on(engine, url, folder, report, quick=quick) for engine, url in urls.items()]
    finally:
        asyncio.run(_statement(postgres, f"drop database {name} with (force)"))
    return "\n\n".join(tables)


def _on(engine: str, url: str, folder: Path, report: Path, *, quick: bool) -> str:
    config = folder / f"{engine}.toml"
    config.write_text(
        f'[server]\ndatabase_url = "{url}"\nsecret_key = "benchmarks have no secrets, but a key they need"\n'
        'public_url = "http://127.0.0.1:8000"\n\n[[institution]]\nslug = "bench"\n'
    )
    roster = str(Path(sys.executable).with_name("roster"))
    _call(roster, "migrate", "--config", str(config))
    _call(roster, "import", str(report), "--institution", "bench", "--config", str(config))
    scopes = ["--scope", "roster:read", "--scope", "pii:read"]
    made = _call(
        roster,
        "token",
        "create",
        "--institution",
        "bench",
        "--name",
        "bench",
        *scopes,
        "--config",
        str(config),
    )
    token = next(word for word in made.split() if word.startswith("rst_"))
    row_id, canvas_id = asyncio.run(_big_course(url))
    with ExitStack() as stack:
        running = [
            stack.enter_context(servers.gateway(folder, config, token)),
            stack.enter_context(servers.baseline("handwritten", folder, url)),
            stack.enter_context(servers.baseline("plain", folder, url)),
        ]
        servers.same_answers(running, canvas_id=canvas_id, row_id=row_id)
        runs = reads.measure(
            running,
            folder,
            canvas_id=canvas_id,
            row_id=row_id,
            rounds=1 if quick else 2,
            seconds=2 if quick else 4,
            connections=16,
        )
        return reads.table(engine, running, runs)


async def _big_course(url: str) -> tuple[int, str]:
    async with Database.open(url) as database:
        row = (await database.rows(BIG_COURSE, 1))[0]
        return row["id"], str(row["canvas_id"] % 10**13)


async def _statement(postgres: str, sql: str) -> None:
    connection = await asyncpg.connect(postgres)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def _call(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command[:3])} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout
