"""What every resolver of one operation is handed."""

from collections.abc import Callable, Coroutine, Hashable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import strawberry
from strawberry.dataloader import DataLoader

from gateway import shield
from gateway.feed import Feed
from gateway.readpath.connections import Connections
from gateway.readpath.registry import Reader
from gateway.viewer import Scope, Viewer
from resolvers.documents import Operation

K = TypeVar("K")
V = TypeVar("V")
Batch = Callable[[Sequence[K]], Coroutine[Any, Any, Sequence[V]]]


@dataclass(kw_only=True)
class Context:
    """One operation: who asks, when, and what it has begun to load."""

    viewer: Viewer
    connections: Connections
    feed: Feed
    clock: Callable[[], datetime]
    default_max_age: timedelta | None = None
    operation: Operation | None = None
    reader: Reader = field(init=False)
    _loaders: dict[Hashable, DataLoader[Any, Any]] = field(init=False)

    def __post_init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Begin anew: each event of a subscription is read for itself."""
        self._loaders = {}
        self.reader = Reader(
            institution_id=self.viewer.institution_id,
            shard=self.viewer.shard,
            now=self.clock(),
            rights=self.viewer.rights,
        )

    def reads_roster(self) -> Reader:
        """The reader, for credentials that may read the roster; Forbidden for others."""
        self.viewer.require(Scope.ROSTER_READ)
        return self.reader

    async def load(self, name: Hashable, key: K, batch: Batch[K, V]) -> V:
        """`key` by the batch of that name: equal names wait for one another, and their keys are read at once."""
        loader = self._loaders.get(name)
        if loader is None:
            loader = self._loaders[name] = DataLoader(load_fn=batch)
        value: V = await shield.load(loader, key)
        return value

    async def change_cursor(self) -> str:
        """The feed's end when this operation first asked; read before the rows, so that nothing is missed."""

        async def read(_keys: Sequence[int]) -> Sequence[str]:
            return [await self.feed.cursor(self.viewer.institution_id)]

        return await self.load("change cursor", 0, read)


Info = strawberry.Info[Context, None]
