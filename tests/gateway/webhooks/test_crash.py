"""kill -9 at every transaction of a delivery: whoever follows sends the rest, in order, and nothing under two names."""

import asyncio
import signal
import sys

from gateway.uow import Transaction
from tests.gateway.webhooks.conftest import Sending
from tests.gateway.webhooks.doomed_sender import send

# 3: sent, and not noted yet
_SOME = ((2, "committed"), (3, "uncommitted"))


async def _killed(url: str, last: int, when: str) -> int:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.gateway.webhooks.doomed_sender", url, str(last), when)
    )
    return await process.wait()


async def test_a_killed_sender_is_followed_by_another(sending: Sending, proving: bool) -> None:
    hook, told = await sending.hook(), 0
    database = sending.school.database

    async def happen() -> None:
        nonlocal told
        for _ in range(3):
            await sending.school.change("Course", told)
            told += 1

    async def a_minute_passes(tx: Transaction) -> None:
        await tx.run(
            "update webhook set claimed_until = null where institution_id = $1", sending.school.id
        )

    await happen()
    transactions = await send(database.url, 0, committed=False)
    points = [
        (point, when)
        for point in range(1, transactions + 1)
        for when in ("uncommitted", "committed")
    ]
    assert transactions > 3

    for point, when in points if proving else _SOME:
        await happen()

        assert -signal.SIGKILL == await _killed(database.url, point, when)
        await database.transact(a_minute_passes)
        await sending.deliver()

        decode = sending.school.reader().decode
        came = [decode(change["subjectId"])[1] for change in sending.receiver.changes]
        assert list(range(told)) == came, f"killed in transaction {point}, {when}"
    names = {message.name for message in await sending.sent(hook)}
    assert names == set(sending.receiver.messages)
    assert 0 == sending.receiver.refused
