"""One read function for each level of a query: all rows that one field means, for many parents at once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from gateway.readpath.connections import Connections
from gateway.readpath.filters import Filter
from gateway.readpath.paging import Cursor, Order, Window, order_value
from gateway.readpath.provenance import Tally
from gateway.readpath.registry import USER, Reader, Row, as_time
from gateway.readpath.sql import Columns, Decode, From, Shape, Statement, select
from gateway.uow import Dialect
from models.roster import Source

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

    def add(self, row: Row, place: tuple[int, str | None], *, size: int) -> None:
        """One more row, unless it is the one beyond `size` that tells that there are more."""
        if len(self.rows) == size:
            self.more = True
            return
        self.rows.append(row)
        self.places.append(place)

    def cursor(self, index: int, key: str, as_of: str | None) -> Cursor:
        row_id, value = self.places[index]
        return Cursor(key, row_id, value, as_of)


@dataclass(frozen=True)
class Level:
    """The rows of one list, for whatever parents."""

    listing: Listing

    async def pages(
        self, connections: Connections, reader: Reader, parents: Sequence[int]
    ) -> dict[int, Page]:
        return await pages(connections, reader, self.listing, parents)

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

    The id of a person who was merged leads to the one they were merged into.
    """
    statement = Statement(connections.dialect, reader)
    source, columns = From(statement, shape.table), Columns()
    decode = select(shape, source, columns, reader)
    own_id = columns.place("asked.id")
    target = "coalesce(asked.merged_into_id, asked.id)" if shape.table is USER else "asked.id"
    sql = (
        f"select {columns} from {shape.table.name} asked join {source.table.name} {source.alias}"
        f" on {source.alias}.id = {target} and {source.alias}.institution_id = $1{source.joins}"
        f" where {' and '.join(['asked.institution_id = $1', *source.seen()])}"
        f" and {statement.any_of('asked.id', ids, 'bigint')}"
    )
    return {
        record[own_id]: decode(record) for record in await connections.fetch(sql, statement.values)
    }


async def pages(
    connections: Connections, reader: Reader, listing: Listing, parents: Sequence[int] = (ROOT,)
) -> dict[int, Page]:
    """The page of each parent, in one statement."""
    read = _one_parent if len(parents) == 1 else _many_parents
    statement = Statement(connections.dialect, reader)
    sql, columns = read(statement, reader, listing, parents)
    found: dict[int, Page] = {parent: Page() for parent in parents}
    for record in await connections.fetch(sql, statement.values):
        page = found[record[columns.parent] if columns.parent is not None else parents[0]]
        place = (record[columns.row_id], order_value(listing.order, record, columns.order))
        page.add(columns.decode(record), place, size=listing.window.size)
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
    return columns, decode, columns.place(listing.order.value(rows))


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
        own = f"{rows.alias}.institution_id = $1 and {rows.alias}.id in ({page})"
        source = f"{parent_table} join {rows.table.name} {rows.alias} on {own}{rows.joins}"
    sql = f"select {columns} from {source} order by {parent}, {clause}"
    return sql, _Places(decode=decode, row_id=row_id, order=order, parent=parent_place)


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
