"""Accounts and what the caller may do there: fact sheet roster-rest.md sections 1 and 2."""

from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from twin import errors
from twin.call import Call, api
from twin.paging import bookmarked, ordinal
from twin.permissions import ACCOUNT_PERMISSIONS, account_rights, root_rights
from twin.records import TEACHER_LIKE, Account, Course
from twin.rest.paths import account_in_path
from twin.school import School

ANY_COURSE_MANAGER = frozenset({"manage_courses", "manage_courses_admin", "create_courses"})


def demand(call: Call, account: Account, *permissions: str) -> None:
    """Any of the permissions on the account, or Canvas's 401."""
    if not account_rights(call.school, call.user, account).intersection(permissions):
        raise errors.Unauthorized


def account_tree(school: School, account: Account) -> list[Account]:
    """The account and every living account below it."""
    tree = [account]
    for parent in tree:
        tree += living(school.accounts_of_parent.of(parent.id))
    return tree


def living(accounts: list[Account]) -> list[Account]:
    return [account for account in accounts if account.workflow_state != "deleted"]


def list_accounts(call: Call) -> Response:
    """The accounts that the caller administers; nobody else's list has any."""
    held = {
        admin.account_id
        for admin in call.school.admins_of_user.of(call.user.id)
        if admin.workflow_state == "active"
    }
    rows = living([call.school.accounts[account_id] for account_id in sorted(held)])
    return ordinal(call, rows, lambda account: account_json(call, account))


def list_manageable(call: Call) -> Response:
    return _accounts_where(call, ANY_COURSE_MANAGER)


def list_course_creation(call: Call) -> Response:
    return _accounts_where(call, frozenset({"create_courses"}))


def _accounts_where(call: Call, wanted: frozenset[str]) -> Response:
    rows = [
        account
        for account in living(list(call.school.accounts.values()))
        if account_rights(call.school, call.user, account) & wanted
    ]
    return ordinal(call, rows, lambda account: account_json(call, account))


def list_course_accounts(call: Call) -> Response:
    """Accounts of the courses where the caller is teacher, TA or designer: few keys."""
    school = call.school
    held = {
        school.courses[row.course_id].account_id
        for row in school.enrollments_of_user.of(call.user.id)
        if row.type in TEACHER_LIKE and row.workflow_state in {"active", "invited"}
    }
    rows = living([school.accounts[account_id] for account_id in sorted(held)])
    return bookmarked(
        call,
        rows,
        lambda account: (account.id,),
        lambda account: account_json(call, account, read_only=True),
    )


def show_account(call: Call) -> Response:
    account = account_in_path(call, "id")
    demand(call, account, "read")
    return call.json(account_json(call, account))


def list_sub_accounts(call: Call) -> Response:
    account = account_in_path(call)
    demand(call, account, "read")
    recursive = call.params.flag("recursive")
    rows = (
        account_tree(call.school, account)[1:]
        if recursive
        else living(call.school.accounts_of_parent.of(account.id))
    )
    by_name = call.params.text("order") == "name"
    rows = sorted(rows, key=lambda row: (row.name.casefold() if by_name else "", row.id))
    return ordinal(call, rows, lambda row: account_json(call, row), counted=not recursive)


def show_permissions(call: Call) -> Response:
    account = account_in_path(call)
    rights = account_rights(call.school, call.user, account)
    if "read" not in rights:
        raise errors.Unauthorized
    asked = call.params.texts("permissions") or sorted(ACCOUNT_PERMISSIONS)
    return call.json({name: name in rights for name in asked})


def account_json(call: Call, account: Account, *, read_only: bool = False) -> dict[str, Any]:
    school = call.school
    is_root = account.parent_id is None
    data: dict[str, Any] = {
        "id": account.id,
        "name": account.name,
        "workflow_state": account.workflow_state,
        "parent_account_id": account.parent_id,
        "root_account_id": None if is_root else school.root.id,
        "uuid": account.uuid,
        "default_time_zone": account.time_zone,
    }
    if not read_only:
        data |= {
            "default_storage_quota_mb": 500,
            "default_user_storage_quota_mb": 50,
            "default_group_storage_quota_mb": 50,
        }
    rights = root_rights(school, call.user)
    if not is_root and rights & {"read_sis", "manage_sis"}:
        data["sis_account_id"] = account.sis_source_id
        data["integration_id"] = account.integration_id
    if not is_root and "manage_sis" in rights:
        data["sis_import_id"] = account.sis_batch_id
    if call.options.course_templates:
        data["course_template_id"] = None
    return data | _included(call, account)


def _included(call: Call, account: Account) -> dict[str, Any]:
    school = call.school
    data: dict[str, Any] = {}
    if call.includes("lti_guid"):
        data["lti_guid"] = account.lti_guid
    if call.includes("course_count"):
        tree = account_tree(school, account)
        data["course_count"] = sum(
            course.workflow_state != "deleted"
            for below in tree
            for course in school.courses_of_account.of(below.id)
        )
    if call.includes("sub_account_count"):
        data["sub_account_count"] = len(living(school.accounts_of_parent.of(account.id)))
    if call.includes("registration_settings"):
        data["registration_settings"] = {"login_handle_name": None, "require_email": False}
    if call.includes("services"):
        data["services"] = {}
    return data


def courses_below(school: School, account: Account) -> list[Course]:
    """Every course of the account and the accounts below it, by id."""
    courses = [
        course
        for below in account_tree(school, account)
        for course in school.courses_of_account.of(below.id)
    ]
    return sorted(courses, key=lambda course: course.id)


routes: list[BaseRoute] = [
    api("GET", "/api/v1/accounts", list_accounts),
    api("GET", "/api/v1/manageable_accounts", list_manageable),
    api("GET", "/api/v1/course_creation_accounts", list_course_creation),
    api("GET", "/api/v1/course_accounts", list_course_accounts),
    api("GET", "/api/v1/accounts/{id}", show_account),
    api("GET", "/api/v1/accounts/{account_id}/sub_accounts", list_sub_accounts),
    api("GET", "/api/v1/accounts/{account_id}/permissions", show_permissions),
]
