"""Users of a course: fact sheet roster-rest.md section 7.1.

The test student is taken out after the page is cut, so a page can be short without being the last.
"""

from collections.abc import Callable
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from twin import errors, ids
from twin.call import Call, api
from twin.paging import ordinal, per_page
from twin.records import Course, Enrollment, User
from twin.rest.course_people import (
    HIDDEN_STATES,
    People,
    by_role,
    by_section,
    by_state,
    demand_roster,
    grouped,
    has_accepted,
    ordered,
    searched,
    visible,
)
from twin.rest.enrollment_json import EnrollmentJson
from twin.rest.paths import course_in_path
from twin.rest.render import user_json

INCLUDES = ("avatar_url", "bio", "custom_links", "uuid", "group_ids")


def list_users(call: Call) -> Response:
    course = course_in_path(call)
    rights = demand_roster(call, course)
    seen = visible(call, course, rights)
    people = grouped(call, by_section(call, by_role(call, by_state(call, seen, rights))))
    people = searched(call, _named(call, people), rights)
    users = ordered(call, people)
    _jump_to_page(call, users)
    return ordinal(
        call, users, _renderer(call, course, people), counted=False, shown=_shows_test(call)
    )


def _named(call: Call, people: People) -> People:
    """Only the people named by id or uuid, where any are."""
    texts = call.params.texts("user_ids")
    if (joined := call.params.text("user_ids")) is not None:
        texts = [text.strip() for text in joined.split(",")]
    if texts and "user_id" not in call.params:
        wanted = {ids.find_user(call.school, text, call.user) for text in texts}
        people = {user: rows for user, rows in people.items() if user in wanted}
    if uuids := call.params.texts_or_text("user_uuids"):
        people = {user: rows for user, rows in people.items() if user.uuid in uuids}
    return people


def _jump_to_page(call: Call, users: list[User]) -> None:
    """`user_id` asks for the page on which that user is."""
    text = call.params.text("user_id")
    user = None if text is None else ids.find_user(call.school, text, call.user)
    if user in users:
        call.params.values["page"] = str(users.index(user) // per_page(call) + 1)


def _shows_test(call: Call) -> Callable[[User], bool]:
    shown = call.includes("test_student") or "student_view" in call.params.texts_or_text(
        "enrollment_type"
    )
    return lambda user: shown or not user.is_test_student


def _renderer(call: Call, course: Course, people: People) -> Callable[[User], dict[str, Any]]:
    asks = call.chosen(*INCLUDES) | {"email", "sis_user_id"}
    enrollments = _enrollments_of(call, course) if call.includes("enrollments") else None

    def render(user: User) -> dict[str, Any]:
        accepted = has_accepted(people[user])
        data = user_json(call, user, course, asks=asks, accepted=accepted)
        if enrollments is not None:
            data["enrollments"] = enrollments(user)
        return data

    return render


def _enrollments_of(call: Call, course: Course) -> Callable[[User], list[dict[str, Any]]]:
    """All enrollments of a listed person in the course, other sections included."""
    states = call.params.texts_or_text("enrollment_state")
    makes = EnrollmentJson(call)
    rights = demand_roster(call, course)
    hide_sections = course.hide_sections_on_course_users_page and "read_as_admin" not in rights

    def of(user: User) -> list[dict[str, Any]]:
        rows = [
            row
            for row in call.school.enrollments_of_user.of(user.id)
            if row.course_id == course.id and _is_asked(call, row, states)
        ]
        shown = [makes.of(row) for row in rows]
        if hide_sections:
            for data in shown:
                data.pop("course_section_id", None)
        return shown

    return of


def _is_asked(call: Call, row: Enrollment, states: list[str]) -> bool:
    if states:
        return row.workflow_state in states
    if row.workflow_state == "inactive":
        return call.includes("inactive_enrollments") or call.params.flag("include_inactive")
    return row.workflow_state not in HIDDEN_STATES


def show_user(call: Call) -> Response:
    """One person of the course; who is not visible is not found."""
    course = course_in_path(call)
    rights = demand_roster(call, course, "read_roster")
    user = ids.find_user(call.school, call.path["id"], call.user)
    rows = [row for row in visible(call, course, rights) if user and row.user_id == user.id]
    if user is None or not rows:
        raise errors.NotFound
    return call.json(_renderer(call, course, {user: rows})(user))


def list_students(call: Call) -> Response:
    """Deprecated, and all at once."""
    course = course_in_path(call)
    rights = demand_roster(call, course, "read_roster")
    rows = [row for row in visible(call, course, rights) if row.type == "StudentEnrollment"]
    people = grouped(call, [row for row in rows if row.workflow_state not in HIDDEN_STATES])
    render = _renderer(call, course, people)
    return call.json([render(user) for user in ordered(call, people)])


def list_recent_students(call: Call) -> Response:
    """Students who have logged in, the newest first."""
    course = course_in_path(call)
    rights = demand_roster(call, course, "read_reports")
    rows = [row for row in visible(call, course, rights) if row.type == "StudentEnrollment"]
    people = grouped(call, [row for row in rows if row.workflow_state not in HIDDEN_STATES])
    recent = [(user.last_login, user.id, user) for user in people if user.last_login is not None]
    recent.sort(key=lambda item: item[:2], reverse=True)
    return ordinal(
        call,
        [user for _, _, user in recent],
        lambda user: user_json(call, user, course, asks={"last_login"}),
    )


routes: list[BaseRoute] = [
    api("GET", "/api/v1/courses/{course_id}/users", list_users),
    api("GET", "/api/v1/courses/{course_id}/search_users", list_users),
    api("GET", "/api/v1/courses/{course_id}/users/{id}", show_user),
    api("GET", "/api/v1/courses/{course_id}/students", list_students),
    api("GET", "/api/v1/courses/{course_id}/recent_students", list_recent_students),
]
