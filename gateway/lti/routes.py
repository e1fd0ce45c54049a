"""The endpoints of both LTI versions: login, launch, key set, what an administrator pastes, dynamic registration."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial, wraps

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.errors import LaunchRefused
from gateway.lti import configuration, cookies, forms, handing_on, pages
from gateway.lti.launches import Handed, Launches
from gateway.lti.strangers import Stranger

_log = logging.getLogger(__name__)

Endpoint = Callable[[Request], Awaitable[Response]]


def _launches(request: Request) -> Launches:
    launches: Launches = request.state.launches
    return launches


def refusing(endpoint: Endpoint, page: Callable[..., Response] = pages.refusal) -> Endpoint:
    """A refusal is a page in the browser and a line in the log; the line names the check, and nobody."""

    @wraps(endpoint)
    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except LaunchRefused as refused:
            fields = {"path": request.url.path, "check": refused.code, "reason": str(refused)}
            _log.warning("launch refused", extra={"fields": fields})
            return page(str(refused), code=refused.code, status=refused.status)

    return answer


@refusing
async def login(request: Request) -> Response:
    """Where a platform begins a launch; the browser goes on to the platform, and carries the state with it."""
    launches = _launches(request)
    asked = await launches.logins.begin(await forms.single(request))
    response: Response
    if asked.storage_target is None:
        response = RedirectResponse(asked.url, 302)
    else:
        response = pages.put_state(
            state=asked.state,
            target=asked.storage_target,
            platform_origin=asked.platform_origin,
            next_url=asked.url,
        )
    cookies.set_state(response, asked.state, seconds=asked.seconds, secure=launches.is_secure)
    return response


@refusing
async def launch(request: Request) -> Response:
    """Where the platform posts the token. Without the state's cookie, its storage is asked first."""
    launches, fields = _launches(request), await forms.single(request)
    state = fields.get("state", "")
    with_storage = "storage_state" in fields
    bound = cookies.has_state(request, state) or (
        # only our own page can have read it: another site's page cannot send our origin
        with_storage and fields["storage_state"] == state and launches.is_own_page(request)
    )
    if not bound and not with_storage and "error" not in fields:
        stored = await launches.logins.storage_of(state, fields.get("lti_storage_target"))
        if stored is not None:
            kept = {n: v for n, v in fields.items() if n in ("state", "id_token")}
            return pages.get_state(
                state=state,
                target=stored.target,
                platform_origin=stored.platform_origin,
                fields=kept,
                action=request.url.path,
            )
    response = await _let_in(request, await launches.launch(fields, bound=bound))
    cookies.end_state(response, state)
    return response


@refusing
async def launch11(request: Request) -> Response:
    launches, body = _launches(request), await forms.pairs(request)
    path = request.scope.get("raw_path", b"").decode("ascii") or request.url.path
    query = request.scope["query_string"].decode("ascii", "replace")
    return await _let_in(request, await launches.launch11(path, query, body))


async def _let_in(request: Request, outcome: Handed | Stranger) -> Response:
    launches = _launches(request)
    if isinstance(outcome, Stranger):
        return await launches.asked(request, outcome)
    return _handed_on(launches, outcome)


async def resume(
    request: Request, held: str, *, person: int | None, landing: str | None = None
) -> Response:
    """What `Stranger.held` holds, let in: for the page where somebody has said who they are."""
    launches = _launches(request)
    return _handed_on(launches, await launches.resume(held, person=person, landing=landing))


def _handed_on(launches: Launches, handed: Handed) -> Response:
    headers = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
    response = RedirectResponse(handed.url, 303, headers)
    cookies.set_session(response, handed.cookie, seconds=handed.seconds, secure=launches.is_secure)
    return response


async def jwks(request: Request) -> Response:
    keys = await _launches(request).own_keys.jwks()
    return JSONResponse(keys, headers={"cache-control": "public, max-age=3600"})


async def config_json(request: Request) -> Response:
    return JSONResponse(configuration.developer_key(_launches(request).public_url))


async def config_xml(request: Request) -> Response:
    text = configuration.cartridge(_launches(request).public_url)
    return Response(text, media_type="application/xml")


@partial(refusing, page=pages.registration_refusal)
async def register(request: Request) -> Response:
    """Where a platform's administrator lets the platform introduce itself."""
    client_id = await _launches(request).registering.register(await forms.single(request))
    return pages.registered(client_id)


ADDRESSES = (
    *("/lti/login", "/lti/launch", "/lti/jwks.json", "/lti/config.json", "/lti/register"),
    *("/lti/1.1/launch", "/lti/1.1/config.xml"),
    *("/session/exchange", "/session/refresh", "/session/end"),
)


def routes(for_browsers: Sequence[Middleware]) -> list[BaseRoute]:
    """`for_browsers`: the rules of origins, which the session endpoints stand behind."""
    sessions = (
        ("/session/exchange", handing_on.exchange),
        ("/session/refresh", handing_on.refresh),
        ("/session/end", handing_on.end),
    )
    return [
        # OPTIONS too: a route refuses other methods before its middleware could answer a preflight
        *(
            Route(path, endpoint, methods=["POST", "OPTIONS"], middleware=for_browsers)
            for path, endpoint in sessions
        ),
        *_LTI,
    ]


_LTI: list[BaseRoute] = [
    Route("/lti/login", login, methods=["GET", "POST"]),
    Route("/lti/launch", launch, methods=["POST"]),
    Route("/lti/jwks.json", jwks),
    Route("/lti/config.json", config_json),
    Route("/lti/register", register),
    Route("/lti/1.1/launch", launch11, methods=["POST"]),
    Route("/lti/1.1/config.xml", config_xml),
]
