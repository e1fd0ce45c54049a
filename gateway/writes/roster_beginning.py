"""A change of many begun, or gone on with: compared with what the store knows by now, and handed to its job."""

from datetime import datetime

from gateway import roster_change
from gateway.errors import WriteRefused
from gateway.store import queued_jobs, roster_changes, roster_ground, roster_runs
from gateway.store.roster_changes import Change, State, Status
from gateway.uow import Database, Transaction
from gateway.writes import roster_orders
from gateway.writes.roster_jobs import JOB
from models.roster import MutationErrorCode

Code = MutationErrorCode
# So many rows are compared with the store before the job compares them with Canvas.
_COMPARED_AT_ONCE = 500


async def compare(database: Database, institution_id: int, change: Change) -> None:
    """Refuse at once what the store already knows to have moved; the job asks Canvas itself."""
    waiting = await roster_changes.page(
        database,
        institution_id,
        change.id,
        first=_COMPARED_AT_ONCE + 1,
        statuses=(Status.WAITING,),
    )
    rows = [row for row in waiting if row.carried is not None]  # not of people erased meanwhile
    if not rows:
        raise WriteRefused(Code.INVALID, "The plan changes nothing.", "rosterChange")
    if len(waiting) > _COMPARED_AT_ONCE:
        return
    seen = await roster_ground.enrollments(
        database, institution_id, {row.step.course for row in rows}
    )
    now = roster_change.standing(one.present for one in seen)
    for row in rows:
        for part in roster_orders.parts(row.step):
            if part.has_moved(now.get(part.key)):
                raise WriteRefused(
                    Code.CONFLICT,
                    f"The roster moved: row {row.row or row.place} is not as it was planned on. Plan it anew.",
                    "rosterChange",
                )


async def enqueue(tx: Transaction, institution_id: int, change: Change, now: datetime) -> None:
    """WriteRefused where it was begun before."""
    begun = await roster_changes.step_to(
        tx,
        institution_id,
        change.id,
        {
            "state": State.QUEUED,
            "asked_at": now,
            "checked_at": None,  # after a pause the roster may have moved
            "wish": None,
            "message": None,
        },
        only_from=(State.PLANNED, State.PAUSED),
    )
    if not begun:
        raise WriteRefused(
            Code.CONFLICT, f"It is {change.state}: a plan is applied once.", "rosterChange"
        )
    if change.sync_run_id is None:
        run = await roster_runs.open_(tx, institution_id, change.id, now)
        await roster_changes.step_to(tx, institution_id, change.id, {"sync_run_id": run})
    await queued_jobs.enqueue(
        tx,
        institution_id,
        name=JOB,
        key=f"roster-change-{change.id}-{now:%Y%m%dT%H%M%S%f}",
        arguments={"change": change.id},
        now=now,
    )
