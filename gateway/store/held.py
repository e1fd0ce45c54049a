"""Removals that wait for a person, let through: just those that were seen, or none where the roster has moved since.

Of a report they are its candidates, a chunk at a time, without whom anything newer has shown; of a membership list all whom
it lacked, at once.
"""

from datetime import datetime

import polars as pl

from gateway.needs import ScopeKind
from gateway.store import due, held_members, ledger, membership_changes, memberships, merging
from gateway.store.merging import Telling
from gateway.store.queued_runs import Run
from gateway.store.rows import time
from gateway.store.shapes import ENROLLMENT
from gateway.uow import Database, Transaction
from models.roster import EnrollmentState, Source, SyncRunState

_CHUNK = 5_000


async def let_through(
    database: Database, run: Run, *, confirmed: int | None, actor_id: int | None, now: datetime
) -> str | None:
    """Why nothing was let through, if nothing was. `confirmed`: how many whoever decides has seen; None: they do not say."""
    if run.source is Source.NRPS:
        return await database.transact(lambda tx: _members(tx, run, confirmed, actor_id, now))
    if refusal := await database.transact(lambda tx: _number(tx, run, confirmed)):
        return refusal
    while await database.transact(lambda tx: _chunk(tx, run, actor_id, now)) == _CHUNK:
        pass
    return None


async def _members(
    tx: Transaction, run: Run, confirmed: int | None, actor_id: int | None, now: datetime
) -> str | None:
    """A newer read, of the list or of what it contradicts, is the newer word: then the run has nothing to say any more."""
    await merging.lock(tx, run.institution_id)
    began, held = await _began(tx, run), await held_members.of(tx, run)
    if began is None or not held or await held_members.read_since(tx, run, began):
        await held_members.let_go(tx, run, removed=0, message=held_members.READ_SINCE)
        return held_members.READ_SINCE
    if confirmed is not None and confirmed != len(held):
        return f"it holds {len(held):,} removals, not {confirmed:,}"
    if seen := sum(held_members.was_seen(row, began) for row in held):
        return f"{seen:,} of them were seen in the course since; read it again"
    there = [row for row in held if row["types"] or row["enrolled"]]
    course, source = run.scope.id, run.source
    ending = memberships.end(tx, run.institution_id, course, there, source=source, as_of=began)
    telling = Telling(
        institution_id=run.institution_id,
        source=source,
        as_of=began,
        run_id=run.id,
        now=now,
        feed=True,
        actor_id=actor_id,
    )
    await membership_changes.told(tx, telling, ending, courses=[course])
    await ledger.vouch(tx, run.institution_id, run.scope, run.source, began_at=began)
    await held_members.let_go(tx, run, removed=len(there), message=run.message)
    if enrolled := sum(row["enrolled"] is not None for row in held):
        why = f"{enrolled} enrolled there are not on its membership list any more"
        await due.mark(tx, run.institution_id, [run.scope], since=began, why=why)
    return None


async def _number(tx: Transaction, run: Run, confirmed: int | None) -> str | None:
    """Why it is not what was seen; then the run shows how many wait by now."""
    if confirmed is None:
        return None
    await merging.lock(tx, run.institution_id)
    began = await _began(tx, run)
    if began is None:
        return None
    rows = await tx.rows(f"select count(*) as n {_candidates(run)}", run.institution_id, began)
    waiting = int(rows[0]["n"])
    if waiting == confirmed:
        return None
    await tx.run(
        "update sync_run set held = $3 where institution_id = $1 and id = $2",
        run.institution_id,
        run.id,
        waiting,
    )
    return f"by now {waiting:,} removals wait, not {confirmed:,}"


async def _began(tx: Transaction, run: Run) -> datetime | None:
    """When what the run tells was read; None where nothing of it waits any more."""
    rows = await tx.rows(
        "select read_began_at from sync_run where institution_id = $1 and id = $2 and state = $3",
        run.institution_id,
        run.id,
        SyncRunState.HELD.value,
    )
    return time(rows[0]["read_began_at"]) if rows else None


def _candidates(run: Run) -> str:
    """From and where of the enrollments that wait, after the institution and when the report was written."""
    inside = (
        f" and course_id in (select id from course where institution_id = $1 and account_id in ({_BELOW}))"
        if run.scope.kind is ScopeKind.ACCOUNT
        else ""
    )
    return (
        "from enrollment where institution_id = $1 and missing_since <= $2 and removed_at is null"
        f"{inside.format(top=run.scope.id)}"
    )


async def _chunk(tx: Transaction, run: Run, actor_id: int | None, now: datetime) -> int:
    """The last one closes the run, in the transaction that ends the last of them."""
    await merging.lock(tx, run.institution_id)
    as_of = await _began(tx, run)
    if as_of is None:
        return 0
    rows = await tx.rows(
        f"select id {_candidates(run)} order by id limit {_CHUNK}", run.institution_id, as_of
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
