"""kill -9 at every transaction of a report sync: the job goes on by itself, and ends as an undisturbed one does."""

import asyncio
import signal
import sys
from pathlib import Path

import pytest

from bench.generate_report import School as Generated
from bench.generate_report import write_zip
from gateway.store import schema
from gateway.uow import Database
from models.roster import SyncRunState
from tests.gateway.sync import crash, sync_crash
from tests.gateway.sync.copies import LOADS, state_of
from tests.gateway.sync.servers import Copy
from tests.gateway.sync.sync_crash import BEGAN

_BEFORE = BEGAN.replace(day=1)


async def _killed(url: str, path: Path, run_id: int, last: int, when: str) -> int:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.gateway.sync.sync_crash"),
        *(url, str(path), str(run_id), str(last), when),
    )
    return await process.wait()


@pytest.mark.parametrize(("engine", "load"), LOADS, indirect=["engine"])
async def test_a_killed_sync_ends_as_an_undisturbed_one(
    database_url: str, copies: Copy, tmp_path: Path, load: str, proving: bool
) -> None:
    """`first`: into an empty store, chunk by chunk without indexes; `second`: half of what is there changes."""
    old, new = tmp_path / "old.zip", tmp_path / "new.zip"
    small = {"courses": 4, "users": 60, "enrollments": 200}
    if load == "first":
        small = {"courses": 2, "users": 8, "enrollments": 45}
    write_zip(old, Generated(**small))
    write_zip(new, Generated(**small, change=0.5))
    async with Database.open(database_url) as database:
        await schema.migrate(database)
    if load == "second":
        await crash.load(database_url, old, _BEFORE)
    run_id = await sync_crash.ask(database_url)
    undisturbed = await copies("undisturbed")
    whole, transactions = await sync_crash.carried(undisturbed, new, run_id)
    held = SyncRunState.HELD if load == "second" else SyncRunState.SUCCEEDED
    assert whole.state is held
    expected = await state_of(undisturbed)
    # the last but one is the run's closing marker, the last a look whether there is something to close
    some = (transactions // 2,)
    points = range(1, transactions + 1) if proving else some
    assert transactions > 6
    kills = 0

    for point in points:
        for when in ("uncommitted", "committed") if proving else ("committed",):
            file = tmp_path / f"{point}-{when}" / "new.zip"
            file.parent.mkdir()
            file.write_bytes(new.read_bytes())
            url = await copies(f"{load}_{point}_{when[:2]}")

            assert -signal.SIGKILL == await _killed(url, file, run_id, point, when)
            kills += 1
            run, _ = await sync_crash.carried(url, file, run_id)

            assert (whole.state, whole.message) == (run.state, run.message)
            assert expected == await state_of(url), f"killed in transaction {point}, {when}"
            assert ["started"] == file.with_suffix(".starts").read_text().splitlines()
    engine = database_url.partition(":")[0]
    print(
        f"\n{engine}, {load} sync: {transactions} transactions, {kills} kills, each ended as undisturbed"
    )  # the count is the proof
