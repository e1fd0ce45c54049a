"""Institutions: made from the configuration, found by slug."""

from dataclasses import dataclass

from gateway.uow import Database, Row, Transaction


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


_SELECT = "select id, slug, canvas_url, shard from institution"


def _from_row(row: Row) -> Institution:
    return Institution(**row)
