"""What carries jobs out: DBOS, which nothing else imports.

Its four conditions are kept here: it is launched on the thread of the loop that our connections belong to; each process
has a name that is its own; jobs belong to a contract, not to a version of the code; and jobs of dead processes are taken
up by living ones, which it does by itself for one process only.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from dbos import DBOS, SetEnqueueOptions, SetWorkflowID

from gateway.job_definitions import Job, Schedule
from gateway.store import queued_jobs
from gateway.store.queued_jobs import Arguments, QueuedJob
from gateway.uow import Database, Dialect

T = TypeVar("T")
_log = logging.getLogger(__name__)

# Jobs begun by one version of the gateway go on under the next; this changes only if that cannot be.
_CONTRACT = "1"
_QUEUE = "jobs"
_QUEUE_LOOK_SECONDS = 0.5
_AT_ONCE = 4
# No school takes all the places, however much it asks for.
_AT_ONCE_OF_ONE_SCHOOL = 2
_THREADS = 32
_SILENT_FOR = timedelta(seconds=5)
_KEPT_FOR = timedelta(days=30)
_TIDIED_AT_ONCE = 1_000


@asynccontextmanager
async def launched(
    database: Database,
    file: Path,
    jobs: Sequence[Job],
    schedules: Sequence[Schedule],
    runner: str,
    clock: Callable[[], datetime],
) -> AsyncIterator["Engine"]:
    """`file`: where it keeps what it knows, if the database is a file."""
    by_name = {job.name: job for job in jobs}
    wanted = {one.name for one in schedules}
    tasks: set[asyncio.Task[Any]] = set()

    @DBOS.workflow(name="job")
    async def work(name: str, institution_id: int, arguments: Arguments) -> None:
        task = asyncio.current_task()
        if task is not None:
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        try:
            await by_name[name].work(_DurableSteps(), institution_id, arguments)
        except Exception:
            _log.exception("a job failed", extra={"fields": {"job": name}})
            raise

    @DBOS.workflow(name="scheduled")
    async def scheduled(at: datetime, job: tuple[str, str, int, Arguments]) -> None:
        schedule, name, institution_id, arguments = job
        if schedule not in wanted:
            return  # it was made up for before it was deleted
        key = f"{schedule}-{at:%Y%m%dT%H%M%S}"

        async def ask() -> None:
            await database.transact(
                lambda tx: queued_jobs.enqueue(
                    tx, institution_id, name=name, key=key, arguments=arguments, now=clock()
                )
            )

        await _DurableSteps().run("ask", ask)

    DBOS(
        config={
            "name": "roster",
            "application_version": _CONTRACT,
            "executor_id": runner,
            "system_database_url": _system_url(database, file),
            "dbos_system_schema": "roster_jobs",
            "log_level": "ERROR",
            "sys_db_pool_size": 5,
            "max_executor_threads": _THREADS,
            "scheduler_polling_interval_sec": 5.0,
        }
    )
    _listen_to(logging.getLogger("dbos"))
    # On this thread: elsewhere jobs would run on a loop of its own, where our connections do not.
    DBOS.launch()
    try:
        await DBOS.register_queue_async(
            _QUEUE,
            worker_concurrency=_AT_ONCE,
            partition_concurrency=_AT_ONCE_OF_ONE_SCHOOL,
            polling_interval_sec=_QUEUE_LOOK_SECONDS,
            on_conflict="always_update",
        )
        engine = Engine(database, runner, work, scheduled, clock)
        await engine.schedule(schedules)
        yield engine
    finally:
        # What is cut off must stay pending: once the engine has let go, nothing is noted as failed.
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await asyncio.to_thread(DBOS.destroy, destroy_registry=True)
        # It has made its threads the loop's, and ends them.
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor())


def _listen_to(engine: logging.Logger) -> None:
    """Its log goes where ours goes. What a job raised, we say ourselves."""
    engine.handlers.clear()
    engine.propagate = True
    if _heard not in engine.filters:
        engine.addFilter(_heard)


def _heard(record: logging.LogRecord) -> bool:
    return "in asynchronous workflow" not in record.getMessage()


class _DurableSteps:
    """Steps that DBOS keeps the results of."""

    async def run(self, name: str, work: Callable[[], Awaitable[T]]) -> T:
        async def step() -> T:
            return await work()

        return await DBOS.run_step_async({"name": name, "preemptible": True}, step)

    async def sleep(self, seconds: float) -> None:
        await DBOS.sleep_async(seconds)


@dataclass(frozen=True)
class Engine:
    database: Database
    runner: str
    work: Any
    scheduled: Any
    clock: Callable[[], datetime]

    async def schedule(self, schedules: Sequence[Schedule]) -> None:
        """Exactly these, from now on."""
        wanted = {one.name for one in schedules}
        for known in await DBOS.list_schedules_async():
            if known["schedule_name"] not in wanted:
                await DBOS.delete_schedule_async(known["schedule_name"])
        await DBOS.apply_schedules_async(
            [
                {
                    "schedule_name": one.name,
                    "workflow_fn": self.scheduled,
                    "schedule": f"0 {one.cron}",
                    "context": (one.name, one.job, one.institution_id, dict(one.arguments)),
                    "automatic_backfill": True,
                }
                for one in schedules
            ]
        )

    async def hand_over(self) -> None:
        """Whatever was asked for goes to the engine; a crash between the two hands it over once more, to no effect."""
        for job in await queued_jobs.waiting(self.database):
            if job.cancelled:
                await self._cancel(job)
            else:
                await self._enqueue(job)
            await queued_jobs.handed_over(self.database, job)

    async def _enqueue(self, job: QueuedJob) -> None:
        with (
            SetWorkflowID(_id_of(job)),
            SetEnqueueOptions(queue_partition_key=str(job.institution_id)),
        ):
            await DBOS.enqueue_workflow_async(
                _QUEUE, self.work, job.name, job.institution_id, job.arguments
            )

    async def _cancel(self, job: QueuedJob) -> None:
        if await DBOS.get_workflow_status_async(_id_of(job)) is not None:
            await DBOS.cancel_workflow_async(_id_of(job))

    async def look_after(self) -> None:
        """Say that this process lives, and take up what processes have left that do not."""
        await queued_jobs.beat(self.database, self.runner)
        begun = await DBOS.list_workflows_async(
            status="PENDING", load_input=False, load_output=False
        )
        runners = {one.executor_id for one in begun if one.executor_id}
        dead = runners - await queued_jobs.living(self.database, silent_for=_SILENT_FOR)
        if dead - {self.runner}:
            _log.warning("taking up jobs of dead processes", extra={"fields": {"dead": len(dead)}})
            # The engine's own recovery, which does nothing twice however many ask for it: `resume_workflow` may.
            await asyncio.to_thread(
                DBOS._recover_pending_workflows,  # noqa: SLF001  the public way is a paid service
                sorted(dead - {self.runner}),
            )

    async def tidy(self) -> None:
        """Forget what ended long ago, and with it that its keys were used."""
        ended = await DBOS.list_workflows_async(
            completed_before=(self.clock() - _KEPT_FOR).isoformat(),
            limit=_TIDIED_AT_ONCE,
            load_input=False,
            load_output=False,
        )
        await queued_jobs.forget_silent(self.database, silent_for=_KEPT_FOR)
        if ended:
            await DBOS.delete_workflows_async([one.workflow_id for one in ended])


def _id_of(job: QueuedJob) -> str:
    return f"{job.institution_id}:{job.key}"


def _system_url(database: Database, file: Path) -> str:
    if database.dialect is Dialect.SQLITE:
        return f"sqlite:///{file}"
    parts = urlsplit(database.url)
    query = [one for one in parse_qsl(parts.query) if one[0].startswith("ssl")]
    return urlunsplit(parts._replace(scheme="postgresql+psycopg", query=urlencode(query)))
