"""Rows of a batch as the merge takes them: columns of their table, told ones only, and what they refer to as our ids."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar

import polars as pl
from msgspec import UNSET, Struct
from msgspec.structs import asdict

from gateway.store import merging
from gateway.store.merging import Merged, Telling
from gateway.store.shapes import Shape
from gateway.uow import Transaction
from models import text

S = TypeVar("S", bound=Struct)
Columns = dict[str, Any]

_IDS = frozenset(
    {"id", "canvas_id", "course_id", "section_id", "person_id", "role_id", "associated_person_id"}
    | {"total_activity_seconds", "sis_import_id", "row_hash", "account_id", "term_id"}
    | {"origin_course_id", "parent_id"}
)


class Mention(Struct, frozen=True, kw_only=True):
    """Something known by its Canvas id alone."""

    canvas_id: int


def columns(row: Struct) -> Columns:
    """The fields that were told."""
    return {name: value for name, value in asdict(row).items() if value is not UNSET}


def alike(rows: Iterable[S], of: Callable[[S], Columns]) -> Iterator[tuple[list[S], pl.DataFrame]]:
    """The rows in groups that tell the same columns, each with its frame: a column that a row does not tell is not in it."""
    groups: dict[frozenset[str], list[tuple[S, Columns]]] = {}
    for row in rows:
        told = of(row)
        groups.setdefault(frozenset(told), []).append((row, told))
    for names, members in groups.items():
        yield [row for row, _ in members], _frame(names, [told for _, told in members])


def _frame(names: Iterable[str], rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    columns = {name: [_plain(row[name]) for row in rows] for name in sorted(names)}
    frame = pl.DataFrame({name: _series(name, values) for name, values in columns.items()})
    return frame.with_columns(row_hash=pl.lit(None, pl.Int64))


def _plain(value: object) -> object:
    return value.value if isinstance(value, Enum) else value


def _series(name: str, values: Sequence[object]) -> pl.Series:
    if name in _IDS:
        return pl.Series(name, values, dtype=pl.Int64)
    if name.endswith("_at"):
        return pl.Series(name, values, dtype=pl.Datetime("us", "UTC"))
    if name == "limit_to_section":
        return pl.Series(name, values, dtype=pl.Boolean)
    return pl.Series(name, values, dtype=pl.String)


def keys(name: object, *others: object) -> Columns:
    """What a list of named things is ordered and searched by."""
    texts = [one if isinstance(one, str) else None for one in (name, *others)]
    return {"sort_key": text.sort_key(*texts), "search_key": text.search_key(*texts)}


async def our_ids(
    tx: Transaction, institution_id: int, table: str, canvas_ids: Iterable[int]
) -> dict[int, int]:
    """Our ids of the rows with these Canvas ids, as far as they are known."""
    found: dict[int, int] = {}
    asked = sorted(set(canvas_ids))
    for start in range(0, len(asked), 1_000):
        listed = ", ".join(f"{one:d}" for one in asked[start : start + 1_000])
        rows = await tx.rows(
            f"select canvas_id, id from {table} where institution_id = $1 and canvas_id in ({listed})",
            institution_id,
        )
        found |= {int(row["canvas_id"]): int(row["id"]) for row in rows}
    return found


async def merged_in(
    tx: Transaction,
    shape: Shape,
    rows: Iterable[S],
    columns_of: Callable[[S], Columns],
    telling: Telling,
) -> tuple[Merged, set[int]]:
    """The rows merged into their table: what became of them, and our ids of them."""
    total, ids = Merged(), set[int]()
    for _, frame in alike(rows, columns_of):
        await merging.stage(tx, shape, frame, telling)
        total += await merging.settle(tx, shape, frame.columns, telling)
        ids.update(await merging.staged_ids(tx))
    return total, ids
