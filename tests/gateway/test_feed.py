"""The feed: read from a cursor, and followed while another process writes."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from gateway.errors import BadRequest, FollowerBehind
from gateway.feed import ChangeFilter, Entry, Feed, cursor_of, position_of
from gateway.readpath.connections import Connections, open_connections
from gateway.uow import Dialect
from models.roster import ChangeKind, Source
from tests.factories import School

EVERYTHING = ChangeFilter()


class Counting:
    """Real connections that count, and fail when told to."""

    def __init__(self, inner: Connections) -> None:
        self._inner = inner
        self.dialect: Dialect = inner.dialect
        self.fetched = 0
        self.failing = False

    async def fetch(self, sql: str, values: Any = ()) -> Any:
        self.fetched += 1
        if self.failing:
            raise ConnectionError("the database went away")
        return await self._inner.fetch(sql, values)

    def usage(self) -> dict[str, int]:
        return self._inner.usage()

    async def close(self) -> None:
        await self._inner.close()


@pytest.fixture
async def connections(school: School) -> AsyncIterator[Counting]:
    async with open_connections(school.database.url) as opened:
        yield Counting(opened)


@pytest.fixture
def feed(connections: Counting) -> Feed:
    return Feed(connections, interval=0.02)


async def take(entries: AsyncGenerator[Entry, None], count: int) -> list[Entry]:
    async with asyncio.timeout(10):
        return [await anext(entries) for _ in range(count)]


def test_a_cursor_is_a_position() -> None:
    assert position_of(cursor_of(12)) == 12


@pytest.mark.parametrize(
    "wrong", ["", "12", "%%", cursor_of(1)[:-2], "Y2hhbmdlOi0x", "Y2hhbmdlOg==", "Y2hhbmdlOnR3bw=="]
)
def test_what_is_no_cursor_is_refused(wrong: str) -> None:
    with pytest.raises(BadRequest, match="no cursor of the feed"):
        position_of(wrong)


async def test_following_replays_from_the_cursor_then_goes_on_live(
    school: School, feed: Feed
) -> None:
    for row in range(3):
        await school.change("Course", row)
    async with aclosing(feed.follow(school.reader(), EVERYTHING, after=1)) as entries:
        replayed = await take(entries, 2)
        await school.change("Course", 3)
        live = await take(entries, 1)

    assert [entry.position for entry in replayed + live] == [2, 3, 4]
    assert [entry.subject_id for entry in replayed + live] == [1, 2, 3]


async def test_following_without_a_cursor_begins_now(school: School, feed: Feed) -> None:
    await school.change("Course", 1)
    async with aclosing(feed.follow(school.reader(), EVERYTHING)) as entries:
        waiting = asyncio.ensure_future(take(entries, 1))
        async with asyncio.timeout(10):
            while not feed._looks:  # it has looked where the feed ends
                await feed.moved()
        await school.change("Course", 2)

        assert [entry.subject_id for entry in await waiting] == [2]


async def test_a_long_feed_is_replayed_whole(
    school: School, feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.feed._BATCH", 3)
    for row in range(10):
        await school.change("Course", row, kind="UPDATED" if row % 2 else "CREATED")
    created = ChangeFilter(kinds=(ChangeKind.CREATED,))

    async with aclosing(feed.follow(school.reader(), EVERYTHING, after=0)) as entries:
        assert [entry.subject_id for entry in await take(entries, 10)] == list(range(10))
    async with aclosing(feed.follow(school.reader(), created, after=0)) as entries:
        assert [entry.subject_id for entry in await take(entries, 5)] == [0, 2, 4, 6, 8]


async def test_a_slow_follower_is_told_where_to_resume(
    school: School, connections: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.feed._MOST_BEHIND", 3)
    feed = Feed(connections, interval=0.02, patience=0.0)
    for row in range(6):
        await school.change("Course", row)

    async with aclosing(feed.follow(school.reader(), EVERYTHING, after=0)) as slow:
        first = await take(slow, 1)
        with pytest.raises(FollowerBehind, match="5 changes wait") as told:
            await take(slow, 1)
    assert {"code": "RESUME", "cursor": first[0].cursor} == told.value.extensions

    position = position_of(told.value.cursor)
    patient = Feed(connections, interval=0.02)
    async with aclosing(patient.follow(school.reader(), EVERYTHING, after=position)) as again:
        rest = await take(again, 5)
    assert [2, 3, 4, 5, 6] == [entry.position for entry in rest]


async def test_nothing_is_read_ahead_of_a_follower(school: School, connections: Counting) -> None:
    """What waits for a slow one waits in the database."""
    for row in range(4):
        await school.change("Course", row)
    async with aclosing(Feed(connections).follow(school.reader(), EVERYTHING, after=0)) as slow:
        await take(slow, 1)
        fetched = connections.fetched
        for row in range(50):
            await school.change("Course", row)
        assert fetched == connections.fetched


async def test_a_nudge_spares_the_wait(school: School, connections: Counting) -> None:
    feed = Feed(connections, interval=3600)
    async with aclosing(feed.follow(school.reader(), EVERYTHING, after=0)) as entries:
        waiting = asyncio.ensure_future(take(entries, 1))
        async with asyncio.timeout(10):
            while not feed._looks:
                await asyncio.wait({waiting}, timeout=0.01)
        await school.change("Course", 1)
        feed.nudge()

        assert [entry.subject_id for entry in await waiting] == [1]


async def test_followers_share_their_looks(school: School, connections: Counting) -> None:
    feed = Feed(connections, interval=0.2)
    streams = [feed.follow(school.reader(), EVERYTHING, after=0) for _ in range(50)]
    waiting = [asyncio.ensure_future(take(stream, 1)) for stream in streams]
    async with asyncio.timeout(10):
        while connections.fetched < 3:
            await asyncio.wait(waiting, timeout=0.02)
    looked = connections.fetched

    await school.change("Course", 1)
    found = await asyncio.gather(*waiting)

    assert looked < 10
    assert [entry.subject_id for (entry,) in found] == [1] * 50
    for stream in streams:
        await stream.aclose()


async def test_a_cancelled_follower_leaves_the_others(school: School, feed: Feed) -> None:
    first, second = (feed.follow(school.reader(), EVERYTHING, after=0) for _ in range(2))
    leaving = asyncio.ensure_future(take(first, 1))
    staying = asyncio.ensure_future(take(second, 1))
    await asyncio.wait({leaving, staying}, timeout=0.05)
    leaving.cancel()
    await asyncio.wait({leaving})
    await school.change("Course", 1)

    assert [entry.subject_id for entry in await staying] == [1]
    assert leaving.cancelled()
    await second.aclose()


async def test_a_failing_database_ends_the_follower_instead_of_hanging_it(
    school: School, feed: Feed, connections: Counting
) -> None:
    entries = feed.follow(school.reader(), EVERYTHING, after=0)
    waiting = asyncio.ensure_future(take(entries, 1))
    await asyncio.wait({waiting}, timeout=0.05)
    connections.failing = True

    with pytest.raises(ConnectionError):
        await waiting


async def test_filters_choose(school: School, feed: Feed) -> None:
    await school.change("Course", 1, kind="CREATED", course_id=1)
    await school.change("Enrollment", 2, source="NRPS", course_id=1)
    await school.change("Enrollment", 3, course_id=2)
    await school.change("User", 2, kind="REMOVED")

    async def found(**which: Any) -> list[int]:
        changes = ChangeFilter(**which)
        entries = await feed.entries(school.reader(), changes, after=0, limit=10)
        return [entry.position for entry in entries]

    assert await found() == [1, 2, 3, 4]
    assert await found(kinds=(ChangeKind.CREATED, ChangeKind.REMOVED)) == [1, 4]
    assert await found(sources=(Source.NRPS,)) == [2]
    assert await found(subject_types=("Enrollment",)) == [2, 3]
    assert await found(subjects=(("Enrollment", 2), ("User", 2), ("Course", 9))) == [2, 4]
    assert await found(courses=(1,)) == [1, 2]
    assert await found(courses=(1,), kinds=(ChangeKind.UPDATED,)) == [2]
    assert await found(subjects=()) == []
    assert await found(kinds=()) == []
