"""How an LTI service decides who may call it, and says no (fact sheet nrps.md §1.2 and §8)."""

import base64
import binascii
from typing import Any
from urllib.parse import urlsplit

import orjson
from joserfc.errors import BadSignatureError, JoseError
from starlette.requests import Request

from twin.errors import CanvasError
from twin.lti.services import ServiceTokens
from twin.records import DeveloperKey
from twin.school import School

_STATUS_NAMES = {400: "bad_request", 401: "unauthorized", 404: "not_found"}


class ServiceError(CanvasError):
    """A refusal of a service; `errors` is an object here, not a list."""

    def __init__(self, status: int, text: str) -> None:
        body = {"errors": {"type": _STATUS_NAMES[status], "message": text}}
        super().__init__(status, body)


def authorize_service(request: Request, scope: str) -> DeveloperKey:
    """The key whose token opens the service: token, key, scope, key in the account, in this order."""
    school: School = request.app.state.school
    claims = _claims(request)
    _check_claims(claims, request, school)
    key = school.developer_keys.get(int(claims["sub"]))
    if key is None or key.workflow_state != "active":
        raise ServiceError(401, "Unknown or inactive Developer Key")
    if scope not in claims["scopes"].split():
        raise ServiceError(401, "Insufficient permissions")
    if not key.on:
        raise ServiceError(401, "Invalid Developer Key")
    return key


def _claims(request: Request) -> dict[str, Any]:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise ServiceError(401, "Missing access token")
    algorithm = _algorithm(token)
    if algorithm is None:
        raise ServiceError(401, "Invalid access token format")
    if algorithm != "HS256":
        raise ServiceError(401, "Access token signature algorithm not allowed")
    tokens: ServiceTokens = request.app.state.service_tokens
    try:
        return tokens.open(token)
    except BadSignatureError as broken:
        text = "Access token invalid - signature likely incorrect"
        raise ServiceError(401, text) from broken
    except (JoseError, ValueError) as broken:
        raise ServiceError(401, "Invalid access token format") from broken


def _algorithm(token: str) -> str | None:
    """What the token says it is signed with; None where it is no JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        header = orjson.loads(base64.urlsafe_b64decode(parts[0] + "=" * (-len(parts[0]) % 4)))
    except (binascii.Error, ValueError):
        return None
    return str(header.get("alg")) if isinstance(header, dict) else None


def _check_claims(claims: dict[str, Any], request: Request, school: School) -> None:
    if claims["exp"] <= school.clock.now().timestamp():
        raise ServiceError(401, "Access token expired")
    audience = urlsplit(claims["aud"]).netloc
    here = urlsplit(str(request.base_url)).netloc
    if audience != here and audience not in school.options.lti_grant_hosts:
        raise ServiceError(401, "Invalid access token field/s: the 'aud' is invalid")
