"""People's own Canvas tokens as they are kept: sealed, each value with its version."""

from dataclasses import dataclass
from datetime import datetime

from gateway.uow import Database, Row, Transaction


@dataclass(frozen=True, kw_only=True)
class Value:
    """What Canvas gave, sealed. `refresh_sealed`: None leaves the one that is kept."""

    access_sealed: str
    refresh_sealed: str | None
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Kept:
    id: int
    institution_id: int
    person_id: int
    client_id: str
    version: int
    access_sealed: str
    refresh_sealed: str | None
    scopes: tuple[str, ...]
    expires_at: datetime | None
    renewing_until: datetime | None
    granted_at: datetime
    broken_at: datetime | None
    broken_why: str | None


async def find(database: Database, institution_id: int, person_id: int) -> Kept | None:
    rows = await database.rows(
        f"select {_COLUMNS} from canvas_token where institution_id = $1 and person_id = $2",
        institution_id,
        person_id,
    )
    return _from_row(rows[0]) if rows else None


async def all_of(database: Database, institution_id: int) -> list[Kept]:
    rows = await database.rows(
        f"select {_COLUMNS} from canvas_token where institution_id = $1 order by id", institution_id
    )
    return [_from_row(row) for row in rows]


async def keep(
    database: Database,
    institution_id: int,
    person_id: int,
    value: Value,
    *,
    client_id: str,
    scopes: tuple[str, ...],
    now: datetime,
) -> None:
    """A new grant, in the place of whatever was there."""

    async def work(tx: Transaction) -> None:
        await tx.run(
            "insert into canvas_token (institution_id, person_id, client_id, version, access_sealed, refresh_sealed,"
            " scopes, expires_at, granted_at) values ($1, $2, $3, 1, $4, $5, $6, $7, $8)"
            " on conflict (institution_id, person_id) do update set client_id = excluded.client_id,"
            " version = canvas_token.version + 1, access_sealed = excluded.access_sealed,"
            " refresh_sealed = excluded.refresh_sealed, scopes = excluded.scopes, expires_at = excluded.expires_at,"
            " granted_at = excluded.granted_at, renewing_until = null, broken_at = null, broken_why = null",
            institution_id,
            person_id,
            client_id,
            value.access_sealed,
            value.refresh_sealed,
            " ".join(scopes),
            value.expires_at,
            now,
        )

    await database.transact(work)


async def claim(database: Database, kept: Kept, *, now: datetime, until: datetime) -> bool:
    """Whether it is the caller's to renew this value, until then: one process's at a time."""

    async def work(tx: Transaction) -> int:
        return await tx.run(
            "update canvas_token set renewing_until = $4 where institution_id = $1 and id = $2 and version = $3"
            " and (renewing_until is null or renewing_until <= $5)",
            kept.institution_id,
            kept.id,
            kept.version,
            until,
            now,
        )

    return await database.transact(work) > 0


async def renewed(database: Database, kept: Kept, value: Value, *, now: datetime) -> bool:
    """Keep the next value, unless somebody else has meanwhile."""

    async def work(tx: Transaction) -> int:
        return await tx.run(
            "update canvas_token set version = version + 1, access_sealed = $4,"
            " refresh_sealed = coalesce($5, refresh_sealed), expires_at = $6, renewed_at = $7, renewing_until = null"
            " where institution_id = $1 and id = $2 and version = $3",
            kept.institution_id,
            kept.id,
            kept.version,
            value.access_sealed,
            value.refresh_sealed,
            value.expires_at,
            now,
        )

    return await database.transact(work) > 0


async def release(database: Database, kept: Kept) -> None:
    """Nothing came of the claim: whoever wants to may try."""

    async def work(tx: Transaction) -> int:
        return await tx.run(
            "update canvas_token set renewing_until = null where institution_id = $1 and id = $2 and version = $3",
            kept.institution_id,
            kept.id,
            kept.version,
        )

    await database.transact(work)


async def mark_broken(database: Database, kept: Kept, why: str, *, now: datetime) -> None:
    """Canvas takes this value no more, and there is no other to be had."""

    async def work(tx: Transaction) -> int:
        return await tx.run(
            "update canvas_token set broken_at = $4, broken_why = $5, renewing_until = null"
            " where institution_id = $1 and id = $2 and version = $3 and broken_at is null",
            kept.institution_id,
            kept.id,
            kept.version,
            now,
            why,
        )

    await database.transact(work)


async def delete(database: Database, institution_id: int, person_id: int) -> None:
    async def work(tx: Transaction) -> int:
        return await tx.run(
            "delete from canvas_token where institution_id = $1 and person_id = $2",
            institution_id,
            person_id,
        )

    await database.transact(work)


_COLUMNS = (
    "id, institution_id, person_id, client_id, version, access_sealed, refresh_sealed, scopes, expires_at,"
    " renewing_until, granted_at, broken_at, broken_why"
)


def _from_row(row: Row) -> Kept:
    times = ("expires_at", "renewing_until", "granted_at", "broken_at")
    made = {name: _time(row[name]) for name in times}
    return Kept(**{**row, **made, "scopes": tuple(row["scopes"].split())})


def _time(value: datetime | str | None) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
