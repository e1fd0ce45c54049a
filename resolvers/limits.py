"""How much one operation may ask for: its depth, its aliases, and the objects that its answer may hold.

Each fragment is measured once, however often it is spread: twenty fragments that each spread the next one twice are
a few words, and two million fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLCompositeType,
    GraphQLError,
    GraphQLField,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_composite_type,
    is_list_type,
)
from graphql.language import ValueNode
from graphql.utilities import type_from_ast

PAGE = 50
LARGEST_PAGE = 5_000
_UNPAGED_LIST = 10  # a guess: what is not paged is short

Fragments = Mapping[str, FragmentDefinitionNode]
Values = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Limits:
    tokens: int = 2_000
    depth: int = 20
    aliases: int = 100
    cost: int = 500_000


def fragments_of(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    return {
        node.name.value: node
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }


class Shape(NamedTuple):
    """What is known of a selection without the schema, fragments spread out."""

    depth: int = 0
    aliases: int = 0


def refusal_of_shape(document: DocumentNode, limits: Limits) -> GraphQLError | None:
    """Why the document is refused before it is even validated: validation takes longer than this look."""
    measure = _ShapeOf(fragments_of(document))
    for node in document.definitions:
        if not isinstance(node, OperationDefinitionNode):
            continue
        shape = measure.selection(node.selection_set)
        if shape.depth > limits.depth:
            return refusal("DEPTH_LIMIT", f"nests fields more than {limits.depth} deep", node)
        if shape.aliases > limits.aliases:
            return refusal("ALIAS_LIMIT", f"has more than {limits.aliases} aliases", node)
    return None


def refusal(code: str, why: str, node: OperationDefinitionNode, **more: object) -> GraphQLError:
    return GraphQLError(f"The operation {why}.", node, extensions={"code": code, **more})


class _ShapeOf:
    def __init__(self, fragments: Fragments) -> None:
        self._fragments = fragments
        self._known: dict[str, Shape] = {}

    def selection(self, selections: SelectionSetNode | None) -> Shape:
        depth = aliases = 0
        for node in selections.selections if selections else ():
            if isinstance(node, FragmentSpreadNode):
                below = self._fragment(node.name.value)
            elif isinstance(node, InlineFragmentNode):
                below = self.selection(node.selection_set)
            elif isinstance(node, FieldNode):
                below = self.selection(node.selection_set)
                below = Shape(below.depth + 1, below.aliases + (node.alias is not None))
            else:
                continue
            depth = max(depth, below.depth)
            aliases += below.aliases
        return Shape(depth, aliases)

    def _fragment(self, name: str) -> Shape:
        if name not in self._known:
            self._known[name] = Shape()  # a cycle ends here; validation will refuse it
            if name in self._fragments:
                self._known[name] = self.selection(self._fragments[name].selection_set)
        return self._known[name]


class CostOf:
    """The number of objects that the answer to a valid operation may hold, given its variables.

    A connection's `edges` and `nodes` count as many as its page may hold. `paging` collects the names of the
    variables that the number depends on.
    """

    def __init__(self, schema: GraphQLSchema, fragments: Fragments) -> None:
        self._schema = schema
        self._fragments = fragments

    def operation(self, node: OperationDefinitionNode, variables: Values) -> tuple[int, set[str]]:
        root = self._schema.get_root_type(node.operation)
        if root is None:
            return 0, set()
        count = _Count(self._schema, self._fragments, _with_defaults(node, variables))
        return count.selection(node.selection_set, root, _UNPAGED_LIST), count.paging


class _Count:
    def __init__(self, schema: GraphQLSchema, fragments: Fragments, variables: Values) -> None:
        self._schema = schema
        self._fragments = fragments
        self._variables = variables
        self._known: dict[tuple[str, int], int] = {}
        self.paging: set[str] = set()

    def selection(
        self, selections: SelectionSetNode | None, parent: GraphQLCompositeType, items: int
    ) -> int:
        """`items`: how many each list directly below `parent` may hold."""
        total = 0
        for node in selections.selections if selections else ():
            if isinstance(node, FieldNode):
                total += self._field(node, parent, items)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                inner = type_from_ast(self._schema, condition) if condition else parent
                total += self._on(node.selection_set, inner, items)
            elif isinstance(node, FragmentSpreadNode):
                total += self._fragment(node.name.value, items)
        return total

    def _on(self, selections: SelectionSetNode, type_: object, items: int) -> int:
        return self.selection(selections, type_, items) if is_composite_type(type_) else 0

    def _fragment(self, name: str, items: int) -> int:
        if (name, items) not in self._known:
            node = self._fragments[name]
            type_ = type_from_ast(self._schema, node.type_condition)
            self._known[name, items] = self._on(node.selection_set, type_, items)
        return self._known[name, items]

    def _field(self, node: FieldNode, parent: GraphQLCompositeType, items: int) -> int:
        definition = self._schema.get_field(parent, node.name.value)
        named = get_named_type(definition.type) if definition else None
        if definition is None or not is_composite_type(named):
            return 0
        arguments = {one.name.value: one.value for one in node.arguments or ()}
        times = 1
        if is_list_type(get_nullable_type(definition.type)):
            times = self._length(arguments["ids"]) if "ids" in arguments else items
        below = self._page(definition, arguments) if "first" in definition.args else _UNPAGED_LIST
        return times * (1 + self.selection(node.selection_set, named, below))

    def _page(self, definition: GraphQLField, arguments: Mapping[str, ValueNode]) -> int:
        sizes = [self._value(arguments[name]) for name in ("first", "last") if name in arguments]
        given = [size for size in sizes if size is not None]
        if not given:
            default = definition.args["first"].default_value
            given = [default if isinstance(default, int) else PAGE]
        return max(_page_size(size) for size in given)

    def _value(self, node: ValueNode) -> object:
        """What an argument is given; None where it is left to its default."""
        if isinstance(node, IntValueNode):
            return int(node.value)
        if isinstance(node, VariableNode):
            self.paging.add(node.name.value)
            return self._variables.get(node.name.value)
        return None

    def _length(self, node: ValueNode) -> int:
        if isinstance(node, ListValueNode):
            return len(node.values)
        value = self._value(node)
        return len(value) if isinstance(value, list) else 1


def _page_size(size: object) -> int:
    """What is more than a page is refused by the field itself; what is no number, by its type."""
    return min(max(size, 0), LARGEST_PAGE) if isinstance(size, int) else LARGEST_PAGE


def _with_defaults(node: OperationDefinitionNode, variables: Values) -> Values:
    defaults = {
        one.variable.name.value: int(one.default_value.value)
        for one in node.variable_definitions or ()
        if isinstance(one.default_value, IntValueNode)
    }
    return {**defaults, **variables} if defaults else variables
