"""One user, the profile, logins and observers: fact sheet roster-rest.md sections 1, 8.2 and 8.3.

Rights are judged on the root account here, so a teacher sees fewer fields than in course lists.
"""

from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from twin import errors, ids
from twin.call import Call, api
from twin.paging import bookmarked, ordinal
from twin.permissions import course_rights, root_rights
from twin.records import TEACHER_LIKE, Pseudonym, User
from twin.rest.paths import account_in_path, user_in_path
from twin.rest.render import avatar_url, email_of, login_json, login_of, user_json

SHOW_INCLUDES = ("uuid", "last_login")


def observes(call: Call, user: User) -> bool:
    return any(
        link.student_id == user.id and link.workflow_state == "active"
        for link in call.school.observations_by_observer.of(call.user.id)
    )


def show_user(call: Call) -> Response:
    """404, not 401, for who may not see the user; a deleted one is 404 with a body."""
    user = user_in_path(call, "id")
    rights = root_rights(call.school, call.user)
    if user is not call.user and not rights & {"read_roster", "manage_user_logins"}:
        raise errors.NotFound
    asks = call.chosen(*SHOW_INCLUDES) | {"locale", "avatar_url", "email", "sis_user_id"}
    data = user_json(call, user, call.school.root, asks=asks)
    data["permissions"] = {
        "can_update_name": user is call.user or "manage_user_details" in rights,
        "can_update_avatar": user is call.user or "manage_user_details" in rights,
        "limit_parent_app_web_access": False,
    }
    if user is call.user:
        data["effective_locale"] = user.locale or "en"
    if user.workflow_state == "deleted":
        if user.merged_into_id is not None:
            data["merged_into_user_id"] = user.merged_into_id
        raise errors.NotFound(data)
    return call.json(data)


def show_profile(call: Call) -> Response:
    """`login_id` and `integration_id` are there even where the user object hides them."""
    user = user_in_path(call)
    if user.workflow_state == "deleted":
        raise errors.NotFound
    if not _may_read_profile(call, user):
        raise errors.Unauthorized
    login = login_of(call.school, user)
    seen = user_json(call, user, call.school.root, asks={"sis_user_id"})
    data: dict[str, Any] = {
        "id": user.id,
        "name": user.name,
        "short_name": user.short_name,
        "sortable_name": user.sortable_name,
        "title": None,
        "bio": user.bio,
        "pronunciation": None,
        "login_id": login.unique_id if login else None,
        "integration_id": login.integration_id if login else None,
        "avatar_url": avatar_url(call, user),
        "time_zone": user.time_zone,
        "locale": user.locale,
        "effective_locale": user.locale or "en",
        "pronouns": user.pronouns,
    }
    if "sis_user_id" in seen:
        data["sis_user_id"] = seen["sis_user_id"]
    mails = "read_email_addresses" in root_rights(call.school, call.user)
    if user is call.user or mails:
        data["primary_email"] = email_of(call.school, user)
    if user is call.user:
        data["lti_user_id"] = user.lti_context_id
        data["calendar"] = {"ics": f"{call.origin}/feeds/calendars/user_{user.uuid}.ics"}
        data["k5_user"] = False
    return call.json(data)


def _may_read_profile(call: Call, user: User) -> bool:
    """Self; teacher-like in a course of the user, or `read_reports` there; account managers."""
    if user is call.user:
        return True
    if root_rights(call.school, call.user) & {"manage_students", "manage_user_logins"}:
        return True
    school = call.school
    courses = {
        row.course_id
        for row in school.enrollments_of_user.of(user.id)
        if row.workflow_state != "deleted"
    }
    teaches = any(
        row.course_id in courses
        and row.type in TEACHER_LIKE
        and row.workflow_state in {"active", "invited"}
        for row in school.enrollments_of_user.of(call.user.id)
    )
    return teaches or any(
        "read_reports" in course_rights(school, call.user, school.courses[course_id])
        for course_id in courses
    )


def list_user_logins(call: Call) -> Response:
    return bookmarked(
        call,
        _logins(call, user_in_path(call)),
        lambda login: (login.id,),
        lambda login: login_json(call, login),
    )


def list_account_logins(call: Call) -> Response:
    """Logins of `user_id`, or the caller's, in the root account."""
    account = account_in_path(call)
    if account.parent_id is not None:
        raise errors.message("Action must be called on a root account.")
    text = call.params.text("user_id")
    user = call.user if text is None else ids.found(ids.find_user(call.school, text, call.user))
    return ordinal(call, _logins(call, user), lambda login: login_json(call, login))


def _logins(call: Call, user: User) -> list[Pseudonym]:
    manages = "manage_user_logins" in root_rights(call.school, call.user)
    if user is not call.user and not manages and not observes(call, user):
        raise errors.Unauthorized
    rows = [
        login
        for login in call.school.pseudonyms_of_user.of(user.id)
        if login.workflow_state != "deleted"
    ]
    return sorted(rows, key=lambda login: login.id)


def list_observees(call: Call) -> Response:
    user = _observed_by_permission(call)
    return _people(call, [link.student_id for link in _links(call, user, observer=True)])


def list_observers(call: Call) -> Response:
    user = _observed_by_permission(call)
    return _people(call, [link.observer_id for link in _links(call, user, observer=False)])


def _observed_by_permission(call: Call) -> User:
    user = user_in_path(call)
    manages = "manage_user_observers" in root_rights(call.school, call.user)
    if user is not call.user and not manages:
        raise errors.Unauthorized
    return user


def _links(call: Call, user: User, *, observer: bool) -> list[Any]:
    school = call.school
    index = school.observations_by_observer if observer else school.observations_of_student
    return [link for link in index.of(user.id) if link.workflow_state == "active"]


def _people(call: Call, user_ids: list[int]) -> Response:
    users = sorted(
        (call.school.users[user_id] for user_id in dict.fromkeys(user_ids)),
        key=lambda user: (user.sortable_name.casefold(), user.id),
    )
    asks = call.chosen("avatar_url")
    return ordinal(
        call,
        [user for user in users if user.workflow_state != "deleted"],
        lambda user: user_json(call, user, call.school.root, asks=asks),
    )


def show_observee(call: Call) -> Response:
    return _one(call, "observee_id", observer=True)


def show_observer(call: Call) -> Response:
    return _one(call, "observer_id", observer=False)


def _one(call: Call, name: str, *, observer: bool) -> Response:
    user = _observed_by_permission(call)
    other = user_in_path(call, name)
    links = _links(call, user, observer=observer)
    if not any(other.id in {link.student_id, link.observer_id} for link in links):
        raise errors.NotFound
    return call.json(user_json(call, other, call.school.root))


routes: list[BaseRoute] = [
    api("GET", "/api/v1/users/{id}", show_user),
    api("GET", "/api/v1/users/{user_id}/profile", show_profile),
    api("GET", "/api/v1/users/{user_id}/logins", list_user_logins),
    api("GET", "/api/v1/accounts/{account_id}/logins", list_account_logins),
    api("GET", "/api/v1/users/{user_id}/observees", list_observees),
    api("GET", "/api/v1/users/{user_id}/observers", list_observers),
    api("GET", "/api/v1/users/{user_id}/observees/{observee_id}", show_observee),
    api("GET", "/api/v1/users/{user_id}/observers/{observer_id}", show_observer),
]
