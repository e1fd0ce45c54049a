"""Durable jobs: work in named steps, which survives kill -9 and goes on at the step where it was.

A job is a name and a function. What is not in a step is done again after a crash, so it decides by what steps
returned, and by nothing else:

    async def copy(steps: Steps, institution_id: int, arguments: Arguments) -> None:
        report = await steps.run("start", lambda: start(institution_id))
        await steps.run("load", lambda: load(report))

    COPY = Job(name="copy", work=copy)

The app hands all jobs to `running_jobs`, in a server or in `roster worker`. Whoever needs one asks for it in their own
transaction, in any process: `enqueue(tx, institution_id, name="copy", key="copy-17", arguments={...}, now=now)`.
The same key never runs twice. A step may begin twice, when a crash interrupted it: its effect must be idempotent. What it
returns is kept as long as the job, so let it be small, of what JSON can say. How a job is doing, its own rows tell.

What carries them out is in `gateway/job_engine.py`, which is loaded only where jobs run. On SQLite it keeps a file of its own beside
the database; on PostgreSQL a schema of its own, in which several processes share the work.
"""

import asyncio
import fcntl
import logging
import os
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

from gateway.errors import RosterError
from gateway.job_definitions import Job, Schedule, Steps
from gateway.store import queued_jobs
from gateway.store.queued_jobs import Arguments, cancel, enqueue
from gateway.uow import Database, Dialect

__all__ = [
    "Arguments",
    "Job",
    "JobsRunElsewhere",
    "Schedule",
    "Steps",
    "cancel",
    "enqueue",
    "running_jobs",
    "somebody_runs_them",
]

_log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.5
_BEAT_SECONDS = 1.0
_TIDY_SECONDS = 600.0


class JobsRunElsewhere(RosterError):
    """With SQLite, jobs run in one process."""


@asynccontextmanager
async def running_jobs(
    database: Database,
    jobs: Sequence[Job],
    schedules: Sequence[Schedule] = (),
    *,
    clock: Callable[[], datetime],
) -> AsyncIterator[None]:
    """Run jobs in this process until the block ends. JobsRunElsewhere where another process holds them all already.

    Jobs that are cut off at the end go on at the next start, or in another process at once.
    """
    from gateway import job_engine  # noqa: PLC0415  its import takes half a second, and 50 MB

    async with AsyncExitStack() as stack:
        runner = _runner(database)
        if database.dialect is Dialect.SQLITE:
            stack.enter_context(_only_one(_beside(database, "jobs.lock")))
        else:
            await queued_jobs.beat(database, runner)
            stack.push_async_callback(queued_jobs.gone, database, runner)
        engine = await stack.enter_async_context(
            job_engine.launched(database, _beside(database, "jobs"), jobs, schedules, runner, clock)
        )
        chores = [(engine.hand_over, _LOOK_SECONDS), (engine.tidy, _TIDY_SECONDS)]
        if database.dialect is Dialect.POSTGRES:
            chores.append((engine.look_after, _BEAT_SECONDS))
        for work, seconds in chores:
            stack.push_async_callback(_ended, asyncio.create_task(_again(work, seconds)))
        yield


async def somebody_runs_them(database: Database) -> bool:
    """Whether a process runs the jobs of this database now."""
    if database.dialect is Dialect.POSTGRES:
        return bool(await queued_jobs.living(database, silent_for=timedelta(seconds=5)))
    try:
        with _only_one(_beside(database, "jobs.lock")):
            return False
    except JobsRunElsewhere:
        return True


def _runner(database: Database) -> str:
    """The name of this process. The only one of a SQLite file is always the same, and takes up at once what it left."""
    if database.dialect is Dialect.SQLITE:
        return "sqlite"
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


def _beside(database: Database, suffix: str) -> Path:
    path = Path(database.url.removeprefix("sqlite://").partition("?")[0])
    return path.with_name(f"{path.name}.{suffix}").absolute()


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JobsRunElsewhere(
                "Another process runs the jobs of this database: with SQLite there is one; `roster serve --no-jobs` leaves"
                " them to it"
            ) from None
        yield


async def _again(work: Callable[[], Awaitable[None]], seconds: float) -> None:
    while True:
        try:
            await work()
        except Exception:  # noqa: BLE001  whatever it was: it is tried again
            _log.exception("the jobs could not be looked after")
        await asyncio.sleep(seconds)


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
