"""The state machine of enrollments, row by row of enrollments-api.md sections 2.3, 4 and 7.3."""

import pytest

from twin.enrollment_states import Answer, answered_state, enrolled_state, own_states, task_named
from twin.errors import BadRequest

STUDENT, TEACHER, TA = "StudentEnrollment", "TeacherEnrollment", "TaEnrollment"
DESIGNER, OBSERVER = "DesignerEnrollment", "ObserverEnrollment"


@pytest.mark.parametrize(
    ("asked", "states"),
    [
        (["active"], {"active"}),
        (["current_and_invited"], {"active", "invited"}),
        (
            ["current_and_future"],
            {"active", "invited", "creation_pending", "pending_active", "pending_invited"},
        ),
        (
            ["current_future_and_restricted"],
            {
                "active",
                "invited",
                "creation_pending",
                "pending_active",
                "pending_invited",
                "inactive",
            },
        ),
        (["current_and_concluded"], {"active", "completed"}),
        (["rejected", "current_and_concluded"], {"rejected", "active", "completed"}),
        (["pending_active", "pending_invited"], {"pending_active", "pending_invited"}),
    ],
)
def test_own_states_stand_for_states_by_date(asked: list[str], states: set[str]) -> None:
    assert states == own_states(asked)


@pytest.mark.parametrize("asked", ["deleted", "Active", "", "current"])
def test_an_unknown_own_state_is_named_in_the_refusal(asked: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        own_states(["active", asked])

    assert {"error": f"Invalid state {asked}"} == refusal.value.body


@pytest.mark.parametrize(
    ("requested", "kind", "available", "registered", "state"),
    [
        (None, STUDENT, True, True, "invited"),
        (None, TEACHER, True, True, "invited"),
        (None, STUDENT, False, True, "creation_pending"),
        ("invited", STUDENT, False, True, "creation_pending"),
        ("active", STUDENT, False, True, "active"),
        (None, OBSERVER, True, True, "active"),
        (None, OBSERVER, True, False, "invited"),
        (None, OBSERVER, False, False, "creation_pending"),
        ("invited", OBSERVER, False, True, "creation_pending"),
        (None, TEACHER, False, True, "invited"),
        (None, TA, False, True, "invited"),
        (None, DESIGNER, False, True, "invited"),
        ("creation_pending", TEACHER, False, True, "invited"),
        ("inactive", STUDENT, True, True, "inactive"),
        ("completed", DESIGNER, True, True, "completed"),
        ("no such state", STUDENT, True, True, "no such state"),
    ],
)
def test_a_post_gives_the_requested_or_the_default_state(
    *, requested: str | None, kind: str, available: bool, registered: bool, state: str
) -> None:
    got = enrolled_state(requested, kind, available=available, registered=registered)

    assert state == got


@pytest.mark.parametrize(
    ("task", "done"),
    [
        (None, "conclude"),
        ("conclude", "conclude"),
        ("", "conclude"),
        ("Delete", "conclude"),
        ("remove", "conclude"),
        ("delete", "delete"),
        ("inactivate", "deactivate"),
        ("deactivate", "deactivate"),
    ],
)
def test_a_misspelt_task_concludes(task: str | None, done: str) -> None:
    assert done == task_named(task)


NO_INVITATION = {"error": "no current invitation"}
NOT_ACTIVATED = {"error": "membership not activated"}
SELF = {"error": "self enroll"}


@pytest.mark.parametrize(
    ("stored", "by_date", "self_enrolled", "accepted", "rejected"),
    [
        ("active", "active", False, "active", NO_INVITATION),
        ("active", "active", True, "active", NO_INVITATION),
        ("rejected", "rejected", False, "active", "rejected"),
        ("inactive", "inactive", False, NOT_ACTIVATED, NOT_ACTIVATED),
        ("active", "inactive", False, NOT_ACTIVATED, NOT_ACTIVATED),
        ("invited", "inactive", False, NOT_ACTIVATED, NOT_ACTIVATED),
        ("invited", "invited", True, SELF, SELF),
        ("invited", "invited", False, "active", "rejected"),
        ("invited", "pending_invited", False, "active", "rejected"),
        ("completed", "completed", False, NO_INVITATION, NO_INVITATION),
        ("creation_pending", "creation_pending", False, NO_INVITATION, NO_INVITATION),
        ("invited", "completed", False, NO_INVITATION, NO_INVITATION),
        ("active", "completed", False, NO_INVITATION, NO_INVITATION),
    ],
)
def test_an_invitation_is_answered_once_and_in_time(
    *, stored: str, by_date: str, self_enrolled: bool, accepted: object, rejected: object
) -> None:
    assert accepted == _answer("accept", stored, by_date, self_enrolled=self_enrolled)
    assert rejected == _answer("reject", stored, by_date, self_enrolled=self_enrolled)


def _answer(answer: Answer, stored: str, by_date: str, *, self_enrolled: bool) -> object:
    """The new state, or the body of the refusal."""
    try:
        return answered_state(answer, stored, by_date, self_enrolled=self_enrolled)
    except BadRequest as refusal:
        return refusal.body
