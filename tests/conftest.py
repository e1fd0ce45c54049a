"""What every test may ask for: an empty database on each of the two engines, brought up to date by the migrations.

The engines are found, not assumed: `ROSTER_TEST_POSTGRES` (a postgres:// URL of a server where databases may be
made) and `ROSTER_TEST_REDIS` are set by `scripts/services.py`, which `make test` runs first.
"""

import asyncio
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import hypothesis
import pytest

from gateway.store import schema
from gateway.uow import Database
from tests.factories import School

POSTGRES = os.environ.get("ROSTER_TEST_POSTGRES")  # noqa: TID251  the tests' own switch, not a setting
REDIS = os.environ.get("ROSTER_TEST_REDIS")  # noqa: TID251  the tests' own switch, not a setting

ENGINES = [
    pytest.param("sqlite", id="sqlite"),
    pytest.param("postgres", id="postgres", marks=pytest.mark.postgres),
]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    if request.param == "postgres" and POSTGRES is None:
        pytest.skip("no PostgreSQL: set ROSTER_TEST_POSTGRES, or run `make test`, which starts one")
    name: str = request.param
    return name


@pytest.fixture
def template(request: pytest.FixtureRequest, engine: str) -> str | None:
    """What the test's database is copied from: one with every table where the test asks for `database`."""
    if "database" not in request.fixturenames:
        return None
    return str(request.getfixturevalue(f"{engine}_template"))


@pytest.fixture
async def database_url(engine: str, template: str | None, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of an empty database, gone after the test; it has its tables where the test asks for `database` too."""
    if engine == "sqlite":
        path = tmp_path / "roster.db"
        if template is not None:
            shutil.copy(template, path)
        yield f"sqlite://{path}"
        return
    name = f"roster_{secrets.token_hex(6)}"
    await _on_postgres(_copying(name, template or "template1"))
    yield _postgres_url(name)
    await _on_postgres(f"drop database {name} with (force)")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open database with every table and no row."""
    async with Database.open(database_url) as opened:
        await opened.reach()
        yield opened


@pytest.fixture
async def school(database: Database) -> School:
    """An institution without a row yet."""
    return await School.open(database)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with every table: a copy of it takes a hundredth of the time that migrating takes."""
    path = tmp_path_factory.mktemp("template") / "roster.db"
    asyncio.run(_migrate(f"sqlite://{path}"))
    return path


@pytest.fixture(scope="session")
def postgres_template() -> Iterator[str]:
    """The name of a database with every table, to make others of."""
    name = f"roster_template_{secrets.token_hex(6)}"
    asyncio.run(_on_postgres(f"create database {name}"))
    asyncio.run(_migrate(_postgres_url(name)))
    yield name
    asyncio.run(_on_postgres(f"drop database {name} with (force)"))


async def _migrate(url: str) -> None:
    async with Database.open(url) as opened:
        await schema.migrate(opened)


def _copying(name: str, template: str) -> str:
    """A database as small as ours is copied twice as fast file by file as by PostgreSQL's default, through its log."""
    return f"create database {name} template {template} strategy file_copy"


async def _on_postgres(sql: str) -> None:
    admin = await asyncpg.connect(POSTGRES)
    try:
        await admin.execute(sql)
    finally:
        await admin.close()


def _postgres_url(name: str) -> str:
    return urlunsplit(urlsplit(POSTGRES or "")._replace(path=f"/{name}"))


@pytest.fixture(scope="session")
def redis_url() -> str:
    if REDIS is None:
        pytest.skip("no Redis: set ROSTER_TEST_REDIS, or run `make test`, which starts one")
    return REDIS


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--prove", action="store_true", help="run the long proofs whole, not a sample of each"
    )
    parser.addoption(
        "--require-all", action="store_true", help="fail when anything had to be left out"
    )
    parser.addoption("--screenshot", action="store_true", help="save GraphiQL as docs/graphiql.png")


def pytest_configure(config: pytest.Config) -> None:
    hypothesis.settings.register_profile("sample", max_examples=25, deadline=None, derandomize=True)
    hypothesis.settings.register_profile("prove", max_examples=1000, deadline=None)
    hypothesis.settings.load_profile("prove" if config.getoption("--prove") else "sample")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked `prove` are the long proofs; each has a sample beside it that always runs."""
    if config.getoption("--prove"):
        return
    proofs = [item for item in items if _is_long(item)]
    items[:] = [item for item in items if not _is_long(item)]
    config.hook.pytest_deselected(items=proofs)


# Whole programs that start and stop for each test: what the database does below them, quicker tests say of both.
_ON_SQLITE_ALONE = {
    "test_acting",
    "test_browser",
    "test_graphiql",
    "test_roster_changes",
    "test_sync_command",
    "test_syncs",
}


def _is_long(item: pytest.Item) -> bool:
    if item.get_closest_marker("prove"):
        return True
    whole_programs = item.path.parent.name == "acceptance" and item.path.stem in _ON_SQLITE_ALONE
    return whole_programs and item.get_closest_marker("postgres") is not None


@pytest.fixture(scope="session")
def proving(request: pytest.FixtureRequest) -> bool:
    """Whether the long proofs run whole."""
    return bool(request.config.getoption("--prove"))


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say loudly what was left out and how to get it."""
    skipped = terminalreporter.stats.get("skipped", [])
    for reason in sorted({report.longrepr[2] for report in skipped}):
        terminalreporter.write_line(f"*** LEFT OUT: {reason}", yellow=True, bold=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if (
        session.config.getoption("--require-all")
        and reporter is not None
        and reporter.stats.get("skipped")
    ):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
