"""The schema, assembled; `schema.graphql` is printed from it."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import strawberry
from graphql import GraphQLObjectType, GraphQLResolveInfo
from strawberry.schema.config import StrawberryConfig

from gateway.access import Accesses
from gateway.desk import Desk
from gateway.feed import Feed
from gateway.readpath.connections import Connections
from gateway.reads import Reads
from gateway.syncs import Syncs
from gateway.viewer import Rights, Viewer
from gateway.webhooks.registering import Webhooks
from gateway.writes.roster_changes import RosterChanges
from gateway.writes.service import Writes
from resolvers import freshness
from resolvers.compiled import Compiled
from resolvers.context import Context
from resolvers.documents import UseDocument
from resolvers.masking import Schema
from resolvers.mutation_errors import InputError
from resolvers.mutations import Mutation
from resolvers.operations import Graph
from resolvers.queries import Query
from resolvers.scalars import SCALARS
from resolvers.subscriptions import Subscription
from resolvers.types import Term


def print_sdl() -> str:
    return f"{schema.as_str()}\n"


def _read_rows_directly(made: strawberry.Schema) -> strawberry.Schema:
    """Let fields without a resolver of their own read the row by the graph's name.

    Strawberry calls its default resolver through three functions, by the Python name: on a page of rows that is a
    tenth of the answer's time.
    """
    for type_ in made._schema.type_map.values():  # noqa: SLF001  Strawberry offers no public way to it
        if isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__"):
            for name, field in type_.fields.items():
                if getattr(field.resolve, "_is_default", False):
                    field.resolve = _reader(name)
    return made


def _reader(name: str) -> Callable[..., Any]:
    def read(row: dict[str, Any], _info: GraphQLResolveInfo[Any]) -> Any:
        return row[name]

    read.reads_row = True  # type: ignore[attr-defined]  # `resolvers.compiling` reads such fields itself
    return read


schema = _read_rows_directly(
    Schema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[Term, InputError],
        extensions=[UseDocument],
        config=StrawberryConfig(scalar_map=SCALARS),
    )
)


def make_graph(  # noqa: PLR0913  all that a graph is made of
    connections: Connections,
    *,
    clock: Callable[[], datetime],
    default_max_age: Callable[[str], timedelta | None],
    reads: Reads | None = None,
    longest: timedelta = timedelta(seconds=20),
    desk: Desk | None = None,
    connect: Callable[[Viewer], str | None] | None = None,
    accesses: Accesses | None = None,
    judge: Callable[[Viewer], Awaitable[Rights]] | None = None,
    writes: Writes | None = None,
    roster_changes: RosterChanges | None = None,
    webhooks: Webhooks | None = None,
    syncs: Syncs | None = None,
) -> Graph:
    """The graph over a store, which `reads` keeps fresh; `desk`: where identities are settled.

    `default_max_age` tells each institution's by its slug; `longest`: how long an operation's reads may take; `connect`: where a
    person connects their Canvas account; `accesses`: where it is noted who was shown whose data; `judge`: what
    somebody may see; `writes`: what tells Canvas of changes; `webhooks`: where clients are sent changes; `syncs`: where syncs are asked for.
    """
    feed = Feed(connections)

    def context(viewer: Viewer, headers: Mapping[str, str]) -> Context:
        return Context(
            viewer=viewer,
            connections=connections,
            feed=feed,
            clock=clock,
            default_max_age=default_max_age(viewer.institution_slug),
            requested=freshness.of_request(headers),
            reads=reads,
            longest=longest,
            desk=desk,
            connect=connect,
            accesses=accesses,
            judge=judge,
            writes=writes,
            roster_changes=roster_changes,
            webhooks=webhooks,
            syncs=syncs,
            explains=headers.get("roster-explain") == "1",
        )

    return Graph(schema, context, Compiled(schema))
