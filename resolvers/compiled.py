"""The compiled read: a query by its plan, level by level, from records to the bytes of its answer.

It calls what the ordinary resolvers call, for all rows of a level at once: limits, rights, freshness and provenance are
theirs. Whatever it cannot do, and whatever goes wrong, is left to them: they read again, and answer as GraphQL says.
"""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Mapping, Sequence
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple

import msgspec
import orjson
import strawberry
from graphql import (
    FieldNode,
    GraphQLError,
    OperationDefinitionNode,
    get_argument_values,
    get_operation_ast,
    get_variable_values,
)
from graphql.execution.values import VariableValues

from gateway.errors import PublicError
from gateway.logs import outline
from gateway.readpath.forms import Member, Object
from gateway.readpath.lookups import By
from gateway.readpath.registry import Row
from gateway.readpath.writers import Unfit, Waiting
from resolvers import nodes, pages
from resolvers.compiling import (
    Listing,
    NotPlanned,
    Plan,
    Planner,
    Resolved,
    converted,
)
from resolvers.context import Context
from resolvers.documents import Document, Operation
from resolvers.limits import fragments_of
from resolvers.selection import switches

_log = logging.getLogger(__name__)
_KEPT_PLANS = 16  # of one document: by operation and switches

Rows = Sequence[tuple[Any, dict[str, Any]]]


class Way(StrEnum):
    """How a query was answered."""

    COMPILED = "compiled"
    ORDINARY = "ordinary"  # it has no plan
    REFUSED = "refused"  # the plan met an error that is the caller's to see, which the ordinary resolvers tell
    BROKEN = "broken"  # the plan met a fault of ours, and the ordinary resolvers helped out


class Compiled:
    """The compiled reads of one schema."""

    def __init__(self, schema: strawberry.Schema) -> None:
        self._schema = schema

    async def read(self, operation: Operation, context: Context) -> tuple[Way, Any]:
        """The `data` of the answer as JSON, where the way is COMPILED."""
        try:
            run = self._run(operation, context)
            return Way.COMPILED, orjson.Fragment(_encode(await run.answer()))
        except NotPlanned:
            return Way.ORDINARY, None
        except (PublicError, GraphQLError, Unfit):
            return Way.REFUSED, None
        except Exception as fault:  # noqa: BLE001  whatever it is: the ordinary resolvers know how to answer
            _log.error("a compiled read failed", extra={"fields": {"exception": outline(fault)}})
            return Way.BROKEN, None

    def _run(self, operation: Operation, context: Context) -> "_Run":
        node = get_operation_ast(operation.document.ast, operation.name)
        if node is None:
            raise NotPlanned
        schema = self._schema._schema  # noqa: SLF001  Strawberry offers no public way to it
        given = get_variable_values(schema, node.variable_definitions or (), operation.variables)
        if not isinstance(given, VariableValues):
            raise NotPlanned  # the ordinary executor says what is wrong with them
        plan = self._plan(operation.document, node, given.coerced)
        return _Run(self._schema, plan, given, context)

    def _plan(
        self, document: Document, node: OperationDefinitionNode, given: Mapping[str, Any]
    ) -> Plan:
        if document.switches is None:
            document.switches = switches(document.ast) if "@" in document.text else ()
        chosen = {name: given.get(name) for name in document.switches}
        key = (node.name and node.name.value, *chosen.values())
        if key not in document.plans:
            if len(document.plans) >= _KEPT_PLANS:
                document.plans.clear()
            try:
                planner = Planner(self._schema, fragments_of(document.ast), chosen)
                document.plans[key] = planner.plan(node)
            except NotPlanned:
                document.plans[key] = None
        plan: Plan | None = document.plans[key]
        if plan is None:
            raise NotPlanned
        return plan


class _Info(NamedTuple):
    """What resolvers want to know of the execution that calls them."""

    field_name: str
    field_nodes: list[FieldNode]
    fragments: Mapping[str, Any]
    variable_values: Mapping[str, Any]
    context: Context

    @property
    def _raw_info(self) -> "_Info":
        """Strawberry's own name for this, where it stands around it."""
        return self


class _Run:
    """One plan, run for one caller."""

    def __init__(
        self, schema: strawberry.Schema, plan: Plan, given: VariableValues, context: Context
    ) -> None:
        self._schema = schema
        self._plan = plan
        self._given = given
        self._context = context

    async def answer(self) -> dict[str, Any]:
        form = self._plan.answer
        data: dict[str, Any] = dict.fromkeys(one.key for one in form.members)
        for one in form.members:
            if one.value is not None:
                data[one.key] = form.type_name  # `__typename` is all that needs no resolver here
        await self._fill([form], [[(None, data)]])
        return data

    async def _fill(self, forms: Sequence[Object], waiting: Waiting) -> None:
        """Resolve the members that wait, all of a level side by side, then those below them."""
        work = [
            self._resolve(member, rows)
            for form, rows in zip(forms, waiting, strict=True)
            if rows
            for member in form.waiting
        ]
        await _all(work)

    async def _resolve(self, member: Member, rows: Rows) -> None:
        resolved: Resolved = member.resolved
        if resolved.listing is not None:
            await self._list(resolved, resolved.listing, rows)
            return
        arguments = self._arguments(resolved)
        lookup = resolved.lookup
        if lookup is not None:
            ((form, value),) = arguments["by"].items()
            by = By(lookup.table.type_name, form, str(value))
            found = [await nodes.found(self._context, by, lookup, arguments.get("asOf"))]
        else:
            resolve: Any = resolved.field.resolve
            info = self._info(resolved)
            found = await _values([resolve(row, info, **arguments) for row, _ in rows])
        writer, waiting = resolved.writer, resolved.writer.none_waiting()
        for (_, written), value in zip(rows, found, strict=True):
            written[member.key] = writer.write(value, waiting)
        await self._fill(writer.waiting, waiting)

    def _info(self, resolved: Resolved) -> _Info:
        return _Info(
            resolved.nodes[0].name.value,
            resolved.nodes,
            self._plan.fragments,
            self._given.coerced,
            self._context,
        )

    async def _list(self, resolved: Resolved, listing: Listing, rows: Rows) -> None:
        """The pages of a list for all its parents, their records written as they come."""
        field, waiting = listing.field, listing.rows.none_waiting()
        selected = listing.selected._replace(decode=partial(listing.rows.decode, waiting))
        places = [field.place(row) for row, _ in rows]
        parents = list(dict.fromkeys(places))
        asked = listing.asked
        if asked is None:
            arguments = self._arguments(resolved)
            asked = field.asked(**converted(self._schema, resolved.field, arguments))
        found = await pages.listed(
            self._context,
            field.type_name,
            field.column,
            asked,
            selected,
            parents,
        )
        around = resolved.writer.none_waiting()
        shown = {
            parent: resolved.writer.write(page, around)
            for parent, page in zip(parents, found, strict=True)
        }
        for place, (_, written) in zip(places, rows, strict=True):
            written[resolved.key] = shown[place]
        await self._fill([*resolved.writer.waiting, *listing.rows.waiting], [*around, *waiting])

    def _arguments(self, resolved: Resolved) -> dict[str, Any]:
        if resolved.arguments is not None:
            return resolved.arguments
        return get_argument_values(resolved.field, resolved.nodes[0], self._given)


_encode = msgspec.json.Encoder().encode


async def _values(found: list[Any]) -> list[Any]:
    """What resolvers returned, once it is there."""
    if any(inspect.isawaitable(one) for one in found):
        return await _all([_value(one) for one in found])
    return found


async def _value(found: Row | Awaitable[Row]) -> Any:
    return await found if inspect.isawaitable(found) else found


async def _all(work: Sequence[Any]) -> list[Any]:
    """The results of all, or the first error once all have ended: none goes on behind an answer."""
    if len(work) == 1:
        return [await work[0]]
    ended = await asyncio.gather(*work, return_exceptions=True)
    for one in ended:
        if isinstance(one, BaseException):
            raise one
    return ended
