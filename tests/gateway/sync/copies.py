"""Databases that began as one, and whether they hold the same in the end."""

import json
from collections import Counter
from typing import Any

import pytest

from gateway.store import institutions
from gateway.uow import Database, Dialect, Row
from tests.gateway.sync.conftest import School

# What is loaded when a process is killed, on which database; a proof runs all four.
LOADS = [
    pytest.param("sqlite", "first", id="sqlite-first"),
    pytest.param("postgres", "second", id="postgres-second", marks=pytest.mark.postgres),
    pytest.param("sqlite", "second", id="sqlite-second", marks=pytest.mark.prove),
    pytest.param(
        "postgres", "first", id="postgres-first", marks=[pytest.mark.postgres, pytest.mark.prove]
    ),
]
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


async def state_of(url: str) -> dict[str, Any]:
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
            "indexes": sorted(await indexes(database)),
            "feed": Counter((row["kind"], row["subject_type"], *_told(row)) for row in feed),
            "runs": [row["state"] for row in await school.rows("sync_run")][-1:],
            "covered": Counter(
                (row["subject"], str(row["whole"])) for row in await school.rows("coverage")
            ),
        }


async def indexes(database: Database) -> set[str]:
    """The names of all that there are."""
    sqlite = "select name from sqlite_master where type = 'index'"
    postgres = "select indexname as name from pg_indexes where schemaname = current_schema()"
    rows = await database.rows(sqlite if database.dialect is Dialect.SQLITE else postgres)
    return {row["name"] for row in rows}


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
