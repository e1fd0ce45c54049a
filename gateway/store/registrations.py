"""Platforms that registered us by themselves, and deployments that launched without being configured."""

from dataclasses import dataclass
from datetime import datetime

from gateway.uow import Database, Row, Transaction


@dataclass(frozen=True, kw_only=True)
class Registration:
    institution_id: int
    issuer: str
    client_id: str
    auth_url: str
    token_url: str
    jwks_url: str
    platform_guid: str | None


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """`accepted_at` None: it waits for an operator, and its launches are refused."""

    id: int
    institution_id: int
    issuer: str
    client_id: str
    deployment_id: str
    platform_guid: str | None
    platform_name: str | None
    first_seen_at: datetime
    last_seen_at: datetime
    accepted_at: datetime | None


async def keep(database: Database, registration: Registration, now: datetime) -> None:
    async def work(tx: Transaction) -> None:
        await tx.run(
            "insert into lti_registration (institution_id, issuer, client_id, auth_url, token_url, jwks_url,"
            " platform_guid, registered_at) values ($1, $2, $3, $4, $5, $6, $7, $8)"
            " on conflict (institution_id, issuer, client_id) do update set auth_url = excluded.auth_url,"
            " token_url = excluded.token_url, jwks_url = excluded.jwks_url, platform_guid = excluded.platform_guid",
            registration.institution_id,
            registration.issuer,
            registration.client_id,
            registration.auth_url,
            registration.token_url,
            registration.jwks_url,
            registration.platform_guid,
            now,
        )

    await database.transact(work)


async def of_issuer(database: Database, issuer: str) -> list[Registration]:
    """Of every institution: which one a launch is for is found from them."""
    rows = await database.rows(f"{_SELECT} where issuer = $1 order by id", issuer)
    return [Registration(**row) for row in rows]


async def of_institution(database: Database, institution_id: int) -> list[Registration]:
    rows = await database.rows(f"{_SELECT} where institution_id = $1 order by id", institution_id)
    return [Registration(**row) for row in rows]


_SELECT = (
    "select institution_id, issuer, client_id, auth_url, token_url, jwks_url, platform_guid"
    " from lti_registration"
)


async def accepted(
    database: Database, issuer: str, client_id: str, deployment_id: str
) -> list[int]:
    """The institutions whose operator accepted this deployment."""
    rows = await database.rows(
        "select institution_id from lti_deployment where issuer = $1 and client_id = $2 and deployment_id = $3"
        " and accepted_at is not null order by institution_id",
        issuer,
        client_id,
        deployment_id,
    )
    return [int(row["institution_id"]) for row in rows]


async def note(
    database: Database,
    institution_ids: list[int],
    *,
    issuer: str,
    client_id: str,
    deployment_id: str,
    platform_guid: str | None,
    platform_name: str | None,
    now: datetime,
) -> None:
    """A deployment launched that nobody configured: show it to the operators of the institutions that it may belong to."""

    async def work(tx: Transaction) -> None:
        for institution_id in institution_ids:
            await tx.run(
                "insert into lti_deployment (institution_id, issuer, client_id, deployment_id, platform_guid, platform_name,"
                " first_seen_at, last_seen_at) values ($1, $2, $3, $4, $5, $6, $7, $7)"
                " on conflict (institution_id, issuer, client_id, deployment_id) do update set last_seen_at = excluded.last_seen_at",
                institution_id,
                issuer,
                client_id,
                deployment_id,
                platform_guid,
                platform_name,
                now,
            )

    await database.transact(work)


async def deployments(database: Database, institution_id: int) -> list[Deployment]:
    """Those that wait first, then the accepted ones."""
    rows = await database.rows(
        "select id, institution_id, issuer, client_id, deployment_id, platform_guid, platform_name, first_seen_at,"
        " last_seen_at, accepted_at from lti_deployment where institution_id = $1"
        " order by case when accepted_at is null then 0 else 1 end, id",
        institution_id,
    )
    return [_deployment(row) for row in rows]


async def accept(database: Database, institution_id: int, row_id: int, now: datetime) -> bool:
    """Let the deployment's launches in from now on. Whether it was waiting."""

    async def work(tx: Transaction) -> int:
        return await tx.run(
            "update lti_deployment set accepted_at = $1 where institution_id = $2 and id = $3 and accepted_at is null",
            now,
            institution_id,
            row_id,
        )

    return await database.transact(work) > 0


async def forget(database: Database, institution_id: int, row_id: int) -> bool:
    """Refuse the deployment's launches from now on. Whether there was one."""

    async def work(tx: Transaction) -> int:
        return await tx.run(
            "delete from lti_deployment where institution_id = $1 and id = $2",
            institution_id,
            row_id,
        )

    return await database.transact(work) > 0


def _deployment(row: Row) -> Deployment:
    times = ("first_seen_at", "last_seen_at", "accepted_at")
    return Deployment(**row | {name: _time(row[name]) for name in times})


def _time(value: datetime | str | None) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
