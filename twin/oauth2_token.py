"""The token endpoint for all grants, and the end of a token (fact sheet oauth2.md §3 and §4)."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from twin import access, errors, oauth2_grants
from twin.call import read_params
from twin.lti import services
from twin.oauth2_grants import OAuthError
from twin.params import as_text
from twin.school import School
from twin.sessions import Sessions


async def create(request: Request) -> Response:
    params = {name: as_text(value) or "" for name, value in (await read_params(request)).items()}
    school: School = request.app.state.school
    try:
        answer = await _granted(request, school, params)
    except OAuthError as refused:
        target = params.get("redirect_uri")
        if school.options.token_errors_redirect and target:
            return RedirectResponse(f"{target}?{urlencode(refused.fields)}", 302)
        raise
    return JSONResponse(answer, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


async def _granted(request: Request, school: School, params: Mapping[str, str]) -> dict[str, Any]:
    kind = params.get("grant_type") or ("authorization_code" if params.get("code") else "")
    if kind == "client_credentials":
        return await services.by_assertion(request, params)
    if kind not in {"authorization_code", "refresh_token"}:
        text = "The grant_type you requested is not currently supported"
        raise OAuthError("unsupported_grant_type", text)
    key = oauth2_grants.client(school, params, request.headers.get("authorization"))
    if kind == "refresh_token":
        return oauth2_grants.by_refresh_token(school, key, params)
    return oauth2_grants.by_code(school, request.app.state.codes, key, params)


async def destroy(request: Request) -> Response:
    """End the token; any scope allows it."""
    school: School = request.app.state.school
    if access.bearer_token(request) is None:
        text = "can't delete OAuth access token when not using an OAuth access token"
        raise errors.message(text)
    caller = access.authenticate(school, request)
    school.update(caller.token, workflow_state="deleted")
    if request.query_params.get("expire_sessions") == "1":
        sessions: Sessions = request.app.state.sessions
        sessions.end_all_of(caller.user)
    return JSONResponse({})


routes: list[BaseRoute] = [
    Route("/login/oauth2/token", create, methods=["POST"]),
    Route("/login/oauth2/token", destroy, methods=["DELETE"]),
]
