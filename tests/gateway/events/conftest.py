"""A twin's school in the store, and its Live Events on their way to the gateway's address."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from starlette.applications import Starlette

from gateway.config_file import CredentialUrl, Secret
from gateway.events import routes
from gateway.events.receiving import Receiving
from gateway.lti.keys import PlatformKeys
from gateway.settings import Institution, LiveEvents, Server, Settings
from gateway.store import institutions
from gateway.sync.importer import import_report
from gateway.uow import Database, Row
from tests.twin.conftest import READY_KEYS, MakeTwin, Twin, make_twin
from twin.live_events import LiveEvents as Stream
from twin.lti.keys import KeyRing
from twin.outgoing import Outgoing
from twin.report_file import write_report

__all__ = ["make_twin"]

JWKS = "https://keys.example.edu/jwks"
ADDRESS = "http://gateway.test/events/canvas"


@dataclass
class Listening:
    """The store, the twin, and the road between them. `answers`: the status of each event."""

    database: Database
    institution: int
    twin: Twin
    stream: Stream
    answers: list[int]
    now: datetime

    async def deliver(self) -> list[int]:
        """Send what waits; the statuses that it was answered with."""
        self.answers.clear()
        await self.stream.deliver()
        return list(self.answers)

    async def rows(self, sql: str) -> list[Row]:
        return await self.database.rows(sql, self.institution)

    async def states(self) -> dict[int, str]:
        rows = await self.rows(
            "select canvas_id, state from enrollment where institution_id = $1 and canvas_id is not null"
        )
        return {row["canvas_id"] % 10**13: row["state"] for row in rows}

    async def due(self) -> set[tuple[str, int]]:
        rows = await self.rows(
            "select scope_kind, scope_id from due_scope where institution_id = $1"
        )
        return {(row["scope_kind"], row["scope_id"]) for row in rows}

    async def id_of(self, table: str, canvas_id: int) -> int:
        rows = await self.rows(
            f"select id from {table} where institution_id = $1 and canvas_id = {10**13 + canvas_id}"
        )
        return int(rows[0]["id"])

    async def changes(self) -> list[Row]:
        return await self.rows(
            "select kind, subject_type, subject_id, before, after from change where institution_id = $1"
            " and source = 'LIVE_EVENT' order by position"
        )


@pytest.fixture
def listen(database: Database, make_twin: MakeTwin, tmp_path: Path) -> Any:
    """A school that was imported once, and listens to its twin."""

    @asynccontextmanager
    async def listening(
        *, signed: bool = True, query: str = "", **options: Any
    ) -> AsyncIterator[Listening]:
        twin = make_twin(**options)
        root = twin.school.root
        configured = Institution(
            slug="demo",
            live_events=LiveEvents(
                root_account=root.uuid,
                jwks_url=JWKS,
                signed=signed,
                secret=None if signed else Secret("s"),
            ),
        )
        server = Server(
            public_url="http://gateway.test",
            database_url=CredentialUrl(database.url),
            secret_key=(Secret("x"),),
        )
        settings = Settings(server=server, institutions=(configured,))
        made = await institutions.ensure(database, slug="demo", canvas_url=None)
        write_report(tmp_path / "report.zip", twin.school)
        await import_report(
            database, made, tmp_path / "report.zip", clock=twin.clock.now, as_of=twin.clock.now()
        )
        twin.clock.advance(timedelta(hours=1))
        stream: Stream = twin.app.state.live_events
        stream.keys = KeyRing(twin.clock.now, make=READY_KEYS.__next__)

        async def fetch(url: str) -> tuple[bytes, timedelta | None]:
            assert url == JWKS
            return orjson.dumps(stream.keys.jwks()), None

        receiving = Receiving(
            settings, database, PlatformKeys(fetch, twin.clock.now), twin.clock.now
        )

        app = Starlette(routes=routes.routes)
        answers: list[int] = []

        async def with_state(scope: Any, receive: Any, send: Any) -> None:
            async def noted(message: Any) -> None:
                if message["type"] == "http.response.start":
                    answers.append(message["status"])
                await send(message)

            await app({**scope, "state": {"receiving": receiving}}, receive, noted)

        stream._outgoing = Outgoing(httpx.ASGITransport(with_state))
        stream.subscribe(ADDRESS + query, signed=signed)
        yield Listening(database, made.id, twin, stream, answers, twin.clock.now())
        await stream._outgoing.close()

    return listening
