"""Dynamic registration: a tool asks to be installed, an administrator says yes (fact sheet lti-launch.md §8)."""

from datetime import timedelta
from html import escape
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from twin import developer_keys, html
from twin.errors import BadRequest, NotFound, Unauthorized
from twin.lti import configuration
from twin.lti.configuration import CANVAS, PLACEMENTS, TOOL
from twin.lti.platform import Platform, Registration, platform_of
from twin.lti.tools import Tool
from twin.lti.variables import VARIABLES
from twin.records import DeveloperKey
from twin.scopes import LTI_SCOPES

_TOKEN_LIFE = timedelta(hours=1)
_CLAIMS = (
    "sub",
    "iss",
    "name",
    "given_name",
    "family_name",
    "nickname",
    "picture",
    "email",
    "locale",
)


def registration_url(platform: Platform, tool_url: str) -> str:
    """The tool's registration page with what it needs to come back."""
    token = _token(platform)
    openid = f"{platform.url}/api/lti/security/openid-configuration?registration_token={token}"
    query = urlencode({"openid_configuration": openid, "registration_token": token})
    return f"{tool_url}{'&' if urlsplit(tool_url).query else '?'}{query}"


def _token(platform: Platform) -> str:
    claims = {
        "user_id": "admin",
        "root_account_global_id": str(platform.school.root.id),
        "exp": int((platform.now() + _TOKEN_LIFE).timestamp()),
    }
    return jwt.encode({"alg": "HS256"}, claims, platform.hint_key)


def _check_token(request: Request, platform: Platform) -> None:
    """The bearer header, or the query parameter that the configuration's URL carries."""
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    given = bearer if scheme.lower() == "bearer" else request.query_params.get("registration_token")
    try:
        claims = jwt.decode(given or "", platform.hint_key, algorithms=["HS256"]).claims
    except (JoseError, ValueError) as broken:
        raise Unauthorized from broken
    if claims.get("exp", 0) <= platform.now().timestamp() or "root_account_global_id" not in claims:
        raise Unauthorized


async def openid_configuration(request: Request) -> Response:
    platform = platform_of(request)
    _check_token(request, platform)
    root = platform.school.root
    return JSONResponse(
        {
            "issuer": platform.school.options.lti_issuer,
            "authorization_endpoint": f"{platform.url}/api/lti/authorize_redirect",
            "registration_endpoint": f"{platform.url}/api/lti/registrations",
            "jwks_uri": f"{platform.url}/api/lti/security/jwks",
            "token_endpoint": f"{platform.url}/login/oauth2/token",
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid", *sorted(LTI_SCOPES)],
            "response_types_supported": ["id_token"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "claims_supported": list(_CLAIMS),
            "subject_types_supported": ["public"],
            "authorization_server": urlsplit(platform.url).netloc,
            "https://purl.imsglobal.org/spec/lti-platform-configuration": {
                "product_family_code": "canvas",
                "version": "OpenSource",
                "messages_supported": [
                    {"type": "LtiResourceLinkRequest", "placements": list(PLACEMENTS)}
                ],
                "variables": sorted(VARIABLES),
                f"{CANVAS}account_name": root.name,
                f"{CANVAS}account_lti_guid": root.lti_guid,
            },
        }
    )


async def create(request: Request) -> Response:
    """Keep what the tool says of itself; the answer has a client id and no deployment id."""
    platform = platform_of(request)
    _check_token(request, platform)
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError as broken:
        raise BadRequest from broken
    if not isinstance(body, dict):
        raise BadRequest
    configuration.check(body)
    registration = _register(platform, body)
    return JSONResponse(_answer(platform, registration))


def _register(platform: Platform, body: dict[str, Any]) -> Registration:
    school = platform.school
    number = developer_keys.next_number(school)
    key = school.add(
        DeveloperKey(
            id=developer_keys.key_id(school, number),
            account_id=school.root.id,
            name=str(body["client_name"]),
            secret="",
            is_lti=True,
            on=False,
            require_scopes=True,
            scopes=configuration.scopes(body),
            redirect_uris=tuple(body["redirect_uris"]),
            public_jwk_url=str(body["jwks_uri"]),
            created_at=platform.now(),
            updated_at=platform.now(),
        )
    )
    registration = Registration(id=number, developer_key_id=key.id, configuration=body)
    platform.registrations[number] = registration
    return registration


def _answer(platform: Platform, registration: Registration) -> dict[str, Any]:
    url = f"{platform.url}/api/lti/registrations/{registration.id}/view"
    tool = {
        **configuration.tool_of(registration.configuration),
        f"{CANVAS}registration_config_url": url,
    }
    client_id = str(registration.developer_key_id)
    return {**registration.configuration, "client_id": client_id, TOOL: tool}


def enable(platform: Platform, registration: Registration) -> Tool:
    """The administrator's yes: the key goes on, the tool is installed in the root account."""
    key = platform.school.developer_keys[registration.developer_key_id]
    platform.school.update(key, on=True)
    body = registration.configuration
    tool = configuration.tool_of(body)
    return platform.install(
        Tool(
            id=platform.next_tool_id(),
            name=key.name,
            context=platform.school.root,
            url=str(tool["target_link_uri"]),
            privacy_level=configuration.privacy_level(body),
            developer_key_id=key.id,
            initiation_url=str(body["initiate_login_uri"]),
            custom_fields=dict(tool.get("custom_parameters") or {}),
            placements=configuration.placements(body),
        )
    )


async def register(request: Request) -> Response:
    """An administrator opens a tool's registration page, in a frame as Canvas does."""
    platform = platform_of(request)
    url = request.query_params.get("registration_url", "")
    if urlsplit(url).scheme not in {"http", "https"}:
        raise BadRequest
    source = escape(registration_url(platform, url))
    return html.page(
        "Register a tool",
        f'<h1>Register a tool</h1><iframe class="tool" data-after-close="/twin/registrations" src="{source}">'
        "</iframe>",
        script="platform_storage.js",
    )


async def index(request: Request) -> Response:
    platform = platform_of(request)
    default = f"{platform.school.options.tool_url}/lti/register"
    rows = "".join(_row(platform, registration) for registration in platform.registrations.values())
    return html.page(
        "Registrations",
        '<p><a href="/twin/launches">Launches</a></p><h1>Registrations</h1>'
        '<form action="/api/lti/register"><label>Registration URL '
        f'<input name="registration_url" size="60" value="{escape(default)}"></label> '
        '<button type="submit">Register</button></form>'
        f"<table><tr><th>Tool</th><th>Client id</th><th>Deployment</th></tr>{rows}</table>",
    )


def _row(platform: Platform, registration: Registration) -> str:
    key = platform.school.developer_keys[registration.developer_key_id]
    installed = [tool for tool in platform.tools.values() if tool.developer_key_id == key.id]
    state = "".join(f"<code>{escape(tool.deployment_id)}</code>" for tool in installed) or (
        f'<form method="post" action="/twin/registrations/{registration.id}">'
        '<button type="submit">Enable</button></form>'
    )
    return f"<tr><td>{escape(key.name)}</td><td>{key.id}</td><td>{state}</td></tr>"


async def say_yes(request: Request) -> Response:
    platform = platform_of(request)
    registration = platform.registrations.get(int(request.path_params["registration_id"]))
    if registration is None:
        raise NotFound
    key = platform.school.developer_keys[registration.developer_key_id]
    if not key.on:
        enable(platform, registration)
    return RedirectResponse("/twin/registrations", 303)


routes: list[BaseRoute] = [
    Route("/api/lti/security/openid-configuration", openid_configuration),
    Route("/api/lti/registrations", create, methods=["POST"]),
    Route("/api/lti/register", register),
    Route("/twin/registrations", index),
    Route("/twin/registrations/{registration_id:int}", say_yes, methods=["POST"]),
]
