"""A statement while it is written: its parameters, and the rows that it joins."""

import json
import re
from collections.abc import Iterable
from enum import Enum

from gateway.errors import BadRequest
from gateway.readpath import past, visible
from gateway.readpath.registry import TABLES, Reader, Table
from gateway.uow import Dialect

_LAST_CHARACTER = "\U0010ffff"
_PATH = re.compile(r"\{([\w.]+)\}")


class Open(Enum):
    """Stands among a statement's values for an `array` that it is given each time it is asked."""

    ARRAY = "array"


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

    def any_of(self, expression: str, values: Iterable[object] | Open, sql_type: str) -> str:
        """Whether `expression` is one of `values`, in one parameter however many they are."""
        bound = values if isinstance(values, Open) else array(self.dialect, values)
        if self.dialect is Dialect.POSTGRES:
            return f"{expression} = any({self.bind(bound, f'{sql_type}[]')})"
        return f"{expression} in (select value from json_each({self.bind(bound)}))"

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

    def each(self) -> tuple[str, str]:
        """A table of numbers for the from clause, and the expression of its column; its value, an `array`, is left open."""
        alias = self.alias()
        if self.dialect is Dialect.POSTGRES:
            return f"unnest({self.bind(None, 'bigint[]')}) {alias}(k)", f"{alias}.k"
        return f"json_each({self.bind(None)}) {alias}", f"{alias}.value"

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
        self.near: str | None = (
            None  # `column = value` of the rows that are wanted, where the past asks for it
        )

    def sql(self, template: str) -> str:
        return _PATH.sub(lambda match: self.join(_path(match[1]))[1], template)

    def near_any(self, column: str, values: Iterable[int]) -> None:
        """The past looks for the wanted rows where one of these stands, and among those that have been moved since."""
        if self.statement.reader.past is not None:
            self.near = self.statement.any_of(column, values, "bigint")

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
                f" left join {past.table(self.statement, table.type_name, table.name, None)} {alias} on {alias}.id = {owner_alias}.{link.column}"
                f" and {alias}.institution_id = $1"
            )
            self._joined[path] = table, alias
        return self._joined[path]

    @property
    def joins(self) -> str:
        return "".join(self._joins)

    @property
    def source(self) -> str:
        """The table, or what it was."""
        return past.table(self.statement, self.table.type_name, self.table.name, self.near)

    def __str__(self) -> str:
        return f"{self.source} {self.alias}{self.joins}"


def below(path: tuple[str, ...], template: str) -> str:
    """`template` of a linked row, written from where the path begins."""
    if not path:
        return template
    return _PATH.sub(lambda match: "{" + ".".join((*path, *_path(match[1]))) + "}", template)


def _path(text: str) -> tuple[str, ...]:
    return () if text == "t" else tuple(text.split("."))


def _storable(text: str) -> None:
    """BadRequest for text that no row can hold: PostgreSQL refuses NUL, no encoding has half a surrogate pair."""
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise BadRequest(f"{text!r} holds a character that no id or name can have.")


def array(dialect: Dialect, values: Iterable[object]) -> object:
    """Many values as one: SQLite, which has no arrays, takes them as JSON."""
    values = list(values)
    for value in values:
        if isinstance(value, str):
            _storable(value)
    return values if dialect is Dialect.POSTGRES else json.dumps(values)
