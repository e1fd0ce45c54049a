"""Random queries that the schema allows: aliases, fragments, conditions by variable, filters, orders, cursors, unknown ids."""

from collections.abc import Callable, Collection, Mapping
from random import Random
from typing import Any

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_input_object_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
)

_DEPTH = 7
_SIZES = [0, 1, 2, 3, 5, 5, 8]
_AT_MOST = {"Query": 3, "CourseConnection": 3, "EnrollmentConnection": 3}


class Query:
    """One query while it is written. `ids` gives values by input or field and name, as ("CourseBy", "canvasId").

    `without`: fields of the root that are not asked for.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        random: Random,
        ids: Mapping[tuple[str, str], Callable[[], Any]],
        cursors: list[str],
        without: Collection[str] = (),
    ) -> None:
        self._schema = schema
        self._without = without
        self._random = random
        self._ids = ids
        self._cursors = cursors
        self._declared: list[str] = []
        self._fragments: list[str] = []
        self.variables: dict[str, Any] = {}
        root = schema.query_type
        assert root is not None
        selection = self._selection(root, 0)
        declared = f"({', '.join(self._declared)})" if self._declared else ""
        self.text = " ".join([f"query q{declared} {selection}", *self._fragments])

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _selection(self, type_: Any, depth: int) -> str:
        if is_abstract_type(type_):
            return self._abstract(type_, depth)
        fields = [name for name in type_.fields if depth or name not in self._without]
        self._random.shuffle(fields)
        most = _AT_MOST.get(type_.name, 6)
        parts: list[str] = []
        for name in fields:
            if len(parts) < self._random.randint(1, most):
                parts += self._field(type_, name, depth)
        if not parts or self._chance(0.15):
            parts.append(f"{self._alias()}__typename{self._condition()}")
        if self._chance(0.1):
            parts += [self._in_fragment(type_, part) for part in self._random.sample(parts, 1)]
        return f"{{ {' '.join(parts)} }}"

    def _abstract(self, type_: Any, depth: int) -> str:
        possible = list(self._schema.get_possible_types(type_))
        count = min(self._random.randint(1, 3), len(possible))
        chosen = self._random.sample(possible, count)
        parts = [f"... on {one.name} {self._selection(one, depth + 1)}" for one in chosen]
        if self._chance(0.7):
            parts.append(self._random.choice(["id", "__typename", "... on Node { id }"]))
        return f"{{ {' '.join(parts)} }}"

    def _field(self, type_: GraphQLObjectType, name: str, depth: int) -> list[str]:
        field = type_.fields[name]
        named = get_named_type(field.type)
        below = ""
        if not is_leaf_type(named):
            if depth >= _DEPTH or (depth > 3 and self._chance(0.5)):
                return []
            below = " " + self._selection(named, depth + 1)
        given = self._arguments(name, field.args)
        alias = self._alias()
        written = f"{alias}{name}{given}{self._condition()}{below}"
        # unaliased fields of one key must not differ in arguments
        if given and not alias:
            written = f"k{self._random.randrange(10**6)}: {written}"
        if self._chance(0.08):
            written = self._in_fragment(type_, written)
        return [written]

    def _alias(self) -> str:
        return f"a{self._random.randrange(10**6)}: " if self._chance(0.15) else ""

    def _condition(self) -> str:
        if not self._chance(0.12):
            return ""
        word = self._random.choice(["skip", "include"])
        if self._chance(0.5):
            return f" @{word}(if: {self._random.choice(['true', 'false'])})"
        return f" @{word}(if: {self._switch()})"

    def _switch(self) -> str:
        name = self._random.choice(["s1", "s2", "s3"])
        if name not in self.variables:
            self._declared.append(f"${name}: Boolean!")
            self.variables[name] = self._chance(0.5)
        return f"${name}"

    def _in_fragment(self, type_: GraphQLObjectType, written: str) -> str:
        on = "" if self._chance(0.3) else f" on {type_.name}"
        if self._chance(0.5):
            return f"...{on}{self._condition()} {{ {written} }}"
        name = f"F{len(self._fragments)}"
        self._fragments.append(f"fragment {name} on {type_.name} {{ {written} }}")
        return f"...{name}{self._condition()}"

    def _arguments(self, of: str, arguments: Mapping[str, GraphQLArgument]) -> str:
        given = []
        for name, argument in arguments.items():
            if not is_non_null_type(argument.type) and not self._chance(0.35):
                continue
            if name in ("last", "before", "after") and self._chance(0.8):
                continue
            value = self._input(of, name, argument.type)
            if self._chance(0.35):
                variable = f"v{len(self.variables)}"
                self._declared.append(f"${variable}: {argument.type}")
                self.variables[variable] = value
                given.append(f"{name}: ${variable}")
            else:
                given.append(f"{name}: {_literal(argument.type, value)}")
        return f"({', '.join(given)})" if given else ""

    def _input(self, of: str, name: str, type_: Any) -> Any:
        if not is_non_null_type(type_) and self._chance(0.05):
            return None
        bare = get_nullable_type(type_)
        if (of, name) in self._ids:
            return self._ids[of, name]()
        if is_list_type(bare):
            return [self._input(of, name, bare.of_type) for _ in range(self._random.randint(0, 3))]
        if isinstance(bare, GraphQLEnumType):
            return self._random.choice(list(bare.values))
        if is_input_object_type(bare):
            return self._object(bare)
        return self._scalar(name, bare.name)

    def _object(self, type_: GraphQLInputObjectType) -> dict[str, Any]:
        names = list(type_.fields)
        if type_.name.endswith("By"):  # exactly one of them
            name = "id" if self._chance(0.6) else self._random.choice(names)
            return {name: self._ids[type_.name, name]()}
        chosen = [
            name for name in names if is_non_null_type(type_.fields[name].type) or self._chance(0.3)
        ]
        return {name: self._input(type_.name, name, type_.fields[name].type) for name in chosen}

    def _scalar(self, name: str, type_name: str) -> Any:
        if name in ("first", "last"):
            return self._random.choice(_SIZES) if self._chance(0.98) else 5001
        if name in ("after", "before"):
            return self._random.choice(self._cursors or ["nonsense"])
        values: dict[str, list[Any]] = {
            "Boolean": [True, False],
            "Int": [1, 3],
            "Float": [0.5],
            "ID": ["1", "nonsense"],
            "String": ["zoe", "StudentEnrollment", "a", ""],
            "DateTime": ["2026-09-12T12:00:00Z", "2026-09-15T12:00:00+02:00"],
            "Duration": ["PT1M", "P2D"],
        }
        return self._random.choice(values[type_name])


def _literal(type_: Any, value: Any) -> str:
    """`value` as it is written in a document."""
    bare = get_nullable_type(type_)
    if value is None:
        return "null"
    if is_list_type(bare):
        return f"[{', '.join(_literal(bare.of_type, one) for one in value)}]"
    if isinstance(bare, GraphQLEnumType):
        return str(value)
    if isinstance(bare, GraphQLInputObjectType):
        inner = (f"{name}: {_literal(bare.fields[name].type, one)}" for name, one in value.items())
        return f"{{{', '.join(inner)}}}"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
