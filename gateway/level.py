"""Carry out what was planned for the reads of one level: in order, within time and budget, sharing what is under way."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from gateway.batch import Taken
from gateway.errors import SourceError
from gateway.flights import Flight
from gateway.needs import Need
from gateway.offers import Offer, Toll
from gateway.outcomes import Asking, Gap, Outcome, Try
from gateway.planner import Answer
from gateway.source_health import reason_of
from models.roster import GapReason, Source

Read = Sequence[Taken]
Spared = Sequence[tuple[Toll, float]]

# Reports tell of everybody at once: whoever wants one may share it, whatever they want of it. One that was written
# before is another read than one that is begun now.
_OF_EVERYBODY = (Source.REPORT, Source.SIS_EXPORT)


@dataclass(frozen=True, kw_only=True)
class Level:
    """The reads of one level on their way. Shared offers are one flight, whoever of the level boards it.

    `exhausted`: whether nothing fits into the bucket that they draw on. `spared`: is told what tolls spare, once a read.
    """

    needs: Sequence[Need]
    asking: Asking
    board: Callable[[Offer, datetime], Flight[Read]]
    exhausted: Callable[[], Awaitable[bool]]
    spared: Callable[[Spared], None]
    failed: dict[str, Gap] = field(default_factory=dict)
    began: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    async def meet(self, need: Need, answer: Answer) -> Outcome:
        """Try what was planned, in order, until something succeeds, or time or budget are used up."""
        tries: list[Try] = []
        for place, offer in enumerate(answer.order):
            if offer.source is Source.LOCAL:
                return Outcome(need=need, answer=answer, tries=tuple(tries), by=offer)
            left = need.deadline.total_seconds() - self._elapsed()
            if tries and (left <= 0 or not self.asking.spending.affords(offer.price)):
                break
            last = place == len(answer.order) - 1
            since = self.asking.now - need.max_age
            spared = () if tries else answer.spared
            one = await self._carry_out(offer, since, left if last else left / 2, spared)
            tries.append(one)
            if one.gap is None:
                return Outcome(need=need, answer=answer, tries=tuple(tries), by=offer)
        return Outcome(need=need, answer=answer, tries=tuple(tries))

    async def _carry_out(
        self, offer: Offer, since: datetime, patience: float, spared: Spared
    ) -> Try:
        key = key_of(offer, self.needs, self.asking)
        if key in self.failed:
            return Try(offer=offer, gap=self.failed[key])
        flight = self.board(offer, since)
        gap = None
        is_own = flight.riders == 1
        if is_own:
            self.spared(spared)
        with self.asking.spending.on(offer.price, flight.meter if is_own else None):
            try:
                async with asyncio.timeout(patience):
                    await flight.landed()
            except TimeoutError:
                throttled = flight.throttled or await self.exhausted()
                gap = _too_slow(offer, patience, throttled=throttled)
            except SourceError as error:
                gap = Gap(reason=reason_of(error), message=f"{offer.source}: {error}")
                self.failed[key] = gap
        meter = flight.meter
        return Try(offer=offer, requests=meter.requests, quota=meter.quota, gap=gap)

    def _elapsed(self) -> float:
        return asyncio.get_running_loop().time() - self.began


def _too_slow(offer: Offer, patience: float, *, throttled: bool) -> Gap:
    """The read goes on without the caller, and its facts will be in the store."""
    if throttled:
        return Gap(
            reason=GapReason.THROTTLED,
            message=f"{offer.source}: Canvas would be asked too much just now; the read is under way",
        )
    return Gap(
        reason=GapReason.SOURCE_UNAVAILABLE,
        message=f"{offer.source}: no whole answer within {patience:.3g} s; the read goes on",
    )


def key_of(offer: Offer, needs: Sequence[Need], asking: Asking) -> str:
    """What is read, by whom and through whose eyes: equal reads can be shared.

    A background read waits for others in the bucket, so nobody who is waited for shares it.
    """
    what: list[str] = []
    if offer.source in _OF_EVERYBODY:
        what.append("anew" if offer.as_of == asking.now else str(offer.as_of))
    else:
        for need in (needs[n] for n in sorted(offer.needs)):
            words = ",".join(sorted(need.groups)), ",".join(sorted(need.states))
            what.append(":".join((need.scope.kind, str(need.scope.id), need.subject, *words)))
    urgency = "behind" if asking.background else "now"
    whole = "|".join((str(offer.eyes), urgency, *sorted(set(what))))
    digest = hashlib.sha256(whole.encode()).hexdigest()[:32]
    return f"{asking.viewer.institution_id}:{offer.source}:{digest}"
