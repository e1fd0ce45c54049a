"""Which enrollments a caller may list, and in which states they come by default.

Fact sheet enrollments-api.md sections 2.2 and 2.3. A cut list carries no sign that it is one.
"""

from collections.abc import Iterable

from twin import errors, ids
from twin.call import Call
from twin.date_states import date_state
from twin.enrollment_states import own_states
from twin.permissions import (
    Rights,
    course_rights,
    own_enrollments,
    root_rights,
    section_limit,
)
from twin.records import TEACHER_LIKE, Course, Enrollment, User

ROSTER_RIGHTS = frozenset({"read_roster", "view_all_grades", "manage_grades"})
FULL_ROSTER_RIGHTS = frozenset(
    {"view_all_grades", "manage_grades", "manage_students", "read_as_admin"}
)
"""Any of them shows more than `read_roster` alone: the test student too."""

HIDDEN_BY_DEFAULT = frozenset({"rejected", "completed", "deleted", "inactive"})


def asked_states(call: Call) -> list[str] | None:
    """`state[]`, or a single text; None where the parameter is absent or empty."""
    value = call.params.values.get("state")
    if value is None or value in ("", []):
        return None
    if isinstance(value, str):
        return [value]
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    raise errors.BadRequest


def in_course(call: Call, course: Course) -> list[Enrollment]:
    """The rows of a course's list, or of one person's part of it (`user_id`)."""
    if text := call.params.text("user_id"):
        person: User = ids.found(ids.find_user(call.school, text, call.user))
        return _of_person_in_course(call, person, course)
    rights = course_rights(call.school, call.user, course)
    if rights & ROSTER_RIGHTS:
        return _roster(call, course, rights)
    if _has_been_observer(call, course):
        return _observed(call, course)
    raise errors.Unauthorized


def of_user(call: Call, person: User) -> list[Enrollment]:
    """The rows of a person's list, as that person or as somebody else."""
    if person is call.user:
        return _own(call, call.school.enrollments_of_user.of(person.id))
    if not _may_list(call, person):
        raise errors.Unauthorized
    return _stored(call, call.school.enrollments_of_user.of(person.id))


def _of_person_in_course(call: Call, person: User, course: Course) -> list[Enrollment]:
    rows = own_enrollments(call.school, person, course)
    if person is call.user:
        return _own(call, rows)
    rights = course_rights(call.school, call.user, course)
    if not rights & ROSTER_RIGHTS and not _has_been_observer(call, course):
        raise errors.Unauthorized
    # No section visibility is asked here: Canvas shows everybody's rows, as the sheet warns.
    return _stored(call, rows)


def _roster(call: Call, course: Course, rights: Rights) -> list[Enrollment]:
    rows = visible_rows(call, course, rights)
    states = asked_states(call)
    if states is not None:
        return [row for row in rows if row.workflow_state in states]
    hidden = HIDDEN_BY_DEFAULT - ({"inactive"} if "read_as_admin" in rights else set())
    return [row for row in rows if row.workflow_state not in hidden]


def visible_rows(call: Call, course: Course, rights: Rights) -> list[Enrollment]:
    """All rows of the course in any state, cut to the caller's sections where these are limited."""
    rows = call.school.enrollments_of_course.of(course.id)
    sections = section_limit(call.school, call.user, course)
    if sections is not None:
        rows = [row for row in rows if row.section_id in sections or _whole_course_staff(row)]
    if rights & FULL_ROSTER_RIGHTS or _teaches(call, course):
        return rows
    return [row for row in rows if row.type != "StudentViewEnrollment"]


def _whole_course_staff(row: Enrollment) -> bool:
    return row.type in TEACHER_LIKE and not row.limit_privileges_to_course_section


def _teaches(call: Call, course: Course) -> bool:
    return any(
        row.type in TEACHER_LIKE and row.workflow_state != "deleted"
        for row in own_enrollments(call.school, call.user, course)
    )


def _own_observers(call: Call, course: Course) -> list[Enrollment]:
    return [
        row
        for row in own_enrollments(call.school, call.user, course)
        if row.type == "ObserverEnrollment" and row.workflow_state != "deleted"
    ]


def _has_been_observer(call: Call, course: Course) -> bool:
    return bool(_own_observers(call, course))


def _observed(call: Call, course: Course) -> list[Enrollment]:
    """An observer without roster rights: the own rows and those of the observed students."""
    people = {row.associated_user_id for row in _own_observers(call, course)} | {call.user.id}
    rows = [
        row
        for row in call.school.enrollments_of_course.of(course.id)
        if row.user_id in people and row.workflow_state != "deleted"
    ]
    states = asked_states(call)
    return rows if states is None else [row for row in rows if row.workflow_state in states]


def _stored(call: Call, rows: Iterable[Enrollment]) -> list[Enrollment]:
    """Somebody else's rows by their stored state: no word is checked, an unknown one fits none."""
    states = asked_states(call)
    wanted = {"active", "invited"} if states is None else set(states)
    return [row for row in rows if row.workflow_state in wanted]


def _own(call: Call, rows: Iterable[Enrollment]) -> list[Enrollment]:
    """The caller's own rows by their state by date, together with the course's state."""
    if isinstance(call.params.values.get("state"), str) and asked_states(call):
        raise errors.internal_error()  # Canvas maps over the text as if it were a list
    states = asked_states(call)
    if states is None:
        # Compared are stored states here: what has not begun yet is listed as well.
        current = (row for row in rows if row.workflow_state in {"active", "invited"})
        shut = {"completed", "deleted", "unpublished"}
        return [row for row in current if _state_in_course(call, row) not in shut]
    wanted = own_states(states)
    return [row for row in rows if _state_in_course(call, row) in wanted]


def _state_in_course(call: Call, row: Enrollment) -> str:
    """The state by date; none where the course's own state hides it."""
    course = call.school.courses[row.course_id]
    state = date_state(call.school, row, call.now)
    if course.workflow_state == "deleted":
        return "deleted"
    if course.workflow_state == "completed" and state in {"active", "invited"}:
        return "completed"
    unpublished = course.workflow_state in {"created", "claimed"}
    if unpublished and row.type not in TEACHER_LIKE and state in {"active", "invited"}:
        return "unpublished"
    return state


def _may_list(call: Call, person: User) -> bool:
    school = call.school
    if any(
        link.student_id == person.id and link.workflow_state == "active"
        for link in school.observations_by_observer.of(call.user.id)
    ):
        return True
    if person.workflow_state == "deleted":
        return False  # belongs to no root account any more
    return "read_roster" in root_rights(school, call.user)
