"""Durable jobs in real processes, which are killed."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway import jobs
from gateway.jobs import Arguments, Job, JobsRunElsewhere, Schedule, Steps
from gateway.uow import Database, Dialect
from tests.gateway.job_process import STEPS, WAITS_IN

ROOT = Path(__file__).parents[2]
NOW = datetime(2030, 1, 1, tzinfo=UTC)
RESUMED_WITHIN = 10.0
PATIENCE = 30.0


class Processes:
    """Processes that run jobs on one database, and the log of what they did."""

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self.log = folder / "log"
        self.log.touch()
        self.running: list[subprocess.Popen[bytes]] = []

    async def start(self) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(  # noqa: ASYNC220  it is not waited for
            [sys.executable, "-m", "tests.gateway.job_process", self._url, str(self.log)], cwd=ROOT
        )
        self.running.append(process)
        await until(self.log.with_name(f"ready-{process.pid}").exists)
        return process

    def let_go(self, key: str) -> None:
        self.log.with_name(f"go-{key}").touch()

    def lines(self, *words: object) -> list[list[str]]:
        """Lines that begin with these words."""
        wanted = [str(word) for word in words]
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return [line for line in lines if line[: len(wanted)] == wanted]

    async def said(self, *words: object, within: float = PATIENCE) -> list[str]:
        await until(lambda: bool(self.lines(*words)), within)
        return self.lines(*words)[-1]


@pytest.fixture
def processes(database_url: str, tmp_path: Path) -> Iterator[Processes]:
    running = Processes(database_url, tmp_path)
    yield running
    for process in running.running:
        process.kill()
        process.wait()


async def until(condition: Callable[[], bool], within: float = PATIENCE) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


async def ask(
    database: Database, key: str, *, institution_id: int = 1, name: str = "counted"
) -> None:
    await database.transact(
        lambda tx: jobs.enqueue(
            tx, institution_id, name=name, key=key, arguments={"key": key}, now=NOW
        )
    )


async def test_a_killed_process_goes_on_at_the_step_where_it_was(
    database: Database, processes: Processes
) -> None:
    first = await processes.start()
    await ask(database, "a")
    await processes.said("begin", "a", WAITS_IN)

    first.kill()
    first.wait()
    processes.let_go("a")
    began = time.monotonic()
    second = await processes.start()
    done = await processes.said("done", "a")

    assert time.monotonic() - began < RESUMED_WITHIN
    assert ["done", "a", str(sum(range(STEPS))), str(second.pid)] == done
    for number in range(STEPS):
        assert len(processes.lines("begin", "a", number)) == (2 if number == WAITS_IN else 1)
        assert len(processes.lines("end", "a", number)) == 1


async def test_a_process_that_is_stopped_leaves_its_jobs_to_the_next(
    database: Database, processes: Processes
) -> None:
    first = await processes.start()
    await ask(database, "a")
    await processes.said("begin", "a", WAITS_IN)

    first.send_signal(signal.SIGTERM)
    assert first.wait(PATIENCE) == 0
    processes.let_go("a")
    await processes.start()
    await processes.said("done", "a")

    assert len(processes.lines("end", "a", 0)) == 1


@pytest.mark.postgres
@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
async def test_another_process_takes_up_what_a_killed_one_left(
    database: Database, processes: Processes
) -> None:
    running = {str(one.pid): one for one in (await processes.start(), await processes.start())}
    await ask(database, "a")
    killed = running.pop((await processes.said("begin", "a", WAITS_IN))[-1])

    killed.kill()
    processes.let_go("a")
    done = await processes.said("done", "a", within=RESUMED_WITHIN)

    assert [done[-1]] == list(running)
    assert len(processes.lines("end", "a", 0)) == 1


async def test_a_key_runs_once(database: Database, processes: Processes) -> None:
    processes.let_go("a")
    processes.let_go("b")
    await processes.start()
    for key in ("a", "a"):
        await ask(database, key)
    await processes.said("done", "a")

    await ask(database, "a")
    await ask(database, "b")
    await processes.said("done", "b")

    assert len(processes.lines("done", "a")) == 1


async def test_a_job_is_cancelled_in_the_middle_of_a_step(
    database: Database, processes: Processes
) -> None:
    await processes.start()
    await ask(database, "a")
    await processes.said("begin", "a", WAITS_IN)

    await database.transact(lambda tx: jobs.cancel(tx, 1, "a", now=NOW))
    await processes.said("cut", "a", WAITS_IN)
    processes.let_go("a")
    processes.let_go("b")
    await ask(database, "b")
    await processes.said("done", "b")

    assert not processes.lines("end", "a", WAITS_IN)


async def test_a_job_is_cancelled_before_it_begins(
    database: Database, processes: Processes
) -> None:
    await ask(database, "a")
    await ask(database, "b")
    processes.let_go("b")

    await database.transact(lambda tx: jobs.cancel(tx, 1, "a", now=NOW))
    await processes.start()
    await processes.said("done", "b")

    assert not processes.lines("begin", "a")


async def test_no_school_takes_all_places(database: Database, processes: Processes) -> None:
    for number in range(10):
        await ask(database, f"greedy{number}")
    await processes.start()
    await until(lambda: len(processes.lines("begin")) > WAITS_IN)

    await ask(database, "modest", institution_id=2)
    processes.let_go("modest")

    await processes.said("done", "modest")
    assert not processes.lines("done", "greedy0")


async def test_a_job_that_fails_ends_and_others_go_on(
    database: Database, processes: Processes
) -> None:
    processes.let_go("b")
    await ask(database, "a", name="failing")
    await ask(database, "b")
    await processes.start()
    await processes.said("done", "b")

    processes.running[0].kill()
    processes.running[0].wait()
    await ask(database, "c")
    processes.let_go("c")
    await processes.start()
    await processes.said("done", "c")

    assert len(processes.lines("failing", "a")) == 1


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_with_sqlite_one_process_runs_jobs(database: Database, processes: Processes) -> None:
    await processes.start()

    with pytest.raises(JobsRunElsewhere, match="--no-jobs"):
        async with jobs.running_jobs(database, [], clock=lambda: NOW):
            pass


async def test_what_a_schedule_missed_is_made_up_for(database: Database, tmp_path: Path) -> None:
    asked: list[str] = []
    came = asyncio.Event()

    async def work(_steps: Steps, _institution_id: int, arguments: Arguments) -> None:
        asked.append(arguments["of"])
        came.set()

    nightly = Schedule(
        name="nightly", cron="0 3 * * *", institution_id=1, job="report", arguments={"of": "all"}
    )
    forgotten = Schedule(
        name="old", cron="0 3 * * *", institution_id=1, job="report", arguments={"of": "old"}
    )
    definitions = [Job(name="report", work=work)]
    async with jobs.running_jobs(database, definitions, [nightly, forgotten], clock=lambda: NOW):
        pass
    await _last_fired(database, datetime.now(UTC) - timedelta(days=1))  # noqa: TID251  the engine's own clock

    async with jobs.running_jobs(database, definitions, [nightly], clock=lambda: NOW):
        await asyncio.wait_for(came.wait(), PATIENCE)

    assert set(asked) == {"all"}


async def _last_fired(database: Database, at: datetime) -> None:
    """As if the engine had been down since."""
    if database.dialect is Dialect.POSTGRES:
        await database.transact(
            lambda tx: tx.run(
                "update roster_jobs.workflow_schedules set last_fired_at = $1", at.isoformat()
            )
        )
        return
    path = database.url.removeprefix("sqlite://") + ".jobs"
    with closing(sqlite3.connect(path)) as engine:
        engine.execute("update workflow_schedules set last_fired_at = ?", (at.isoformat(),))
        engine.commit()


def test_the_engine_is_loaded_only_where_jobs_run() -> None:
    program = "import sys, gateway.app, gateway.jobs; print('dbos' in sys.modules)"

    said = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert said.stdout.strip() == "False"
