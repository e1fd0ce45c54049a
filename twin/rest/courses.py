"""Courses: one, the caller's own, a user's, and what the caller may do in one.

Fact sheet roster-rest.md sections 5.2 to 5.4.
"""

from collections import defaultdict
from collections.abc import Iterable

from starlette.responses import Response
from starlette.routing import BaseRoute

from twin import errors, ids
from twin.call import Call, api
from twin.date_states import course_state
from twin.paging import ordinal
from twin.permissions import COURSE_PERMISSIONS, course_rights, own_enrollments, root_rights
from twin.records import COURSE_TYPES, TEACHER_LIKE, Course, Enrollment, User
from twin.rest.course_json import SHORT_TYPES, course_json
from twin.rest.paths import course_in_path, user_in_path

LIST_INCLUDES = (
    "needs_grading_count",
    "syllabus_body",
    "public_description",
    "term",
    "account",
    "sections",
    "storage_quota_used_mb",
    "total_students",
    "favorites",
    "teachers",
    "concluded",
    "post_manually",
)
STATE_WORDS = {
    "unpublished": {"created", "claimed"},
    "created": {"created"},
    "claimed": {"claimed"},
    "available": {"available"},
    "completed": {"completed"},
    "deleted": {"deleted"},
}
DATE_STATES = {
    "active": {"active"},
    "invited_or_pending": {"invited", "creation_pending", "pending_active", "pending_invited"},
    "completed": {"completed"},
}
TYPE_WORDS = {word: kind for kind, word in SHORT_TYPES.items() if kind in COURSE_TYPES}


def show_course(call: Call) -> Response:
    course = course_in_path(call, "id", deleted=call.includes("all_courses"))
    return _shown(call, course)


def show_account_course(call: Call) -> Response:
    account = ids.found(ids.find_account(call.school, call.path["account_id"]))
    course = course_in_path(call, "id", deleted=call.includes("all_courses"))
    above = call.school.accounts[course.account_id]
    while above.id != account.id:
        if above.parent_id is None:
            raise errors.NotFound
        above = call.school.accounts[above.parent_id]
    return _shown(call, course)


def _shown(call: Call, course: Course) -> Response:
    if "read" not in course_rights(call.school, call.user, course):
        raise errors.Unauthorized
    own = [
        row
        for row in own_enrollments(call.school, call.user, course)
        if row.workflow_state not in {"deleted", "rejected"}
    ]
    return call.json(course_json(call, course, call.chosen(*LIST_INCLUDES), own))


def list_own(call: Call) -> Response:
    return _listed(call, call.user)


def list_of_user(call: Call) -> Response:
    """Somebody else's only for who manages logins or observes the person."""
    user = user_in_path(call)
    if user is not call.user and not _may_read(call, user):
        raise errors.Unauthorized
    return _listed(call, user)


def _may_read(call: Call, user: User) -> bool:
    observed = any(
        link.student_id == user.id and link.workflow_state == "active"
        for link in call.school.observations_by_observer.of(call.user.id)
    )
    return observed or "manage_user_logins" in root_rights(call.school, call.user)


def _listed(call: Call, user: User) -> Response:
    """Courses with the user's own enrollments in them, by name."""
    held: defaultdict[int, list[Enrollment]] = defaultdict(list)
    for row in _chosen(call, call.school.enrollments_of_user.of(user.id)):
        held[row.course_id].append(row)
    courses = [
        course
        for course in (call.school.courses[course_id] for course_id in held)
        if _has_state(call, course, held[course.id]) and _is_wanted(call, course)
    ]
    courses.sort(key=lambda course: (course.name.casefold(), course.id))
    includes = call.chosen(*LIST_INCLUDES)
    return ordinal(
        call, courses, lambda course: course_json(call, course, includes, held[course.id])
    )


def _chosen(call: Call, rows: Iterable[Enrollment]) -> list[Enrollment]:
    """The user's enrollments by role (which wins), type and state by date."""
    role_text = call.params.text("enrollment_role_id")
    role_name = call.params.text("enrollment_role")
    kind = TYPE_WORDS.get(call.params.text("enrollment_type") or "", "")
    if role_text:
        rows = [row for row in rows if str(row.role_id) == role_text]
    elif role_name:
        rows = [row for row in rows if call.school.roles[row.role_id].name == role_name]
    elif "enrollment_type" in call.params:
        rows = [row for row in rows if row.type == kind]
    states = call.params.text("enrollment_state")
    if states is None:
        return [row for row in rows if _is_current(call, row)]
    wanted = DATE_STATES.get(states, set())
    return [row for row in rows if course_state(call.school, row, call.now) in wanted]


def _is_current(call: Call, row: Enrollment) -> bool:
    """Active and invited; concluded courses stay on the lists of their teachers."""
    course = call.school.courses[row.course_id]
    if row.workflow_state == "completed":
        return course.workflow_state == "completed" and row.type in TEACHER_LIKE
    if row.workflow_state == "deleted":
        return course.workflow_state == "deleted" and "deleted" in call.params.texts("state")
    return row.workflow_state in {"active", "invited"}


def _has_state(call: Call, course: Course, rows: list[Enrollment]) -> bool:
    words = call.params.texts_or_text("state")
    if words:
        return any(course.workflow_state in STATE_WORDS.get(word, ()) for word in words)
    if any(row.type in TEACHER_LIKE for row in rows):
        return course.workflow_state != "deleted"
    ended = call.params.text("enrollment_state") == "completed"
    return course.workflow_state in ({"available", "completed"} if ended else {"available"})


def _is_wanted(call: Call, course: Course) -> bool:
    if call.params.flag("exclude_blueprint_courses") and course.blueprint:
        return False
    if "homeroom" in call.params and call.params.flag("homeroom") != course.homeroom:
        return False
    account = call.params.text("account_id")
    return account is None or course.account_id == ids.plain_id(call.school, account)


def show_permissions(call: Call) -> Response:
    """For the caller; refused without `read`, even to one who may list the roster."""
    course = course_in_path(call)
    rights = course_rights(call.school, call.user, course)
    if "read" not in rights:
        raise errors.Unauthorized
    asked = call.params.texts("permissions") or sorted(COURSE_PERMISSIONS)
    return call.json({name: name in rights & COURSE_PERMISSIONS for name in asked})


routes: list[BaseRoute] = [
    api("GET", "/api/v1/courses", list_own),
    api("GET", "/api/v1/courses/{id}", show_course),
    api("GET", "/api/v1/users/{user_id}/courses", list_of_user),
    api("GET", "/api/v1/courses/{course_id}/permissions", show_permissions),
    api("GET", "/api/v1/accounts/{account_id}/courses/{id}", show_account_course),
]
