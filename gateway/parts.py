"""What the gateway is made of: opened together for one configuration, closed in the reverse order."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway import welcome
from gateway.access import Accesses
from gateway.auth import (
    Authenticator,
    launched_sessions,
    people,
    service_tokens,
)
from gateway.background import Background
from gateway.http.client import Client
from gateway.lti.launches import Launches
from gateway.metrics import Metrics
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
from gateway.uow import Database
from gateway.upstreams import upstreams
from gateway.writes.roster_jobs import Office
from gateway.writes.roster_service import Making
from gateway.writes.service import Writes, writes

Clock = Callable[[], datetime]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """`stop`: ends streams. `longest`: how long the reads of an operation may take. `offices`: by institution."""

    settings: Settings
    clock: Clock
    stop: asyncio.Event
    longest: timedelta
    database: Database
    connections: Connections
    http: Client
    seal: Seal
    permissions: Permissions
    authenticator: Authenticator
    connecting: Connecting
    launches: Launches
    reads: Reads
    background: Background
    offices: Mapping[int, Office]
    accesses: Accesses
    writes: Writes

    def max_age(self, slug: str) -> timedelta | None:
        """How old an institution's answers may be where nobody says."""
        institution = self.settings.institution(slug)
        return institution.default_max_age if institution else None


@asynccontextmanager
async def open_parts(
    settings: Settings,
    clock: Clock,
    *,
    monotonic: Callable[[], float],
    stop: asyncio.Event,
    metrics: Metrics,
) -> AsyncIterator[Parts]:
    server = settings.server
    async with (
        Database.open(server.database_url) as database,
        open_connections(server.database_url) as connections,
        Client(allows_private_networks=server.allows_private_networks) as http,
        open_shared(server, clock) as shared,
        AsyncExitStack() as stack,
    ):
        await prepare(settings, database)
        metrics.watch(
            "roster_database_connections",
            "Connections of the reads to the database",
            connections.usage,
        )
        connected = await upstreams(settings, database, http, shared.buckets, clock)
        seal = Seal([one.reveal() for one in server.secret_key])
        permissions = Permissions(database, seal, clock, connected)
        stack.push_async_callback(permissions.close)
        authenticator = Authenticator(
            service_tokens(database),
            judge=permissions.rights,
            find_session=launched_sessions(database, clock),
            find_person=people(database),
            monotonic=monotonic,
        )
        launches = Launches.build(settings, database, http, clock, welcome.ask)
        books = await stack.enter_async_context(price_books(database))
        sourcing = Sourcing(
            configured=settings,
            database=database,
            connections=connections,
            http=http,
            upstreams=connected,
            platforms=launches.platforms,
            sign=launches.own_keys.sign,
            shared=shared,
            books=books,
            clock=clock,
        )
        reads = await stack.enter_async_context(sourcing.open())
        making = Making(
            configured=settings,
            database=database,
            connections=connections,
            upstreams=connected,
            books=books,
            clock=clock,
            sleep=asyncio.sleep,
        )
        accesses = Accesses(access_log(database), clock, await _retention(settings, database))
        await stack.enter_async_context(accesses.running())
        changes = await writes(database, connected, clock, books)
        yield Parts(
            settings=settings,
            clock=clock,
            stop=stop,
            longest=server.query_timeout,
            database=database,
            connections=connections,
            http=http,
            seal=seal,
            permissions=permissions,
            authenticator=authenticator,
            connecting=Connecting(
                settings=settings,
                database=database,
                http=http,
                seal=seal,
                upstreams=connected,
                authenticate=authenticator.viewer,
                clock=clock,
            ),
            launches=launches,
            reads=reads,
            background=Background(
                configured=settings,
                database=database,
                http=http,
                upstreams=connected,
                reads=reads,
                publish_keys=launches.own_keys.jwks,
                clock=clock,
            ),
            offices=await making.offices(),
            accesses=accesses,
            writes=await stack.enter_async_context(changes.running()),
        )


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
