"""The leaky bucket of transport.md section 2, without waiting, and once over a socket."""

import asyncio
import base64
import json
import re
from datetime import timedelta

import httpx
import pytest

from tests.twin.conftest import Client, MakeTwin, Twin
from tests.twin.serving import served
from twin.app import create_twin
from twin.options import Options
from twin.throttle import client_of

REFUSAL = "Forbidden (Rate Limit Exceeded)\n"


def remaining(response: httpx.Response) -> float:
    return float(response.headers["X-Rate-Limit-Remaining"])


async def held(twin: Twin, count: int, person: str = "admin") -> list[httpx.Response]:
    """That many requests open at once: each holds its reserve until all have come in."""
    return await asyncio.gather(*(twin.get("/api/v1/users/self", person) for _ in range(count)))


async def test_eleven_requests_run_at_once_and_the_twelfth_is_refused(twin: Twin) -> None:
    """From an empty bucket eleven reserves of 50 fit below 600."""
    answers = await held(twin, 12)

    assert [200] * 11 + [429] == [answer.status_code for answer in answers]


async def test_a_refusal_is_plain_text_without_a_cost(twin: Twin) -> None:
    """No JSON, no Retry-After, no cost; a remaining quota that can be positive."""
    refused = (await held(twin, 12))[-1]

    assert refused.text == f"429 {REFUSAL}"
    assert refused.headers["content-type"] == "text/plain; charset=utf-8"
    assert "X-Request-Cost" not in refused.headers
    assert "Retry-After" not in refused.headers
    assert 0 < remaining(refused) <= 50


async def test_a_self_hosted_canvas_refuses_with_403(make_twin: MakeTwin) -> None:
    """The status of the public source, by switch."""
    refused = (await held(make_twin(throttle_status=403), 12))[-1]

    assert (403, f"403 {REFUSAL}") == (refused.status_code, refused.text)


async def test_the_reserve_is_given_back(twin: Twin) -> None:
    """One request after the other costs only what it costs."""
    first = await twin.get("/api/v1/users/self")
    second = await twin.get("/api/v1/users/self")

    # A level below the reserve is clamped at zero: cost - 50 from an empty bucket is empty.
    cost = float(second.headers["X-Request-Cost"])
    assert 600 - cost == pytest.approx(remaining(first))
    assert 600 - 2 * cost == pytest.approx(remaining(second))


async def test_the_bucket_leaks_ten_units_a_second(twin: Twin) -> None:
    """What token requests have filled runs out with the clock."""
    empty = await twin.get("/api/v1/users/self")
    key = next(iter(twin.buckets))
    fill(twin, key, 500.0)
    full = await twin.get("/api/v1/users/self")
    twin.clock.advance(timedelta(seconds=20))
    later = await twin.get("/api/v1/users/self")

    assert remaining(empty) > 599
    assert remaining(full) == pytest.approx(100, abs=1)
    assert remaining(later) == pytest.approx(300, abs=1)


async def test_refused_exactly_when_at_most_fifty_remain(twin: Twin) -> None:
    """550 in the bucket refuse, a hair less does not."""
    await twin.get("/api/v1/users/self")
    key = next(iter(twin.buckets))
    fill(twin, key, 550.0)
    refused = await twin.get("/api/v1/users/self")
    fill(twin, key, 549.9)
    answered = await twin.get("/api/v1/users/self")

    assert (429, 200) == (refused.status_code, answered.status_code)


async def test_an_hour_without_a_request_empties_the_bucket(twin: Twin) -> None:
    """Redis forgets the bucket, however full it is."""
    await twin.get("/api/v1/users/self")
    key = next(iter(twin.buckets))
    fill(twin, key, 800.0)
    twin.clock.advance(timedelta(hours=1))

    assert 200 == (await twin.get("/api/v1/users/self")).status_code


async def test_each_token_has_a_bucket_of_its_own(twin: Twin) -> None:
    """A full bucket of one token leaves the others alone, and masquerading changes nothing."""
    await twin.get("/api/v1/users/self")
    fill(twin, next(iter(twin.buckets)), 800.0)
    student = twin.cast.people["student"].id
    masked = await twin.get("/api/v1/users/self", as_user_id=student)
    own = await twin.get("/api/v1/users/self", "student")

    assert (429, 200) == (masked.status_code, own.status_code)


async def test_errors_cost_and_show_the_headers_too(twin: Twin) -> None:
    """Every answer but a refusal carries both headers."""
    missing = await twin.get("/api/v1/courses/0")

    assert 404 == missing.status_code
    assert float(missing.headers["X-Request-Cost"]) > 0
    assert remaining(missing) < 600
    assert re.fullmatch(r"u=[\d.]+;d=[\d.]+;", missing.headers["X-Canvas-Meta"])


def scope(**headers: str) -> dict[str, object]:
    return {
        "type": "http",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "query_string": b"",
        "client": ("192.0.2.7", 4711),
    }


def test_whose_bucket_it_is() -> None:
    """LTI tokens go by client, access tokens by their text, sessions by cookie, else the address."""
    claims = base64.urlsafe_b64encode(json.dumps({"sub": "10000000000002"}).encode()).decode()
    token = client_of(scope(authorization="Bearer 1~abc"))

    assert "lti_advantage:10000000000002" == client_of(scope(authorization=f"Bearer x.{claims}.y"))
    assert token == client_of({**scope(), "query_string": b"access_token=1~abc"})
    assert token != client_of(scope(authorization="Bearer 1~abd"))
    assert client_of(scope(cookie="a=b")).startswith("session:")
    assert "ip:192.0.2.7" == client_of(scope())


async def test_over_a_socket_reserves_add_up() -> None:
    """A request stays open at least 20 ms, so forty at once meet the limit."""
    app = create_twin(Options(courses=12, users=80, big=20, enrollments=100))
    headers = {"Authorization": f"Bearer {app.state.cast.tokens['admin']}"}
    limits = httpx.Limits(max_connections=None)
    with served(app) as url:
        async with Client(base_url=url, headers=headers, limits=limits) as client:
            one = await client.get("/api/v1/users/self")
            answers = await asyncio.gather(*(client.get("/api/v1/users/self") for _ in range(40)))

    assert one.elapsed >= timedelta(seconds=0.02)
    assert {200, 429} == {answer.status_code for answer in answers}


def fill(twin: Twin, key: str, level: float) -> None:
    twin.buckets[key].level = level
    twin.buckets[key].touched = twin.clock.now()
