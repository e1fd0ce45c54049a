"""Running one operation, however it came: in its time, counted, its errors made public, ended when the server stops."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol, TypeVar

import strawberry
from graphql import GraphQLError
from strawberry.types import ExecutionResult

from gateway.errors import PublicError
from gateway.metrics import Metrics, labelled
from gateway.viewer import Viewer
from resolvers import masking
from resolvers.compiled import Compiled, Way
from resolvers.documents import Documents, Kind, Operation
from resolvers.limits import Limits

T = TypeVar("T")


class Context(Protocol):
    """What every resolver is handed; `operation` is filled in here. `extensions` and `headers` go with the answer.

    `notices`: errors that cost no field its value, and that the caller can do something about.
    """

    operation: Operation | None

    @property
    def notices(self) -> Collection[PublicError]: ...

    def extensions(self) -> Mapping[str, object]: ...

    def headers(self) -> Mapping[str, str]: ...


@dataclass(frozen=True)
class Graph:
    """A schema, and what its resolvers are handed for a viewer and the headers of a request."""

    schema: strawberry.Schema
    context: Callable[[Viewer, Mapping[str, str]], Context]
    compiled: Compiled | None = None


@dataclass(frozen=True)
class Outcome:
    """`began` is whether a field was run: an operation that never began has no `data` at all."""

    result: ExecutionResult
    began: bool


class Operations:
    """The operations of one graph."""

    def __init__(
        self,
        graph: Graph,
        *,
        limits: Limits,
        seconds: float,
        stop: asyncio.Event,
        metrics: Metrics,
    ) -> None:
        self.documents = Documents(graph.schema, limits)
        self.context = graph.context
        self._schema = graph.schema
        self._compiled = graph.compiled
        self._seconds = seconds
        self._stop = stop
        self._metrics = metrics

    async def execute(self, operation: Operation, context: Context) -> Outcome:
        """The answer to a query or a mutation."""
        began_at = perf_counter()
        context.operation = operation
        try:
            async with asyncio.timeout(self._seconds):
                result = await self._read(operation, context)
            began = result.data is not None or any(one.path for one in result.errors or ())
        except TimeoutError:
            result, began = ExecutionResult(data=None, errors=[self._too_slow()]), True
        self._finish(operation, result, context)
        self._count(operation, result)
        labelled(self._metrics.operation_seconds, operation.kind).observe(perf_counter() - began_at)
        return Outcome(result, began)

    async def _read(self, operation: Operation, context: Any) -> ExecutionResult:
        if self._compiled is not None and operation.kind is Kind.QUERY:
            way, data = await self._compiled.read(operation, context)
            labelled(self._metrics.ways, way).inc()
            if way is Way.COMPILED:
                return ExecutionResult(data=data, errors=None)
        return await self._schema.execute(
            operation.document.text,
            variable_values=operation.variables,
            context_value=context,
            operation_name=operation.name,
        )

    async def stream(
        self, operation: Operation, context: Context, revoked: Callable[[], Awaitable[None]]
    ) -> AsyncGenerator[ExecutionResult, None]:
        """The results of any operation, a subscription's as they come, until `revoked()` returns."""
        if operation.kind is not Kind.SUBSCRIPTION:
            yield (await self.execute(operation, context)).result
            return
        context.operation = operation
        source = await self._schema.subscribe(
            operation.document.text,
            variable_values=operation.variables,
            context_value=context,
            operation_name=operation.name,
        )
        results = until_first_of(source, self._stop.wait(), revoked())
        result = None
        with self._metrics.streams.track_inprogress():
            async with aclosing(results):
                async for result in results:
                    self._finish(operation, result, context)
                    yield result
        self._count(operation, result)

    def _finish(self, operation: Operation, result: ExecutionResult, context: Context) -> None:
        told = {"cost": operation.cost, **context.extensions()}
        result.extensions = {**told, **(result.extensions or {})}
        if context.notices:
            noticed = [GraphQLError(str(one), original_error=one) for one in context.notices]
            result.errors = [*(result.errors or ()), *noticed]
        if result.errors:
            result.errors = masking.public(result.errors)

    def _count(self, operation: Operation, result: ExecutionResult | None) -> None:
        errors = result.errors if result else None
        outcome = masking.code_of(errors[0]) if errors else "OK"
        labelled(self._metrics.operations, operation.kind, outcome).inc()

    def _too_slow(self) -> GraphQLError:
        return GraphQLError(
            f"The operation took longer than {self._seconds:g} seconds.",
            extensions={"code": "TIMEOUT"},
        )


async def until_first_of(
    source: AsyncGenerator[T, None], *endings: Awaitable[Any]
) -> AsyncGenerator[T, None]:
    """What `source` yields, until it is exhausted or one of `endings` is there; it is closed either way."""
    ends = [asyncio.ensure_future(one) for one in endings]
    step: asyncio.Task[T] | None = None
    try:
        while True:
            step = next_of(source)
            await asyncio.wait({step, *ends}, return_when=asyncio.FIRST_COMPLETED)
            if not step.done():
                return
            try:
                yield step.result()
            except StopAsyncIteration:
                return
    finally:
        pending = [one for one in (step, *ends) if one is not None]
        for one in pending:
            one.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        await source.aclose()


def next_of(source: AsyncGenerator[T, None]) -> asyncio.Task[T]:
    """The next step of `source`, in a task that can be waited for beside others."""

    async def step() -> T:
        return await anext(source)

    return asyncio.ensure_future(step())
