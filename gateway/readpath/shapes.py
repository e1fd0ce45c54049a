"""What to bring of a row, where that stands in a statement's records, and what is made of these."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from gateway.readpath import visible
from gateway.readpath.connections import Record
from gateway.readpath.registry import Reader, Row, Table, made_for
from gateway.readpath.sql import From, below
from gateway.sight import Sight
from gateway.viewer import Rights

Decode = Callable[[Sequence[Record]], list[Any]]


class PlacedField(NamedTuple):
    """`places`: of the raw values that `make` takes (None: the one as it is); none for what is never shown.

    `veil`: where a record tells whether its row shows the field; None: every row does.
    """

    name: str
    make: Callable[..., Any] | None
    places: tuple[int, ...]
    veil: int | None


class PlacedLink(NamedTuple):
    """`id`: where the linked row's id stands; null there: no row, or none that is seen."""

    name: str
    id: int
    row: "Placed"


class Placed(NamedTuple):
    """A row's parts by their places in a record. `keys`: its `row_id`, and what its table always brings along."""

    type_name: str
    keys: tuple[tuple[str, int], ...]
    fields: tuple[PlacedField, ...]
    links: tuple[PlacedLink, ...]


MakeDecode = Callable[[Placed, Reader], Decode]


@dataclass(frozen=True)
class Shape:
    """What to bring of a row: its fields, and the same of rows it links to."""

    table: Table
    fields: frozenset[str] = frozenset()
    links: tuple[tuple[str, "Shape"], ...] = ()

    def hidden(
        self, rights: Rights, course_id: int | None = None, path: tuple[str, ...] = ()
    ) -> frozenset[str]:
        """The fields that were asked for and may be missing because they may not be seen, as in "user.email".

        `course_id`: whose rows they are, where they are all of one course.
        """
        own = self.table.type_name
        mine = {
            ".".join((*path, name)) for name in self.fields if rights.hides(own, name, course_id)
        }
        linked = (shape.hidden(rights, course_id, (*path, name)) for name, shape in self.links)
        return frozenset(mine).union(*linked)

    def groups(self, rights: Rights, path: tuple[str, ...] = ()) -> dict[str, str]:
        """Fields of groups that some sources do not fill, and where the group's source stands.

        Only what is shown of everybody: how many lack a hidden field is nobody's to know.
        """
        own = {
            ".".join((*path, name)): below(path, group)
            for name in self.fields
            if (group := self.table.fields[name].group) is not None
            and not rights.hides(self.table.type_name, name, None)
        }
        for name, shape in self.links:
            own |= shape.groups(rights, (*path, name))
        return own


class Columns:
    """The select list of a statement, each expression once."""

    def __init__(self) -> None:
        self.expressions: list[str] = []
        self._places: dict[str, int] = {}

    def place(self, expression: str) -> int:
        if expression not in self._places:
            self._places[expression] = len(self.expressions)
            self.expressions.append(expression)
        return self._places[expression]

    def __str__(self) -> str:
        return ", ".join(self.expressions)


def select(shape: Shape, source: From, columns: Columns, reader: Reader) -> Decode:
    """Put `shape` on the select list; the function that makes rows of the graph of the records."""
    return as_rows(placed(shape, source, columns, reader), reader)


def placed(
    shape: Shape, source: From, columns: Columns, reader: Reader, path: tuple[str, ...] = ()
) -> Placed:
    """Put `shape` on the select list, and say where its parts stand then."""
    table, own = source.join(path)
    names = (*table.always, "row_id")
    keys = [columns.place(f"{own}.{'id' if name == 'row_id' else name}") for name in names]
    veils = _veils(shape, source, columns, reader, own)
    fields = []
    for name in sorted(shape.fields):
        made = table.fields[name]
        seen = reader.rights.sees(table.type_name, name)
        templates = made.sql if seen else ()
        places = tuple(columns.place(source.sql(below(path, sql))) for sql in templates)
        fields.append(PlacedField(name, made.make, places, veils.get(name)))
    links = []
    for name, linked in shape.links:
        linked_id = _seen_link(source, (*path, name), own, table.links[name].column)
        row = placed(linked, source, columns, reader, (*path, name))
        links.append(PlacedLink(name, columns.place(linked_id), row))
    return Placed(
        table.type_name, tuple(zip(names, keys, strict=True)), tuple(fields), tuple(links)
    )


def as_rows(row: Placed, reader: Reader) -> Decode:
    """Records as rows keyed by the graph's names; `row_id` and the table's `always` columns stand beside them."""
    row_of = _row_of(row, reader)
    return lambda records: [row_of(record) for record in records]


def _row_of(row: Placed, reader: Reader) -> Callable[[Record], Row]:
    fields, shown = row.fields, [one for one in row.fields if one.places]
    plain = [*row.keys, *((one.name, one.places[0]) for one in shown if one.make is None)]
    made = [
        (one.name, made_for(reader, one.make), one.places) for one in shown if one.make is not None
    ]
    blank = dict.fromkeys(one.name for one in fields if not one.places)
    veiled = [(one.name, one.veil) for one in shown if one.veil is not None]
    links = [(link.name, link.id, _row_of(link.row, reader)) for link in row.links]

    def row_of(record: Record) -> Row:
        made_row: Row = {name: record[place] for name, place in plain}
        if blank:
            made_row |= blank
        for name, make, places in made:
            made_row[name] = make(*[record[place] for place in places])
        for name, place in veiled:
            if not record[place]:
                made_row[name] = None
        for name, place, linked in links:
            made_row[name] = None if record[place] is None else linked(record)
        return made_row

    return row_of


def _veils(
    shape: Shape, source: From, columns: Columns, reader: Reader, own: str
) -> dict[str, int]:
    """The fields that are shown of some rows only, each with the column that tells of which."""
    type_name, places = shape.table.type_name, dict[Sight, int]()
    found = {}
    for name in sorted(shape.fields):
        part = reader.rights.part(type_name, name)
        if part is None or not reader.rights.sees(type_name, name):
            continue
        if part not in places:
            places[part] = columns.place(visible.condition(source.statement, type_name, own, part))
        found[name] = places[part]
    return found


def _seen_link(source: From, path: tuple[str, ...], own: str, column: str) -> str:
    """The id of the linked row, null where that is not seen."""
    linked, alias = source.join(path)
    condition = source.statement.seen(linked.type_name, alias)
    return (
        f"{own}.{column}" if condition is None else f"case when {condition} then {own}.{column} end"
    )
