"""What one durable job of one step costs: python -m bench.job_cost DATABASE_URL [JOBS]

The jobs are asked for in one transaction, each of another institution, so that none waits for its school's others. The database is made, or
brought up to date, first. CPU is user and system time of the process.
"""

import asyncio
import secrets
import sys
import time
from datetime import UTC, datetime

import psutil

from gateway import jobs
from gateway.jobs import Arguments, Job, Steps
from gateway.store import schema
from gateway.uow import Database, Transaction


async def main(url: str, count: int) -> None:
    done, all_done = 0, asyncio.Event()

    async def step() -> None:
        return None

    async def work(steps: Steps, _institution_id: int, _arguments: Arguments) -> None:
        nonlocal done
        await steps.run("nothing", step)
        done += 1
        if done == count:
            all_done.set()

    async def ask(tx: Transaction) -> None:
        key, now = secrets.token_hex(8), datetime.now(UTC)
        for one in range(count):
            await jobs.enqueue(tx, one + 1, name="one step", key=key, arguments={}, now=now)

    process = psutil.Process()
    async with Database.open(url) as database:
        await schema.migrate(database)
        async with jobs.running_jobs(
            database, [Job(name="one step", work=work)], clock=lambda: datetime.now(UTC)
        ):
            await database.transact(ask)
            began, spent = time.perf_counter(), sum(process.cpu_times()[:2])
            await all_done.wait()
            took = time.perf_counter() - began
            spent = sum(process.cpu_times()[:2]) - spent
    print(
        f"{database.dialect}: {count / took:.1f} jobs/s, {spent / count * 1000:.0f} ms of CPU each"
    )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 200))
