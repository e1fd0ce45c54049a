"""Connecting a person's own Canvas account: to Canvas, where they agree, and back with a grant (`/oauth/…`).

Only the person who was launched can connect, and only as themselves: the grant has to be of the Canvas user who they are
here, so a link that somebody else sent connects nobody's account to nobody.
"""

import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import wraps
from html import escape
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.canvas.oauth2 import authorization_url
from gateway.errors import Forbidden, PublicError, SourceError, Unauthenticated
from gateway.middleware import origin_of
from gateway.oauth import grants
from gateway.oauth.connecting import CONNECT, DISCONNECT, Connecting, Ticket
from gateway.store import oauth_requests, standing
from gateway.store.logins import digest
from gateway.upstreams import CALLBACK

_log = logging.getLogger(__name__)

ADDRESSES = (CONNECT, CALLBACK, DISCONNECT)
REQUEST_LIFE = timedelta(minutes=10)  # as long as Canvas keeps a code

_STYLE = (files("gateway") / "static" / "page.css").read_text("utf-8")
_STATUS = {Unauthenticated: 401, Forbidden: 403}


Endpoint = Callable[[Request, Connecting], Awaitable[Response]]


def _on_a_page(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    @wraps(endpoint)
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request, request.state.connecting)
        except PublicError as error:
            _log.warning(
                "not connected", extra={"fields": {"code": error.code, "reason": str(error)}}
            )
            return _page("Not connected", str(error), status=_STATUS.get(type(error), 400))

    return answer


@_on_a_page
async def connect(request: Request, connecting: Connecting) -> Response:
    """On to Canvas, where the person agrees."""
    ticket = await _ticket(request, connecting)
    upstream = connecting.upstreams.get(ticket.institution_id)
    if upstream is None or upstream.application is None:
        raise Forbidden("This school has no developer key by which accounts could be connected.")
    if request.headers.get("sec-fetch-dest") == "iframe":
        return _in_a_window(ticket, connecting)
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
    now = connecting.clock()
    asked = oauth_requests.Request(
        institution_id=ticket.institution_id,
        person_id=ticket.person_id,
        session_id=ticket.session_id,
        verifier_sealed=connecting.seal.close(verifier),
        scopes=" ".join(upstream.application.scopes),
        return_to=_return_to(request, connecting),
    )
    expires_at = now + REQUEST_LIFE
    if not await oauth_requests.begin(
        connecting.database, state, asked, expires_at=expires_at, now=now
    ):
        raise Unauthenticated("Your session is over: open the tool again from your course.")
    url = authorization_url(upstream.application, state=state, verifier=verifier)
    response = RedirectResponse(url, 303)
    _set_cookie(response, connecting, state, int(REQUEST_LIFE.total_seconds()))
    return response


@_on_a_page
async def callback(request: Request, connecting: Connecting) -> Response:
    """Back from Canvas: in the same browser, once, and as the person who asked."""
    grants.check_scopes(request.query_params)
    state = request.query_params.get("state", "")
    name = _cookie_name(connecting, state)
    if not hmac.compare_digest(request.cookies.get(name, "").encode(), state.encode() or b"-"):
        said = request.query_params.get("error")
        because = f" (Canvas says {said!r})" if said else ""
        raise Forbidden(f"This answer belongs to another browser, or none{because}: connect again.")
    asked = await oauth_requests.take(connecting.database, state, connecting.clock())
    if asked is None:
        raise Forbidden("This answer was used already, or came too late: connect again.")
    grant = await grants.granted(request.query_params, connecting, asked)
    await grants.keep(connecting, asked, grant)
    response: Response = (
        RedirectResponse(asked.return_to, 303)
        if asked.return_to
        else _page("Connected", "Your Canvas account is connected. You can close this window.")
    )
    _set_cookie(response, connecting, state, 0)
    return response


@_on_a_page
async def disconnect(request: Request, connecting: Connecting) -> Response:
    """Over, at the person's own wish: here and at Canvas."""
    if origin_of(request.headers.get("origin", "")) != origin_of(
        connecting.settings.server.public_url
    ):
        raise Forbidden("This form does not come from here.")
    ticket = await _ticket(request, connecting)
    upstream = connecting.upstreams.get(ticket.institution_id)
    if upstream is not None and upstream.people is not None:
        try:
            await upstream.people.revoke(ticket.person_id)
        except SourceError as error:
            _log.warning("Canvas was not told that a token is over: %s", error)
    await standing.forget(connecting.database, ticket.institution_id, ticket.person_id)
    return _page("Disconnected", "Your Canvas account is not connected any more.")


async def _ticket(request: Request, connecting: Connecting) -> Ticket:
    sealed = request.query_params.get("ticket")
    if sealed is not None:
        return Ticket.opened(sealed, connecting.seal, connecting.clock())
    try:
        viewer = await connecting.authenticate(request.headers)
    except Unauthenticated as error:
        raise Unauthenticated(
            "Nobody is known here: open the tool from your course, and connect from there."
        ) from error
    if viewer.launched is None or viewer.user_id is None:
        raise Forbidden(
            "Only somebody who was launched from their platform can connect an account."
        )
    return Ticket(
        institution_id=viewer.institution_id,
        person_id=viewer.user_id,
        session_id=viewer.launched.session_id,
    )


def _return_to(request: Request, connecting: Connecting) -> str | None:
    """Where to go afterwards: to one of our own pages, or of a host product's."""
    wanted = request.query_params.get("return_to")
    if wanted is None:
        return None
    hosts = (origin for host in connecting.settings.hosts for origin in host.origins)
    allowed = {origin_of(one) for one in (connecting.settings.server.public_url, *hosts)}
    if origin_of(wanted) not in allowed or len(wanted) > 1024:
        raise Forbidden("return_to is neither ours nor a host product's.")
    return wanted


def _in_a_window(ticket: Ticket, connecting: Connecting) -> Response:
    """Canvas shows its consent in no frame."""
    address = escape(connecting.address(ticket))
    link = f'<a href="{address}" target="_blank" rel="opener">Connect in a new window</a>'
    return _page(
        "Connect your Canvas account", "Canvas asks you in a window of its own.", more=link
    )


def _cookie_name(connecting: Connecting, state: str) -> str:
    return f"{'__Host-' if connecting.is_secure else ''}oauth_{digest(state)[:16]}"


def _set_cookie(response: Response, connecting: Connecting, state: str, seconds: int) -> None:
    """Lax: it comes along when Canvas sends the browser back, and with no other site's form."""
    response.set_cookie(
        _cookie_name(connecting, state),
        state,
        max_age=seconds,
        secure=connecting.is_secure,
        httponly=True,
        samesite="lax",
    )


def _page(title: str, text: str, *, status: int = 200, more: str = "") -> Response:
    nonce = secrets.token_urlsafe(16)
    body = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<style nonce="{nonce}">{_STYLE}</style><main><h1>{escape(title)}</h1><p>{escape(text)}</p>{more}</main></html>'
    )
    policy = f"default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'self'"
    headers = {
        "content-security-policy": policy,
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
    }
    return HTMLResponse(body, status, headers)


routes: list[BaseRoute] = [
    Route(CONNECT, connect),
    Route(CALLBACK, callback),
    Route(DISCONNECT, disconnect, methods=["POST"]),
]
