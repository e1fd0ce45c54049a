"""Users of an account, and making new ones: fact sheet roster-rest.md sections 8.1 and 9."""

import re
from collections.abc import Callable, Iterable
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from twin import errors, making
from twin.call import Call, api
from twin.paging import bookmarked, ordinal
from twin.params import Params
from twin.permissions import Rights, account_rights, root_rights
from twin.records import Account, Pseudonym, User
from twin.rest.accounts import account_tree, demand
from twin.rest.course_people import TYPE_WORDS
from twin.rest.paths import account_in_path
from twin.rest.render import email_of, login_of, user_json
from twin.school import School

INCLUDES = ("avatar_url", "email", "last_login", "time_zone", "uuid")
UUIDS_READ = 100
TAKEN = "ID already in use for this account and authentication provider"
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
LOGIN = re.compile(r"[\w\s@+.'=/&$-]+", re.UNICODE)


def list_users(call: Call) -> Response:
    account = account_in_path(call)
    demand(call, account, "read_roster")
    term = call.params.text("search_term")
    if term is not None and len(term) < 2:
        raise errors.short_search_term()
    users = _chosen(call, _associated(call, account))
    if term is not None:
        users = _searched(call, account, list(users), term)
    asks = call.chosen(*INCLUDES)

    def render(user: User) -> dict[str, Any]:
        return user_json(call, user, account, asks=asks)

    if call.params.text("sort") == "id":
        return bookmarked(
            call, sorted(users, key=lambda user: user.id), lambda user: (user.id,), render
        )
    return ordinal(call, _ordered(call, users), render, counted=False)


def _associated(call: Call, account: Account) -> Iterable[User]:
    """Users with a login, an enrollment or a role under the account; test students have none."""
    members = None if account.parent_id is None else _members(call.school, account)
    deleted = call.params.flag("include_deleted_users")
    return (
        user
        for user in call.school.users.values()
        if not user.is_test_student
        and (user.workflow_state != "deleted" or (deleted and user.merged_into_id is None))
        and (members is None or user.id in members)
    )


def _members(school: School, account: Account) -> set[int]:
    tree = {below.id for below in account_tree(school, account)}
    enrolled = {
        row.user_id
        for account_id in tree
        for course in school.courses_of_account.of(account_id)
        for row in school.enrollments_of_course.of(course.id)
        if row.workflow_state not in {"deleted", "rejected"}
    }
    admins = {
        admin.user_id
        for admin in school.admins.values()
        if admin.account_id in tree and admin.workflow_state == "active"
    }
    return enrolled | admins


def _chosen(call: Call, users: Iterable[User]) -> Iterable[User]:
    params, school = call.params, call.school
    if "uuids" in params:
        wanted = set(params.texts("uuids")[:UUIDS_READ])
        users = (user for user in users if user.uuid in wanted)
    kind = TYPE_WORDS.get(params.text("enrollment_type") or "")
    if kind is not None:
        users = (
            user
            for user in users
            if any(
                row.type == kind and row.workflow_state == "active"
                for row in school.enrollments_of_user.of(user.id)
            )
        )
    if role := params.text("role_filter_id"):
        users = (
            user
            for user in users
            if any(
                str(row.role_id) == role and row.workflow_state == "active"
                for row in school.enrollments_of_user.of(user.id)
            )
        )
    return users


def _searched(call: Call, account: Account, users: list[User], term: str) -> list[User]:
    """All digits: a Canvas id first, and the other fields only if nobody has it."""
    if term.isdecimal() and (exact := [user for user in users if str(user.id) == term]):
        return exact
    rights = account_rights(call.school, call.user, account)
    wanted = term.casefold()
    return [
        user
        for user in users
        if any(wanted in text.casefold() for text in _texts(call, user, rights))
    ]


def _texts(call: Call, user: User, rights: Rights) -> list[str]:
    texts: list[str | None] = [user.name]
    for login in call.school.pseudonyms_of_user.of(user.id):
        if "view_user_logins" in rights:
            texts.append(login.unique_id)
        if rights & {"read_sis", "manage_sis"}:
            texts.append(login.sis_user_id)
    if "read_email_addresses" in rights:
        texts.append(email_of(call.school, user))
    return [text for text in texts if text]


def _ordered(call: Call, users: Iterable[User]) -> list[User]:
    school = call.school

    def of_login(field: str) -> Callable[[User], str]:
        return lambda user: getattr(login_of(school, user), field, None) or ""

    keys: dict[str, Callable[[User], str]] = {
        "username": lambda user: user.sortable_name.casefold(),
        "email": lambda user: email_of(school, user) or "",
        "sis_id": of_login("sis_user_id"),
        "integration_id": of_login("integration_id"),
        "last_login": lambda user: user.last_login.isoformat() if user.last_login else "",
    }
    key = keys.get(call.params.text("sort") or "", keys["username"])
    backwards = call.params.text("order") == "desc"
    return sorted(users, key=lambda user: (key(user), user.id), reverse=backwards)


def create_user(call: Call) -> Response:
    """A user with a login; SIS ids are ignored, and no error, without `manage_sis`."""
    account_in_path(call)
    rights = root_rights(call.school, call.user)
    if "manage_user_logins" not in rights:
        raise errors.CanvasError(403, {})
    login = _login_fields(call, rights)
    if call.params.flag("enable_sis_reactivation"):
        revived = _revive(call, login.get("sis_user_id"))
        if revived is not None:
            return _created(call, revived)
    _check_login(call, login)
    user = _make(call, rights, login)
    return _created(call, user)


def _login_fields(call: Call, rights: Rights) -> dict[str, str | int | None]:
    form = call.params.group("pseudonym")
    fields: dict[str, str | int | None] = {"unique_id": (form.text("unique_id") or "").strip()}
    if "manage_sis" in rights:
        fields["sis_user_id"] = form.text("sis_user_id") or None
        fields["integration_id"] = form.text("integration_id") or None
    fields["declared_user_type"] = form.text("declared_user_type")
    if provider := form.text("authentication_provider_id"):
        fields["authentication_provider_id"] = _provider_id(call, provider)
    return fields


def _provider_id(call: Call, text: str) -> int:
    for provider in call.school.providers.values():
        if text in {str(provider.id), provider.type}:
            return provider.id
    raise errors.NotFound


def _check_login(call: Call, login: dict[str, str | int | None]) -> None:
    unique_id = str(login["unique_id"])
    strict = call.params.flag("force_validations")
    if not unique_id or not LOGIN.fullmatch(unique_id):
        raise _refused("unique_id", "invalid", "use only letters, numbers, spaces, or .-_=/@+$&'")
    if strict and not EMAIL.fullmatch(unique_id):
        raise _refused("unique_id", "not_email", "not a valid email address")
    if _holder(call.school, "sis_login_id", unique_id):
        raise _refused("unique_id", "taken", TAKEN)
    sis_id, integration_id = login.get("sis_user_id"), login.get("integration_id")
    if sis_id and _holder(call.school, "sis_user_id", str(sis_id)):
        raise _refused("sis_user_id", "taken", f'SIS ID "{sis_id}" is already in use')
    if integration_id and _holder(call.school, "sis_integration_id", str(integration_id)):
        text = f'Integration ID "{integration_id}" is already in use'
        raise _refused("integration_id", "taken", text)


def _holder(school: School, key: str, value: str) -> Pseudonym | None:
    return school.find(Pseudonym, key, value)


def _refused(attribute: str, kind: str, text: str) -> errors.BadRequest:
    fault = {"attribute": attribute, "type": kind, "message": text}
    body: dict[str, Any] = {
        "user": {},
        "pseudonym": {attribute: [fault]},
        "observee": {},
        "pairing_code": {},
        "recaptcha": None,
    }
    return errors.BadRequest({"errors": body})


def _revive(call: Call, sis_id: str | int | None) -> User | None:
    """A deleted login with the same SIS id comes back, and its user with it."""
    for login in call.school.pseudonyms.values():
        if sis_id and login.sis_user_id == sis_id and login.workflow_state == "deleted":
            user = call.school.users[login.user_id]
            call.school.update(login, workflow_state="active")
            call.school.update(user, workflow_state="registered")
            return user
    return None


def _make(call: Call, rights: Rights, login: dict[str, Any]) -> User:
    school, form = call.school, call.params.group("user")
    unique_id = login.pop("unique_id")
    name = form.text("name") or unique_id
    user = making.make_user(
        school,
        name,
        short_name=form.text("short_name") or name,
        sortable_name=form.text("sortable_name") or making.sortable(name),
        time_zone=form.text("time_zone"),
        locale=form.text("locale"),
        workflow_state="registered" if form.flag("skip_registration") else "pre_registered",
    )
    making.make_login(school, user, unique_id, **login)
    _make_channel(call, rights, user, unique_id)
    return user


def _make_channel(call: Call, rights: Rights, user: User, unique_id: str) -> None:
    form: Params = call.params.group("communication_channel")
    address = form.text("address") or (unique_id if EMAIL.fullmatch(unique_id) else None)
    if address is None:
        return
    confirmed = form.flag("skip_confirmation") and "manage_students" in rights
    making.make_email(
        call.school,
        user,
        address,
        path_type=form.text("type") or "email",
        workflow_state="active" if confirmed else "unconfirmed",
    )


def _created(call: Call, user: User) -> Response:
    data = user_json(call, user, call.school.root, asks={"locale", "sis_user_id"})
    if call.params.group("communication_channel").flag("confirmation_url"):
        data["confirmation_url"] = f"{call.origin}/register/{user.uuid[:20]}"
    if "terms_of_use" in call.params.group("user"):
        data["terms_of_use"] = call.params.group("user").flag("terms_of_use")
    return call.json(data)


routes: list[BaseRoute] = [
    api("GET", "/api/v1/accounts/{account_id}/users", list_users),
    api("POST", "/api/v1/accounts/{account_id}/users", create_user),
]
