"""The feed under torture: four processes of eight writers, killed at random, and readers that leave and come back.

Every reader sees every change once and in order: each says what was before it, so that a missed, doubled or disordered one
breaks the chain; and at the end a reader that only added up changes knows what the tables hold.
"""

import asyncio
import json
import random
import sys
from asyncio.subprocess import Process
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Self

import pytest

from gateway.feed import ChangeFilter, Entry, Feed
from gateway.readpath.connections import open_connections
from models.roster import ChangeKind
from tests.factories import School
from tests.gateway.feed_writer import COURSES, WRITERS

PROCESSES = 4
READERS = 3


@dataclass
class Reader:
    """Follows in fits and starts, from where it stopped."""

    school: School
    seed: int
    position: int = 0
    seen: int = 0
    visits: int = 0
    ended: bool = False
    names: dict[int, str] = field(default_factory=dict)

    async def follow(self) -> None:
        """To the entry that says that it was the last."""
        chance = random.Random(self.seed)  # noqa: S311  when to leave is no secret
        while not self.ended:
            async with open_connections(self.school.database.url, size=1) as connections:
                await self._visit(Feed(connections, interval=0.02), chance.randrange(1, 700))

    async def _visit(self, feed: Feed, patience: int) -> None:
        self.visits += 1
        entries = feed.follow(self.school.reader(), ChangeFilter(), after=self.position)
        async with aclosing(entries):
            while not self.ended and (patience := patience - 1) >= 0:
                self._take(await anext(entries))

    def _take(self, entry: Entry) -> None:
        assert entry.position > self.position
        self.position = entry.position
        if entry.kind == ChangeKind.REMOVED:
            self.ended = True
            return
        before, after = (json.loads(text or "")[0]["value"] for text in (entry.before, entry.after))
        known = self.names.get(entry.subject_id, "0")
        assert before == known, f"position {entry.position}: {before} follows {known}"
        assert int(after) == int(before) + 1
        self.names[entry.subject_id] = after
        self.seen += 1


class Writers:
    """The processes; whoever is killed is replaced."""

    def __init__(self, school: School) -> None:
        self._school = school
        self._running: list[Process] = []
        self.killed = 0

    async def __aenter__(self) -> Self:
        self._running = [await self._start(number) for number in range(PROCESSES)]
        return self

    async def __aexit__(self, *_: object) -> None:
        for one in self._running:
            one.kill()
            await one.wait()

    async def kill(self, number: int) -> None:
        """In the middle of whatever it does."""
        self._running[number].kill()
        await self._running[number].wait()
        self._running[number] = await self._start(number)
        self.killed += 1

    async def _start(self, number: int) -> Process:
        command = ("-m", "tests.gateway.feed_writer", self._school.database.url)
        return await asyncio.create_subprocess_exec(
            sys.executable, *command, str(self._school.id), str(number)
        )


async def grow(school: School, wanted: int, writers: Writers, kills: int) -> None:
    """Until the feed has so many entries; meanwhile, one process after the other is killed."""
    chance, step = random.Random(1), wanted // kills  # noqa: S311  whom to kill is no secret
    async with open_connections(school.database.url, size=1) as connections:
        feed = Feed(connections, interval=0.05)
        for enough in range(step, wanted + 1, step):
            while await feed.head(school.id) < enough:
                await feed.moved()
            await writers.kill(chance.randrange(PROCESSES))


@pytest.mark.parametrize(
    "engine", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)
async def test_every_reader_sees_every_change_once_and_in_order(
    school: School, proving: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted, kills = (100_000, 40) if proving else (3_000, 2)
    for number in range(PROCESSES * WRITERS * COURSES):
        await school.course(canvas=number + 1, name="0")
    readers = [Reader(school, seed) for seed in range(READERS)]

    async with asyncio.timeout(3000 if proving else 240):
        following = [asyncio.ensure_future(reader.follow()) for reader in readers]
        async with Writers(school) as writers:
            await grow(school, wanted, writers, kills)
        await school.change("Course", 0, kind="REMOVED")
        await asyncio.gather(*following)

    truth = await school.database.rows(
        "select id, name from course where institution_id = $1 and name <> '0'", school.id
    )
    kept = await school.database.rows(
        "select count(*) as n, max(position) as last from change where institution_id = $1",
        school.id,
    )
    for reader in readers:
        assert {row["id"]: row["name"] for row in truth} == reader.names
        assert (kept[0]["n"], kept[0]["last"]) == (reader.seen + 1, reader.position)
        assert sum(map(int, reader.names.values())) == reader.seen
        assert reader.visits > 1
    with capsys.disabled():
        print(
            f"\nfeed torture: {PROCESSES} processes x {WRITERS} writers, {writers.killed} processes killed (-9) and replaced;"
            f" {readers[0].seen} changes, {READERS} readers left and came back {[r.visits for r in readers]} times:"
            " each change once, in order, and the readers know what the tables hold"
        )
