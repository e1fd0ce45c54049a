"""Tokens for the services of LTI platforms, by `client_credentials` with a JWT that we sign.

One serves every course where the tool is installed, for an hour. Canvas charges each request for one heavily, and to our
address (fact sheet transport.md §2.1), so a token is shared, renewed before it ends, and asked for by one at a time.
"""

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from gateway.cache import Cache
from gateway.canvas import answers
from gateway.errors import (
    CredentialSpent,
    CutShort,
    OutboundError,
    RequestRefused,
    SourceDown,
    SourceRefused,
)
from gateway.http.client import Client, Request
from gateway.prices import Endpoint, PriceBook
from gateway.shield import finish

NRPS = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"

Signer = Callable[[Mapping[str, Any]], Awaitable[str]]

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_ASSERTION_LIFE = timedelta(minutes=5)
_RENEWED_BEFORE_END = timedelta(minutes=10)
LASTS = timedelta(minutes=50)  # how long we use one that is good for an hour


class Platform(Protocol):
    """Us on a platform (`gateway.lti.platforms.Registration`)."""

    @property
    def client_id(self) -> str: ...

    @property
    def token_url(self) -> str: ...


class ServiceTokens:
    """Of all platforms, and for all processes that share a cache. `sign` makes a JWT of claims with the key that signs now."""

    def __init__(
        self,
        *,
        http: Client,
        sign: Signer,
        prices: PriceBook,
        cache: Cache,
        clock: Callable[[], datetime],
    ) -> None:
        self._http = http
        self._sign = sign
        self._prices = prices
        self._clock = clock
        self._cache = cache
        self._asking: defaultdict[tuple[str, str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    def credential(self, platform: Platform, scope: str) -> "ServiceCredential":
        return ServiceCredential(tokens=self, platform=platform, scope=scope)

    async def is_held(self, platform: Platform, scope: str) -> bool:
        """Whether there is a good one, which costs nothing more."""
        return await self._kept(_key(platform, scope)) is not None

    async def token(self, platform: Platform, scope: str, *, spent: str | None = None) -> str:
        """A good token; with `spent`, one in the place of that."""
        key = _key(platform, scope)
        async with self._asking[key]:
            kept = await self._kept(key)
            if kept is not None and kept != spent:
                return kept
            return await finish(self._renewed(platform, scope))

    async def _kept(self, key: tuple[str, str, str]) -> str | None:
        return await self._cache.get(str, "service token", *key)

    async def _renewed(self, platform: Platform, scope: str) -> str:
        now = self._clock()
        answer = await self._asked(platform, scope, now)
        token, seconds = answer.get("access_token"), answer.get("expires_in", 3600)
        if not isinstance(token, str) or not isinstance(seconds, int | float):
            raise CutShort(f"{platform.token_url} answered with something that is not a token")
        lasts = timedelta(seconds=seconds) - _RENEWED_BEFORE_END
        await self._cache.put(token, "service token", *_key(platform, scope), lasts=lasts)
        return token

    async def _asked(self, platform: Platform, scope: str, now: datetime) -> dict[str, Any]:
        fields = {
            "grant_type": "client_credentials",
            "client_assertion_type": _ASSERTION,
            "client_assertion": await self._sign(_claims(platform, now)),
            "scope": scope,
        }
        try:
            answer = await self._http.send(Request("POST", platform.token_url, data=fields))
        except OutboundError as error:
            raise SourceDown(str(error)) from error
        failed = answers.failure(answer)
        if isinstance(failed, RequestRefused | CredentialSpent):
            # Every other refusal here means that the registration is broken, and asking again does not mend it.
            raise SourceRefused(f"the platform gives us no token: {failed}")
        if failed is not None:
            raise failed
        seconds = (self._clock() - now).total_seconds()
        self._prices.teach(Endpoint.SERVICE_TOKEN, quota=answers.cost(answer), seconds=seconds)
        return answers.record(answer)


def _claims(platform: Platform, now: datetime) -> Mapping[str, Any]:
    """Canvas looks the key up by `sub`, and `aud` must be the URL that is asked (nrps.md §1.1)."""
    return {
        "iss": platform.client_id,
        "sub": platform.client_id,
        "aud": platform.token_url,
        "iat": int(now.timestamp()),
        "exp": int((now + _ASSERTION_LIFE).timestamp()),
        "jti": secrets.token_urlsafe(24),
    }


def _key(platform: Platform, scope: str) -> tuple[str, str, str]:
    return platform.token_url, platform.client_id, scope


@dataclass(frozen=True, kw_only=True)
class ServiceCredential:
    """Our right to one service of one platform."""

    tokens: ServiceTokens
    platform: Platform
    scope: str

    async def token(self) -> str:
        return await self.tokens.token(self.platform, self.scope)

    async def renewed(self, spent: str) -> str:
        return await self.tokens.token(self.platform, self.scope, spent=spent)
