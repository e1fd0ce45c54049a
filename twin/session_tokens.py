"""From a token to a browser session, and to Instructure's own services (fact sheet oauth2.md §4)."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode, urlsplit

import orjson
from joserfc import jwe
from joserfc.jwk import OctKey
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from twin import errors, html
from twin.call import Call, api
from twin.ids import global_id
from twin.sessions import Session, Sessions

_LIFE = timedelta(minutes=5)
_INST_LIFE = timedelta(hours=1)
# Nobody but Instructure's gateway opens these, and the twin has none: the key is thrown away.
_INST_KEY = OctKey.generate_key(256)


@dataclass(frozen=True, slots=True)
class SessionToken:
    session: Session
    return_to: str
    expires_at: datetime


class SessionTokens(dict[str, SessionToken]):
    """The session URLs that were given out and not opened yet."""


def create(call: Call) -> Response:
    """A short-lived URL that logs a browser in; a scoped key's token does not get here."""
    return_to = call.params.text("return_to") or f"{call.origin}/"
    try:
        asked = urlsplit(return_to)
        absolute = bool(asked.scheme and asked.hostname)
    except ValueError as broken:
        raise errors.error("Invalid redirect URL") from broken
    if not absolute or asked.hostname != urlsplit(call.origin).hostname:
        raise errors.Unauthorized
    real_user = call.caller.real_user if call.caller.masquerading else None
    value = secrets.token_urlsafe(24)
    waiting: SessionTokens = call.request.app.state.session_tokens
    waiting[value] = SessionToken(Session(call.user, real_user), return_to, call.now + _LIFE)
    query = urlencode({"session_token": value})
    return call.json({"session_url": f"{call.origin}/login/session?{query}"})


async def open_session(request: Request) -> Response:
    waiting: SessionTokens = request.app.state.session_tokens
    found = waiting.pop(request.query_params.get("session_token", ""), None)
    if found is None or found.expires_at <= request.app.state.clock.now():
        return html.page("Log In to Canvas", "<p>This link has expired.</p>", status=401)
    response = RedirectResponse(found.return_to, 302)
    sessions: Sessions = request.app.state.sessions
    sessions.start(response, found.session)
    return response


def create_inst_access_token(call: Call) -> Response:
    claims = {
        "sub": call.user.uuid,
        "user_id": str(global_id(call.school, call.user.id)),
        "exp": int((call.now + _INST_LIFE).timestamp()),
    }
    sealed = jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM"}, orjson.dumps(claims), _INST_KEY)
    return call.json({"token": sealed}, 201)


routes: list[BaseRoute] = [
    api("GET", "/login/session_token", create),
    api("GET", "/api/v1/login/session_token", create),
    Route("/login/session", open_session),
    api("POST", "/api/v1/inst_access_tokens", create_inst_access_token),
]
