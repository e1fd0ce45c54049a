"""The twin's only source of time: real or fixed, and either can be advanced."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware, in UTC."""
        ...

    def advance(self, by: timedelta) -> None: ...

    async def sleep(self, seconds: float) -> None:
        """Let `seconds` pass: really, or not at all where time is fixed."""
        ...


class RealClock:
    """The machine's clock, moved forward by what `advance` was told."""

    def __init__(self) -> None:
        self._offset = timedelta()

    def now(self) -> datetime:
        return datetime.fromtimestamp(time.time(), UTC) + self._offset  # noqa: TID251  the clock itself

    def advance(self, by: timedelta) -> None:
        self._offset += by

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class FixedClock:
    """Stands still until it is advanced; nobody ever waits on it."""

    def __init__(self, at: datetime) -> None:
        if at.tzinfo is None:
            raise ValueError("a clock shows aware times only")
        self._now = at.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        self._now += by

    async def sleep(self, seconds: float) -> None:  # noqa: ARG002  the protocol's name
        await asyncio.sleep(0)
