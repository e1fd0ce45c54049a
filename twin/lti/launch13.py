"""LTI 1.3 from login initiation to the posted id_token (fact sheet lti-launch.md §2)."""

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from twin import developer_keys, html
from twin.lti import people
from twin.lti.claims import id_token_claims, target_link_uri, with_nonce
from twin.lti.keys import CACHE_CONTROL
from twin.lti.platform import LAUNCH_LIFE, Launch, PendingLaunch, Platform, platform_of
from twin.lti.scene import Scene
from twin.lti.tools import Tool
from twin.records import DeveloperKey
from twin.sessions import Sessions

STORAGE_TARGET = "post_message_forwarding"
# The login hint of everybody who is not logged in.
PUBLIC_HINT = "535fa085f22b4655f48cd5a36a9215f64c062838"
_REQUIRED = (
    "client_id",
    "login_hint",
    "lti_message_hint",
    "nonce",
    "prompt",
    "redirect_uri",
    "response_mode",
    "response_type",
    "scope",
)


class Refusal(NamedTuple):
    """What goes to the tool in place of an id_token."""

    error: str
    error_description: str


def login_initiation(platform: Platform, launch: Launch) -> dict[str, str]:
    """The fields of the form that begins a launch; its claims are made here and kept."""
    options = platform.school.options
    tool = launch.scene.tool
    key = platform.school.developer_keys[tool.developer_key_id or 0]
    verifier = platform.keep(launch, id_token_claims(platform, key, launch))
    fields = {
        "iss": options.lti_issuer,
        "login_hint": _login_hint(launch.scene),
        "client_id": str(key.id),
        "deployment_id": tool.deployment_id,
        "target_link_uri": target_link_uri(launch),
        "lti_message_hint": _message_hint(platform, verifier),
        "canvas_region": options.lti_region,
        "canvas_environment": options.lti_environment,
    }
    return fields | ({"lti_storage_target": STORAGE_TARGET} if options.lti_storage else {})


def _login_hint(scene: Scene) -> str:
    """The person's opaque id in this context; nobody's business but Canvas's."""
    if scene.user is None:
        return PUBLIC_HINT
    return people.ids_in(scene.school, scene.user, scene.context).lti_context_id


def _message_hint(platform: Platform, verifier: str) -> str:
    claims = {
        "verifier": verifier,
        "canvas_domain": urlsplit(platform.url).netloc,
        "exp": int((platform.now() + LAUNCH_LIFE).timestamp()),
    }
    return jwt.encode({"alg": "HS256"}, claims, platform.hint_key)


def _verifier(platform: Platform, hint: str) -> str | None:
    """What a message hint stands for; None where it is not ours or too old."""
    try:
        claims = jwt.decode(hint, platform.hint_key, algorithms=["HS256"]).claims
    except (JoseError, ValueError):
        return None
    alive = claims["exp"] > platform.now().timestamp()
    return str(claims["verifier"]) if alive else None


async def authorize_redirect(request: Request) -> Response:
    """The endpoint that tools know; on hosted Canvas another host than the school's."""
    platform, params = platform_of(request), await _params(request)
    if _verifier(platform, params.get("lti_message_hint", "")) is None:
        return _own_error("Invalid lti_message_hint")
    return RedirectResponse(f"{platform.url}/api/lti/authorize?{urlencode(params)}", 302)


async def authorize(request: Request) -> Response:
    platform, params = platform_of(request), await _params(request)
    verifier = _verifier(platform, params.get("lti_message_hint", ""))
    if verifier is None:
        return _own_error("Invalid lti_message_hint")
    key = developer_keys.find_any(platform.school, params.get("client_id"))
    redirect_uri = params.get("redirect_uri", "")
    if key is None or not any(_matches(known, redirect_uri) for known in key.redirect_uris):
        return _own_error("Invalid redirect_uri")
    answer = _answer(request, platform, params, key, verifier)
    fields = {"state": params["state"]} if "state" in params else {}
    if isinstance(answer, Refusal):
        if answer.error == "login_required" and platform.school.options.lti_login_required_page:
            return html.page("Log In", "<p>Please log in to Canvas and try again.</p>", status=401)
        fields |= answer._asdict()
    else:
        fields["id_token"] = answer
        if platform.school.options.lti_storage:
            fields["lti_storage_target"] = STORAGE_TARGET
    return html.page("Launching", html.posted_form(redirect_uri, fields), script="post.js")


def _answer(
    request: Request,
    platform: Platform,
    params: Mapping[str, str],
    key: DeveloperKey,
    verifier: str,
) -> str | Refusal:
    """The signed id_token, or why there is none; only a good request uses the launch up."""
    refusal = _malformed(params)
    pending = platform.launches.get(verifier)
    scene = pending.launch.scene if pending else None
    if refusal is None and not _is_logged_in(request, params["login_hint"], scene):
        refusal = Refusal("login_required", "Must have an active user session")
    if refusal is None and not _is_on(platform, key, scene):
        refusal = Refusal("unauthorized_client", "Client not authorized in requested context")
    if refusal is not None:
        return refusal
    return _id_token(platform, platform.fetch(verifier), params["nonce"])


def _malformed(params: Mapping[str, str]) -> Refusal | None:
    missing = [name for name in _REQUIRED if not params.get(name)]
    if missing:
        text = f"The following parameters are missing: {','.join(missing)}"
        return Refusal("invalid_request_object", text)
    if params["scope"] != "openid":
        return Refusal("invalid_request_object", "The 'scope' must be 'openid'")
    return None


def _is_logged_in(request: Request, login_hint: str, scene: Scene | None) -> bool:
    """Whether the browser's session is that of the person whom the hint names."""
    sessions: Sessions = request.app.state.sessions
    session = sessions.of(request)
    if scene is None:  # used up already: who launched is not known any more
        return session is not None or login_hint == PUBLIC_HINT
    if scene.user is None or session is None:
        return scene.user is None and login_hint == PUBLIC_HINT
    return session.user is scene.user and login_hint == _login_hint(scene)


def _is_on(platform: Platform, key: DeveloperKey, scene: Scene | None) -> bool:
    if key.workflow_state != "active" or not key.on:
        return False
    if scene is None:
        return True
    return scene.tool.developer_key_id == key.id and scene.tool in platform.visible_in(
        scene.context
    )


def _id_token(platform: Platform, pending: PendingLaunch | None, nonce: str) -> str | Refusal:
    if pending is None:
        text = "The launch has either expired or already been consumed"
        return Refusal("launch_no_longer_valid", text)
    consumer = _consumer_before(platform, pending.launch.scene)
    return platform.keys.sign(with_nonce(pending.claims, nonce, consumer))


def _consumer_before(platform: Platform, scene: Scene) -> Tool | None:
    """The 1.1 tool that Canvas associates with this one, where it does so at all."""
    if not platform.school.options.lti_consumer_key_claim:
        return None
    visible = platform.visible_in(scene.context)
    return next((tool for tool in visible if not tool.is_lti13), None)


def _matches(known: str, given: str) -> bool:
    """Equal but for the query; of a registered query every pair must be there."""
    wanted, asked = urlsplit(known), urlsplit(given)
    pairs = parse_qsl(asked.query, keep_blank_values=True)
    return wanted._replace(query="") == asked._replace(query="") and all(
        pair in pairs for pair in parse_qsl(wanted.query, keep_blank_values=True)
    )


def _own_error(text: str) -> Response:
    """Canvas's own page: the tool hears nothing of it."""
    return html.page("Error", f"<h1>Page Error</h1><p>{text}</p>", status=400)


async def _params(request: Request) -> dict[str, str]:
    form: Mapping[str, Any] = await request.form() if request.method == "POST" else {}
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    return {**request.query_params, **fields}


async def jwks(request: Request) -> Response:
    keys = platform_of(request).keys.jwks()
    return JSONResponse(keys, headers={"Cache-Control": CACHE_CONTROL})


routes: list[BaseRoute] = [
    Route("/api/lti/authorize_redirect", authorize_redirect, methods=["GET", "POST"]),
    Route("/api/lti/authorize", authorize, methods=["GET", "POST"]),
    Route("/api/lti/security/jwks", jwks),
]
