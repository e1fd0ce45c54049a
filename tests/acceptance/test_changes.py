"""Changes end to end: over HTTP, for people whom Canvas judges, and through a server that is killed in the middle."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from gateway.settings import load
from tests.acceptance.conftest import database_of
from tests.acceptance.server_process import serving
from tests.acceptance.upstream import (
    Asked,
    Client,
    Twin,
    configured,
    connected,
    filled,
    gateway_served,
    twin_served,
)
from tests.conftest import ENGINES
from twin import making
from twin.faults import Kind
from twin.records import Enrollment, User

CREATE = """mutation ($input: CreateEnrollmentInput!) { createEnrollment(input: $input) {
  enrollment { id state user { id } } errors { code message path } } }"""
END = """mutation ($input: EndEnrollmentInput!) { endEnrollment(input: $input) {
  enrollment { id state } errors { code message path } } }"""
MEMBERS = """query ($course: ID!, $freshness: Freshness) { course(by: {canvasId: $course}) {
  members(first: 500, freshness: $freshness) { nodes { user { canvasId } } }
  enrollments(first: 500, freshness: $freshness) { nodes { canvasId state } } } }"""
NODE = "query ($id: ID!) { user(by: {canvasId: $id}) { id } }"
FEED = "{ changes(first: 500) { nodes { cursor kind subjectType subjectId cause { source } } } }"


@pytest.fixture(scope="module")
def twin() -> Iterator[Twin]:
    with twin_served() as one:
        yield one


@pytest.fixture(scope="module", params=ENGINES)
def gateway(
    request: pytest.FixtureRequest, twin: Twin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Asked]:
    folder = tmp_path_factory.mktemp("gateway")
    with database_of(request.param, folder) as url:
        settings = load(configured(twin, url, folder))
        with gateway_served(settings, filled(twin, settings, folder)) as one:
            yield one


@pytest.fixture
async def client(gateway: Asked) -> AsyncIterator[Client]:
    async with connected(gateway.url, gateway.token) as one:
        yield one


async def ask(client: Client, query: str, acting: str | None = None, **variables: Any) -> Any:
    headers = {"roster-act-as": acting} if acting else None
    body = {"query": query, "variables": variables}
    answer = (await client.post("/graphql", json=body, headers=headers)).json()
    assert "errors" not in answer, answer
    return answer["data"]


def newcomer(twin: Twin, name: str) -> User:
    school = twin.app.state.school
    user = making.make_user(school, name, workflow_state="registered")
    making.make_login(school, user, f"{name}@example.edu", sis_user_id=f"SIS-{name}")
    return user


def rows_of(twin: Twin, user: User) -> list[Enrollment]:
    return list(twin.app.state.school.enrollments_of_user.of(user.id))


async def node_of(client: Client, twin: Twin, person: str) -> str:
    canvas_id = str(twin.app.state.cast.people[person].id)
    return str((await ask(client, NODE, id=canvas_id))["user"]["id"])


def demo(twin: Twin) -> dict[str, str]:
    return {"canvasId": str(twin.app.state.cast.courses["demo"].id)}


async def test_whoever_is_enrolled_is_on_every_list_at_once(client: Client, twin: Twin) -> None:
    user = newcomer(twin, f"ann{len(twin.app.state.school.users)}")
    course = demo(twin)["canvasId"]

    await ask(client, MEMBERS, course=course)
    await ask(client, MEMBERS, course=course, freshness={"maxAge": "PT0S"})
    asked = {
        "user": {"sisId": f"SIS-{user.name}"},
        "course": demo(twin),
        "type": "STUDENT",
        "state": "ACTIVE",
    }
    made = (await ask(client, CREATE, input=asked))["createEnrollment"]
    known = (await ask(client, MEMBERS, course=course, freshness={"sources": ["LOCAL"]}))["course"]

    assert [] == made["errors"]
    [row] = rows_of(twin, user)
    assert str(user.id) in {one["user"]["canvasId"] for one in known["members"]["nodes"]}
    assert {"canvasId": str(row.id), "state": "ACTIVE"} in known["enrollments"]["nodes"]

    ended = await ask(
        client, END, input={"enrollment": {"id": made["enrollment"]["id"]}, "task": "DELETE"}
    )
    fresh: Any
    for fresh in ({"sources": ["LOCAL"]}, None, {"maxAge": "PT0S"}):
        now = (await ask(client, MEMBERS, course=course, freshness=fresh))["course"]
        assert str(user.id) not in {one["user"]["canvasId"] for one in now["members"]["nodes"]}
        assert str(row.id) not in {one["canvasId"] for one in now["enrollments"]["nodes"]}
    assert "DELETED" == ended["endEnrollment"]["enrollment"]["state"]


async def test_a_teacher_enrolls_somebody_whom_they_do_not_see(client: Client, twin: Twin) -> None:
    user = newcomer(twin, f"bob{len(twin.app.state.school.users)}")
    asked = {"user": {"canvasId": str(user.id)}, "course": demo(twin), "type": "STUDENT"}
    as_student = await node_of(client, twin, "student")

    student = await ask(client, CREATE, as_student, input=asked)
    nobody = await ask(client, CREATE, as_student, input=asked | {"user": {"canvasId": "987654"}})
    # who may enroll nobody does not learn who there is
    told = [one["createEnrollment"]["errors"] for one in (student, nobody)]
    assert ["NOT_FOUND"] == [error["code"] for error in told[0]]
    assert told[0] == told[1]
    assert [] == rows_of(twin, user)

    teacher = await ask(client, CREATE, await node_of(client, twin, "teacher"), input=asked)
    assert [] == teacher["createEnrollment"]["errors"]
    assert ["invited"] == [row.workflow_state for row in rows_of(twin, user)]


class Moment(NamedTuple):
    """At which request of the change: its verb, a pattern of its path and query, and what holds it."""

    method: str
    path: str
    kind: Kind


# While it looks at what there is; when Canvas has done it and has not said so.
MOMENTS = {
    "looking": Moment("GET", "user_id=", Kind.LATENCY),
    "done": Moment("POST", r"enrollments$", Kind.LATE_ANSWER),
}


@pytest.mark.parametrize(
    ("engine_name", "moment"),
    [
        pytest.param("sqlite", "looking", id="sqlite, looking"),
        pytest.param("sqlite", "done", id="sqlite, done", marks=pytest.mark.prove),
        pytest.param("postgres", "done", id="postgres, done", marks=pytest.mark.postgres),
    ],
)
async def test_a_server_that_is_killed_has_done_it_once(
    tmp_path: Path, engine_name: str, moment: str
) -> None:
    with twin_served() as twin, database_of(engine_name, tmp_path) as url:
        config = configured(twin, url, tmp_path)
        token = filled(twin, load(config), tmp_path)
        user = newcomer(twin, "cyd")
        asked = {
            "user": {"sisId": "SIS-cyd"},
            "course": demo(twin),
            "type": "STUDENT",
            "state": "ACTIVE",
            "idempotencyKey": "once",
        }
        when = MOMENTS[moment]
        slow = twin.break_(when.kind, when.path, method=when.method, seconds=2.0, count=1)
        with serving(url, tmp_path / "first.log", graph="roster", config=config) as server:
            async with connected(server.url, token) as client:
                asking = asyncio.create_task(ask(client, CREATE, input=asked))
                await until(
                    lambda: slow.hits == 1 and bool(rows_of(twin, user)) is (moment == "done")
                )
                server.process.kill()
                with pytest.raises(httpx.TransportError):
                    await asking
        told = twin.break_(Kind.LATENCY, "enrollments$", method="POST")
        with serving(url, tmp_path / "second.log", graph="roster", config=config) as server:
            async with connected(server.url, token) as client:
                answers = [await ask(client, CREATE, input=asked) for _ in range(2)]
                feed = (await ask(client, FEED))["changes"]["nodes"]

        one, other = (answer["createEnrollment"] for answer in answers)
        assert [] == one["errors"], one
        assert one == other
        assert ["active"] == [row.workflow_state for row in rows_of(twin, user)]
        assert told.hits == (1 if moment == "looking" else 0)
        made = [
            change["kind"]
            for change in feed
            if change["subjectType"] == "Enrollment"
            and change["subjectId"] == one["enrollment"]["id"]
        ]
        assert ["CREATED"] == made


async def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)
