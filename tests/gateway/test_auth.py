"""Who is let in, and for how long an answer about a token is remembered."""

import asyncio

import pytest

from gateway.auth import Authenticator
from gateway.errors import Forbidden, Unauthenticated
from gateway.viewer import Rights, Scope, Viewer

ADA = Viewer(
    institution_id=1,
    institution_slug="demo",
    canvas_url=None,
    shard=1,
    scopes=frozenset({Scope.ROSTER_READ}),
)


class Tokens:
    """Live tokens, and how often somebody asked for one."""

    def __init__(self, *live: str) -> None:
        self.live = set(live)
        self.asked: list[str] = []

    async def find(self, unverified_secret: str) -> Viewer | None:
        self.asked.append(unverified_secret)
        await asyncio.sleep(0)
        return ADA if unverified_secret in self.live else None


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


async def everything(_viewer: Viewer) -> Rights:
    return Rights()


@pytest.fixture
def tokens() -> Tokens:
    return Tokens("rst_ada")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def authenticator(tokens: Tokens, clock: Clock) -> Authenticator:
    return Authenticator(tokens.find, judge=everything, monotonic=clock)


@pytest.mark.parametrize(
    "header", ["Bearer rst_ada", "bearer rst_ada", "BEARER rst_ada", "Bearer   rst_ada "]
)
async def test_a_live_token_is_let_in(authenticator: Authenticator, header: str) -> None:
    assert ADA == await authenticator.viewer({"authorization": header})


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"authorization": ""}, id="empty"),
        pytest.param({"authorization": "rst_ada"}, id="no scheme"),
        pytest.param({"authorization": "Basic rst_ada"}, id="another scheme"),
        pytest.param({"authorization": "Bearer ada"}, id="no prefix"),
        pytest.param({"authorization": "Bearer rst_bob"}, id="unknown"),
        pytest.param({"authorization": "Bearer rst_ada rst_ada"}, id="two"),
        pytest.param({"authorization": "Bearer rst_\udcff"}, id="not to be encoded"),
    ],
)
async def test_nothing_else_is(authenticator: Authenticator, headers: dict[str, str]) -> None:
    with pytest.raises(Unauthenticated):
        await authenticator.viewer(headers)


async def test_a_burst_asks_the_database_once(authenticator: Authenticator, tokens: Tokens) -> None:
    for _ in range(5):
        await authenticator.viewer({"authorization": "Bearer rst_ada"})

    assert ["rst_ada"] == tokens.asked


async def test_a_revoked_token_is_refused_seconds_later(
    authenticator: Authenticator, tokens: Tokens, clock: Clock
) -> None:
    await authenticator.viewer({"authorization": "Bearer rst_ada"})
    tokens.live.clear()
    clock.seconds += 3

    with pytest.raises(Unauthenticated):
        await authenticator.viewer({"authorization": "Bearer rst_ada"})


async def test_a_new_token_is_let_in_seconds_after_it_was_refused(
    authenticator: Authenticator, tokens: Tokens, clock: Clock
) -> None:
    with pytest.raises(Unauthenticated):
        await authenticator.viewer({"authorization": "Bearer rst_bob"})
    tokens.live.add("rst_bob")
    clock.seconds += 3

    assert ADA == await authenticator.viewer({"authorization": "Bearer rst_bob"})


async def test_guessing_does_not_fill_the_memory(
    authenticator: Authenticator, tokens: Tokens
) -> None:
    for number in range(10_001):
        with pytest.raises(Unauthenticated):
            await authenticator.viewer({"authorization": f"Bearer rst_{number}"})

    assert len(authenticator._remembered) <= 10_000


async def test_acting_for_a_person_is_refused_and_not_ignored(authenticator: Authenticator) -> None:
    with pytest.raises(Forbidden):
        await authenticator.viewer({"authorization": "Bearer rst_ada", "roster-act-as": "VXNlcjox"})
