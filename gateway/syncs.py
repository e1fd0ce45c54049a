"""Syncs for whoever asks: started, called off, fed with a file, and their held removals let through.

The jobs that carry them run in the processes that run jobs; here is only asked for them, in one transaction with the run
that shows how they are doing.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import BinaryIO

from gateway import jobs
from gateway.errors import WriteRefused
from gateway.needs import Scope as Reach
from gateway.needs import ScopeKind
from gateway.store import held, queued_runs, repeats
from gateway.store.queued_runs import Run
from gateway.store.repeats import Request
from gateway.uow import Database, Transaction
from gateway.viewer import Scope, Viewer
from models.roster import MutationErrorCode, Source, SyncRunState

JOB = "sync"
_PART_BYTES = 1024 * 1024
_LISTS: dict[ScopeKind, tuple[Source, ...]] = {
    ScopeKind.COURSE: (Source.ENROLLMENTS_API, Source.NRPS),
    ScopeKind.PERSON: (Source.ENROLLMENTS_API,),
    ScopeKind.ACCOUNT: (Source.REPORT, Source.ENROLLMENTS_API),
    ScopeKind.INSTITUTION: (Source.REPORT, Source.ENROLLMENTS_API),
}


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be read; `source` None: by whatever is best, or else possible."""

    scope: Reach
    source: Source | None = None


class Syncs:
    """`asks`: whether there is an admin token to ask the Canvas of an institution with."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        asks: Callable[[int], bool],
    ) -> None:
        self._database = database
        self._clock = clock
        self._asks = asks

    async def start(self, viewer: Viewer, order: Order, key: str | None = None) -> int:
        """The run's id. WriteRefused where it cannot be. One that is under way already is shared."""
        viewer.require(Scope.ADMIN, Scope.ROSTER_WRITE)
        source = order.source or _LISTS[order.scope.kind][0]
        self._refuse_what_cannot_be(viewer, order, source)
        request = _request(viewer, key, f"startSync {order.scope} {order.source}")
        return await self._asked_once(
            request,
            lambda tx: ask(
                tx,
                viewer.institution_id,
                Order(scope=order.scope, source=source),
                anyhow=order.source is None,
                now=self._clock(),
            ),
        )

    async def cancel(self, viewer: Viewer, run_id: int) -> int:
        """Stop a run, in the middle of a step if it is there; what it has written stays."""
        viewer.require(Scope.ADMIN, Scope.ROSTER_WRITE)
        run = await self._run(viewer, run_id)
        now = self._clock()

        async def work(tx: Transaction) -> None:
            if not await queued_runs.call_off(tx, viewer.institution_id, run.id, now):
                raise WriteRefused(
                    MutationErrorCode.CONFLICT,
                    f"This run is over, or is not carried by a job that could be called off: it is {run.state}.",
                    "id",
                )
            await jobs.cancel(tx, viewer.institution_id, run.key, now=now)
            await queued_runs.forget_parts(tx, viewer.institution_id, run.id)

        await self._database.transact(work)
        return run.id

    async def confirm(self, viewer: Viewer, run_id: int, removals: int | None = None) -> int:
        """Let the removals that a run holds through, `removals` of them where the caller says how many they saw."""
        viewer.require(Scope.ADMIN, Scope.ROSTER_WRITE)
        run = await self._run(viewer, run_id)
        if run.state is not SyncRunState.HELD:
            raise WriteRefused(
                MutationErrorCode.CONFLICT, f"Nothing waits here: the run is {run.state}.", "id"
            )
        person = viewer.acts_for_id or viewer.user_id
        refusal = await held.let_through(
            self._database, run, confirmed=removals, actor_id=person, now=self._clock()
        )
        if refusal is not None:
            raise WriteRefused(
                MutationErrorCode.CONFLICT, f"Nothing was removed: {refusal}.", "removals"
            )
        return run.id

    async def import_report(
        self, viewer: Viewer, name: str, file: BinaryIO, key: str | None = None
    ) -> int:
        """The run that loads a report. The file is kept in the database until then: another machine may load it."""
        viewer.require(Scope.ADMIN, Scope.ROSTER_WRITE)
        request = _request(
            viewer, key, f"importReport {name} {await asyncio.to_thread(_digest, file)}"
        )
        institution_id, now = viewer.institution_id, self._clock()

        async def begin(tx: Transaction) -> int:
            run, _ = await queued_runs.ask(
                tx,
                institution_id,
                source=Source.UPLOAD,
                scope=Reach(kind=ScopeKind.INSTITUTION, id=0),
                label=PurePath(name.replace("\\", "/")).name or "report",
                now=now,
                alone=False,
            )
            await asyncio.to_thread(file.seek, 0)
            place = 0
            while part := await asyncio.to_thread(file.read, _PART_BYTES):
                await queued_runs.keep_part(tx, institution_id, run.id, place, part)
                place += 1
            await _carry(tx, run, now, anyhow=False)
            return run.id

        return await self._asked_once(request, begin)

    async def _run(self, viewer: Viewer, run_id: int) -> Run:
        run = await queued_runs.by_id(self._database, viewer.institution_id, run_id)
        if run is None:
            raise WriteRefused(MutationErrorCode.NOT_FOUND, "There is no such run.", "id")
        return run

    def _refuse_what_cannot_be(self, viewer: Viewer, order: Order, source: Source) -> None:
        able = _LISTS[order.scope.kind]
        if source not in able:
            raise WriteRefused(
                MutationErrorCode.INVALID,
                f"{source} cannot be synced from for this scope; {' or '.join(able)} can.",
                "source",
            )
        if source is not Source.NRPS and not self._asks(viewer.institution_id):
            raise WriteRefused(
                MutationErrorCode.NOT_SUPPORTED,
                "There is no admin token in the configuration to ask Canvas with.",
            )

    async def _asked_once(
        self, request: Request | None, work: Callable[[Transaction], Awaitable[int]]
    ) -> int:
        async def do(tx: Transaction) -> int:
            if request and (answer := await repeats.answer_to(tx, request)) is not None:
                return int(answer)
            run_id = await work(tx)
            if request:
                await repeats.keep(tx, request, str(run_id), self._clock())
            return run_id

        return await self._database.transact(do)


async def ask(
    tx: Transaction, institution_id: int, order: Order, *, anyhow: bool, now: datetime
) -> int:
    """The run of a sync, with the job that carries it. `anyhow`: course by course, where reports are refused."""
    source = order.source or _LISTS[order.scope.kind][0]
    run, new = await queued_runs.ask(
        tx,
        institution_id,
        source=source,
        scope=order.scope,
        label=f"{order.scope.kind} by {source}",
        now=now,
    )
    if new:
        await _carry(tx, run, now, anyhow=anyhow)
    return run.id


async def _carry(tx: Transaction, run: Run, now: datetime, *, anyhow: bool) -> None:
    await jobs.enqueue(
        tx,
        run.institution_id,
        name=JOB,
        key=run.key,
        arguments={"run": run.id, "anyhow": anyhow},
        now=now,
    )


def _request(viewer: Viewer, key: str | None, said: str) -> Request | None:
    if key is None:
        return None
    person = viewer.acts_for_id or viewer.user_id
    return Request(
        institution_id=viewer.institution_id,
        caller="service" if person is None else f"person:{person}",
        key=key,
        digest=hashlib.sha256(said.encode()).hexdigest(),
    )


def _digest(file: BinaryIO) -> str:
    digest = hashlib.sha256()
    file.seek(0)
    while part := file.read(_PART_BYTES):
        digest.update(part)
    return digest.hexdigest()
