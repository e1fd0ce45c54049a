"""One read function for each level of a query: all rows that one field means, for many parents at once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.readpath.connections import Connections
from gateway.readpath.filters import Filter
from gateway.readpath.paging import Cursor, Order, Window, order_value
from gateway.readpath.registry import Reader, Row
from gateway.readpath.sql import Columns, Decode, From, Shape, Statement, select
from gateway.uow import Dialect

ROOT = 0  # stands for the parent of a list that has none


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A list of the graph: what to bring of which rows, in which order, and which part of it."""

    shape: Shape
    parent: str | None  # the column that names a row's parent; None: a list of the institution
    filter: Filter
    order: Order = field(default_factory=Order)
    window: Window = field(default_factory=Window)
    key: str = ""


@dataclass(kw_only=True)
class Page:
    """Rows of one parent. `places` are their order values, in the same order."""

    rows: list[Row] = field(default_factory=list)
    places: list[tuple[int, str | None]] = field(default_factory=list)
    more: bool = False

    def cursor(self, index: int, key: str, as_of: str | None) -> str:
        row_id, value = self.places[index]
        return str(Cursor(key, row_id, value, as_of))


async def by_id(
    connections: Connections, reader: Reader, shape: Shape, ids: Iterable[int]
) -> dict[int, Row]:
    """The rows with these ids, as far as they are this institution's. Tombstones included."""
    statement = Statement(connections.dialect, reader.institution_id)
    source, columns = From(statement, shape.table), Columns()
    decode = select(shape, source, columns, reader)
    sql = (
        f"select {columns} from {source} where {source.alias}.institution_id = $1"
        f" and {statement.any_of(f'{source.alias}.id', ids, 'bigint')}"
    )
    rows = [decode(record) for record in await connections.fetch(sql, statement.values)]
    return {row["row_id"]: row for row in rows}


async def pages(
    connections: Connections, reader: Reader, listing: Listing, parents: Sequence[int] = (ROOT,)
) -> dict[int, Page]:
    """The page of each parent, in one statement."""
    read = _one_parent if len(parents) == 1 else _many_parents
    statement = Statement(connections.dialect, reader.institution_id)
    sql, columns = read(statement, reader, listing, parents)
    found: dict[int, Page] = {parent: Page() for parent in parents}
    for record in await connections.fetch(sql, statement.values):
        page = found[record[columns.parent] if columns.parent is not None else parents[0]]
        if len(page.rows) == listing.window.size:
            page.more = True
            continue
        page.rows.append(columns.decode(record))
        value = order_value(listing.order, record, columns.order)
        page.places.append((record[columns.row_id], value))
    if listing.window.backwards:
        for page in found.values():
            page.rows.reverse()
            page.places.reverse()
    return found


@dataclass(frozen=True, kw_only=True)
class _Places:
    """Where in a record things stand."""

    decode: Decode
    row_id: int
    order: int
    parent: int | None


def _selected(rows: From, reader: Reader, listing: Listing) -> tuple[Columns, Decode, int]:
    columns = Columns()
    decode = select(listing.shape, rows, columns, reader)
    key = listing.order.key
    return columns, decode, columns.place(rows.sql(key.template if key else "{t}.id"))


def _one_parent(
    statement: Statement, reader: Reader, listing: Listing, parents: Sequence[int]
) -> tuple[str, _Places]:
    rows = From(statement, listing.shape.table)
    columns, decode, order = _selected(rows, reader, listing)
    parent = None if listing.parent is None else statement.bind(parents[0], "bigint")
    where = _where(rows, reader, listing, parent)
    clause, limit = _order_and_limit(rows, listing)
    row_id = columns.place(rows.sql("{t}.id"))
    sql = f"select {columns} from {rows} where {where} order by {clause} limit {limit}"
    return sql, _Places(decode=decode, row_id=row_id, order=order, parent=None)


def _many_parents(
    statement: Statement, reader: Reader, listing: Listing, parents: Sequence[int]
) -> tuple[str, _Places]:
    """Each parent's page is cut inside, then its to-one rows are joined."""
    parent_table, parent = statement.each(parents)
    inner = From(statement, listing.shape.table)
    where = _where(inner, reader, listing, parent)
    inner_clause, limit = _order_and_limit(inner, listing)
    rows = From(statement, listing.shape.table)
    columns, decode, order = _selected(rows, reader, listing)
    row_id, parent_place = columns.place(rows.sql("{t}.id")), columns.place(parent)
    clause = listing.order.clause(rows, backwards=listing.window.backwards)
    if statement.dialect is Dialect.POSTGRES:
        page = f"select {inner.alias}.* from {inner} where {where} order by {inner_clause} limit {limit}"
        source = f"{parent_table} cross join lateral ({page}) {rows.alias}{rows.joins}"
    else:
        page = f"select {inner.alias}.id from {inner} where {where} order by {inner_clause} limit {limit}"
        source = f"{parent_table} join {rows.table.name} {rows.alias} on {rows.alias}.id in ({page}){rows.joins}"
    sql = f"select {columns} from {source} order by {parent}, {clause}"
    return sql, _Places(decode=decode, row_id=row_id, order=order, parent=parent_place)


def _order_and_limit(rows: From, listing: Listing) -> tuple[str, str]:
    """One row more than asked for tells whether there are more."""
    window = listing.window
    clause = listing.order.clause(rows, backwards=window.backwards)
    return clause, rows.statement.bind(window.size + 1, "bigint")


def _where(rows: From, reader: Reader, listing: Listing, parent: str | None) -> str:
    conditions = _members_of(rows, reader, listing, parent)
    window = listing.window
    if window.cursor is not None:
        conditions.append(listing.order.beyond(rows, window.cursor, backwards=window.backwards))
    return " and ".join(conditions)


def _members_of(rows: From, reader: Reader, listing: Listing, parent: str | None) -> list[str]:
    conditions = [f"{rows.alias}.institution_id = $1"]
    if parent is not None:
        conditions.append(f"{rows.alias}.{listing.parent} = {parent}")
    return conditions + listing.filter.conditions(rows, reader)


@dataclass(frozen=True, kw_only=True)
class Tally:
    """The rows of a list that one source vouches for. `missing`: those that a whole read since did not show."""

    source: str
    rows: int
    oldest: Any
    missing: int


async def tallies(
    connections: Connections, reader: Reader, listing: Listing, parents: Sequence[int] = (ROOT,)
) -> Mapping[int, list[Tally]]:
    """How many rows each parent's whole list has, by source, in one statement."""
    statement = Statement(connections.dialect, reader.institution_id)
    rows = From(statement, listing.shape.table)
    source, as_of, missing = _WORDS[rows.table.type_name]
    where = " and ".join(_members_of(rows, reader, listing, None))
    parent = "0"
    if listing.parent is not None:
        parent = f"{rows.alias}.{listing.parent}"
        where += f" and {statement.any_of(parent, parents, 'bigint')}"
    columns = rows.sql(f"{source}, count(*), min({as_of}), {missing}")
    sql = f"select {parent}, {columns} from {rows} where {where} group by 1, 2 order by 1, 2"
    found: dict[int, list[Tally]] = {parent_id: [] for parent_id in parents}
    for parent_id, word, count, oldest, held in await connections.fetch(sql, statement.values):
        found[parent_id].append(Tally(source=word, rows=count, oldest=oldest, missing=held))
    return found


# Of each type: who vouches for a row, since when, and how many rows wait for proof that they ended.
_WORDS = {
    "Course": ("{t}.source", "{t}.as_of", "0"),
    "Section": ("{t}.source", "{t}.as_of", "0"),
    "User": (
        "coalesce({t}.login_source, {t}.name_source, {t}.contact_source)",
        "coalesce({t}.login_as_of, {t}.name_as_of, {t}.contact_as_of)",
        "0",
    ),
    "Enrollment": ("{t}.standing_source", "{t}.standing_as_of", "count({t}.missing_since)"),
}
