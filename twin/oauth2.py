"""The authorization endpoint, and the pages on which a person logs in and agrees (fact sheet oauth2.md §2)."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from urllib.parse import quote, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from twin import developer_keys, html
from twin.live_events import LiveEvents
from twin.oauth2_grants import CODE_LIFE, Authorization, Codes, OAuthError, unknown_client
from twin.records import DeveloperKey, Pseudonym, User
from twin.school import School
from twin.scopes import USERINFO
from twin.sessions import Session, Sessions

OUT_OF_BAND = "urn:ietf:wg:oauth:2.0:oob"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An authorization request whose client and redirect URI are in order."""

    key: DeveloperKey
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str | None = None
    purpose: str | None = None
    challenge: str | None = None

    def back(self, fields: Mapping[str, str], *, with_state: bool = True) -> Response:
        kept = {"state": self.state} if with_state and self.state is not None else {}
        query = urlencode({**fields, **kept}, quote_via=quote)
        target = "/login/oauth2/auth" if self.redirect_uri == OUT_OF_BAND else self.redirect_uri
        return RedirectResponse(f"{target}{'&' if urlsplit(target).query else '?'}{query}", 302)


class Requests(dict[str, Asked]):
    """Authorization requests that wait for a person, by the number in the page's address."""

    def keep(self, asked: Asked) -> str:
        number = secrets.token_urlsafe(16)
        self[number] = asked
        return number


async def authorize(request: Request) -> Response:
    params = request.query_params
    if "code" in params or "error" in params:
        return _out_of_band(params)
    asked = _asked(_school(request), params)
    refusal = _scope_refusal(asked)
    if refusal:  # raised before Canvas keeps the state, so it goes back without
        return asked.back(refusal.fields, with_state=False)
    try:
        _check(asked, params)
        return _proceed(request, asked)
    except OAuthError as refused:
        return asked.back(refused.fields)


def _out_of_band(params: Mapping[str, str]) -> Response:
    text = params.get("code") or params.get("error", "")
    return html.page(
        "Authorization", f"<p>The application may read this: <b>{escape(text)}</b></p>"
    )


def _asked(school: School, params: Mapping[str, str]) -> Asked:
    key = developer_keys.find_key(school, params.get("client_id"))
    if key is None:
        raise unknown_client()
    redirect_uri = params.get("redirect_uri", "")
    if not _may_redirect(key, redirect_uri):
        raise OAuthError("invalid_request", "redirect_uri does not match client settings")
    return Asked(
        key=key,
        redirect_uri=redirect_uri,
        scopes=tuple((params.get("scope") or params.get("scopes") or "").split()),
        state=params.get("state"),
        purpose=params.get("purpose"),
        challenge=params.get("code_challenge"),
    )


def _may_redirect(key: DeveloperKey, uri: str) -> bool:
    if uri == OUT_OF_BAND or uri in key.redirect_uris:
        return True
    if key.redirect_uri is None:
        return False
    old, new = urlsplit(key.redirect_uri), urlsplit(uri)
    domain, host = old.hostname or "", new.hostname or ""
    return old.scheme == new.scheme and (host == domain or host.endswith(f".{domain}"))


def _scope_refusal(asked: Asked) -> OAuthError | None:
    missing = [scope for scope in asked.scopes if scope not in {*asked.key.scopes, USERINFO}]
    if not asked.key.require_scopes or (asked.scopes and not missing):
        return None
    return OAuthError(
        "invalid_scope",
        "A requested scope is invalid, unknown, malformed, or exceeds the scope granted by the "
        f"resource owner. The following scopes were requested, but not granted: {', '.join(missing)}",
    )


def _check(asked: Asked, params: Mapping[str, str]) -> None:
    if not asked.key.on:
        text = "Client does not have access to the specified Canvas account."
        raise OAuthError("unauthorized_client", text)
    if params.get("response_type") != "code":
        raise OAuthError("unsupported_response_type", "Only response_type=code is permitted")
    if params.get("prompt", "none") != "none":
        raise OAuthError("unsupported_prompt_type", 'prompt must be "none" (or omitted)')
    if asked.challenge is None and asked.key.public_client:
        raise OAuthError("invalid_request", "code_challenge is required for public clients")
    if asked.challenge is not None and params.get("code_challenge_method") != "S256":
        raise OAuthError("invalid_request", "code_challenge_method must be S256")


def _proceed(request: Request, asked: Asked) -> Response:
    """On to the login page, the confirmation page, or back with a code at once."""
    params = request.query_params
    session = _sessions(request).of(request)
    if session is None and _school(request).options.auto_approve:
        session = _session_of(_school(request), params.get("unique_id"))
    if params.get("prompt") == "none":
        return _answer_without_pages(request, asked, session)
    if session is None or params.get("force_login") == "1":
        number = _requests(request).keep(asked)
        query = urlencode({"request": number, "unique_id": params.get("unique_id", "")})
        return RedirectResponse(f"/login/canvas?{query}", 302)
    if _needs_no_consent(request, asked, session):
        return _granted(request, asked, session)
    number = _requests(request).keep(asked)
    return RedirectResponse(f"/login/oauth2/confirm?request={number}", 302)


def _answer_without_pages(request: Request, asked: Asked, session: Session | None) -> Response:
    if session is None:
        text = "prompt=none but there is no current session"
        raise OAuthError("login_required", text)
    if not _needs_no_consent(request, asked, session):
        text = "prompt=none but a token cannot be granted without user interaction"
        raise OAuthError("interaction_required", text)
    return _granted(request, asked, session)


def _needs_no_consent(request: Request, asked: Asked, session: Session) -> bool:
    remembered = (session.user.id, asked.key.id) in _codes(request).remembered
    return (
        asked.key.trusted
        or _school(request).options.auto_approve
        or (remembered and asked.scopes == (USERINFO,))
    )


def _granted(request: Request, asked: Asked, session: Session) -> Response:
    code = _codes(request).issue(
        Authorization(
            key=asked.key,
            user=session.user,
            real_user=session.real_user,
            redirect_uri=asked.redirect_uri,
            scopes=asked.scopes,
            purpose=asked.purpose,
            challenge=asked.challenge,
            expires_at=_school(request).clock.now() + CODE_LIFE,
        )
    )
    return asked.back({"code": code})


async def login_page(request: Request) -> Response:
    fields = {"request": request.query_params.get("request", "")}
    unique_id = request.query_params.get("unique_id", "")
    return html.page(
        "Log In to Canvas",
        f'<h1>Log In</h1><form method="post" action="/login/canvas">{html.hidden_fields(fields)}'
        f'<label>Login <input name="unique_id" value="{escape(unique_id)}"></label> '
        '<label>Password <input name="password" type="password"></label> '
        '<button type="submit">Log In</button></form>'
        '<p class="quiet">The twin takes any password.</p>',
    )


async def log_in(request: Request) -> Response:
    form = await request.form()
    session = _session_of(_school(request), str(form.get("unique_id", "")))
    if session is None:
        return html.page("Log In to Canvas", "<p>Invalid username or password.</p>", status=401)
    number = str(form.get("request", ""))
    target = f"/login/oauth2/confirm?request={number}" if number in _requests(request) else "/"
    asked = _requests(request).get(number)
    if asked and _needs_no_consent(request, asked, session):
        response = _granted(request, _requests(request).pop(number), session)
    else:
        response = RedirectResponse(target, 303)
    _sessions(request).start(response, session)
    live_events: LiveEvents = request.app.state.live_events
    live_events.logged_in(session.user, target, request.headers.get("user-agent", ""))
    return response


def _session_of(school: School, unique_id: str | None) -> Session | None:
    login = school.find(Pseudonym, "sis_login_id", (unique_id or "").lower())
    if login is None or login.workflow_state != "active":
        return None
    user: User = school.users[login.user_id]
    return Session(user) if user.workflow_state != "deleted" else None


async def confirm_page(request: Request) -> Response:
    number = request.query_params.get("request", "")
    asked, session = _requests(request).get(number), _sessions(request).of(request)
    if asked is None or session is None:
        return html.page("Authorization", "<p>This request has ended.</p>", status=400)
    wishes = "".join(f"<li>{escape(scope)}</li>" for scope in asked.scopes)
    remember = '<label><input type="checkbox" name="remember_access" value="1"> Remember</label>'
    return html.page(
        "Authorize",
        f"<h1>{escape(asked.key.name)}</h1><p>is requesting access to your account, "
        f"<b>{escape(session.user.name)}</b>.</p><ul>{wishes}</ul>"
        '<form method="post" action="/login/oauth2/accept">'
        f"{html.hidden_fields({'request': number})}"
        f"{remember if asked.scopes == (USERINFO,) else ''}"
        f'<a href="/login/oauth2/deny?request={number}">Cancel</a> '
        '<button type="submit">Authorize</button></form>',
    )


async def accept(request: Request) -> Response:
    form = await request.form()
    session = _sessions(request).of(request)
    asked = _requests(request).pop(str(form.get("request", "")), None) if session else None
    if asked is None or session is None:
        return html.page("Authorization", "<p>This request has ended.</p>", status=400)
    if form.get("remember_access") == "1":
        _codes(request).remembered.add((session.user.id, asked.key.id))
    return _granted(request, asked, session)


async def deny(request: Request) -> Response:
    asked = _requests(request).pop(request.query_params.get("request", ""), None)
    if asked is None:
        return html.page("Authorization", "<p>This request has ended.</p>", status=400)
    return asked.back({"error": "access_denied"})


def _school(request: Request) -> School:
    school: School = request.app.state.school
    return school


def _sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


def _codes(request: Request) -> Codes:
    codes: Codes = request.app.state.codes
    return codes


def _requests(request: Request) -> Requests:
    requests: Requests = request.app.state.authorization_requests
    return requests


routes: list[BaseRoute] = [
    Route("/login/oauth2/auth", authorize),
    Route("/login/oauth2/confirm", confirm_page),
    Route("/login/oauth2/accept", accept, methods=["POST"]),
    Route("/login/oauth2/deny", deny),
    Route("/login/canvas", login_page),
    Route("/login/canvas", log_in, methods=["POST"]),
]
