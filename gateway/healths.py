"""How the sources of all institutions have been doing, as this process saw it and others told: a breaker that one opens is open for all."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.cache import Cache
from gateway.errors import SourceError
from gateway.source_health import SourceHealth
from models.roster import Source

_TOLD_FOR = timedelta(hours=1)

Place = tuple[int, Source]


@dataclass(kw_only=True)
class Healths:
    """`cache`: what the processes share; None for a process that keeps to itself."""

    clock: Callable[[], datetime]
    cache: Cache | None = None
    _seen: dict[Place, SourceHealth] = field(default_factory=dict)

    def seen(self, place: Place) -> SourceHealth:
        """As it was when this process last looked."""
        return self._seen.get(place, SourceHealth())

    async def of(self, place: Place) -> SourceHealth:
        told = None if self.cache is None else await self.cache.get(SourceHealth, "health", *place)
        if told is not None:
            self._seen[place] = told
        return self.seen(place)

    async def succeeded(self, place: Place) -> None:
        await self._tell(place, (await self.of(place)).succeeded(self.clock()))

    async def failed(self, place: Place, error: SourceError) -> None:
        await self._tell(place, (await self.of(place)).failed(self.clock(), error))

    async def _tell(self, place: Place, health: SourceHealth) -> None:
        self._seen[place] = health
        if self.cache is not None:
            await self.cache.put(health, "health", *place, lasts=_TOLD_FOR)
