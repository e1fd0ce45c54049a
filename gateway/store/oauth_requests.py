"""Connections to Canvas that people are about to grant: each found by its state, once."""

from dataclasses import dataclass
from datetime import datetime

from gateway.store.logins import digest
from gateway.uow import Database, Row, Transaction


@dataclass(frozen=True, kw_only=True)
class Request:
    """What was asked for, and by whom. `verifier_sealed`: of the PKCE challenge; `return_to`: where to go afterwards."""

    institution_id: int
    person_id: int
    session_id: int
    verifier_sealed: str
    scopes: str
    return_to: str | None


async def begin(
    database: Database, state: str, request: Request, *, expires_at: datetime, now: datetime
) -> bool:
    """Remember it under its state, and forget what came to nothing. Whether the session that asks is still open."""

    async def work(tx: Transaction) -> bool:
        await tx.run(
            "delete from oauth_request where institution_id = $1 and expires_at < $2",
            request.institution_id,
            now,
        )
        rows = await tx.rows(
            "select id from launch_session where institution_id = $1 and id = $2 and person_id = $3"
            " and ended_at is null and expires_at > $4",
            request.institution_id,
            request.session_id,
            request.person_id,
            now,
        )
        if not rows:
            return False
        await tx.run(
            "insert into oauth_request (institution_id, person_id, session_id, verifier_sealed, scopes, return_to,"
            " state_digest, expires_at) values ($1, $2, $3, $4, $5, $6, $7, $8)",
            request.institution_id,
            request.person_id,
            request.session_id,
            request.verifier_sealed,
            request.scopes,
            request.return_to,
            digest(state),
            expires_at,
        )
        return True

    return await database.transact(work)


async def take(database: Database, state: str, now: datetime) -> Request | None:
    """The request of this state, for the one caller who takes it; for a second one there is none."""

    async def work(tx: Transaction) -> list[Row]:
        return await tx.rows(
            "delete from oauth_request where state_digest = $1 and expires_at > $2 returning"
            " institution_id, person_id, session_id, verifier_sealed, scopes, return_to",
            digest(state),
            now,
        )

    rows = await database.transact(work)
    return Request(**rows[0]) if rows else None
