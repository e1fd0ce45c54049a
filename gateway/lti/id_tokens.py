"""An id_token from a stranger to signed claims: its signature, by a key of the platform that was asked."""

import base64
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from joserfc.jws import JWSRegistry

from gateway.errors import LaunchRefused
from gateway.lti.claims import SignedClaims

ALGORITHM = "RS256"

# A header may have members that we do not know; one that is critical, or asks for another algorithm, is refused.
_REGISTRY = JWSRegistry(algorithms=[ALGORITHM], strict_check_header=False)

FindKey = Callable[[str], Awaitable[RSAKey]]


async def verify(unverified_token: str, find_key: FindKey) -> SignedClaims:
    """The algorithm is ours to choose, never the token's; keys that a token brings along (`jwk`, `jku`) are not looked at."""
    header = _header(unverified_token)
    if header.get("alg") != ALGORITHM:
        raise LaunchRefused("alg", f"The launch is not signed by {ALGORITHM}.")
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        raise LaunchRefused("no_kid", "The launch does not say which key signed it (kid).")
    key = await find_key(kid)
    try:
        token = jwt.decode(unverified_token, key, registry=_REGISTRY)
    except (JoseError, ValueError) as error:
        raise LaunchRefused("signature", "The launch's signature does not stand.") from error
    return SignedClaims(token.claims)


def _header(unverified_token: str) -> dict[str, Any]:
    encoded, *rest = unverified_token.split(".")
    try:
        header = orjson.loads(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except ValueError:  # neither base64 nor JSON
        header = None
    if len(rest) != 2 or not isinstance(header, dict):
        raise LaunchRefused("id_token", "The launch brings no signed token.")
    return header
