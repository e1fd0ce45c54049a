"""Service tokens: made once, kept as digests, found by secret."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from gateway.uow import Database, Row, Transaction

PREFIX = "rst_"


@dataclass(frozen=True, kw_only=True)
class ServiceToken:
    id: int
    institution_id: int
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    revoked_at: datetime | None


async def create(
    database: Database, *, institution_id: int, name: str, scopes: tuple[str, ...], now: datetime
) -> str:
    """The new token's secret, shown this once: `rst_` and 43 letters and digits of the URL-safe alphabet."""
    secret = PREFIX + secrets.token_urlsafe(32)

    async def work(tx: Transaction) -> None:
        await tx.run(
            "insert into service_token (institution_id, name, digest, scopes, created_at) values ($1, $2, $3, $4, $5)",
            institution_id,
            name,
            _digest(secret),
            " ".join(scopes),
            now,
        )

    await database.transact(work)
    return secret


async def find(database: Database, unverified_secret: str) -> ServiceToken | None:
    """The live token whose secret this is."""
    rows = await database.rows(
        _SELECT + " where digest = $1 and revoked_at is null", _digest(unverified_secret)
    )
    return _from_row(rows[0]) if rows else None


async def of_institution(database: Database, institution_id: int) -> list[ServiceToken]:
    rows = await database.rows(_SELECT + " where institution_id = $1 order by id", institution_id)
    return [_from_row(row) for row in rows]


async def revoke(database: Database, *, institution_id: int, token_id: int, now: datetime) -> bool:
    """Whether there was such a live token."""

    async def work(tx: Transaction) -> int:
        return await tx.run(
            "update service_token set revoked_at = $1 where institution_id = $2 and id = $3 and revoked_at is null",
            now,
            institution_id,
            token_id,
        )

    return await database.transact(work) > 0


_SELECT = "select id, institution_id, name, scopes, created_at, revoked_at from service_token"


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _from_row(row: Row) -> ServiceToken:
    return ServiceToken(
        **row
        | {
            "scopes": tuple(row["scopes"].split()),
            "created_at": _time(row["created_at"]),
            "revoked_at": _time(row["revoked_at"]),
        }
    )


def _time(value: datetime | str | None) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
