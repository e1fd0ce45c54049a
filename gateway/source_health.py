"""How a source has been doing, and what its failures mean to whoever asked (pure)."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from gateway.breaker import Breaker
from gateway.errors import (
    CutShort,
    NotThere,
    RequestRefused,
    SourceError,
    SourceRefused,
    SourceThrottled,
)
from models.roster import GapReason

# What these say is about the thing that was asked for, not about the source.
_OF_THE_REQUEST = (NotThere, RequestRefused, SourceRefused)


@dataclass(frozen=True, kw_only=True)
class SourceHealth:
    """Of one source of one institution."""

    breaker: Breaker = field(default_factory=Breaker)
    reason: GapReason = GapReason.SOURCE_UNAVAILABLE
    succeeded_at: datetime | None = None
    failed_at: datetime | None = None
    error: str | None = None

    def succeeded(self, now: datetime) -> "SourceHealth":
        return replace(self, breaker=self.breaker.succeeded(), succeeded_at=now)

    def failed(self, now: datetime, error: SourceError) -> "SourceHealth":
        told = replace(self, failed_at=now, error=str(error))
        if isinstance(error, _OF_THE_REQUEST):
            return told
        throttled = isinstance(error, SourceThrottled)
        breaker = self.breaker.failed(now, str(error), at_once=throttled)
        return replace(told, breaker=breaker, reason=reason_of(error))


def reason_of(error: SourceError) -> GapReason:
    """What is missing because of this failure is missing why."""
    if isinstance(error, SourceThrottled):
        return GapReason.THROTTLED
    if isinstance(error, SourceRefused):
        return GapReason.NOT_PERMITTED
    if isinstance(error, CutShort):
        return GapReason.SOURCE_CUT_SHORT
    return GapReason.SOURCE_UNAVAILABLE
