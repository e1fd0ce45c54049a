"""Steps of a job whose process dies before and after each of them, for tests of what becomes of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from gateway.job_definitions import Job
from gateway.store.queued_jobs import Arguments

T = TypeVar("T")


class Died(Exception):
    """The process, before a step began or before its result was kept."""


@dataclass
class DyingSteps:
    """What was kept outlives each death; every step is begun three times, and ends once with its result."""

    kept: dict[str, Any] = field(default_factory=dict)
    begun: dict[str, int] = field(default_factory=dict)

    async def run(self, name: str, work: Callable[[], Awaitable[T]]) -> T:
        if name in self.kept:
            found: T = self.kept[name]
            return found
        self.begun[name] = self.begun.get(name, 0) + 1
        if self.begun[name] == 1:
            raise Died
        result = await work()
        if self.begun[name] == 2:
            raise Died
        self.kept[name] = result
        return result

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(seconds)


async def outlived(job: Job, institution_id: int, arguments: Arguments) -> int:
    """The job begun again after each death until it ends; how many it outlived, two at each of its steps."""
    steps, deaths = DyingSteps(), 0
    while True:
        try:
            await job.work(steps, institution_id, arguments)
        except Died:
            deaths += 1
        else:
            assert deaths == 2 * len(steps.kept)
            return deaths
