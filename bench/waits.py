"""How long others wait while a school is first loaded: python -m bench.waits DATABASE_URL [ENROLLMENTS]

The database is made anew. Every 50 ms somebody takes the institution's lock, as launches and mutations do, and somebody reads a class,
each by connections of their own; the loop of the importing process is looked at every 5 ms. What is printed is the longest of each.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from bench.generate_report import School, write_zip
from bench.ingest import recreate
from gateway.store import institutions, merging
from gateway.sync.importer import import_report
from gateway.uow import Database


async def _longest(work: Callable[[], Awaitable[object]], pause: float, waits: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await work()
        waits.append(time.perf_counter() - began)
        await asyncio.sleep(pause)


async def _loop(lags: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(0.005)
        lags.append(time.perf_counter() - began - 0.005)


async def main(url: str, enrollments: int) -> None:
    with tempfile.TemporaryDirectory(prefix="roster-waits-") as folder:
        report = Path(folder) / "report.zip"
        write_zip(
            report,
            School(
                courses=max(4, enrollments // 250),
                users=enrollments * 12 // 100,
                enrollments=enrollments,
            ),
        )
        await recreate(url)
        async with Database.open(url) as database, Database.open(url) as others:
            made = await institutions.ensure(database, slug="bench", canvas_url=None)
            waits: dict[str, list[float]] = {"write": [], "read": [], "event loop": []}
            write = partial(others.transact, lambda tx: merging.lock(tx, made.id))
            async with Database.open(url) as readers:
                read = partial(
                    readers.rows,
                    "select id from enrollment where institution_id = $1 and course_id = 17 order by id",
                    made.id,
                )
                around = [
                    asyncio.create_task(_longest(write, 0.05, waits["write"])),
                    asyncio.create_task(_longest(read, 0.05, waits["read"])),
                    asyncio.create_task(_loop(waits["event loop"])),
                ]
                began = time.perf_counter()
                await import_report(
                    database,
                    made,
                    report,
                    clock=lambda: datetime.now(UTC),
                    as_of=datetime.now(UTC),
                )
                took = time.perf_counter() - began
                for task in around:
                    task.cancel()
                await asyncio.wait(around)
    print(f"{database.dialect}: {enrollments:,} enrollments in {took:.1f} s")
    for what, seconds in waits.items():
        print(f"{what}: {max(seconds) * 1000:,.0f} ms at most, of {len(seconds):,}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 1_000_000))
