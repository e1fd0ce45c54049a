"""When to stop asking a source that keeps failing, and when to try it again (pure)."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

TRIPS_AFTER = 3
FIRST_PAUSE = timedelta(seconds=15)
LONGEST_PAUSE = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Breaker:
    """Of one source and institution. Open after three failures in a row; the pause doubles with each failure that follows it."""

    failures: int = 0
    open_until: datetime | None = None
    last_error: str | None = None

    def failed(self, now: datetime, error: str, *, at_once: bool = False) -> "Breaker":
        """`at_once`: the source itself said that it is to be left alone."""
        failures = self.failures + 1
        if failures < TRIPS_AFTER and not at_once:
            return replace(self, failures=failures, last_error=error)
        doublings = min(10, max(0, failures - TRIPS_AFTER))
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2**doublings)
        return Breaker(failures=failures, open_until=now + pause, last_error=error)

    def succeeded(self) -> "Breaker":
        return Breaker()

    def obstacle(self, now: datetime) -> str | None:
        """Why not to ask now. After the pause one read tries; its failure opens the breaker again at once."""
        if self.open_until is None or now >= self.open_until:
            return None
        wait = (self.open_until - now).total_seconds()
        times = "once" if self.failures == 1 else f"{self.failures} times in a row"
        return f"it failed {times} ({self.last_error}); tried again in {wait:.0f} s"
