"""A model of Canvas's leaky bucket, one for each access token, kept on our side so that we seldom meet its refusals.

Canvas reserves 50 units while a request runs, then charges its real cost; the level leaks 10 units a second; a request is
refused when 50 or fewer remain. Every answer but a refusal tells what remains (canvas-lms: app/middleware/
request_throttle.rb). The numbers differ between sites, so the level is corrected by every header that arrives.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import ceil

HIGH_WATER_MARK = 600.0
OUTFLOW = 10.0
UP_FRONT = 50.0

# Background work leaves this much of the bucket to people who wait for an answer.
INTERACTIVE_RESERVE = 250.0


def refills_in(remaining: float) -> timedelta:
    """How long until Canvas lets somebody in again of whose bucket so much remains; in whole seconds, as people count them."""
    lacking = UP_FRONT - remaining
    return timedelta(seconds=0 if lacking < 0 else ceil((lacking + 1.0) / OUTFLOW))


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """What we believe of one token's bucket: `level` units were in it at `at`, the reserves of `running` requests included."""

    at: datetime
    level: float = 0.0
    running: int = 0
    high_water_mark: float = HIGH_WATER_MARK
    outflow: float = OUTFLOW

    def remaining(self, now: datetime) -> float:
        """Units until a refusal is certain; Canvas refuses at 50 already."""
        return self.high_water_mark - self._level(now)

    def wait(self, now: datetime, *, background: bool) -> timedelta:
        """How long to hold a request back: none when Canvas would take it and its reserve."""
        lacking = UP_FRONT + (INTERACTIVE_RESERVE if background else 0.0) - self.remaining(now)
        if lacking < 0:
            return timedelta(0)
        return timedelta(seconds=max(0.1, (lacking + 1.0) / self.outflow))

    def begin(self, now: datetime) -> "Bucket":
        return replace(self, at=now, level=self._level(now) + UP_FRONT, running=self.running + 1)

    def end(self, now: datetime, *, cost: float, remaining: float | None) -> "Bucket":
        """`remaining` is the header: it has this request's reserve taken back, those of the others in flight not."""
        running = max(0, self.running - 1)
        level = (
            self._level(now) - UP_FRONT + cost
            if remaining is None
            else self.high_water_mark - remaining
        )
        return replace(self, at=now, level=max(0.0, level), running=running)

    def refuse(self, now: datetime, *, remaining: float | None) -> "Bucket":
        """Canvas is fuller than we thought: believe the header, else that nothing more fits."""
        floor = self.high_water_mark - (UP_FRONT if remaining is None else min(remaining, UP_FRONT))
        return replace(
            self,
            at=now,
            level=max(self._level(now) - UP_FRONT, floor),
            running=max(0, self.running - 1),
        )

    def _level(self, now: datetime) -> float:
        return max(0.0, self.level - self.outflow * max(0.0, (now - self.at).total_seconds()))
