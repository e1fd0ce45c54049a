"""Cookies in a frame of another site: kept by site of the page around (CHIPS), and sent with its cross-site posts."""

import hmac

from starlette.requests import Request
from starlette.responses import Response

from gateway.auth import SESSION_COOKIES
from gateway.store.logins import digest

GUARD = "__Host-"


def set_session(response: Response, secret: str, *, seconds: int, secure: bool) -> None:
    for name in SESSION_COOKIES if not secure else SESSION_COOKIES[:1]:
        _set(response, name, secret, seconds)


def end_session(response: Response) -> None:
    for name in SESSION_COOKIES:
        _set(response, name, "", 0)


def set_state(response: Response, state: str, *, seconds: int, secure: bool) -> None:
    """One cookie a state, so that two launches on one page do not overwrite each other."""
    name = _state_name(state)
    _set(response, GUARD + name, state, seconds)
    if not secure:
        _set(response, name, state, seconds)


def end_state(response: Response, state: str) -> None:
    for name in (GUARD + _state_name(state), _state_name(state)):
        _set(response, name, "", 0)


def has_state(request: Request, state: str) -> bool:
    """Whether this browser began the login of this state."""
    sent = (request.cookies.get(prefix + _state_name(state), "") for prefix in (GUARD, ""))
    return any(hmac.compare_digest(one.encode(), state.encode()) for one in sent)


def _state_name(state: str) -> str:
    return f"lti_{digest(state)[:16]}"


def _set(response: Response, name: str, value: str, seconds: int) -> None:
    """A guarded name is Secure, as SameSite=None has to be; a plain one is for http on a developer's machine."""
    guarded = name.startswith(GUARD)
    cookie = f"{name}={value}; Path=/; HttpOnly; Max-Age={seconds}"
    cookie += "; Secure; SameSite=None; Partitioned" if guarded else "; SameSite=Lax"
    response.headers.append("set-cookie", cookie)
