"""`roster sync`: one sync now, followed to its end at the terminal.

Where no process does background work, this one does until the sync is over; else they do it, and it is only looked at.
"""

import asyncio
import logging
import signal
import sys
from argparse import Namespace
from contextlib import AsyncExitStack, suppress
from datetime import datetime
from typing import TextIO

from gateway import app, jobs, settings, syncs
from gateway.errors import RosterError, SourceRefused
from gateway.needs import Scope, ScopeKind
from gateway.parts import prepare
from gateway.settings import Settings
from gateway.store import institutions, queued_runs, scopes
from gateway.store.institutions import Institution
from gateway.store.queued_runs import Run
from gateway.syncs import Order
from gateway.uow import Database, Transaction
from models.canvas_ids import to_global
from models.roster import Source, SyncRunState

_LOOK_SECONDS = 0.5
_BAR = 30
_OPEN = (SyncRunState.QUEUED, SyncRunState.RUNNING)


def run(configured: Settings, chosen: settings.Institution, options: Namespace) -> None:
    if chosen.canvas_url is None:
        raise RosterError(f"{chosen.slug} has no canvas_url in the configuration to read from")
    if chosen.admin_token is None and options.source != Source.NRPS:
        raise RosterError(f"{chosen.slug} has no admin_token in the configuration to read with")
    logging.getLogger("stamina").setLevel(logging.ERROR)  # each retry; how it ended is told below
    asyncio.run(_run(configured, chosen.slug, options))


async def _run(configured: Settings, slug: str, options: Namespace) -> None:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(Database.open(configured.server.database_url))
        await prepare(configured, database)
        institution = await institutions.by_slug(database, slug)
        if institution is None:
            raise RosterError(f"there is no institution {slug} in the database")
        order = await _order(database, institution, options)
        if not await jobs.somebody_runs_them(database):
            worker = app.create_app(configured, make_graph=app.roster_graph, jobs=True)
            await stack.enter_async_context(worker.router.lifespan_context(worker))
        now = app.now()
        run_id = await database.transact(
            lambda tx: syncs.ask(tx, institution.id, order, anyhow=order.source is None, now=now)
        )
        ended = await _followed(database, institution.id, run_id)
        await _say(database, ended)


async def _order(database: Database, institution: Institution, options: Namespace) -> Order:
    source = None if options.source is None else Source(options.source)
    for kind, table, name in (
        (ScopeKind.COURSE, "course", options.course),
        (ScopeKind.ACCOUNT, "account", options.account),
    ):
        if name is None:
            continue
        try:
            canvas_id = to_global(name, institution.shard)
        except ValueError as error:
            raise RosterError(f"{name!r} is no id of Canvas") from error
        row = await scopes.row_of(database, institution.id, table, canvas_id)
        if row is None:
            raise RosterError(
                f"{table} {name} is not known here yet: sync everything first, or ask the graph for it once"
            )
        if kind is ScopeKind.ACCOUNT:
            return await _of_account(database, institution, name, row, source)
        return Order(scope=Scope(kind=kind, id=row), source=source)
    return Order(scope=Scope(kind=ScopeKind.INSTITUTION, id=0), source=source)


async def _of_account(
    database: Database, institution: Institution, name: str, row: int, source: Source | None
) -> Order:
    try:
        account = await institutions.reported_account(database, institution, name)
    except SourceRefused:
        account = row
    kind = ScopeKind.INSTITUTION if account is None else ScopeKind.ACCOUNT
    return Order(scope=Scope(kind=kind, id=account or 0), source=source)


async def _followed(database: Database, institution_id: int, run_id: int) -> Run:
    """The run when it is over; Ctrl-C calls it off."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop.set)
    bar = Bar(sys.stderr)
    try:
        while True:
            run = await queued_runs.by_id(database, institution_id, run_id)
            if run is None:
                raise RosterError("the sync run is not in the database any more")
            if run.state not in _OPEN:
                return run
            bar.show(run, app.now())
            if stop.is_set():
                await _call_off(database, run)
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), _LOOK_SECONDS)
    finally:
        bar.end()


async def _call_off(database: Database, run: Run) -> None:
    now = app.now()

    async def work(tx: Transaction) -> None:
        if await queued_runs.call_off(tx, run.institution_id, run.id, now):
            await jobs.cancel(tx, run.institution_id, run.key, now=now)

    await database.transact(work)


async def _say(database: Database, run: Run) -> None:
    counts = await queued_runs.counts(database, run.institution_id, run.id)
    told = ", ".join(f"{number:,} {word}" for word, number in counts.items())
    print(f"{run.label}: {run.state.lower()}, sync run {run.id}: {told}")
    if run.message:
        print(run.message)
    if run.state is SyncRunState.FAILED:
        raise RosterError(f"sync run {run.id} failed: {run.message or 'the log says why'}")
    if run.state is SyncRunState.CANCELLED:
        raise RosterError(f"sync run {run.id} was called off; what it had written stays")
    if run.state is SyncRunState.HELD:
        print("What it holds waits for confirmHeld.")


class Bar:
    """How far a run is, and how long it will take at that pace; in a log, each state once."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._shown = ""

    def show(self, run: Run, now: datetime) -> None:
        words = f"{run.label}: {run.state.lower()}"
        if self._terminal:
            filled = "#" * round(_BAR * run.progress)
            line = f"[{filled:.<{_BAR}}] {words} {run.progress:.0%}{_left(run, now)}"
            self._stream.write(f"\r\x1b[K{line}")
        elif words != self._shown:
            self._stream.write(f"{words}\n")
        self._shown = words
        self._stream.flush()

    def end(self) -> None:
        if self._terminal and self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def _left(run: Run, now: datetime) -> str:
    """In words, once there is a pace to tell by."""
    end = run.expected_end(now)
    return "" if end is None else f", about {max(1, round((end - now).total_seconds()))} s left"
