"""The unit of work beside other processes, and what it says about databases that cannot be opened."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.uow import Database, Dialect, Transaction, orm_config

# Once told to: reads a number and writes the next one, a hundred times; prints how many of them failed.
COUNTER = """
import asyncio, sys
from tortoise.exceptions import OperationalError
from tortoise.transactions import in_transaction
from gateway.uow import Database, Transaction

async def count(tx):
    number = (await tx.rows("select n from counter"))[0]["n"]
    await asyncio.sleep(0.001)
    await tx.run("update counter set n = $1", number + 1)

async def bare(database):
    with database.active():
        async with in_transaction("default") as client:
            await count(Transaction(client, database.dialect))

async def main(url, form):
    failed = 0
    async with Database.open(url) as database:
        await database.reach()
        print("ready", flush=True)
        input()
        for _ in range(100):
            try:
                await (database.transact(count) if form == "ours" else bare(database))
            except OperationalError:
                failed += 1
    print(failed)

asyncio.run(main(*sys.argv[1:]))
"""


async def counted_by_two_processes(folder: Path, form: str) -> tuple[int, int]:
    """The number at the end, and how many transactions failed."""
    url = f"sqlite://{folder / 'counter.db'}"
    async with Database.open(url) as database:

        async def make(tx: Transaction) -> None:
            await tx.run("create table counter (n integer)")
            await tx.run("insert into counter values (0)")

        await database.transact(make)
        command = [sys.executable, "-c", COUNTER, url, form]
        running = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220  nothing else waits here
            for _ in range(2)
        ]
        assert ["ready\n"] * 2 == [
            process.stdout.readline() for process in running if process.stdout
        ]
        for process in running:
            assert process.stdin is not None
            process.stdin.write("\n")
            process.stdin.flush()
        failed = [int(process.communicate()[0]) for process in running]
        return (await database.rows("select n from counter"))[0]["n"], sum(failed)


async def test_two_processes_that_read_and_then_write_sqlite_never_fail(tmp_path: Path) -> None:
    assert (200, 0) == await counted_by_two_processes(tmp_path, "ours")


async def test_with_deferred_transactions_they_do(tmp_path: Path) -> None:
    """Why a transaction begins IMMEDIATE: a busy time-out does not help one that read before it writes."""
    number, failed = await counted_by_two_processes(tmp_path, "bare")

    assert 0 < failed
    assert 200 == number + failed


async def test_a_transaction_gives_its_result_and_its_error(database: Database) -> None:
    async def answer(tx: Transaction) -> int:
        return int((await tx.rows("select 42 as n"))[0]["n"])

    async def fail(tx: Transaction) -> None:
        await tx.run(
            "insert into institution (slug, shard, feed_position) values ($1, $2, $3)", "a", 1, 0
        )
        raise ValueError

    assert 42 == await database.transact(answer)
    with pytest.raises(ValueError, match=r"^$"):
        await database.transact(fail)
    assert [] == await database.rows("select slug from institution where slug = $1", "a")


async def test_placeholders_are_bound_by_their_number_on_both_databases(database: Database) -> None:
    rows = await database.rows(
        "select cast($2 as varchar(9)) as a, cast($1 as varchar(9)) as b, cast($2 as varchar(9)) as c",
        "1",
        "2",
    )

    assert [{"a": "2", "b": "1", "c": "2"}] == rows


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (
            "sqlite:///no/such/folder/roster.db",
            "/no/such/folder/roster.db cannot be opened: unable to open",
        ),
        (f"sqlite://{__file__}", "cannot be opened: file is not a database"),
        (
            "postgres://me:hush@127.0.0.1:1/roster",
            r"database postgres://127\.0\.0\.1:1/roster cannot be opened",
        ),
        ("postgres://no-such-host.invalid/roster", "cannot be opened"),
    ],
)
async def test_a_database_that_cannot_be_opened_is_refused_in_words(url: str, said: str) -> None:
    async with Database.open(url) as database:
        with pytest.raises(ConfigurationError, match=said) as caught:
            await database.reach()

    assert "hush" not in str(caught.value)


def test_parameters_of_the_url_win_over_ours() -> None:
    assert (
        "sqlite://roster.db?busy_timeout=1&synchronous=NORMAL"
        == orm_config("sqlite://roster.db?busy_timeout=1")["connections"]["default"]
    )
    assert (
        "asyncpg://h/roster?minsize=1&maxsize=3"
        == orm_config("postgres://h/roster?maxsize=3")["connections"]["default"]
    )
    assert "select ?1, ?12" == Dialect.SQLITE.sql("select $1, $12")
    with pytest.raises(ConfigurationError, match="begins with 'mysql'"):
        orm_config("mysql://h/roster")
