"""A statement while it is written: its parameters, the rows it joins, and how its answer is read."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.errors import BadRequest
from gateway.readpath import visible
from gateway.readpath.registry import TABLES, Reader, Row, Table
from gateway.sight import Sight
from gateway.uow import Dialect
from gateway.viewer import Rights

_LAST_CHARACTER = "\U0010ffff"
_PATH = re.compile(r"\{([\w.]+)\}")


class Statement:
    """The parameters of one statement, and for whom it reads; `$1` is always the institution."""

    def __init__(self, dialect: Dialect, reader: Reader) -> None:
        self.dialect = dialect
        self.reader = reader
        self.values: list[object] = [reader.institution_id]
        self._aliases = 0

    def seen(self, type_name: str, alias: str, field: str | None = None) -> str | None:
        """Whether the row at `alias`, or the field of it, is seen; None: it always is."""
        rights = self.reader.rights
        part = rights.sight if field is None else rights.part(type_name, field)
        return None if part is None else visible.condition(self, type_name, alias, part)

    def bind(self, value: object, sql_type: str | None = None) -> str:
        if isinstance(value, str):
            _storable(value)
        self.values.append(value)
        cast = f"::{sql_type}" if sql_type and self.dialect is Dialect.POSTGRES else ""
        return f"${len(self.values)}{cast}"

    def any_of(self, expression: str, values: Iterable[object], sql_type: str) -> str:
        """Whether `expression` is one of `values`, in one parameter however many they are."""
        values = list(values)
        for value in values:
            if isinstance(value, str):
                _storable(value)
        if self.dialect is Dialect.POSTGRES:
            return f"{expression} = any({self.bind(values, f'{sql_type}[]')})"
        return f"{expression} in (select value from json_each({self.bind(_json(values))}))"

    def lists_one_of(self, expression: str, values: Iterable[str]) -> str:
        """Whether the text of a JSON list holds one of `values`."""
        wanted = self.any_of("r.value", values, "text")
        elements = f"json_each({expression}) r"
        if self.dialect is Dialect.POSTGRES:
            elements = f"jsonb_array_elements_text({expression}::jsonb) r(value)"
        return f"exists (select 1 from {elements} where {wanted})"

    def tells_one_of(self, expression: str, fields: Iterable[str]) -> str:
        """Whether the text of a JSON list of `{"field", "value"}` has one of `fields`."""
        if self.dialect is Dialect.POSTGRES:
            elements, name = (
                f"jsonb_array_elements({expression}::jsonb) r(value)",
                "r.value ->> 'field'",
            )
        else:
            elements, name = f"json_each({expression}) r", "json_extract(r.value, '$.field')"
        return f"exists (select 1 from {elements} where {self.any_of(name, fields, 'text')})"

    def each(self, values: Iterable[int]) -> tuple[str, str]:
        """A table of `values` for the from clause, and the expression of its column."""
        alias = self.alias()
        if self.dialect is Dialect.POSTGRES:
            return f"unnest({self.bind(list(values), 'bigint[]')}) {alias}(k)", f"{alias}.k"
        return f"json_each({self.bind(_json(values))}) {alias}", f"{alias}.value"

    def contains(self, expression: str, text: str) -> str:
        function = "strpos" if self.dialect is Dialect.POSTGRES else "instr"
        return f"{function}({expression}, {self.bind(text, 'text')}) > 0"

    def begins(self, expression: str, prefix: str) -> str:
        """A range, so that an index in byte order serves it."""
        low, high = self.bind(prefix, "text"), self.bind(prefix + _LAST_CHARACTER, "text")
        return f"({self.bytewise(expression)} >= {low} and {self.bytewise(expression)} < {high})"

    def bytewise(self, expression: str) -> str:
        """`expression` compared byte by byte, as SQLite does of itself."""
        return f'{expression} collate "C"' if self.dialect is Dialect.POSTGRES else expression

    def alias(self) -> str:
        self._aliases += 1
        return f"a{self._aliases}"


class From:
    """A table under an alias, with the to-one rows that templates name joined to it."""

    def __init__(self, statement: Statement, table: Table) -> None:
        self.table = table
        self.alias = statement.alias()
        self.statement = statement
        self._joined: dict[tuple[str, ...], tuple[Table, str]] = {(): (table, self.alias)}
        self._joins: list[str] = []

    def sql(self, template: str) -> str:
        return _PATH.sub(lambda match: self.join(_path(match[1]))[1], template)

    def seen(self) -> list[str]:
        """The condition on rows that the reader sees, where there is one."""
        condition = self.statement.seen(self.table.type_name, self.alias)
        return [] if condition is None else [condition]

    def shows(self, template: str, field: tuple[str, str]) -> str | None:
        """The condition that the reader sees the field, of the row that `template` names first; None: always."""
        path = _PATH.search(template)
        alias = self.join(_path(path[1]))[1] if path else self.alias
        return self.statement.seen(field[0], alias, field[1])

    def shown(self, template: str, field: tuple[str, str]) -> str:
        """`template`, null where the reader does not see the field that it is of."""
        condition, sql = self.shows(template, field), self.sql(template)
        return sql if condition is None else f"case when {condition} then {sql} end"

    def join(self, path: tuple[str, ...]) -> tuple[Table, str]:
        """The table and alias of the row at the end of `path`."""
        if path not in self._joined:
            owner, owner_alias = self.join(path[:-1])
            link = owner.links[path[-1]]
            table, alias = TABLES[link.type_name], self.statement.alias()
            self._joins.append(
                f" left join {table.name} {alias} on {alias}.id = {owner_alias}.{link.column}"
                f" and {alias}.institution_id = $1"
            )
            self._joined[path] = table, alias
        return self._joined[path]

    @property
    def joins(self) -> str:
        return "".join(self._joins)

    def __str__(self) -> str:
        return f"{self.table.name} {self.alias}{self.joins}"


def _path(text: str) -> tuple[str, ...]:
    return () if text == "t" else tuple(text.split("."))


def _storable(text: str) -> None:
    """BadRequest for text that no row can hold: PostgreSQL refuses NUL, no encoding has half a surrogate pair."""
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise BadRequest(f"{text!r} holds a character that no id or name can have.")


def _json(values: Iterable[object]) -> str:
    return json.dumps(list(values))


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
        below = (shape.hidden(rights, course_id, (*path, name)) for name, shape in self.links)
        return frozenset(mine).union(*below)

    def groups(self, rights: Rights, path: tuple[str, ...] = ()) -> dict[str, str]:
        """Fields of groups that some sources do not fill, and where the group's source stands.

        Only what is shown of everybody: how many lack a hidden field is nobody's to know.
        """
        own = {
            ".".join((*path, name)): _below(path, group)
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


Decode = Callable[[Sequence[Any]], Row]


def select(
    shape: Shape, source: From, columns: Columns, reader: Reader, path: tuple[str, ...] = ()
) -> Decode:
    """Put `shape` on the select list; the function that makes a row of the graph of a record.

    Rows are keyed by the graph's names; `row_id` and the table's `always` columns stand beside them.
    """
    table, own = source.join(path)
    plain = [(column, columns.place(f"{own}.{column}")) for column in table.always]
    plain.append(("row_id", columns.place(f"{own}.id")))
    made: list[tuple[str, Callable[..., Any], list[int]]] = []
    blank = dict.fromkeys(f for f in shape.fields if not reader.rights.sees(table.type_name, f))
    veiled = _veiled(shape, source, columns, reader, own)
    for name in sorted(shape.fields - blank.keys()):
        field = table.fields[name]
        places = [columns.place(source.sql(_below(path, template))) for template in field.sql]
        if field.make is None:
            plain.append((name, places[0]))
        else:
            made.append((name, field.make, places))
    links = [
        (
            name,
            columns.place(_seen_link(source, (*path, name), own, table.links[name].column)),
            below,
        )
        for name, linked in shape.links
        for below in [select(linked, source, columns, reader, (*path, name))]
    ]

    def decode(record: Sequence[Any]) -> Row:
        row: Row = {name: record[place] for name, place in plain}
        if blank:
            row |= blank
        for name, make, places in made:
            row[name] = make(reader, *[record[place] for place in places])
        for name, place in veiled:
            if not record[place]:
                row[name] = None
        for name, place, below in links:
            row[name] = None if record[place] is None else below(record)
        return row

    return decode


def _veiled(
    shape: Shape, source: From, columns: Columns, reader: Reader, own: str
) -> list[tuple[str, int]]:
    """The fields that are shown of some rows only, each with the column that tells of which."""
    type_name, places = shape.table.type_name, dict[Sight, int]()
    found = []
    for name in sorted(shape.fields):
        part = reader.rights.part(type_name, name)
        if part is None or not reader.rights.sees(type_name, name):
            continue
        if part not in places:
            places[part] = columns.place(visible.condition(source.statement, type_name, own, part))
        found.append((name, places[part]))
    return found


def _seen_link(source: From, path: tuple[str, ...], own: str, column: str) -> str:
    """The id of the linked row, null where that is not seen."""
    linked, alias = source.join(path)
    condition = source.statement.seen(linked.type_name, alias)
    return (
        f"{own}.{column}" if condition is None else f"case when {condition} then {own}.{column} end"
    )


def _below(path: tuple[str, ...], template: str) -> str:
    """`template` of a linked row, written from where the path begins."""
    if not path:
        return template
    return _PATH.sub(lambda match: "{" + ".".join((*path, *_path(match[1]))) + "}", template)
