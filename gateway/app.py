"""The application: the one place where its parts are put together, and the only one that owns a clock."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple, TypedDict

import orjson
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.types import Receive, Scope, Send

from gateway import graphiql, health, welcome
from gateway.access import Accesses
from gateway.auth import (
    Authenticator,
    launched_people,
    launched_sessions,
    people,
    service_tokens,
)
from gateway.background import Background
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
from gateway.oauth.connecting import Connecting
from gateway.permissions import Permissions
from gateway.readpath.connections import Connections, open_connections
from gateway.reads import Reads
from gateway.seal import Seal
from gateway.settings import Settings
from gateway.shared import open_shared
from gateway.sourcing import Sourcing
from gateway.store import institutions, schema
from gateway.store.access_log import access_log
from gateway.store.prices import price_books
from gateway.syncs import Syncs
from gateway.uow import Database
from gateway.upstreams import upstreams
from gateway.viewer import Rights, Viewer
from gateway.webhooks.clients import Clients
from gateway.webhooks.delivering import Deliveries
from gateway.webhooks.registering import Webhooks
from gateway.writes.roster_changes import RosterChanges
from gateway.writes.roster_jobs import RosterJobs
from gateway.writes.roster_service import Making
from gateway.writes.service import Writes, writes
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


class Parts(NamedTuple):
    """What the graph is made of. `longest`: how long the reads of an operation may take."""

    settings: Settings
    database: Database
    connections: Connections
    clock: Callable[[], datetime]
    stop: asyncio.Event
    longest: timedelta
    reads: Reads
    connect: Callable[[Viewer], str | None]
    accesses: Accesses
    judge: Callable[[Viewer], Awaitable[Rights]]
    writes: Writes
    roster_changes: RosterChanges
    webhooks: Webhooks
    syncs: Syncs


MakeGraph = Callable[[Parts], Graph]


def now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  the clock that everything else is handed


def roster_graph(parts: Parts) -> Graph:
    """The graph that the gateway serves."""
    return make_roster_graph(
        parts.connections,
        clock=parts.clock,
        default_max_age=_max_ages(parts.settings),
        reads=parts.reads,
        longest=parts.longest,
        desk=Desk(parts.database, parts.clock),
        connect=parts.connect,
        accesses=parts.accesses,
        judge=parts.judge,
        writes=parts.writes,
        roster_changes=parts.roster_changes,
        webhooks=parts.webhooks,
        syncs=parts.syncs,
    )


def _max_ages(settings: Settings) -> Callable[[str], timedelta | None]:
    """How old an institution's answers may be where nobody says."""

    def default_max_age(slug: str) -> timedelta | None:
        institution = settings.institution(slug)
        return institution.default_max_age if institution else None

    return default_max_age


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
            Database.open(server.database_url) as database,
            open_connections(server.database_url) as connections,
            Client(allows_private_networks=server.allows_private_networks) as client,
            open_shared(server, now) as shared,
            AsyncExitStack() as stack,
        ):
            await prepare(settings, database)
            metrics.watch(
                "roster_database_connections",
                "Connections of the reads to the database",
                connections.usage,
            )
            connected = await upstreams(settings, database, client, shared.buckets, now)
            seal = Seal([one.reveal() for one in server.secret_key])
            permissions = Permissions(database, seal, now, connected)
            stack.push_async_callback(permissions.close)
            authenticator = Authenticator(
                service_tokens(database),
                judge=permissions.rights,
                find_session=launched_sessions(database, now),
                find_person=people(database),
                monotonic=time.monotonic,
            )
            connecting = Connecting(
                settings=settings,
                database=database,
                http=client,
                seal=seal,
                upstreams=connected,
                authenticate=authenticator.viewer,
                clock=now,
            )
            launches = Launches.build(settings, database, client, now, welcome.ask)
            books = await stack.enter_async_context(price_books(database))
            sourcing = Sourcing(
                configured=settings,
                database=database,
                connections=connections,
                http=client,
                upstreams=connected,
                platforms=launches.platforms,
                sign=launches.own_keys.sign,
                shared=shared,
                books=books,
                clock=now,
            )
            reads = await stack.enter_async_context(sourcing.open())
            background = Background(
                configured=settings,
                database=database,
                http=client,
                upstreams=connected,
                reads=reads,
                publish_keys=launches.own_keys.jwks,
                clock=now,
            )
            offices = await Making(
                configured=settings,
                database=database,
                connections=connections,
                upstreams=connected,
                books=books,
                clock=now,
                sleep=asyncio.sleep,
            ).offices()
            accesses = Accesses(access_log(database), now, await _retention(settings, database))
            await stack.enter_async_context(accesses.running())
            changes = await writes(database, connected, now, books)
            parts = Parts(
                settings=settings,
                database=database,
                connections=connections,
                clock=now,
                stop=stop or asyncio.Event(),
                longest=server.query_timeout,
                reads=reads,
                connect=connecting.url_for,
                accesses=accesses,
                judge=permissions.rights,
                writes=await stack.enter_async_context(changes.running()),
                roster_changes=RosterChanges(offices, database, now),
                webhooks=Webhooks(database, seal, now, plain=server.allows_private_networks),
                syncs=Syncs(database, now, background.asks),
            )
            if jobs:
                # of its own: slow receivers keep no reads of Canvas waiting
                outgoing = Client(allows_private_networks=server.allows_private_networks)
                deliveries = Deliveries(
                    database=database,
                    feed=Feed(connections),
                    http=await stack.enter_async_context(outgoing),
                    seal=seal,
                    clients=Clients(database, permissions.rights),
                    accesses=accesses,
                    clock=now,
                )
                await stack.enter_async_context(deliveries.running())
            operating = partial(_operations, make_graph, limits=limits or Limits(), metrics=metrics)
            operations = operating(parts)
            patient = operating(parts._replace(longest=BEHIND)) if jobs else operations
            bringing = Bringing(
                database=database,
                find_viewer=launched_people(database, permissions.rights),
                ask=_asking(operations),
                ask_behind=_asking(patient),
                reads=reads,
                max_age=_max_ages(settings),
                clock=now,
            )
            stack.push_async_callback(bringing.close)
            if jobs:
                carrying = RosterJobs(offices=offices, database=database, clock=now)
                await stack.enter_async_context(
                    background.running([carrying.job(), bringing.job()])
                )
            endpoint = Endpoint(operations, authenticate=authenticator.viewer, page=page)
            with database.active():
                yield State(
                    database=database,
                    endpoint=endpoint,
                    metrics=metrics,
                    launches=replace(launches, bring=bringing.bring),
                    connecting=connecting,
                    receiving=Receiving(
                        settings, database, PlatformKeys(fetch_by(client), now), now
                    ),
                    console=Console(
                        settings=settings,
                        database=database,
                        authenticate=authenticator.viewer,
                        ask=_asking(operations),
                        is_coming=bringing.is_under_way,
                        clock=now,
                    ),
                )

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


def _asking(operations: Operations) -> Ask:
    """How pages ask the graph: in this process, by the same documents, limits and rights as everybody."""

    async def ask(viewer: Viewer, document: str, variables: dict[str, Any]) -> Answer:
        operation = operations.documents.operation(document, None, variables)
        outcome = await operations.execute(operation, operations.context(viewer, {}))
        refusals = tuple(error.message for error in outcome.result.errors or ())
        # as a client would read it: what was read compiled is JSON already
        return Answer(data=orjson.loads(orjson.dumps(outcome.result.data)), refusals=refusals)

    return ask


async def prepare(settings: Settings, database: Database) -> None:
    """Make the database what this version and this configuration expect, or say why it is not."""
    await database.reach()
    await schema.make_current(database)
    for one in settings.institutions:
        await institutions.ensure(database, slug=one.slug, canvas_url=one.canvas_url)


async def _retention(settings: Settings, database: Database) -> dict[int, timedelta]:
    """How long each institution keeps what is not the roster itself."""
    kept = {}
    for one in settings.institutions:
        institution = await institutions.by_slug(database, one.slug)
        if institution is not None:
            kept[institution.id] = one.retention
    return kept


class _GraphAddress:
    """Hands a request to the endpoint that the lifespan built."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint: Endpoint = scope["state"]["endpoint"]
        await endpoint(scope, receive, send)


def _for_browsers(settings: Settings) -> list[Middleware]:
    hosts = [origin for host in settings.hosts for origin in host.origins]
    return [
        Middleware(OriginRule, public_url=settings.server.public_url, hosts=hosts),
        Middleware(
            CORSMiddleware,
            allow_origins=hosts,
            allow_methods=["GET", "POST"],
            allow_headers=_CORS_HEADERS,
            allow_credentials=True,
            expose_headers=["x-request-id", "age"],
        ),
    ]
