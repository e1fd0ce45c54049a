"""What the state of an enrollment is called in a filter, and what each request makes of it.

Fact sheet enrollments-api.md sections 2.3, 4, 6 and 7. Nothing here reads or writes the school.
"""

from collections.abc import Iterable
from typing import Literal

from twin import errors
from twin.records import TEACHER_LIKE

_CURRENT_AND_FUTURE = frozenset(
    {"active", "invited", "creation_pending", "pending_active", "pending_invited"}
)
SYNTHETIC: dict[str, frozenset[str]] = {
    "current_and_invited": frozenset({"active", "invited"}),
    "current_and_future": _CURRENT_AND_FUTURE,
    "current_future_and_restricted": _CURRENT_AND_FUTURE | {"inactive"},
    "current_and_concluded": frozenset({"active", "completed"}),
}
OWN_STATES = _CURRENT_AND_FUTURE | {"inactive", "rejected", "completed"}
"""States by date that a person may ask the own list for; `deleted` is none of them."""

Task = Literal["conclude", "delete", "deactivate"]


def own_states(asked: Iterable[str]) -> frozenset[str]:
    """The states by date that the own list is asked for."""
    states: set[str] = set()
    for state in asked:
        if state not in SYNTHETIC and state not in OWN_STATES:
            raise errors.error(f"Invalid state {state}")
        states |= SYNTHETIC.get(state, {state})
    return frozenset(states)


def enrolled_state(
    requested: str | None, enrollment_type: str, *, available: bool, registered: bool
) -> str:
    """The state that a POST gives to a row, whatever it was before."""
    state = requested
    if not state and enrollment_type == "ObserverEnrollment" and registered:
        state = "active"
    state = state or ("invited" if available else "creation_pending")
    if enrollment_type in TEACHER_LIKE:
        return "invited" if state == "creation_pending" else state
    return "creation_pending" if state == "invited" and not available else state


def task_named(task: str | None) -> Task:
    """What a DELETE does: every unknown word concludes."""
    if task == "delete":
        return "delete"
    return "deactivate" if task in {"inactivate", "deactivate"} else "conclude"


STATE_AFTER: dict[Task, str] = {
    "conclude": "completed",
    "delete": "deleted",
    "deactivate": "inactive",
}

Answer = Literal["accept", "reject"]


def answered_state(answer: Answer, stored: str, by_date: str, *, self_enrolled: bool) -> str:
    """The state after the enrollee accepts or rejects; refused where nothing can be answered."""
    if by_date == "active":
        if answer == "reject":
            raise errors.error("no current invitation")
        return stored
    if stored == "rejected":
        return "active" if answer == "accept" else stored
    if by_date == "inactive":
        raise errors.error("membership not activated")
    if self_enrolled:
        raise errors.error("self enroll")
    if stored == "invited" and by_date != "completed":
        return "active" if answer == "accept" else "rejected"
    raise errors.error("no current invitation")
