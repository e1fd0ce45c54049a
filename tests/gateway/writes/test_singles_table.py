"""Every task on every type of enrollment in every state: what the twin has afterwards is what the sheet says."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from tests.gateway.writes.changer import ON_ONE_DATABASE, Changer, codes

TYPES = (
    "StudentEnrollment",
    "TeacherEnrollment",
    "TaEnrollment",
    "DesignerEnrollment",
    "ObserverEnrollment",
    "StudentViewEnrollment",
)
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


def of_test_student(task: str, state: str) -> Becomes:
    """Canvas posts none: only what goes by DELETE or PUT works."""
    expected = TASKS[task][2][state]
    by_delete = task in ("conclude", "deactivate", "delete")
    by_put = task == "reactivate" and (state == "inactive" or expected.code)
    return expected if by_delete or by_put else Becomes(state, "NOT_SUPPORTED")


@ON_ONE_DATABASE
@pytest.mark.parametrize("task", TASKS)
async def test_what_becomes_of_it(changer: Changer, task: str) -> None:
    course = changer.twin.cast.courses["demo"]
    mutation, asked, outcomes = TASKS[task]
    rows = {
        (type_name, state): changer.enroll(course, type_name=type_name, state=state)
        for type_name in TYPES
        for state in STATES
    }
    await changer.read(course)
    found, expected, stored = {}, {}, {}
    for (type_name, state), row in rows.items():
        payload = await changer.do(mutation, {"enrollment": changer.by(row), **asked})
        one = of_test_student(task, state) if type_name == TYPES[-1] else outcomes[state]
        expected[type_name, state] = (one, one.state.upper())
        code = next(iter(codes(payload)), None)
        kept = await changer.stored(row)
        found[type_name, state] = (Becomes(row.workflow_state, code), kept["state"])
        stored[type_name, state] = kept["removed_at"] is not None

    assert expected == found
    assert {key: one[0].state == "deleted" for key, one in expected.items()} == stored
