"""The sync run that shows how far a change of many is: opened with its first application, closed with its end."""

from datetime import datetime

from gateway.store import runs
from gateway.store.roster_changes import State
from gateway.store.runs import Tally
from gateway.uow import Transaction
from models.roster import Source, SyncRunState

_STATES = {
    State.SUCCEEDED: SyncRunState.SUCCEEDED,
    State.PARTLY: SyncRunState.FAILED,
    State.FAILED: SyncRunState.FAILED,
    State.CANCELLED: SyncRunState.CANCELLED,
}


async def open_(tx: Transaction, institution_id: int, change_id: int, now: datetime) -> int:
    """The new run's id."""
    rows = await tx.rows(
        "insert into sync_run (institution_id, source, scope_kind, scope_id, state, label, fingerprint, started_at,"
        " read_began_at, progress, rows_read, created, updated, removed, unchanged, set_aside, held, requests, quota)"
        " values ($1, $2, 'institution', 0, $3, $4, null, $5, $5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) returning id",
        institution_id,
        Source.MUTATION.value,
        SyncRunState.QUEUED.value,
        f"roster change {change_id}",
        now,
    )
    return int(rows[0]["id"])


async def advance(
    tx: Transaction, institution_id: int, run_id: int, progress: float, requests: int, quota: float
) -> None:
    """`requests` and `quota` are added."""
    await tx.run(
        "update sync_run set state = $3, progress = $4, requests = requests + $5, quota = quota + $6"
        " where institution_id = $1 and id = $2",
        institution_id,
        run_id,
        SyncRunState.RUNNING.value,
        progress,
        requests,
        quota,
    )


async def close(
    tx: Transaction,
    institution_id: int,
    run_id: int,
    state: State,
    *,
    tally: Tally,
    message: str | None,
    now: datetime,
) -> None:
    await runs.close(
        tx, institution_id, run_id, state=_STATES[state], tally=tally, message=message, now=now
    )
