"""A valid query as a plan: the form of its answer, and what must be resolved to fill it.

All is derived from the schema that Strawberry made: a field without a resolver of its own is read from its parent's row,
any other is resolved for all rows of its level at once. Made once a document, operation and value of the variables that
skip or include.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import strawberry
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLObjectType,
    ListValueNode,
    ObjectValueNode,
    OperationDefinitionNode,
    ValueNode,
    VariableNode,
    get_argument_values,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
)
from strawberry.types.arguments import convert_arguments

from gateway.readpath.forms import (
    TYPE_NAME,
    Each,
    Form,
    Leaf,
    Member,
    Object,
    OneOf,
    Value,
    Words,
    Written,
)
from gateway.readpath.registry import TABLES
from gateway.readpath.shapes import Shape
from gateway.readpath.writers import RecordWriter, ValueWriter
from resolvers import pages
from resolvers.lists import LISTS, ListField
from resolvers.pages import Asked, Selected
from resolvers.queries import LOOKUPS
from resolvers.selection import Fields, Selection

_MOST_MEMBERS = 2_000  # of a plan: whoever asks for more does not wait for its making
# Values that GraphQL's own scalars show as they are.
_KEPT = {"String": str, "ID": str, "Boolean": bool, "Int": int, "Float": float}


class NotPlanned(Exception):
    """A query, or a part of one, that the ordinary resolvers answer."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Listing:
    """A list whose records are written at once. `asked`: its arguments; None: they hold variables."""

    field: ListField
    asked: Asked | None
    selected: Selected
    rows: RecordWriter


@dataclass(frozen=True, eq=False, kw_only=True)
class Resolved:
    """A field with a resolver of its own. `arguments` None: they hold variables.

    `writer` writes what it returns; where it is a `listing`, what stands around the rows. `lookup`: what it brings of the
    row that it finds by one of its ids.
    """

    key: str
    field: GraphQLField
    nodes: list[FieldNode]
    parent: GraphQLObjectType
    arguments: dict[str, Any] | None
    writer: ValueWriter
    listing: Listing | None = None
    lookup: Shape | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Plan:
    operation: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    answer: Object


class Planner:
    """Makes the plan of one operation, `given` the values of its switches."""

    def __init__(
        self,
        schema: strawberry.Schema,
        fragments: Mapping[str, FragmentDefinitionNode],
        given: Mapping[str, Any],
    ) -> None:
        self._described = schema
        self._schema = schema._schema  # noqa: SLF001  Strawberry offers no public way to it
        # what `Selection` wants to know of an execution
        self._info: Any = SimpleNamespace(fragments=fragments, variable_values=given)
        self._members = 0

    def plan(self, operation: OperationDefinitionNode) -> Plan:
        root = self._schema.query_type
        if root is None:
            raise NotPlanned
        answer = self._object(root, [operation])
        return Plan(operation=operation, fragments=self._info.fragments, answer=answer)

    def _object(self, type_: GraphQLObjectType, nodes: Iterable[Any]) -> Object:
        fields = Fields(self._schema, self._info, type_)
        for node in nodes:
            fields.collect(node.selection_set.selections)
        members = [self._member(type_, key, found) for key, found in fields.by_key.items()]
        return Object(type_.name, tuple(members))

    def _member(self, type_: GraphQLObjectType, key: str, nodes: list[FieldNode]) -> Member:
        self._members += 1
        name = nodes[0].name.value
        if self._members > _MOST_MEMBERS or name in ("__schema", "__type"):
            raise NotPlanned
        if name == TYPE_NAME:
            return Member(key, name, Value(Written(), required=True))
        field = type_.fields[name]
        value = self._value(field.type, nodes)
        if getattr(field.resolve, "reads_row", False):
            return Member(key, name, value)
        return Member(key, name, None, self._resolved(type_, key, nodes, value))

    def _value(self, type_: Any, nodes: list[FieldNode]) -> Value:
        if (plain := _plain(type_)) is not None:
            return plain
        required = is_non_null_type(type_)
        return Value(self._form(type_.of_type if required else type_, nodes), required)

    def _form(self, type_: Any, nodes: list[FieldNode]) -> Form:
        if is_list_type(type_):
            return Each(self._value(type_.of_type, nodes))
        if is_object_type(type_):
            return self._object(type_, nodes)
        if is_abstract_type(type_):
            possible = self._schema.get_possible_types(type_)
            return OneOf({one.name: self._object(one, nodes) for one in possible})
        raise NotPlanned

    def _resolved(
        self, type_: GraphQLObjectType, key: str, nodes: list[FieldNode], value: Value
    ) -> Resolved:
        field = type_.fields[nodes[0].name.value]
        variable = any(_holds_variable(one.value) for one in nodes[0].arguments or ())
        arguments = None if variable else get_argument_values(field, nodes[0])
        listing, around = self._listing(field, nodes, value, arguments)
        return Resolved(
            key=key,
            field=field,
            nodes=nodes,
            parent=type_,
            arguments=arguments,
            writer=ValueWriter(around),
            listing=listing,
            lookup=self._lookup(field, nodes),
        )

    def _lookup(self, field: GraphQLField, nodes: list[FieldNode]) -> Shape | None:
        type_name = LOOKUPS.get(_resolver_of(field))
        if type_name is None:
            return None
        return Selection(self._info, nodes, type_name).shape(TABLES[type_name])

    def _listing(
        self,
        field: GraphQLField,
        nodes: list[FieldNode],
        value: Value,
        arguments: dict[str, Any] | None,
    ) -> tuple[Listing | None, Value]:
        """How the field's rows are read at once, if they can be, and the form of the rest."""
        listed = LISTS.get(_resolver_of(field))
        if listed is None or not isinstance(value.form, Object):
            return None, value
        around, rows = _without_rows(value.form)
        if len(rows) > 1:  # `nodes` and `edges`, or two aliases of one: each shows other fields
            return None, value
        selection = Selection(self._info, nodes, value.form.type_name)
        shape = pages.node_selection(selection, listed.type_name).shape(TABLES[listed.type_name])
        form = rows[0] if rows else Object(listed.type_name, ())
        listing = Listing(
            field=listed,
            asked=None
            if arguments is None
            else listed.asked(**converted(self._described, field, arguments)),
            selected=Selected(pages.parts_of(selection), shape),
            rows=RecordWriter(form),
        )
        return listing, Value(around, value.required)


@cache
def _plain(type_: Any) -> Value | None:
    """Of a scalar or an enumeration, which looks the same in every plan; None: there are fields to select below."""
    required = is_non_null_type(type_)
    named = type_.of_type if required else type_
    if isinstance(named, GraphQLEnumType):
        return Value(Words({one.value: name for name, one in named.values.items()}), required)
    if is_leaf_type(named):
        return Value(Leaf(_KEPT.get(named.name), named.coerce_output_value), required)
    return None


def converted(
    schema: strawberry.Schema, field: GraphQLField, arguments: dict[str, Any]
) -> dict[str, Any]:
    """Arguments as the resolver of a list takes them; what is null is left out, which means the same there."""
    return convert_arguments(
        {name: value for name, value in arguments.items() if value is not None},
        definition_of(field).arguments,
        schema.schema_converter.scalar_registry,
        schema.config,
    )


def definition_of(field: GraphQLField) -> Any:
    """Strawberry's own description of a field with a resolver."""
    return field.extensions["strawberry-definition"]


def _resolver_of(field: GraphQLField) -> Any:
    return definition_of(field).base_resolver.wrapped_func


def _without_rows(connection: Object) -> tuple[Object, list[Object]]:
    """A connection with its rows written already, and the forms of these."""
    rows: list[Object] = []

    def row(value: Value | None) -> Value:
        if value is None or not isinstance(value.form, Object):
            raise TypeError(value)
        rows.append(value.form)
        return Value(Written(), required=True)

    def part(member: Member) -> Member:
        value = member.value
        if value is None or not isinstance(value.form, Each):
            return member
        each, of = value.form, value.form.of
        if member.name == "nodes":
            each = Each(row(of))
        elif member.name == "edges" and isinstance(of.form, Object):
            edge = [
                Member(one.key, one.name, row(one.value)) if one.name == "node" else one
                for one in of.form.members
            ]
            each = Each(Value(Object(of.form.type_name, tuple(edge)), of.required))
        return Member(member.key, member.name, Value(each, value.required))

    members = tuple(part(member) for member in connection.members)
    return Object(connection.type_name, members), rows


def _holds_variable(node: ValueNode) -> bool:
    if isinstance(node, ListValueNode):
        return any(map(_holds_variable, node.values))
    if isinstance(node, ObjectValueNode):
        return any(_holds_variable(one.value) for one in node.fields)
    return isinstance(node, VariableNode)
