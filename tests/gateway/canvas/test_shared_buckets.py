"""One bucket for several processes: they share what Canvas would take, and no reserve is lost between them."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from gateway.canvas.shared_buckets import SharedBuckets

pytestmark = pytest.mark.redis


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client: Redis = Redis.from_url(redis_url)
    yield client
    await client.aclose()


class Waited(Exception):
    pass


async def must_wait(_: float) -> None:
    raise Waited


async def test_two_processes_start_no_more_together_than_canvas_takes(
    redis: Redis,
) -> None:
    key = secrets.token_hex(8)
    processes = [SharedBuckets(redis, must_wait), SharedBuckets(redis, must_wait)]

    tries = [processes[n % 2].admit(key, background=False) for n in range(20)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)

    started = outcomes.count(None)
    assert started in (11, 12)  # the twelfth fits once anything at all has leaked
    assert 20 - started == sum(isinstance(outcome, Waited) for outcome in outcomes)


async def test_what_one_process_is_told_the_other_knows(redis: Redis) -> None:
    key = secrets.token_hex(8)
    one, other = SharedBuckets(redis, must_wait), SharedBuckets(redis, must_wait)
    await one.admit(key, background=False)
    await one.settle(key, cost=3.0, remaining=200.0)

    assert 200.0 == pytest.approx(await other.remaining(key), abs=5)
    with pytest.raises(Waited):
        await other.admit(key, background=True)


async def test_a_refusal_stops_both(redis: Redis) -> None:
    key = secrets.token_hex(8)
    one, other = SharedBuckets(redis, must_wait), SharedBuckets(redis, must_wait)
    await one.admit(key, background=False)
    await one.refused(key, remaining=12.0)

    with pytest.raises(Waited):
        await other.admit(key, background=False)
