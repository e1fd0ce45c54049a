"""Aliases of a chunk of people: who else holds them, which end, which open. Works beside `merging`'s staged people.

`told_alias` names each by the staged person's `n`. An alias is never taken from a living person silently: the caller
hears who holds it, and decides.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl

from gateway.store import bulk, dialects
from gateway.store.merging import Telling
from gateway.uow import Database, Transaction
from models.roster import IdentityKind, Resolution, Source

# A conflict that waits, or of which an operator said that all is as it should be: it is not put on the desk again.
STANDING = f"(resolved_at is null or resolution = '{Resolution.KEEP}')"

REPORT_SOURCES = (Source.REPORT, Source.SIS_EXPORT, Source.UPLOAD)

_SAME = "i.kind = a.kind and i.scope = a.scope and i.value = a.value"


@dataclass(frozen=True, kw_only=True)
class Held:
    """An alias that the staged person `n` claims and another person holds."""

    kind: str
    scope: str
    value: str
    n: int = 0
    claimant: int | None = None
    holder: int | None = None
    holder_canvas_id: int | None = None
    holder_gone: bool = False


async def stage(tx: Transaction, aliases: pl.DataFrame) -> None:
    """`aliases`: n, kind, scope, value."""
    query = "select cast(0 as bigint) as n, kind, scope, value from identity where 1 = 0"
    for statement in dialects.temporary(tx.dialect, "told_alias", query):
        await tx.run(statement)
    await bulk.copy_in(tx, "told_alias", aliases.select("n", "kind", "scope", "value"))
    await dialects.know_size(tx, "told_alias")


def as_stored(aliases: pl.DataFrame, telling: Telling) -> pl.DataFrame:
    """`aliases` (person_id, kind, scope, value) as rows of the table, for a first load."""
    seen = pl.lit(telling.as_of.isoformat(" "))
    return aliases.select(
        "person_id",
        "kind",
        "scope",
        "value",
        institution_id=pl.lit(telling.institution_id),
        exclusive=pl.when(pl.col("kind") != IdentityKind.EMAIL.value).then(True),  # noqa: FBT003  a literal column
        source=pl.lit(telling.source.value),
        first_seen_at=seen,
        last_seen_at=seen,
    )


async def held_by_others(tx: Transaction, institution_id: int) -> list[Held]:
    rows = await tx.rows(
        "select a.n, s.id as claimant, a.kind, a.scope, a.value, p.id as holder, p.canvas_id as holder_canvas_id,"
        " case when p.removed_at is not null or p.state = 'DELETED' then 1 else 0 end as holder_gone"
        f" from told_alias a join staged s on s.n = a.n join identity i on i.institution_id = $1 and {_SAME} and i.exclusive"
        " join person p on p.institution_id = i.institution_id and p.id = i.person_id"
        " where s.id is null or p.id <> s.id order by a.n, a.kind, a.value",
        institution_id,
    )
    return [Held(**{**row, "holder_gone": bool(row["holder_gone"])}) for row in rows]


async def holder_of(
    database: Database, institution_id: int, kind: str, scope: str, value: str
) -> Held | None:
    """Who has this alias now."""
    rows = await database.rows(
        "select i.kind, i.scope, i.value, p.id as holder, p.canvas_id as holder_canvas_id from identity i"
        " join person p on p.institution_id = i.institution_id and p.id = i.person_id where i.institution_id = $1"
        f" and i.kind = $2 and i.scope = $3 and i.value = $4 and i.exclusive = {dialects.true(database.dialect)}",
        institution_id,
        kind,
        scope,
        value,
    )
    return Held(**rows[0]) if rows else None


async def end(tx: Transaction, telling: Telling, held: Sequence[Held]) -> None:
    """Aliases that their holders have given up."""
    await tx.many(
        "update identity set ended_at = $1, exclusive = null where institution_id = $2 and person_id = $3 and kind = $4"
        " and scope = $5 and value = $6 and ended_at is null",
        [
            (telling.as_of, telling.institution_id, one.holder, one.kind, one.scope, one.value)
            for one in held
        ],
    )


async def settle(tx: Transaction, telling: Telling, *, complete: Collection[IdentityKind]) -> None:
    """The staged people have the told aliases; of the kinds in `complete`, where all were told, reports' others end."""
    told = "from told_alias a join staged s on s.n = a.n"
    await tx.run(
        f"update identity as i set last_seen_at = $2 {told} where i.institution_id = $1 and i.person_id = s.id and {_SAME}"
        " and i.ended_at is null and i.last_seen_at < $2",
        telling.institution_id,
        telling.as_of,
    )
    if complete:
        await tx.run(
            "update identity as i set ended_at = $2, exclusive = null from staged s where i.institution_id = $1"
            " and i.person_id = s.id and i.ended_at is null and i.last_seen_at < $2"
            f" and i.kind in ({_words(complete)}) and i.source in ({_words(REPORT_SOURCES)})",
            telling.institution_id,
            telling.as_of,
        )
    await tx.run(
        "insert into identity (institution_id, person_id, kind, scope, value, exclusive, source, first_seen_at, last_seen_at)"
        f" select s.institution_id, s.id, a.kind, a.scope, a.value, {_exclusive(tx)}, s.told_source, s.told_as_of,"
        f" s.told_as_of {told} left join identity i on i.institution_id = s.institution_id and i.person_id = s.id and {_SAME}"
        " and i.ended_at is null where i.id is null"
    )


def _exclusive(tx: Transaction) -> str:
    return f"case when a.kind <> '{IdentityKind.EMAIL}' then {dialects.true(tx.dialect)} end"


async def record_conflicts(
    tx: Transaction, telling: Telling, conflicts: Sequence[tuple[Held, str]]
) -> None:
    """Each with its evidence, unless the same one is open already, or was decided to be none."""
    for held, evidence in conflicts:
        if await _is_known(tx, telling.institution_id, held):
            continue
        await tx.run(
            "insert into identity_conflict (institution_id, kind, value, person_id, other_person_id, source, evidence, found_at,"
            " scope) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            telling.institution_id,
            held.kind,
            held.value,
            held.claimant,
            held.holder,
            telling.source.value,
            evidence,
            telling.now,
            held.scope,
        )


async def _is_known(tx: Transaction, institution_id: int, held: Held) -> bool:
    return bool(
        await tx.rows(
            "select id from identity_conflict where institution_id = $1 and kind = $2 and value = $3"
            f" and coalesce(person_id, 0) = $4 and coalesce(other_person_id, 0) = $5 and scope = $6 and {STANDING}",
            institution_id,
            held.kind,
            held.value,
            held.claimant or 0,
            held.holder or 0,
            held.scope,
        )
    )


def _words(words: Collection[str]) -> str:
    return ", ".join(f"'{word}'" for word in sorted(words))
