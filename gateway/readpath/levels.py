"""One read function for each level of a query: all rows that one field means, for many parents at once."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from gateway.readpath import past
from gateway.readpath.connections import Connections, Record
from gateway.readpath.filters import Filter
from gateway.readpath.paging import Cursor, Order, Window, order_value
from gateway.readpath.provenance import Tally
from gateway.readpath.registry import USER, Reader, Row, as_time
from gateway.readpath.shapes import (
    Columns,
    Decode,
    MakeDecode,
    Placed,
    Shape,
    as_rows,
    placed,
    select,
)
from gateway.readpath.sql import From, Statement, array
from gateway.uow import Dialect
from models.roster import Source

ROOT = 0  # stands for the parent of a list that has none
_KEPT = 512  # statements


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A list of the graph: what to bring of which rows, in which order, and which part of it."""

    shape: Shape
    parent: str | None  # the column that names a row's parent; None: a list of the institution
    filter: Filter
    order: Order = field(default_factory=Order)
    window: Window = field(default_factory=Window)
    key: str = ""


Place = tuple[int, str | None]


@dataclass(kw_only=True)
class Page:
    """Rows of one parent. `places` tells of any of them its id and order value, which its cursor holds."""

    rows: list[Any]
    more: bool
    places: Callable[[int], Place]

    def cursor(self, index: int, key: str, as_of: str | None) -> Cursor:
        row_id, value = self.places(index)
        return Cursor(key, row_id, value, as_of)


class Places(NamedTuple):
    """Where a statement's records hold the parts of a list's row, its id, and its order value."""

    row: Placed
    row_id: int
    order: int

    @classmethod
    def of(cls, listing: Listing, rows: From, columns: Columns, reader: Reader) -> "Places":
        row = placed(listing.shape, rows, columns, reader)
        order = columns.place(listing.order.value(rows))
        return cls(row, columns.place(rows.sql("{t}.id")), order)

    def page(self, listing: Listing, records: Sequence[Record], decode: Decode) -> Page:
        """Of one parent's records: the one beyond the page's size tells that there are more."""
        size = listing.window.size
        kept = list(records[:size])
        if listing.window.backwards:
            kept.reverse()

        def place(index: int) -> Place:
            record = kept[index]
            return record[self.row_id], order_value(listing.order, record, self.order)

        return Page(rows=decode(kept), more=len(records) > size, places=place)


class Prepared(NamedTuple):
    """A list's statement for whatever parents.

    `parents`: which of `values` they are; `parent`: where a record names its own. None: there is no such value.
    """

    sql: str
    values: tuple[object, ...]
    parents: int | None
    parent: int | None
    places: Places

    def of(self, dialect: Dialect, parents: Sequence[int]) -> list[object]:
        """Its values for these parents."""
        values = list(self.values)
        if self.parents is not None:
            values[self.parents] = parents[0] if self.parent is None else array(dialect, parents)
        return values


@dataclass(frozen=True)
class Level:
    """The rows of one list, for whatever parents; `decode` makes them of their records."""

    listing: Listing
    decode: MakeDecode = as_rows

    async def pages(
        self, connections: Connections, reader: Reader, parents: Sequence[int]
    ) -> dict[int, Page]:
        return await pages(connections, reader, self.listing, parents, self.decode)

    async def tallies(
        self,
        connections: Connections,
        reader: Reader,
        parents: Sequence[int],
        *,
        unfilled: bool = False,
    ) -> dict[int, list[Tally]]:
        return await tallies(connections, reader, self.listing, parents, unfilled=unfilled)


async def by_id(
    connections: Connections, reader: Reader, shape: Shape, ids: Iterable[int]
) -> dict[int, Row]:
    """The rows with these ids, as far as they are this institution's: tombstones too.

    The id of a person who was merged leads to the one they were merged into; of the past, once they had been.
    """
    statement = Statement(connections.dialect, reader)
    source, columns = From(statement, shape.table), Columns()
    decode = select(shape, source, columns, reader)
    own_id = columns.place("asked.id")
    asked = past.table(statement, shape.table.type_name, shape.table.name, None)
    target = merged("asked", reader) if shape.table is USER else "asked.id"
    sql = (
        f"select {columns} from {asked} asked join {source.source} {source.alias}"
        f" on {source.alias}.id = {target} and {source.alias}.institution_id = $1{source.joins}"
        f" where {' and '.join(['asked.institution_id = $1', *source.seen()])}"
        f" and {statement.any_of('asked.id', ids, 'bigint')}"
    )
    records = await connections.fetch(sql, statement.values)
    return dict(zip((record[own_id] for record in records), decode(records), strict=True))


def merged(person: str, reader: Reader) -> str:
    """The id of whoever a row of people stands for."""
    survivor = f"coalesce({person}.merged_into_id, {person}.id)"
    if reader.past is None:
        return survivor
    return f"case when {person}.removed_at is null then {person}.id else {survivor} end"


async def pages(
    connections: Connections,
    reader: Reader,
    listing: Listing,
    parents: Sequence[int] = (ROOT,),
    make_decode: MakeDecode = as_rows,
) -> dict[int, Page]:
    """The page of each parent, in one statement."""
    prepare = _kept if listing.window.cursor is None else _prepared
    prepared = prepare(connections.dialect, reader, listing, len(parents) > 1)
    records = await connections.fetch(prepared.sql, prepared.of(connections.dialect, parents))
    place = prepared.parent
    own = {parents[0]: records} if place is None else by_parent(records, place, parents)
    decode = make_decode(prepared.places.row, reader)
    return {parent: prepared.places.page(listing, found, decode) for parent, found in own.items()}


def by_parent(
    records: Iterable[Record], place: int, parents: Iterable[int]
) -> dict[int, list[Record]]:
    """The records of each parent, whose id stands at `place`."""
    found: dict[int, list[Record]] = {parent: [] for parent in parents}
    for record in records:
        found[record[place]].append(record)
    return found


def _prepared(dialect: Dialect, reader: Reader, listing: Listing, many: bool) -> Prepared:  # noqa: FBT001  lru_cache's way
    return (_many_parents if many else _one_parent)(Statement(dialect, reader), reader, listing)


# What differs from request to request is no part of a statement: its parents, and the reader's `now`.
_kept = lru_cache(maxsize=_KEPT)(_prepared)


def _one_parent(statement: Statement, reader: Reader, listing: Listing) -> Prepared:
    rows, columns = From(statement, listing.shape.table), Columns()
    places = Places.of(listing, rows, columns, reader)
    parent, place = None, None
    if listing.parent is not None:
        parent = statement.bind(None, "bigint")
        place = len(statement.values) - 1
    where = _where(rows, reader, listing, parent)
    clause, limit = _order_and_limit(rows, listing)
    return Prepared(
        sql=f"select {columns} from {rows} where {where} order by {clause} limit {limit}",
        values=tuple(statement.values),
        parents=place,
        parent=None,
        places=places,
    )


def _many_parents(statement: Statement, reader: Reader, listing: Listing) -> Prepared:
    """Each parent's page is cut inside, then its to-one rows are joined."""
    parent_table, parent = statement.each()
    place = len(statement.values) - 1
    inner = From(statement, listing.shape.table)
    where = _where(inner, reader, listing, parent)
    inner_clause, limit = _order_and_limit(inner, listing)
    rows, columns = From(statement, listing.shape.table), Columns()
    places = Places.of(listing, rows, columns, reader)
    own_parent = columns.place(parent)
    clause = listing.order.clause(rows, backwards=listing.window.backwards)
    if statement.dialect is Dialect.POSTGRES:
        page = f"select {inner.alias}.* from {inner} where {where} order by {inner_clause} limit {limit}"
        source = f"{parent_table} cross join lateral ({page}) {rows.alias}{rows.joins}"
    else:
        page = f"select {inner.alias}.id from {inner} where {where} order by {inner_clause} limit {limit}"
        # the plus keeps SQLite from the institution's whole index where it does not know the table's size
        own = f"+{rows.alias}.institution_id = $1 and {rows.alias}.id in ({page})"
        source = f"{parent_table} join {rows.source} {rows.alias} on {own}{rows.joins}"
    return Prepared(
        sql=f"select {columns} from {source} order by {parent}, {clause}",
        values=tuple(statement.values),
        parents=place,
        parent=own_parent,
        places=places,
    )


def _order_and_limit(rows: From, listing: Listing) -> tuple[str, str]:
    """One row more than asked for tells whether there are more."""
    window = listing.window
    clause = listing.order.clause(rows, backwards=window.backwards)
    return clause, rows.statement.bind(window.size + 1, "bigint")


def _where(rows: From, reader: Reader, listing: Listing, parent: str | None) -> str:
    found = conditions(rows, reader, listing, parent)
    window = listing.window
    if window.cursor is not None:
        found.append(listing.order.beyond(rows, window.cursor, backwards=window.backwards))
    return " and ".join(found)


def conditions(rows: From, reader: Reader, listing: Listing, parent: str | None) -> list[str]:
    """Which rows the whole list has; `parent` is the SQL of one parent's id, None where that is said elsewhere."""
    found = [f"{rows.alias}.institution_id = $1", *rows.seen()]
    if parent is not None:
        found.append(f"{rows.alias}.{listing.parent} = {parent}")
        rows.near = f"{listing.parent} = {parent}"
    return found + listing.filter.conditions(rows, reader)


async def tallies(
    connections: Connections,
    reader: Reader,
    listing: Listing,
    parents: Sequence[int] = (ROOT,),
    *,
    unfilled: bool = False,
) -> dict[int, list[Tally]]:
    """How many rows each parent's whole list has, by source, in one statement."""
    statement = Statement(connections.dialect, reader)
    rows = From(statement, listing.shape.table)
    where = " and ".join(conditions(rows, reader, listing, None))
    parent = "0"
    if listing.parent is not None:
        rows.near_any(listing.parent, parents)
        parent = f"{rows.alias}.{listing.parent}"
        where += f" and {statement.any_of(parent, parents, 'bigint')}"
    words = _WORDS[rows.table.type_name]
    groups = listing.shape.groups(reader.rights) if unfilled else {}
    columns = [parent, *words, *(f"count(*) - count({sql})" for sql in groups.values())]
    sql = f"select {rows.sql(', '.join(columns))} from {rows} where {where} group by 1, 2 order by 1, 2"
    found: dict[int, list[Tally]] = {parent_id: [] for parent_id in parents}
    for parent_id, source, count, oldest, missing, *blanks in await connections.fetch(
        sql, statement.values
    ):
        found[parent_id].append(
            Tally(
                source=source and Source(source),
                rows=count,
                oldest=oldest and as_time(oldest),
                missing=missing,
                unfilled=dict(zip(groups, blanks, strict=True)),
            )
        )
    return found


# Of each type: who vouches for a row, how many there are, since when, and how many wait for proof that they ended.
_WORDS = {
    "Course": ("{t}.source", "count(*)", "min({t}.as_of)", "0"),
    "Section": ("{t}.source", "count(*)", "min({t}.as_of)", "0"),
    "User": (
        "coalesce({t}.login_source, {t}.name_source, {t}.contact_source)",
        "count(*)",
        "min(coalesce({t}.login_as_of, {t}.name_as_of, {t}.contact_as_of))",
        "0",
    ),
    "Enrollment": (
        "{t}.standing_source",
        "count(*)",
        "min({t}.standing_as_of)",
        "count({t}.missing_since)",
    ),
}
