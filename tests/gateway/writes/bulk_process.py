"""Carries changes of many out in processes that kill themselves with SIGKILL, each at one of its steps.

Steps are a request (before it is sent, under way, answered) and a transaction (done but not committed, committed), each named
by the last request and its place behind that. Every start is a fork of this program, which has imported all: a line
of its input says what is carried out; on its output the start says where it dies, and this program how it ended.
"""

import asyncio
import os
import re
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

import httpx
import msgspec

from gateway.canvas.buckets import LocalBuckets
from gateway.canvas.client import Canvas, Fixed
from gateway.canvas.credentials import AdminOnly
from gateway.http.client import Client, Request, Response
from gateway.readpath.connections import open_connections
from gateway.uow import Database, T, Transaction, Work
from gateway.writes.roster_jobs import RosterJobs
from tests.gateway.writes.office import made_office

UNDER_WAY = "under way"
# A request to the twin takes some milliseconds.
_UNDER_WAY_SECONDS = 0.006


class Start(msgspec.Struct, kw_only=True):
    """What is carried out, and when it dies: at each of its steps where fewer than `least` have `died` there, else by chance."""

    database: str
    twin: str
    token: str
    institution: int
    change: int
    seed: int
    least: int
    chance: float
    died: dict[str, int] = {}


@dataclass(kw_only=True)
class Fate:
    least: int
    chance: float
    died: Counter[str]
    random: Random
    last: str = "start"
    transactions: int = 0

    def step(self, name: str) -> None:
        if self.strikes(name):
            die(name)

    def strikes(self, name: str) -> bool:
        return self.died[name] < self.least or self.random.random() < self.chance

    def request(self, name: str) -> None:
        self.last, self.transactions = name, 0

    def transaction(self) -> str:
        self.transactions += 1
        return f"{self.last}, transaction {self.transactions}"


def die(name: str) -> None:
    os.write(1, f"{name}\n".encode())
    os.kill(os.getpid(), signal.SIGKILL)


class DoomedDatabase(Database):
    fate: Fate

    async def transact(self, work: Work[T]) -> T:
        name = self.fate.transaction()

        async def doomed(tx: Transaction) -> T:
            done = await work(tx)
            self.fate.step(f"{name}: not committed")
            return done

        result = await super().transact(doomed)
        self.fate.step(f"{name}: committed")
        return result


class DoomedClient(Client):
    fate: Fate

    async def send(self, request: Request, **options: Any) -> Response:
        name, fate = _named(request), self.fate
        fate.step(f"{name}: not sent")
        dying = None
        if fate.strikes(f"{name}: {UNDER_WAY}"):
            soon = fate.random.uniform(0, _UNDER_WAY_SECONDS)
            dying = asyncio.get_running_loop().call_later(soon, die, f"{name}: {UNDER_WAY}")
        answer = await super().send(request, **options)
        if dying is not None:
            dying.cancel()  # it was quicker
        fate.request(name)
        fate.step(f"{name}: answered")
        return answer


def _named(request: Request) -> str:
    path = re.sub(r"\d+", "#", request.url.path.removeprefix("/api/v1"))
    return f"{request.method} {path}{' of one' if 'user_id' in request.url.params else ''}"


class TwinClock:
    """The twin's time: it stands still but for our waits, and for what passes here."""

    def __init__(self, url: str) -> None:
        self._twin = httpx.Client(base_url=url, timeout=60)
        self._base = datetime.fromisoformat(self._twin.get("/control/clock").json()["now"])
        self._began = time.monotonic()

    def now(self) -> datetime:
        return self._base + timedelta(seconds=time.monotonic() - self._began)

    async def wait(self, seconds: float) -> None:
        self._twin.post("/control/clock", json={"seconds": seconds})  # it takes a moment
        self._base += timedelta(seconds=seconds)


async def carry_out(start: Start) -> None:
    clock = TwinClock(start.twin)
    DoomedDatabase.fate = DoomedClient.fate = Fate(
        least=start.least,
        chance=start.chance,
        died=Counter(start.died),
        random=Random(start.seed),  # noqa: S311  no secret
    )
    async with (
        DoomedDatabase.open(start.database) as database,
        open_connections(start.database) as connections,
        DoomedClient(allows_private_networks=True) as http,
    ):
        canvas = Canvas(
            http=http, base_url=start.twin, buckets=LocalBuckets(clock.now, sleep=clock.wait)
        )
        office = made_office(
            database,
            connections,
            canvas,
            start.institution,
            credentials=AdminOnly(credential=Fixed(secret=start.token)),
            clock=clock.now,
            sleep=clock.wait,
        )
        jobs = RosterJobs(offices={start.institution: office}, database=database, clock=clock.now)
        await jobs.carry_out(start.institution, start.change, last=True)


def main() -> None:
    for line in sys.stdin.buffer:
        start = msgspec.json.decode(line, type=Start)
        child = os.fork()
        if not child:
            asyncio.run(carry_out(start))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
