"""The state of an enrollment by date: fact sheet enrollments-api.md sections 3 (dates) and 4."""

from datetime import datetime

from twin.records import TEACHER_LIKE, Enrollment
from twin.school import School

Dates = tuple[datetime | None, datetime | None]


def effective_dates(school: School, enrollment: Enrollment) -> Dates:
    """The dates that count: the enrollment's if both are set, else the nearest that restricts."""
    if enrollment.start_at and enrollment.end_at:
        return enrollment.start_at, enrollment.end_at
    section = school.sections[enrollment.section_id]
    if section.restrict_enrollments_to_section_dates:
        return section.start_at, section.end_at
    course = school.courses[enrollment.course_id]
    if course.restrict_enrollments_to_course_dates:
        return course.start_at, course.end_at
    return term_dates(school, course.term_id, enrollment.type)


def term_dates(school: School, term_id: int, enrollment_type: str) -> Dates:
    """A term's dates with those of the enrollment type over them."""
    term = school.terms[term_id]
    start_at, end_at = term.overrides.get(enrollment_type, (None, None))
    return start_at or term.start_at, end_at or term.end_at


def date_state(school: School, enrollment: Enrollment, now: datetime) -> str:
    """Only stored `active` and `invited` are worked out; every other state is its own."""
    stored = enrollment.workflow_state
    if stored not in {"active", "invited"}:
        return stored
    start_at, end_at = effective_dates(school, enrollment)
    if end_at is not None and end_at < now:
        return "completed"
    if start_at is not None and start_at > now:
        return "inactive" if enrollment.type in TEACHER_LIKE else f"pending_{stored}"
    return stored


def course_state(school: School, enrollment: Enrollment, now: datetime) -> str:
    """The date state with the course's own state over it."""
    course = school.courses[enrollment.course_id]
    if course.workflow_state == "deleted":
        return "deleted"
    state = date_state(school, enrollment, now)
    if course.workflow_state == "completed" and state in {"active", "invited"}:
        return "completed"
    return state
