"""Who is asking: a bearer token in, a `Viewer` out."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from gateway.errors import Forbidden, Unauthenticated
from gateway.store import institutions, tokens
from gateway.uow import Database
from gateway.viewer import Scope, Viewer

_REMEMBERED_SECONDS = 3.0  # a revoked token is refused this much later at most
_REMEMBERED_TOKENS = 10_000

Find = Callable[[str], Awaitable[Viewer | None]]


class _Answer(NamedTuple):
    viewer: Viewer | None
    until: float


class Authenticator:
    """Viewers by their credentials, each remembered for a few seconds.

    A secret is looked up by its digest, here and in the database, so no comparison's time tells anything about it,
    and none is kept in memory.
    """

    def __init__(self, find: Find, *, monotonic: Callable[[], float]) -> None:
        self._find = find
        self._monotonic = monotonic
        self._remembered: dict[bytes, _Answer] = {}

    async def viewer(self, headers: Mapping[str, str]) -> Viewer:
        """The viewer of a request, or Unauthenticated."""
        viewer = await self._lookup(_bearer(headers.get("authorization")))
        if viewer is None:
            raise Unauthenticated("This token is unknown or revoked.")
        if "roster-act-as" in headers:
            # Ignoring it would show a person's screen what only the service may see.
            raise Forbidden("Acting for a person is not available to this credential.")
        return viewer

    async def _lookup(self, unverified_secret: str) -> Viewer | None:
        key = hashlib.sha256(unverified_secret.encode()).digest()
        now = self._monotonic()
        answer = self._remembered.get(key)
        if answer is None or answer.until <= now:
            answer = _Answer(await self._find(unverified_secret), now + _REMEMBERED_SECONDS)
            if len(self._remembered) >= _REMEMBERED_TOKENS:
                self._remembered.clear()
            self._remembered[key] = answer
        return answer.viewer


def service_tokens(database: Database) -> Find:
    """Finds a viewer by a service token's secret."""

    async def find(unverified_secret: str) -> Viewer | None:
        token = await tokens.find(database, unverified_secret)
        if token is None:
            return None
        institution = await institutions.by_id(database, token.institution_id)
        if institution is None:
            return None
        return Viewer(
            institution_id=institution.id,
            institution_slug=institution.slug,
            canvas_url=institution.canvas_url,
            shard=institution.shard,
            scopes=frozenset(Scope(one) for one in token.scopes),
        )

    return find


def _bearer(header: str | None) -> str:
    if header is None:
        raise Unauthenticated("Send a token: Authorization: Bearer rst_…")
    scheme, _, rest = header.partition(" ")
    secret = rest.strip()
    if scheme.lower() != "bearer" or not secret.startswith(tokens.PREFIX) or not secret.isascii():
        raise Unauthenticated("The token is sent as Authorization: Bearer rst_…")
    return secret
