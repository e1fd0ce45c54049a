"""Our keys rotate and are shared by processes; a platform's are fetched as seldom as safety allows."""

from datetime import timedelta
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from gateway.errors import LaunchRefused
from gateway.lti.keys import AROUND, HOLD_OFF, PERIOD, OwnKeys, PlatformKeys, period_of
from gateway.seal import Seal
from gateway.uow import Database
from tests.gateway.lti import platform
from tests.gateway.lti.conftest import Clock, Tool
from tests.gateway.lti.platform import KEY, OTHER_KEY, Platform

READY = [RSAKey.generate_key(2048) for _ in range(3)]


@pytest.fixture
def at_the_start(clock: Clock) -> Clock:
    """Ten days into a period, far from either end."""
    while period_of(clock() - timedelta(days=11)) == period_of(clock()):
        clock.forward(days=-1)
    while period_of(clock() - timedelta(days=10)) != period_of(clock()):
        clock.forward(days=1)
    return clock


def ring(database: Database, clock: Clock) -> OwnKeys:
    ready = iter(READY)
    return OwnKeys(database, Seal(["key"]), clock, lambda: next(ready))


async def kids(keys: OwnKeys) -> list[Any]:
    return [key["kid"] for key in (await keys.jwks())["keys"]]


async def test_a_key_is_published_before_it_signs_and_after(
    database: Database, at_the_start: Clock
) -> None:
    keys = ring(database, at_the_start)
    first = (await keys.signing()).kid
    assert [first] == await kids(keys)

    at_the_start.forward(days=(PERIOD - timedelta(days=10) - AROUND).days)
    soon = await kids(keys)
    assert first == (await keys.signing()).kid
    assert 2 == len(soon)

    at_the_start.forward(days=AROUND.days)
    assert soon[1] == (await keys.signing()).kid
    assert soon == await kids(keys)

    at_the_start.forward(days=AROUND.days + 1)
    assert soon[1:] == await kids(keys)


async def test_two_processes_have_the_same_keys(database: Database, clock: Clock) -> None:
    one, other = ring(database, clock), OwnKeys(database, Seal(["key"]), clock, READY[::-1].pop)

    assert (await one.signing()).kid == (await other.signing()).kid


async def test_keys_are_kept_sealed_and_published_without_their_secret(
    database: Database, clock: Clock
) -> None:
    keys = ring(database, clock)
    published = await keys.jwks()

    [row, *_] = await database.rows("select sealed from lti_key")
    assert "{" not in row["sealed"]
    assert not {"d", "p", "q", "dp", "dq", "qi"} & published["keys"][0].keys()
    assert {"kty": "RSA", "alg": "RS256", "use": "sig"}.items() <= published["keys"][0].items()


async def test_the_key_set_is_served(tool: Tool) -> None:
    async with tool.browser() as browser:
        answer = await browser.client.get("/lti/jwks.json")

    assert 200 == answer.status_code
    assert answer.json()["keys"][0]["kid"]
    assert "max-age" in answer.headers["cache-control"]


async def found(keys: PlatformKeys, kid: str) -> bool:
    try:
        await keys.key(platform.JWKS_URL, kid)
    except LaunchRefused as refused:
        return refused.code != "kid"
    return True


async def test_a_known_key_is_fetched_once(clock: Clock) -> None:
    canvas = Platform()
    keys = PlatformKeys(canvas.fetch, clock)

    for _ in range(3):
        assert await found(keys, str(KEY.kid))

    assert 1 == canvas.fetched


async def test_a_rotated_key_is_found_by_asking_once_more(clock: Clock) -> None:
    canvas = Platform()
    keys = PlatformKeys(canvas.fetch, clock)
    await found(keys, str(KEY.kid))
    canvas.published.append(OTHER_KEY)

    assert await found(keys, str(OTHER_KEY.kid))
    assert 2 == canvas.fetched


async def test_invented_keys_make_us_ask_no_more_than_once_in_a_while(clock: Clock) -> None:
    canvas = Platform()
    keys = PlatformKeys(canvas.fetch, clock)

    for number in range(50):
        assert not await found(keys, f"invented-{number}")
    assert 2 == canvas.fetched

    clock.forward(seconds=HOLD_OFF.total_seconds())
    await found(keys, "invented")
    assert 3 == canvas.fetched


async def test_a_platform_that_is_down_is_believed_by_its_old_keys_for_a_day(
    clock: Clock,
) -> None:
    canvas = Platform()
    keys = PlatformKeys(canvas.fetch, clock)
    await found(keys, str(KEY.kid))
    canvas.down = True

    clock.forward(hours=23)
    assert await found(keys, str(KEY.kid))

    clock.forward(hours=2)
    with pytest.raises(LaunchRefused, match="cannot be had") as refused:
        await keys.key(platform.JWKS_URL, str(KEY.kid))
    assert 503 == refused.value.status


async def test_a_key_that_was_withdrawn_is_believed_for_a_day_at_most(clock: Clock) -> None:
    """Canvas lets its key set be kept for ten days, which is long for a key that leaked."""
    canvas = Platform()
    keys = PlatformKeys(canvas.fetch, clock)
    await found(keys, str(KEY.kid))
    canvas.published = [OTHER_KEY]

    clock.forward(days=1)

    assert not await found(keys, str(KEY.kid))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"keys": 7}',
        b'{"keys": [{"kty": "RSA", "kid": "x", "n": "AQAB", "e": "AQAB"}]}',
    ],
)
async def test_what_is_no_key_set_is_refused(clock: Clock, body: bytes) -> None:
    async def fetch(_url: str) -> tuple[bytes, None]:
        return body, None

    with pytest.raises(LaunchRefused) as refused:
        await PlatformKeys(fetch, clock).key(platform.JWKS_URL, "x")

    assert "jwks" == refused.value.code


async def test_keys_for_other_purposes_are_passed_over(clock: Clock) -> None:
    async def fetch(_url: str) -> tuple[bytes, timedelta | None]:
        canvas = Platform()
        body, _ = await canvas.fetch("")
        return body.replace(b'{"keys":[', b'{"keys":[{"kty":"EC","kid":"e"},{"kty":"RSA"},'), None

    assert await found(PlatformKeys(fetch, clock), str(KEY.kid))
