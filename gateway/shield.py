"""Finish what was begun: work that a cancelled caller may leave, but nobody may tear in half.

graphql-core cancels the siblings of a failed field, and a closed subscription or a timeout cancels too; httpx,
Tortoise and a DataLoader's shared future do not survive that. Whatever they do therefore runs in a task of its own.
"""

import asyncio
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
K_contra = TypeVar("K_contra", contravariant=True)
V_co = TypeVar("V_co", covariant=True)

_running: set[asyncio.Future[Any]] = set()


class Loader(Protocol[K_contra, V_co]):
    def load(self, key: K_contra) -> Awaitable[V_co]: ...


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which runs to its end however often the caller is cancelled; the caller waits for that end."""
    task = asyncio.ensure_future(work)
    _running.add(task)  # the loop itself holds tasks weakly
    task.add_done_callback(_forget)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with suppress(asyncio.CancelledError):  # once more: the first one is raised below
                await asyncio.wait([task])
        raise


async def load(loader: Loader[K_contra, V_co], key: K_contra) -> V_co:
    """`loader.load(key)` for one of several waiters: a cancelled waiter leaves the shared result whole."""
    return await asyncio.shield(asyncio.ensure_future(loader.load(key)))


def _forget(task: asyncio.Future[Any]) -> None:
    _running.discard(task)
    if not task.cancelled():
        task.exception()  # seen: whoever was cancelled will not ask for it
