"""Who calls: bearer token, scopes, and acting as another person.

Fact sheets transport.md section 3, oauth2.md sections 5 to 7.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from starlette.requests import Request

from twin import errors, ids
from twin.permissions import may_view_as_student, role_permissions, root_rights
from twin.records import TEACHER_LIKE, AccessToken, DeveloperKey, User
from twin.school import School


@dataclass(frozen=True, slots=True)
class Caller:
    user: User
    """Whose rights count: the target where somebody is acted for."""
    real_user: User
    """Whose token it is."""
    token: AccessToken
    key: DeveloperKey

    @property
    def masquerading(self) -> bool:
        return self.user is not self.real_user


@dataclass(frozen=True, slots=True)
class MasqueradedCall:
    at: datetime
    method: str
    path: str
    user_id: int
    real_user_id: int
    token_id: int


class MasqueradeLog(deque[MasqueradedCall]):
    """The last hundred thousand calls made as somebody else, oldest first."""

    def __init__(self) -> None:
        super().__init__(maxlen=100_000)


def bearer_token(request: Request) -> str | None:
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and value.strip():
        return value.strip()
    return request.query_params.get("access_token")


def authenticate(school: School, request: Request) -> Caller:
    """The holder of a living token of a living key, or Canvas's 401."""
    text = bearer_token(request)
    if text is None:
        raise errors.unauthenticated()
    token = school.find(AccessToken, "token", text)
    if token is None or token.workflow_state != "active":
        raise errors.invalid_token()
    key = school.developer_keys[token.developer_key_id]
    user = school.users[token.user_id]
    expired = token.expires_at is not None and token.expires_at <= school.clock.now()
    key_off = key.workflow_state != "active" or not key.on
    if expired or key_off or not _can_log_in(school, user):
        raise errors.invalid_token()
    real_user = user if token.real_user_id is None else school.users[token.real_user_id]
    return Caller(user, real_user, token, key)


def _can_log_in(school: School, user: User) -> bool:
    return user.workflow_state != "deleted" and any(
        login.workflow_state == "active" for login in school.pseudonyms_of_user.of(user.id)
    )


def check_scopes(caller: Caller, method: str, path: str) -> None:
    """Refuse a scoped key's token that was not granted this verb and path."""
    if not caller.key.require_scopes:
        return
    verb = "GET" if method == "HEAD" else method
    if not any(_covers(scope, verb, path) for scope in caller.token.scopes):
        raise errors.insufficient_scopes()


def _covers(scope: str, verb: str, path: str) -> bool:
    """Each `:name` of the scope's route stands for one segment of the path."""
    head, _, route = scope.partition("|")
    if head != f"url:{verb}":
        return False
    wanted, given = route.split("/"), path.split("/")
    return len(wanted) == len(given) and all(
        part == have or (part.startswith(":") and have != "")
        for part, have in zip(wanted, given, strict=True)
    )


def strip_includes(caller: Caller, values: dict[str, Any]) -> None:
    """A scoped key without "Allow Include Parameters" keeps `uuid` of every include."""
    if not caller.key.require_scopes or caller.key.allow_includes:
        return
    for name in ("include", "includes"):
        if name in values:
            asked = values.pop(name)
            if isinstance(asked, list):
                values[name] = [item for item in asked if item == "uuid"]


def act_as(school: School, caller: Caller, target_id: str | None) -> Caller:
    """The caller with the target's rights; refused as Canvas refuses."""
    if not target_id:
        return caller
    target = ids.find_user(school, target_id, caller.user)
    if caller.masquerading:
        if target is not caller.user:
            raise errors.cannot_change_masquerade()
        return caller
    if target is None:
        raise errors.invalid_as_user()
    if target.merged_into_id is not None:
        may_read = "read_roster" in root_rights(school, caller.user)
        raise errors.invalid_as_user(target.merged_into_id if may_read else None)
    if not may_act_as(school, caller.user, target):
        raise errors.invalid_as_user()
    return Caller(target, caller.user, caller.token, caller.key)


def may_act_as(school: School, user: User, target: User) -> bool:
    if user is target:
        return True
    rights = root_rights(school, user)
    if target.is_test_student:
        return school.options.anybody_is_test_student or may_view_as_student(school, user, target)
    logins = school.pseudonyms_of_user.of(target.id)
    if "become_user" not in rights or target.workflow_state == "deleted":
        return False
    if not any(login.workflow_state != "deleted" for login in logins):
        return False
    return _no_stronger(school, user, target)


def _no_stronger(school: School, user: User, target: User) -> bool:
    """Whether the caller holds every permission of the target's admin (and teacher) roles."""
    held = root_rights(school, user)
    roles = {
        admin.role_id
        for admin in school.admins_of_user.of(target.id)
        if admin.workflow_state == "active"
    }
    if school.options.course_role_masquerade_check:
        roles |= {
            row.role_id
            for row in school.enrollments_of_user.of(target.id)
            if row.type in TEACHER_LIKE and row.workflow_state in {"active", "invited"}
        }
    return all(role_permissions(school.roles[role_id]) <= held for role_id in roles)
