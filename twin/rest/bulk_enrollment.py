"""Bulk enrollment, answered by the progress of its job: fact sheet enrollments-api.md section 5.2.

`errors` is text here and nowhere else.
"""

from collections.abc import Callable
from typing import TypeVar

from starlette.responses import Response
from starlette.routing import BaseRoute

from twin import ids
from twin.bulk_enrolling import Job
from twin.call import Call, api
from twin.errors import BadRequest, Unauthorized, internal_error
from twin.progress import progress_json
from twin.records import COURSE_TYPES, Account, Course, Role
from twin.rest.enrolling import INACTIVE_ROLE, INVALID_ROLE, TYPE_MISMATCH, may_enrol
from twin.roles import built_in_role_id
from twin.school import School

MOST = 500
"""Users times courses of one job."""

RowT = TypeVar("RowT")


def bulk_enroll(call: Call) -> Response:
    account: Account = ids.found(ids.find_account(call.school, call.path["account_id"]))
    if "user_ids" not in call.params or "course_ids" not in call.params:
        raise internal_error()
    role = _role(call)
    people = _known(call, "user_ids", lambda school, text: ids.find_user(school, text, call.user))
    courses: list[Course] = _known(call, "course_ids", ids.find_course)
    if len(people) * len(courses) > MOST:
        raise BadRequest({"errors": "Too many users to enroll at once."})
    if not all(may_enrol(call, course, role.base_type) for course in courses):
        raise Unauthorized
    state = call.request.app.state
    progress = state.progresses.start(
        "bulk_enrollment", "Account", account.id, call.user.id, call.now
    )
    state.bulk_enrolling.ask(Job(people, courses, role, progress))
    return call.json(progress_json(call, progress))


def _role(call: Call) -> Role:
    kind = call.params.text("enrollment_type") or "StudentEnrollment"
    if not (text := call.params.text("enrollment_role_id")):
        if kind not in COURSE_TYPES:
            raise BadRequest({"errors": "Invalid enrollment type."})
        return call.school.roles[built_in_role_id(call.school, kind)]
    role = call.school.roles.get(ids.plain_id(call.school, text) or 0)
    if role is None or role.workflow_state == "deleted" or role.base_type not in COURSE_TYPES:
        raise BadRequest({"errors": INVALID_ROLE})
    if role.workflow_state == "inactive":
        raise BadRequest({"errors": INACTIVE_ROLE})
    if call.params.text("enrollment_type") and kind != role.base_type:
        raise BadRequest({"errors": TYPE_MISMATCH})
    return role


def _known(call: Call, name: str, find: Callable[[School, str], RowT | None]) -> list[RowT]:
    """The rows that the ids name; ids of nothing are left out."""
    rows = (find(call.school, text) for text in call.params.texts_or_text(name))
    return [row for row in rows if row is not None]


routes: list[BaseRoute] = [
    api("POST", "/api/v1/accounts/{account_id}/bulk_enrollment", bulk_enroll),
]
