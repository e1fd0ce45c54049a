"""Jobs on their way, and the processes that run them."""

from datetime import UTC, datetime, timedelta

from gateway.store import queued_jobs
from gateway.uow import Database, Transaction

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SOON, NEVER = timedelta(seconds=60), timedelta(seconds=-1)


async def test_a_job_waits_until_it_is_handed_over(database: Database) -> None:
    async def ask(tx: Transaction) -> None:
        for key in ("a", "b", "a"):
            await queued_jobs.enqueue(tx, 1, name="copy", key=key, arguments={"n": 1}, now=NOW)

    await database.transact(ask)
    first, second = await queued_jobs.waiting(database)
    assert ("copy", "a", {"n": 1}, False) == (
        first.name,
        first.key,
        first.arguments,
        first.cancelled,
    )

    await queued_jobs.handed_over(database, first)

    assert [second] == await queued_jobs.waiting(database)


async def test_one_that_is_cancelled_while_it_is_handed_over_waits_again(
    database: Database,
) -> None:
    await database.transact(
        lambda tx: queued_jobs.enqueue(tx, 1, name="copy", key="a", arguments={}, now=NOW)
    )
    (seen,) = await queued_jobs.waiting(database)

    await database.transact(lambda tx: queued_jobs.cancel(tx, 1, "a", now=NOW))
    await queued_jobs.handed_over(database, seen)

    (left,) = await queued_jobs.waiting(database)
    assert left.cancelled


async def test_processes_live_as_long_as_they_say_so(database: Database) -> None:
    for name in ("a", "b", "a"):
        await queued_jobs.beat(database, name)

    assert {"a", "b"} == await queued_jobs.living(database, silent_for=SOON)
    assert set() == await queued_jobs.living(database, silent_for=NEVER)

    await queued_jobs.gone(database, "a")
    await queued_jobs.forget_silent(database, silent_for=SOON)
    assert {"b"} == await queued_jobs.living(database, silent_for=SOON)

    await queued_jobs.forget_silent(database, silent_for=NEVER)
    assert set() == await queued_jobs.living(database, silent_for=SOON)
