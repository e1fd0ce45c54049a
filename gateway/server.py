"""Serving: one process or several, each of which ends its streams before it stops."""

import asyncio
import logging
import math
import multiprocessing
import os
import signal
import socket
import tempfile
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import NamedTuple

import uvicorn

from gateway import logs
from gateway.app import MakeGraph, create_app
from gateway.errors import RosterError, UsageError
from gateway.parts import prepare
from gateway.settings import Settings
from gateway.uow import Database
from resolvers.bodies import BODY_LIMIT

_log = logging.getLogger(__name__)
_GRACE_SECONDS = 10  # longer than an operation has to answer once its reads' time is over
_DEATHS_TAKEN = 20  # over a server's life: each is a bug, and so is a server that lives on deaths
_SPAWN = multiprocessing.get_context("spawn")  # a forked event loop does not work


def serve(  # noqa: PLR0913  each has a name, and most a default
    settings: Settings,
    *,
    make_graph: MakeGraph,
    host: str,
    port: int,
    workers: int = 1,
    demo_token: str | None = None,
    log_level: int = logging.INFO,
    ready: Callable[[int], None] | None = None,
    jobs: bool = False,
) -> None:
    """Serve until SIGTERM or SIGINT. `ready` is called once with the port; `port` 0 takes a free one.

    `jobs`: whether background work is done too, by one of the processes.
    """
    if workers > 1 and settings.server.is_sqlite:
        raise UsageError(
            "SQLite takes one server process: leave --workers out, or use a postgres:// database_url"
        )
    asyncio.run(_prepare(settings))
    one = Process(settings, make_graph, _listen(host, port), demo_token, log_level, jobs)
    with one.listener:
        if workers == 1:
            one.run(ready)
        else:
            if ready:
                ready(one.listener.getsockname()[1])
            _Workers(one, workers).run()


def work(settings: Settings, *, make_graph: MakeGraph, log_level: int = logging.INFO) -> None:
    """Do background work alone, until SIGTERM or SIGINT."""
    if settings.server.is_sqlite:
        raise UsageError(
            "with SQLite there is one server process, and `roster serve` does its background work; a worker beside it needs"
            " a postgres:// database_url"
        )
    logs.configure(log_level)
    asyncio.run(_work(settings, make_graph))


async def _work(settings: Settings, make_graph: MakeGraph) -> None:
    stop = asyncio.Event()
    for sig in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sig, stop.set)
    app = create_app(settings, make_graph=make_graph, stop=stop, jobs=True)
    async with app.router.lifespan_context(app):
        _log.info("working")
        await stop.wait()


async def _prepare(settings: Settings) -> None:
    async with Database.open(settings.server.database_url) as database:
        await prepare(settings, database)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise RosterError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error


class Server(uvicorn.Server):
    """uvicorn's, which sets `stop` at the first signal: it would wait for ever for a stream that nobody ends."""

    def __init__(
        self, config: uvicorn.Config, stop: asyncio.Event, ready: Callable[[int], None] | None
    ) -> None:
        super().__init__(config)
        self._stop = stop
        self._ready = ready
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        if sockets and self.started:
            host, port = sockets[0].getsockname()[:2]
            _log.info("serving", extra={"fields": {"host": host, "port": port}})
            if self._ready:
                self._ready(port)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        _log.info("stopping")
        await super().shutdown(sockets)
        _log.info("stopped")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002  uvicorn's signature
        """Uvicorn would raise the signal again after a clean stop; we end with status 0."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)


class Process(NamedTuple):
    """What one process serves; a spawned one is sent all of it."""

    settings: Settings
    make_graph: MakeGraph
    listener: socket.socket
    demo_token: str | None
    log_level: int
    jobs: bool = False

    def run(self, ready: Callable[[int], None] | None = None) -> None:
        logs.configure(self.log_level)
        stop = asyncio.Event()
        longest = math.ceil(self.settings.server.query_timeout.total_seconds())
        config = uvicorn.Config(
            create_app(
                self.settings,
                make_graph=self.make_graph,
                stop=stop,
                demo_token=self.demo_token,
                jobs=self.jobs,
            ),
            log_config=None,
            access_log=False,  # RequestRecord writes a better line
            server_header=False,
            ws_max_size=BODY_LIMIT,
            timeout_keep_alive=65,  # longer than a proxy's 60, which would else meet closed connections
            timeout_graceful_shutdown=longest + _GRACE_SECONDS,
        )
        Server(config, stop, ready).run(sockets=[self.listener])


class _Workers:
    """Several processes that accept from one socket; one that dies is replaced, and a signal ends them all."""

    def __init__(self, process: Process, count: int) -> None:
        self._process = process
        self._count = count
        self._running: list[BaseProcess] = []
        self._worker_with_jobs: BaseProcess | None = None
        self._stopping = False
        self._deaths = 0

    def run(self) -> None:
        with tempfile.TemporaryDirectory(prefix="roster-metrics-") as shared:
            # how the Prometheus library adds up the workers' counts, whichever of them is asked
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = shared  # noqa: TID251  its only switch
            for sig in (signal.SIGTERM, signal.SIGINT):
                signal.signal(sig, self._stop)
            self._start_missing()
            while self._running:
                wait([one.sentinel for one in self._running])
                self._look_after()

    def _start_missing(self) -> None:
        """One of them does the background work."""
        while len(self._running) < self._count:
            jobs = self._process.jobs and self._worker_with_jobs not in self._running
            worker = _SPAWN.Process(target=self._process._replace(jobs=jobs).run)
            worker.start()
            self._running.append(worker)
            if jobs:
                self._worker_with_jobs = worker

    def _look_after(self) -> None:
        # asked once: one may die meanwhile
        alive = [one for one in self._running if one.is_alive()]
        died = [one for one in self._running if one not in alive]
        self._running = alive
        if self._stopping:
            self._end()
            return
        for one in died:
            _log.error("a worker died", extra={"fields": {"status": one.exitcode}})
            self._deaths += 1
        if self._deaths > _DEATHS_TAKEN:
            self._end()
            raise RosterError(f"{self._deaths} workers died; the log says why")
        self._start_missing()

    def _stop(self, _sig: int, _frame: FrameType | None) -> None:
        self._stopping = True
        self._end()

    def _end(self) -> None:
        for worker in self._running:
            worker.terminate()
