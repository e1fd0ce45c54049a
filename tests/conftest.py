"""What every test may ask for: an empty database on each of the two engines, brought up to date by the migrations.

The engines are found, not assumed: `ROSTER_TEST_POSTGRES` (a postgres:// URL of a server where databases may be
made) and `ROSTER_TEST_REDIS` are set by `scripts/services.py`, which `make test` runs first.
"""

import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import hypothesis
import pytest

from gateway.store import schema
from gateway.uow import Database

POSTGRES = os.environ.get("ROSTER_TEST_POSTGRES")  # noqa: TID251  the tests' own switch, not a setting
REDIS = os.environ.get("ROSTER_TEST_REDIS")  # noqa: TID251  the tests' own switch, not a setting

ENGINES = [
    pytest.param("sqlite", id="sqlite"),
    pytest.param("postgres", id="postgres", marks=pytest.mark.postgres),
]


@pytest.fixture(params=ENGINES)
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The URL of an empty database, gone after the test."""
    if request.param == "sqlite":
        yield f"sqlite://{tmp_path / 'roster.db'}"
        return
    if POSTGRES is None:
        pytest.skip("no PostgreSQL: set ROSTER_TEST_POSTGRES, or run `make test`, which starts one")
    name = f"roster_{secrets.token_hex(6)}"
    admin = await asyncpg.connect(POSTGRES)
    try:
        await admin.execute(f"create database {name}")
        yield urlunsplit(urlsplit(POSTGRES)._replace(path=f"/{name}"))
        await admin.execute(f"drop database {name} with (force)")
    finally:
        await admin.close()


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """An open database with every table and no row."""
    async with Database.open(database_url) as opened:
        await schema.migrate(opened)
        yield opened


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


def pytest_configure(config: pytest.Config) -> None:
    hypothesis.settings.register_profile("sample", max_examples=40, deadline=None, derandomize=True)
    hypothesis.settings.register_profile("prove", max_examples=1000, deadline=None)
    hypothesis.settings.load_profile("prove" if config.getoption("--prove") else "sample")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked `prove` are the long proofs; each has a sample beside it that always runs."""
    if config.getoption("--prove"):
        return
    proofs = [item for item in items if item.get_closest_marker("prove")]
    items[:] = [item for item in items if not item.get_closest_marker("prove")]
    config.hook.pytest_deselected(items=proofs)


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
