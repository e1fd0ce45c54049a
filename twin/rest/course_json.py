"""A course as one caller is shown it: fact sheet roster-rest.md section 5.2.

There is no `updated_at`; a course that its user cannot enter collapses to two keys.
"""

from collections.abc import Sequence
from typing import Any

from twin.call import Call, iso
from twin.date_states import date_state
from twin.permissions import course_rights, root_rights
from twin.records import TEACHER_LIKE, Course, Enrollment, User
from twin.rest.render import short_user_json
from twin.rest.terms import term_json
from twin.school import School

SHORT_TYPES = {
    "StudentEnrollment": "student",
    "TeacherEnrollment": "teacher",
    "TaEnrollment": "ta",
    "DesignerEnrollment": "designer",
    "ObserverEnrollment": "observer",
    "StudentViewEnrollment": "student_view",
}


def course_json(
    call: Call,
    course: Course,
    includes: frozenset[str],
    own: Sequence[Enrollment] | None = None,
) -> dict[str, Any]:
    """The course; with `own`, as made for the user whose enrollments those are."""
    if own and all(shut_out(call, row, course) for row in own):
        return {"id": course.id, "access_restricted_by_date": True}
    data = _always(call, course) | _sis(call, course)
    if own is not None:
        data["enrollments"] = [_short_enrollment(call.school, row) for row in own]
    return data | _included(call, course, includes, own)


def shut_out(call: Call, row: Enrollment, course: Course) -> bool:
    """Whether the course's view restrictions close it to this enrollment today."""
    if row.type in TEACHER_LIKE:
        return False
    state = date_state(call.school, row, call.now)
    return (state == "completed" and course.restrict_student_past_view) or (
        state.startswith("pending_") and course.restrict_student_future_view
    )


def _always(call: Call, course: Course) -> dict[str, Any]:
    unpublished = course.workflow_state in {"created", "claimed"}
    data: dict[str, Any] = {
        "id": course.id,
        "name": course.name,
        "course_code": course.course_code,
        "account_id": course.account_id,
        "root_account_id": call.school.root.id,
        "uuid": course.uuid,
        "enrollment_term_id": course.term_id,
        "workflow_state": "unpublished" if unpublished else course.workflow_state,
        "created_at": iso(course.created_at),
        "start_at": iso(course.start_at),
        "end_at": iso(course.end_at),
        "restrict_enrollments_to_course_dates": course.restrict_enrollments_to_course_dates,
        "default_view": "modules",
        "is_public": course.is_public,
        "is_public_to_auth_users": course.is_public_to_auth_users,
        "public_syllabus": False,
        "public_syllabus_to_auth": False,
        "license": None,
        "grading_standard_id": None,
        "grade_passback_setting": None,
        "storage_quota_mb": 500,
        "hide_final_grades": course.hide_final_grades,
        "apply_assignment_group_weights": False,
        "time_zone": course.time_zone,
        "homeroom_course": course.homeroom,
        "course_color": None,
        "friendly_name": None,
        "blueprint": course.blueprint,
        "calendar": {"ics": f"{call.origin}/feeds/calendars/course_{course.uuid}.ics"},
    }
    if call.options.course_templates:
        data["template"] = course.template
    if course.blueprint:
        data["blueprint_restrictions"] = {"content": True, "points": False, "due_dates": False}
    return data


def _sis(call: Call, course: Course) -> dict[str, Any]:
    data: dict[str, Any] = {}
    manages = "manage_sis" in root_rights(call.school, call.user)
    if manages or "read_sis" in course_rights(call.school, call.user, course):
        data["sis_course_id"] = course.sis_source_id
        data["integration_id"] = course.integration_id
    if manages:
        data["sis_import_id"] = course.sis_batch_id
    return data


def _short_enrollment(school: School, row: Enrollment) -> dict[str, Any]:
    data: dict[str, Any] = {
        "type": SHORT_TYPES[row.type],
        "role": school.roles[row.role_id].name,
        "role_id": row.role_id,
        "user_id": row.user_id,
        "enrollment_state": row.workflow_state,
        "limit_privileges_to_course_section": row.limit_privileges_to_course_section,
    }
    if row.associated_user_id is not None:
        data["associated_user_id"] = row.associated_user_id
    return data


def _included(
    call: Call, course: Course, includes: frozenset[str], own: Sequence[Enrollment] | None
) -> dict[str, Any]:
    school = call.school
    data: dict[str, Any] = {}
    if "term" in includes:
        role_type = own[0].type if own else None
        data["term"] = term_json(call, school.terms[course.term_id], role_type=role_type)
    if "sections" in includes and own is not None:
        data["sections"] = [_own_section(school, row) for row in own]
    if "total_students" in includes:
        data["total_students"] = total_students(school, course)
    if "teachers" in includes:
        data |= _teachers(call, course)
    if "account" in includes:
        account = school.accounts[course.account_id]
        data["account"] = {"id": account.id, "name": account.name}
    if "account_name" in includes:
        data["account_name"] = school.accounts[course.account_id].name
    if "concluded" in includes:
        data["concluded"] = is_concluded(call, course)
    plain: dict[str, Any] = {
        "syllabus_body": None,
        "public_description": None,
        "needs_grading_count": 0,
        "storage_quota_used_mb": 0.0,
        "post_manually": False,
    }
    data |= {key: value for key, value in plain.items() if key in includes}
    if "favorites" in includes:
        data["is_favorite"] = False
    return data


def _own_section(school: School, row: Enrollment) -> dict[str, Any]:
    section = school.sections[row.section_id]
    return {
        "id": section.id,
        "name": section.name,
        "start_at": iso(section.start_at),
        "end_at": iso(section.end_at),
        "enrollment_role": row.type,
    }


def total_students(school: School, course: Course) -> int:
    """Distinct students, active and invited, without the test student."""
    return len(
        {
            row.user_id
            for row in school.enrollments_of_course.of(course.id)
            if row.type == "StudentEnrollment" and row.workflow_state in {"active", "invited"}
        }
    )


def _teachers(call: Call, course: Course) -> dict[str, Any]:
    teachers: dict[int, User] = {
        row.user_id: call.school.users[row.user_id]
        for row in call.school.enrollments_of_course.of(course.id)
        if row.type == "TeacherEnrollment" and row.workflow_state in {"active", "invited"}
    }
    limit = call.params.text("teacher_limit")
    if limit and limit.isdecimal() and len(teachers) > int(limit):
        return {"teacher_count": len(teachers)}
    return {"teachers": [short_user_json(call, user) for user in teachers.values()]}


def is_concluded(call: Call, course: Course) -> bool:
    """Concluded by state, or over by the dates that count for the course."""
    if course.workflow_state == "completed":
        return True
    end_at = (
        course.end_at
        if course.restrict_enrollments_to_course_dates and course.end_at
        else call.school.terms[course.term_id].end_at
    )
    return end_at is not None and end_at < call.now
