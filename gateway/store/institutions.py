"""Institutions: made from the configuration, found by slug."""

from dataclasses import dataclass

from gateway.errors import SourceRefused
from gateway.uow import Database, Row, Transaction
from models.canvas_ids import SHARD_SIZE, to_global
from models.roster import IdentityKind

# What Canvas calls the root account of the host that is asked, and numbers it.
_ROOT_ACCOUNTS = ("self", "1")


@dataclass(frozen=True, kw_only=True)
class Institution:
    id: int
    slug: str
    canvas_url: str | None
    shard: int


async def ensure(database: Database, *, slug: str, canvas_url: str | None) -> Institution:
    """The institution called `slug`, made when it is new; its Canvas address follows the configuration."""

    async def work(tx: Transaction) -> Institution:
        await tx.run(
            "insert into institution (slug, canvas_url, shard, feed_position) values ($1, $2, 1, 0)"
            " on conflict (slug) do update set canvas_url = excluded.canvas_url",
            slug,
            canvas_url,
        )
        return _from_row((await tx.rows(_SELECT + " where slug = $1", slug))[0])

    return await database.transact(work)


async def by_slug(database: Database, slug: str) -> Institution | None:
    rows = await database.rows(_SELECT + " where slug = $1", slug)
    return _from_row(rows[0]) if rows else None


async def by_id(database: Database, institution_id: int) -> Institution | None:
    rows = await database.rows(_SELECT + " where id = $1", institution_id)
    return _from_row(rows[0]) if rows else None


async def is_root_account(database: Database, institution_id: int, canvas_id: int) -> bool:
    """Whether the account is the school's whole: as launches told, else as the one without a parent that was read."""
    rows = await database.rows(
        "select i.id from institution i where i.id = $1 and (i.root_account = $2 or (i.root_account is null"
        " and exists (select 1 from account a where a.institution_id = $1 and a.canvas_id = $2"
        " and a.parent_id is null and a.removed_at is null)))",
        institution_id,
        canvas_id,
    )
    return bool(rows)


async def reported_account(
    database: Database, institution: Institution, account_id: str
) -> int | None:
    """Our id of the account that Canvas calls so; None for the root, whose report tells of everybody.

    SourceRefused where it is not known yet whether it is the root.
    """
    if account_id == "self":
        return None
    rows = await database.rows(
        "select id, parent_id from account where institution_id = $1 and canvas_id = $2",
        institution.id,
        to_global(account_id, institution.shard),
    )
    if rows:
        return None if rows[0]["parent_id"] is None else int(rows[0]["id"])
    if account_id in _ROOT_ACCOUNTS:
        return None
    raise SourceRefused(
        f"it is not known yet whether account {account_id} is the whole institution; import a report of it first"
    )


async def learn_root_account(tx: Transaction, institution_id: int, canvas_id: int) -> None:
    await tx.run(
        "update institution set root_account = $2 where id = $1 and root_account is null",
        institution_id,
        canvas_id,
    )


async def learn_shard(tx: Transaction, institution_id: int, shard: int) -> None:
    """The institution's Canvas lives on `shard`: what was keyed by another one, before this was known, is keyed anew."""
    rows = await tx.rows(_SELECT + " where id = $1", institution_id)
    before = int(rows[0]["shard"])
    if before == shard:
        return
    await tx.run(
        "update institution set shard = $2, root_account = null where id = $1",
        institution_id,
        shard,
    )
    low, moved = before * SHARD_SIZE, (shard - before) * SHARD_SIZE
    for table in _WITH_CANVAS_IDS:
        await tx.run(
            f"update {table} set canvas_id = canvas_id + {moved} where institution_id = $1"
            f" and canvas_id >= {low} and canvas_id < {low + SHARD_SIZE} and not exists (select 1 from {table} o"
            f" where o.institution_id = $1 and o.canvas_id = {table}.canvas_id + {moved})",
            institution_id,
        )
    number = (
        f"case when i.kind = '{IdentityKind.CANVAS_GLOBAL_ID}' then cast(i.value as bigint) end"
    )
    await tx.run(
        f"update identity as i set value = cast({number} + {moved} as text) where i.institution_id = $1"
        f" and {number} >= {low} and {number} < {low + SHARD_SIZE} and not exists (select 1 from identity o"
        f" where o.institution_id = $1 and o.kind = i.kind and o.value = cast({number} + {moved} as text))",
        institution_id,
    )


_WITH_CANVAS_IDS = ("account", "term", "course", "section", "person", "enrollment")

_SELECT = "select id, slug, canvas_url, shard from institution"


def _from_row(row: Row) -> Institution:
    return Institution(**row)
