"""A school to import into, and what is in the store afterwards."""

import shutil
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from gateway.merge import Guard
from gateway.store import institutions
from gateway.store.institutions import Institution
from gateway.sync.importer import import_report
from gateway.sync.report_files import Limits
from gateway.sync.summary import Progress, Summary
from gateway.uow import Database, Row
from models.roster import Source
from tests.gateway.sync.servers import Copy, on_server

NOW = datetime(2026, 9, 1, 6, 0, tzinfo=UTC)


@dataclass(kw_only=True)
class School:
    """One institution; each import happens an hour after the one before, of a report read just then."""

    database: Database
    institution: Institution
    now: datetime = NOW
    progress: list[Progress] = field(default_factory=list)
    watch: Callable[[Progress], None] | None = None

    async def take_in(
        self,
        path: Path,
        *,
        as_of: datetime | None = None,
        source: Source = Source.UPLOAD,
        guard: Guard = Guard(),  # noqa: B008  frozen
        limits: Limits = Limits(block_bytes=4096),  # noqa: B008  frozen
    ) -> Summary:
        self.now += timedelta(hours=1)
        return await import_report(
            self.database,
            self.institution,
            path,
            clock=lambda: self.now,
            as_of=as_of or self.now,
            source=source,
            guard=guard,
            limits=limits,
            progress=self.watch or self.progress.append,
        )

    async def rows(
        self, table: str, *columns: str, order: str = "id", where: str = "1 = 1"
    ) -> list[Row]:
        return await self.database.rows(
            f"select {', '.join(columns) or '*'} from {table} where institution_id = $1 and {where} order by {order}",
            self.institution.id,
        )

    async def states(self) -> dict[int, str]:
        """Each enrollment's state by its local Canvas id."""
        rows = await self.rows("enrollment", "canvas_id", "state")
        return {row["canvas_id"] % 10**13: row["state"] for row in rows}


@pytest.fixture
async def school(database: Database) -> School:
    made = await institutions.ensure(database, slug="demo", canvas_url="https://canvas.example.edu")
    return School(database=database, institution=made)


@pytest.fixture
async def copies(database_url: str) -> AsyncIterator[Copy]:
    """Makes a copy of the test's database, of whatever it holds then."""
    made: list[str] = []
    parts = urlsplit(database_url)

    async def copy(name: str) -> str:
        if parts.scheme == "sqlite":
            path = database_url.removeprefix("sqlite://")
            shutil.copy(path, f"{path}.{name}")
            return f"sqlite://{path}.{name}"
        await on_server(
            parts.geturl(), f"create database {parts.path[1:]}_{name} template {parts.path[1:]}"
        )
        made.append(f"{parts.path[1:]}_{name}")
        return urlunsplit(parts._replace(path=f"{parts.path}_{name}"))

    yield copy
    for name in made:
        await on_server(parts.geturl(), f"drop database {name} with (force)")
