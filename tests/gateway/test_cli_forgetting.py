"""`roster erase` and `roster clean`, as an operator types them."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import main
from gateway.store import schema
from gateway.uow import Database
from tests.factories import School

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite://{tmp_path / 'roster.db'}"


@pytest.fixture
def config(tmp_path: Path, url: str) -> Path:
    """A school in which Canvas still lists Zoe, with an old change in its feed."""
    file = tmp_path / "roster.toml"
    file.write_text(
        f'[server]\npublic_url = "http://127.0.0.1:8000"\ndatabase_url = "{url}"\nsecret_key = "x"\n'
        '[[institution]]\nslug = "demo"\nretention = "P30D"\n'
    )

    async def fill() -> None:
        async with Database.open(url) as database:
            await schema.migrate(database)
            school = await School.open(database, canvas_url=None)
            zoe = await school.person(name="Zoe", canvas=7)
            await school.change("User", zoe, at=LONG_AGO)

    asyncio.run(fill())
    return file


def rows(url: str, sql: str) -> list[dict[str, Any]]:
    async def read() -> list[dict[str, Any]]:
        async with Database.open(url) as database:
            return await database.rows(sql)

    return asyncio.run(read())


def test_a_person_is_erased_once_it_is_meant(
    config: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 1 == main(["--config", str(config), "erase", "7"])
    assert "roster: Canvas still lists Zoe" in capsys.readouterr().err
    assert 1 == len(rows(url, "select id from person"))

    assert 0 == main(["--config", str(config), "erase", "7", "--even-if-listed"])
    assert "erased Zoe: 1 of person" in capsys.readouterr().out
    assert [] == rows(url, "select id from person")

    assert 1 == main(["--config", str(config), "erase", "7"])
    assert "roster: demo has nobody with the id 7" in capsys.readouterr().err


def test_what_is_older_than_the_retention_is_dropped(
    config: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == main(["clean", "--config", str(config)])
    assert "demo: 1 of change\n" == capsys.readouterr().out
    assert [] == rows(url, "select id from change")

    assert 0 == main(["clean", "--config", str(config)])
    assert "demo: nothing\n" == capsys.readouterr().out
