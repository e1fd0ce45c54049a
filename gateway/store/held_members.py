"""Whom a membership list lacked, where too many were missing at once: held until a person lets them go, or a newer read says more.

Each run holds the people of one list, so that what is let through is what was seen; one that lacks others is another run.
"""

from collections.abc import Collection
from datetime import datetime

from gateway.batch import Batch
from gateway.needs import ScopeKind
from gateway.store import dialects, runs
from gateway.store.queued_runs import Run
from gateway.store.rows import time
from gateway.store.runs import Tally
from gateway.uow import Row, Transaction
from models.roster import SyncRunState

_WHY = "{:,} people would leave the course at once: more than the shrink guard allows"
READ_SINCE = "the course was read again since: nothing of this waits any more"


async def hold(
    tx: Transaction,
    batch: Batch,
    course: int,
    people: Collection[int],
    *,
    run_id: int | None,
    now: datetime,
) -> None:
    """`run_id`: the run that reads the list, if one does; else one is made, unless one holds just these people already."""
    held = await tx.rows(
        "select person_id, sync_run_id from held_removal where institution_id = $1 and course_id = $2",
        batch.institution_id,
        course,
    )
    if run_id is None and {int(row["person_id"]) for row in held} == set(people):
        [run_id] = {int(row["sync_run_id"]) for row in held}
        await runs.read_began(tx, batch.institution_id, run_id, batch.began_at)
        return
    await settle(tx, batch.institution_id, course)
    if run_id is None:
        run_id = await _waiting(tx, batch, course, len(people), now)
    else:
        await runs.read_began(tx, batch.institution_id, run_id, batch.began_at)
    await tx.many(
        "insert into held_removal (institution_id, sync_run_id, course_id, person_id) values ($1, $2, $3, $4)",
        [(batch.institution_id, run_id, course, person) for person in sorted(people)],
    )


async def settle(tx: Transaction, institution_id: int, course: int) -> None:
    """The course was read anew, so that nothing waits for a person any more."""
    await tx.run(
        "update sync_run set state = $3, held = 0, message = $4 where institution_id = $1 and state = $5 and id in"
        " (select h.sync_run_id from held_removal h where h.institution_id = $1 and h.course_id = $2)",
        institution_id,
        course,
        SyncRunState.SUCCEEDED.value,
        READ_SINCE,
        SyncRunState.HELD.value,
    )
    await tx.run(
        "delete from held_removal where institution_id = $1 and course_id = $2",
        institution_id,
        course,
    )


async def _waiting(tx: Transaction, batch: Batch, course: int, count: int, now: datetime) -> int:
    """A run that waits for a person."""
    run_id = await runs.begin(
        tx,
        batch.institution_id,
        source=batch.source,
        scope=(ScopeKind.COURSE.value, course),
        label="membership list",
        fingerprint="",
        read_began_at=batch.began_at,
        now=now,
    )
    await runs.close(
        tx,
        batch.institution_id,
        run_id,
        state=SyncRunState.HELD,
        tally=Tally(rows_read=len(batch.memberships), held=count),
        message=_WHY.format(count),
        now=now,
    )
    return run_id


async def of(tx: Transaction, run: Run) -> list[Row]:
    """Whom a run holds, with what is known of them in the course by now: live memberships and active enrollments."""
    rows = await tx.rows(
        "select h.person_id as id, m.types, m.as_of, e.types as enrolled, e.as_of as enrolled_as_of from held_removal h"
        " left join membership m on m.institution_id = $1 and m.course_id = $2 and m.person_id = h.person_id"
        " and m.ended_at is null"
        " left join (select person_id, min(type) as types, max(standing_as_of) as as_of from enrollment"
        " where institution_id = $1 and course_id = $2 and state = 'ACTIVE' and removed_at is null"
        " and type <> 'TEST_STUDENT' group by person_id) e on e.person_id = h.person_id"
        " where h.institution_id = $1 and h.course_id = $2 and h.sync_run_id = $3 order by h.person_id",
        run.institution_id,
        run.scope.id,
        run.id,
    )
    return list(rows)


def was_seen(row: Row, since: datetime) -> bool:
    """One of those: whether anything newer shows them there."""
    return any(row[name] and time(row[name]) > since for name in ("as_of", "enrolled_as_of"))


async def read_since(tx: Transaction, run: Run, began: datetime) -> bool:
    """Whether a whole read that shows the course's people began after the list did: one that changes nothing writes no row."""
    rows = await tx.rows(
        "select 1 as one from coverage where institution_id = $1 and subject in ('enrollment', 'membership')"
        f" and whole = {dialects.true(tx.dialect)} and authority in ('admin', 'report', 'platform') and began_at > $3"
        " and (scope_kind in ('institution', 'account') or (scope_kind = 'course' and scope_id = $2)) limit 1",
        run.institution_id,
        run.scope.id,
        began,
    )
    return bool(rows)


async def let_go(tx: Transaction, run: Run, *, removed: int, message: str | None) -> None:
    """Nothing of the run waits any more."""
    await tx.run(
        "update sync_run set state = $3, removed = removed + $4, held = 0, message = $5"
        " where institution_id = $1 and id = $2 and state = $6",
        run.institution_id,
        run.id,
        SyncRunState.SUCCEEDED.value,
        removed,
        message,
        SyncRunState.HELD.value,
    )
    await tx.run(
        "delete from held_removal where institution_id = $1 and sync_run_id = $2",
        run.institution_id,
        run.id,
    )
