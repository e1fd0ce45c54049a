"""One read in flight for each thing that is read: who may share it waits for it, who may not waits for the next.

A caller says since when the facts have to hold. A read that began later serves it, so a burst of callers who all want
facts of now is served by two reads: the one under way when they came, for the first of them, and one more for the rest.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from gateway.canvas.client import Meter

T = TypeVar("T")

# Where several want the same at once, the next read begins when nobody has joined it for a moment: what looks like one
# burst to its callers comes in over some time.
_QUIET_SECONDS = 0.15
_LONGEST_SECONDS = 1.0
_NO_WAIT_SECONDS = 0.02


class Turns(Protocol):
    """One holder at a time of each key, among all processes that share a store."""

    def turn(self, key: str) -> AbstractAsyncContextManager[None]: ...


class OwnTurns:
    """Of a process that is alone: its flights are kept apart already."""

    @asynccontextmanager
    async def turn(self, _key: str) -> AsyncIterator[None]:
        yield


@dataclass(eq=False, kw_only=True)
class Flight(Generic[T]):
    """A read, on its way or waiting for its turn (`began` None), for so many `riders`.

    `since`: what the most demanding of them needs; `boarded`: when, by the loop's clock, the last of them came. `behind`:
    the one that it waits for.
    """

    since: datetime
    boarded: float
    began: datetime | None = None
    behind: "Flight[T] | None" = None
    riders: int = 1
    meter: Meter = field(default_factory=Meter)
    task: asyncio.Task[T] = field(init=False)

    def serves(self, since: datetime) -> bool:
        return self.began is None or self.began >= since

    @property
    def throttled(self) -> bool:
        """Whether the throttle is what it meets, or what keeps it from beginning."""
        return self.meter.throttled or (self.behind is not None and self.behind.throttled)

    async def landed(self) -> T:
        """Its result. Cancelling one who waits leaves the read to the others, and to the store."""
        return await asyncio.shield(self.task)


class Flights(Generic[T]):
    """The reads of one process. `Known` is asked before a read begins: another process may have made it superfluous."""

    def __init__(self, turns: Turns, clock: Callable[[], datetime]) -> None:
        self._turns = turns
        self._clock = clock
        self._last: dict[str, Flight[T]] = {}

    def board(
        self,
        key: str,
        *,
        since: datetime,
        known: Callable[[datetime], Awaitable[T | None]],
        read: Callable[[Meter], Coroutine[Any, Any, T]],
    ) -> Flight[T]:
        """The read of `key` that may be shared by a caller who needs facts of `since`: one under way, or a new one."""
        last = self._last.get(key)
        if last is not None and last.serves(since):
            last.since = max(last.since, since)
            last.boarded = _loop_time()
            last.riders += 1
            return last
        flight: Flight[T] = Flight(since=since, boarded=_loop_time(), behind=last)
        flight.task = asyncio.create_task(self._fly(key, flight, known, read))
        flight.task.add_done_callback(lambda _: self._land(key, flight))
        self._last[key] = flight
        return flight

    async def close(self, grace: float = 5.0) -> None:
        """Let what is under way end, if it does so soon; a report may take an hour."""
        under_way = [one.task for one in self._last.values()]
        if not under_way:
            return
        _, slow = await asyncio.wait(under_way, timeout=grace)
        for task in slow:
            task.cancel()
        await asyncio.gather(*slow, return_exceptions=True)

    async def _fly(
        self,
        key: str,
        flight: Flight[T],
        known: Callable[[datetime], Awaitable[T | None]],
        read: Callable[[Meter], Coroutine[Any, Any, T]],
    ) -> T:
        created = _loop_time()
        if flight.behind is not None:
            await asyncio.wait([flight.behind.task])
            flight.behind = None
        async with self._turns.turn(key):
            if _loop_time() - created > _NO_WAIT_SECONDS:
                await _quiet(flight)
            flight.began = self._clock()
            found = await known(flight.since)
            return await read(flight.meter) if found is None else found

    def _land(self, key: str, flight: Flight[T]) -> None:
        if self._last.get(key) is flight:
            del self._last[key]
        if not flight.task.cancelled():
            flight.task.exception()  # seen, also where nobody waits any more


async def _quiet(flight: Flight[T]) -> None:
    end = _loop_time() + _LONGEST_SECONDS
    while (wait := min(flight.boarded + _QUIET_SECONDS, end) - _loop_time()) > 0:  # noqa: ASYNC110  there is no end of waiting but time's
        await asyncio.sleep(wait)


def _loop_time() -> float:
    return asyncio.get_running_loop().time()
