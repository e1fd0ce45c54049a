"""Sending webhooks what changed: in the feed's order, again and again until it is taken or given up.

All state is in tables, written before and after each request: a process that dies is followed by any other, and a
message that was on its way is sent once more, under the same name.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from gateway.access import Accesses
from gateway.changes import ABOUT_PEOPLE, FIELDS, SubjectType
from gateway.errors import CursorExpired, OutboundError
from gateway.feed import ChangeFilter, Entry, Feed
from gateway.http.client import Client, Request, Response
from gateway.readpath.registry import Reader
from gateway.seal import Seal
from gateway.shield import finish
from gateway.store import webhook_messages, webhooks
from gateway.store.webhook_messages import Message
from gateway.store.webhooks import Webhook
from gateway.uow import Database, Transaction
from gateway.viewer import PERSONAL, Viewer
from gateway.webhooks import messages, retries
from gateway.webhooks.clients import Clients

_log = logging.getLogger(__name__)

CHANGES_AT_ONCE = 100  # in one message
MESSAGES_AT_ONCE = 20  # before others have their turn
AT_ONCE = 8  # webhooks at a time
SECONDS = 15.0  # that a receiver has to take a message
CLAIM = timedelta(seconds=60)
GIVEN_UP_AFTER = timedelta(days=10)  # without any success: the webhook is switched off
_MOST_BYTES = 64 * 1024  # of an answer, which nobody reads

NOBODY = "its client has no live token that may follow changes"


class _Outcome(NamedTuple):
    """`status` None: there was no answer."""

    status: int | None
    error: str | None
    asked: timedelta | None = None


class Deliveries:
    """Of all institutions."""

    def __init__(
        self,
        *,
        database: Database,
        feed: Feed,
        http: Client,
        seal: Seal,
        clients: Clients,
        accesses: Accesses,
        clock: Callable[[], datetime],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._feed = feed
        self._http = http
        self._seal = seal
        self._clients = clients
        self._accesses = accesses
        self._clock = clock
        self._chance = chance

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Sends behind all else; what is on its way at the end is waited for."""
        task = asyncio.ensure_future(self._run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                sent = await finish(self.step())
            except Exception:  # noqa: BLE001  whatever it is, the next round tries again
                sent = 0
                _log.exception("webhooks cannot be delivered")
            if not sent:
                await self._feed.moved(1.0)

    async def step(self) -> int:
        """Send all that is due now, as far as it is taken; how many messages were."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(institution_id: int, webhook_id: int) -> int:
            async with turns:
                return await self._work(institution_id, webhook_id)

        due = await webhooks.with_work(self._database, self._clock())
        counts = await asyncio.gather(*(one(*which) for which in due), return_exceptions=True)
        for which, count in zip(due, counts, strict=True):
            if isinstance(count, BaseException):
                _log.error("a webhook failed", exc_info=count, extra={"fields": {"id": which[1]}})
        return sum(count for count in counts if isinstance(count, int))

    async def _work(self, institution_id: int, webhook_id: int) -> int:
        """Messages taken, one after the other, until there is none, one is not taken, or it is others' turn."""
        for taken in range(MESSAGES_AT_ONCE):
            now = self._clock()
            if not await webhooks.claim(
                self._database, institution_id, webhook_id, now=now, until=now + CLAIM
            ):
                return taken
            try:
                if not await self._send_next(institution_id, webhook_id):
                    return taken
            finally:
                await self._change(institution_id, webhook_id, {"claimed_until": None})
        return MESSAGES_AT_ONCE

    async def _send_next(self, institution_id: int, webhook_id: int) -> bool:
        """Whether a message was taken, and the next one's turn has come."""
        webhook = await webhooks.find(self._database, institution_id, webhook_id)
        if webhook is None or webhook.disabled_at is not None:
            return False
        viewer = await self._clients.viewer(institution_id, webhook.client)
        if viewer is None:
            await self._switch_off(webhook, NOBODY)
            return False
        reader = Reader(
            institution_id=institution_id,
            shard=viewer.shard,
            now=self._clock(),
            rights=viewer.rights,
        )
        message = await webhook_messages.waiting(self._database, institution_id, webhook_id)
        if message is None:
            await self._make_next(webhook, reader)
            message = await webhook_messages.waiting(self._database, institution_id, webhook_id)
        if message is None or message.next_at > self._clock():
            return False
        outcome = await self._attempt(webhook, message, reader, viewer)
        if outcome.error is None:
            await self._taken(webhook, message, outcome)
            return True
        await self._not_taken(webhook, message, outcome)
        return False

    async def _make_next(self, webhook: Webhook, reader: Reader) -> None:
        """A message of what comes next in the feed; where none of it is meant, the webhook only moves on."""
        head = await self._feed.head(webhook.institution_id)
        entries = await self._entries(webhook, reader, after=webhook.position, until=head)
        until = head
        if entries is None:
            until = await self._feed.horizon(webhook.institution_id)
        elif len(entries) == CHANGES_AT_ONCE:
            until = entries[-1].position

        async def work(tx: Transaction) -> None:
            if entries == []:
                await webhook_messages.move(tx, webhook.institution_id, webhook.id, until)
                return
            await webhook_messages.make(
                tx,
                webhook.institution_id,
                webhook.id,
                name=messages.new_name(),
                after=webhook.position,
                until=until,
                now=self._clock(),
            )

        await self._database.transact(work)

    async def _entries(
        self, webhook: Webhook, reader: Reader, *, after: int, until: int
    ) -> list[Entry] | None:
        """None where they are not kept any more."""
        which = msgspec.json.decode(webhook.which, type=ChangeFilter)
        try:
            await self._feed.require_kept(webhook.institution_id, after)
        except CursorExpired:
            return None
        return await self._feed.entries(
            reader, which, after=after, limit=CHANGES_AT_ONCE, until=until
        )

    async def _attempt(
        self, webhook: Webhook, message: Message, reader: Reader, viewer: Viewer
    ) -> _Outcome:
        entries = await self._entries(
            webhook, reader, after=message.after_position, until=message.until_position
        )
        if entries and len(entries) == CHANGES_AT_ONCE:
            message = await self._cut(message, entries[-1].position)
        kind = messages.EXPIRED if entries is None else messages.CHANGED
        text = messages.body(kind, message.made_at, message.until_position, entries or (), reader)
        signed = messages.headers(message.name, self._clock(), text, self._secrets(webhook))
        request = Request("POST", webhook.url, content=text.encode(), headers=signed)
        self._note(viewer, entries or ())
        try:
            return _judged(
                await self._http.send(request, max_bytes=_MOST_BYTES, max_seconds=SECONDS)
            )
        except OutboundError as error:
            return _Outcome(None, str(error))

    def _note(self, viewer: Viewer, entries: Sequence[Entry]) -> None:
        """That the feed tells of people, for the access log: once it is on its way nobody can take it back."""
        people = {one.subject_id for one in entries if one.subject_type == SubjectType.USER}
        count = len(people) + sum(one.subject_type in ABOUT_PEOPLE for one in entries)
        told = PERSONAL - viewer.rights.hidden
        fields = FIELDS[SubjectType.USER].values()
        if count:
            shown = tuple(sorted(name for name in fields if f"User.{name}" in told))
            self._accesses.note(viewer, ("Feed", 0), count, shown)

    async def _cut(self, message: Message, until: int) -> Message:
        """The message, of which more is meant than when it was made (the filter or the rights changed): the rest is another one."""
        if until == message.until_position:
            return message
        cut = replace(message, name=messages.new_name(), until_position=until)

        async def work(tx: Transaction) -> None:
            columns = {"name": cut.name, "until_position": until}
            await webhook_messages.change(tx, message.institution_id, message.id, columns)
            await webhook_messages.make(
                tx,
                message.institution_id,
                message.webhook_id,
                name=messages.new_name(),
                after=until,
                until=message.until_position,
                now=self._clock(),
            )

        await self._database.transact(work)
        return cut

    def _secrets(self, webhook: Webhook) -> Sequence[str]:
        sealed = [webhook.secret_sealed]
        until = webhook.former_until
        if webhook.former_sealed is not None and until is not None and self._clock() < until:
            sealed.append(webhook.former_sealed)
        return [self._seal.open(one) for one in sealed]

    async def _taken(self, webhook: Webhook, message: Message, outcome: _Outcome) -> None:
        said = {"last_status": outcome.status, "last_error": None}

        async def work(tx: Transaction) -> None:
            done = {"delivered_at": self._clock(), "attempts": message.attempts + 1, **said}
            await webhook_messages.change(tx, webhook.institution_id, message.id, done)
            if webhook.failing_since is not None:
                await webhooks.change(
                    tx, webhook.institution_id, webhook.id, {"failing_since": None}
                )

        await self._database.transact(work)

    async def _not_taken(self, webhook: Webhook, message: Message, outcome: _Outcome) -> None:
        now, attempts = self._clock(), message.attempts + 1
        wait = retries.wait_after(attempts, chance=self._chance(), asked=outcome.asked)
        since = webhook.failing_since or now
        columns: dict[str, object] = {
            "attempts": attempts,
            "last_status": outcome.status,
            "last_error": outcome.error,
        }
        columns |= {"dead_at": now} if wait is None else {"next_at": now + wait}
        of_webhook: dict[str, object] = {"failing_since": since}
        if outcome.status == retries.GONE:
            of_webhook |= _off(now, "the receiver says that it is gone (HTTP 410)")
        elif wait is None and now - since >= GIVEN_UP_AFTER:
            of_webhook |= _off(now, f"nothing was taken since {since:%Y-%m-%d}: {outcome.error}")

        async def work(tx: Transaction) -> None:
            await webhook_messages.change(tx, webhook.institution_id, message.id, columns)
            await webhooks.change(tx, webhook.institution_id, webhook.id, of_webhook)

        await self._database.transact(work)
        fields = {"id": webhook.id, "attempts": attempts, "error": outcome.error}
        _log.warning("a webhook did not take a message", extra={"fields": fields})

    async def _switch_off(self, webhook: Webhook, why: str) -> None:
        await self._change(webhook.institution_id, webhook.id, _off(self._clock(), why))

    async def _change(
        self, institution_id: int, webhook_id: int, columns: dict[str, object]
    ) -> None:
        async def work(tx: Transaction) -> None:
            await webhooks.change(tx, institution_id, webhook_id, columns)

        await self._database.transact(work)


def _off(now: datetime, why: str) -> dict[str, object]:
    return {"disabled_at": now, "disabled_why": why}


def _judged(answer: Response) -> _Outcome:
    """Anything but 2xx is a failure; a redirect is not followed, for it would carry the roster to where nobody said."""
    if 200 <= answer.status < 300:
        return _Outcome(answer.status, None)
    error = f"answered with HTTP {answer.status}"
    return _Outcome(answer.status, error, retries.retry_after(answer.headers))
