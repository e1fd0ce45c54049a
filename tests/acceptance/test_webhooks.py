"""A server that sends webhooks is killed again and again; its receiver has every change all the same."""

import asyncio
import signal
from pathlib import Path

import pytest

from gateway.feed import ChangeFilter
from gateway.seal import Seal
from gateway.store import tokens
from gateway.uow import Database, Transaction
from gateway.webhooks.registering import Caller, Webhooks
from tests.acceptance.conftest import NOON
from tests.acceptance.server_process import serving
from tests.factories import School
from tests.gateway.webhooks.receiving import Receiver
from tests.served import served

KILLS, CHANGES = 2, 120


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_kill_9_loses_no_change(database: Database, tmp_path: Path) -> None:
    school, receiver = await School.open(database), Receiver()
    await tokens.create(
        database, institution_id=school.id, name="gradebook", scopes=("changes:read",), now=NOON
    )
    registered = Webhooks(database, Seal(["not so secret"]), lambda: NOON, plain=True)

    async def a_minute_passes(tx: Transaction) -> None:
        """The claim of a process that died lapses."""
        await tx.run("update webhook set claimed_until = null where institution_id = $1", school.id)

    async def until_there_are(count: int) -> None:
        async with asyncio.timeout(60):
            while len(receiver.changes) < count:
                await asyncio.to_thread(receiver.arrived.wait, 10)
                receiver.arrived.clear()

    with served(receiver.app) as url:
        made = await registered.create(
            Caller(institution_id=school.id),
            client="gradebook",
            url=f"{url}/hook",
            which=ChangeFilter(),
            position=None,
        )
        receiver.secret = made.secret or ""
        for round_ in range(KILLS + 1):
            with serving(
                database.url, tmp_path / f"{round_}.log", graph="roster", jobs=True
            ) as server:
                for row in range(CHANGES):
                    await school.change("Course", round_ * CHANGES + row)
                await until_there_are(round_ * CHANGES + 1)
                if round_ == KILLS:
                    await until_there_are((KILLS + 1) * CHANGES)
                server.process.send_signal(signal.SIGKILL)
                server.process.wait()
            await database.transact(a_minute_passes)

    decode = school.reader().decode
    told = [decode(change["subjectId"])[1] for change in receiver.changes]
    assert list(range((KILLS + 1) * CHANGES)) == told
    assert 0 == receiver.refused
