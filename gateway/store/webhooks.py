"""Webhooks as they are kept: where clients are sent what changed, and with which secrets it is signed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.store.rows import time
from gateway.uow import Database, Row, Transaction


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """`which`: a filter of changes, as its JSON. `former_sealed` signs too until `former_until`."""

    id: int
    institution_id: int
    client: str
    url: str
    which: str
    position: int
    secret_sealed: str
    former_sealed: str | None
    former_until: datetime | None
    created_at: datetime
    failing_since: datetime | None
    disabled_at: datetime | None
    disabled_why: str | None


async def create(
    tx: Transaction,
    institution_id: int,
    *,
    client: str,
    url: str,
    which: str,
    position: int | None,
    secret_sealed: str,
    now: datetime,
) -> int:
    """The new webhook's id. `position`: behind which changes are sent; None: from now on."""
    rows = await tx.rows(
        "insert into webhook (institution_id, client, url, which, position, secret_sealed, created_at)"
        " select i.id, $2, $3, $4, coalesce($5, i.feed_position), $6, $7 from institution i where i.id = $1 returning id",
        institution_id,
        client,
        url,
        which,
        position,
        secret_sealed,
        now,
    )
    return int(rows[0]["id"])


async def change(
    tx: Transaction, institution_id: int, webhook_id: int, columns: Mapping[str, object]
) -> None:
    """Write these columns of it."""
    sets = ", ".join(f"{name} = ${number}" for number, name in enumerate(columns, 3))
    await tx.run(
        f"update webhook set {sets} where institution_id = $1 and id = $2",
        institution_id,
        webhook_id,
        *columns.values(),
    )


async def delete(tx: Transaction, institution_id: int, webhook_id: int) -> None:
    """With all of its messages."""
    for table, column in (("webhook_message", "webhook_id"), ("webhook", "id")):
        await tx.run(
            f"delete from {table} where institution_id = $1 and {column} = $2",
            institution_id,
            webhook_id,
        )


async def find(
    database: Database | Transaction, institution_id: int, webhook_id: int
) -> Webhook | None:
    rows = await database.rows(f"{_SELECT} and w.id = $2", institution_id, webhook_id)
    return _from_row(rows[0]) if rows else None


async def of_institution(
    database: Database, institution_id: int, client: str | None = None
) -> list[Webhook]:
    """All, or those of one client."""
    only = "" if client is None else " and w.client = $2"
    values = () if client is None else (client,)
    rows = await database.rows(f"{_SELECT}{only} order by w.id", institution_id, *values)
    return [_from_row(row) for row in rows]


async def with_work(database: Database, now: datetime) -> list[tuple[int, int]]:
    """Institution and id of those, of all institutions, that have something to send now and that nobody works on."""
    waits = (
        "select 1 from webhook_message m where m.institution_id = w.institution_id and m.webhook_id = w.id"
        " and m.delivered_at is null and m.dead_at is null"
    )
    rows = await database.rows(
        "select w.institution_id, w.id from webhook w join institution i on i.id = w.institution_id"
        " where w.disabled_at is null and (w.claimed_until is null or w.claimed_until < $1)"
        f" and case when exists ({waits}) then exists ({waits} and m.next_at <= $1)"
        " else w.position < i.feed_position end order by w.id",
        now,
    )
    return [(int(row["institution_id"]), int(row["id"])) for row in rows]


async def claim(
    database: Database, institution_id: int, webhook_id: int, *, now: datetime, until: datetime
) -> bool:
    """Whether it is this process's to work on; a claim that a crash left lapses by itself."""

    async def work(tx: Transaction) -> int:
        return await tx.run(
            "update webhook set claimed_until = $4 where institution_id = $1 and id = $2 and disabled_at is null"
            " and (claimed_until is null or claimed_until < $3)",
            institution_id,
            webhook_id,
            now,
            until,
        )

    return await database.transact(work) > 0


_COLUMNS = ", ".join(f"w.{name}" for name in Webhook.__dataclass_fields__)
_SELECT = f"select {_COLUMNS} from webhook w where w.institution_id = $1"
_TIMES = ("former_until", "created_at", "failing_since", "disabled_at")


def _from_row(row: Row) -> Webhook:
    return Webhook(
        **row | {name: None if row[name] is None else time(row[name]) for name in _TIMES}
    )
