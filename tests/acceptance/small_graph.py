"""A small graph for the server's own tests: fields that answer, fail, dawdle and stream on demand."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig

from gateway.errors import Ambiguous, PublicError
from gateway.parts import Parts
from gateway.uow import Database
from gateway.viewer import Viewer
from resolvers.documents import Operation, UseDocument
from resolvers.masking import Schema
from resolvers.operations import Graph

_log = logging.getLogger(__name__)

open_ticks: set[str] = set()
"""Names of the `ticks` streams whose `finally` has not run yet."""

slow_now: list[float] = []


@dataclass(eq=False)
class SmallContext:
    viewer: Viewer
    database: Database
    operation: Operation | None = None
    notices: tuple[PublicError, ...] = ()

    def extensions(self) -> dict[str, object]:
        return {}

    def headers(self) -> dict[str, str]:
        return {}


Info = strawberry.Info[SmallContext, None]


@strawberry.type
class Person:
    name: str

    @strawberry.field
    def friends(self, first: int = 50) -> "People":
        return People(nodes=[self])


@strawberry.type
class People:
    nodes: list[Person]


@strawberry.type
class Query:
    @strawberry.field
    def hello(self, name: str = "world") -> str:
        return f"hello {name}"

    @strawberry.field
    def institution(self, info: Info) -> str:
        return info.context.viewer.institution_slug

    @strawberry.field
    def person(self) -> Person:
        return Person(name="Ada")

    @strawberry.field
    def people(self, first: int | None = None) -> People:
        return People(nodes=[Person(name="Ada")])

    @strawberry.field
    def broken(self) -> str | None:
        raise RuntimeError("a secret of ours")

    @strawberry.field
    def ambiguous(self) -> str | None:
        raise Ambiguous("two people have this id")

    @strawberry.field
    def refused(self) -> str | None:
        raise GraphQLError("not like this")

    @strawberry.field
    def open_ticks(self) -> int:
        return len(open_ticks)

    @strawberry.field
    async def slow(self, seconds: float) -> str:
        slow_now.append(seconds)
        await asyncio.sleep(seconds)
        slow_now.pop()
        return "done"

    @strawberry.field
    def slow_now(self) -> int:
        return len(slow_now)


@strawberry.type
class Mutation:
    @strawberry.mutation
    async def touch(self, info: Info) -> int:
        async def work(transaction: object) -> int:
            await asyncio.sleep(0)
            return 1

        return await info.context.database.transact(work)


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def count(self, to: int) -> AsyncGenerator[int, None]:
        for number in range(1, to + 1):
            yield number

    @strawberry.subscription
    async def ticks(self, info: Info, name: str = "ticks") -> AsyncGenerator[int, None]:
        """One number at once, then silence; reads the database when it is closed."""
        open_ticks.add(name)
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            await info.context.database.rows("select 1 as one")
            open_ticks.discard(name)
            _log.info("closed %s", name)

    @strawberry.subscription
    async def failing(self) -> AsyncGenerator[int, None]:
        yield 1
        raise RuntimeError("a secret of ours")


schema = Schema(
    Query,
    Mutation,
    Subscription,
    extensions=[UseDocument],
    config=StrawberryConfig(disable_field_suggestions=True),
)


def make_graph(parts: Parts) -> Graph:
    def context(viewer: Viewer, _headers: Mapping[str, str]) -> SmallContext:
        return SmallContext(viewer, parts.database)

    return Graph(schema, context)
