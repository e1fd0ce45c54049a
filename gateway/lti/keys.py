"""Keys: our own, which sign what we ask platforms for and rotate, and the platforms', which launches are verified by."""

import asyncio
import re
import warnings
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from joserfc import jwt
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import RSAKey

from gateway.errors import AnswerUnusable, LaunchRefused, OutboundError
from gateway.http.client import Client, Request
from gateway.seal import Seal
from gateway.shield import finish
from gateway.store import lti_keys
from gateway.store.lti_keys import SealedKey
from gateway.uow import Database

Clock = Callable[[], datetime]

PERIOD = timedelta(days=90)
AROUND = timedelta(days=7)  # a key is published so long before it signs, and so long after
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def period_of(at: datetime) -> int:
    return (at - _EPOCH) // PERIOD


def _new_key() -> RSAKey:
    return RSAKey.generate_key(2048)


class OwnKeys:
    """One key a period, kept sealed in the database; whichever process is first makes it for all."""

    def __init__(
        self,
        database: Database,
        seal: Seal,
        clock: Clock,
        make: Callable[[], RSAKey] = _new_key,
    ) -> None:
        self._database = database
        self._seal = seal
        self._clock = clock
        self._make = make
        self._keys: dict[int, RSAKey] = {}

    async def signing(self) -> RSAKey:
        """The key that signs now, with its `kid`."""
        period = period_of(self._clock())
        return (await self._published())[period]

    async def sign(self, claims: Mapping[str, Any]) -> str:
        """A JWT of ours."""
        key = await self.signing()
        return jwt.encode({"alg": "RS256", "typ": "JWT", "kid": key.kid}, dict(claims), key)

    async def jwks(self) -> dict[str, Any]:
        """What platforms may know of our keys: the one that signs, the one that will soon and the one that just did."""
        keys = await self._published()
        return {"keys": [key.as_dict(private=False) for key in keys.values()]}

    async def _published(self) -> Mapping[int, RSAKey]:
        now = self._clock()
        first, current, last = (period_of(at) for at in (now - AROUND, now, now + AROUND))
        if not {current, last} <= self._keys.keys():
            self._keys = await finish(self._completed(first, {current, last}, now))
        return {period: key for period, key in self._keys.items() if first <= period <= last}

    async def _completed(self, first: int, wanted: set[int], now: datetime) -> dict[int, RSAKey]:
        kept = await lti_keys.all_of(self._database, first)
        missing = sorted(wanted - {one.period for one in kept})
        for period in missing:
            key = await asyncio.to_thread(self._make)
            kid = f"{_EPOCH + period * PERIOD:%Y-%m}-{key.thumbprint()[:12]}"
            named = {**key.as_dict(private=True), "kid": kid, "use": "sig", "alg": "RS256"}
            sealed = self._seal.close(orjson.dumps(named).decode())
            await lti_keys.keep(
                self._database, SealedKey(period=period, kid=kid, sealed=sealed), now
            )
        if missing:  # another process may have been quicker: what is kept counts
            kept = await lti_keys.all_of(self._database, first)
        return {
            one.period: RSAKey.import_key(orjson.loads(self._seal.open(one.sealed))) for one in kept
        }


HOLD_OFF = timedelta(minutes=2)  # between two fetches because of an unknown `kid`
FRESHEST, OLDEST = timedelta(minutes=5), timedelta(days=1)
_MAX_AGE = re.compile(r"max-age=([0-9]{1,9})")
_MOST_BYTES = 1_000_000


@dataclass
class _KeySet:
    """One platform's keys, and until when they are believed."""

    keys: dict[str, RSAKey] = field(default_factory=dict)
    fetched_at: datetime | None = None
    fresh_until: datetime | None = None
    asked_again_at: datetime | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


Fetch = Callable[[str], Awaitable[tuple[bytes, timedelta | None]]]


def fetch_by(client: Client) -> Fetch:
    async def fetch(url: str) -> tuple[bytes, timedelta | None]:
        answer = await client.send(Request("GET", url), max_bytes=_MOST_BYTES, max_seconds=10)
        if answer.status != 200:
            raise AnswerUnusable(f"the key set at {url} answers {answer.status}")
        age = _MAX_AGE.search(answer.headers.get("cache-control", ""))
        return answer.body, timedelta(seconds=int(age[1])) if age else None

    return fetch


class PlatformKeys:
    """The key sets of platforms, by their URL.

    An unknown `kid` may be a rotation, so it makes us ask again, but not more than once in a while: anybody can invent
    one. A platform whose key set cannot be fetched is believed by the old one, for a day at most.
    """

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._sets: dict[str, _KeySet] = {}

    async def key(self, jwks_url: str, kid: str) -> RSAKey:
        """LaunchRefused where the platform has no such key, or cannot be asked."""
        known = self._sets.setdefault(jwks_url, _KeySet())
        async with known.lock:
            now = self._clock()
            if known.fresh_until is None or now >= known.fresh_until:
                await self._renew(known, jwks_url, now)
            elif kid not in known.keys and _may_ask_again(known, now):
                known.asked_again_at = now
                await self._renew(known, jwks_url, now)
        if kid not in known.keys:
            raise LaunchRefused(
                "kid", "The launch is signed by a key that its platform does not publish."
            )
        return known.keys[kid]

    async def _renew(self, known: _KeySet, url: str, now: datetime) -> None:
        try:
            body, max_age = await self._fetch(url)
            keys = _keys_in(body)
        except OutboundError as error:
            if known.fetched_at is None or now > known.fetched_at + OLDEST:
                raise LaunchRefused(
                    "jwks", f"The platform's keys cannot be had: {error}.", status=503
                ) from error
            known.fresh_until = now + HOLD_OFF
            return
        known.keys, known.fetched_at = keys, now
        known.fresh_until = now + min(max(max_age or FRESHEST, FRESHEST), OLDEST)


def _may_ask_again(known: _KeySet, now: datetime) -> bool:
    return known.asked_again_at is None or now >= known.asked_again_at + HOLD_OFF


def _keys_in(body: bytes) -> dict[str, RSAKey]:
    """The RSA keys that have a `kid`; whatever else a platform publishes is for others."""
    try:
        members = orjson.loads(body)["keys"]
        found = [one for one in members if one.get("kty") == "RSA" and one.get("kid")]
        with warnings.catch_warnings():
            warnings.simplefilter("error", SecurityWarning)  # a key too short to be believed
            return {str(one["kid"]): RSAKey.import_key(one) for one in found}
    except (ValueError, TypeError, KeyError, AttributeError, JoseError, SecurityWarning) as error:
        raise AnswerUnusable("its key set is no JSON Web Key Set") from error
