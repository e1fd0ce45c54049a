"""Links in mails to people whom a launch brought and nobody knows: kept by digest, used once, few to one address."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.store.logins import digest
from gateway.uow import Database, Transaction
from models.roster import IdentityKind

MOST_AN_HOUR = 3


@dataclass(frozen=True, kw_only=True)
class MailedLink:
    """`person_id`: whose account it is for; None for a new one."""

    institution_id: int
    person_id: int | None
    held: str


async def make(
    database: Database,
    link: MailedLink,
    *,
    key: str,
    address: str,
    now: datetime,
    expires_at: datetime,
) -> bool:
    """False where the address was sent enough already."""
    of_address = digest(address.lower())

    async def work(tx: Transaction) -> bool:
        await tx.run(
            "delete from mailed_link where institution_id = $1 and made_at < $2",
            link.institution_id,
            now - timedelta(days=1),
        )
        sent = await tx.rows(
            "select count(*) as sent from mailed_link where institution_id = $1 and address_digest = $2 and made_at > $3",
            link.institution_id,
            of_address,
            now - timedelta(hours=1),
        )
        if sent[0]["sent"] >= MOST_AN_HOUR:
            return False
        await tx.run(
            "insert into mailed_link (institution_id, digest, address_digest, person_id, held, made_at, expires_at)"
            " values ($1, $2, $3, $4, $5, $6, $7)",
            link.institution_id,
            digest(key),
            of_address,
            link.person_id,
            link.held,
            now,
            expires_at,
        )
        return True

    return await database.transact(work)


async def find(database: Database, unverified_key: str, now: datetime) -> MailedLink | None:
    rows = await database.rows(
        "select institution_id, person_id, held from mailed_link where digest = $1 and expires_at > $2"
        " and used_at is null",
        digest(unverified_key),
        now,
    )
    return MailedLink(**rows[0]) if rows else None


async def take(database: Database, unverified_key: str, now: datetime) -> MailedLink | None:
    """The same, and it is used."""

    async def work(tx: Transaction) -> MailedLink | None:
        rows = await tx.rows(
            "update mailed_link set used_at = $2 where digest = $1 and expires_at > $2 and used_at is null"
            " returning institution_id, person_id, held",
            digest(unverified_key),
            now,
        )
        return MailedLink(**rows[0]) if rows else None

    return await database.transact(work)


async def person_with_address(database: Database, institution_id: int, address: str) -> int | None:
    """The one living person who has this address; None where there is none, or more than one."""
    rows = await database.rows(
        "select distinct coalesce(p.merged_into_id, p.id) as person from identity i join person p"
        " on p.institution_id = i.institution_id and p.id = i.person_id where i.institution_id = $1 and i.kind = $2"
        " and i.value = $3 and i.ended_at is null and (p.removed_at is null or p.merged_into_id is not null)",
        institution_id,
        IdentityKind.EMAIL.value,
        address.lower(),
    )
    return int(rows[0]["person"]) if len(rows) == 1 else None


async def name_of(database: Database, institution_id: int, person_id: int) -> str | None:
    rows = await database.rows(
        "select name from person where institution_id = $1 and id = $2", institution_id, person_id
    )
    return rows[0]["name"] if rows else None
