"""What came of a need: how it was planned, what was tried, and what is missing because of it (pure)."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from gateway.canvas.client import Meter
from gateway.needs import Need
from gateway.offers import Offer, Price
from gateway.planner import Answer, Budget
from gateway.verdicts import Verdict, is_last_resort, refusal
from gateway.viewer import Viewer
from models.roster import GapReason, Source

# One operation may ask this much of Canvas: a third of what a bucket holds, for others wait too.
MOST_REQUESTS = 200.0
MOST_QUOTA = 200.0


@dataclass(kw_only=True)
class Spending:
    """What one operation has spent upstream, of what it may."""

    most_requests: float = MOST_REQUESTS
    most_quota: float = MOST_QUOTA
    requests: float = 0.0
    quota: float = 0.0

    def budget(self, remaining: float | None) -> Budget:
        """`remaining`: throttle units in the token's bucket, where that is known."""
        left = Budget(
            requests=max(0.0, self.most_requests - self.requests),
            quota=max(0.0, self.most_quota - self.quota),
        )
        return left if remaining is None else replace(left, remaining=remaining)

    def affords(self, price: Price) -> bool:
        return (
            self.requests + price.requests <= self.most_requests
            and self.quota + price.quota <= self.most_quota
        )

    @contextmanager
    def on(self, price: Price, meter: Meter | None) -> Iterator[None]:
        """Within, `price` counts as spent; after it, what the meter says. None: somebody else pays."""
        if meter is None:
            yield
            return
        self.requests, self.quota = self.requests + price.requests, self.quota + price.quota
        try:
            yield
        finally:
            self.requests += meter.requests - price.requests
            self.quota += meter.quota - price.quota


@dataclass(frozen=True, kw_only=True)
class Asking:
    """Who asks, when their request arrived, and what the whole operation may still spend.

    `background`: nobody waits for it, so others go first. `run_id`: the sync run that it is read for.
    """

    viewer: Viewer
    now: datetime
    spending: Spending = field(default_factory=Spending)
    background: bool = False
    run_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class Gap:
    reason: GapReason
    message: str


@dataclass(frozen=True, kw_only=True)
class Try:
    """An offer that was carried out, and what it cost; `gap` when it failed."""

    offer: Offer
    requests: int = 0
    quota: float = 0.0
    gap: Gap | None = None


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`by`: the offer that the answer rests on, as planned or as it came; None when nothing met the need."""

    need: Need
    answer: Answer
    tries: tuple[Try, ...] = ()
    by: Offer | None = None

    @property
    def served_locally(self) -> bool:
        return not any(one.requests for one in self.tries)

    @property
    def gap(self) -> Gap | None:
        """Why the need is not met: what the caller can wait out first."""
        if self.by is not None:
            return None
        gaps = [one.gap for one in self.tries if one.gap]
        if gaps:
            first = min(gaps, key=lambda gap: gap.reason is not GapReason.THROTTLED)
            others = [gap.message for gap in gaps if gap is not first]
            return replace(first, message="; ".join([first.message, *others]))
        if self.answer.gap is None:
            return None
        return Gap(reason=self.answer.gap, message=self.answer.gap_message or "")

    def age(self, now: datetime) -> timedelta | None:
        """Of what the answer rests on; None where nothing met the need."""
        if self.by is None or self.by.as_of is None:
            return None
        return max(now - self.by.as_of, timedelta(0))

    def is_stale(self, now: datetime) -> bool:
        age = self.age(now)
        return age is not None and age > self.need.max_age

    def wants_refresh(self, now: datetime) -> bool:
        """Whether it was answered from what is older than asked for, or overtaken, and somebody may be asked for more."""
        lags = self.is_stale(now) or (self.need.allow_stale and self.is_overtaken)
        return lags and self.need.sources != frozenset({Source.LOCAL})

    @property
    def is_overtaken(self) -> bool:
        return self.by is not None and self.by.overtaken is not None

    def verdicts(self) -> Iterator[tuple[Verdict, Try | None]]:
        """What became of each offer, the tries included."""
        tried = {id(one.offer): one for one in self.tries}
        failed = [one for one in self.tries if one.gap]
        for planned in self.answer.verdicts:
            one = tried.get(id(planned.offer))
            verdict = planned
            if one is not None and one.gap:
                reason = f"it was tried, and failed: {one.gap.message}"
                verdict = replace(planned, accepted=False, reason=reason)
            elif planned.offer is self.by and failed:
                instead = ", ".join(other.offer.source for other in failed)
                verdict = replace(planned, accepted=True, reason=f"taken because {instead} failed")
            yield verdict, one


def all_met(needs: Sequence[Need], offers: Iterable[Offer], now: datetime) -> bool:
    """Whether each need has an offer that is good enough, and no last resort."""
    met = {
        n
        for offer in offers
        for n in offer.needs
        if refusal(needs[n], offer, now) is None and not is_last_resort(needs[n], offer)
    }
    return len(met) == len(needs)


def within_reach(need: Need, n: int, offers: Iterable[Offer], now: datetime) -> Need:
    """The need, less the field groups that no source can give now: it still gets the others fresh.

    Left as it is where somebody could give all of it, if not so fresh.
    """
    able = [
        offer.groups & need.groups
        for offer in offers
        if n in offer.needs and _would_do(replace(need, groups=offer.groups), offer, now)
    ]
    if not able or need.groups in able:
        return need
    return replace(need, groups=max(able, key=lambda groups: (len(groups), sorted(groups))))


def _would_do(need: Need, offer: Offer, now: datetime) -> bool:
    ageless = replace(need, max_age=timedelta.max) if offer.source is Source.LOCAL else need
    return refusal(ageless, offer, now) is None
