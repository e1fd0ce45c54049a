"""Tokens for services: one for all who share a cache, renewed before it ends and when it was refused, with its price learned."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.cache import Cache
from gateway.canvas.service_tokens import NRPS, ServiceTokens
from gateway.errors import CutShort, SourceRefused
from gateway.http.client import Client
from gateway.prices import PRIORS, Endpoint, PriceBook
from tests.fakes import TickingClock
from tests.served import served


@dataclass
class Platform:
    """`body`: what it answers in place of a token."""

    url: str = ""
    given: int = 0
    status: int = 200
    body: dict[str, Any] | None = None
    scopes: list[str] = field(default_factory=list)

    async def answer(self, request: Request) -> Response:
        form = await request.form()
        self.scopes.append(str(form["scope"]))
        self.given += 1
        token = {"access_token": f"token-{self.given}", "expires_in": 3600}
        return JSONResponse(self.body or token, self.status, {"x-request-cost": "120.0"})


@dataclass(frozen=True)
class Registration:
    token_url: str
    client_id: str = "tool-7"


@pytest.fixture
def platform() -> Iterator[Platform]:
    one = Platform()
    with served(Starlette(routes=[Route("/token", one.answer, methods=["POST"])])) as url:
        one.url = f"{url}/token"
        yield one


@pytest.fixture
async def http() -> AsyncIterator[Client]:
    async with Client(allows_private_networks=True) as one:
        yield one


@pytest.fixture
def clock() -> TickingClock:
    return TickingClock()


async def sign(claims: Mapping[str, Any]) -> str:
    return f"signed for {claims['sub']}"


def tokens_of(
    http: Client, clock: TickingClock, cache: Cache, prices: PriceBook | None = None
) -> ServiceTokens:
    return ServiceTokens(
        http=http, sign=sign, prices=prices or PriceBook(), cache=cache, clock=clock
    )


async def test_one_token_serves_all_who_share_a_cache(
    platform: Platform, http: Client, clock: TickingClock
) -> None:
    registration, cache = Registration(platform.url), Cache(clock)
    ours, theirs = tokens_of(http, clock, cache), tokens_of(http, clock, cache)
    assert not await ours.is_held(registration, NRPS)

    got = await asyncio.gather(*(ours.token(registration, NRPS) for _ in range(10)))

    assert {"token-1"} == set(got)
    assert await theirs.is_held(registration, NRPS)
    assert "token-1" == await theirs.token(registration, NRPS)
    assert [NRPS] == platform.scopes


async def test_it_is_renewed_before_it_ends_and_when_it_was_refused(
    platform: Platform, http: Client, clock: TickingClock
) -> None:
    registration, tokens = Registration(platform.url), tokens_of(http, clock, Cache(clock))
    credential = tokens.credential(registration, NRPS)
    assert "token-1" == await credential.token()

    clock.advance(minutes=49)
    assert "token-1" == await credential.token()
    clock.advance(minutes=1)
    assert not await tokens.is_held(registration, NRPS)
    assert "token-2" == await credential.token()

    assert "token-3" == await credential.renewed("token-2")
    assert "token-3" == await credential.renewed("token-2")  # another had it renewed meanwhile


async def test_what_it_cost_is_learned(
    platform: Platform, http: Client, clock: TickingClock
) -> None:
    prices = PriceBook()

    await tokens_of(http, clock, Cache(clock), prices).token(Registration(platform.url), NRPS)

    assert 120.0 < prices.expected(Endpoint.SERVICE_TOKEN).quota < 200.0
    assert 200.0 == PRIORS[Endpoint.SERVICE_TOKEN].quota


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, {"error": "invalid_client"}, SourceRefused),
        (200, {"token_type": "Bearer"}, CutShort),
    ],
)
async def test_what_is_no_token_is_not_kept(
    platform: Platform,
    http: Client,
    clock: TickingClock,
    status: int,
    body: dict[str, Any],
    error: type[Exception],
) -> None:
    registration, tokens = Registration(platform.url), tokens_of(http, clock, Cache(clock))
    platform.status, platform.body = status, body

    with pytest.raises(error):
        await tokens.token(registration, NRPS)

    assert not await tokens.is_held(registration, NRPS)
