"""What Canvas was told of each row of a change of many, time after time, and what it answered."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson

from gateway.store.intended import Authority
from gateway.store.rows import time
from gateway.uow import Database, Row, Transaction

MOST_CHARACTERS = 2_000


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """As `models.tables.RosterExchange` says."""

    place: int
    told_at: datetime
    authority: Authority
    told: str
    answer: str | None = None


async def tell(
    tx: Transaction, institution_id: int, change_id: int, exchanges: Iterable[Exchange]
) -> None:
    """Before Canvas hears of it."""
    await tx.many(
        "insert into roster_exchange (institution_id, roster_change_id, place, told_at, authority, told)"
        " values ($1, $2, $3, $4, $5, $6)",
        [
            (institution_id, change_id, one.place, one.told_at, one.authority.value, one.told)
            for one in exchanges
        ],
    )


async def answer(
    tx: Transaction, institution_id: int, change_id: int, answers: Mapping[int, object]
) -> None:
    """What was answered, by place, to what was told last: a row is told one thing after the other."""
    await tx.many(
        "update roster_exchange set answer = $4 where answer is null and institution_id = $1 and roster_change_id = $2"
        " and place = $3 and id = (select max(l.id) from roster_exchange l where l.institution_id = $1"
        " and l.roster_change_id = $2 and l.place = $3)",
        [
            (institution_id, change_id, place, _bounded(answered))
            for place, answered in answers.items()
        ],
    )


async def of_rows(
    database: Database, institution_id: int, change_id: int, places: Collection[int]
) -> dict[int, list[Exchange]]:
    """By place, the first first."""
    if not places:
        return {}
    rows = await database.rows(
        "select place, told_at, authority, told, answer from roster_exchange where institution_id = $1"
        f" and roster_change_id = $2 and place in ({', '.join(map(str, sorted(places)))}) order by id",
        institution_id,
        change_id,
    )
    found: dict[int, list[Exchange]] = {place: [] for place in places}
    for row in rows:
        found[row["place"]].append(_exchange(row))
    return found


def _exchange(row: Row) -> Exchange:
    return Exchange(
        place=row["place"],
        told_at=time(row["told_at"]),
        authority=Authority(row["authority"]),
        told=row["told"],
        answer=row["answer"],
    )


def _bounded(answered: object) -> str:
    """There may be 50,000 of them."""
    text = orjson.dumps(answered).decode()
    if len(text) <= MOST_CHARACTERS:
        return text
    return orjson.dumps({"cut": text[:MOST_CHARACTERS]}).decode()
