"""kill -9 in the middle of an import, at every transaction: the next import ends where an uninterrupted one does."""

import asyncio
import json
import shutil
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from bench.generate_report import School as Generated
from bench.generate_report import write_zip
from gateway.store import institutions, schema
from gateway.uow import Database, Row
from tests.gateway.sync import crash
from tests.gateway.sync.conftest import School

FIRST, SECOND = datetime(2026, 9, 1, 1, tzinfo=UTC), datetime(2026, 9, 1, 2, tzinfo=UTC)
Copy = Callable[[str], Awaitable[str]]

_REFERENCES = (
    "course",
    "section",
    "user",
    "associatedUser",
    "account",
    "term",
    "parent",
    "originCourse",
)


@pytest.fixture
async def copies(database_url: str) -> AsyncIterator[Copy]:
    """Makes a copy of the test's database, of whatever it holds then."""
    made: list[str] = []
    parts = urlsplit(database_url)

    async def copy(name: str) -> str:
        if parts.scheme == "sqlite":
            path = database_url.removeprefix("sqlite://")
            shutil.copy(path, f"{path}.{name}")
            return f"sqlite://{path}.{name}"
        await _on_server(
            parts.geturl(), f"create database {parts.path[1:]}_{name} template {parts.path[1:]}"
        )
        made.append(f"{parts.path[1:]}_{name}")
        return urlunsplit(parts._replace(path=f"{parts.path}_{name}"))

    yield copy
    for name in made:
        await _on_server(parts.geturl(), f"drop database {name} with (force)")


async def _on_server(url: str, statement: str) -> None:
    admin = await asyncpg.connect(urlunsplit(urlsplit(url)._replace(path="/postgres")))
    try:
        await admin.execute(statement)
    finally:
        await admin.close()


async def _killed(url: str, path: Path, as_of: datetime, last: int, when: str) -> int:
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "tests.gateway.sync.crash",
            url,
            str(path),
            as_of.isoformat(),
            str(last),
            when,
        )
    )
    return await process.wait()


async def _state(url: str) -> dict[str, Any]:
    """What the store holds, without our row ids: PostgreSQL leaves gaps in them where a transaction died."""
    async with Database.open(url) as database:
        made = await institutions.ensure(database, slug="demo", canvas_url=None)
        school = School(database=database, institution=made)
        feed = await school.rows("change", order="position")
        assert [row["position"] for row in feed] == list(range(1, len(feed) + 1))
        names = {row["id"]: row["canvas_id"] for row in await school.rows("person")}
        return {
            "enrollments": [
                _facts(row) for row in await school.rows("enrollment", order="canvas_id")
            ],
            "people": [_facts(row) for row in await school.rows("person", order="canvas_id")],
            "courses": [_facts(row) for row in await school.rows("course", order="canvas_id")],
            "aliases": sorted(
                (
                    names[row["person_id"]],
                    row["kind"],
                    row["scope"],
                    row["value"],
                    str(row["ended_at"]),
                )
                for row in await school.rows("identity")
            ),
            "feed": Counter((row["kind"], row["subject_type"], *_told(row)) for row in feed),
            "runs": [row["state"] for row in await school.rows("sync_run")][-1:],
            "covered": Counter(
                (row["subject"], str(row["whole"])) for row in await school.rows("coverage")
            ),
        }


def _facts(row: Row) -> dict[str, str]:
    return {
        name: str(value) for name, value in row.items() if name != "id" and not name.endswith("_id")
    } | {"canvas_id": str(row["canvas_id"])}


def _told(row: Row) -> tuple[str, ...]:
    sides = (json.loads(row[side] or "[]") for side in ("before", "after"))
    return tuple(
        str([(one["field"], one["field"] in _REFERENCES or one["value"]) for one in side])
        for side in sides
    )


@pytest.mark.parametrize("load", ["first", "second"])
async def test_a_killed_import_is_taken_up_where_it_stopped(
    database_url: str, copies: Copy, tmp_path: Path, load: str, request: pytest.FixtureRequest
) -> None:
    old, new = tmp_path / "old.zip", tmp_path / "new.zip"
    small = {"courses": 4, "users": 60, "enrollments": 200}
    write_zip(old, Generated(**small))
    write_zip(new, Generated(**small, change=0.5))
    async with Database.open(database_url) as database:
        await schema.migrate(database)
    if load == "second":
        await crash.load(database_url, old, FIRST)
    path, as_of = (old, FIRST) if load == "first" else (new, SECOND)
    undisturbed = await copies("undisturbed")
    transactions = await crash.load(undisturbed, path, as_of)
    expected = await _state(undisturbed)
    every = request.config.getoption("--prove")
    points = (
        range(1, transactions + 1)
        if every
        else sorted({1, 2, transactions // 2, transactions - 1, transactions})
    )
    assert transactions > 6

    for point in points:
        # after the closing marker is committed there is nothing left to take up
        when = "committed" if point % 2 and point < transactions else "uncommitted"
        url = await copies(f"{load}_{point}")

        assert -signal.SIGKILL == await _killed(url, path, as_of, point, when)
        await crash.load(url, path, as_of)

        assert expected == await _state(url), f"killed in transaction {point}, {when}"
