"""Sync runs: begun, one at a time for an institution, and closed by the marker that says how they ended."""

import fcntl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway.errors import RosterError
from gateway.uow import Database, Dialect, Transaction
from models.roster import Source, SyncRunState

_IMPORT_LOCK = 0x524F5354  # "ROST", beside the institution's id


class ImportRunning(RosterError):
    pass


@dataclass(frozen=True, kw_only=True)
class Tally:
    rows_read: int = 0
    created: int = 0
    updated: int = 0
    removed: int = 0
    unchanged: int = 0
    set_aside: int = 0
    held: int = 0


@asynccontextmanager
async def one_at_a_time(database: Database, institution_id: int) -> AsyncIterator[None]:
    """While this holds, no other process loads a report into the institution. ImportRunning when one does already."""
    if database.dialect is Dialect.POSTGRES:
        async with database.client.acquire_connection() as connection:
            numbers = f"{_IMPORT_LOCK}, {institution_id:d}"
            if not await connection.fetchval(f"select pg_try_advisory_lock({numbers})"):
                raise ImportRunning(_RUNNING)
            try:
                yield
            finally:
                await connection.execute(f"select pg_advisory_unlock({numbers})")
        return
    path = Path(database.url.removeprefix("sqlite://").partition("?")[0])
    with Path(f"{path}.importing-{institution_id:d}").open("w") as lock:  # noqa: ASYNC230  opening a local file does not wait
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ImportRunning(_RUNNING) from None
        yield


_RUNNING = "A report is being loaded into this institution already; try again when that is done."


async def begin(
    tx: Transaction,
    institution_id: int,
    *,
    source: Source,
    scope: tuple[str, int],
    label: str,
    fingerprint: str,
    read_began_at: datetime,
    now: datetime,
) -> int:
    """The new run's id. Runs that a crash left open are closed: this one takes up where they stopped.

    Not so those that a durable job carries, which takes them up itself; they have no fingerprint.
    """
    await tx.run(
        "update sync_run set state = $2, ended_at = $3, message = $4 where institution_id = $1 and state = $5"
        " and source = $6 and fingerprint is not null",
        institution_id,
        SyncRunState.FAILED.value,
        now,
        "interrupted; the next run took up what was left",
        SyncRunState.RUNNING.value,
        source.value,
    )
    rows = await tx.rows(
        "insert into sync_run (institution_id, source, scope_kind, scope_id, state, label, fingerprint, started_at,"
        " read_began_at, progress, rows_read, created, updated, removed, unchanged, set_aside, held, requests, quota)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) returning id",
        institution_id,
        source.value,
        scope[0],
        scope[1],
        SyncRunState.RUNNING.value,
        label,
        fingerprint,
        now,
        read_began_at,
    )
    return int(rows[0]["id"])


async def read_began(tx: Transaction, institution_id: int, run_id: int, at: datetime) -> None:
    await tx.run(
        "update sync_run set read_began_at = $3 where institution_id = $1 and id = $2",
        institution_id,
        run_id,
        at,
    )


async def close(
    tx: Transaction,
    institution_id: int,
    run_id: int,
    *,
    state: SyncRunState,
    tally: Tally,
    message: str | None,
    now: datetime,
) -> None:
    """The closing marker: before it a run is not over, whatever it has written. One that is closed stays as it is."""
    counts = list(vars(tally).items())
    sets = ", ".join(f"{name} = ${number}" for number, (name, _) in enumerate(counts, 6))
    await tx.run(
        f"update sync_run set state = $3, ended_at = $4, message = $5, progress = 1, {sets}"
        " where institution_id = $1 and id = $2 and ended_at is null",
        institution_id,
        run_id,
        state.value,
        now,
        message,
        *(value for _, value in counts),
    )


async def end(
    tx: Transaction,
    institution_id: int,
    run_id: int,
    *,
    state: SyncRunState,
    message: str | None,
    now: datetime,
) -> None:
    """The same for a run that counted as it went; `held` rows make a success one that waits for a person."""
    held = f"case when held > 0 and $3 = '{SyncRunState.SUCCEEDED}' then '{SyncRunState.HELD}' else $3 end"
    await tx.run(
        f"update sync_run set state = {held}, ended_at = $4, message = coalesce($5, message), progress = 1"
        " where institution_id = $1 and id = $2 and ended_at is null",
        institution_id,
        run_id,
        state.value,
        now,
        message,
    )


async def set_aside(
    tx: Transaction, institution_id: int, run_id: int, rows: Sequence[tuple[str, int, str]]
) -> None:
    """File, line and reason of rows that could not be used."""
    await tx.many(
        "insert into set_aside (institution_id, sync_run_id, file, line, reason) values ($1, $2, $3, $4, $5)",
        [(institution_id, run_id, *row) for row in rows],
    )
