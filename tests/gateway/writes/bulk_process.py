"""A process that carries a change of many out, and kills itself at a chosen point: around any transaction, any request."""

import asyncio
import os
import signal
import sys
import time
from datetime import datetime, timedelta
from typing import Any

import httpx

from gateway.canvas.buckets import LocalBuckets
from gateway.canvas.client import Canvas, Fixed
from gateway.canvas.credentials import AdminOnly
from gateway.http.client import Client, Request, Response
from gateway.readpath.connections import open_connections
from gateway.uow import Database, T, Transaction, Work
from gateway.writes.roster_jobs import RosterJobs
from tests.gateway.writes.office import made_office


class Fate:
    """Dies by SIGKILL at point number `last`; 0: never."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.points = 0

    def point(self) -> None:
        self.points += 1
        if self.points == self.last:
            os.kill(os.getpid(), signal.SIGKILL)


class DoomedDatabase(Database):
    fate = Fate(0)

    async def transact(self, work: Work[T]) -> T:
        async def doomed(tx: Transaction) -> T:
            done = await work(tx)
            self.fate.point()  # done, and not committed
            return done

        result = await super().transact(doomed)
        self.fate.point()
        return result


class DoomedClient(Client):
    fate = Fate(0)

    async def send(self, request: Request, **options: Any) -> Response:
        self.fate.point()
        answer = await super().send(request, **options)
        self.fate.point()
        return answer


class TwinClock:
    """The twin's time: it stands still but for our waits, and for what passes here."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._base = datetime.fromisoformat(httpx.get(f"{url}/control/clock").json()["now"])
        self._began = time.monotonic()

    def now(self) -> datetime:
        return self._base + timedelta(seconds=time.monotonic() - self._began)

    async def wait(self, seconds: float) -> None:
        httpx.post(f"{self._url}/control/clock", json={"seconds": seconds})  # noqa: ASYNC210  a moment
        self._base += timedelta(seconds=seconds)


async def main(url: str, twin: str, token: str, institution: int, change: int, last: int) -> None:
    clock = TwinClock(twin)
    DoomedDatabase.fate = DoomedClient.fate = fate = Fate(last)
    async with (
        DoomedDatabase.open(url) as database,
        open_connections(url) as connections,
        DoomedClient(allows_private_networks=True) as http,
    ):
        canvas = Canvas(http=http, base_url=twin, buckets=LocalBuckets(clock.now, sleep=clock.wait))
        office = made_office(
            database,
            connections,
            canvas,
            institution,
            credentials=AdminOnly(credential=Fixed(secret=token)),
            clock=clock.now,
            sleep=clock.wait,
        )
        jobs = RosterJobs(offices={institution: office}, database=database, clock=clock.now)
        await jobs.carry_out(institution, change, last=True)
    sys.stdout.write(f"{fate.points}\n")


if __name__ == "__main__":
    where, twin_url, secret, *numbers = sys.argv[1:]
    asyncio.run(main(where, twin_url, secret, *map(int, numbers)))
