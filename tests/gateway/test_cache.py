"""What is kept for a while: in memory and in Redis alike, sealed there, and forgotten by the clock that is given."""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from gateway import cache as caches
from gateway.breaker import TRIPS_AFTER
from gateway.cache import Cache
from gateway.errors import SourceDown
from gateway.healths import Healths
from gateway.seal import Seal
from gateway.source_health import SourceHealth
from models.roster import GapReason, Source
from tests.fakes import TickingClock

MINUTE = timedelta(minutes=1)
SEAL = Seal(["not so secret"])


class Point(msgspec.Struct, frozen=True):
    at: datetime
    words: tuple[str, ...] = ()


POINT = Point(at=datetime(2026, 9, 1, tzinfo=UTC), words=("one", "two"))


@pytest.fixture
def clock() -> TickingClock:
    return TickingClock()


@pytest.fixture
async def redis(request: pytest.FixtureRequest) -> AsyncIterator[Redis]:
    async with Redis.from_url(request.getfixturevalue("redis_url")) as opened:
        yield opened


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.redis)])
def cache(request: pytest.FixtureRequest, clock: TickingClock) -> Cache:
    if request.param == "memory":
        return Cache(clock)
    return in_redis(request.getfixturevalue("redis"), clock)


def in_redis(
    redis: Redis, clock: TickingClock, seal: Seal = SEAL, house: str | None = None
) -> Cache:
    """Each test is a house of its own, unless it says which."""
    house = house or secrets.token_hex(8)
    return caches.in_redis(redis, clock, house=house, seal=seal, down=(RedisError,))


async def test_what_was_put_is_there_until_its_time_is_over(
    cache: Cache, clock: TickingClock
) -> None:
    await cache.put(POINT, "point", 1, lasts=MINUTE)
    await cache.put("a token", "point", 2, lasts=MINUTE)

    assert await cache.get(Point, "point", 1) == POINT
    assert await cache.get(str, "point", 2) == "a token"
    assert await cache.get(Point, "point", 3) is None

    clock.advance(minutes=1)
    assert await cache.get(Point, "point", 1) is None


async def test_the_last_word_counts_and_can_be_taken_back(cache: Cache) -> None:
    await cache.put("one", "word", lasts=MINUTE)
    await cache.put("two", "word", lasts=MINUTE)
    assert await cache.get(str, "word") == "two"

    await cache.forget("word")
    assert await cache.get(str, "word") is None


async def test_what_another_version_wrote_is_not_known(cache: Cache) -> None:
    await cache.put(["something", "else"], "point", lasts=MINUTE)

    assert await cache.get(Point, "point") is None


async def test_memory_ends_somewhere(clock: TickingClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "_MOST", 10)
    cache = Cache(clock)
    for number in range(25):
        await cache.put(number, "number", number, lasts=MINUTE)

    kept = [number for number in range(25) if await cache.get(int, "number", number) is not None]
    assert kept == [20, 21, 22, 23, 24]


@pytest.mark.redis
async def test_processes_share_what_redis_keeps_and_nobody_else_can_read_it(
    redis: Redis, clock: TickingClock
) -> None:
    house = secrets.token_hex(8)
    await in_redis(redis, clock, house=house).put("a token", "of", "ours", lasts=MINUTE)

    assert await in_redis(redis, clock, house=house).get(str, "of", "ours") == "a token"
    assert await in_redis(redis, clock).get(str, "of", "ours") is None
    with_another_key = in_redis(redis, clock, Seal(["another"]), house=house)
    assert await with_another_key.get(str, "of", "ours") is None
    [name] = await redis.keys(f"roster:cache:{caches._key((house,))[:16]}:*")
    assert b"a token" not in (await redis.get(name) or b"")
    assert 0 < await redis.ttl(name) <= 60


async def test_a_cache_that_is_down_knows_nothing_and_says_so_once(
    clock: TickingClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with Redis.from_url("redis://127.0.0.1:1/0") as nobody:
        cache = in_redis(nobody, clock)
        await cache.put("a token", "of", "ours", lasts=MINUTE)

        assert await cache.get(str, "of", "ours") is None
    assert 1 == caplog.text.count("no cache")


async def test_a_breaker_that_one_process_opens_is_open_for_all(
    cache: Cache, clock: TickingClock
) -> None:
    place = (1, Source.NRPS)
    ours, theirs = Healths(clock=clock, cache=cache), Healths(clock=clock, cache=cache)
    for _ in range(TRIPS_AFTER):
        await ours.failed(place, SourceDown("503"))

    known = await theirs.of(place)
    assert known.breaker.obstacle(clock()) is not None
    assert (GapReason.SOURCE_UNAVAILABLE, "503") == (known.reason, known.error)
    assert theirs.seen(place) == known

    await theirs.succeeded(place)
    assert (await ours.of(place)).breaker.obstacle(clock()) is None


async def test_a_process_without_a_cache_knows_what_it_saw(clock: TickingClock) -> None:
    own = Healths(clock=clock)
    assert SourceHealth() == await own.of((1, Source.REPORT))

    await own.failed((1, Source.REPORT), SourceDown("503"))

    assert "503" == own.seen((1, Source.REPORT)).error
