"""Every scope of this Canvas, for whoever manages developer keys (fact sheet oauth2.md §6)."""

from starlette.responses import Response
from starlette.routing import BaseRoute

from twin.call import Call, api
from twin.errors import Unauthorized
from twin.ids import find_account, found
from twin.paging import ordinal
from twin.permissions import account_rights
from twin.scopes import API_SCOPES


def index(call: Call) -> Response:
    account = found(find_account(call.school, call.path["account_id"]))
    if "manage_developer_keys" not in account_rights(call.school, call.user, account):
        raise Unauthorized
    return ordinal(call, list(API_SCOPES), _json, counted=True)


def _json(scope: str) -> dict[str, str]:
    verb, _, path = scope.removeprefix("url:").partition("|")
    resource = next(part for part in reversed(path.split("/")) if part[0] != ":")
    return {
        "resource": resource,
        "resource_name": resource.replace("_", " ").title(),
        "controller": resource,
        "action": "index" if verb == "GET" else verb.lower(),
        "verb": verb,
        "path": path,
        "scope": scope,
    }


routes: list[BaseRoute] = [api("GET", "/api/v1/accounts/{account_id}/scopes", index)]
