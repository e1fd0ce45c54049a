"""Tokens for LTI services, by `client_credentials` with a signed JWT (fact sheet nrps.md §1)."""

import uuid
from collections.abc import Mapping
from typing import Any

import httpx
import orjson
from joserfc import jws, jwt
from joserfc.errors import BadSignatureError, JoseError
from joserfc.jwk import KeySet, OctKey
from starlette.requests import Request

from twin import developer_keys
from twin.oauth2_grants import OAuthError, unknown_client
from twin.outgoing import Outgoing
from twin.records import DeveloperKey
from twin.school import School

LIFE = 3600
_REQUIRED = ("sub", "iss", "aud", "exp", "iat", "jti")
_OLDEST = 300  # seconds that `iat` may lie back
_AHEAD = 30  # seconds that a tool's clock may be fast
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class ServiceTokens:
    """Signs the access tokens of one twin and opens them again; tools cannot read them."""

    def __init__(self) -> None:
        self._key = OctKey.generate_key(256)

    def issue(self, audience: str, key: DeveloperKey, scope: str, now: int) -> str:
        claims = {
            "iss": "Canvas",
            "sub": str(key.id),
            "aud": audience,
            "iat": now,
            "exp": now + LIFE,
            "jti": str(uuid.uuid4()),
            "scopes": scope,
        }
        return jwt.encode({"alg": "HS256"}, claims, self._key)

    def open(self, token: str) -> dict[str, Any]:
        """The claims of a token that this twin signed; raises a JoseError otherwise."""
        return jwt.decode(token, self._key, algorithms=["HS256"]).claims


async def by_assertion(request: Request, params: Mapping[str, str]) -> dict[str, Any]:
    school: School = request.app.state.school
    if params.get("client_assertion_type") != _ASSERTION_TYPE:
        raise OAuthError("invalid_request", "assertion method not supported for this grant_type")
    assertion = params.get("client_assertion", "")
    unverified = _unverified_claims(assertion)
    key = developer_keys.find_key(school, str(unverified["sub"]))
    if key is None:
        raise unknown_client()
    now = int(school.clock.now().timestamp())
    _check_claims(unverified, token_url(request), now)
    _check_signature(assertion, await _public_keys(request.app.state.outgoing, key))
    scope = _granted_scope(key, params.get("scope", "").split())
    tokens: ServiceTokens = request.app.state.service_tokens
    return {
        "access_token": tokens.issue(token_url(request), key, scope, now),
        "token_type": "Bearer",
        "expires_in": LIFE,
        "scope": scope,
    }


def token_url(request: Request) -> str:
    """What `aud` must be: the token URL of the very host that was asked."""
    return f"{str(request.base_url).rstrip('/')}/login/oauth2/token"


def _unverified_claims(assertion: str) -> dict[str, Any]:
    try:
        claims = orjson.loads(jws.extract_compact(assertion.encode()).payload)
    except (JoseError, ValueError) as broken:
        raise OAuthError("invalid_request", "client_assertion is not a JWT") from broken
    missing = [name for name in _REQUIRED if claims.get(name) in {None, ""}]
    if missing:
        text = f"the following assertions are missing: {', '.join(missing)}"
        raise OAuthError("invalid_request", text)
    found: dict[str, Any] = claims
    return found


def _check_claims(claims: Mapping[str, Any], audience: str, now: int) -> None:
    issued_at, expires_at = claims["iat"], claims["exp"]
    faults = (
        (claims["aud"] != audience, "the 'aud' is invalid"),
        (not _is_number(expires_at) or expires_at <= now, "the JWT has expired"),
        (not _is_number(issued_at), "the 'iat' must be a number"),
        (_is_number(issued_at) and issued_at < now - _OLDEST, "the 'iat' is too old"),
        (_is_number(issued_at) and issued_at > now + _AHEAD, "the 'iat' must not be in the future"),
    )
    for wrong, text in faults:
        if wrong:
            raise OAuthError("invalid_request", text)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


async def _public_keys(outgoing: Outgoing, key: DeveloperKey) -> KeySet:
    """The tool's keys, fetched anew for each request as Canvas does."""
    jwks: Any = {"keys": [key.public_jwk]}
    try:
        if key.public_jwk_url:
            jwks = await outgoing.get_json(key.public_jwk_url)
        return KeySet.import_key_set(jwks)
    except (httpx.HTTPError, JoseError, ValueError, TypeError, KeyError) as broken:
        raise OAuthError(
            "invalid_request", f"JWK Error: {str(broken) or type(broken).__name__}"
        ) from broken


def _check_signature(assertion: str, keys: KeySet) -> None:
    try:
        jwt.decode(assertion, keys, algorithms=["RS256"])
    except BadSignatureError as broken:
        raise OAuthError("invalid_request", "JWS signature invalid.") from broken
    except JoseError as broken:
        raise OAuthError("invalid_request", f"JWK Error: {broken}") from broken


def _granted_scope(key: DeveloperKey, asked: list[str]) -> str:
    refused = [scope for scope in asked if scope not in key.scopes]
    if asked and not refused:
        return " ".join(asked)
    text = (
        "A requested scope is invalid, unknown, malformed, or exceeds the scope granted by the "
        f"resource owner. The following scopes were requested, but not granted: {', '.join(refused)}"
    )
    raise OAuthError("invalid_scope", text)
