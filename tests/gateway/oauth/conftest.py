"""A gateway beside a twin: a launched teacher's browser, and what the twin and the store know of their token."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import stamina
from starlette.testclient import TestClient

from gateway.app import create_app, roster_graph
from gateway.canvas.oauth2 import Application, TokenEndpoint
from gateway.canvas.scopes import of_people
from gateway.config_file import CredentialUrl, Secret
from gateway.http.client import Client
from gateway.seal import Seal
from gateway.settings import Host, Institution, Oauth, Server, Settings
from gateway.store import canvas_tokens, sessions
from gateway.store.canvas_tokens import Kept
from gateway.store.sessions import Issue, Kind, Session
from gateway.tokens import PeoplesTokens
from gateway.uow import Database, Transaction
from models.roster import EnrollmentType
from tests.factories import School
from tests.upstream import Upstream as Twin
from tests.upstream import upstream
from twin.developer_keys import API_KEY, key_id

PUBLIC_URL = "http://127.0.0.1:8000"
CLIENT_SECRET = "twin-oauth-secret"
KEY = "not so secret"
NOTEBOOK = "https://notebook.example.edu"
NOW = datetime.now(UTC)  # noqa: TID251  the application's own clock is the real one


@pytest.fixture(autouse=True)
def _retries_do_not_wait() -> Iterator[None]:
    with stamina.set_testing(testing=True, attempts=2):
        yield


@pytest.fixture
def twin() -> Iterator[Twin]:
    options = {"courses": 10, "users": 60, "big": 20, "enrollments": 60}
    with upstream(auto_approve=True, **options) as made:
        yield made


def settings_of(database: Database, twin: Twin, **changes: Any) -> Settings:
    fields: dict[str, Any] = {"slug": "demo", "canvas_url": twin.url, "oauth": oauth_of(twin)}
    return Settings(
        server=Server(
            public_url=PUBLIC_URL,
            database_url=CredentialUrl(database.url),
            secret_key=(Secret(KEY),),
        ),
        institutions=(Institution(**fields | changes),),
        hosts=(Host(name="notebook", launch_url=f"{NOTEBOOK}/launch", origins=(NOTEBOOK,)),),
    )


def oauth_of(twin: Twin, *, writes: bool = True) -> Oauth:
    secret = Secret(CLIENT_SECRET)
    return Oauth(client_id=client_id(twin), client_secret=secret, writes=writes)


def client_id(twin: Twin) -> str:
    return str(key_id(twin.school, API_KEY))


@dataclass
class Person:
    """A launched person and their browser."""

    twin: Twin
    school: School
    browser: TestClient
    row: int
    course: int
    cookie: str

    def at_the_gateway(self, address: str, **options: Any) -> httpx.Response:
        headers = {"cookie": f"roster_session={self.cookie}; {self._kept()}"}
        answer: httpx.Response = self.browser.get(
            address, headers=headers | options.pop("headers", {}), **options
        )
        return answer

    def _kept(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.browser.cookies.items())

    def asked(self, address: str = "/oauth/connect", **options: Any) -> str:
        """Where the gateway sends the browser to."""
        answer = self.at_the_gateway(address, **options)
        assert answer.status_code == 303, answer.text
        return str(answer.headers["location"])

    def agreed(self, url: str, login: str = "toneil") -> str:
        """Where Canvas sends the browser back to, once the person of that login has agreed."""
        answer = httpx.get(f"{url}&unique_id={login}")
        assert answer.status_code == 302, answer.text
        location = str(answer.headers["location"])
        assert location.startswith(f"{PUBLIC_URL}/oauth/callback?")
        return location.removeprefix(PUBLIC_URL)

    def connect(self) -> httpx.Response:
        return self.at_the_gateway(self.agreed(self.asked()))

    async def kept(self) -> Kept | None:
        return await canvas_tokens.find(self.school.database, self.school.id, self.row)

    def query(self, text: str) -> Any:
        answer = self.browser.post(
            "/graphql",
            json={"query": text},
            headers={"cookie": f"roster_session={self.cookie}", "origin": PUBLIC_URL},
        )
        return answer.json()


def state_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["state"][0]


@pytest.fixture
async def teacher(twin: Twin, database: Database) -> AsyncIterator[Person]:
    async with launched_teacher(twin, database) as person:
        yield person


@asynccontextmanager
async def launched_teacher(twin: Twin, database: Database, **changes: Any) -> AsyncIterator[Person]:
    """In the demo course; nothing but the launch is known. `changes`: of the institution's configuration."""
    school = await School.open(database)
    row = await school.person(canvas=twin.cast.people["teacher"].id, name="Theodora O'Neil")
    course = await school.course(canvas=twin.cast.courses["demo"].id)
    pupil = await school.person(canvas=twin.cast.people["student"].id, name="Zoë Neil")
    await school.enroll(pupil, None, course, canvas=1)
    cookie = await launched(school, row, course)
    app = create_app(settings_of(database, twin, **changes), make_graph=roster_graph)
    with TestClient(app, base_url=PUBLIC_URL, follow_redirects=False) as browser:
        yield Person(twin, school, browser, row, course, cookie)


async def launched(school: School, person: int, course: int, **changes: Any) -> str:
    """The cookie of a session that began as a student's, which tells nothing of what the person may see."""
    cookie = Issue(kind=Kind.COOKIE, expires_at=NOW + timedelta(hours=8))
    fields: dict[str, Any] = {
        "institution_id": school.id,
        "person_id": person,
        "course_id": course,
        "account_canvas_id": None,
        "types": (EnrollmentType.STUDENT,),
        "roles": (),
        "shown": (),
        "real_user": None,
        "platform_origin": None,
        "started_at": NOW,
        "expires_at": NOW + timedelta(hours=8),
    }

    async def work(tx: Transaction) -> int:
        return await sessions.start(tx, Session(**fields | changes), cookie)

    await school.database.transact(work)
    return cookie.text


def peoples_tokens(school: School, twin: Twin, http: Client, **changes: Any) -> PeoplesTokens:
    """Another process's view of the same tokens."""
    application = Application(
        canvas_url=twin.url,
        client_id=client_id(twin),
        client_secret=changes.pop("client_secret", CLIENT_SECRET),
        redirect_uri=f"{PUBLIC_URL}/oauth/callback",
        scopes=of_people(writing=True),
    )
    fields: dict[str, Any] = {
        "institution_id": school.id,
        "database": school.database,
        "seal": Seal([KEY]),
        "endpoint": TokenEndpoint(http, application),
        "clock": lambda: datetime.now(UTC),  # noqa: TID251  as the application's
    }
    return PeoplesTokens(**fields | changes)
