"""What a caller selected: the fields of a type as they stand in the answer, and the shape of the rows to bring."""

from collections.abc import Iterable, Mapping
from typing import Any

from graphql import (
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLResolveInfo,
    InlineFragmentNode,
    Node,
    SelectionNode,
    VariableNode,
    is_abstract_type,
)
from graphql.language import Visitor, visit

from gateway.readpath.registry import TABLES, Table
from gateway.readpath.shapes import Shape
from resolvers.context import Context

Nodes = Iterable[FieldNode]


class Selection:
    """The fields selected below some nodes, by name; two aliases of one field are one entry."""

    def __init__(self, info: GraphQLResolveInfo[Context], nodes: Nodes, type_name: str) -> None:
        self._info = info
        self.type_name = type_name
        # Strawberry hands over the values alone, where graphql-core's type promises more around them.
        self._variables: Any = info.variable_values
        # A fragment on an interface holds for every type that implements it.
        self._types = {type_name, "Node"}
        self.fields: dict[str, list[FieldNode]] = {}
        for node in nodes:
            if node.selection_set is not None:
                self._collect(node.selection_set.selections)

    def __contains__(self, name: str) -> bool:
        return name in self.fields

    def below(self, name: str, type_name: str) -> "Selection":
        return self.at(self.fields.get(name, ()), type_name)

    def at(self, nodes: Nodes, type_name: str) -> "Selection":
        return Selection(self._info, nodes, type_name)

    def shape(self, table: Table) -> Shape:
        """What these fields need of a row of `table`; fields with a resolver of their own need nothing here."""
        return Shape(
            table,
            frozenset(self.fields.keys() & table.fields.keys()),
            tuple(
                (name, self.below(name, link.type_name).shape(TABLES[link.type_name]))
                for name, link in table.links.items()
                if name in self.fields
            ),
        )

    def _collect(self, selections: Iterable[SelectionNode]) -> None:
        for node in selections:
            if leaves_out(node.directives, self._variables):
                continue
            match node:
                case FieldNode():
                    self.fields.setdefault(node.name.value, []).append(node)
                case FragmentSpreadNode():
                    fragment = self._info.fragments[node.name.value]
                    if fragment.type_condition.name.value in self._types:
                        self._collect(fragment.selection_set.selections)
                case InlineFragmentNode():
                    condition = node.type_condition
                    if condition is None or condition.name.value in self._types:
                        self._collect(node.selection_set.selections)
                case _:  # GraphQL knows no fourth
                    raise TypeError(node)


class Fields:
    """The fields that a selection has for one type, by their keys in the response, in their order."""

    def __init__(self, schema: Any, info: Any, type_: GraphQLObjectType) -> None:
        self._schema = schema
        self._info = info
        self._type = type_
        self._spread: set[str] = set()
        self.by_key: dict[str, list[FieldNode]] = {}

    def collect(self, selections: Iterable[SelectionNode]) -> None:
        for node in selections:
            if leaves_out(node.directives, self._info.variable_values):
                continue
            if isinstance(node, FieldNode):
                key = (node.alias or node.name).value
                self.by_key.setdefault(key, []).append(node)
            elif isinstance(node, FragmentSpreadNode):
                name = node.name.value
                if name not in self._spread:
                    self._spread.add(name)
                    self._fragment(self._info.fragments[name])
            elif isinstance(node, InlineFragmentNode):
                self._fragment(node)

    def _fragment(self, node: FragmentDefinitionNode | InlineFragmentNode) -> None:
        condition = node.type_condition
        if condition is not None and condition.name.value != self._type.name:
            other = self._schema.type_map[condition.name.value]
            if not is_abstract_type(other) or not self._schema.is_sub_type(other, self._type):
                return
        self.collect(node.selection_set.selections)


def leaves_out(directives: Iterable[DirectiveNode] | None, given: Mapping[str, Any]) -> bool:
    """Whether what carries these directives is skipped, or not included."""
    for directive in directives or ():
        name = directive.name.value
        if name in ("skip", "include"):
            value: Any = (directive.arguments or ())[0].value
            on = given[value.name.value] if isinstance(value, VariableNode) else value.value
            if bool(on) is (name == "skip"):
                return True
    return False


def switches(node: Node) -> tuple[str, ...]:
    """The variables that decide what is skipped or included."""
    found = _Switches()
    visit(node, found)
    return tuple(sorted(found.names))


class _Switches(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def enter_directive(self, node: DirectiveNode, *_: object) -> None:
        values = (argument.value for argument in node.arguments or ())
        self.names |= {value.name.value for value in values if isinstance(value, VariableNode)}
