"""Told rows meet stored rows, a set at a time: matched, merged by the rules of `gateway.merge`, written, and told on.

Everything about one chunk happens in the caller's transaction, under the institution's lock: the rows, the entries of
the feed with their positions, and the feed's new end. Whoever reads sees all of it or nothing.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from gateway.changes import FIELDS
from gateway.merge import poorer_than, richer_than
from gateway.store import bulk, dialects
from gateway.store.shapes import NAMELESS, Group, Shape
from gateway.uow import Dialect, Transaction
from models.roster import ChangeKind, Source


@dataclass(frozen=True, kw_only=True)
class Telling:
    """Who tells what as of when, and whether the feed hears of it (a first load ends in one BASELINE instead).

    `made`: whether it hears of rows that are new, too. `actor_id`: the person whose doing it is.
    """

    institution_id: int
    source: Source
    as_of: datetime
    run_id: int | None
    now: datetime
    feed: bool
    made: bool = True
    actor_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class Merged:
    created: int = 0
    updated: int = 0
    removed: int = 0
    unchanged: int = 0

    def __add__(self, other: "Merged") -> "Merged":
        return Merged(**{name: value + getattr(other, name) for name, value in vars(self).items()})


async def lock(tx: Transaction, institution_id: int) -> None:
    """Wait for every other writer of this institution; held until the transaction ends. SQLite has one writer anyway."""
    await tx.run(
        "update institution set feed_position = feed_position where id = $1", institution_id
    )
    if tx.dialect is Dialect.POSTGRES:
        # A chunk touches few rows of a large table: going to each by an index beats a walk through all of it.
        await tx.run("set local random_page_cost = 1")


def as_stored(shape: Shape, told: pl.DataFrame, telling: Telling) -> pl.DataFrame:
    """Told rows as rows of the table, for a first load that meets nothing: what `merge` would make of them."""
    columns = shape.columns & set(told.columns)
    groups = [group for group in shape.groups if group.columns & columns]
    vouched = {group.source: pl.lit(telling.source.value) for group in groups}
    vouched |= {group.as_of: pl.lit(telling.as_of.isoformat(" ")) for group in groups}
    if shape.tombstone:
        gone = pl.when(pl.col("state") == "DELETED").then(pl.lit(telling.as_of.isoformat(" ")))
        vouched["removed_at"] = gone
    return told.select(
        *sorted(columns), "row_hash", institution_id=pl.lit(telling.institution_id), **vouched
    )


async def merge(tx: Transaction, shape: Shape, told: pl.DataFrame, telling: Telling) -> Merged:
    """`told`: columns of the shape's table, and `row_hash`, null where the source has none."""
    await stage(tx, shape, told, telling)
    return await settle(tx, shape, told.columns, telling)


async def staged_ids(tx: Transaction) -> list[int]:
    """The rows that the staged ones are about; new ones too once they are settled."""
    return [int(row["id"]) for row in await tx.rows("select id from staged where id is not null")]


async def drop_unchanged(tx: Transaction, shape: Shape) -> int:
    """Staged rows whose hash the stored row has already are done with; how many there were."""
    return await tx.run(
        f"delete from staged where exists (select 1 from {shape.table} t where t.id = staged.id"
        " and t.institution_id = staged.institution_id and t.row_hash = staged.row_hash)"
    )


async def stage(
    tx: Transaction, shape: Shape, told: pl.DataFrame, telling: Telling, *, match: bool = True
) -> int:
    """The told rows beside the table as `staged`, each with the id of its stored row, or null; told ids stand.

    How many were left out because an earlier one is about the same stored row. Without `match` a row that comes without an
    id is new.
    """
    group, columns = shape.groups[0], [column for column in told.columns if column != "id"]
    query = (
        "select cast(null as bigint) as n, id, cast(null as integer) as fresh, institution_id,"
        f" {group.source} as told_source, {group.as_of} as told_as_of, {', '.join(columns)}"
        f" from {shape.table} where 1 = 0"
    )
    await _run_all(tx, dialects.temporary(tx.dialect, "staged", query))
    staged = told.with_columns(
        n=pl.int_range(1, pl.len() + 1),
        institution_id=pl.lit(telling.institution_id),
        told_source=pl.lit(telling.source.value),
        told_as_of=pl.lit(telling.as_of.isoformat(" ")),
    )
    await bulk.copy_in(tx, "staged", staged)
    await dialects.know_size(tx, "staged")
    if not match:
        return 0
    nameless = await _has_nameless(tx, shape, telling.institution_id)
    for condition in shape.by_canvas_id if "canvas_id" in told.columns else shape.by_sis_id:
        if _answerable(condition, told.columns) and (nameless or NAMELESS not in condition):
            await tx.run(
                # + 0: a bare min would tempt the planner to walk the whole table in the order of its ids
                f"update staged as s set id = (select min(t.id + 0) from {shape.table} t where t.institution_id ="
                f" s.institution_id and {condition}) where s.id is null"
            )
    return await tx.run(
        "delete from staged where id is not null"
        " and n not in (select min(n) from staged where id is not null group by id)"
    )


async def _has_nameless(tx: Transaction, shape: Shape, institution_id: int) -> bool:
    """Whether any row is without its Canvas id: looking for one among a million, row by row, takes long."""
    return bool(
        await tx.rows(
            f"select t.id from {shape.table} t where t.institution_id = $1 and t.canvas_id is null limit 1",
            institution_id,
        )
    )


def _answerable(condition: str, columns: Collection[str]) -> bool:
    """Whether the told rows have what the condition looks at."""
    return set(re.findall(r"\bs\.(\w+)", condition)) <= {*columns, "institution_id"}


async def settle(tx: Transaction, shape: Shape, columns: Sequence[str], telling: Telling) -> Merged:
    """What is staged, merged into the table and told to the feed."""
    await tx.run(
        f"update staged set fresh = 1, id = {dialects.next_id(tx.dialect, shape.table)} where id is null"
    )
    told = sorted(shape.columns & set(columns))
    await _run_all(
        tx, dialects.temporary(tx.dialect, "merged", _merge_query(shape, told, telling.source))
    )
    await dialects.know_size(tx, "merged")
    merged = await _counted(tx, shape, told)
    if telling.feed:
        await _tell(tx, shape, told, telling, merged)
    await _write(tx, shape, told, telling)
    return merged


def _merge_query(shape: Shape, told: Sequence[str], source: Source) -> str:
    """Each staged row with the stored values (`o_…`) and what they become (`n_…`)."""
    parts = ["s.n", "s.id", "s.fresh", "s.row_hash"]
    groups = [group for group in shape.groups if group.columns & set(told)]
    for group in groups:
        wins = _wins(group, source)
        parts.append(
            f"case when {wins} then s.told_source else t.{group.source} end as n_{group.source}"
        )
        parts.append(
            f"case when {wins} then s.told_as_of else t.{group.as_of} end as n_{group.as_of}"
        )
        for column in sorted(group.columns & set(told)):
            becomes = shape.told.get(column, f"s.{column}")
            parts.append(f"t.{column} as o_{column}")
            # an older word may still be the first to say that something is in Canvas
            known = "coalesce(t.canvas_id, s.canvas_id)"
            stays = known if column == "canvas_id" else f"t.{column}"
            parts.append(f"case when {wins} then {becomes} else {stays} end as n_{column}")
    for column in sorted(shape.keys & set(told)):
        parts.append(f"t.{column} as o_{column}")
        parts.append(f"coalesce(t.{column}, s.{column}) as n_{column}")
    if shape.course == "n_course_id" and "course_id" not in told:
        parts.append("t.course_id as n_course_id")
    all_win = " and ".join(_wins(group, source) for group in groups) or "1 = 1"
    parts.append(f"case when {all_win} then 1 end as all_win")
    parts.append("t.removed_at as o_removed_at")
    parts.append(f"{_removed_at(shape, told, source)} as n_removed_at")
    return (
        f"select {', '.join(parts)} from staged s"
        f" left join {shape.table} t on t.id = s.id and t.institution_id = s.institution_id"
    )


def _wins(group: Group, source: Source) -> str:
    """`gateway.merge.wins`, in SQL."""
    newer = f"s.told_as_of >= t.{group.as_of}"
    if richer := _words(richer_than(source)):
        newer = f"({newer} and t.{group.source} not in ({richer}))"
    poorer = _words(poorer_than(source))
    replaced = f" or t.{group.source} in ({poorer})" if poorer else ""
    return f"(t.{group.as_of} is null or {newer}{replaced})"


def _words(sources: Sequence[Source]) -> str:
    return ", ".join(f"'{source}'" for source in sources)


def _removed_at(shape: Shape, told: Sequence[str], source: Source) -> str:
    if not shape.tombstone or "state" not in told:
        return "t.removed_at"
    group = next(group for group in shape.groups if "state" in group.columns)
    becomes = shape.told.get("state", "s.state")
    gone = f"case when {becomes} = 'DELETED' then coalesce(t.removed_at, s.told_as_of) end"
    return f"case when {_wins(group, source)} then {gone} else t.removed_at end"


def _kind() -> str:
    return (
        f"case when fresh = 1 and n_removed_at is null then '{ChangeKind.CREATED}'"
        f" when n_removed_at is not null and o_removed_at is null then '{ChangeKind.REMOVED}'"
        f" when n_removed_at is null and o_removed_at is not null then '{ChangeKind.RESTORED}'"
        f" else '{ChangeKind.UPDATED}' end"
    )


def _changed(tx: Transaction, shape: Shape, told: Sequence[str]) -> str:
    shown = [column for column in told if column in FIELDS[shape.subject]]
    differences = [dialects.differ(tx.dialect, f"o_{column}", f"n_{column}") for column in shown]
    return f"(fresh = 1 or {' or '.join([*differences, '(o_removed_at is null) <> (n_removed_at is null)'])})"


async def _counted(tx: Transaction, shape: Shape, told: Sequence[str]) -> Merged:
    rows = await tx.rows(
        f"select fresh, kind, count(*) as n from (select coalesce(fresh, 0) as fresh, case when {_changed(tx, shape, told)}"
        f" then {_kind()} end as kind from merged) told group by fresh, kind"
    )
    counts = {(row["fresh"], row["kind"]): row["n"] for row in rows}
    return Merged(
        created=sum(n for (fresh, _), n in counts.items() if fresh),
        updated=counts.get((0, ChangeKind.UPDATED), 0) + counts.get((0, ChangeKind.RESTORED), 0),
        removed=counts.get((0, ChangeKind.REMOVED), 0),
        unchanged=counts.get((0, None), 0),
    )


async def _tell(
    tx: Transaction, shape: Shape, told: Sequence[str], telling: Telling, merged: Merged
) -> None:
    entries = merged.updated + merged.removed + (merged.created if telling.made else 0)
    if not entries:
        return
    first = await take_positions(tx, telling.institution_id, entries)
    before, after = (_listed(tx, shape, told, side) for side in ("o", "n"))
    course = shape.course or "cast(null as bigint)"
    await tx.run(
        "insert into change (institution_id, position, at, kind, subject_type, subject_id, course_id, before, after,"
        " source, sync_run_id, actor_id) select $1, $2 + row_number() over (order by n), $3,"
        f" {_kind()}, '{shape.subject}', id, {course},"
        f" case when fresh is null then '[' || substr({before}, 2) || ']' end, '[' || substr({after}, 2) || ']', $4, $5, $6"
        f" from merged where {_changed(tx, shape, told)}{'' if telling.made else ' and fresh is null'}",
        telling.institution_id,
        first - 1,
        telling.now,
        telling.source.value,
        telling.run_id,
        telling.actor_id,
    )


async def take_positions(tx: Transaction, institution_id: int, count: int) -> int:
    """The first of `count` positions at the end of the feed, which ends behind them when the transaction does."""
    rows = await tx.rows(
        "update institution set feed_position = feed_position + $2 where id = $1 returning feed_position",
        institution_id,
        count,
    )
    return int(rows[0]["feed_position"]) - count + 1


def _listed(tx: Transaction, shape: Shape, told: Sequence[str], side: str) -> str:
    """The changed fields as `,{"field":…,"value":…}` one after the other."""
    shown = [(column, FIELDS[shape.subject].get(column)) for column in told]
    return " || ".join(
        f"case when {dialects.differ(tx.dialect, f'o_{column}', f'n_{column}')}"
        f""" then ',{{"field":"{name}","value":' || {dialects.json_text(tx.dialect, f"{side}_{column}", column)} || '}}'"""
        " else '' end"
        for column, name in shown
        if name
    )


async def _write(tx: Transaction, shape: Shape, told: Sequence[str], telling: Telling) -> None:
    groups = [group for group in shape.groups if group.columns & set(told)]
    vouched = [column for group in groups for column in (group.source, group.as_of)]
    columns = [*told, *vouched, "removed_at"]
    assigned = [f"{column} = m.n_{column}" for column in columns]
    # What a source without hashes leaves as it was is still what the last report said.
    anew = f"m.all_win = 1 and (m.row_hash is not null or {_changed(tx, shape, told)})"
    assigned.append(f"row_hash = case when {anew} then m.row_hash else t.row_hash end")
    if shape.table == "enrollment":
        assigned.append("missing_since = null")
    await tx.run(
        f"update {shape.table} as t set {', '.join(assigned)} from merged m"
        " where t.id = m.id and t.institution_id = $1 and m.fresh is null",
        telling.institution_id,
    )
    absent = {name: value for name, value in shape.absent.items() if name not in told}
    made = [
        f"coalesce(n_{column}, {shape.absent[column]})" if column in shape.absent else f"n_{column}"
        for column in columns
    ]
    names = ", ".join(["institution_id", "id", "row_hash", *columns, *absent])
    await tx.run(
        f"insert into {shape.table} ({names}) select $1, id, row_hash, {', '.join([*made, *absent.values()])}"
        " from merged where fresh = 1 order by n",
        telling.institution_id,
    )


async def _run_all(tx: Transaction, statements: Sequence[str]) -> None:
    for statement in statements:
        await tx.run(statement)
