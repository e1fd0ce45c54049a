"""Sync runs that durable jobs carry: asked for, one for a scope at a time; taken up, followed and called off."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime

from gateway.needs import Scope, ScopeKind
from gateway.store import merging
from gateway.store.rows import time
from gateway.store.runs import Tally
from gateway.uow import Database, Row, Transaction
from models import pace
from models.roster import Source, SyncRunState

# A run with a fingerprint belongs to whoever began it, and ends with them.
_OPEN = f"state in ('{SyncRunState.QUEUED}', '{SyncRunState.RUNNING}') and fingerprint is null"
_COLUMNS = (
    "id, institution_id, source, scope_kind, scope_id, state, label, started_at, progress, message,"
    " paced_from, paced_at"
)


@dataclass(frozen=True, kw_only=True)
class Run:
    id: int
    institution_id: int
    source: Source
    scope: Scope
    state: SyncRunState
    label: str | None
    started_at: datetime
    progress: float
    message: str | None
    paced_from: float | None = None
    paced_at: datetime | None = None

    def expected_end(self, now: datetime) -> datetime | None:
        return pace.expected_end(
            progress=self.progress, paced_from=self.paced_from, paced_at=self.paced_at, now=now
        )

    @property
    def key(self) -> str:
        """Of the job that carries it."""
        return f"sync-{self.id}"


async def ask(
    tx: Transaction,
    institution_id: int,
    *,
    source: Source,
    scope: Scope,
    label: str,
    now: datetime,
    alone: bool = True,
) -> tuple[Run, bool]:
    """The run, and whether it is new: one of the same scope and source that is not over yet is shared.

    `alone` is False where each is about something of its own, as files are.
    """
    await merging.lock(tx, institution_id)
    if alone:
        rows = await tx.rows(
            f"select {_COLUMNS} from sync_run where institution_id = $1 and source = $2 and scope_kind = $3"
            f" and scope_id = $4 and {_OPEN} order by id limit 1",
            institution_id,
            source.value,
            scope.kind.value,
            scope.id,
        )
        if rows:
            return _run(rows[0]), False
    rows = await tx.rows(
        "insert into sync_run (institution_id, source, scope_kind, scope_id, state, label, started_at, progress,"
        " rows_read, created, updated, removed, unchanged, set_aside, held, requests, quota)"
        f" values ($1, $2, $3, $4, $5, $6, $7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) returning {_COLUMNS}",
        institution_id,
        source.value,
        scope.kind.value,
        scope.id,
        SyncRunState.QUEUED.value,
        label,
        now,
    )
    return _run(rows[0]), True


async def by_id(database: Database, institution_id: int, run_id: int) -> Run | None:
    rows = await database.rows(
        f"select {_COLUMNS} from sync_run where institution_id = $1 and id = $2",
        institution_id,
        run_id,
    )
    return _run(rows[0]) if rows else None


async def counts(database: Database, institution_id: int, run_id: int) -> dict[str, int]:
    """What came of its rows, by the word for it."""
    rows = await database.rows(
        "select rows_read, created, updated, removed, unchanged, set_aside, held from sync_run"
        " where institution_id = $1 and id = $2",
        institution_id,
        run_id,
    )
    return {name.replace("_", " "): int(number) for row in rows for name, number in row.items()}


async def take_up(tx: Transaction, institution_id: int, run_id: int) -> Run | None:
    """The run, which is under way now, at a pace that is not known yet; None where it is over, perhaps called off."""
    rows = await tx.rows(
        "update sync_run set state = $3, paced_from = null, paced_at = null"
        f" where institution_id = $1 and id = $2 and {_OPEN} returning {_COLUMNS}",
        institution_id,
        run_id,
        SyncRunState.RUNNING.value,
    )
    return _run(rows[0]) if rows else None


WAITING = 0.05  # how far a run is while Canvas makes its report, and does not say how far that is


async def advance(
    database: Database,
    institution_id: int,
    run_id: int,
    progress: float,
    *,
    rows: int = 0,
    now: datetime,
) -> None:
    """How far it is, and how many rows were read. It never goes back, though a step that a crash cut off does.

    Its pace counts from the first time that it is further than waiting.
    """
    furthest = "case when progress < $3 then $3 else progress end"
    values: list[object] = [progress, rows]
    paced = ""
    if progress > WAITING:
        paced = (
            f", paced_from = coalesce(paced_from, {furthest}), paced_at = coalesce(paced_at, $5)"
        )
        values.append(now)
    await database.transact(
        lambda tx: tx.run(
            f"update sync_run set progress = {furthest},"
            f" rows_read = case when rows_read < $4 then $4 else rows_read end{paced}"
            f" where institution_id = $1 and id = $2 and {_OPEN}",
            institution_id,
            run_id,
            *values,
        )
    )


async def add(
    database: Database,
    institution_id: int,
    run_id: int,
    *,
    tally: Tally,
    requests: int,
    quota: float,
) -> None:
    """What a part of the run brought, and what it took of Canvas."""
    counts = [*vars(tally).items(), ("requests", requests), ("quota", quota)]
    sets = ", ".join(f"{name} = {name} + ${n}" for n, (name, _) in enumerate(counts, 3))
    await database.transact(
        lambda tx: tx.run(
            f"update sync_run set {sets} where institution_id = $1 and id = $2 and {_OPEN}",
            institution_id,
            run_id,
            *(value for _, value in counts),
        )
    )


async def call_off(tx: Transaction, institution_id: int, run_id: int, now: datetime) -> bool:
    """Whether it was still to be called off. Its job finds it closed, and stops."""
    return bool(
        await tx.run(
            f"update sync_run set state = $3, ended_at = $4 where institution_id = $1 and id = $2 and {_OPEN}",
            institution_id,
            run_id,
            SyncRunState.CANCELLED.value,
            now,
        )
    )


async def keep_part(
    tx: Transaction, institution_id: int, run_id: int, place: int, content: bytes
) -> None:
    """A piece of the file that the run is about."""
    await tx.run(
        "insert into upload_part (institution_id, sync_run_id, place, content) values ($1, $2, $3, $4)",
        institution_id,
        run_id,
        place,
        content,
    )


async def parts(database: Database, institution_id: int, run_id: int) -> AsyncIterator[bytes]:
    """The pieces in their order."""
    place = 0
    while True:
        rows = await database.rows(
            "select content from upload_part where institution_id = $1 and sync_run_id = $2 and place = $3",
            institution_id,
            run_id,
            place,
        )
        if not rows:
            return
        yield bytes(rows[0]["content"])
        place += 1


async def forget_parts(tx: Transaction, institution_id: int, run_id: int) -> None:
    await tx.run(
        "delete from upload_part where institution_id = $1 and sync_run_id = $2",
        institution_id,
        run_id,
    )


def _run(row: Row) -> Run:
    return Run(
        id=int(row["id"]),
        institution_id=int(row["institution_id"]),
        source=Source(row["source"]),
        scope=Scope(kind=ScopeKind(row["scope_kind"]), id=int(row["scope_id"])),
        state=SyncRunState(row["state"]),
        label=row["label"],
        started_at=time(row["started_at"]),
        progress=float(row["progress"]),
        message=row["message"],
        paced_from=row["paced_from"],
        paced_at=row["paced_at"] and time(row["paced_at"]),
    )
