"""Jobs on their way to the processes that run them: asked for in the transaction of whatever needs them, and handed over."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway.uow import Database, Dialect, Transaction

_AT_ONCE = 100

Arguments = Mapping[str, Any]
"""What JSON can say."""


@dataclass(frozen=True, kw_only=True)
class QueuedJob:
    id: int
    institution_id: int
    key: str
    name: str
    arguments: Arguments
    cancelled: bool


async def enqueue(
    tx: Transaction,
    institution_id: int,
    *,
    name: str,
    key: str,
    arguments: Arguments,
    now: datetime,
) -> None:
    """Ask for a job, together with what else the transaction does. The same `key` never runs twice."""
    await tx.run(
        "insert into queued_job (institution_id, key, name, arguments, cancelled, asked_at)"
        " values ($1, $2, $3, $4, false, $5) on conflict (institution_id, key) do nothing",
        institution_id,
        key,
        name,
        json.dumps(dict(arguments)),
        now,
    )


async def cancel(tx: Transaction, institution_id: int, key: str, *, now: datetime) -> None:
    """Ask that a job be stopped, wherever it is: before it began, or in the middle of a step."""
    await tx.run(
        "insert into queued_job (institution_id, key, name, arguments, cancelled, asked_at)"
        " values ($1, $2, '', '{}', true, $3)"
        " on conflict (institution_id, key) do update set cancelled = true",
        institution_id,
        key,
        now,
    )


async def waiting(database: Database) -> list[QueuedJob]:
    """The oldest that nobody has taken over."""
    rows = await database.rows(
        "select id, institution_id, key, name, arguments, cancelled from queued_job order by id limit $1",
        _AT_ONCE,
    )
    return [
        QueuedJob(
            id=int(row["id"]),
            institution_id=int(row["institution_id"]),
            key=str(row["key"]),
            name=str(row["name"]),
            arguments=json.loads(row["arguments"]),
            cancelled=bool(row["cancelled"]),
        )
        for row in rows
    ]


async def handed_over(database: Database, job: QueuedJob) -> None:
    """Forget one as it was read; if it was cancelled meanwhile, it waits again."""
    await database.transact(
        lambda tx: tx.run(
            "delete from queued_job where institution_id = $1 and id = $2 and cancelled = $3",
            job.institution_id,
            job.id,
            job.cancelled,
        )
    )


async def beat(database: Database, runner: str) -> None:
    """Say that this process lives, by the database's clock: the machines' may differ."""
    await database.transact(
        lambda tx: tx.run(
            f"insert into job_runner (name, seen_at) values ($1, {_NOW[database.dialect]})"
            " on conflict (name) do update set seen_at = excluded.seen_at",
            runner,
        )
    )


async def living(database: Database, *, silent_for: timedelta) -> set[str]:
    """Processes that said so not longer ago."""
    rows = await database.rows(
        f"select name from job_runner where {_AGE[database.dialect]} <= $1",
        silent_for.total_seconds(),
    )
    return {str(row["name"]) for row in rows}


async def forget_silent(database: Database, *, silent_for: timedelta) -> None:
    """Those that died long ago."""
    await database.transact(
        lambda tx: tx.run(
            f"delete from job_runner where {_AGE[database.dialect]} > $1",
            silent_for.total_seconds(),
        )
    )


async def gone(database: Database, runner: str) -> None:
    """A process that ends says so."""
    await database.transact(lambda tx: tx.run("delete from job_runner where name = $1", runner))


_NOW = {Dialect.POSTGRES: "now()", Dialect.SQLITE: "strftime('%Y-%m-%d %H:%M:%f+00:00', 'now')"}
_AGE = {
    Dialect.POSTGRES: "extract(epoch from now() - seen_at)",
    Dialect.SQLITE: "(julianday('now') - julianday(seen_at)) * 86400",
}
