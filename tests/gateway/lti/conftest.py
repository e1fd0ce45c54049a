"""The tool's endpoints under a clock of the test's, and a browser that goes through a launch."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gateway.config_file import CredentialUrl, Secret
from gateway.http.client import Client
from gateway.lti import routes
from gateway.lti.keys import OwnKeys, PlatformKeys
from gateway.lti.launches import Launches
from gateway.lti.logins import Logins
from gateway.lti.platforms import Platforms
from gateway.lti.registering import Registering
from gateway.lti.strangers import Stranger
from gateway.seal import Seal
from gateway.settings import Host, Institution, Lti11, Lti13, Server, Settings, UnmatchedLaunch
from gateway.store import institutions
from gateway.uow import Database
from tests.gateway.lti import platform
from tests.gateway.lti.platform import Platform, course_claims

CONSUMER_KEY, CONSUMER_SECRET = "roster-demo-key", "s3cret&with/odd+chars"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)

Browser = httpx.AsyncClient  # noqa: TID251  in process: there is no pool to leak


@dataclass
class Clock:
    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


def registration(**changes: Any) -> Lti13:
    fields: dict[str, Any] = {
        "issuer": platform.ISSUER,
        "client_id": platform.CLIENT_ID,
        "deployment_ids": (platform.DEPLOYMENT,),
        "auth_url": platform.AUTH_URL,
        "token_url": platform.TOKEN_URL,
        "jwks_url": platform.JWKS_URL,
    }
    return Lti13(**fields | changes)


def school(**changes: Any) -> Institution:
    fields: dict[str, Any] = {
        "slug": "demo",
        "canvas_url": "https://school.instructure.com",
        "lti13": (registration(),),
        "lti11": (Lti11(consumer_key=CONSUMER_KEY, secret=Secret(CONSUMER_SECRET)),),
    }
    return Institution(**fields | changes)


NOTEBOOK = Host(
    name="notebook",
    launch_url="https://notebook.example.edu/launch?from=roster",
    origins=("https://notebook.example.edu",),
)
SLIDES = Host(
    name="slides",
    launch_url="https://slides.example.edu/",
    origins=("https://slides.example.edu",),
)


def settings_of(*schools: Institution, hosts: tuple[Host, ...] = ()) -> Settings:
    return Settings(
        server=Server(
            public_url=platform.PUBLIC_URL,
            database_url=CredentialUrl("sqlite://unused"),
            secret_key=(Secret("not so secret"),),
        ),
        institutions=schools or (school(),),
        hosts=hosts,
    )


@dataclass
class Tool:
    """The endpoints, and what stands around them."""

    database: Database
    clock: Clock
    platform: Platform
    settings: Settings
    app: Starlette = field(init=False)
    strangers: list[Stranger] = field(default_factory=list)

    def __post_init__(self) -> None:
        client = Client(allows_private_networks=False)
        seal = Seal(["not so secret"])
        platforms = Platforms(self.settings, self.database, self.clock)
        keys = PlatformKeys(self.platform.fetch, self.clock)
        self.launches = Launches(
            settings=self.settings,
            database=self.database,
            platforms=platforms,
            own_keys=OwnKeys(self.database, seal, self.clock, lambda: platform.OTHER_KEY),
            logins=Logins(platform.PUBLIC_URL, self.database, platforms, keys, self.clock),
            registering=Registering(self.settings, self.database, client, self.clock),
            seal=seal,
            clock=self.clock,
            ask=self.ask,
        )
        self.app = Starlette(routes=routes.routes(()))

    async def ask(self, request: Request, stranger: Stranger) -> Response:
        """The page for strangers: remembers whom it was shown to."""
        self.strangers.append(stranger)
        return PlainTextResponse("Who are you?")

    @asynccontextmanager
    async def browser(self) -> AsyncIterator["Person"]:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            scope["state"] = {"launches": self.launches, "database": self.database}
            await self.app(scope, receive, send)

        async with Browser(
            transport=httpx.ASGITransport(app), base_url=platform.PUBLIC_URL
        ) as client:
            yield Person(self, client)

    async def sessions(self) -> list[dict[str, Any]]:
        return await self.database.rows("select * from launch_session order by id")

    async def rows(self, table: str) -> list[dict[str, Any]]:
        return await self.database.rows(f"select * from {table} order by id")


@dataclass
class Begun:
    """A login that the tool has sent to the platform."""

    state: str
    nonce: str
    asked: dict[str, str]


@dataclass
class Person:
    """Somebody with a browser."""

    tool: Tool
    client: Browser

    async def login(self, **changes: str | None) -> Begun:
        answer = await self.client.get("/lti/login", params=initiation(**changes))
        assert answer.status_code == 302, answer.text
        asked = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
        return Begun(asked["state"], asked["nonce"], asked)

    async def post(self, **fields: str) -> httpx.Response:
        return await self.client.post("/lti/launch", data=fields)

    async def launch(self, **changes: Any) -> httpx.Response:
        """A course launch with these claims changed; None takes a claim away."""
        begun = await self.login()
        claims = {**course_claims(self.tool.clock(), begun.nonce), **changes}
        kept = {name: value for name, value in claims.items() if value is not None}
        return await self.post(id_token=platform.signed(kept), state=begun.state)


def initiation(**changes: str | None) -> dict[str, str]:
    """The fields of Canvas's login initiation."""
    fields: dict[str, str | None] = {
        "iss": platform.ISSUER,
        "login_hint": "535fa085f22b4655f48cd5a36a9215f64c062838",
        "client_id": platform.CLIENT_ID,
        "deployment_id": platform.DEPLOYMENT,
        "target_link_uri": f"{platform.PUBLIC_URL}/lti/launch",
        "lti_message_hint": "a.message.hint",
        "canvas_region": "us-east-1",
        "canvas_environment": "prod",
    }
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def canvas() -> Platform:
    return Platform()


async def tool_for(database: Database, clock: Clock, canvas: Platform, settings: Settings) -> Tool:
    for one in settings.institutions:
        await institutions.ensure(database, slug=one.slug, canvas_url=one.canvas_url)
    return Tool(database, clock, canvas, settings)


@pytest.fixture
async def tool(database: Database, clock: Clock, canvas: Platform) -> Tool:
    return await tool_for(database, clock, canvas, settings_of(hosts=(NOTEBOOK, SLIDES)))


@pytest.fixture
async def refusing_tool(database: Database, clock: Clock, canvas: Platform) -> Tool:
    """Makes nobody."""
    configured = settings_of(school(unmatched_launch=UnmatchedLaunch.REFUSE))
    return await tool_for(database, clock, canvas, configured)


@pytest.fixture
async def person(tool: Tool) -> AsyncIterator[Person]:
    async with tool.browser() as somebody:
        yield somebody
