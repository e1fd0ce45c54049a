"""Roles and admins of an account: fact sheet roster-rest.md sections 1 and 4."""

from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from twin import errors, ids
from twin.call import Call, api, iso
from twin.paging import ordinal
from twin.permissions import DEFAULTS, ROLE_PERMISSIONS, account_chain, role_permissions
from twin.records import Account, AccountUser, Role
from twin.rest.accounts import demand
from twin.rest.paths import account_in_path
from twin.rest.render import user_json


def list_roles(call: Call) -> Response:
    """Roles of the account; custom ones of the accounts above only with `show_inherited`."""
    account = account_in_path(call)
    demand(call, account, "manage_role_overrides")
    states = set(call.params.texts("state")) or {"active"}
    above = [held.id for held in account_chain(call.school, account.id)]
    owners = set(above if call.params.flag("show_inherited") else above[:1])
    rows = [
        role
        for role in call.school.roles.values()
        if _in_state(role, states)
        and (role.workflow_state == "built_in" or role.account_id in owners)
    ]
    return ordinal(call, rows, lambda role: role_json(call, role))


def _in_state(role: Role, states: set[str]) -> bool:
    shown = "active" if role.workflow_state == "built_in" else role.workflow_state
    return shown in states and shown != "deleted"


def show_role(call: Call) -> Response:
    account = account_in_path(call)
    demand(call, account, "manage_role_overrides")
    number = ids.plain_id(call.school, call.path["id"])
    role = ids.found(call.school.roles.get(number or 0))
    if role.workflow_state == "deleted":
        raise errors.NotFound
    return call.json(role_json(call, role))


def list_role_permissions(call: Call) -> Response:
    """The names that roles can be granted."""
    account = account_in_path(call)
    demand(call, account, "manage_role_overrides")
    rows = sorted(ROLE_PERMISSIONS)
    return ordinal(
        call,
        rows,
        lambda name: {"key": name, "label": name.replace("_", " ").capitalize(), "group": None},
    )


def role_json(call: Call, role: Role) -> dict[str, Any]:
    data: dict[str, Any] = {
        "id": role.id,
        "role": role.name,
        "label": role.label,
        "last_updated_at": iso(role.updated_at),
        "created_at": iso(role.created_at),
        "base_role_type": role.base_type,
        "workflow_state": role.workflow_state,
        "is_account_role": role.base_type == "AccountMembership",
        "permissions": _role_permissions(role),
    }
    if role.workflow_state != "built_in":
        account = call.school.accounts[role.account_id]
        data["account"] = {"id": account.id, "name": account.name}
    return data


def _role_permissions(role: Role) -> dict[str, Any]:
    granted = role_permissions(role)
    defaults = DEFAULTS[role.name if role.name in DEFAULTS else role.base_type]
    permissions: dict[str, Any] = {}
    for name in sorted(ROLE_PERMISSIONS):
        entry: dict[str, Any] = {
            "enabled": name in granted,
            "locked": False,
            "readonly": False,
            "explicit": name in role.overrides,
        }
        if name in role.overrides:
            entry["prior_default"] = name in defaults
        if name in granted:
            entry["applies_to_self"] = entry["applies_to_descendants"] = True
        permissions[name] = entry
    return permissions


def list_admins(call: Call) -> Response:
    account = account_in_path(call)
    demand(call, account, "manage_account_memberships")
    wanted = {
        user.id
        for text in call.params.texts_or_text("user_id")
        if (user := ids.find_user(call.school, text, call.user)) is not None
    }
    rows = [
        admin
        for admin in call.school.admins.values()
        if admin.account_id == account.id
        and admin.workflow_state == "active"
        and ("user_id" not in call.params or admin.user_id in wanted)
    ]
    return ordinal(call, rows, lambda admin: _admin_json(call, admin, account))


def list_own_admins(call: Call) -> Response:
    """The caller's own roles in the account: no permission needed."""
    account = account_in_path(call)
    rows = [
        admin
        for admin in call.school.admins_of_user.of(call.user.id)
        if admin.account_id == account.id and admin.workflow_state == "active"
    ]
    return ordinal(call, rows, lambda admin: _admin_json(call, admin, account))


def _admin_json(call: Call, admin: AccountUser, account: Account) -> dict[str, Any]:
    return {
        "id": admin.id,
        "role": call.school.roles[admin.role_id].name,
        "role_id": admin.role_id,
        "user": user_json(call, call.school.users[admin.user_id], account),
        "workflow_state": admin.workflow_state,
    }


routes: list[BaseRoute] = [
    api("GET", "/api/v1/accounts/{account_id}/roles", list_roles),
    api("GET", "/api/v1/accounts/{account_id}/roles/permissions", list_role_permissions),
    api("GET", "/api/v1/accounts/{account_id}/roles/{id}", show_role),
    api("GET", "/api/v1/accounts/{account_id}/admins", list_admins),
    api("GET", "/api/v1/accounts/{account_id}/admins/self", list_own_admins),
]
