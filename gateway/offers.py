"""What a source can do now for the needs of a level, and what that is expected to cost (pure)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.needs import Subject
from models.roster import EnrollmentState, FieldGroup, GapReason, Source


@dataclass(frozen=True, kw_only=True)
class Price:
    """What an offer is expected to cost: calls to Canvas, its throttle units, and time until the answer."""

    requests: float = 0.0
    quota: float = 0.0
    latency: timedelta = timedelta(0)


@dataclass(frozen=True, kw_only=True)
class Toll:
    """What is paid once before any offer that bears it, and lasts a while: a token, say. Equal keys are one toll.

    `due`: throttle units that are still to be weighed for it, none while it is paid. They are not those of the bucket that
    the reads draw on, so neither its level nor the operation's budget matters to them.
    """

    key: str
    name: str
    lasts: timedelta
    due: float


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What one source can do now.

    `needs`: the needs it is made for, by their place in the level. `as_of`: when its facts' read began, or would.
    `eyes`: None when it sees the whole scope, else the person whose permission cuts it; `whole`: it reaches the end
    of what those eyes see. `origins`: of what is kept locally, whose reads it rests on. `overtaken`: what was told
    since that only another read clears up, in words; it will do where nobody can be asked. `obstacle`: why it cannot be
    used at all now (no credential, breaker open), in words.
    """

    source: Source
    needs: frozenset[int]
    subjects: frozenset[Subject]
    groups: frozenset[FieldGroup]
    states: frozenset[EnrollmentState]
    as_of: datetime | None
    whole: bool = True
    eyes: int | None = None
    origins: frozenset[Source] = frozenset()
    overtaken: str | None = None
    price: Price = field(default_factory=Price)
    toll: Toll | None = None
    obstacle: str | None = None
    obstacle_kind: GapReason = GapReason.SOURCE_UNAVAILABLE


def total(prices: Iterable[Price]) -> Price:
    """Of steps that run side by side: their calls and units add up, and the slowest is waited for."""
    known = list(prices)
    return Price(
        requests=sum(price.requests for price in known),
        quota=sum(price.quota for price in known),
        latency=max((price.latency for price in known), default=timedelta(0)),
    )
