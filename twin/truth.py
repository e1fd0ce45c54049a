"""What is so in the school, and what one person may see of it, for whoever judges a client.

The visible part is worked out by the same rules as the lists of fact sheets enrollments-api.md §2.2
and roster-rest.md §7.1, without paging and for every state at once.
"""

from typing import Any

from starlette.requests import Request

from twin.access import Caller
from twin.call import Call, iso
from twin.date_states import course_state, date_state
from twin.errors import CanvasError
from twin.params import Params
from twin.permissions import course_rights
from twin.records import AccessToken, Course, Enrollment, User
from twin.rest import course_people, visibility
from twin.rest.enrollment_json import EnrollmentJson
from twin.rest.render import email_of, login_of, user_json
from twin.school import School

ROSTER_STATES = frozenset({"active", "invited", "creation_pending"})


def course_truth(school: School, course: Course) -> dict[str, Any]:
    """Everybody who ever was in the course, row by row, with nothing hidden."""
    rows = school.enrollments_of_course.of(course.id)
    return {
        "course": {
            "id": str(course.id),
            "name": course.name,
            "workflow_state": course.workflow_state,
            "sis_course_id": course.sis_source_id,
        },
        "now": iso(school.clock.now()),
        "enrollments": [_row(school, row) for row in sorted(rows, key=lambda row: row.id)],
    }


def _row(school: School, row: Enrollment) -> dict[str, Any]:
    user, section = school.users[row.user_id], school.sections[row.section_id]
    login = login_of(school, user, row)
    now = school.clock.now()
    return {
        "id": str(row.id),
        "user_id": str(user.id),
        "name": user.name,
        "sortable_name": user.sortable_name,
        "email": email_of(school, user),
        "login_id": login.unique_id if login else None,
        "sis_user_id": login.sis_user_id if login else None,
        "lti_id": user.lti_id,
        "course_section_id": str(section.id),
        "sis_section_id": section.sis_source_id,
        "type": row.type,
        "role": school.roles[row.role_id].name,
        "role_id": str(row.role_id),
        "workflow_state": row.workflow_state,
        "date_state": date_state(school, row, now),
        "state_in_course": course_state(school, row, now),
        "on_default_roster": row.workflow_state in ROSTER_STATES,
        "limited": row.limit_privileges_to_course_section,
        "associated_user_id": _text(row.associated_user_id),
        "sis_import_id": row.sis_batch_id,
        "updated_at": iso(row.updated_at),
    }


def viewer_truth(request: Request, course: Course, viewer: User) -> dict[str, Any]:
    """What the viewer gets of the course, asked in every way at once."""
    call = _as(request, viewer)
    rights = course_rights(call.school, viewer, course)
    view = EnrollmentJson(call)
    shown = [] if isinstance(listed := _attempt(call, course), CanvasError) else listed
    roster = bool(rights & visibility.ROSTER_RIGHTS)
    every = visibility.visible_rows(call, course, rights) if roster else shown
    return {
        "viewer_id": str(viewer.id),
        "rights": sorted(rights),
        "status": listed.status if isinstance(listed, CanvasError) else 200,
        "default_list": [str(row.id) for row in shown],
        "any_state": [str(row.id) for row in every],
        "enrollments": [view.listed(row) for row in every],
        "users": _users(call, course) if roster else [],
    }


def _attempt(call: Call, course: Course) -> list[Enrollment] | CanvasError:
    try:
        return visibility.in_course(call, course)
    except CanvasError as refusal:
        return refusal


def _users(call: Call, course: Course) -> list[dict[str, Any]]:
    """The people of `/courses/:id/users`, which are not quite those of the enrollment lists."""
    rights = course_rights(call.school, call.user, course)
    seen = course_people.visible(call, course, rights)
    people = course_people.grouped(call, course_people.by_state(call, seen, rights))
    asks = frozenset({"email", "sis_user_id"})
    return [
        user_json(
            call,
            user,
            course,
            enrollment=rows[0],
            asks=asks,
            accepted=course_people.has_accepted(rows),
        )
        for user, rows in people.items()
        if not user.is_test_student
    ]


def _as(request: Request, viewer: User) -> Call:
    """A call as the viewer would make it with an unscoped token of their own."""
    school: School = request.app.state.school
    token: AccessToken = next(iter(school.tokens.values()))
    key = school.developer_keys[token.developer_key_id]
    return Call(request, school, Caller(viewer, viewer, token, key), Params(), {})


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)
