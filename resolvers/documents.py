"""Query texts, read once: parsed, measured against the limits, validated, and kept for the next request."""

from collections.abc import Hashable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any

import strawberry
from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    OperationDefinitionNode,
    get_operation_ast,
    parse,
    specified_rules,
)
from strawberry.extensions import SchemaExtension
from strawberry.schema.schema import validate_document

from resolvers.limits import CostOf, Limits, fragments_of, refusal, refusal_of_shape

_KEPT_DOCUMENTS = 512
_LONGEST_KEPT = 20_000
_KEPT_COSTS = 64


class Kind(StrEnum):
    QUERY = "query"
    MUTATION = "mutation"
    SUBSCRIPTION = "subscription"


class Refused(Exception):
    """An operation that is not run at all; what is wrong is in `errors`, each with a code."""

    def __init__(self, *errors: GraphQLError, cost: int | None = None) -> None:
        super().__init__(*errors)
        self.errors = list(errors)
        self.cost = cost


class Document:
    """A valid query text. What is learned of it later (costs; a compiled plan) is kept with it."""

    def __init__(self, text: str, ast: DocumentNode, schema: GraphQLSchema) -> None:
        self.text = text
        self.ast = ast
        # What `resolvers.compiled` learns of it: the variables of its `@skip` and `@include`, and its plans.
        self.switches: tuple[str, ...] | None = None
        self.plans: dict[Hashable, Any] = {}
        self._cost_of = CostOf(schema, fragments_of(ast))
        self._paging: dict[str | None, set[str]] = {}
        self._costs: dict[tuple[object, ...], int] = {}

    def cost(
        self, name: str | None, node: OperationDefinitionNode, variables: Mapping[str, Any]
    ) -> int:
        key = self._cost_key(name, variables)
        if key not in self._costs:
            if len(self._costs) >= _KEPT_COSTS:
                self._costs.clear()
            cost, self._paging[name] = self._cost_of.operation(node, variables)
            self._costs[self._cost_key(name, variables)] = cost
            return cost
        return self._costs[key]

    def _cost_key(self, name: str | None, variables: Mapping[str, Any]) -> tuple[object, ...]:
        sizes = (variables.get(one) for one in sorted(self._paging.get(name, ())))
        return (name, *(len(one) if isinstance(one, list) else repr(one) for one in sizes))


class Operation:
    """One operation of a valid document, within the limits, with the variables that it was sent with."""

    __slots__ = ("cost", "document", "kind", "name", "variables")

    def __init__(
        self,
        document: Document,
        *,
        name: str | None,
        kind: Kind,
        variables: dict[str, Any],
        cost: int,
    ) -> None:
        self.document = document
        self.name = name
        self.kind = kind
        self.variables = variables
        self.cost = cost


class Documents:
    """The documents of one schema."""

    def __init__(self, schema: strawberry.Schema, limits: Limits) -> None:
        self._schema = schema._schema  # noqa: SLF001  Strawberry offers no public way to it
        self._limits = limits
        self._kept = lru_cache(maxsize=_KEPT_DOCUMENTS)(self._read)

    def operation(self, text: str, name: str | None, variables: dict[str, Any]) -> Operation:
        """The operation to run, or `Refused`."""
        document = self._kept(text) if len(text) <= _LONGEST_KEPT else self._read(text)
        node = get_operation_ast(document.ast, name)
        if node is None:
            raise Refused(_unknown_operation(name))
        cost = document.cost(name, node, variables)
        if cost > self._limits.cost:
            why = f"may answer with {cost} objects; {self._limits.cost} are the most"
            raise Refused(
                refusal("COST_LIMIT", why, node, cost=cost, limit=self._limits.cost), cost=cost
            )
        return Operation(
            document, name=name, kind=Kind(node.operation.value), variables=variables, cost=cost
        )

    def _read(self, text: str) -> Document:
        ast = self._parse(text)
        if error := refusal_of_shape(ast, self._limits):
            raise Refused(error)
        if errors := validate_document(self._schema, ast, tuple(specified_rules)):
            raise Refused(*(_coded(one, "GRAPHQL_VALIDATION_FAILED") for one in errors))
        return Document(text, ast, self._schema)

    def _parse(self, text: str) -> DocumentNode:
        try:
            return parse(text, max_tokens=self._limits.tokens)
        except GraphQLSyntaxError as error:
            # not as a GraphQLSyntaxError: for one of those Strawberry closes the whole WebSocket
            plain = GraphQLError(error.message, source=error.source, positions=error.positions)
            raise Refused(_coded(plain, _syntax_code(error))) from error


class UseDocument(SchemaExtension):
    """Hands Strawberry the document that was read already, so that it neither parses nor validates again."""

    def on_operation(self) -> Any:
        operation = getattr(self.execution_context.context, "operation", None)
        if isinstance(operation, Operation):
            self.execution_context.graphql_document = operation.document.ast
            self.execution_context.pre_execution_errors = []
        yield


def _unknown_operation(name: str | None) -> GraphQLError:
    message = (
        "The document has several operations, or none: name the one to run."
        if name is None
        else "The document has no operation of that name."
    )
    return GraphQLError(message, extensions={"code": "OPERATION_RESOLUTION_FAILURE"})


def _syntax_code(error: GraphQLSyntaxError) -> str:
    """The parser has no other sign for its own limits than their words."""
    if "tokens. Parsing aborted" in error.message:
        return "TOKEN_LIMIT"
    if "nested too deeply" in error.message:
        return "DEPTH_LIMIT"
    return "GRAPHQL_PARSE_FAILED"


def _coded(error: GraphQLError, code: str) -> GraphQLError:
    error.extensions = {**(error.extensions or {}), "code": code}
    return error
