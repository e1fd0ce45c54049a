"""Self-enrollment by a course's code: fact sheet enrollments-api.md section 5.3."""

from starlette.responses import Response

from twin import errors
from twin.call import Call
from twin.enrolling import Identity, Wish, enrol, section_is_concluded
from twin.making import default_section
from twin.params import Params
from twin.records import Course, Section
from twin.rest.enrollment_json import EnrollmentJson
from twin.rest.paths import section_in_form
from twin.roles import built_in_role_id


def self_enrol(call: Call, course: Course, form: Params) -> Response:
    """The caller enters the course whose code was given; every other field is ignored."""
    if form.text("self_enrollment_code") != course.self_enrollment_code:
        raise errors.message("enrollment[self_enrollment_code] is invalid")
    if form.text("user_id") != "self":
        raise errors.message("enrollment[user_id] must be 'self' when self-enrolling")
    if course.blueprint:
        raise errors.message("course is not open for self-enrollment")
    identity = Identity(
        user=call.user,
        section=section_in_form(call, course, form) or _open_section(call, course),
        role=call.school.roles[built_in_role_id(call.school, "StudentEnrollment")],
    )
    row = enrol(call.school, identity, Wish(state="active", self_enrolled=True))
    return call.json(EnrollmentJson(call).of(row))


def _open_section(call: Call, course: Course) -> Section:
    """The default section; where it is concluded, the first that is not."""
    default = default_section(call.school, course)
    for section in (default, *call.school.sections_of_course.of(course.id)):
        if section.workflow_state == "deleted":
            continue
        if not section_is_concluded(call.school, course, section, call.now):
            return section
    raise errors.message("Course has no open sections")
