"""Make the store fresh enough for a read: ask the sources for offers, plan, carry the plan out."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from typing import Protocol

from gateway.batch import Taken
from gateway.canvas.client import Meter
from gateway.canvas.throttle import UP_FRONT
from gateway.errors import SourceDown, SourceError, SourceRefused, Throttled
from gateway.flights import Flight, Flights
from gateway.healths import Healths
from gateway.level import Level, Read, key_of
from gateway.needs import Need
from gateway.offers import Offer
from gateway.outcomes import Asking, Outcome, Spending, all_met, within_reach
from gateway.planner import Answer, plan
from gateway.prices import PRIORS, Endpoint
from gateway.readpath.lookups import By
from gateway.recent import Recent
from gateway.source_health import SourceHealth
from gateway.tolls import Tolls
from gateway.viewer import Viewer
from gateway.withheld import Withheld
from models.roster import Source

_log = logging.getLogger(__name__)

_LOOKUP = PRIORS[Endpoint.LOOKUP].price(1)

_BEHIND_AT_ONCE = 4
_BEHIND_AT_MOST = 1_000
_BEHIND_PATIENCE = timedelta(minutes=15)


class RosterSource(Protocol):
    """One way to read rosters of one institution (`gateway/sources/`)."""

    source: Source

    async def offers(self, needs: Sequence[Need], viewer: Viewer, now: datetime) -> list[Offer]:
        """What it can do now for these needs of one level; `Offer.needs` are their places in `needs`.

        Breakers are not its business: whoever plans puts their obstacle on the offers.
        """

    async def fill(
        self,
        offer: Offer,
        needs: Sequence[Need],
        viewer: Viewer,
        meter: Meter,
        *,
        background: bool = False,
        run_id: int | None = None,
    ) -> Sequence[Taken]:
        """Read what was offered for these needs (the same list) and take it into the store, all of it or nothing.

        `run_id`: the sync run that brings it, where one does.

        One `Taken` for each scope that was read. SourceError when the source did not answer as it should; then the store
        is as it was. `Taken.groups` may be fewer than the offer's: what Canvas did not show to these eyes is not there.
        """


class Lookups(Protocol):
    """Single things of one institution, asked of its Canvas (`gateway.sources.lookups`)."""

    def answers(self, by: By) -> bool:
        """Whether Canvas can be asked for such a thing by such an id."""

    async def ask(self, by: By) -> int | None:
        """Our id of the row, which is in the store now; None where there is none, or none to be seen."""


@dataclass(frozen=True, kw_only=True)
class Connected:
    """What one institution can be read from: its store, then others in the order that decides between equals.

    `remaining`: throttle units left in the bucket that its reads draw on.
    """

    local: RosterSource
    upstream: Sequence[RosterSource] = ()
    remaining: Callable[[], Awaitable[float]] | None = None
    lookups: Lookups | None = None


class Reads:
    """The reads of all institutions. `clock` dates what happens; `now` is when a request arrived."""

    def __init__(
        self,
        connected: Mapping[int, Connected],
        flights: Flights[Read],
        clock: Callable[[], datetime],
        healths: Healths | None = None,
    ) -> None:
        self._connected = connected
        self._flights = flights
        self._clock = clock
        self._healths = healths or Healths(clock=clock)
        self._recent: defaultdict[int, Recent] = defaultdict(Recent)
        self._withheld: defaultdict[int, Withheld] = defaultdict(Withheld)
        self._tolls: defaultdict[int, Tolls] = defaultdict(Tolls)
        self._behind: dict[tuple[int, Need], asyncio.Task[None]] = {}
        self._behind_turns = asyncio.Semaphore(_BEHIND_AT_ONCE)

    def known(self, needs: Sequence[Need], asking: Asking) -> list[Outcome] | None:
        """How the store met these needs a moment ago; None where it has to be asked again."""
        return self._recent[asking.viewer.institution_id].of(needs, asking.now)

    async def ensure(
        self,
        needs: Sequence[Need],
        asking: Asking,
        *,
        explained: bool = False,
    ) -> list[Outcome]:
        """Make the store good enough for `needs`, all reads of one level, as far as sources and budget allow.

        What cannot be had is told in the outcome and never raised. `explained`: every source is asked what it offers,
        also where the store will do.
        """
        recent = self._recent[asking.viewer.institution_id]
        if not explained:
            if (known := recent.of(needs, asking.now)) is not None:
                return known
            recent.renew(needs, asking.now)
        offers = await self._offers(needs, asking, everybody=explained)
        answers = await self._planned(needs, offers, asking)
        level = Level(
            needs=needs,
            asking=asking,
            board=partial(self._board, needs=needs, asking=asking),
            exhausted=partial(self._exhausted, asking.viewer.institution_id),
            spared=partial(self._tolls[asking.viewer.institution_id].learn, now=asking.now),
        )
        outcomes = await asyncio.gather(*map(level.meet, needs, answers))
        if not explained:
            recent.learn(outcomes, asking.now)
        for outcome in outcomes:
            if outcome.wants_refresh(asking.now):
                self._refresh(outcome.need, asking.viewer)
        return outcomes

    async def explain(self, needs: Sequence[Need], asking: Asking) -> list[Outcome]:
        """What `ensure` would do, without doing it."""
        offers = await self._offers(needs, asking, everybody=True)
        answers = await self._planned(needs, offers, asking)
        return [
            Outcome(need=need, answer=answer, by=next(iter(answer.order), None))
            for need, answer in zip(needs, answers, strict=True)
        ]

    async def read_now(self, need: Need, asking: Asking, meter: Meter) -> Read:
        """Read it from the best of its sources, whatever the store has, and say what came of it. SourceError where none can."""
        offers = await self._offers([need], asking, everybody=True)
        upstream = [offer for offer in offers if offer.source is not Source.LOCAL]
        (answer,) = await self._planned([need], upstream, asking)
        if not answer.order:
            raise SourceRefused(answer.gap_message or "there is nobody to ask for it")
        return await self._fill(answer.order[0], [need], asking, meter)

    async def look_up(self, by: By, asking: Asking) -> bool:
        """Ask Canvas for what the store does not know, and keep what it says. False where it cannot be asked for such a thing.

        SourceUnavailable or Throttled where it could be, and was not.
        """
        connected = self._connected.get(asking.viewer.institution_id)
        lookups = None if connected is None else connected.lookups
        if lookups is None or not lookups.answers(by):
            return False
        if not asking.spending.affords(_LOOKUP):
            raise Throttled(
                "This operation has used up what it may ask of Canvas; ask for less at once."
            )
        with asking.spending.on(_LOOKUP, Meter(requests=1, quota=_LOOKUP.quota)):
            await lookups.ask(by)
        return True

    def has_upstream(self, institution_id: int) -> bool:
        """Whether anybody but the store can be asked."""
        connected = self._connected.get(institution_id)
        return connected is not None and bool(connected.upstream)

    def health(self, institution_id: int) -> dict[Source, SourceHealth]:
        """How each source that is connected has been doing, as this process knows it."""
        connected = self._connected.get(institution_id)
        upstream = connected.upstream if connected else ()
        return {one.source: self._healths.seen((institution_id, one.source)) for one in upstream}

    async def remaining(self, institution_id: int) -> float | None:
        """Throttle units left, where there is a bucket to know of."""
        connected = self._connected.get(institution_id)
        if connected is None or connected.remaining is None:
            return None
        return await connected.remaining()

    async def refreshed(self) -> None:
        """Wait until nothing is read behind an answer any more."""
        await asyncio.gather(*self._behind.values(), return_exceptions=True)

    async def _exhausted(self, institution_id: int) -> bool:
        remaining = await self.remaining(institution_id)
        return remaining is not None and remaining <= UP_FRONT

    async def close(self) -> None:
        """Leave off refreshing; let reads end that have begun."""
        behind = list(self._behind.values())
        for task in behind:
            task.cancel()
        await asyncio.gather(*behind, return_exceptions=True)
        await self._flights.close()

    def _board(
        self, offer: Offer, since: datetime, needs: Sequence[Need], asking: Asking
    ) -> Flight[Read]:
        """The read that carries `offer` out: one that is under way and began late enough, or a new one."""

        async def known(since: datetime) -> Read | None:
            now = self._clock()
            fresh = [
                replace(needs[n], max_age=now - since, allow_stale=False)
                for n in sorted(offer.needs)
            ]
            local = await self._connected[asking.viewer.institution_id].local.offers(
                fresh, asking.viewer, now
            )
            return () if all_met(fresh, local, now) else None

        async def read(meter: Meter) -> Read:
            return await self._fill(offer, needs, asking, meter)

        return self._flights.board(
            key_of(offer, needs, asking), since=since, known=known, read=read
        )

    async def _fill(
        self, offer: Offer, needs: Sequence[Need], asking: Asking, meter: Meter
    ) -> Read:
        institution_id = asking.viewer.institution_id
        source = self._upstream(institution_id, offer.source)
        place = institution_id, offer.source
        try:
            taken = await source.fill(
                offer,
                needs,
                asking.viewer,
                meter,
                background=asking.background,
                run_id=asking.run_id,
            )
        except SourceError as error:
            await self._healths.failed(place, error)
            raise
        except Exception as error:
            _log.exception("a source failed", extra={"fields": {"source": offer.source}})
            down = SourceDown("it failed on our side; the log says how")
            await self._healths.failed(place, down)
            raise down from error
        await self._healths.succeeded(place)
        self._withheld[institution_id].learn(offer, needs, taken, self._clock())
        return taken

    def _upstream(self, institution_id: int, source: Source) -> RosterSource:
        return next(one for one in self._connected[institution_id].upstream if one.source is source)

    async def _offers(
        self, needs: Sequence[Need], asking: Asking, *, everybody: bool
    ) -> list[Offer]:
        connected = self._connected.get(asking.viewer.institution_id)
        if connected is None:
            return []
        local = await connected.local.offers(needs, asking.viewer, asking.now)
        if not everybody and all_met(needs, local, asking.now):
            return local
        told = await asyncio.gather(
            *(self._offers_of(source, needs, asking) for source in connected.upstream)
        )
        return [*local, *chain.from_iterable(told)]

    async def _offers_of(
        self, source: RosterSource, needs: Sequence[Need], asking: Asking
    ) -> list[Offer]:
        """Its offers, with what stands against asking it now."""
        health = await self._healths.of((asking.viewer.institution_id, source.source))
        now = self._clock()
        obstacle = health.breaker.obstacle(now)
        withheld = self._withheld[asking.viewer.institution_id]
        tolls = self._tolls[asking.viewer.institution_id]
        made = await source.offers(needs, asking.viewer, asking.now)
        offers = [tolls.less(withheld.less(offer, needs, now), now) for offer in made]
        return [
            offer
            if offer.obstacle or not obstacle
            else replace(offer, obstacle=obstacle, obstacle_kind=health.reason)
            for offer in offers
        ]

    async def _planned(
        self, needs: Sequence[Need], offers: Sequence[Offer], asking: Asking
    ) -> Sequence[Answer]:
        wanted = [within_reach(need, n, offers, asking.now) for n, need in enumerate(needs)]
        remaining = None
        if any(offer.source is not Source.LOCAL for offer in offers):
            remaining = await self.remaining(asking.viewer.institution_id)
        budget = asking.spending.budget(remaining)
        return plan(wanted, offers, asking.now, budget).answers

    def _refresh(self, need: Need, viewer: Viewer) -> None:
        """Read behind an answer that was given stale: once for all who want the same."""
        wanted = replace(need, allow_stale=False, deadline=_BEHIND_PATIENCE)
        key = viewer.institution_id, wanted
        if key in self._behind or len(self._behind) >= _BEHIND_AT_MOST:
            return
        task = self._behind[key] = asyncio.create_task(self._read_behind(wanted, viewer))
        task.add_done_callback(lambda _: self._behind.pop(key, None))

    async def _read_behind(self, need: Need, viewer: Viewer) -> None:
        async with self._behind_turns:
            asking = Asking(viewer=viewer, now=self._clock(), spending=Spending(), background=True)
            (outcome,) = await self.ensure([need], asking)
            if outcome.gap:
                _log.info("not refreshed", extra={"fields": {"why": outcome.gap.message}})
