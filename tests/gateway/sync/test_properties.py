"""Whatever two reports say, the second has the last word, and the feed tells the way from one to the other."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.store import institutions, schema
from gateway.uow import Database, Row
from tests.gateway.sync.conftest import School
from tests.gateway.sync.reports import Files, enrollment, report, user

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=8)
STATUS = st.sampled_from(["active", "invited", "inactive", "rejected", "concluded", "deleted"])
TYPES = st.sampled_from(
    [
        ("student", 3, "StudentEnrollment"),
        ("teacher", 4, "TeacherEnrollment"),
        ("Übung", 27, "TaEnrollment"),
    ]
)


@st.composite
def schools(draw: st.DrawFn) -> Files:
    """Facts that a report states outright: everybody and everything is in it, in some state."""
    people = [
        user(
            9000 + n,
            "Some Body",
            full_name=draw(TEXT),
            sortable_name=draw(TEXT),
            user_id=draw(st.sampled_from(["", f"U{n}", f"V{n}"])),
            login_id=f"login{n}",
            status=draw(st.sampled_from(["active", "suspended", "deleted"])),
        )
        for n in range(4)
    ]
    courses = [
        {
            "canvas_course_id": 501 + n,
            "course_id": draw(st.sampled_from(["", f"C{n}"])),
            "long_name": draw(TEXT),
            "short_name": draw(TEXT),
            "status": draw(st.sampled_from(["active", "unpublished", "concluded", "deleted"])),
            "start_date": draw(st.sampled_from(["", "2026-08-31T00:00:00-06:00"])),
        }
        for n in range(2)
    ]
    sections = [
        {
            "canvas_section_id": 701 + n,
            "canvas_course_id": 501 + draw(st.integers(0, 1)),
            "name": draw(TEXT),
            "status": draw(st.sampled_from(["active", "deleted"])),
        }
        for n in range(2)
    ]
    enrollments = []
    for n in range(6):
        role, role_id, base = draw(TYPES)
        enrollments.append(
            enrollment(
                30000 + n,
                9000 + n % 4,
                canvas_course_id=501 + n % 2,
                canvas_section_id=701 + draw(st.integers(0, 1)),
                status=draw(STATUS),
                role=role,
                role_id=role_id,
                base_role_type=base,
                limit_section_privileges=draw(st.sampled_from(["true", "false"])),
            )
        )
    return {
        "users": draw(st.permutations(people)),
        "courses": draw(st.permutations(courses)),
        "sections": draw(st.permutations(sections)),
        "enrollments": draw(st.permutations(enrollments)),
    }


# Ids of rows, hashes and who said it when are not facts of the school.
_OURS = {"id", "institution_id", "row_hash", "removed_at", "missing_since"}
TABLES = ("person", "course", "section", "enrollment")


async def facts(school: School) -> dict[str, list[dict[str, Any]]]:
    """All tables with references spelled by Canvas id."""
    names = {
        table: {row["id"]: row["canvas_id"] for row in await school.rows(table)}
        for table in ("person", "course", "section")
    }
    return {
        table: [_fact(row, names) for row in await school.rows(table, order="canvas_id")]
        for table in TABLES
    }


def _fact(row: Row, names: dict[str, dict[int, int]]) -> dict[str, Any]:
    kept = {k: v for k, v in row.items() if k not in _OURS and not k.endswith(("source", "as_of"))}
    for name, value in list(kept.items()):
        known = names.get(
            "person" if name.endswith("person_id") else name.removeprefix("origin_")[:-3]
        )
        if known is not None and name.endswith("_id"):
            kept[name] = known.get(value)
    return kept | {"gone": row["removed_at"] is not None}


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with every table, to be copied."""
    path = tmp_path_factory.mktemp("empty") / "roster.db"

    async def make() -> None:
        async with Database.open(f"sqlite://{path}") as database:
            await schema.migrate(database)

    asyncio.run(make())
    return path


@asynccontextmanager
async def fresh(empty: Path, place: Path) -> AsyncIterator[School]:
    shutil.copy(empty, place)
    async with Database.open(f"sqlite://{place}") as database:
        made = await institutions.ensure(database, slug="s", canvas_url=None)
        yield School(database=database, institution=made)


@given(first=schools(), second=schools())
@settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow])
def test_the_second_report_has_the_last_word(empty: Path, first: Files, second: Files) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_compare(empty, Path(folder), first, second))


async def _compare(empty: Path, folder: Path, first: Files, second: Files) -> None:
    a, b = report(folder / "a.zip", first), report(folder / "b.zip", second)
    async with fresh(empty, folder / "both.db") as both, fresh(empty, folder / "alone.db") as alone:
        await both.take_in(a)
        before = await both.rows("enrollment")
        await both.take_in(b)
        await alone.take_in(b)

        assert await facts(alone) == await facts(both)
        _told_by_the_feed(
            before, await both.rows("enrollment"), await both.rows("change", order="position")
        )


def _told_by_the_feed(old: list[Row], new: list[Row], feed: list[Row]) -> None:
    """Replaying the entries on the old states gives the new ones: nothing untold, nothing told twice."""
    states = {row["id"]: row["state"] for row in old}
    for entry in feed:
        if entry["subject_type"] == "Enrollment":
            before = {one["field"]: one["value"] for one in json.loads(entry["before"] or "[]")}
            after = {one["field"]: one["value"] for one in json.loads(entry["after"])}
            if "state" in after:
                assert before.get("state") == states.get(entry["subject_id"])
                states[entry["subject_id"]] = after["state"]
            assert before.keys() == after.keys() or entry["before"] is None
    assert {row["id"]: row["state"] for row in new} == states
