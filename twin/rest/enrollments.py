"""Lists of enrollments by course, section and person, and one enrollment by id.

Fact sheet enrollments-api.md sections 1 to 3: bookmark pages, no `last`, one row per enrollment.
"""

from datetime import datetime
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from twin import ids, paging
from twin.call import Call, api
from twin.errors import NotFound, Unauthorized
from twin.permissions import root_rights
from twin.records import Course, Enrollment, User
from twin.rest import enrolling, enrollment_tasks, temporary_enrollments
from twin.rest.enrollment_filters import apply_filters
from twin.rest.enrollment_json import EnrollmentJson
from twin.rest.paths import course_in_path, section_in_path
from twin.rest.visibility import in_course, of_user


def of_course_list(call: Call) -> Response:
    course = course_in_path(call)
    return _page(call, apply_filters(call, in_course(call, course), course))


def of_section_list(call: Call) -> Response:
    """A course's list cut to the section; permission is asked on the course."""
    section = section_in_path(call)
    course: Course = call.school.courses[section.course_id]
    rows = apply_filters(call, in_course(call, course), course)
    return _page(call, [row for row in rows if row.section_id == section.id])


def of_user_list(call: Call) -> Response:
    person: User = ids.found(ids.find_user(call.school, call.path["user_id"], call.user))
    lent = temporary_enrollments.asked_listing(call, person)
    if lent is not None:
        return _page(call, lent, by_dates=True)
    return _page(call, apply_filters(call, of_user(call, person), None))


def show(call: Call) -> Response:
    """By the root account only: a sub-account's id finds no enrollment."""
    account = ids.found(ids.find_account(call.school, call.path["account_id"]))
    number = ids.plain_id(call.school, call.path["id"])
    row = None if number is None else call.school.enrollments.get(number)
    if account is not call.school.root or row is None:
        raise NotFound
    own = row.user_id == call.user.id
    if not own and "read_roster" not in root_rights(call.school, call.user):
        raise Unauthorized
    return call.json(EnrollmentJson(call).of(row))


def _page(call: Call, rows: list[Enrollment], *, by_dates: bool = False) -> Response:
    users = call.school.users

    def by_name(row: Enrollment) -> tuple[Any, ...]:
        return row.type, users[row.user_id].sortable_name.casefold(), row.id

    key = _by_dates if by_dates else by_name
    rows = sorted(rows, key=key)
    view = EnrollmentJson(call)
    if call.caller.key.id in call.options.ordinal_enrollment_keys:
        return paging.ordinal(call, rows, view.listed)
    return paging.bookmarked(call, rows, key, view.listed)


def _by_dates(row: Enrollment) -> tuple[Any, ...]:
    return row.type, _sortable(row.start_at), _sortable(row.end_at), row.id


def _sortable(time: datetime | None) -> str:
    """No date comes last, as nulls do in PostgreSQL."""
    return "~" if time is None else time.isoformat()


_COURSE = "/api/v1/courses/{course_id}/enrollments"
_SECTION = "/api/v1/sections/{section_id}/enrollments"

routes: list[BaseRoute] = [
    api("GET", _COURSE, of_course_list),
    api("GET", _SECTION, of_section_list),
    api("GET", "/api/v1/users/{user_id}/enrollments", of_user_list),
    api("GET", "/api/v1/accounts/{account_id}/enrollments/{id}", show),
    api("POST", _COURSE, enrolling.create_in_course),
    api("POST", _SECTION, enrolling.create_in_section),
    api("DELETE", _COURSE + "/{id}", enrollment_tasks.end),
    api("PUT", _COURSE + "/{id}/reactivate", enrollment_tasks.reactivate),
    api("POST", _COURSE + "/{id}/accept", enrollment_tasks.accept),
    api("POST", _COURSE + "/{id}/reject", enrollment_tasks.reject),
    api(
        "PUT",
        "/api/v1/courses/{course_id}/users/{user_id}/last_attended",
        enrollment_tasks.last_attended,
    ),
    *temporary_enrollments.routes,
]
