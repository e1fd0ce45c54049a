"""kill -9 in the middle of an import, at every transaction: the next import ends where an uninterrupted one does."""

import asyncio
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench.generate_report import School as Generated
from bench.generate_report import write_zip
from gateway.store import schema
from gateway.uow import Database
from tests.gateway.sync import crash
from tests.gateway.sync.copies import LOADS, state_of
from tests.gateway.sync.servers import Copy

FIRST, SECOND = datetime(2026, 9, 1, 1, tzinfo=UTC), datetime(2026, 9, 1, 2, tzinfo=UTC)


async def _killed(url: str, path: Path, as_of: datetime, last: int, when: str) -> int:
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "tests.gateway.sync.crash",
            url,
            str(path),
            as_of.isoformat(),
            str(last),
            when,
        )
    )
    return await process.wait()


@pytest.mark.parametrize(("engine", "load"), LOADS, indirect=["engine"])
async def test_a_killed_import_is_taken_up_where_it_stopped(
    database_url: str, copies: Copy, tmp_path: Path, load: str, request: pytest.FixtureRequest
) -> None:
    old, new = tmp_path / "old.zip", tmp_path / "new.zip"
    small = {"courses": 4, "users": 60, "enrollments": 200}
    write_zip(old, Generated(**small))
    write_zip(new, Generated(**small, change=0.5))
    async with Database.open(database_url) as database:
        await schema.migrate(database)
    if load == "second":
        await crash.load(database_url, old, FIRST)
    path, as_of = (old, FIRST) if load == "first" else (new, SECOND)
    undisturbed = await copies("undisturbed")
    transactions = await crash.load(undisturbed, path, as_of)
    expected = await state_of(undisturbed)
    every = request.config.getoption("--prove")
    points = range(1, transactions + 1) if every else sorted({2, transactions // 2, transactions})
    assert transactions > 6

    for point in points:
        # after the closing marker is committed there is nothing left to take up
        when = "committed" if point % 2 and point < transactions else "uncommitted"
        url = await copies(f"{load}_{point}")

        assert -signal.SIGKILL == await _killed(url, path, as_of, point, when)
        await crash.load(url, path, as_of)

        assert expected == await state_of(url), f"killed in transaction {point}, {when}"
