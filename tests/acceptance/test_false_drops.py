"""No read of any source, broken in any way that the twin can break it, removes or denies somebody who is enrolled.

Each source meets each fault twice: when the store knows the scope, and when it reads it for the first time. In between people
really come and go. A drop is somebody enrolled whom the store says to have left; a denial is somebody enrolled who is missing
from a scope that a read says to have shown whole. Both are counted, printed, and none is allowed.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import cycle
from typing import Any

import pytest
import stamina

from gateway.errors import SourceError
from gateway.http.client import Client
from gateway.needs import Scope
from gateway.uow import Database
from models.roster import ROSTER_STATES
from tests.gateway.sources.readers import Readers
from tests.upstream import Upstream, upstream
from twin.faults import Kind
from twin.records import Course

_HOUR = timedelta(hours=1)
_OFFSET = 10**13

Fault = tuple[Kind, dict[str, Any]]

FAULTS: dict[str, Fault] = {
    "every page cut": (Kind.CUT_PAGE, {}),
    "one page cut": (Kind.CUT_PAGE, {"count": 1}),
    "a later page cut": (Kind.CUT_PAGE, {"after": 1}),
    "no byte": (Kind.EMPTY, {}),
    "an empty list": (Kind.EMPTY_LIST, {}),
    "an empty list once": (Kind.EMPTY_LIST, {"count": 1}),
    "an empty list later": (Kind.EMPTY_LIST, {"after": 1}),
    "no links": (Kind.LINK_MISSING, {}),
    "a loop": (Kind.LINK_LOOP, {}),
    "a foreign link": (Kind.LINK_FOREIGN, {}),
    "no id": (Kind.STRIP_IDS, {}),
    "no user_id": (Kind.STRIP_IDS, {"keys": ("user_id",)}),
    "no state": (Kind.STRIP_IDS, {"keys": ("enrollment_state", "status")}),
    "no members": (Kind.STRIP_IDS, {"keys": ("members",)}),
    "no JSON": (Kind.MALFORMED_JSON, {}),
    "half a body": (Kind.CUT_BODY, {}),
    "refused": (Kind.STATUS, {"status": 403}),
    "refused half-way": (Kind.STATUS, {"status": 403, "after": 1}),
    "unauthorized half-way": (Kind.STATUS, {"status": 401, "after": 1}),
    "not found": (Kind.STATUS, {"status": 404}),
    "down half-way": (Kind.STATUS, {"status": 502, "after": 1}),
    "throttled for good": (Kind.THROTTLE, {}),
    "throttled once": (Kind.THROTTLE, {"count": 1}),
}
REPORT_FAULTS: dict[str, Fault] = {
    "stuck": (Kind.REPORT_STUCK, {}),
    "in error": (Kind.REPORT_ERROR, {}),
    "cut": (Kind.REPORT_TRUNCATED, {}),
    "a zip bomb": (Kind.REPORT_ZIP_BOMB, {}),
    "latin-1": (Kind.REPORT_ENCODING, {}),
    "utf-16": (Kind.REPORT_ENCODING, {"encoding": "utf-16"}),
    "shuffled columns": (Kind.REPORT_SHUFFLED, {}),
}

# A person's list comes with no count to compare it with, so the first one is read twice: what Canvas leaves out of both, and the store
# has never heard of, cannot be seen.
UNSEEN = {
    ("person", "every page cut", "at first"),
    ("person", "an empty list", "at first"),
}


@dataclass(kw_only=True)
class Case:
    """A source and a scope. `enrolled`: Canvas's ids of what a whole read of it shows; `kept`: of what the store does."""

    name: str
    path: str
    faults: dict[str, Fault]
    read: Callable[[], Awaitable[bool]]
    enrolled: Callable[[], set[str]]
    kept: Callable[[], Awaitable[set[str]]]
    ended: Callable[[], Awaitable[set[str]]]
    counts: Counter[str] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)

    async def judge(self, fault: str, when: str, *, whole: bool) -> None:
        enrolled, kept, ended = self.enrolled(), await self.kept(), await self.ended()
        dropped = (enrolled & ended) - kept
        denied = enrolled - kept if whole else set()
        if denied and (self.name, fault, when) in UNSEEN:
            self.counts["cannot be seen"] += 1
            denied = set()
        self.counts["reads"] += 1
        self.counts["whole"] += whole
        self.counts["dropped"] += len(dropped)
        self.counts["denied"] += len(denied)
        if dropped or denied:
            self.said.append(f"{self.name}, {fault}, {when}: dropped {dropped}, denied {denied}")


async def _attempt(read: Awaitable[Any]) -> bool:
    try:
        return bool((await read).whole)
    except SourceError:
        return False


async def _read(readers: Readers, scope: Scope) -> bool:
    return await _attempt(readers.read(readers.need(scope)))


def _cases(readers: Readers, twin: Upstream, scopes: dict[str, Scope]) -> list[Case]:
    big = twin.big
    section = next(one for one in twin.school.sections.values() if one.course_id == big.id)
    person = twin.cast.people["two_sections"]
    lists: list[tuple[str, str, Callable[[Any], bool]]] = [
        ("course", f"/courses/{big.id}/enrollments", lambda row: row.course_id == big.id),
        (
            "section",
            f"/sections/{section.id}/enrollments",
            lambda row: row.section_id == section.id,
        ),
        ("person", f"/users/{person.id}/enrollments", lambda row: row.user_id == person.id),
    ]
    cases = [
        Case(
            name=name,
            path=path,
            faults=FAULTS,
            read=partial(_read, readers, scopes[name]),
            enrolled=partial(_on_roster, twin, belongs),
            kept=lambda: _rows(readers, gone=False),
            ended=lambda: _rows(readers, gone=True),
        )
        for name, path, belongs in lists
    ]
    cases.append(
        Case(
            name="nrps",
            path="/names_and_roles",
            faults=FAULTS,
            read=lambda: _attempt(readers.pull(scopes["course"])),
            enrolled=lambda: _active_people(twin, big),
            kept=lambda: _members(readers, gone=False),
            ended=lambda: _members(readers, gone=True),
        )
    )
    cases.append(
        Case(
            name="report",
            path="/reports/",
            faults=REPORT_FAULTS | FAULTS,
            read=lambda: _attempt(readers.load()),
            enrolled=lambda: _on_roster(twin, lambda row: _is_reported(twin, row)),
            kept=lambda: _rows(readers, gone=False),
            ended=lambda: _rows(readers, gone=True),
        )
    )
    return cases


def _on_roster(twin: Upstream, belongs: Callable[[Any], bool]) -> set[str]:
    return {
        str(row.id)
        for row in twin.school.enrollments.values()
        if row.workflow_state.upper() in ROSTER_STATES and belongs(row)
    }


def _is_reported(twin: Upstream, row: Any) -> bool:
    """A report leaves out test students, and whoever's course, section, term or login has ended."""
    course, section = twin.school.courses[row.course_id], twin.school.sections[row.section_id]
    term = twin.school.terms[course.term_id]
    over = term.end_at is not None and term.end_at < twin.clock.now()
    logins = twin.school.pseudonyms_of_user.of(row.user_id)
    return (
        row.type != "StudentViewEnrollment"
        and course.workflow_state in ("available", "claimed", "created")
        and section.workflow_state == "active"
        and term.workflow_state == "active"
        and not over
        and any(login.workflow_state != "deleted" for login in logins)
    )


def _active_people(twin: Upstream, course: Course) -> set[str]:
    return {
        row["user_id"]
        for row in twin.truth(course)
        if row["workflow_state"] == "active" and row["type"] != "StudentViewEnrollment"
    }


async def _rows(readers: Readers, *, gone: bool) -> set[str]:
    which = "is not null" if gone else "is null"
    rows = await readers.rows("enrollment", f"removed_at {which}")
    return {str(row["canvas_id"] - _OFFSET) for row in rows}


async def _members(readers: Readers, *, gone: bool) -> set[str]:
    which = "is not null" if gone else "is null"
    rows = await readers.database.rows(
        "select p.canvas_id from membership m join person p on p.institution_id = $1 and p.id = m.person_id"
        f" where m.institution_id = $1 and m.ended_at {which}",
        readers.school.id,
    )
    return {str((row["canvas_id"] or 0) - _OFFSET) for row in rows}


@dataclass
class Churn:
    """People of the large course who really leave and come back, one at each turn."""

    twin: Upstream

    def __post_init__(self) -> None:
        students = (
            row for row in self.twin.truth(self.twin.big) if row["type"] == "StudentEnrollment"
        )
        self.users = cycle(sorted({row["user_id"] for row in students})[:7])
        self.left: list[str] = []

    def turn(self) -> None:
        course = str(self.twin.big.id)
        if self.left:
            self.twin.change("enrol", user=self.left.pop(), course=course)
        leaving = next(self.users)
        self.twin.change("drop", user=leaving, course=course)
        self.left.append(leaving)


# The sources that each fault of the sample is tried on; all faults on all sources are the proof.
SAMPLE = {
    "course": ("every page cut", "a later page cut", "an empty list", "no links", "no id"),
    "section": ("one page cut", "refused half-way"),
    "person": ("every page cut",),
    "nrps": ("no links", "a foreign link", "down half-way"),
    "report": ("stuck", "cut", "latin-1"),
}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", SAMPLE)
async def test_no_fault_drops_or_denies_anybody(
    name: str, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await _with_a_twin(name, database, capsys, only=SAMPLE[name])


@pytest.mark.prove
@pytest.mark.parametrize("name", SAMPLE)
async def test_no_fault_of_all_drops_or_denies_anybody(
    name: str, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await _with_a_twin(name, database, capsys, only=None)


async def _with_a_twin(
    name: str,
    database: Database,
    capsys: pytest.CaptureFixture[str],
    *,
    only: Collection[str] | None,
) -> None:
    with stamina.set_testing(testing=True, attempts=2), upstream() as twin:
        async with Client(allows_private_networks=True) as http:
            readers = await Readers.open(twin, database, http)
            scopes = await _scopes(readers, twin)
            [case] = [one for one in _cases(readers, twin, scopes) if one.name == name]
            if only is not None:
                case.faults = {fault: case.faults[fault] for fault in only}
            await _run(case, readers, twin)
    with capsys.disabled():
        counts = ", ".join(f"{what} {case.counts[what]}" for what in _SHOWN)
        print(f"\nfalse drops, {name}: {counts}")
    assert [] == case.said
    assert case.counts["reads"] > 2 * len(case.faults)


async def _run(case: Case, readers: Readers, twin: Upstream) -> None:
    churn = Churn(twin)
    assert await case.read(), "unbroken it reads whole"
    await case.judge("none", "at first", whole=True)
    for fault, (kind, more) in case.faults.items():
        for when in ("known", "at first"):
            if when == "at first":
                await readers.forget_rosters()
            churn.turn()
            twin.clock.advance(_HOUR)
            twin.break_(kind, **({"path": case.path} | more))
            await case.judge(fault, when, whole=await case.read())
            twin.mend()
            twin.clock.advance(_HOUR)
            assert await case.read(), f"it reads whole again after {fault}"
            await case.judge("none", "known", whole=True)


_SHOWN = ("reads", "whole", "dropped", "denied", "cannot be seen")


async def _scopes(readers: Readers, twin: Upstream) -> dict[str, Scope]:
    course = await readers.launched(twin.big)
    await readers.read(readers.need(course))
    section = next(one for one in twin.school.sections.values() if one.course_id == twin.big.id)
    return {
        "course": course,
        "section": await readers.section(section),
        "person": await readers.person(twin.cast.people["two_sections"]),
    }
