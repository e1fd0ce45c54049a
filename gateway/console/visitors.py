"""Who visits the console: by the cookie of a launch, by a token that goes along in forms, or by an operator's own token.

A browser that keeps no cookie in another site's frame is handed a short-lived token, which every form brings back and no
address ever shows. Whoever it is, the graph's own rules say what they see.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request, cookie_parser

from gateway.auth import session_cookies
from gateway.errors import BadRequest, Forbidden, Unauthenticated
from gateway.middleware import origin_of
from gateway.settings import Settings
from gateway.store import sessions, tokens
from gateway.store.sessions import Issue, Kind
from gateway.uow import Database
from gateway.viewer import Scope, Viewer

OPERATOR_COOKIES = ("__Host-roster_operator", "roster_operator")  # as `gateway.auth` has two names
_TOKEN_LIFE = timedelta(minutes=15)
_MOST_BYTES = 64_000

_END = "The visit is over. Open the tool again from your course."


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the graph answered; `refusals` are its errors in words."""

    data: Mapping[str, Any] | None
    refusals: tuple[str, ...] = ()


Ask = Callable[
    [Viewer, str, dict[str, Any]], Awaitable[Answer]
]  # a document's text and its variables


@dataclass(frozen=True, kw_only=True)
class Console:
    """All that the pages need; built once. `is_coming`: whether a launch is still bringing in a course, or (None) the courses.

    `connect`, `disconnect`: where a visitor does that with their own Canvas account; None where nobody can.
    """

    settings: Settings
    database: Database
    authenticate: Callable[[Mapping[str, str]], Awaitable[Viewer]]
    ask: Ask
    is_coming: Callable[[int, int | None], bool]
    connect: Callable[[Viewer], str | None]
    disconnect: Callable[[Viewer], str | None]
    clock: Callable[[], datetime]

    @property
    def is_secure(self) -> bool:
        return self.settings.server.public_url.startswith("https:")


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Who visits, with what they sent. `token`: what forms bring along, where the browser keeps no cookie.

    `connects`: whether they may connect their own Canvas account.
    """

    viewer: Viewer
    fields: Mapping[str, str]
    framed_by: Sequence[str | None]
    token: str | None = None
    connects: bool = False

    @property
    def is_operator(self) -> bool:
        return Scope.ADMIN in self.viewer.scopes

    def field(self, name: str) -> str:
        value = self.fields.get(name, "")
        if not value:
            raise BadRequest(f"The form lacks {name}.")
        return value


async def sent(request: Request) -> Mapping[str, str]:
    """The fields of the query, or of a form that one of our own pages posted."""
    if request.method == "GET":
        return dict(request.query_params)
    _own_page(request)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise BadRequest("The form is too large.")
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=100))
    except ValueError as error:
        raise BadRequest("The form cannot be read.") from error


def _own_page(request: Request) -> None:
    """The session's cookie goes along with other sites' forms too; the browser says whose the form is."""
    console: Console = request.state.console
    own = {origin_of(console.settings.server.public_url), origin_of(str(request.base_url))}
    if origin_of(request.headers.get("origin", "")) not in own:
        raise Forbidden("This form does not come from the console.")


async def visitor(request: Request) -> Visitor:
    """Unauthenticated where there is none."""
    console: Console = request.state.console
    fields = await sent(request)
    token = fields.get("token") if request.method == "POST" else None
    if token is not None:
        viewer = await console.authenticate({"authorization": f"Bearer {token}"})
        renewed = await _renewed(console, token)
    else:
        viewer, renewed = await console.authenticate(_credential(request)), None
    return await _made(console, viewer, fields, renewed)


def _credential(request: Request) -> Mapping[str, str]:
    """The headers that the graph would be asked with."""
    header = request.headers.get("cookie", "")
    if session_cookies(header):
        return {"cookie": header}
    kept = cookie_parser(header)
    for name in OPERATOR_COOKIES:
        if kept.get(name):
            return {"authorization": f"Bearer {kept[name]}"}
    raise Unauthenticated(_END)


async def arrived(request: Request, code: str) -> Visitor | None:
    """Whoever brings a launch's code, which is worth a visit once; None where the launch's cookie came along as well."""
    console: Console = request.state.console
    now = console.clock()
    opened = await sessions.find(console.database, code, Kind.CODE, now=now)
    if opened is None:
        raise Unauthenticated(_END)
    token = _token(min(now + _TOKEN_LIFE, opened.session.expires_at), opened.host)
    if await sessions.exchange(console.database, code, token, now=now) is None:
        raise Unauthenticated(_END)
    for secret in session_cookies(request.headers.get("cookie", "")):
        kept = await sessions.find(console.database, secret, Kind.COOKIE, now=now)
        if kept is not None and kept.session.id == opened.session.id:
            return None
    viewer = await console.authenticate({"authorization": f"Bearer {token.text}"})
    return await _made(console, viewer, {}, token.text)


async def _made(
    console: Console, viewer: Viewer, fields: Mapping[str, str], token: str | None
) -> Visitor:
    return Visitor(
        viewer=viewer,
        fields=fields,
        framed_by=await _framed_by(console, viewer),
        token=token,
        connects=console.connect(viewer) is not None,
    )


async def _renewed(console: Console, token: str) -> str:
    """A further token for the next form; an operator's service token stays as it is."""
    if token.startswith(tokens.PREFIX):
        return token
    now = console.clock()
    opened = await sessions.find(console.database, token, Kind.BEARER, now=now)
    if opened is None:
        raise Unauthenticated(_END)
    further = _token(min(now + _TOKEN_LIFE, opened.session.expires_at), opened.host)
    await sessions.renew(console.database, opened, further)
    return further.text


def _token(until: datetime, host: str | None) -> Issue:
    return Issue(kind=Kind.BEARER, expires_at=until, host=host)


async def _framed_by(console: Console, viewer: Viewer) -> Sequence[str | None]:
    """The platform that launched, and the school's own addresses: it may show the tool on several."""
    configured = console.settings.institution(viewer.institution_slug)
    known = [viewer.canvas_url]
    if configured is not None:
        known += [one.auth_url for one in configured.lti13]
    if viewer.launched is not None:
        known.append(
            await sessions.platform_origin(
                console.database, viewer.institution_id, viewer.launched.session_id
            )
        )
    return known
