"""Messages of webhooks as they are kept: which stretch of the feed, how often it was tried, and what came of it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.store.rows import time
from gateway.uow import Database, Row, Transaction


@dataclass(frozen=True, kw_only=True)
class Message:
    """The changes behind `after_position` up to `until_position`. `name`: the same for every attempt."""

    id: int
    institution_id: int
    webhook_id: int
    name: str
    after_position: int
    until_position: int
    made_at: datetime
    attempts: int
    next_at: datetime
    last_status: int | None
    last_error: str | None
    delivered_at: datetime | None
    dead_at: datetime | None


async def make(
    tx: Transaction,
    institution_id: int,
    webhook_id: int,
    *,
    name: str,
    after: int,
    until: int,
    now: datetime,
) -> None:
    """A message, and the webhook moved behind it: whoever crashes in between has done neither."""
    await tx.run(
        "insert into webhook_message (institution_id, webhook_id, name, after_position, until_position, made_at, attempts,"
        " next_at) values ($1, $2, $3, $4, $5, $6, 0, $6)",
        institution_id,
        webhook_id,
        name,
        after,
        until,
        now,
    )
    await move(tx, institution_id, webhook_id, until)


async def move(tx: Transaction, institution_id: int, webhook_id: int, until: int) -> None:
    """Forward, never back."""
    await tx.run(
        "update webhook set position = $3 where institution_id = $1 and id = $2 and position < $3",
        institution_id,
        webhook_id,
        until,
    )


async def waiting(database: Database, institution_id: int, webhook_id: int) -> Message | None:
    """The first that is not delivered and not given up: those behind it wait for it."""
    rows = await database.rows(
        f"{_SELECT} and m.delivered_at is null and m.dead_at is null order by m.id limit 1",
        institution_id,
        webhook_id,
    )
    return _from_row(rows[0]) if rows else None


async def listed(
    database: Database,
    institution_id: int,
    webhook_id: int,
    *,
    dead: bool,
    before: int | None,
    limit: int,
) -> list[Message]:
    """Newest first. `dead`: only those that were given up."""
    only = " and m.dead_at is not null" if dead else ""
    rows = await database.rows(
        f"{_SELECT} and m.id < $3{only} order by m.id desc limit $4",
        institution_id,
        webhook_id,
        2**62 if before is None else before,
        limit,
    )
    return [_from_row(row) for row in rows]


async def change(
    tx: Transaction, institution_id: int, message_id: int, columns: Mapping[str, object]
) -> None:
    sets = ", ".join(f"{name} = ${number}" for number, name in enumerate(columns, 3))
    await tx.run(
        f"update webhook_message set {sets} where institution_id = $1 and id = $2",
        institution_id,
        message_id,
        *columns.values(),
    )


async def revive(
    tx: Transaction,
    institution_id: int,
    webhook_id: int,
    *,
    only: Collection[int] | None,
    now: datetime,
) -> int:
    """Let what was given up (`only` these, else all of it) be tried anew; how many that are."""
    listed = "" if only is None else f" and id in ({', '.join(str(int(one)) for one in only)})"
    if only is not None and not only:
        return 0
    return await tx.run(
        "update webhook_message set dead_at = null, attempts = 0, next_at = $3"
        f" where institution_id = $1 and webhook_id = $2 and dead_at is not null{listed}",
        institution_id,
        webhook_id,
        now,
    )


async def drop_waiting(tx: Transaction, institution_id: int, webhook_id: int) -> None:
    """What is not taken and not given up: its stretch of the feed is about to be told anew."""
    await tx.run(
        "delete from webhook_message where institution_id = $1 and webhook_id = $2 and delivered_at is null"
        " and dead_at is null",
        institution_id,
        webhook_id,
    )


_COLUMNS = ", ".join(f"m.{name}" for name in Message.__dataclass_fields__)
_SELECT = (
    f"select {_COLUMNS} from webhook_message m where m.institution_id = $1 and m.webhook_id = $2"
)
_TIMES = ("made_at", "next_at", "delivered_at", "dead_at")


def _from_row(row: Row) -> Message:
    return Message(
        **row | {name: None if row[name] is None else time(row[name]) for name in _TIMES}
    )
