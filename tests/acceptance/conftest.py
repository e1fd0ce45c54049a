"""A server of the small graph, in this process or in one of its own, and a token for it."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from gateway.app import create_app
from gateway.config_file import CredentialUrl, Secret
from gateway.settings import Host, Server, Settings
from gateway.store import institutions, schema, tokens
from gateway.uow import Database
from tests.acceptance.small_graph import make_graph

ROOT = Path(__file__).parents[2]
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


@dataclass(frozen=True)
class ServerProcess:
    process: asyncio.subprocess.Process
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


StartServer = Callable[..., AbstractAsyncContextManager[ServerProcess]]


@pytest.fixture
def start_server(database_url: str) -> StartServer:
    """Starts `python -m tests.acceptance.small_server` on this test's database."""

    @asynccontextmanager
    async def start(**options: object) -> AsyncIterator[ServerProcess]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.acceptance.small_server",
            database_url,
            *(f"{name}={value}" for name, value in options.items()),
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), 20)
            if not line and process.stderr is not None:
                pytest.fail((await process.stderr.read()).decode())
            yield ServerProcess(process, int(line))
        finally:
            if process.returncode is None:
                process.kill()
            await process.communicate()

    return start
