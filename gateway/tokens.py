"""People's own rights to call Canvas: granted once, renewed by one process at a time, marked when they are over."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.canvas.client import Credential
from gateway.canvas.oauth2 import Grant, TokenEndpoint
from gateway.errors import CredentialSpent, GrantRefused, SourceDown
from gateway.seal import Seal
from gateway.shield import finish
from gateway.store import canvas_tokens
from gateway.store.canvas_tokens import Kept, Value
from gateway.uow import Database

_log = logging.getLogger(__name__)

RENEWED_BEFORE_END = timedelta(minutes=2)
CLAIM = timedelta(seconds=30)  # longer than a request to the token endpoint can take
LOOK_EVERY = 0.1  # seconds, while another process renews

Sleep = Callable[[float], Awaitable[None]]


class PeoplesTokens:
    """Those of one institution's people."""

    def __init__(
        self,
        *,
        institution_id: int,
        database: Database,
        seal: Seal,
        endpoint: TokenEndpoint,
        clock: Callable[[], datetime],
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.institution_id = institution_id
        self._database = database
        self._seal = seal
        self._endpoint = endpoint
        self._clock = clock
        self._sleep = sleep
        self._locks: dict[int, asyncio.Lock] = {}

    async def credential(self, person: int, scopes: Collection[str] = ()) -> Credential | None:
        """None where nothing was granted, or less than `scopes`, or it is over."""
        kept = await self._find(person)
        if kept is None or kept.broken_at or not set(scopes) <= set(kept.scopes):
            return None
        return PersonsCredential(self, person)

    async def keep(
        self, person: int, grant: Grant, *, client_id: str, scopes: tuple[str, ...]
    ) -> None:
        await canvas_tokens.keep(
            self._database,
            self.institution_id,
            person,
            self._value(grant),
            client_id=client_id,
            scopes=scopes,
            now=self._clock(),
        )

    async def revoke(self, person: int) -> None:
        """Over, here and at Canvas; here in any case."""
        kept = await self._find(person)
        if kept is None:
            return
        await canvas_tokens.delete(self._database, self.institution_id, person)
        await self._endpoint.revoke(self._seal.open(kept.access_sealed))

    async def token(self, person: int) -> str:
        kept = await self._living(person)
        access = self._seal.open(kept.access_sealed)
        ends = kept.expires_at
        if ends is None or kept.refresh_sealed is None:
            return access
        return (
            access
            if self._clock() < ends - RENEWED_BEFORE_END
            else await self.renewed(person, access)
        )

    async def renewed(self, person: int, spent: str) -> str:
        """A token in the place of `spent`: another process's, where it was quicker."""
        async with self._locks.setdefault(person, asyncio.Lock()):
            while True:
                kept = await self._living(person)
                access = self._seal.open(kept.access_sealed)
                if access != spent:
                    return access
                now = self._clock()
                if await canvas_tokens.claim(self._database, kept, now=now, until=now + CLAIM):
                    return await finish(self._renew(kept))
                await self._sleep(LOOK_EVERY)

    async def _renew(self, kept: Kept) -> str:
        if kept.refresh_sealed is None:
            raise await self._broken(kept, "Canvas does not take it, and it cannot be renewed")
        try:
            grant = await self._endpoint.refresh(self._seal.open(kept.refresh_sealed))
        except GrantRefused as refusal:
            raise await self._broken(kept, str(refusal)) from refusal
        except BaseException:
            await canvas_tokens.release(self._database, kept)
            raise
        if not await canvas_tokens.renewed(
            self._database, kept, self._value(grant), now=self._clock()
        ):
            raise SourceDown("this person granted anew while their token was being renewed")
        return grant.access

    async def _broken(self, kept: Kept, why: str) -> CredentialSpent:
        await canvas_tokens.mark_broken(self._database, kept, why, now=self._clock())
        _log.warning("a person's Canvas token is over", extra={"fields": {"reason": why}})
        return CredentialSpent(f"this person's Canvas token is over: {why}")

    async def _living(self, person: int) -> Kept:
        kept = await self._find(person)
        if kept is None:
            raise CredentialSpent(
                "this person has not connected their Canvas account, or no longer"
            )
        if kept.broken_at is not None:
            raise CredentialSpent(f"this person's Canvas token is over: {kept.broken_why}")
        return kept

    async def _find(self, person: int) -> Kept | None:
        return await canvas_tokens.find(self._database, self.institution_id, person)

    def _value(self, grant: Grant) -> Value:
        close = self._seal.close
        lasts = None if grant.seconds is None else timedelta(seconds=grant.seconds)
        return Value(
            access_sealed=close(grant.access),
            refresh_sealed=None if grant.refresh is None else close(grant.refresh),
            expires_at=None if lasts is None else self._clock() + lasts,
        )


@dataclass(frozen=True)
class PersonsCredential:
    """The right that one person granted."""

    tokens: PeoplesTokens
    person: int

    async def token(self) -> str:
        return await self.tokens.token(self.person)

    async def renewed(self, spent: str) -> str:
        return await self.tokens.renewed(self.person, spent)


@dataclass(frozen=True, kw_only=True)
class AdminAndPeople:
    """All rights to call one institution's Canvas: the operator's, and those that people granted.

    `asked`: what people are asked for. What they granted before that was narrowed is not made use of.
    """

    operators: Credential | None
    people: PeoplesTokens | None
    asked: frozenset[str] = frozenset()

    def admin(self) -> Credential | None:
        return self.operators

    async def of_person(self, person: int, scopes: Collection[str] = ()) -> Credential | None:
        if self.people is None or not self.asked.issuperset(scopes):
            return None
        return await self.people.credential(person, scopes)

    def may_be_granted(self, scopes: Collection[str]) -> bool:
        return self.people is not None and self.asked.issuperset(scopes)
