"""Removals that wait for a person, let through: the candidates of a report that it held, a chunk at a time."""

from datetime import datetime

import polars as pl

from gateway.planner import ScopeKind
from gateway.store import merging
from gateway.store.merging import Telling
from gateway.store.queued_runs import Run
from gateway.store.rows import time
from gateway.store.shapes import ENROLLMENT
from gateway.uow import Database, Transaction
from models.roster import EnrollmentState, SyncRunState

_CHUNK = 5_000


async def let_through(database: Database, run: Run, *, actor_id: int | None, now: datetime) -> int:
    """How many enrollments ended. What was seen again since, or read by itself, is no candidate any more."""
    ended = 0
    while True:
        chunk = await database.transact(lambda tx: _chunk(tx, run, actor_id, now))
        ended += chunk
        if chunk < _CHUNK:
            return ended


async def _chunk(tx: Transaction, run: Run, actor_id: int | None, now: datetime) -> int:
    """The last one closes the run, in the transaction that ends the last of them."""
    await merging.lock(tx, run.institution_id)
    began = await tx.rows(
        "select read_began_at from sync_run where institution_id = $1 and id = $2 and state = $3",
        run.institution_id,
        run.id,
        SyncRunState.HELD.value,
    )
    if not began:
        return 0
    as_of = time(began[0]["read_began_at"])
    inside = (
        f" and course_id in (select id from course where institution_id = $1 and account_id in ({_BELOW}))"
        if run.scope.kind is ScopeKind.ACCOUNT
        else ""
    )
    rows = await tx.rows(
        "select id from enrollment where institution_id = $1 and missing_since <= $2 and removed_at is null"
        f"{inside.format(top=run.scope.id)} order by id limit {_CHUNK}",
        run.institution_id,
        as_of,
    )
    ids = [int(row["id"]) for row in rows]
    if ids:
        frame = pl.DataFrame(
            {"id": ids, "state": [EnrollmentState.DELETED.value] * len(ids)},
            schema={"id": pl.Int64, "state": pl.String},
        ).with_columns(row_hash=pl.lit(None, pl.Int64))
        telling = Telling(
            institution_id=run.institution_id,
            source=run.source,
            as_of=as_of,
            run_id=run.id,
            now=now,
            feed=True,
            actor_id=actor_id,
        )
        await merging.merge(tx, ENROLLMENT, frame, telling)
    last = len(ids) < _CHUNK
    left = "0" if last else "case when held < $3 then 0 else held - $3 end"
    await tx.run(
        f"update sync_run set removed = removed + $3, held = {left}, state = $4"
        " where institution_id = $1 and id = $2",
        run.institution_id,
        run.id,
        len(ids),
        (SyncRunState.SUCCEEDED if last else SyncRunState.HELD).value,
    )
    return len(ids)


_BELOW = (
    "with recursive below (id) as (select id from account where institution_id = $1 and id = {top:d}"
    " union select a.id from account a join below b on a.parent_id = b.id where a.institution_id = $1)"
    " select id from below"
)
