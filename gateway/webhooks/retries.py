"""How long a message is tried, and how long it waits in between (pure)."""

from collections.abc import Mapping
from datetime import timedelta

# After each attempt. Standard Webhooks asks for days, and for waits that grow.
WAITS = (
    timedelta(seconds=5),
    timedelta(seconds=30),
    timedelta(minutes=2),
    timedelta(minutes=10),
    timedelta(minutes=30),
    timedelta(hours=1),
    timedelta(hours=2),
    timedelta(hours=4),
    timedelta(hours=8),
    timedelta(hours=12),
    timedelta(hours=12),
    timedelta(hours=24),
    timedelta(hours=24),
)
LONGEST = timedelta(hours=24)
SPREAD = 0.1  # of a wait, so that clients which failed together do not come back together

GONE = 410  # the receiver says that it is never coming back


def wait_after(attempts: int, *, chance: float, asked: timedelta | None = None) -> timedelta | None:
    """Before the next attempt, when so many have failed; None: give it up.

    `chance`: from 0 to 1. `asked`: what the receiver's Retry-After says.
    """
    if attempts > len(WAITS):
        return None
    own = WAITS[attempts - 1] * (1 + SPREAD * (2 * chance - 1))
    return own if asked is None else min(max(own, asked), LONGEST)


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """In seconds; the form with a date is not looked at."""
    text = headers.get("retry-after", "").strip()
    return timedelta(seconds=int(text)) if text.isascii() and text.isdigit() else None
