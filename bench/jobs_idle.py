"""What the engine of durable jobs costs a process that has nothing to do: python -m bench.jobs_idle DATABASE_URL [SECONDS]

The database is made, or brought up to date, first. CPU is user and system time of the process, by the wall clock.
"""

import asyncio
import sys
import time
from datetime import UTC, datetime

import psutil

from gateway import jobs
from gateway.jobs import Arguments, Job, Steps
from gateway.store import schema
from gateway.uow import Database


async def _nothing(_steps: Steps, _institution_id: int, _arguments: Arguments) -> None:
    """Nobody asks for it."""


async def main(url: str, seconds: float) -> None:
    process = psutil.Process()
    async with Database.open(url) as database:
        await schema.migrate(database)
        resident = process.memory_info().rss
        began = time.perf_counter()
        async with jobs.running_jobs(
            database, [Job(name="nothing", work=_nothing)], clock=lambda: datetime.now(UTC)
        ):
            started = time.perf_counter() - began
            await asyncio.sleep(10)
            spent, since = sum(process.cpu_times()[:2]), time.perf_counter()
            await asyncio.sleep(seconds)
            share = (sum(process.cpu_times()[:2]) - spent) / (time.perf_counter() - since)
            grown = (process.memory_info().rss - resident) / 2**20
    print(
        f"{database.dialect}: ready in {started:.1f} s, {share:.1%} of a core when idle, {grown:.0f} MB more"
    )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 60.0))
