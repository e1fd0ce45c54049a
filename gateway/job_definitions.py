"""What a job is, and how it runs its steps."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from gateway.store.queued_jobs import Arguments

T = TypeVar("T")


class Steps(Protocol):
    """How a job runs its steps."""

    async def run(self, name: str, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work`: of this run, or of the one before a crash. A cancelled job is stopped in the middle of it."""

    async def sleep(self, seconds: float) -> None:
        """Wait; a crash does not begin the wait anew."""


Work = Callable[[Steps, int, Arguments], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Job:
    """`work(steps, institution_id, arguments)`."""

    name: str
    work: Work


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A job asked for again and again. `cron`: five fields, UTC. What was missed while nothing ran is made up for."""

    name: str
    cron: str
    institution_id: int
    job: str
    arguments: Arguments
