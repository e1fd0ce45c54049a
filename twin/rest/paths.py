"""The rows that a request names, or Canvas's 404; a deleted course answers 404 to everything.

Fact sheet enrollments-api.md sections 1 and 8.
"""

from twin import errors, ids
from twin.call import Call
from twin.params import Params
from twin.records import Course, Enrollment, Section


def course_in_path(call: Call) -> Course:
    return _living(ids.find_course(call.school, call.path["course_id"]))


def section_in_path(call: Call) -> Section:
    section: Section = ids.found(ids.find_section(call.school, call.path["section_id"]))
    _living(call.school.courses[section.course_id])
    if section.workflow_state == "deleted":
        raise errors.NotFound
    return section


def section_in_form(call: Call, course: Course, form: Params) -> Section | None:
    """An active section of this very course; None where none is named."""
    text = form.text("course_section_id")
    if not text:
        return None
    section: Section = ids.found(ids.find_section(call.school, text))
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


def _living(course: Course | None) -> Course:
    if course is None or course.workflow_state == "deleted":
        raise errors.NotFound
    return course
