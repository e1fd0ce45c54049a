"""Bulk enrollment and the progress of its job: fact sheet enrollments-api.md section 5.2.

`errors` is text here and nowhere else.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from starlette.responses import Response
from starlette.routing import BaseRoute

from twin import ids
from twin.bulk_enrolling import BulkEnrolling, Progress
from twin.call import Call, api, iso
from twin.errors import BadRequest, NotFound, Unauthorized, internal_error
from twin.permissions import account_rights
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
    progress = _jobs(call).start(account, call.user, people, courses, role)
    return call.json(_json(call, progress))


def _jobs(call: Call) -> BulkEnrolling:
    jobs: BulkEnrolling = call.request.app.state.bulk_enrolling
    return jobs


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


def show_progress(call: Call) -> Response:
    progress = _jobs(call).get(ids.plain_id(call.school, call.path["id"]) or 0)
    if progress is None:
        raise NotFound
    if progress.user is not call.user and "read" not in account_rights(
        call.school, call.user, progress.account
    ):
        raise Unauthorized
    return call.json(_json(call, progress))


def _json(call: Call, progress: Progress) -> dict[str, Any]:
    data = {
        "id": progress.id,
        "context_id": progress.account.id,
        "context_type": "Account",
        "user_id": progress.user.id,
        "tag": "bulk_enrollment",
        "completion": progress.completion,
        "workflow_state": progress.workflow_state,
        "created_at": iso(progress.created_at),
        "updated_at": iso(progress.updated_at),
        "message": None,
        "url": f"{call.options.public_url}/api/v1/progress/{progress.id}",
    }
    return data | ({"results": {}} if progress.workflow_state == "completed" else {})


routes: list[BaseRoute] = [
    api("POST", "/api/v1/accounts/{account_id}/bulk_enrollment", bulk_enroll),
    api("GET", "/api/v1/progress/{id}", show_progress),
]
