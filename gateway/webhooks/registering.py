"""Clients' webhooks: made, changed, given new secrets, set to try again; for the graph and for the command line."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from gateway.errors import AddressRefused, Forbidden, WriteRefused
from gateway.feed import ChangeFilter
from gateway.http.addresses import origin
from gateway.seal import Seal
from gateway.store import repeats, tokens, webhook_messages, webhooks
from gateway.store.repeats import Request
from gateway.store.webhook_messages import Message
from gateway.store.webhooks import Webhook
from gateway.uow import Database, Transaction
from gateway.viewer import Scope, Viewer
from gateway.webhooks import messages
from models.roster import MutationErrorCode

__all__ = ["Caller", "Change", "Made", "Message", "Webhook", "Webhooks"]

MOST = 50  # of one client
LONGEST_OVERLAP = timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class Made:
    """A webhook after it was written; `secret` where a new one was made, shown this once (or to the same question)."""

    webhook_id: int
    secret: str | None = None


@dataclass(frozen=True, kw_only=True)
class Change:
    """What is changed of a webhook; None leaves it. `position`: send again from behind there."""

    url: str | None = None
    which: ChangeFilter | None = None
    enabled: bool | None = None
    position: int | None = None


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who manages: `client` None may manage everybody's. `key`: the caller's own, by which asking again answers the same."""

    institution_id: int
    client: str | None = None
    key: str | None = None

    @classmethod
    def of(cls, viewer: Viewer, key: str | None) -> "Caller":
        if Scope.ADMIN in viewer.scopes:
            return cls(institution_id=viewer.institution_id, key=key)
        if viewer.service is None or viewer.acts_for_id is not None:
            raise Forbidden(
                "Webhooks belong to services: send a service token, without Roster-Act-As."
            )
        viewer.require(Scope.CHANGES_READ)
        return cls(institution_id=viewer.institution_id, client=viewer.service.name, key=key)


Work = Callable[[Transaction], Awaitable[Made]]


class Webhooks:
    """Those of all institutions. `plain`: whether http:// will do, as on a developer's own machine."""

    def __init__(
        self, database: Database, seal: Seal, clock: Callable[[], datetime], *, plain: bool
    ) -> None:
        self._database = database
        self._seal = seal
        self._clock = clock
        self._plain = plain

    async def create(
        self,
        caller: Caller,
        *,
        client: str | None,
        url: str,
        which: ChangeFilter,
        position: int | None,
    ) -> Made:
        """`position`: behind which changes are sent; None: from now on."""
        self._require_address(url)
        whose = client or caller.client
        if whose is None:
            raise _invalid("Say whose it is: `client` is the name of a service token.", "client")
        if caller.client not in (None, whose):
            raise _refused(MutationErrorCode.NOT_PERMITTED, "That client is another one.", "client")
        await self._require_client(caller.institution_id, whose)
        secret = messages.new_secret()

        async def work(tx: Transaction) -> Made:
            made = await webhooks.create(
                tx,
                caller.institution_id,
                client=whose,
                url=url,
                which=msgspec.json.encode(which).decode(),
                position=position,
                secret_sealed=self._seal.close(secret),
                now=self._clock(),
            )
            return Made(webhook_id=made, secret=secret)

        return await self._once(caller, f"create {whose} {url} {which} {position}", work)

    async def change(self, caller: Caller, webhook_id: int, change: Change) -> Made:
        if change.url is not None:
            self._require_address(change.url)

        async def work(tx: Transaction) -> Made:
            await self._require(tx, caller, webhook_id)
            columns = _columns(change, self._clock())
            if columns:
                await webhooks.change(tx, caller.institution_id, webhook_id, columns)
            if change.position is not None:
                await webhook_messages.drop_waiting(tx, caller.institution_id, webhook_id)
            return Made(webhook_id=webhook_id)

        return await self._once(caller, f"change {webhook_id} {change}", work)

    async def rotate(self, caller: Caller, webhook_id: int, overlap: timedelta) -> Made:
        """A new secret; the former one signs beside it for so long."""
        if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
            raise _invalid(f"An overlap is {LONGEST_OVERLAP.days} days at most.", "overlap")
        secret = messages.new_secret()

        async def work(tx: Transaction) -> Made:
            webhook = await self._require(tx, caller, webhook_id)
            columns = {
                "secret_sealed": self._seal.close(secret),
                "former_sealed": webhook.secret_sealed,
                "former_until": self._clock() + overlap,
            }
            await webhooks.change(tx, caller.institution_id, webhook_id, columns)
            return Made(webhook_id=webhook_id, secret=secret)

        return await self._once(caller, f"rotate {webhook_id} {overlap}", work)

    async def replay(
        self, caller: Caller, webhook_id: int, only: Sequence[int] | None = None
    ) -> Made:
        """Try anew what was given up: `only` these messages, else all."""

        async def work(tx: Transaction) -> Made:
            await self._require(tx, caller, webhook_id)
            await webhook_messages.revive(
                tx, caller.institution_id, webhook_id, only=only, now=self._clock()
            )
            return Made(webhook_id=webhook_id)

        return await self._once(caller, f"replay {webhook_id} {only}", work)

    async def delete(self, caller: Caller, webhook_id: int) -> Made:
        async def work(tx: Transaction) -> Made:
            await self._require(tx, caller, webhook_id)
            await webhooks.delete(tx, caller.institution_id, webhook_id)
            return Made(webhook_id=webhook_id)

        return await self._once(caller, f"delete {webhook_id}", work)

    async def listed(self, caller: Caller) -> list[Webhook]:
        return await webhooks.of_institution(self._database, caller.institution_id, caller.client)

    async def find(self, caller: Caller, webhook_id: int) -> Webhook | None:
        found = await webhooks.find(self._database, caller.institution_id, webhook_id)
        return found if found and caller.client in (None, found.client) else None

    async def messages(
        self, caller: Caller, webhook_id: int, *, dead: bool, before: int | None, limit: int
    ) -> list[Message]:
        return await webhook_messages.listed(
            self._database,
            caller.institution_id,
            webhook_id,
            dead=dead,
            before=before,
            limit=limit,
        )

    async def _require(self, tx: Transaction, caller: Caller, webhook_id: int) -> Webhook:
        found = await webhooks.find(tx, caller.institution_id, webhook_id)
        if found is None or caller.client not in (None, found.client):
            raise _refused(MutationErrorCode.NOT_FOUND, "There is no such webhook.", "webhook")
        return found

    async def _require_client(self, institution_id: int, client: str) -> None:
        live = await tokens.of_institution(self._database, institution_id)
        if not any(one.name == client and one.revoked_at is None for one in live):
            raise _refused(
                MutationErrorCode.NOT_FOUND, f"No service token is called {client!r}.", "client"
            )
        if len(await webhooks.of_institution(self._database, institution_id, client)) >= MOST:
            raise _invalid(f"A client has {MOST} webhooks at most.", "client")

    def _require_address(self, url: str) -> None:
        """What is no public address is refused when a connection is made: a name may mean another one by then."""
        try:
            scheme, _, _ = origin(url)
        except AddressRefused as error:
            raise _invalid(str(error), "url") from error
        if len(url) > 1024:
            raise _invalid("An address has 1024 characters at most.", "url")
        if scheme != "https" and not self._plain:
            raise _invalid("An address begins with https://.", "url")

    async def _once(self, caller: Caller, said: str, work: Work) -> Made:
        """`work`, or what it was answered the first time."""

        async def do(tx: Transaction) -> Made:
            if caller.key is None:
                return await work(tx)
            request = Request(
                institution_id=caller.institution_id,
                caller=f"webhooks of {hashlib.sha256((caller.client or '').encode()).hexdigest()[:32]}",
                key=caller.key,
                digest=hashlib.sha256(said.encode()).hexdigest(),
            )
            if (answer := await repeats.answer_to(tx, request)) is not None:
                return msgspec.json.decode(self._seal.open(answer), type=Made)
            made = await work(tx)
            answer = self._seal.close(msgspec.json.encode(made).decode())
            await repeats.keep(tx, request, answer, self._clock())
            return made

        return await self._database.transact(do)


def _columns(change: Change, now: datetime) -> dict[str, object]:
    columns: dict[str, object] = {}
    if change.url is not None:
        columns["url"] = change.url
    if change.which is not None:
        columns["which"] = msgspec.json.encode(change.which).decode()
    if change.position is not None:
        columns["position"] = change.position
    if change.enabled is not None:
        off = None if change.enabled else now
        why = None if change.enabled else "switched off by hand"
        columns |= {"disabled_at": off, "disabled_why": why, "failing_since": None}
    return columns


def _invalid(message: str, *path: str) -> WriteRefused:
    return _refused(MutationErrorCode.INVALID, message, *path)


def _refused(code: MutationErrorCode, message: str, *path: str) -> WriteRefused:
    return WriteRefused(code, message, *path)
