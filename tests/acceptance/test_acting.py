"""A service that acts for people, end to end: over HTTP, beside a twin that is asked what each of them may see."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import database_of
from tests.acceptance.upstream import (
    Asked,
    Client,
    Twin,
    connected,
    gateway_beside,
    twin_served,
)
from tests.conftest import ENGINES

CLASS = """query($course: ID!, $freshness: Freshness) { viewer { user { name } actsFor { name } scopes }
  course(by: {canvasId: $course}) { members(first: 500, freshness: $freshness) {
    nodes { user { canvasId name email } } totalCount provenance { completeness gaps { field reason message } } } } }"""
LIVE = {"maxAge": "PT0S"}


@pytest.fixture(scope="module")
def twin() -> Iterator[Twin]:
    with twin_served() as one:
        yield one


@pytest.fixture(scope="module", params=ENGINES)
def gateway(
    request: pytest.FixtureRequest, twin: Twin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Asked]:
    folder = tmp_path_factory.mktemp("gateway")
    with database_of(request.param, folder) as url, gateway_beside(twin, url, folder) as one:
        yield one


@pytest.fixture
async def client(gateway: Asked) -> AsyncIterator[Client]:
    async with connected(gateway.url, gateway.token) as one:
        yield one


async def posted(
    client: Client, query: str, headers: dict[str, str] | None = None, **variables: Any
) -> httpx.Response:
    return await client.post(
        "/graphql", json={"query": query, "variables": variables}, headers=headers
    )


async def asked(client: Client, query: str, acting: str | None, **variables: Any) -> Any:
    headers = {"roster-act-as": acting} if acting else {}
    body = (await posted(client, query, headers, **variables)).json()
    assert "errors" not in body, body
    return body["data"]


async def node_of(client: Client, twin: Twin, person: str) -> str:
    canvas_id = str(twin.app.state.cast.people[person].id)
    query = "query($id: ID!) { user(by: {canvasId: $id}) { id } }"
    return str((await asked(client, query, None, id=canvas_id))["user"]["id"])


def demo(twin: Twin) -> str:
    return str(twin.app.state.cast.courses["demo"].id)


async def test_it_sees_what_the_person_may_see(client: Client, twin: Twin) -> None:
    teacher = await node_of(client, twin, "teacher")
    designer = await node_of(client, twin, "designer")

    as_teacher = await asked(client, CLASS, teacher, course=demo(twin), freshness=LIVE)
    as_designer = await asked(client, CLASS, designer, course=demo(twin), freshness=LIVE)

    assert as_teacher["viewer"]["user"]["name"] == "Theodora O'Neil"
    assert as_teacher["viewer"]["actsFor"] == as_teacher["viewer"]["user"]
    assert "admin" not in as_teacher["viewer"]["scopes"]
    emails = [one["user"]["email"] for one in as_teacher["course"]["members"]["nodes"]]
    assert sum(one is not None for one in emails) > 10
    nodes = as_designer["course"]["members"]["nodes"]
    assert len(nodes) > 10
    own = str(twin.app.state.cast.people["designer"].id)
    assert {own} == {one["user"]["canvasId"] for one in nodes if one["user"]["email"]}
    gaps = as_designer["course"]["members"]["provenance"]["gaps"]
    assert ("user.email", "NOT_PERMITTED") in {(gap["field"], gap["reason"]) for gap in gaps}


async def test_one_section_is_all_that_somebody_limited_to_it_sees(
    client: Client, twin: Twin
) -> None:
    limited = await node_of(client, twin, "limited_teacher")
    teacher = await node_of(client, twin, "teacher")

    class_ = (await asked(client, CLASS, limited, course=demo(twin)))["course"]["members"]
    whole = (await asked(client, CLASS, teacher, course=demo(twin)))["course"]["members"]

    assert 0 < class_["totalCount"] < whole["totalCount"]
    assert class_["provenance"]["completeness"] == "PARTIAL"
    assert "NOT_PERMITTED" in {gap["reason"] for gap in class_["provenance"]["gaps"]}


async def test_who_may_see_nobody_gets_a_gap_and_moves_nobody_to_ask_canvas(
    client: Client, twin: Twin
) -> None:
    observer = await node_of(client, twin, "loose_observer")
    await asked(client, CLASS, observer, course=demo(twin))
    before = twin.lists()

    data = await asked(client, CLASS, observer, course=demo(twin), freshness=LIVE)

    members = data["course"]["members"]
    assert members["totalCount"] is None
    assert members["provenance"]["completeness"] == "UNKNOWN"
    assert "NOT_PERMITTED" in {gap["reason"] for gap in members["provenance"]["gaps"]}
    assert before == twin.lists()


async def test_a_course_of_others_is_not_there(client: Client, twin: Twin) -> None:
    student = await node_of(client, twin, "auditor")
    other = str(twin.app.state.cast.courses["evening"].id)
    query = "query($course: ID!) { course(by: {canvasId: $course}) { name } }"

    assert (await asked(client, query, student, course=other))["course"] is None
    assert (await asked(client, query, student, course="987654"))["course"] is None
    assert (await asked(client, query, student, course=demo(twin)))["course"]["name"]


async def test_runs_and_the_access_log_are_not_for_people(client: Client, twin: Twin) -> None:
    teacher = await node_of(client, twin, "teacher")

    runs = await asked(client, "{ syncRuns { nodes { id } } }", teacher)
    log = await posted(client, "{ accessLog { nodes { at } } }", {"roster-act-as": teacher})

    assert [] == runs["syncRuns"]["nodes"]
    assert log.json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_the_access_log_says_for_whom(client: Client, twin: Twin) -> None:
    ta = await node_of(client, twin, "ta")
    await asked(client, CLASS, ta, course=demo(twin))

    query = """query($who: ID!) { accessLog(filter: {person: {id: $who}}) { nodes {
        credential person { name } subjectType fields requestId } } }"""
    nodes = (await asked(client, query, None, who=ta))["accessLog"]["nodes"]

    assert "Course" in {one["subjectType"] for one in nodes}
    assert {("service", "Tariq Assad")} == {
        (one["credential"], one["person"]["name"]) for one in nodes
    }
    assert all(one["requestId"] for one in nodes)


@pytest.mark.parametrize(
    ("acting", "says"),
    [
        ("", "is not a node id"),
        ("nobody", "is not a node id"),
        ("Q291cnNlOjE=", "is the id of a Course"),
        ("VXNlcjo5OTk5OTk=", "no such person"),
    ],
)
async def test_nobody_is_acted_for_who_is_not_there(client: Client, acting: str, says: str) -> None:
    answer = await posted(client, "{ viewer { scopes } }", {"roster-act-as": acting})

    assert answer.status_code == 403
    assert says in answer.json()["errors"][0]["message"]


async def test_a_stream_that_acts_for_somebody_is_bounded_by_what_they_see(
    client: Client, twin: Twin
) -> None:
    """The feed, read from its beginning: changes of other courses are not in it."""
    auditor = await node_of(client, twin, "auditor")
    query = """query($after: String) { changes(first: 5000, after: $after) { nodes {
        subjectType subject { __typename } } pageInfo { hasNextPage endCursor } } }"""

    everything = (await asked(client, query, None))["changes"]["nodes"]
    theirs = (await asked(client, query, auditor))["changes"]["nodes"]

    assert len(theirs) <= len(everything)
    assert all(one["subject"] or one["subjectType"] == "Institution" for one in theirs)
