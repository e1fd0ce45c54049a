"""A process that runs jobs until it is killed: what it did stands in a log that the test reads.

The jobs wait for files beside the log, which the test makes, so that nothing depends on how quick the machine is.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

from gateway.jobs import Arguments, Job, Steps, running_jobs
from gateway.uow import Database

STEPS = 4
WAITS_IN = 2


def clock() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  a program of its own


def jobs(log: Path) -> list[Job]:
    def say(*words: object) -> None:
        with log.open("a") as out:
            out.write(f"{' '.join(map(str, words))} {os.getpid()}\n")

    async def counted(steps: Steps, institution_id: int, arguments: Arguments) -> None:
        key = arguments["key"]

        def step(number: int) -> Callable[[], Awaitable[int]]:
            async def work() -> int:
                say("begin", key, number)
                try:
                    while number == WAITS_IN and not log.with_name(f"go-{key}").exists():  # noqa: ASYNC110  the test makes it
                        await asyncio.sleep(0.02)
                except asyncio.CancelledError:
                    say("cut", key, number)
                    raise
                say("end", key, number)
                return number

            return work

        numbers = [await steps.run(f"step {number}", step(number)) for number in range(STEPS)]
        say("done", key, sum(numbers))

    async def failing(steps: Steps, institution_id: int, arguments: Arguments) -> None:
        say("failing", arguments["key"])
        raise RuntimeError("as it should")

    return [Job(name="counted", work=counted), Job(name="failing", work=failing)]


async def main(url: str, log: Path) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with (
        Database.open(url) as database,
        running_jobs(database, jobs(log), clock=clock),
    ):
        log.with_name(f"ready-{os.getpid()}").touch()
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
