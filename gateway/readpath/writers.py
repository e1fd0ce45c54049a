"""Functions, generated once for a form, that turn what was read into what stands in the response.

A form is printed as Python source: an object of a record becomes one call of a struct's constructor, which msgspec encodes
ten times as fast as an executor completes its fields. Values that do not fit their form raise `Unfit`: the ordinary
resolvers then answer in their stead, and say what is wrong as GraphQL says it.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from types import CodeType
from typing import Any

import msgspec

from gateway.readpath import node_ids
from gateway.readpath.connections import Record
from gateway.readpath.forms import (
    TYPE_NAME,
    Each,
    Leaf,
    Member,
    Object,
    OneOf,
    Value,
    Words,
    Written,
)
from gateway.readpath.registry import NodeId, Reader, made_for
from gateway.readpath.shapes import Decode, Placed

# For each object with members that are resolved on their own: its rows, and what was written of each.
Waiting = list[list[tuple[Any, dict[str, Any]]]]

_KEPT_LAYOUTS = 16
_KEPT_CODES = 256
_KEPT_STRUCTS = 256

_Layout = tuple[Placed, int]  # where a row's parts stand, and how wide its record is


class Unfit(Exception):
    """A value that its form cannot show, as null where there must be something."""


class ValueWriter:
    """Writes what a resolver returned: rows keyed by the graph's names, lists of them, or plain values."""

    def __init__(self, value: Value) -> None:
        source = _Source()
        whole = source.value(value, "value")
        source.define("write(value, waiting)", f"return {whole}")
        self._write = source.compiled("write")
        self.waiting = source.waiting

    def write(self, value: Any, waiting: Waiting) -> Any:
        return self._write(value, waiting)

    def none_waiting(self) -> Waiting:
        return [[] for _ in self.waiting]


class RecordWriter:
    """Writes records of a table's rows, wherever their parts stand."""

    def __init__(self, form: Object) -> None:
        self._form = form
        self._layouts: dict[_Layout, tuple[Any, list[Callable[..., Any]]]] = {}
        self.waiting = _waiting_of(form)

    def none_waiting(self) -> Waiting:
        return [[] for _ in self.waiting]

    def decode(self, waiting: Waiting, placed: Placed, reader: Reader) -> Decode:
        bound: list[
            Any
        ] = []  # what is the same for all pages of a statement: the function, and what it calls

        def decode(records: Sequence[Record]) -> list[Any]:
            if not records:
                return []
            if not bound:
                write, makes = self._function(placed, len(records[0]))
                bound.extend((write, *(_written_for(reader, make) for make in makes)))
            rows: list[Any] = bound[0](records, waiting, *bound[1:])
            return rows

        return decode

    def _function(self, *layout: *_Layout) -> tuple[Any, list[Callable[..., Any]]]:
        if layout not in self._layouts:
            if len(self._layouts) >= _KEPT_LAYOUTS:
                self._layouts.clear()
            self._layouts[layout] = self._compiled(*layout)
        return self._layouts[layout]

    def _compiled(self, placed: Placed, width: int) -> tuple[Any, list[Callable[..., Any]]]:
        source = _RecordSource()
        row = source.row(self._form, placed)
        columns = ", ".join(f"c{place}" for place in range(width))
        makes = "".join(f", m{number}" for number in range(len(source.makes)))
        source.define(
            f"write(records, waiting{makes})", f"return [{row} for ({columns},) in records]"
        )
        return source.compiled("write"), source.makes


class _Source:
    """Python source while it is written, and what it names."""

    def __init__(self) -> None:
        self.waiting: list[Object] = []
        self._known: dict[str, Any] = {"Unfit": Unfit, "null": _null, "wait": _wait}
        self._functions: list[str] = []
        self._names = 0

    def define(self, signature: str, *lines: str) -> None:
        body = "".join(f"    {line}\n" for line in lines)
        self._functions.append(f"def {signature}:\n{body}")

    def compiled(self, name: str) -> Any:
        exec(_code("\n".join(self._functions)), self._known)  # noqa: S102  names of our own alone; texts stand in it by repr
        return self._known[name]

    def known(self, value: object) -> str:
        name = self._name("k")
        self._known[name] = value
        return name

    def value(self, value: Value, raw: str) -> str:
        """The expression that writes `raw`, which it evaluates once."""
        form, required = value.form, value.required
        match form:
            case Leaf():
                return self._leaf(form, raw, required=required)
            case Words():
                words = dict(form.words) if required else {**form.words, None: None}
                return f"{self.known(words)}[{raw}]"
            case Written():
                return raw
            case Each() | Object() | OneOf():
                return self._called(form, raw, required=required)

    def _called(self, form: Each | Object | OneOf, raw: str, *, required: bool) -> str:
        """A call of a function of its own, as null is told apart from a value here."""
        if isinstance(form, Each):
            body = f"[{self.value(form.of, 'one')} for one in value]"
        elif isinstance(form, Object):
            body = self._object(form, "value")
        else:
            body = self._one_of(form)
        name = self._name("f")
        nothing = "null()" if required else "None"
        self.define(f"{name}(value, waiting)", f"return {nothing} if value is None else {body}")
        return f"{name}({raw}, waiting)"

    def _leaf(self, form: Leaf, raw: str, *, required: bool) -> str:
        write = self.known(_writes(form.write, required=required))
        if form.kept is None:
            return f"{write}({raw})"
        if raw.isidentifier():
            return f"({raw} if type({raw}) is {self.known(form.kept)} else {write}({raw}))"
        name = self._name("v")
        return f"({name} if type({name} := {raw}) is {self.known(form.kept)} else {write}({name}))"

    def _one_of(self, form: OneOf) -> str:
        names = {}
        for type_name, one in form.objects.items():
            names[type_name] = self._name("f")
            self.define(
                f"{names[type_name]}(value, waiting)", f"return {self._object(one, 'value')}"
            )
        chosen = ", ".join(f"{type_name!r}: {name}" for type_name, name in names.items())
        return f"{{{chosen}}}[value[{TYPE_NAME!r}]](value, waiting)"

    def _object(self, form: Object, row: str) -> str:
        members = ", ".join(
            f"{member.key!r}: {self._member(form, member, row)}" for member in form.members
        )
        written = f"{{{members}}}"
        if form.waiting:
            return f"wait(waiting[{self.wait(form)}], {row}, {written})"
        return written

    def _member(self, form: Object, member: Member, row: str) -> str:
        if member.name == TYPE_NAME:
            return repr(form.type_name)
        if member.value is None:
            return "None"
        return self.value(member.value, f"{row}[{member.name!r}]")

    def wait(self, form: Object) -> int:
        self.waiting.append(form)
        return len(self.waiting) - 1

    def _name(self, kind: str) -> str:
        self._names += 1
        return f"{kind}{self._names}"


# Forms of one shape are printed alike, whatever their aliases: compiling them is half of what a new document costs.
@lru_cache(maxsize=_KEPT_CODES)
def _code(source: str) -> CodeType:
    return compile(source, "<form>", "exec")


class _RecordSource(_Source):
    """Source whose rows are records, `c0`, `c1` … their values and `m0`, `m1` … what makes fields of these."""

    def __init__(self) -> None:
        super().__init__()
        self.makes: list[Callable[..., Any]] = []

    def row(self, form: Object, placed: Placed) -> str:
        if form.waiting:
            # taken in the order of `_waiting_of`: an object before those below it
            place = self.wait(form)
            members = ", ".join(
                f"{one.key!r}: {self._shown(form, one, placed)}" for one in form.members
            )
            return f"wait(waiting[{place}], {self._keys(form, placed)}, {{{members}}})"
        struct = _struct(form.type_name, tuple(one.key for one in form.members))
        arguments = ", ".join(self._shown(form, one, placed) for one in form.members)
        return f"{self.known(struct)}({arguments})"

    def _leaf(self, form: Leaf, raw: str, *, required: bool) -> str:
        """Columns, and what is made of them, are of the type that their scalar shows as it is."""
        if form.kept is None:
            return super()._leaf(form, raw, required=required)
        if not required:
            return raw
        if raw.isidentifier():
            return f"(null() if {raw} is None else {raw})"
        name = self._name("v")
        return f"(null() if ({name} := {raw}) is None else {name})"

    def _keys(self, form: Object, placed: Placed) -> str:
        """What the resolvers of its waiting members may want to know of the row."""
        known = [f"{name!r}: c{place}" for name, place in placed.keys]
        wanted = {one.name for one in form.waiting}
        known += [
            f"{one.name!r}: {self._raw(placed, one.name)}"
            for one in placed.fields
            if one.name in wanted
        ]
        return f"{{{', '.join(known)}}}"

    def _shown(self, form: Object, member: Member, placed: Placed) -> str:
        if member.name == TYPE_NAME:
            return repr(form.type_name)
        if member.value is None:
            return "None"
        link = next((one for one in placed.links if one.name == member.name), None)
        if link is None:
            return self.value(member.value, self._raw(placed, member.name))
        if not isinstance(member.value.form, Object):
            raise TypeError(member)
        nothing = "null()" if member.value.required else "None"
        return f"({nothing} if c{link.id} is None else {self.row(member.value.form, link.row)})"

    def _raw(self, placed: Placed, name: str) -> str:
        """The field's value as the ordinary rows hold it."""
        (field,) = (one for one in placed.fields if one.name == name)
        if not field.places:
            return "None"
        if field.make is None:
            raw = f"c{field.places[0]}"
        else:
            raw = f"m{len(self.makes)}({', '.join(f'c{place}' for place in field.places)})"
            self.makes.append(field.make)
        return raw if field.veil is None else f"({raw} if c{field.veil} else None)"


def _written_for(reader: Reader, make: Callable[..., Any]) -> Callable[..., Any]:
    """What makes a field of one reader's answers, as it is encoded."""
    if isinstance(make, NodeId):
        return node_ids.plainly(make.type_name, reader.rights.pseudonyms)
    return made_for(reader, make)


@lru_cache(maxsize=_KEPT_STRUCTS)
def _struct(type_name: str, keys: tuple[str, ...]) -> type[msgspec.Struct]:
    names = [f"f{number}" for number in range(len(keys))]
    return msgspec.defstruct(
        type_name,
        [(name, Any) for name in names],
        rename=dict(zip(names, keys, strict=True)),
        gc=False,
    )


def _waiting_of(form: Object) -> list[Object]:
    """The objects of a row that have members which wait: it, and those that it links to."""
    own = [form] if form.waiting else []
    linked = (
        _waiting_of(one.value.form)
        for one in form.members
        if one.value is not None and isinstance(one.value.form, Object)
    )
    return own + [one for below in linked for one in below]


def _writes(write: Callable[[Any], Any], *, required: bool) -> Callable[[Any], Any]:
    def written(value: Any) -> Any:
        if value is None:
            return _null() if required else None
        shown = write(value)
        return _null() if shown is None else shown

    return written


def _null() -> Any:
    raise Unfit("null where there must be a value")


def _wait(rows: list[tuple[Any, dict[str, Any]]], row: Any, written: dict[str, Any]) -> Any:
    rows.append((row, written))
    return written
