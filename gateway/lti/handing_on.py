"""Handing a launch on to a host product: a code for a short-lived token, a token for a further one, and the end.

The product's frontend is a page of another site, so these answer to the origins that the configuration names, and a code
is worth something to its own product alone.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import wraps
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.auth import session_cookies
from gateway.errors import Forbidden, PublicError, Unauthenticated
from gateway.lti import cookies
from gateway.lti.addresses import CONSOLE
from gateway.lti.launches import Launches
from gateway.middleware import origin_of
from gateway.readpath import node_ids
from gateway.store import institutions, sessions
from gateway.store.sessions import Issue, Kind, Opened, Session

TOKEN_LIFE = timedelta(minutes=15)
_MOST_BYTES = 10_000
_STATUS = {Unauthenticated: 401, Forbidden: 403}

Endpoint = Callable[[Request, Launches], Awaitable[Response]]


def _answering(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
    """JSON, also for an error, and never kept by anybody."""

    @wraps(endpoint)
    async def answer(request: Request) -> Response:
        try:
            response = await endpoint(request, request.state.launches)
        except PublicError as error:
            body = {"error": {"code": error.code, "message": str(error)}}
            response = JSONResponse(body, _STATUS.get(type(error), 400))
        response.headers["cache-control"] = "no-store"
        return response

    return answer


@_answering
async def exchange(request: Request, launches: Launches) -> Response:
    """A launch's code becomes a token, once, within a minute."""
    code = (await _json(request)).get("code")
    now = launches.clock()
    opened = None
    if isinstance(code, str) and code:
        opened = await sessions.find(launches.database, code, Kind.CODE, now=now)
    if opened is None:
        raise Unauthenticated("This code is unknown, used or older than a minute: launch again.")
    _allow(request, launches, opened)
    token = _token(opened.session, opened.host, now)
    if await sessions.exchange(launches.database, str(code), token, now=now) is None:
        raise Unauthenticated("This code was used just now: launch again.")
    return await _answer(launches, opened.session, token)


@_answering
async def refresh(request: Request, launches: Launches) -> Response:
    """A further token while this one is still good; none outlives the session."""
    opened = await _bearer(request, launches)
    token = _token(opened.session, opened.host, launches.clock())
    await sessions.renew(launches.database, opened, token)
    return await _answer(launches, opened.session, token)


@_answering
async def end(request: Request, launches: Launches) -> Response:
    """Over, for the token or the cookie that says so and for every other secret of the session."""
    opened = None
    if "authorization" in request.headers:
        opened = await _bearer(request, launches)
    else:
        for secret in session_cookies(request.headers.get("cookie", "")):
            opened = opened or await sessions.find(
                launches.database, secret, Kind.COOKIE, now=launches.clock()
            )
    if opened is None:
        raise Unauthenticated("There is no session to end.")
    await sessions.end(launches.database, opened.session, launches.clock())
    response = Response(status_code=204)
    cookies.end_session(response)
    return response


async def _json(request: Request) -> Mapping[str, Any]:
    """The body; asking for JSON makes another site's form impossible."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise Forbidden("The body is too large.")
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        parsed = orjson.loads(bytes(body)) if kind == "application/json" else None
    except orjson.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, dict):
        raise Unauthenticated('Post {"code": …} as application/json.')
    return parsed


async def _bearer(request: Request, launches: Launches) -> Opened:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    opened = None
    if scheme.lower() == "bearer":
        opened = await sessions.find(
            launches.database, secret.strip(), Kind.BEARER, now=launches.clock()
        )
    if opened is None:
        raise Unauthenticated("Send the session's token: Authorization: Bearer rss_…")
    return opened


def _allow(request: Request, launches: Launches, opened: Opened) -> None:
    """A browser's page has to be the product's that the code is for; a server sends no origin."""
    sent = request.headers.get("origin")
    if sent is None:
        return
    allowed = {
        origin_of(origin)
        for host in launches.settings.hosts
        if host.name == opened.host
        for origin in host.origins
    }
    own = opened.host == CONSOLE and launches.is_own_page(request)
    if not own and origin_of(sent) not in allowed:
        raise Forbidden("This code is for another product.")


def _token(session: Session, host: str | None, now: datetime) -> Issue:
    until = min(now + TOKEN_LIFE, session.expires_at)
    return Issue(kind=Kind.BEARER, expires_at=until, host=host)


async def _answer(launches: Launches, session: Session, token: Issue) -> Response:
    institution = await institutions.by_id(launches.database, session.institution_id)
    person, course = session.person_id, session.course_id
    viewer = {
        "institution": None
        if institution is None
        else {"slug": institution.slug, "canvasUrl": institution.canvas_url},
        "user": None if person is None else {"id": node_ids.encode("User", person)},
        "course": None if course is None else {"id": node_ids.encode("Course", course)},
        "types": [kind.value for kind in session.types],
    }
    expires = token.expires_at.isoformat(timespec="seconds").replace("+00:00", "Z")
    return JSONResponse({"token": token.text, "expiresAt": expires, "viewer": viewer})
