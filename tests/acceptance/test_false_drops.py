"""No read of any source, broken in any way that the twin can break it, removes or denies somebody who is enrolled.

Each source meets each fault twice: when the store knows the scope, and when it reads it for the first time. In between people
really come and go. Drops and denials are counted, printed, and none is allowed.
"""

from collections.abc import Awaitable, Callable, Collection
from functools import partial
from random import Random
from typing import Any

import pytest
import stamina

from gateway.errors import SourceError
from gateway.http.client import Client
from gateway.needs import Scope
from gateway.uow import Database, Transaction
from models.roster import ROSTER_STATES
from tests.acceptance.dropping import (
    FAULTS,
    REPORT_FAULTS,
    Case,
    Churn,
    alone,
    in_pairs,
    run,
)
from tests.gateway.sources.readers import Readers
from tests.upstream import Upstream, upstream
from twin.records import Course, Section

_OFFSET = 10**13
_PAIRS = 25
UNCOUNTED = ("person", "own", "nrps", "small class")


async def _attempt(read: Awaitable[Any]) -> bool:
    try:
        return bool((await read).whole)
    except SourceError:
        return False


def _listed(
    readers: Readers, path: str, belongs: Callable[[Any], bool], read: Callable[[], Awaitable[Any]]
) -> Case:
    """Enrollments, by a list of the Enrollments API."""
    return Case(
        path=path,
        faults=alone(FAULTS),
        read=lambda: _attempt(read()),
        enrolled=partial(_on_roster, readers.twin, belongs),
        kept=lambda: _rows(readers, gone=False),
        ended=lambda: _rows(readers, gone=True),
    )


async def _course(readers: Readers) -> Case:
    big = readers.twin.big
    need = readers.need(await readers.course(big))
    path = f"/courses/{big.id}/enrollments"
    return _listed(readers, path, lambda row: row.course_id == big.id, lambda: readers.read(need))


async def _section(readers: Readers) -> Case:
    section = _first_section(readers.twin)
    await readers.read(readers.need(await readers.course(readers.twin.big)))
    need = readers.need(await readers.section(section))
    path = f"/sections/{section.id}/enrollments"
    return _listed(
        readers, path, lambda row: row.section_id == section.id, lambda: readers.read(need)
    )


async def _person(readers: Readers) -> Case:
    person = readers.twin.cast.people["two_sections"]
    need = readers.need(await readers.person(person))
    path = f"/users/{person.id}/enrollments"
    return _listed(readers, path, lambda row: row.user_id == person.id, lambda: readers.read(need))


async def _own(readers: Readers) -> Case:
    """A student's courses, as they see them."""
    person = readers.twin.cast.people["two_sections"]
    scope = await readers.person(person)
    need = readers.need(scope, person=scope.id)
    return _listed(
        readers,
        "/users/self/enrollments",
        lambda row: row.user_id == person.id,
        lambda: readers.read(need, eyes=scope.id),
    )


async def _limited(readers: Readers) -> Case:
    """A course as a teacher sees it who is limited to one of its sections, beside all that the admin saw."""
    twin, section = readers.twin, _first_section(readers.twin)
    teacher = twin.cast.people["limited_teacher"]
    twin.change(
        "enrol",
        user=str(teacher.id),
        section=str(section.id),
        role="TeacherEnrollment",
        limited=True,
    )
    scope, eyes = await readers.course(twin.big), (await readers.person(teacher)).id
    need = readers.need(scope, person=eyes)
    case = _listed(
        readers,
        f"/courses/{twin.big.id}/enrollments",
        lambda row: row.section_id == section.id,
        lambda: readers.read(need, eyes=eyes),
    )
    case.others = partial(_on_roster, twin, lambda row: row.course_id == twin.big.id)
    case.prepare = lambda: readers.read(readers.need(scope))
    return case


async def _nameless(readers: Readers) -> Case:
    """A course that was empty when it was read, and then told by a SIS export, which knows no Canvas ids of enrollments."""
    big = readers.twin.big
    case = await _course(readers)
    case.enrolled = lambda: {
        row["user_id"] for row in readers.twin.truth(big) if row["on_default_roster"]
    }
    case.kept = lambda: _enrolled_people(readers, gone=False)
    case.ended = lambda: _enrolled_people(readers, gone=True)
    case.prepare = lambda: _forget_canvas_ids(readers)
    return case


async def _nrps(readers: Readers) -> Case:
    return await _members(readers, readers.twin.big)


async def _small_class(readers: Readers) -> Case:
    """On one page: nothing tells that a page is missing, nor that the shrink guard might look at it."""
    return await _members(readers, readers.twin.cast.courses["demo"])


async def _members(readers: Readers, course: Course) -> Case:
    scope = await readers.launched(course)
    await readers.read(readers.need(scope))
    return Case(
        path="/names_and_roles",
        faults=alone(FAULTS),
        read=lambda: _attempt(readers.pull(scope)),
        enrolled=lambda: _active_people(readers.twin, course),
        kept=lambda: _in_memberships(readers, gone=False),
        ended=lambda: _in_memberships(readers, gone=True),
        due=lambda: _is_due(readers, scope),
        prepare=lambda: readers.read(readers.need(scope)),  # which settles what was due
    )


async def _is_due(readers: Readers, scope: Scope) -> bool:
    return bool(await readers.rows("due_scope", f"scope_id = {scope.id}"))


async def _report(readers: Readers) -> Case:
    twin = readers.twin
    return Case(
        path="/reports/",
        faults=alone(REPORT_FAULTS | FAULTS),
        read=lambda: _attempt(readers.load()),
        enrolled=lambda: _on_roster(twin, lambda row: _is_reported(twin, row)),
        kept=lambda: _rows(readers, gone=False),
        ended=lambda: _rows(readers, gone=True),
    )


CASES: dict[str, Callable[[Readers], Awaitable[Case]]] = {
    "course": _course,
    "section": _section,
    "person": _person,
    "own": _own,
    "limited": _limited,
    "nameless": _nameless,
    "nrps": _nrps,
    "small class": _small_class,
    "report": _report,
}


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


async def _in_memberships(readers: Readers, *, gone: bool) -> set[str]:
    which = "is not null" if gone else "is null"
    rows = await readers.database.rows(
        "select p.canvas_id from membership m join person p on p.institution_id = $1 and p.id = m.person_id"
        f" where m.institution_id = $1 and m.ended_at {which}",
        readers.school.id,
    )
    return {str((row["canvas_id"] or 0) - _OFFSET) for row in rows}


async def _enrolled_people(readers: Readers, *, gone: bool) -> set[str]:
    which = "is not null" if gone else "is null"
    rows = await readers.database.rows(
        "select p.canvas_id from enrollment e join person p on p.institution_id = $1 and p.id = e.person_id"
        f" where e.institution_id = $1 and e.removed_at {which}",
        readers.school.id,
    )
    return {str(row["canvas_id"] - _OFFSET) for row in rows}


async def _forget_canvas_ids(readers: Readers) -> None:
    async def work(tx: Transaction) -> None:
        await tx.run(
            "update enrollment set canvas_id = null where institution_id = $1", readers.school.id
        )

    await readers.database.transact(work)


def _first_section(twin: Upstream) -> Section:
    return next(one for one in twin.school.sections.values() if one.course_id == twin.big.id)


# The sources that each fault of the sample is tried on; all faults on all sources, and pairs of them, are the proof.
SAMPLE = {
    "course": ("every page cut", "a later page cut", "an empty list", "no links", "no id"),
    "section": ("one page cut", "refused half-way"),
    "person": ("every page cut",),
    "own": ("one page cut",),
    "limited": ("one page cut", "a later page cut"),
    "nameless": ("every page cut", "a later page cut"),
    "nrps": ("no links", "a foreign link", "down half-way"),
    "small class": ("one page cut", "an empty list once"),
    "report": ("stuck", "cut", "latin-1"),
}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", CASES)
async def test_no_fault_drops_or_denies_anybody(
    name: str, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await _with_a_twin(name, database, capsys, only=SAMPLE[name])


@pytest.mark.prove
@pytest.mark.parametrize("name", CASES)
async def test_no_fault_of_all_drops_or_denies_anybody(
    name: str, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await _with_a_twin(name, database, capsys)


@pytest.mark.prove
@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", CASES)
async def test_no_two_faults_drop_or_deny_anybody(
    name: str, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second breaks what is asked to verify the first, too."""
    await _with_a_twin(name, database, capsys, pairs=_PAIRS)


async def _with_a_twin(
    name: str,
    database: Database,
    capsys: pytest.CaptureFixture[str],
    *,
    only: Collection[str] = (),
    pairs: int = 0,
) -> None:
    with stamina.set_testing(testing=True, attempts=2), upstream() as twin:
        async with Client(allows_private_networks=True) as http:
            readers = await Readers.open(twin, database, http)
            case = await CASES[name](readers)
            case.name, case.uncounted = name, name in UNCOUNTED
            if only:
                case.faults = {fault: case.faults[fault] for fault in only}
            if pairs:
                case.faults = in_pairs(FAULTS, pairs, Random(name))  # noqa: S311  a sample of pairs
            course = twin.cast.courses["demo"] if name == "small class" else twin.big
            await run(case, Churn(twin, course), readers)
    with capsys.disabled():
        counts = ", ".join(f"{what} {case.counts[what]}" for what in _SHOWN)
        print(f"\nfalse drops, {name}{' (pairs)' if pairs else ''}: {counts}")
    assert [] == case.said
    assert case.counts["reads"] > 2 * len(case.faults)


_SHOWN = ("reads", "whole", "dropped", "denied", "questioned", "cannot be seen")
