"""The console: a person's class after a launch, and the desk of whoever runs the school's connections."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import wraps

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.auth import SESSION_COOKIES, session_cookies
from gateway.console import account, connections, people, roster, visitors
from gateway.console.pages import page
from gateway.console.visitors import Console, Visitor
from gateway.errors import Forbidden, PublicError, Unauthenticated
from gateway.store import sessions, tokens
from gateway.store.sessions import Kind
from gateway.viewer import Scope

_log = logging.getLogger(__name__)
_STATUS = {Unauthenticated: 401, Forbidden: 403}
_OPERATOR_SECONDS = 8 * 3600

View = Callable[[Console, Visitor], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


def _for_visitors(view: View, *, operator: bool = False) -> Endpoint:
    """The view, for whoever may visit it; a refusal is a page that says why."""

    @wraps(view)
    async def endpoint(request: Request) -> Response:
        console: Console = request.state.console
        who: Visitor | None = None
        try:
            who = await visitors.visitor(request)
            if operator:
                who.viewer.require(Scope.ADMIN)
            return await view(console, who)
        except PublicError as error:
            _log.info("console refused", extra={"fields": {"code": error.code}})
            return refusal(request, error, who)

    return endpoint


def _refusing(endpoint: Endpoint) -> Endpoint:
    """The same for what is done before anybody is known."""

    @wraps(endpoint)
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except PublicError as error:
            return refusal(request, error, None)

    return answer


def refusal(request: Request, error: PublicError, who: Visitor | None) -> Response:
    """To nobody in a frame it shows nothing of anybody and asks for nothing, so that whoever may frame it."""
    in_frame = request.headers.get("sec-fetch-dest") in ("iframe", "frame")
    framed_by: Sequence[str | None] | None = None if in_frame else ()
    return page(
        "refusal",
        status=_STATUS.get(type(error), 400),
        framed_by=who.framed_by if who else framed_by,
        who=who,
        title="Not here",
        text=str(error),
        signs_in=isinstance(error, Unauthenticated) and not in_frame,
    )


@_refusing
async def home(request: Request) -> Response:
    """Where a launch leads: its code is taken from the address at once."""
    code = request.query_params.get("code") if request.method == "GET" else None
    if code is None:
        return await _for_visitors(roster.home)(request)
    console: Console = request.state.console
    who = await visitors.arrived(request, code)
    response = RedirectResponse("/console", 303) if who is None else await roster.home(console, who)
    _forget(response, visitors.OPERATOR_COOKIES)
    return response


@_refusing
async def sign_in(request: Request) -> Response:
    """For an operator whom no launch brings: a service token with the scope `admin`, kept as a cookie for a day's work."""
    console: Console = request.state.console
    secret = (await visitors.sent(request)).get("secret", "").strip()
    if not secret.startswith(tokens.PREFIX):
        raise Unauthenticated("This is no service token: it begins with rst_.")
    (await console.authenticate({"authorization": f"Bearer {secret}"})).require(Scope.ADMIN)
    response = RedirectResponse("/console", 303)
    _forget(response, SESSION_COOKIES)
    name = visitors.OPERATOR_COOKIES[0 if console.is_secure else 1]
    response.set_cookie(
        name,
        secret,
        max_age=_OPERATOR_SECONDS,
        secure=console.is_secure,
        httponly=True,
        samesite="strict",
    )
    return response


@_refusing
async def leave(request: Request) -> Response:
    """The end of the visit, and of the session that it was made by."""
    console: Console = request.state.console
    brought = [((await visitors.sent(request)).get("token", ""), Kind.BEARER)]
    cookie = request.headers.get("cookie", "")
    brought += [(secret, Kind.COOKIE) for secret in session_cookies(cookie)]
    for secret, kind in brought:
        opened = await sessions.find(console.database, secret, kind, now=console.clock())
        if opened is not None:
            await sessions.end(console.database, opened.session, console.clock())
    response = refusal(request, Unauthenticated("You have left."), None)
    _forget(response, (*SESSION_COOKIES, *visitors.OPERATOR_COOKIES))
    return response


def _forget(response: Response, names: Sequence[str]) -> None:
    for name in names:
        guarded = name.startswith("__Host-")
        response.headers.append(
            "set-cookie",
            f"{name}=; Path=/; HttpOnly; Max-Age=0"
            + ("; Secure; SameSite=None; Partitioned" if guarded else ""),
        )


_BOTH = ["GET", "POST"]


def _operator(path: str, view: View, methods: list[str]) -> Route:
    return Route(path, _for_visitors(view, operator=True), methods=methods)


routes: list[BaseRoute] = [
    Route("/console", home, methods=_BOTH),
    Route("/console/class", _for_visitors(roster.a_class), methods=_BOTH),
    Route("/console/account", _for_visitors(account.overview), methods=_BOTH),
    Route("/console/sign-in", sign_in, methods=["POST"]),
    Route("/console/leave", leave, methods=["POST"]),
    _operator("/console/connections", connections.overview, _BOTH),
    _operator("/console/connections/confirm", connections.confirm, ["POST"]),
    _operator("/console/connections/accept", connections.accept, ["POST"]),
    _operator("/console/connections/forget", connections.forget, ["POST"]),
    _operator("/console/people", people.overview, _BOTH),
    _operator("/console/people/settle", people.settle, ["POST"]),
    _operator("/console/tokens", connections.tokens_page, _BOTH),
    _operator("/console/tokens/create", connections.create_token, ["POST"]),
    _operator("/console/tokens/revoke", connections.revoke_token, ["POST"]),
]
ADDRESSES = tuple(route.path for route in routes if isinstance(route, Route))
