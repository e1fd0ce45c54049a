"""A school on each database, and the graph as one of its viewers asks it."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from gateway.desk import Desk
from gateway.feed import Feed, cursor_of
from gateway.readpath import node_ids
from gateway.readpath.connections import Connections, open_connections
from gateway.uow import Dialect
from gateway.viewer import Rights, Scope
from resolvers.context import Context
from resolvers.schema import schema
from tests.factories import NOW, School
from tests.scoped import unscoped


class Watched:
    """Real connections that remember the statements they ran."""

    def __init__(self, inner: Connections) -> None:
        self.unwatched = inner
        self.dialect: Dialect = inner.dialect
        self.statements: list[tuple[str, Any]] = []

    async def fetch(self, sql: str, values: Any = ()) -> Any:
        self.statements.append((sql, values))
        return await self.unwatched.fetch(sql, values)

    def usage(self) -> dict[str, int]:
        return self.unwatched.usage()

    async def close(self) -> None:
        await self.unwatched.close()


class Graph:
    """The graph of one school, as its viewers ask it."""

    def __init__(self, school: School, connections: Watched) -> None:
        self.school = school
        self.connections = connections
        self.feed = Feed(connections, interval=0.02)

    def node_id(self, type_name: str, row_id: int) -> str:
        return node_ids.encode(type_name, row_id)

    def cursor(self, position: int) -> str:
        return cursor_of(position)

    def context(
        self, *scopes: Scope, rights: Rights | None = None, max_age: timedelta | None = None
    ) -> Context:
        return Context(
            viewer=self.school.viewer(*scopes, rights=rights),
            connections=self.connections,
            feed=self.feed,
            clock=lambda: NOW,
            desk=Desk(self.school.database, lambda: NOW),
            default_max_age=max_age,
        )

    async def execute(
        self,
        query: str,
        variables: dict[str, Any] | None = None,
        *scopes: Scope,
        rights: Rights | None = None,
        max_age: timedelta | None = None,
    ) -> Any:
        return await schema.execute(
            query,
            variable_values=variables,
            context_value=self.context(*scopes, rights=rights, max_age=max_age),
        )

    async def ask(self, query: str, variables: dict[str, Any] | None = None, **kwargs: Any) -> Any:
        """The data of an answer without errors."""
        result = await self.execute(query, variables, **kwargs)
        assert result.errors is None, result.errors
        return result.data

    async def refusal(
        self, query: str, variables: dict[str, Any] | None = None, *scopes: Scope, **kwargs: Any
    ) -> tuple[str | None, str]:
        """Code and message of the one error of an answer."""
        result = await self.execute(query, variables, *scopes, **kwargs)
        assert result.errors is not None
        (error,) = result.errors
        code = (error.extensions or {}).get("code")
        return code, error.message


@pytest.fixture
async def graph(school: School) -> AsyncIterator[Graph]:
    async with open_connections(school.database.url) as connections:
        watched = Watched(connections)
        yield Graph(school, watched)
    assert [] == [sql for sql, _ in watched.statements if unscoped(sql)]
