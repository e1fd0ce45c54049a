"""What a caller selected below a field, as the shape of the rows to bring."""

from collections.abc import Iterable
from typing import Any

from graphql import (
    DirectiveNode,
    FieldNode,
    FragmentSpreadNode,
    GraphQLResolveInfo,
    InlineFragmentNode,
    SelectionNode,
    VariableNode,
)

from gateway.readpath.registry import TABLES, Table
from gateway.readpath.shapes import Shape
from resolvers.context import Context

Nodes = Iterable[FieldNode]
Fields = dict[str, list[FieldNode]]


class Selection:
    """The fields selected below some nodes, by name; two aliases of one field are one entry."""

    def __init__(self, info: GraphQLResolveInfo[Context], nodes: Nodes, type_name: str) -> None:
        self._info = info
        self.type_name = type_name
        # Strawberry hands over the values alone, where graphql-core's type promises more around them.
        self._variables: Any = info.variable_values
        # A fragment on an interface holds for every type that implements it.
        self._types = {type_name, "Node"}
        self.fields: Fields = {}
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
            if any(self._leaves_out(directive) for directive in node.directives or ()):
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

    def _leaves_out(self, directive: DirectiveNode) -> bool:
        name = directive.name.value
        if name not in ("skip", "include"):
            return False
        value: Any = (directive.arguments or ())[0].value
        if isinstance(value, VariableNode):
            given = bool(self._variables[value.name.value])
        else:
            given = bool(value.value)
        return given is (name == "skip")
