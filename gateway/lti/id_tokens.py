"""An id_token from a stranger to signed claims: its signature, by a key of the platform that was asked."""

from collections.abc import Awaitable, Callable
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from gateway.errors import LaunchRefused
from gateway.lti.claims import SignedClaims

ALGORITHM = "RS256"

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
        return SignedClaims(jwt.decode(unverified_token, key, algorithms=[ALGORITHM]).claims)
    except (JoseError, ValueError) as error:
        raise LaunchRefused("signature", "The launch's signature does not stand.") from error


def _header(unverified_token: str) -> dict[str, Any]:
    try:
        header: dict[str, Any] = jws.extract_compact(unverified_token.encode()).headers()
    except (JoseError, ValueError) as error:
        raise LaunchRefused("id_token", "The launch brings no signed token.") from error
    return header
