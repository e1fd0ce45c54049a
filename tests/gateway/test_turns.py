"""Turns: what several processes serve from one store is read once for all of them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from redis.asyncio import Redis

from gateway.flights import Turns
from gateway.redis_turns import RedisTurns
from gateway.store.turns import open_turns
from tests.conftest import POSTGRES
from tests.fakes import FakeStore, TickingClock
from tests.gateway.test_reads import a_house, a_need, everybody_waits

KINDS = [
    pytest.param("redis", marks=pytest.mark.redis),
    pytest.param("postgres", marks=pytest.mark.postgres),
]


@asynccontextmanager
async def opened(kind: str, url: str) -> AsyncIterator[Turns]:
    """Turns as one more process has them."""
    if kind == "postgres":
        async with open_turns(url) as turns:
            yield turns
    else:
        async with Redis.from_url(url) as redis:
            yield RedisTurns(redis)


@pytest.fixture
async def pair(request: pytest.FixtureRequest, kind: str) -> AsyncIterator[list[Turns]]:
    """The turns of two processes."""
    if kind == "postgres" and POSTGRES is None:
        pytest.skip("no PostgreSQL: set ROSTER_TEST_POSTGRES, or run `make test`, which starts one")
    url = POSTGRES or "" if kind == "postgres" else request.getfixturevalue("redis_url")
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(opened(kind, url)) for _ in range(2)]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_turn_is_held_by_one_process_at_a_time(pair: list[Turns]) -> None:
    inside: list[int] = []
    most = 0

    async def hold(place: int) -> None:
        nonlocal most
        async with pair[place % 2].turn(f"course {place // 2}"):
            inside.append(place // 2)
            most = max(most, inside.count(place // 2))
            await asyncio.sleep(0.01)
            inside.remove(place // 2)

    await asyncio.gather(*(hold(place) for place in range(6)))

    assert 1 == most


@pytest.mark.parametrize("kind", KINDS)
async def test_a_turn_that_ended_badly_is_given_back(pair: list[Turns]) -> None:
    with pytest.raises(ZeroDivisionError):
        async with pair[0].turn("course 1"):
            _ = 1 / 0

    async with asyncio.timeout(1), pair[1].turn("course 1"):
        pass


@pytest.mark.parametrize("kind", KINDS)
async def test_a_burst_over_two_processes_costs_two_reads(pair: list[Turns]) -> None:
    clock, store = TickingClock(), FakeStore()
    houses = [a_house(clock, store, turns) for turns in pair]
    for house in houses:
        house.api.gate.clear()
    first = asyncio.ensure_future(houses[0].one(a_need()))
    await houses[0].api.begun.wait()
    others = [asyncio.ensure_future(houses[n % 2].one(a_need())) for n in range(199)]
    await everybody_waits()
    for house in houses:
        house.api.gate.set()
    outcomes = await asyncio.gather(first, *others)

    assert 2 == len(houses[0].api.reads) + len(houses[1].api.reads)
    assert all(outcome.by for outcome in outcomes)


async def test_without_redis_each_process_reads_for_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with Redis.from_url("redis://127.0.0.1:1/0") as nowhere:
        house = a_house(TickingClock(), FakeStore(), RedisTurns(nowhere))

        outcome = await house.one(a_need())

    assert outcome.by is not None
    assert "no turns" in caplog.text
