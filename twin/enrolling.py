"""Making, updating and reviving an enrollment: what Canvas's model does, whoever asked.

Fact sheet enrollments-api.md sections 4, 5.1 (the end of a course, validation) and 6.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from twin import errors
from twin.changes import set_enrollment_state
from twin.date_states import date_state
from twin.enrollment_states import enrolled_state
from twin.making import make_enrollment
from twin.permissions import account_chain
from twin.records import TEACHER_LIKE, Course, Enrollment, Role, Section, User
from twin.school import School


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What a POST finds its row by; a row in any state matches, deleted ones too."""

    user: User
    section: Section
    role: Role
    associated_user_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Everything else that a POST says; what it leaves out is wished to be empty."""

    state: str | None = None
    limit_privileges: bool = False
    start_at: datetime | None = None
    end_at: datetime | None = None
    self_enrolled: bool | None = None
    temporary_source_user_id: int | None = None
    temporary_pairing_id: int | None = None


def enrol(school: School, identity: Identity, wish: Wish) -> Enrollment:
    """The row of this identity, new or old, as the wish leaves it."""
    course = school.courses[identity.section.course_id]
    state = enrolled_state(
        "active" if wish.state is None and wish.temporary_pairing_id else wish.state,
        identity.role.base_type,
        available=course.workflow_state == "available",
        registered=identity.user.workflow_state == "registered",
    )
    row = find_row(school, identity)
    if row is None:
        row = make_enrollment(
            school,
            identity.user,
            identity.section,
            identity.role.base_type,
            identity.role.id,
            state,
            associated_user_id=identity.associated_user_id,
            **_reset_fields(wish),
        )
    else:
        _update(school, row, state, wish)
    if row.type in TEACHER_LIKE and course.workflow_state == "created":
        school.update(course, workflow_state="claimed")
    return row


def find_row(school: School, identity: Identity) -> Enrollment | None:
    for row in school.enrollments_of_user.of(identity.user.id):
        if (row.section_id, row.role_id, row.type, row.associated_user_id) == (
            identity.section.id,
            identity.role.id,
            identity.role.base_type,
            identity.associated_user_id,
        ):
            return row
    return None


def _update(school: School, row: Enrollment, state: str, wish: Wish) -> None:
    """Only a row that is not effectively active changes its state."""
    changes = {**_reset_fields(wish), "sis_pseudonym_id": None}
    if date_state(school, row, school.clock.now()) != "active":
        if row.workflow_state == "deleted":
            changes["sis_batch_id"] = None
        if row.workflow_state != state:
            set_enrollment_state(school, row, state)
    moved = {name for name in ("start_at", "end_at") if changes[name] != getattr(row, name)}
    school.update(row, **changes, stuck=row.stuck | moved)


def _reset_fields(wish: Wish) -> dict[str, Any]:
    return {
        "limit_privileges_to_course_section": wish.limit_privileges,
        "start_at": wish.start_at,
        "end_at": wish.end_at,
        "self_enrolled": wish.self_enrolled,
        "temporary_source_user_id": wish.temporary_source_user_id,
        "temporary_pairing_id": wish.temporary_pairing_id,
    }


def check_model(school: School, course: Course, identity: Identity) -> None:
    faults = [*_model_faults(school, course, identity)]
    if faults:
        raise errors.invalid_attributes(*((name, text, text) for name, text in faults))


def _model_faults(school: School, course: Course, identity: Identity) -> Iterator[tuple[str, str]]:
    observed = identity.associated_user_id
    if observed is not None and identity.role.base_type != "ObserverEnrollment":
        yield "associated_user_id", "only ObserverEnrollments may have an associated_user_id"
    elif observed == identity.user.id:
        yield "associated_user_id", "Cannot observe yourself"
    elif observed is not None and _observes(school, course, observed):
        yield "associated_user_id", "cannot observe an observer"
    if identity.user.is_test_student:
        yield "user_id", "cannot add a student view student in a regular role"
    chain = {account.id for account in account_chain(school, course.account_id)}
    if identity.role.account_id not in chain:
        yield "role_id", "is not an available role for this course's account"


def _observes(school: School, course: Course, user_id: int) -> bool:
    return any(
        row.course_id == course.id
        and row.type == "ObserverEnrollment"
        and row.workflow_state != "deleted"
        for row in school.enrollments_of_user.of(user_id)
    )


def has_login(school: School, user: User) -> bool:
    return any(login.workflow_state != "deleted" for login in school.pseudonyms_of_user.of(user.id))


def is_concluded(school: School, course: Course, now: datetime) -> bool:
    """By its state, by its own end where it restricts to that, else by its term's end."""
    if course.workflow_state == "completed":
        return True
    if course.restrict_enrollments_to_course_dates and course.end_at:
        return course.end_at < now
    end_at = school.terms[course.term_id].end_at
    return end_at is not None and end_at < now


def section_is_concluded(school: School, course: Course, section: Section, now: datetime) -> bool:
    if section.restrict_enrollments_to_section_dates and section.end_at:
        return section.end_at < now
    return is_concluded(school, course, now)
