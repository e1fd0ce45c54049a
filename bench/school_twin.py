"""The gateway's sources over a twin in this process, under one clock that only moves when the twin is asked or waited for."""

import json
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette

from gateway.cache import Cache
from gateway.canvas.buckets import LocalBuckets
from gateway.canvas.client import Canvas, Credential, Fixed
from gateway.canvas.reports import Reports
from gateway.canvas.service_tokens import ServiceTokens, Signer
from gateway.flights import Flights, OwnTurns
from gateway.http.client import Client
from gateway.merge import Guard
from gateway.prices import PriceBook
from gateway.readpath.connections import Connections, open_connections
from gateway.reads import Connected, Reads
from gateway.sources.enrollments import EnrollmentsSource
from gateway.sources.local import LocalSource
from gateway.sources.nrps import NrpsSource, Platforms
from gateway.sources.report import ReportSource
from gateway.store import institutions, schema, scopes
from gateway.store.institutions import Institution
from gateway.sync.report_loads import loader
from gateway.uow import Database
from gateway.viewer import Scope, Viewer
from twin.app import create_twin
from twin.clock import FixedClock
from twin.options import Options
from twin.school import School

URL = "http://127.0.0.1:9000"
ISSUER, CLIENT_ID = "https://canvas.instructure.com", "10000000000002"
REPORT_LASTS = timedelta(minutes=10)

# The way there and back; Canvas's own time is what it charges for: units are seconds of its CPU and database.
NETWORK_SECONDS = 0.08
TOKEN_SECONDS = 0.3
_BYTES_A_SECOND = 20e6


@dataclass(frozen=True)
class Registration:
    token_url: str
    client_id: str = CLIENT_ID
    scope: str = f"{ISSUER} {CLIENT_ID}"

    async def find(self, _issuer: str, client_id: str) -> "Registration | None":
        return self if client_id == self.client_id else None


@dataclass(frozen=True)
class AdminsToken:
    secret: str

    def admin(self) -> Credential:
        return Fixed(secret=self.secret)

    async def of_person(self, person: int, scopes: Collection[str] = ()) -> Credential | None:
        return None

    def may_be_granted(self, scopes: Collection[str]) -> bool:
        return False


class Wire(httpx.AsyncBaseTransport):
    """To the application and back, in the time that it would take; requests side by side take it together."""

    def __init__(self, app: Starlette, clock: FixedClock) -> None:
        self._inner = httpx.ASGITransport(app)
        self._clock = clock

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        sent = self._clock.now()
        answer = await self._inner.handle_async_request(request)
        back = sent + timedelta(seconds=_seconds(request, answer))
        self._clock.advance(max(timedelta(0), back - self._clock.now()))
        return answer


def _seconds(request: httpx.Request, answer: httpx.Response) -> float:
    if request.url.path == "/login/oauth2/token":
        return TOKEN_SECONDS
    if "x-request-cost" in answer.headers:
        return NETWORK_SECONDS + float(answer.headers["x-request-cost"])
    return NETWORK_SECONDS + int(answer.headers.get("content-length", "0")) / _BYTES_A_SECOND


class WiredClient(Client):
    """The gateway's own client, wired to the twin in place of the network."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        super().__init__(allows_private_networks=True)

    def _new_pool(self) -> Any:
        pool = super()._new_pool()
        pool.client = httpx.AsyncClient(transport=self._wire)
        return pool


@dataclass(frozen=True, kw_only=True)
class SchoolTwin:
    app: Starlette
    clock: FixedClock
    database: Database
    connections: Connections
    institution: Institution
    reads: Reads
    local: LocalSource
    canvas: Canvas
    tokens: ServiceTokens
    registration: Registration
    credentials: AdminsToken

    @property
    def school(self) -> School:
        school: School = self.app.state.school
        return school

    @property
    def viewer(self) -> Viewer:
        """A service in its own name."""
        return Viewer(
            institution_id=self.institution.id,
            institution_slug=self.institution.slug,
            canvas_url=self.institution.canvas_url,
            shard=self.institution.shard,
            scopes=frozenset(Scope),
        )

    def bill(self) -> Mapping[str, Mapping[str, float]]:
        """Requests and units by endpoint."""
        lines: Mapping[str, Mapping[str, float]] = self.app.state.bill.json()["by_endpoint"]
        return lines


@dataclass(frozen=True, kw_only=True)
class _Made:
    app: Starlette
    clock: FixedClock
    database: Database
    connections: Connections
    institution: Institution
    http: Client
    sign: Signer
    nrps: bool


@asynccontextmanager
async def school_twin(
    folder: Path, begins: datetime, *, courses: int, users: int, big: int, nrps: bool = True
) -> AsyncIterator[SchoolTwin]:
    """`nrps`: whether the gateway may ask it."""
    key = RSAKey.import_key(
        {**RSAKey.generate_key(2048).as_dict(private=True), "kid": "bench", "alg": "RS256"}
    )
    keys = json.dumps({"keys": [key.as_dict(private=False)]})
    clock = FixedClock(begins)
    rows = users * 25 // 3 + users + 3 * courses
    options = Options(
        courses=courses,
        users=users,
        big=big,
        public_url=URL,
        min_open_seconds=0.0,
        report_rows_per_second=rows / REPORT_LASTS.total_seconds(),
    )
    app = create_twin(
        options, clock, transport=httpx.MockTransport(lambda _: httpx.Response(200, text=keys))
    )

    async def sign(claims: Mapping[str, Any]) -> str:
        return jwt.encode({"alg": "RS256", "kid": "bench"}, dict(claims), key)

    url = f"sqlite://{folder / 'roster.db'}"
    async with (
        Database.open(url) as database,
        WiredClient(Wire(app, clock)) as http,
    ):
        await schema.migrate(database)
        institution = await institutions.ensure(database, slug="bench", canvas_url=URL)
        async with open_connections(url) as connections:
            made = _connected(
                _Made(
                    app=app,
                    clock=clock,
                    database=database,
                    connections=connections,
                    institution=institution,
                    http=http,
                    sign=sign,
                    nrps=nrps,
                )
            )
            try:
                yield made
            finally:
                await made.reads.close()


def _connected(made: "_Made") -> SchoolTwin:
    """As `gateway.sourcing` connects an institution, but for the clock and the waiting."""
    clock = made.clock

    async def wait(seconds: float) -> None:
        clock.advance(timedelta(seconds=seconds))

    buckets = LocalBuckets(clock.now, sleep=wait)
    canvas = Canvas(http=made.http, base_url=URL, buckets=buckets)
    credentials = AdminsToken(made.app.state.cast.tokens["admin"])
    registration = Registration(f"{URL}/login/oauth2/token")
    prices, institution_id = PriceBook(), made.institution.id
    cache = Cache(clock.now)
    tokens = ServiceTokens(
        http=made.http, sign=made.sign, prices=prices, cache=cache, clock=clock.now
    )
    enrollments = EnrollmentsSource(
        institution_id=institution_id,
        canvas=canvas,
        database=made.database,
        credentials=credentials,
        prices=prices,
        clock=clock.now,
    )
    nrps = NrpsSource(
        institution_id=institution_id,
        database=made.database,
        platforms=Platforms(service=canvas, tokens=tokens, registered=registration.find),
        prices=prices,
        cache=cache,
        clock=clock.now,
    )
    report = ReportSource(
        reports=Reports(canvas=canvas, http=made.http, account="self", sleep=wait),
        credentials=credentials,
        load=loader(made.database, institution_id, clock=clock.now, guard=Guard()),
        loaded=partial(scopes.newest_report, made.database, institution_id),
        prices=prices,
        clock=clock.now,
    )
    local = LocalSource(made.connections)
    connected = Connected(
        local=local,
        upstream=[enrollments, *([nrps] if made.nrps else []), report],
        remaining=partial(canvas.remaining, credentials.admin()),
    )
    return SchoolTwin(
        app=made.app,
        clock=clock,
        database=made.database,
        connections=made.connections,
        institution=made.institution,
        reads=Reads({institution_id: connected}, Flights(OwnTurns(), clock.now), clock.now),
        local=local,
        canvas=canvas,
        tokens=tokens,
        registration=registration,
        credentials=credentials,
    )
