"""Ending, reviving and answering an enrollment; setting when a person last attended.

Fact sheet enrollments-api.md sections 7.1 to 7.4.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from starlette.responses import Response

from twin import errors
from twin.call import Call, iso
from twin.changes import set_enrollment_state
from twin.date_states import date_state
from twin.enrollment_states import STATE_AFTER, Answer, answered_state, task_named
from twin.params import parse_time
from twin.permissions import account_rights, course_rights
from twin.records import Course, Enrollment
from twin.rest.enrollment_json import EnrollmentJson
from twin.rest.paths import course_in_path, enrollment_in_path

REMOVE_RIGHTS = {
    "StudentEnrollment": "remove_student_from_course",
    "TeacherEnrollment": "remove_teacher_from_course",
    "TaEnrollment": "remove_ta_from_course",
    "DesignerEnrollment": "remove_designer_from_course",
    "ObserverEnrollment": "remove_observer_from_course",
    "StudentViewEnrollment": "use_student_view",
}


def end(call: Call) -> Response:
    """DELETE: conclude, delete or deactivate. Canvas does not mind that SIS made the row."""
    course = course_in_path(call)
    row = enrollment_in_path(call, course)
    task = task_named(call.params.text("task"))
    allowed = may_conclude if task == "conclude" else may_remove
    if not allowed(call, row, course):
        raise errors.Unauthorized
    set_enrollment_state(call.school, row, STATE_AFTER[task])
    return call.json(EnrollmentJson(call).of(row))


def reactivate(call: Call) -> Response:
    course = course_in_path(call)
    row = enrollment_in_path(call, course)
    if not may_remove(call, row, course):
        raise errors.Unauthorized
    if row.workflow_state != "inactive":
        raise errors.error("enrollment not inactive")
    set_enrollment_state(call.school, row, "active")
    return call.json(EnrollmentJson(call).of(row))


def may_conclude(call: Call, row: Enrollment, course: Course) -> bool:
    enough = {"allow_course_admin_actions"}
    if row.type == "StudentEnrollment":
        enough.add("manage_students")
    return bool(enough & course_rights(call.school, call.user, course))


def may_remove(call: Call, row: Enrollment, course: Course) -> bool:
    """Also who may deactivate and reactivate."""
    if REMOVE_RIGHTS[row.type] in course_rights(call.school, call.user, course):
        return True
    account = call.school.accounts[course.account_id]
    own = row.user_id == call.user.id
    return own and "allow_course_admin_actions" in account_rights(call.school, call.user, account)


def accept(call: Call) -> Response:
    return _answer(call, "accept")


def reject(call: Call) -> Response:
    return _answer(call, "reject")


def _answer(call: Call, answer: Answer) -> Response:
    """Only the enrollee answers an invitation; an admin acts as them."""
    row = enrollment_in_path(call, course_in_path(call))
    if row.user_id != call.user.id:
        raise errors.Unauthorized
    state = answered_state(
        answer,
        row.workflow_state,
        date_state(call.school, row, call.now),
        self_enrolled=bool(row.self_enrolled),
    )
    if state != row.workflow_state:
        set_enrollment_state(call.school, row, state)
    return call.json({"success": True})


def last_attended(call: Call) -> Response:
    """All rows of the person in the course get the date, and `updated_at` stays."""
    course = course_in_path(call)
    if not course_rights(call.school, call.user, course) & {"view_all_grades", "manage_grades"}:
        raise errors.Unauthorized
    if "date" not in call.params:
        raise errors.internal_error()
    date = _any_date(call.params.text("date") or "")
    if date is None:
        raise errors.message("Invalid date time input")
    for row in list(call.school.enrollments_of_course.of(_raw(call, "course_id"))):
        if row.user_id == _raw(call, "user_id"):
            call.school.update(row, last_attended_at=date, updated_at=row.updated_at)
    return call.json({"date": iso(date)})


def _raw(call: Call, name: str) -> int:
    """The text as the database takes it: a SIS form is no number and finds nothing (inferred)."""
    text = call.path[name]
    return int(text) if text.isascii() and text.isdigit() else 0


DATE_FORMATS = (
    "%Y/%m/%d",
    "%m/%d/%Y",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d %Y",
    "%B %d, %Y",
    "%b %d, %Y",
)


def _any_date(text: str) -> datetime | None:
    """Ruby reads far more spellings than these."""
    if (time := parse_time(text)) is not None:
        return time
    for form in DATE_FORMATS:
        try:
            return datetime.strptime(text.strip(), form).replace(tzinfo=UTC)
        except ValueError:
            continue
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except ValueError:
        return None
