"""What is older than an institution keeps it: dropped a few thousand rows at a time, so that nobody waits long for it.

Rows of the roster itself do not age: somebody who is gone stays as a tombstone, under the same id.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from gateway.uow import Database, Transaction
from models.roster import Resolution, SyncRunState

_AT_ONCE = 5_000

_OF_OLD_CHANGES = (
    "roster_change_id in (select c.id from roster_change c where c.institution_id = $1"
    " and (c.ended_at < $2 or (c.asked_at is null and c.planned_at < $2)))"
)
# Which rows go: `$2` is the moment before which things are too old, `$3` now.
_TOO_OLD: Mapping[str, str] = {
    "set_aside": (
        "sync_run_id in (select r.id from sync_run r where r.institution_id = $1 and r.ended_at < $2"
        f" and r.state <> '{SyncRunState.HELD}')"
    ),
    "sync_run": f"ended_at < $2 and state <> '{SyncRunState.HELD}'",
    "identity": "ended_at < $2",
    # a merge is still in force, and what was kept apart is remembered so that it is not asked again
    "identity_conflict": f"resolved_at < $2 and resolution = '{Resolution.MOVE}'",
    "mutation_answer": "answered_at < $2",
    "intent": "ended_at < $2",
    # the next file is then sent whole
    "sis_data_set": (
        "imported_at < $2 or (import_id is null and roster_change_id in (select c.id from roster_change c"
        " where c.institution_id = $1 and c.ended_at < $2))"
    ),
    "roster_exchange": _OF_OLD_CHANGES,
    "roster_change_row": _OF_OLD_CHANGES,
    "roster_change": "ended_at < $2 or (asked_at is null and planned_at < $2)",
    "permission_answer": "asked_at < $2",
    "lti_deployment": "last_seen_at < $2 and accepted_at is null",
    "session_secret": "expires_at < $3",
    "launch_session": "expires_at < $2",
    "oauth_request": "expires_at < $3",
    "mailed_link": "expires_at < $3",
    "webhook_message": "(delivered_at < $2 or dead_at < $2)",
    "live_event": "received_at < $2",
    "due_scope": "since < $2",
}
# Canvas sends the same event again for twenty minutes; there may be a hundred thousand a day.
_A_WEEK_AT_MOST = ("live_event",)
# By these a question that is asked again is known; that has to hold for a day, however little is kept.
_A_DAY_AT_LEAST = ("mutation_answer", "intent")
# Of no institution yet, and over in minutes.
_SHORT_LIVED = ("lti_login", "lti_nonce")


async def drop(
    database: Database, institution_id: int, *, keep: timedelta, now: datetime
) -> Mapping[str, int]:
    """Rows gone, by table."""
    before = now - keep
    gone = {"change": await _trim_feed(database, institution_id, before)}
    for table, condition in _TOO_OLD.items():
        least = timedelta(days=1) if table in _A_DAY_AT_LEAST else keep
        kept = max(keep, least)
        if table in _A_WEEK_AT_MOST:
            kept = min(kept, timedelta(days=7))
        gone[table] = await _in_steps(
            database,
            f"delete from {table} where institution_id = $1 and id in (select id from {table}"
            f" where institution_id = $1 and ({condition}) and $2 <= $3 limit {_AT_ONCE})",  # every parameter has to stand there
            institution_id,
            now - kept,
            now,
        )
    return {table: count for table, count in gone.items() if count}


async def drop_short_lived(database: Database, now: datetime) -> int:
    counts = [
        await _in_steps(
            database,
            f"delete from {table} where id in (select id from {table} where expires_at < $1 limit {_AT_ONCE})",
            now,
        )
        for table in _SHORT_LIVED
    ]
    return sum(counts)


async def _trim_feed(database: Database, institution_id: int, before: datetime) -> int:
    """The oldest entries, up to the first that is young enough; whoever still stands among them learns so by the horizon."""

    async def step(tx: Transaction) -> int:
        found = await tx.rows(
            "select max(position) as last from (select position from change where institution_id = $1 and at < $2"
            f" order by position limit {_AT_ONCE}) oldest",
            institution_id,
            before,
        )
        last = found[0]["last"]
        if last is None:
            return 0
        await tx.run(
            "update institution set feed_horizon = $2 where id = $1 and coalesce(feed_horizon, 0) < $2",
            institution_id,
            last,
        )
        return await tx.run(
            "delete from change where institution_id = $1 and position <= $2 and at < $3",
            institution_id,
            last,
            before,
        )

    gone = 0
    while count := await database.transact(step):
        gone += count
    return gone


async def _in_steps(database: Database, sql: str, *values: object) -> int:
    async def step(tx: Transaction) -> int:
        return await tx.run(sql, *values)

    gone = 0
    while count := await database.transact(step):
        gone += count
    return gone
