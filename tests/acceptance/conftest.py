"""Servers for the tests: of a small graph in this process or in one of its own, and of a school."""

import asyncio
import json
import secrets
import shutil
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from playwright.sync_api import BrowserContext, Playwright, expect, sync_playwright
from starlette.testclient import TestClient

from gateway.app import create_app
from gateway.config_file import CredentialUrl, Secret
from gateway.settings import Host, Server, Settings
from gateway.store import institutions, schema, tokens
from gateway.sync.importer import import_report
from gateway.uow import Database
from gateway.viewer import Scope
from tests.acceptance.server_process import ServerProcess, serving
from tests.acceptance.small_graph import make_graph
from tests.conftest import ENGINES, POSTGRES
from twin.clock import RealClock
from twin.generate import generate
from twin.options import Options
from twin.report_file import write_report

T = TypeVar("T")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def settings_for(database_url: str) -> Settings:
    return Settings(
        server=Server(
            public_url="https://roster.example.edu",
            database_url=CredentialUrl(database_url),
            secret_key=(Secret("not so secret"),),
            query_timeout=timedelta(seconds=1),
        ),
        hosts=(
            Host(
                name="notebook",
                launch_url="https://notebook.example.edu/launch",
                origins=("https://notebook.example.edu",),
            ),
        ),
    )


async def make_token(database: Database) -> str:
    demo = await institutions.ensure(database, slug="demo", canvas_url=None)
    return await tokens.create(
        database, institution_id=demo.id, name="test", scopes=("roster:read",), now=NOON
    )


@pytest.fixture
async def token(database: Database) -> str:
    return await make_token(database)


@pytest.fixture
def own_client(database: Database, token: str) -> Iterator[TestClient]:
    """A server on this test's own database, on each of the engines."""
    app = create_app(settings_for(database.url), make_graph=make_graph)
    with TestClient(app, headers={"authorization": f"Bearer {token}"}) as client:
        yield client


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[TestClient, str]]:
    """One server, for tests that only read, and its token."""
    url = f"sqlite://{tmp_path_factory.mktemp('server') / 'roster.db'}"

    async def prepare() -> str:
        async with Database.open(url) as database:
            await schema.migrate(database)
            return await make_token(database)

    secret = asyncio.run(prepare())
    with TestClient(create_app(settings_for(url), make_graph=make_graph)) as client:
        yield client, secret


@pytest.fixture
def anonymous(shared: tuple[TestClient, str]) -> TestClient:
    client, _ = shared
    client.headers.pop("authorization", None)
    return client


@pytest.fixture
def client(shared: tuple[TestClient, str]) -> TestClient:
    client, secret = shared
    client.headers["authorization"] = f"Bearer {secret}"
    return client


StartServer = Callable[..., AbstractContextManager[ServerProcess]]


@pytest.fixture
def start_server(database_url: str, tmp_path: Path) -> StartServer:
    """Starts a server of the small graph, on this test's database, in a process of its own."""
    return partial(serving, database_url, tmp_path / "server.log")


class School(NamedTuple):
    """A running gateway that has imported a small school's report."""

    server: ServerProcess
    token: str

    @property
    def url(self) -> str:
        return f"{self.server.url}/graphql"


@pytest.fixture(scope="session")
def school_report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "provisioning.zip"
    write_report(path, generate(Options(courses=12, users=80, big=30), RealClock())[0])
    return path


@pytest.fixture(scope="session", params=ENGINES)
def school(
    request: pytest.FixtureRequest, school_report: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[School]:
    folder = tmp_path_factory.mktemp("school")
    with database_of(request.param, folder) as url:
        token = in_a_thread(_import(url, school_report))
        with serving(url, folder / "log", graph="roster", demo_token=token) as server:
            yield School(server, token)


@contextmanager
def database_of(engine: str, folder: Path) -> Iterator[str]:
    """The URL of a new database, for a fixture that outlives one test."""
    if engine == "sqlite":
        yield f"sqlite://{folder / 'roster.db'}"
        return
    if POSTGRES is None:
        pytest.skip("no PostgreSQL: set ROSTER_TEST_POSTGRES, or run `make test`, which starts one")
    name = f"roster_{secrets.token_hex(6)}"
    in_a_thread(_on_postgres(f"create database {name}"))
    yield urlunsplit(urlsplit(POSTGRES)._replace(path=f"/{name}"))
    in_a_thread(_on_postgres(f"drop database {name} with (force)"))


def in_a_thread(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, on a loop of its own: Playwright keeps one running in the main thread."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, work).result()


async def _on_postgres(sql: str) -> None:
    admin = await asyncpg.connect(POSTGRES)
    try:
        await admin.execute(sql)
    finally:
        await admin.close()


async def _import(url: str, report: Path) -> str:
    async with Database.open(url) as database:
        await schema.migrate(database)
        demo = await institutions.ensure(database, slug="demo", canvas_url=None)
        await import_report(database, demo, report, clock=lambda: NOON)
        return await tokens.create(
            database, institution_id=demo.id, name="all", scopes=tuple(Scope), now=NOON
        )


# Frames of several sites share a process here: Playwright now and then loses sight of one that moves.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-site-isolation-trials",
    "--disable-features=IsolateOrigins,site-per-process",
]
Open = Callable[[dict[str, Any]], BrowserContext]


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    expect.set_options(timeout=20_000)
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no Chromium: install it (Debian: apt-get install chromium)")
    return found


@pytest.fixture
def open_browser(playwright: Playwright, chromium: str, tmp_path: Path) -> Iterator[Open]:
    """A browser with these preferences."""
    opened: list[BrowserContext] = []

    def open_one(preferences: dict[str, Any]) -> BrowserContext:
        profile = tmp_path / "profile"
        (profile / "Default").mkdir(parents=True)
        (profile / "Default" / "Preferences").write_text(json.dumps(preferences))
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=chromium, args=FLAGS
        )
        opened.append(context)
        return context

    yield open_one
    for context in opened:
        context.close()
