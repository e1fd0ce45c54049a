"""Every task on every kind of enrollment in every state: what the twin has afterwards is what the sheet says."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from tests.gateway.writes.changer import ON_ONE_DATABASE, Changer, codes
from tests.gateway.writes.kinds import TEST_STUDENT, Kind, kinds, student_view
from twin import making
from twin.records import Course, Enrollment

STATES = ("active", "invited", "creation_pending", "inactive", "completed", "rejected", "deleted")


class Becomes(NamedTuple):
    """The state afterwards, and the code of the refusal where nothing is to change."""

    state: str
    code: str | None = None


def stays(code: str | None = None, *states: str) -> dict[str, Becomes]:
    return {state: Becomes(state, code) for state in states or STATES}


def all_to(state: str, *states: str) -> dict[str, Becomes]:
    return {one: Becomes(state) for one in states or STATES}


# enrollments-api.md §4, §6 and §7; a refusal is a change that Canvas would not make, or would make of something else.
TASKS: Mapping[str, tuple[str, dict[str, Any], dict[str, Becomes]]] = {
    "conclude": (
        "endEnrollment",
        {"task": "CONCLUDE"},
        all_to("completed") | stays("NOT_FOUND", "deleted"),
    ),
    "deactivate": (
        "endEnrollment",
        {"task": "DEACTIVATE"},
        all_to("inactive") | stays("NOT_FOUND", "deleted"),
    ),
    "delete": ("endEnrollment", {"task": "DELETE"}, all_to("deleted")),
    "reactivate": (
        "reactivateEnrollment",
        {},
        all_to("active") | stays("CONFLICT", "active", "invited", "creation_pending"),
    ),
    "limit": (
        "updateEnrollment",
        {"limitPrivilegesToCourseSection": True},
        stays(None, "active", "invited", "inactive")
        # a leftover of before the course was published: it is, so Canvas invites
        | all_to("invited", "creation_pending")
        | stays("NOT_SUPPORTED", "completed", "rejected")
        | stays("NOT_FOUND", "deleted"),
    ),
    "accept": (
        "updateEnrollment",
        {"state": "ACTIVE"},
        all_to("active") | stays("NOT_FOUND", "deleted"),
    ),
    "invite": (
        "updateEnrollment",
        {"state": "INVITED"},
        all_to("invited")
        | stays("NOT_SUPPORTED", "active", "creation_pending")
        | stays("NOT_FOUND", "deleted"),
    ),
    "suspend": (
        "updateEnrollment",
        {"state": "INACTIVE"},
        all_to("inactive") | stays("NOT_SUPPORTED", "active") | stays("NOT_FOUND", "deleted"),
    ),
    "conclude by update": (
        "updateEnrollment",
        {"state": "COMPLETED"},
        stays("INVALID") | stays("NOT_FOUND", "deleted"),
    ),
}


def expected_of(task: str, kind: Kind, state: str) -> Becomes:
    """Canvas posts no test student: only what goes by DELETE or PUT works."""
    expected = TASKS[task][2][state]
    by_delete = task in ("conclude", "deactivate", "delete")
    by_put = task == "reactivate" and (state == "inactive" or expected.code)
    posted = not (by_delete or by_put)
    return Becomes(state, "NOT_SUPPORTED") if kind.type == TEST_STUDENT and posted else expected


def enrolled(changer: Changer, course: Course, kind: Kind, state: str) -> Enrollment:
    return making.make_enrollment(
        changer.twin.school,
        changer.person(),
        changer.section(course),
        kind.type,
        kind.role_id,
        state,
    )


def in_canvas(changer: Changer, user_id: int) -> list[tuple[str, int, str]]:
    """All that the person is."""
    rows = changer.twin.school.enrollments_of_user.of(user_id)
    return [(row.type, row.role_id, row.workflow_state) for row in rows]


@ON_ONE_DATABASE
@pytest.mark.parametrize("task", TASKS)
async def test_what_becomes_of_it(changer: Changer, task: str) -> None:
    course, school = changer.twin.cast.courses["demo"], changer.twin.school
    mutation, asked, _ = TASKS[task]
    rows = {
        (kind, state): enrolled(changer, course, kind, state)
        for kind in (*kinds(school), student_view(school))
        for state in STATES
    }
    await changer.read(course)
    found, expected = {}, {}
    for (kind, state), row in rows.items():
        payload = await changer.do(mutation, {"enrollment": changer.by(row), **asked})
        becomes = expected_of(task, kind, state)
        of = str(kind), state
        expected[of] = (
            becomes.code,
            [(kind.type, kind.role_id, becomes.state)],
            becomes.state.upper(),
            becomes.state == "deleted",
        )
        kept = await changer.stored(row)
        found[of] = (
            next(iter(codes(payload)), None),
            in_canvas(changer, row.user_id),
            kept["state"],
            kept["removed_at"] is not None,
        )

    assert expected == found


@ON_ONE_DATABASE
async def test_what_becomes_of_it_when_it_is_created(changer: Changer) -> None:
    """enrollments-api.md §5 and §6: a POST would reset what is there; what is deleted comes back."""
    course = changer.twin.cast.courses["demo"]
    rows = {
        (kind, state): enrolled(changer, course, kind, state)
        for kind in kinds(changer.twin.school)
        for state in STATES
    }
    await changer.read(course)
    found, expected = {}, {}
    for (kind, state), row in rows.items():
        asked = {"user": {"canvasId": str(row.user_id)}, "course": changer.by(course)}
        payload = await changer.do("createEnrollment", {**asked, **kind.asked, "state": "ACTIVE"})
        becomes = Becomes("active") if state == "deleted" else Becomes(state, "ALREADY_EXISTS")
        of = str(kind), state
        expected[of] = (becomes.code, [(kind.type, kind.role_id, becomes.state)])
        found[of] = (next(iter(codes(payload)), None), in_canvas(changer, row.user_id))

    assert expected == found
