"""When what is under way will have ended, at the pace that it has had so far."""

from datetime import datetime, timedelta

_SOONEST = timedelta(seconds=2)
_LEAST_DONE = 0.02


def expected_end(
    *, progress: float, paced_from: float | None, paced_at: datetime | None, now: datetime
) -> datetime | None:
    """`paced_from`: how far it was at `paced_at`, when the work began whose pace is known; None while that cannot be told.

    What comes before, as waiting for Canvas to make a report, has no pace to go by.
    """
    if paced_from is None or paced_at is None or progress >= 1:
        return None
    done, took = progress - paced_from, now - paced_at
    if done < _LEAST_DONE or took < _SOONEST:
        return None
    return now + timedelta(seconds=round(took.total_seconds() * (1 - progress) / done))
