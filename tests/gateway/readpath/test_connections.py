"""The reads' own connections: they cannot write, survive cancellation, and never wait for a writer."""

import asyncio
import sqlite3

import asyncpg
import pytest

from gateway.errors import ConfigurationError
from gateway.readpath.connections import Connections, open_connections
from gateway.uow import Dialect, Transaction
from tests.factories import School

SLOW = {
    Dialect.SQLITE: "with recursive n(i) as (select 1 union all select i + 1 from n where i < 300000) select max(i) from n",
    Dialect.POSTGRES: "select pg_sleep(0.1)",
}
COUNT = "select count(*) from course where institution_id = $1"


async def test_a_read_cannot_write(school: School) -> None:
    async with open_connections(school.database.url) as connections:
        with pytest.raises((sqlite3.OperationalError, asyncpg.ReadOnlySQLTransactionError)):
            await connections.fetch("delete from institution where id = $1", [school.id])


async def test_more_readers_than_connections_take_turns(school: School) -> None:
    await school.course()
    async with open_connections(school.database.url, size=2) as connections:
        rows = await asyncio.gather(*(connections.fetch(COUNT, [school.id]) for _ in range(50)))

        assert [found[0][0] for found in rows] == [1] * 50
        assert sum(connections.usage().values()) <= 2


async def test_reads_go_on_while_a_transaction_is_open(school: School) -> None:
    async with open_connections(school.database.url) as connections:

        async def work(tx: Transaction) -> int:
            await tx.run(
                "insert into course (institution_id, sort_key, search_key, source, as_of)"
                " values ($1, '', '', 'REPORT', '2026-01-01 00:00:00+00:00')",
                school.id,
            )
            async with asyncio.timeout(5):
                found = await connections.fetch(COUNT, [school.id])
            before: int = found[0][0]
            return before

        assert await school.database.transact(work) == 0
        assert (await connections.fetch(COUNT, [school.id]))[0][0] == 1


async def test_cancelled_reads_give_their_connection_back(school: School) -> None:
    async with open_connections(school.database.url, size=1) as connections:
        slow = SLOW[connections.dialect]
        for _ in range(5):
            reading = asyncio.ensure_future(connections.fetch(slow))
            await asyncio.wait({reading}, timeout=0.01)
            reading.cancel()
            await asyncio.wait({reading})

        async with asyncio.timeout(10):
            assert await connections.fetch(COUNT, [school.id])


@pytest.mark.postgres
@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
async def test_a_lost_connection_is_replaced(school: School) -> None:
    async with open_connections(school.database.url, size=1) as connections:
        await _lose(connections, school)

        assert (await connections.fetch(COUNT, [school.id]))[0][0] == 0


async def _lose(connections: Connections, school: School) -> None:
    """As a restarted server does: every idle connection is closed from the other side."""
    ((pid,),) = await connections.fetch("select pg_backend_pid()")

    async def terminate(tx: Transaction) -> None:
        await tx.rows("select pg_terminate_backend($1, 5000)", pid)

    await school.database.transact(terminate)


async def test_memory_has_no_second_connection() -> None:
    with pytest.raises(ConfigurationError, match="name a file"):
        async with open_connections("sqlite://:memory:"):
            pass
