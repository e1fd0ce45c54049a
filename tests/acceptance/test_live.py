"""Fresh answers end to end: a gateway over HTTP beside a twin that it asks."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.settings import load
from tests.acceptance.conftest import database_of
from tests.acceptance.server_process import serving
from tests.acceptance.upstream import (
    Asked,
    Client,
    Twin,
    answers,
    configured,
    connected,
    filled,
    gateway_beside,
    gateway_served,
    twin_served,
)
from tests.conftest import ENGINES
from twin.faults import Kind

PROVENANCE = """provenance { source servedLocally stale completeness gaps { reason message }
    plan { chosen offers { source accepted reason requests actualRequests actualQuota } } }"""
ENROLLMENTS = f"""query Live($course: ID!, $freshness: Freshness) {{
  course(by: {{canvasId: $course}}) {{
    enrollments(first: 200, freshness: $freshness) {{ nodes {{ canvasId }} {PROVENANCE} }} }} }}"""
BURST = """query Burst($course: ID!, $freshness: Freshness) { course(by: {canvasId: $course}) {
  enrollments(first: 200, freshness: $freshness) { nodes { canvasId } provenance { completeness stale } } } }"""
LIVE = {"maxAge": "PT0S"}


@pytest.fixture(scope="module")
def twin() -> Iterator[Twin]:
    with twin_served() as one:
        yield one


@pytest.fixture(autouse=True)
def _mended(twin: Twin) -> Iterator[None]:
    yield
    twin.mend()


@pytest.fixture(scope="module", params=ENGINES)
def gateway(
    request: pytest.FixtureRequest, twin: Twin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Asked]:
    folder = tmp_path_factory.mktemp("gateway")
    with (
        database_of(request.param, folder) as url,
        gateway_beside(twin, url, folder, timeout="PT10S") as one,
    ):
        yield one


@pytest.fixture
async def hasty(twin: Twin, tmp_path: Path) -> AsyncIterator[Client]:
    """Of a gateway that waits for nobody."""
    url = f"sqlite://{tmp_path / 'roster.db'}"
    with gateway_beside(twin, url, tmp_path, timeout="PT3S") as one:
        async with connected(one.url, one.token) as client:
            yield client


@pytest.fixture
async def client(gateway: Asked) -> AsyncIterator[Client]:
    async with connected(gateway.url, gateway.token) as one:
        yield one


def as_slow_as_canvas(twin: Twin) -> None:
    """So that two hundred requests, which take a laptop a while to send, have come before a read ends."""
    twin.break_(Kind.LATENCY, "/enrollments", seconds=2.0)


async def asked(
    client: Client, course: int, freshness: dict[str, Any] | None = None, **more: Any
) -> tuple[dict[str, Any], httpx.Response]:
    variables = {"course": str(course), "freshness": freshness}
    (answer,) = await answers(client, ENROLLMENTS, variables, **more)
    body = answer.json()
    assert "errors" not in body, body
    enrollments: dict[str, Any] = body["data"]["course"]["enrollments"]
    return enrollments, answer


async def test_a_live_read_asks_canvas_and_says_so(client: Client, twin: Twin) -> None:
    course = twin.big

    shown, answer = await asked(client, course.id, LIVE)

    told = shown["provenance"]
    assert twin.roster(course) == {node["canvasId"] for node in shown["nodes"]}
    assert ("ENROLLMENTS_API", False, False, "COMPLETE") == (
        told["source"],
        told["servedLocally"],
        told["stale"],
        told["completeness"],
    )
    assert "ENROLLMENTS_API" == told["plan"]["chosen"]
    (chosen,) = [offer for offer in told["plan"]["offers"] if offer["accepted"]]
    assert chosen["actualRequests"] >= 1
    assert chosen["actualQuota"] > 0
    assert ("0", "private, max-age=0") == (answer.headers["age"], answer.headers["cache-control"])


async def test_what_was_just_read_is_served_from_the_store(client: Client, twin: Twin) -> None:
    await asked(client, twin.small.id, LIVE)
    before = twin.lists()

    shown, answer = await asked(client, twin.small.id)

    assert before == twin.lists()
    assert shown["provenance"]["servedLocally"]
    assert "LOCAL" == shown["provenance"]["plan"]["chosen"]
    assert "private, max-age=900" == answer.headers["cache-control"]


async def test_the_request_header_is_the_default_of_every_field(client: Client, twin: Twin) -> None:
    before = twin.lists()

    shown, _ = await asked(client, twin.small.id, headers={"cache-control": "no-cache"})
    assert before < twin.lists()
    assert not shown["provenance"]["servedLocally"]

    before = twin.lists()
    only = {"cache-control": "max-age=0, only-if-cached"}
    shown, answer = await asked(client, twin.small.id, headers=only)
    assert before == twin.lists()
    assert shown["provenance"]["stale"]
    assert ["SOURCE_UNAVAILABLE"] == [gap["reason"] for gap in shown["provenance"]["gaps"]]
    assert "no-store" == answer.headers["cache-control"]


async def test_a_burst_of_live_queries_costs_two_reads(client: Client, twin: Twin) -> None:
    course = twin.small.id
    await asked(client, course, LIVE)
    before = twin.lists()
    as_slow_as_canvas(twin)

    variables = {"course": str(course), "freshness": LIVE}
    all_ = await answers(client, BURST, variables, times=200)

    told = [one.json()["data"]["course"]["enrollments"] for one in all_]
    assert 200 == sum(one["provenance"]["completeness"] == "COMPLETE" for one in told)
    assert not any(one["provenance"]["stale"] for one in told)
    assert 1 <= twin.lists() - before <= 2


async def test_fields_of_one_level_are_planned_together(client: Client, twin: Twin) -> None:
    query = """query Two($a: ID!, $b: ID!, $freshness: Freshness) {
      a: course(by: {canvasId: $a}) { enrollments(freshness: $freshness) { nodes { id } }
        enrollmentCounts(freshness: $freshness) { totalCount } }
      b: course(by: {canvasId: $b}) { enrollments(freshness: $freshness) { nodes { id } } } }"""
    variables = {"a": str(twin.small.id), "b": str(twin.big.id), "freshness": LIVE}

    (answer,) = await answers(client, query, variables, headers={"roster-explain": "1"})

    plans = answer.json()["extensions"]["plan"]
    assert 2 == len(plans)  # the counts of a course need what its list needs
    assert ["ENROLLMENTS_API"] * 2 == [plan["chosen"] for plan in plans]


async def test_a_throttled_canvas_loses_no_query(
    hasty: Client, twin: Twin, *, proving: bool
) -> None:
    """Five minutes of it with `--prove`, of people who come again and again."""
    course = twin.small.id
    await asked(hasty, course, LIVE)
    twin.break_(Kind.THROTTLE, "/enrollments")
    stale_is_fine = {"maxAge": "PT0S", "allowStale": True}

    ends = time.monotonic() + (300.0 if proving else 1.0)
    rounds = 0
    while time.monotonic() < ends or rounds < 2:
        rounds += 1
        given = {"course": str(course), "freshness": stale_is_fine}
        allowed = await answers(hasty, ENROLLMENTS, given, times=20)
        live = await answers(hasty, ENROLLMENTS, {**given, "freshness": LIVE}, times=20)
        for answer in [*allowed, *live]:
            shown = answer.json()["data"]["course"]["enrollments"]
            assert twin.roster(twin.small) == {node["canvasId"] for node in shown["nodes"]}
            assert shown["provenance"]["stale"]
        for answer in live:
            gaps = answer.json()["data"]["course"]["enrollments"]["provenance"]["gaps"]
            assert "THROTTLED" in [gap["reason"] for gap in gaps], gaps


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("redis", marks=pytest.mark.redis),
        pytest.param("postgres", marks=pytest.mark.postgres),
    ],
)
async def test_a_burst_over_two_processes_costs_two_reads(
    request: pytest.FixtureRequest, twin: Twin, tmp_path: Path, kind: str
) -> None:
    cache = request.getfixturevalue("redis_url") if kind == "redis" else "memory://"
    with database_of("postgres", tmp_path) as url:
        file = configured(twin, url, tmp_path, cache=cache)
        token = filled(twin, load(file), tmp_path)
        with (
            serving(url, tmp_path / "1.log", graph="roster", config=file) as one,
            serving(url, tmp_path / "2.log", graph="roster", config=file) as two,
        ):
            course = twin.small.id
            async with connected(one.url, token) as first, connected(two.url, token) as second:
                await asked(first, course, LIVE)
                before = twin.lists()
                as_slow_as_canvas(twin)
                given = {"course": str(course), "freshness": LIVE}
                halves = await asyncio.gather(
                    *(answers(client, BURST, given, times=100) for client in (first, second))
                )

    told = [one.json()["data"]["course"]["enrollments"] for half in halves for one in half]
    assert 200 == sum(one["provenance"]["completeness"] == "COMPLETE" for one in told)
    assert not any(one["provenance"]["stale"] for one in told)
    assert 1 <= twin.lists() - before <= 2


async def test_how_a_read_would_be_planned_can_be_asked_without_reading(
    client: Client, twin: Twin
) -> None:
    query = """query Explain($course: ID!, $fields: [String!]) { course(by: {canvasId: $course}) {
      explainEnrollments(freshness: {maxAge: "PT0S"}, fields: $fields) {
        chosen offers { source accepted reason asOf requests quota latency } } } }"""
    before = twin.lists()

    variables = {"course": str(twin.big.id), "fields": ["startAt", "user.email"]}
    (answer,) = await answers(client, query, variables)
    (wrong,) = await answers(client, query, {**variables, "fields": ["user.shoeSize"]})

    plan = answer.json()["data"]["course"]["explainEnrollments"]
    assert before == twin.lists()
    assert "LOCAL" in [offer["source"] for offer in plan["offers"]]
    assert "User has no field 'shoeSize'" in wrong.json()["errors"][0]["message"]


async def test_a_school_that_was_never_imported_is_read_on_the_way(
    twin: Twin, tmp_path: Path
) -> None:
    file = configured(twin, f"sqlite://{tmp_path / 'roster.db'}", tmp_path)
    token = filled(twin, load(file), tmp_path, imported=False)
    with gateway_served(load(file), token) as one:
        async with connected(one.url, one.token) as client:
            shown, _ = await asked(client, twin.big.id)
            given = {"course": "999999", "freshness": None}
            (missing,) = await answers(client, ENROLLMENTS, given)
            twin.break_(Kind.STATUS, "/courses/888888")
            (unknown,) = await answers(client, ENROLLMENTS, {**given, "course": "888888"})

    assert twin.roster(twin.big) == {node["canvasId"] for node in shown["nodes"]}
    assert "COMPLETE" == shown["provenance"]["completeness"]
    assert {"course": None} == missing.json()["data"]
    assert "errors" not in missing.json()
    assert ["SOURCE_UNAVAILABLE"] == [
        error["extensions"]["code"] for error in unknown.json()["errors"]
    ]


async def test_sources_tell_how_they_stand(client: Client, twin: Twin) -> None:
    await asked(client, twin.small.id, LIVE)
    query = "{ sources { source available reason quotaRemaining lastSuccessAt lastError } }"

    (answer,) = await answers(client, query, {})

    status = {one["source"]: one for one in answer.json()["data"]["sources"]}
    assert {"ENROLLMENTS_API", "NRPS", "REPORT"} <= status.keys()
    assert status["ENROLLMENTS_API"]["lastSuccessAt"]
    assert status["ENROLLMENTS_API"]["quotaRemaining"] > 0
