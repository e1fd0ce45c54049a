"""LTI platforms tried out: whether their keys can be fetched, and whether they give us a token for their rosters."""

from collections.abc import AsyncIterator

import msgspec

from gateway.canvas.service_tokens import NRPS, ServiceTokens
from gateway.doctor.findings import Finding
from gateway.errors import OutboundError, SourceDown, SourceError
from gateway.http.client import Client, Request
from gateway.settings import Lti13

_KEYS = "on the platform (in Canvas: Admin > Developer Keys), edit the LTI key"


async def of_platform(
    http: Client, tokens: ServiceTokens, platform: Lti13, public_url: str
) -> AsyncIterator[Finding]:
    name = f"lti13 {platform.issuer} {platform.client_id}"
    yield await _of_keys(http, platform, name)
    what = f"{name}: a token for rosters (NRPS)"
    try:
        await tokens.token(platform, NRPS)
    except SourceDown as error:
        yield Finding(key="token_url", what=what, mend=f"{error}: check token_url of this platform")
    except SourceError as error:
        yield Finding(key="nrps", what=what, mend=_advice(str(error), public_url))
    else:
        yield Finding(key="nrps", what=what)


def _advice(refusal: str, public_url: str) -> str:
    if "scope" in refusal:
        return f"{_KEYS}, and switch on the scope {NRPS} ({refusal})"
    if "JWK" in refusal or "JWS" in refusal or "signature" in refusal:
        return f"{_KEYS}: its public JWK URL is {public_url}/lti/jwks.json ({refusal})"
    return f"{_KEYS}: it has to be on, with the client id of the configuration ({refusal})"


async def _of_keys(http: Client, platform: Lti13, name: str) -> Finding:
    what = f"{name}: the platform's keys"
    try:
        answer = await http.send(Request("GET", platform.jwks_url))
        keys = msgspec.json.decode(answer.body)
    except (OutboundError, msgspec.DecodeError) as error:
        return Finding(
            key="jwks_url", what=what, mend=f"no keys ({error}): check jwks_url of this platform"
        )
    if answer.status != 200 or not isinstance(keys, dict) or not keys.get("keys"):
        mend = f"it answered {answer.status} and no keys: check jwks_url of this platform"
        return Finding(key="jwks_url", what=what, mend=mend)
    return Finding(key="jwks_url", what=what)
