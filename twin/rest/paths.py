"""The rows that a request names, or Canvas's 404; a deleted course answers 404 to everything.

Fact sheets enrollments-api.md sections 1 and 8, roster-rest.md section 1.
"""

from twin import errors, ids
from twin.call import Call
from twin.params import Params
from twin.records import Account, Course, Enrollment, Section, User


def account_in_path(call: Call, name: str = "account_id") -> Account:
    account = ids.found(ids.find_account(call.school, call.path[name]))
    if account.workflow_state == "deleted":
        raise errors.NotFound
    return account


def course_in_path(call: Call, name: str = "course_id", *, deleted: bool = False) -> Course:
    """The course; a deleted one only where the endpoint was asked for it."""
    course = ids.found(ids.find_course(call.school, call.path[name]))
    if course.workflow_state == "deleted" and not deleted:
        raise errors.NotFound
    return course


def section_in_path(call: Call, name: str = "section_id") -> Section:
    section = ids.found(ids.find_section(call.school, call.path[name]))
    course = call.school.courses[section.course_id]
    if "deleted" in {section.workflow_state, course.workflow_state}:
        raise errors.NotFound
    return section


def user_in_path(call: Call, name: str = "user_id") -> User:
    """The user, who may be deleted."""
    return ids.found(ids.find_user(call.school, call.path[name], call.user))


def section_in_form(call: Call, course: Course, form: Params) -> Section | None:
    """An active section of this very course; None where none is named."""
    text = form.text("course_section_id")
    if not text:
        return None
    section = ids.found(ids.find_section(call.school, text))
    if section.course_id != course.id or section.workflow_state == "deleted":
        raise errors.NotFound
    return section


def enrollment_in_path(call: Call, course: Course) -> Enrollment:
    """A row of this course that is not deleted, by its plain id: enrollments have no SIS id."""
    number = ids.plain_id(call.school, call.path["id"])
    row = None if number is None else call.school.enrollments.get(number)
    if row is None or row.course_id != course.id or row.workflow_state == "deleted":
        raise errors.NotFound
    return row
