"""A small school under a fixed clock, in process, and the ways to call it."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import cycle
from typing import Any

import httpx
import pytest
from joserfc.jwk import RSAKey
from starlette.applications import Starlette

from twin.app import create_twin
from twin.cast import Cast
from twin.clock import FixedClock
from twin.lti.keys import KeyRing
from twin.options import Options
from twin.school import School
from twin.throttle import Bucket

Client = httpx.AsyncClient  # noqa: TID251  in process: there is no pool to leak
NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
BASE_URL = "http://canvas.test"
SMALL = {"courses": 14, "users": 120, "big": 150, "enrollments": 900, "public_url": BASE_URL}

# Making RSA keys is slow; twins of different tests may share them, as their ids differ.
READY_KEYS = cycle(RSAKey.generate_key(2048) for _ in range(7))


@dataclass
class Twin:
    """A twin under test: what it holds, and a client that needs no socket."""

    app: Starlette
    client: Client
    clock: FixedClock

    @property
    def school(self) -> School:
        school: School = self.app.state.school
        return school

    @property
    def cast(self) -> Cast:
        cast: Cast = self.app.state.cast
        return cast

    @property
    def buckets(self) -> dict[str, Bucket]:
        buckets: dict[str, Bucket] = self.app.state.buckets
        return buckets

    def bearer(self, person: str = "admin") -> dict[str, str]:
        """The Authorization header of somebody in the cast."""
        return {"Authorization": f"Bearer {self.cast.tokens[person]}"}

    async def get(
        self, path: str, person: str = "admin", headers: dict[str, str] | None = None, **params: Any
    ) -> httpx.Response:
        """GET as a person of the cast; a list becomes `name[]=...`."""
        return await self.client.get(
            path, params=_query(params) or None, headers=self.bearer(person) | (headers or {})
        )

    async def send(
        self, method: str, path: str, person: str = "admin", **kwargs: Any
    ) -> httpx.Response:
        return await self.client.request(method, path, headers=self.bearer(person), **kwargs)

    async def pages(self, path: str, person: str = "admin", **params: Any) -> list[Any]:
        """Every row of a list, by following `next`."""
        response = await self.get(path, person, **params)
        rows: list[Any] = response.json()
        while "next" in response.links:
            response = await self.client.get(
                response.links["next"]["url"], headers=self.bearer(person)
            )
            rows += response.json()
        return rows


MakeTwin = Callable[..., Twin]


def _query(params: dict[str, Any]) -> list[tuple[str, str | int | float | bool | None]]:
    pairs: list[tuple[str, str | int | float | bool | None]] = []
    for name, value in params.items():
        if isinstance(value, list | tuple):
            pairs += [(f"{name}[]", str(item)) for item in value]
        else:
            pairs.append((name, str(value)))
    return pairs


@pytest.fixture
async def make_twin() -> AsyncIterator[MakeTwin]:
    """Twins with options of the test's choice; small, at `NOW`."""
    clients: list[Client] = []

    def make(**options: Any) -> Twin:
        clock = FixedClock(NOW)
        app = create_twin(Options(**{**SMALL, **options}), clock)
        app.state.lti.keys = KeyRing(clock.now, make=READY_KEYS.__next__)
        transport = httpx.ASGITransport(app)
        client = Client(transport=transport, base_url=BASE_URL)
        clients.append(client)
        return Twin(app, client, clock)

    yield make
    for client in clients:
        await client.aclose()


@pytest.fixture
def twin(make_twin: MakeTwin) -> Twin:
    return make_twin()
