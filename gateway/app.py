"""The application: the graph, the pages and the work behind them, over the gateway's parts. It alone owns a clock."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypedDict

import orjson
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from gateway import graphiql, health, welcome
from gateway.auth import launched_people
from gateway.console import routes as console_pages
from gateway.console.visitors import Answer, Ask, Console
from gateway.desk import Desk
from gateway.events import routes as live_events
from gateway.events.receiving import Receiving
from gateway.feed import Feed
from gateway.http.client import Client
from gateway.lti import routes as lti
from gateway.lti.bringing import BEHIND, Bringing
from gateway.lti.keys import PlatformKeys, fetch_by
from gateway.lti.launches import Launches
from gateway.metrics import Metrics
from gateway.middleware import DatabaseContext, OriginRule, RequestRecord
from gateway.oauth import routes as oauth_pages
from gateway.oauth.connecting import DISCONNECT, Connecting
from gateway.parts import Parts, open_parts
from gateway.settings import Settings
from gateway.syncs import Syncs
from gateway.uow import Database
from gateway.viewer import Viewer
from gateway.webhooks.clients import Clients
from gateway.webhooks.delivering import Deliveries
from gateway.webhooks.registering import Webhooks
from gateway.writes.roster_changes import RosterChanges
from gateway.writes.roster_jobs import RosterJobs
from resolvers.http import Endpoint
from resolvers.limits import Limits
from resolvers.operations import Graph, Operations
from resolvers.schema import make_graph as make_roster_graph

_ROUTES = frozenset(
    {
        "/graphql",
        "/healthz",
        "/readyz",
        "/metrics",
        *lti.ADDRESSES,
        *console_pages.ADDRESSES,
        *welcome.ADDRESSES,
        *oauth_pages.ADDRESSES,
        live_events.ADDRESS,
    }
)
# An operation whose reads took all of their time still has a fourth of it to show what is known.
_TO_ANSWER = 1.25

_CORS_HEADERS = [
    "authorization",
    "content-type",
    "cache-control",
    "roster-act-as",
    "roster-explain",
    "x-request-id",
]


class State(TypedDict):
    """What a request finds at `request.state`."""

    database: Database
    endpoint: Endpoint
    metrics: Metrics
    launches: Launches
    connecting: Connecting
    console: Console
    receiving: Receiving


MakeGraph = Callable[[Parts], Graph]


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  the clock that everything else is handed


def roster_graph(parts: Parts) -> Graph:
    """The graph that the gateway serves."""
    database, clock = parts.database, parts.clock
    return make_roster_graph(
        parts.connections,
        clock=clock,
        default_max_age=parts.max_age,
        reads=parts.reads,
        longest=parts.longest,
        desk=Desk(database, clock),
        connect=parts.connecting.url_for,
        accesses=parts.accesses,
        judge=parts.permissions.rights,
        writes=parts.writes,
        roster_changes=RosterChanges(parts.offices, database, clock),
        webhooks=Webhooks(
            database, parts.seal, clock, plain=parts.settings.server.allows_private_networks
        ),
        syncs=Syncs(database, clock, parts.background.asks),
    )


def create_app(
    settings: Settings,
    *,
    make_graph: MakeGraph,
    stop: asyncio.Event | None = None,
    demo_token: str | None = None,
    limits: Limits | None = None,
    jobs: bool = False,
) -> Starlette:
    """The gateway as an ASGI application. `stop` ends its streams; `demo_token` is filled in in GraphiQL.

    `jobs`: whether it does background work too.
    """
    server = settings.server
    metrics = Metrics()
    page = graphiql.Page(demo_token=demo_token) if server.graphiql else None

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[State]:
        async with (
            open_parts(
                settings,
                now,
                monotonic=time.monotonic,
                stop=stop or asyncio.Event(),
                metrics=metrics,
            ) as parts,
            AsyncExitStack() as stack,
        ):
            operating = partial(_operations, make_graph, limits=limits or Limits(), metrics=metrics)
            operations = operating(parts)
            patient = operating(replace(parts, longest=BEHIND)) if jobs else operations
            if jobs:
                await stack.enter_async_context(_delivering(parts))
            bringing = _bringing(parts, operations, patient)
            stack.push_async_callback(bringing.close)
            if jobs:
                carrying = RosterJobs(
                    offices=parts.offices, database=parts.database, clock=parts.clock
                )
                await stack.enter_async_context(
                    parts.background.running([carrying.job(), bringing.job()])
                )
            with parts.database.active():
                yield _state(parts, metrics, operations, bringing, page)

    return Starlette(
        lifespan=lifespan,
        routes=[
            Route("/graphql", _GraphAddress(), middleware=_for_browsers(settings)),
            WebSocketRoute("/graphql", _GraphAddress(), middleware=_for_browsers(settings)),
            *lti.routes(_for_browsers(settings)),
            *welcome.routes,
            *console_pages.routes,
            *oauth_pages.routes,
            *live_events.routes,
            Mount("/static", graphiql.files()),
            Route("/healthz", health.alive),
            Route("/readyz", health.ready),
            Route("/metrics", health.metrics),
        ],
        middleware=[
            Middleware(RequestRecord, metrics=metrics, routes=_ROUTES),
            Middleware(DatabaseContext),
        ],
    )


def _operations(
    make_graph: MakeGraph, parts: Parts, *, limits: Limits, metrics: Metrics
) -> Operations:
    return Operations(
        make_graph(parts),
        limits=limits,
        seconds=parts.longest.total_seconds() * _TO_ANSWER,
        stop=parts.stop,
        metrics=metrics,
    )


@asynccontextmanager
async def _delivering(parts: Parts) -> AsyncIterator[None]:
    """Send webhooks by a client of their own: slow receivers keep no reads of Canvas waiting."""
    private = parts.settings.server.allows_private_networks
    async with Client(allows_private_networks=private) as outgoing:
        deliveries = Deliveries(
            database=parts.database,
            feed=Feed(parts.connections),
            http=outgoing,
            seal=parts.seal,
            clients=Clients(parts.database, parts.permissions.rights),
            accesses=parts.accesses,
            clock=parts.clock,
        )
        async with deliveries.running():
            yield


def _bringing(parts: Parts, operations: Operations, patient: Operations) -> Bringing:
    return Bringing(
        database=parts.database,
        find_viewer=launched_people(parts.database, parts.permissions.rights),
        ask=_asking(operations),
        ask_behind=_asking(patient),
        reads=parts.reads,
        max_age=parts.max_age,
        clock=parts.clock,
    )


def _state(
    parts: Parts,
    metrics: Metrics,
    operations: Operations,
    bringing: Bringing,
    page: graphiql.Page | None,
) -> State:
    settings, database, clock = parts.settings, parts.database, parts.clock
    authenticate = parts.authenticator.viewer
    return State(
        database=database,
        endpoint=Endpoint(operations, authenticate=authenticate, page=page),
        metrics=metrics,
        launches=replace(parts.launches, bring=bringing.bring),
        connecting=parts.connecting,
        receiving=Receiving(settings, database, PlatformKeys(fetch_by(parts.http), clock), clock),
        console=Console(
            settings=settings,
            database=database,
            authenticate=authenticate,
            ask=_asking(operations),
            is_coming=bringing.is_under_way,
            connect=parts.connecting.url_for,
            disconnect=partial(parts.connecting.url_for, to=DISCONNECT),
            clock=clock,
        ),
    )


def _asking(operations: Operations) -> Ask:
    """How pages ask the graph: in this process, by the same documents, limits and rights as everybody."""

    async def ask(viewer: Viewer, document: str, variables: dict[str, Any]) -> Answer:
        operation = operations.documents.operation(document, None, variables)
        outcome = await operations.execute(operation, operations.context(viewer, {}))
        refusals = tuple(error.message for error in outcome.result.errors or ())
        # as a client would read it: what was read compiled is JSON already
        return Answer(data=orjson.loads(orjson.dumps(outcome.result.data)), refusals=refusals)

    return ask


class _GraphAddress:
    """Hands a request to the endpoint that the lifespan built."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint: Endpoint = scope["state"]["endpoint"]
        await endpoint(scope, receive, send)


def _for_browsers(settings: Settings) -> list[Middleware]:
    hosts = [origin for host in settings.hosts for origin in host.origins]
    rule = Middleware(OriginRule, public_url=settings.server.public_url, hosts=hosts)
    if not hosts:  # no page of another site is answered, so there is none to allow anything
        return [rule]
    return [
        rule,
        Middleware(
            CORSMiddleware,
            allow_origins=hosts,
            allow_methods=["GET", "POST"],
            allow_headers=_CORS_HEADERS,
            allow_credentials=True,
            expose_headers=["x-request-id", "age"],
        ),
    ]
