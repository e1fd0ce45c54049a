"""LTI logins on their way, and the nonces that launches have used: each once, whichever process is asked."""

import hashlib
from dataclasses import dataclass
from datetime import datetime

from gateway.uow import Database, Row, Transaction


@dataclass(frozen=True, kw_only=True)
class Login:
    """What a login asked of a platform, and where to go afterwards."""

    nonce: str
    issuer: str
    client_id: str
    jwks_url: str
    deployment_id: str | None = None
    target: str | None = None
    storage_target: str | None = None


async def begin(
    database: Database, state: str, login: Login, *, expires_at: datetime, now: datetime
) -> None:
    """Remember the login under its state; what expired unused goes."""

    async def work(tx: Transaction) -> None:
        await tx.run("delete from lti_login where expires_at < $1", now)
        await tx.run(
            f"insert into lti_login (state_digest, {_COLUMNS}, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            digest(state),
            login.nonce,
            login.issuer,
            login.client_id,
            login.jwks_url,
            login.deployment_id,
            login.target,
            login.storage_target,
            expires_at,
        )

    await database.transact(work)


async def find(database: Database, state: str, now: datetime) -> Login | None:
    rows = await database.rows(
        f"select {_COLUMNS} from lti_login where state_digest = $1 and expires_at > $2",
        digest(state),
        now,
    )
    return _from_row(rows[0]) if rows else None


async def take(database: Database, state: str, now: datetime) -> Login | None:
    """The login of this state, for the one caller who takes it; for a second one there is none."""

    async def work(tx: Transaction) -> list[Row]:
        return await tx.rows(
            f"delete from lti_login where state_digest = $1 and expires_at > $2 returning {_COLUMNS}",
            digest(state),
            now,
        )

    rows = await database.transact(work)
    return _from_row(rows[0]) if rows else None


async def use_nonce(
    database: Database, scope: str, nonce: str, *, until: datetime, now: datetime
) -> bool:
    """Whether nobody has used it; from now on somebody has, until it may be forgotten."""

    async def work(tx: Transaction) -> bool:
        await tx.run("delete from lti_nonce where expires_at < $1", now)
        rows = await tx.rows(
            "insert into lti_nonce (scope, digest, expires_at) values ($1, $2, $3)"
            " on conflict (scope, digest) do nothing returning id",
            scope,
            digest(nonce),
            until,
        )
        return bool(rows)

    return await database.transact(work)


def digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


_COLUMNS = "nonce, issuer, client_id, jwks_url, deployment_id, target, storage_target"


def _from_row(row: Row) -> Login:
    return Login(**row)
