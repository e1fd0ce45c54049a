"""An order carried out once: written down, told to Canvas, and its answer merged into the store; what is lost is read back.

How callers inside use it: decide an `Order` (`gateway.writes.deciding`) from rows that Canvas showed just now, then

    ended = await carrier.carry_out(asked, order, acting)

`asked.key` makes it once: the same key finds what came of it before, also after the process was killed at any moment. Canvas
is told of an order once. A lost answer is looked for in what Canvas shows; only after a while in which nothing came of it is
the order known not to be done. The store has a row as Canvas answered it before `carry_out` returns it.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec
import orjson

from gateway.batch import Batch
from gateway.canvas import enrollment_writes
from gateway.canvas.client import Call, Canvas
from gateway.errors import AddressRefused, SourceError, WriteRefused
from gateway.merge import Reading
from gateway.prices import PriceBook
from gateway.store import intents, taking
from gateway.store.intended import Asked, Intent, State, Subjects
from gateway.store.intents import Ending, Telling
from gateway.store.told import our_ids
from gateway.uow import Database, Transaction
from gateway.writes import reading_back
from gateway.writes.acting import Acting
from gateway.writes.ending import LEFT, UNCERTAIN, Ended, being_carried_out, ended_of, problem_of
from gateway.writes.orders import Order
from gateway.writes.reading_back import Found
from models.roster import MutationErrorCode, Source

_log = logging.getLogger(__name__)

# Longer than a call may take, its wait for the throttle included.
BUSY = timedelta(minutes=4)
# Until Canvas is told, somebody else may go on with it after so long: whoever comes late is not let tell it.
ASKING = timedelta(seconds=30)
_SECONDS_TO_TELL = 150.0
# With the throttle's refusals; the answer to whoever waits comes before they give up.
PATIENCE = timedelta(seconds=15)
_SECONDS_TO_LOOK = 20.0
# Canvas has ended what it was told by then, one way or the other: its own time-out is a minute.
SETTLED_AFTER = timedelta(seconds=90)
_LOOKS = (0.0, 1.0, 3.0)  # reads may come from a replica a little behind
_TURNS = (0.2, 0.5, 1.0, 2.0)

Sleep = Callable[[float], Awaitable[None]]


class Carrier:
    """Of one institution."""

    def __init__(
        self,
        *,
        institution_id: int,
        shard: int,
        canvas: Canvas,
        database: Database,
        prices: PriceBook,
        clock: Callable[[], datetime],
        sleep: Sleep = asyncio.sleep,
        settled_after: timedelta = SETTLED_AFTER,
    ) -> None:
        self.institution_id = institution_id
        self.shard = shard
        self.canvas = canvas
        self._database = database
        self._prices = prices
        self.now = clock
        self.sleep = sleep
        self._settled_after = settled_after

    async def carry_out(
        self,
        asked: Asked,
        order: Order,
        acting: Acting,
        subjects: Subjects = Subjects(),  # noqa: B008  frozen
    ) -> Ended:
        """`subjects`: our ids of what it is about, as far as they are known beforehand."""
        intent, ended = await self.begin(asked, acting)
        return ended or await self.tell(intent, order, acting, subjects)

    async def begin(self, asked: Asked, acting: Acting) -> tuple[Intent, Ended | None]:
        """The intent, to go on with, and what came of it where it has ended. WriteRefused where somebody else is at it."""
        now = self.now()

        async def work(tx: Transaction) -> tuple[Intent, bool]:
            intent, new = await intents.open_(
                tx, self.institution_id, asked, now=now, busy_until=now + ASKING
            )
            return (intent, True) if new else await self._taken_over(tx, intent, now)

        intent, ours = await self._database.transact(work)
        if ours:
            return intent, None
        if intent.state is State.TOLD:
            return await self._go_on(intent, acting)
        if intent.ended:
            return intent, ended_of(intent)
        raise being_carried_out()

    async def _taken_over(
        self, tx: Transaction, intent: Intent, now: datetime
    ) -> tuple[Intent, bool]:
        if not (intent.state is State.ASKED or intent.passing):
            return intent, False
        ours = await intents.take_over(tx, intent, now=now, busy_until=now + ASKING)
        return await intents.get(tx, self.institution_id, intent.id), ours

    async def _go_on(self, intent: Intent, acting: Acting) -> tuple[Intent, Ended | None]:
        """With one that Canvas was told of: anew where it is known now that nothing came of it."""
        ended = await self.settle(intent, acting)
        now = self.now()

        async def work(tx: Transaction) -> tuple[Intent, bool]:
            known = await intents.get(tx, self.institution_id, intent.id)
            return await self._taken_over(tx, known, now)

        known, ours = await self._database.transact(work)
        return known, None if ours else ended

    async def reserve(self, intent: Intent, target: str, acting: Acting) -> None:
        """Be the only one who changes `target`, so that what is read of it now stands until Canvas is told.

        WriteRefused while somebody else is at it, or nobody knows yet what came of what they did.
        """
        other = await self._reserved(intent, target)
        for seconds in _TURNS:
            if other is None:
                return
            await self.sleep(seconds)
            other = await self._reserved(intent, target)
        if other is not None and other.state is State.TOLD:
            await self.settle(other, acting)
            other = await self._reserved(intent, target)
        if other is not None:
            raise WriteRefused(
                MutationErrorCode.CONFLICT,
                "Another change of the same is under way, or it is not known yet what came of it.",
            )

    async def _reserved(self, intent: Intent, target: str) -> Intent | None:
        now = self.now()
        return await self._database.transact(lambda tx: intents.reserve(tx, intent, target, now))

    async def tell(self, intent: Intent, order: Order, acting: Acting, subjects: Subjects) -> Ended:
        """Tell Canvas, and take its answer into the store."""
        try:
            await self.reserve(intent, order.target, acting)
        except WriteRefused as busy:
            return await self.refuse(intent, busy)
        if self.now() >= intent.busy_until:
            words = "Canvas took too long to show how things are; nothing was changed."
            return await self.refuse(intent, await self._late(acting.call, words))
        told = await self._write_down(intent, order, acting, subjects)
        if told is None:
            return Ended(done=False, problem=problem_of(being_carried_out()))
        intent = told
        call, began, until = acting.call, self.now(), self.now() + PATIENCE
        heard, quota = call.meter.heard, call.meter.quota
        try:
            async with asyncio.timeout(_SECONDS_TO_TELL):
                answer = await enrollment_writes.carry_out(
                    self.canvas, call, order.instruction, patient=lambda: self.now() < until
                )
            found = reading_back.answered(order, answer, shard=self.shard, now=self.now())
            self._prices.teach(
                enrollment_writes.priced_as(order.instruction),
                quota=call.meter.quota - quota,
                seconds=(self.now() - began).total_seconds(),
            )
        except (SourceError, AddressRefused) as error:
            if refused := enrollment_writes.refusal(error):
                return await self.refuse(intent, refused)
            return await self._lost(intent, acting)
        except TimeoutError:
            if call.meter.heard > heard:
                return await self._lost(intent, acting)
            words = "Canvas could not be told in time; nothing was changed."
            return await self.refuse(intent, await self._late(call, words))
        return await self._done(intent, found, answer=orjson.dumps(answer).decode())

    async def _late(self, call: Call, words: str) -> WriteRefused:
        """Nothing was done, and time is up: the throttle's doing, or somebody else's."""
        wait = await self.canvas.refills_in(call)
        if call.meter.refused or wait:
            return WriteRefused(MutationErrorCode.THROTTLED, words, retry_after=wait)
        return WriteRefused(MutationErrorCode.CANVAS_UNAVAILABLE, words)

    async def _write_down(
        self, intent: Intent, order: Order, acting: Acting, subjects: Subjects
    ) -> Intent | None:
        now = self.now()
        telling = Telling(
            step=msgspec.json.encode(order).decode(),
            authority=acting.authority,
            subjects=subjects,
        )

        async def work(tx: Transaction) -> Intent | None:
            ours = await intents.tell(tx, intent, telling, now=now, busy_until=now + BUSY)
            return await intents.get(tx, self.institution_id, intent.id) if ours else None

        return await self._database.transact(work)

    async def refuse(
        self,
        intent: Intent,
        refused: WriteRefused,
        subjects: Subjects = Subjects(),  # noqa: B008  frozen
    ) -> Ended:
        ending = Ending(state=State.REFUSED, problem=problem_of(refused), subjects=subjects)
        return await self._end(intent, ending)

    async def nothing_to_do(self, intent: Intent, subjects: Subjects) -> Ended:
        """It is as was asked already."""
        return await self._end(intent, Ending(state=State.DONE, subjects=subjects))

    async def _lost(self, intent: Intent, acting: Acting) -> Ended:
        until = self.now() + self._settled_after
        await self._database.transact(lambda tx: intents.wait_until(tx, intent, until))
        return await self.settle(replace(intent, busy_until=until), acting)

    async def settle(self, intent: Intent, acting: Acting) -> Ended:
        """What came of an order that Canvas was told of, by looking; it is not told again."""
        order = msgspec.json.decode(intent.step or "", type=Order)
        told_at = intent.told_at or self.now()
        try:
            for seconds in _LOOKS:
                if seconds:
                    await self.sleep(seconds)
                found = await self._look(order, told_at, acting.call)
                if found is not None:
                    return await self._done(intent, found, answer=None)
            now = self.now()
        except (SourceError, AddressRefused, TimeoutError) as error:
            _log.warning("what came of change %d could not be looked up: %s", intent.id, error)
            return replace(UNCERTAIN, subjects=intent.subjects)
        if now >= told_at + self._settled_after and now >= intent.busy_until:
            words = "Canvas could not be reached, or failed; it was not done."
            return await self.refuse(
                intent, WriteRefused(MutationErrorCode.CANVAS_UNAVAILABLE, words)
            )
        return replace(UNCERTAIN, subjects=intent.subjects)

    async def _look(self, order: Order, told_at: datetime, call: Call) -> Found | None:
        began = self.now()
        async with asyncio.timeout(_SECONDS_TO_LOOK):
            return await reading_back.looked_up(
                self.canvas, call, order, told_at=told_at, shard=self.shard, now=began
            )

    async def settle_left_open(self, acting: Acting) -> int:
        """How many changes it was found out of what had come of them."""
        await intents.give_up(self._database, self.institution_id, LEFT, now=self.now())
        left = await intents.left_open(self._database, self.institution_id, self.now())
        ended = [await self.settle(intent, acting) for intent in left]
        return sum(one.certain for one in ended)

    async def _done(self, intent: Intent, found: Found, *, answer: str | None) -> Ended:
        """Store, feed and intent in one transaction. Without an answer it was read back."""
        now = self.now()
        row = found.enrollment
        batch = Batch(
            institution_id=self.institution_id,
            source=Source.MUTATION,
            reading=Reading.ENROLLMENTS_API,
            authority="admin",
            began_at=found.as_of,
            ended_at=now,
            people=found.people,
            enrollments=() if row is None else (row,),
        )

        async def work(tx: Transaction) -> Ended:
            taken = await taking.take_in(tx, batch, now=now, actor_id=intent.actor_id)
            subjects = Subjects(person_id=taken.ids[found.people[0].key])
            if row is not None:
                subjects = replace(
                    subjects,
                    enrollment_id=await self._our_id(tx, "enrollment", row.canvas_id),
                    course_id=await self._our_id(tx, "course", row.course),
                )
            ending = Ending(
                state=State.DONE,
                subjects=subjects,
                problem=found.problem,
                answer=answer,
                read_back=answer is None,
            )
            await intents.end(tx, intent, ending, now=now)
            return Ended(done=True, subjects=subjects, problem=found.problem)

        return await self._database.transact(work)

    async def _our_id(self, tx: Transaction, table: str, canvas_id: int) -> int | None:
        return (await our_ids(tx, self.institution_id, table, [canvas_id])).get(canvas_id)

    async def _end(self, intent: Intent, ending: Ending) -> Ended:
        now = self.now()
        await self._database.transact(lambda tx: intents.end(tx, intent, ending, now=now))
        known = intent.subjects if ending.subjects == Subjects() else ending.subjects
        return Ended(done=ending.state is State.DONE, subjects=known, problem=ending.problem)
