"""Cancellation sweeps: work is begun, cancelled after each possible number of loop steps, and then a question must be answered.

The bare forms fail the same sweeps, which shows that the sweeps can fail.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from strawberry.dataloader import DataLoader
from tortoise.transactions import in_transaction  # noqa: TID251  the bare form is tried here

from gateway import shield
from gateway.http.client import Client
from gateway.http.client import Request as OutboundRequest
from gateway.readpath.connections import open_connections
from gateway.store import schema
from gateway.uow import Database, Transaction
from tests.served import served

STEPS = range(120)
NUMBERS = count(1)
PATIENCE = (
    10.0  # seconds in which a healthy database or client answers a question, on a busy machine too
)
IMPATIENCE = 1.0  # seconds after which one that is expected to hang has been waited for long enough

Work = Callable[[], Coroutine[Any, Any, object]]


class Broken(Exception):
    pass


async def cancelled_after(steps: int, work: Work, *, times: int = 1) -> None:
    """Begin `work`, let the loop take `steps` turns, cancel as often as told, and wait for the end of it."""
    task = asyncio.ensure_future(work())
    for _ in range(steps):
        await asyncio.sleep(0)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    with suppress(asyncio.CancelledError, Broken):
        await task


async def answers(question: Work, patience: float = PATIENCE) -> bool:
    """Whether `question` is answered within the limit."""
    asked = asyncio.ensure_future(question())
    done, _ = await asyncio.wait([asked], timeout=patience)
    if not done:
        asked.cancel()
        return False
    try:
        await asked
    except httpx.PoolTimeout:
        return False
    return True


async def survives(
    work: Work,
    question: Work,
    *,
    times: int = 1,
    rounds: int = 1,
    patience: float = PATIENCE,
) -> bool:
    """Whether a question after every cancellation of `work` is answered."""
    for steps in list(STEPS) * rounds:
        await cancelled_after(steps, work, times=times)
        if not await answers(question, patience):
            return False
    return True


def in_parallel(work: Work, count: int) -> Work:
    """`count` at once, all cancelled with the first: what a failing field does to its siblings."""

    async def all_of_them() -> None:
        await asyncio.gather(*(work() for _ in range(count)))

    return all_of_them


# The database


@pytest.fixture
async def table(database: Database) -> Database:
    async def make(tx: Transaction) -> None:
        await tx.run("create table probe (a integer primary key, b integer)")

    await database.transact(make)
    return database


async def pairs(database: Database) -> tuple[int, int]:
    """How many rows there are, and how many of them have their second half."""
    rows = await database.rows("select count(*) as a, count(b) as b from probe")
    return rows[0]["a"], rows[0]["b"]


def in_two_steps(database: Database, *, failing: bool = False) -> Work:
    """A transaction that reads, writes a row, and writes its second half."""

    async def work(tx: Transaction) -> None:
        number = next(NUMBERS)
        assert [] == await tx.rows("select a from probe where a = $1", number)
        await tx.run("insert into probe (a) values ($1)", number)
        if failing:
            raise Broken
        await tx.run("update probe set b = 1 where a = $1", number)

    return lambda: database.transact(work)


@pytest.mark.parametrize("times", [1, 2, 3])
async def test_a_transaction_is_whole_or_absent_however_often_it_is_cancelled(
    table: Database, times: int
) -> None:
    assert await survives(in_two_steps(table), lambda: pairs(table), times=times)

    written, whole = await pairs(table)
    assert 0 < written == whole


async def test_a_cancelled_transaction_has_ended_when_its_caller_goes_on(table: Database) -> None:
    for steps in STEPS:
        before, _ = await pairs(table)
        ended = asyncio.Event()

        await cancelled_after(steps, lambda: table.transact(_noting(ended)), times=2)  # noqa: B023  it ends in this turn

        after, _ = await pairs(table)
        assert after == before + ended.is_set()


def _noting(ended: asyncio.Event) -> Callable[[Transaction], Awaitable[None]]:
    async def work(tx: Transaction) -> None:
        await tx.run("insert into probe values ($1, 1)", next(NUMBERS))
        ended.set()

    return work


async def test_a_transaction_that_fails_inside_leaves_nothing(table: Database) -> None:
    assert await survives(in_two_steps(table, failing=True), lambda: pairs(table))

    assert (0, 0) == await pairs(table)


async def test_work_in_a_savepoint_is_as_safe(table: Database) -> None:
    """A nested block of the same transaction, of which the inner half fails and the outer goes on."""

    async def nested(tx: Transaction) -> None:
        await tx.run("insert into probe values ($1, 1)", next(NUMBERS))
        await tx.run("savepoint inner_part")
        await tx.run("insert into probe (a) values ($1)", next(NUMBERS))
        await tx.run("rollback to savepoint inner_part")

    assert await survives(lambda: table.transact(nested), lambda: pairs(table))

    written, whole = await pairs(table)
    assert 0 < written == whole


async def test_many_cancelled_transactions_leave_no_connection_behind(table: Database) -> None:
    """More at a time than the pool has connections."""
    for steps in range(0, 120, 8):
        await asyncio.gather(
            *(cancelled_after(steps + more, in_two_steps(table)) for more in range(12))
        )
        assert await answers(lambda: pairs(table))

    written, whole = await pairs(table)
    assert written == whole


async def test_a_cancelled_read_leaves_the_database_answering(table: Database) -> None:
    await in_two_steps(table)()

    assert await survives(lambda: pairs(table), lambda: pairs(table), times=2)


async def test_cancelled_reads_leave_their_own_connections_answering(table: Database) -> None:
    """More at a time than there are connections."""
    async with open_connections(table.url, size=2) as connections:

        async def read() -> None:
            assert [(0,)] == [
                tuple(row) for row in await connections.fetch("select count(*) from probe")
            ]

        assert await survives(in_parallel(read, 6), read, times=2)
        assert 0 == connections.usage()["busy"]


async def test_cancelled_migrations_leave_a_database_that_migrates(database_url: str) -> None:
    async with Database.open(database_url) as database:
        for steps in range(0, 120, 12):
            await cancelled_after(steps, lambda: schema.migrate(database))
        assert await answers(lambda: schema.migrate(database))

        assert [] == await schema.behind(database)


async def test_a_bare_transaction_fails_the_sweep(database_url: str) -> None:
    """Why `in_transaction` is banned outside gateway/uow.py."""
    one_connection = "?minsize=1&maxsize=1" if database_url.startswith("postgres") else ""
    context = Database.open(database_url + one_connection)
    database = await context.__aenter__()

    async def bare() -> None:
        with database.active():
            async with in_transaction("default") as client:
                await client.execute_query("select 1")

    async def question() -> None:
        await database.rows("select 1 as one")

    assert not await survives(bare, question, patience=IMPATIENCE)
    with suppress(TimeoutError):  # what hangs cannot be closed either
        async with asyncio.timeout(IMPATIENCE / 2):
            await context.__aexit__(None, None, None)


# Outbound requests


async def long_text(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("x" * 100_000)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with served(Starlette(routes=[Route("/", long_text)])) as url:
        yield url


async def test_cancelled_requests_leave_the_client_sending(server: str) -> None:
    async with Client(allows_private_networks=True, max_connections=2) as client:

        async def send() -> None:
            assert 200 == (await client.send(OutboundRequest("GET", server))).status

        assert await survives(in_parallel(send, 6), send, times=2)


async def test_cancelled_downloads_leave_the_client_sending(server: str) -> None:
    async with Client(allows_private_networks=True, max_connections=2) as client:

        async def download() -> None:
            async with client.stream(
                OutboundRequest("GET", server), max_bytes=1_000_000
            ) as download:
                assert 100_000 == sum([len(chunk) async for chunk in download.chunks])

        assert await survives(in_parallel(download, 6), download, times=2)


async def test_bare_requests_fail_the_sweep(server: str) -> None:
    """Why `httpx.AsyncClient` is banned outside gateway/http."""
    limits, timeout = httpx.Limits(max_connections=2), httpx.Timeout(5, pool=IMPATIENCE / 2)
    async with httpx.AsyncClient(limits=limits, timeout=timeout) as client:  # noqa: TID251  the bare form is what is tried

        async def send() -> None:
            assert 200 == (await client.get(server)).status_code

        # The moment that leaks depends on the server's pace: one sweep in ten passes by it.
        assert not await survives(in_parallel(send, 6), send, rounds=10)


# Shared loads


async def doubled(keys: list[int]) -> list[int]:
    await asyncio.sleep(0)
    return [key * 2 for key in keys]


async def loaded_beside_a_cancelled_waiter(
    load: Callable[[DataLoader[int, int], int], Awaitable[int]], steps: int
) -> int:
    """What the second of two waiters for one key gets when the first is cancelled."""
    loader = DataLoader(load_fn=doubled)
    other = asyncio.ensure_future(_await(load, loader))
    await cancelled_after(steps, lambda: _await(load, loader))
    return await other


async def _await(
    load: Callable[[DataLoader[int, int], int], Awaitable[int]], loader: DataLoader[int, int]
) -> int:
    return await load(loader, 21)


async def test_a_cancelled_waiter_leaves_the_other_its_value() -> None:
    assert {42} == {
        await loaded_beside_a_cancelled_waiter(shield.load, steps) for steps in range(20)
    }


async def test_a_bare_load_fails_the_sweep() -> None:
    """Why `loader.load` is banned outside gateway/shield.py."""

    async def sweep() -> None:
        for steps in range(20):
            await loaded_beside_a_cancelled_waiter(lambda loader, key: loader.load(key), steps)

    with pytest.raises(asyncio.CancelledError):
        await sweep()


# The shield itself


async def test_finish_gives_the_result_and_the_error_of_the_work() -> None:
    async def fails() -> None:
        raise Broken

    assert [2] == await shield.finish(doubled([1]))
    with pytest.raises(Broken):
        await shield.finish(fails())


async def test_finish_waits_for_the_end_and_then_tells_of_the_cancellation() -> None:
    ended = []

    async def work() -> None:
        for _ in range(10):
            await asyncio.sleep(0)
        ended.append(True)

    task = asyncio.ensure_future(shield.finish(work()))
    for _ in range(4):
        await asyncio.sleep(0)
        task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert [True] == ended


async def test_finish_keeps_quiet_about_the_error_of_work_that_nobody_waits_for() -> None:
    """An error that no caller is left to see is no warning on the loop either."""
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context))

    async def fails() -> None:
        await asyncio.sleep(0)
        raise Broken

    await cancelled_after(1, lambda: shield.finish(fails()))

    assert [] == told
