"""Measures how long a twin takes to start, what it holds, and what a whole report of it costs."""

import argparse
import asyncio
import resource
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from starlette.applications import Starlette

from twin.app import create_twin
from twin.clock import FixedClock
from twin.options import Options

REPORT = "/api/v1/accounts/1/reports/provisioning_csv"
FILES = ("users", "accounts", "terms", "courses", "sections", "enrollments", "xlist", "admins")
Client = httpx.AsyncClient


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--courses", type=int, default=40)
    parser.add_argument("--users", type=int, default=1500)
    parser.add_argument("--enrollments", type=int)
    parser.add_argument("--report", action="store_true", help="run a provisioning report as well")
    args = parser.parse_args()
    clock = FixedClock(datetime(2026, 3, 2, 10, tzinfo=UTC))
    begun = time.perf_counter()
    options = Options(courses=args.courses, users=args.users, enrollments=args.enrollments)
    app = create_twin(options, clock)
    school = app.state.school
    print(f"{len(school.courses)} courses, {len(school.users)} users,", end=" ")
    print(f"{len(school.enrollments)} enrollments")
    print(f"start: {time.perf_counter() - begun:.2f} s, memory: {_megabytes()} MB")
    if args.report:
        asyncio.run(_report(app, clock.advance))


async def _report(app: Starlette, advance: Callable[[timedelta], None]) -> None:
    headers = {"Authorization": f"Bearer {app.state.cast.tokens['admin']}"}
    data = {f"parameters[{name}]": "true" for name in FILES}
    transport = httpx.ASGITransport(app)
    async with Client(transport=transport, base_url="http://127.0.0.1:9000") as client:
        run: dict[str, Any] = (await client.post(REPORT, headers=headers, data=data)).json()
        advance(timedelta(hours=1))
        begun = time.perf_counter()
        run = (await client.get(f"{REPORT}/{run['id']}", headers=headers)).json()
        took = time.perf_counter() - begun
    size = run["attachment"]["size"] / 1e6
    print(f"report: {run['status']}, {size:.1f} MB zip in {took:.2f} s, memory: {_megabytes()} MB")


def _megabytes() -> int:
    """The most this process has held, as the kernel counts it."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
