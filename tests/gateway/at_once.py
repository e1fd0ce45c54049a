"""Steps of a job that nobody interrupts, for tests of what the job does."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


class AtOnce:
    async def run(self, name: str, work: Callable[[], Awaitable[T]]) -> T:
        return await work()

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nothing here is to be tried again")
