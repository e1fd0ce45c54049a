"""Changes of many through the whole stack: planned over HTTP, carried out as a job, followed, read back, taken back."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.app import create_app, roster_graph
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
    twin_served,
)
from tests.conftest import ENGINES
from tests.twin.serving import served
from twin import making
from twin.faults import Kind
from twin.records import Section, User

CHANGE = """id state path held removals message requests costs { path requests imported called left }
  counts { outcome status rows } syncRun { id state }
  rows(first: 100) { nodes { row said outcome reason path status message before after user { name } section { name }
    enrollment { state } exchanges { authority told answer } } pageInfo { hasNextPage } }"""
PLAN = f"""mutation ($input: RosterChangeInput!) {{ planRosterChange(input: $input) {{
  plan {{ {CHANGE} }} errors {{ code message path }} }} }}"""
APPLY = f"""mutation ($input: ApplyRosterChangeInput!) {{ applyRosterChange(input: $input) {{
  rosterChange {{ {CHANGE} }} errors {{ code message path }} }} }}"""
UNDO = f"""mutation ($input: UndoRosterChangeInput!) {{ undoRosterChange(input: $input) {{
  rosterChange {{ undoes {CHANGE} }} errors {{ code message path }} }} }}"""
FIND = f"query ($id: ID!) {{ rosterChange(id: $id) {{ {CHANGE} }} }}"
PROGRESS = "subscription ($id: ID!) { syncProgress(id: $id) { state progress created removed } }"


@pytest.fixture(scope="module")
def twin() -> Iterator[Twin]:
    with twin_served(sis_queue_seconds=0.1) as one:
        yield one


@pytest.fixture(scope="module", params=ENGINES)
def gateway(
    request: pytest.FixtureRequest, twin: Twin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Asked]:
    folder: Path = tmp_path_factory.mktemp("gateway")
    with database_of(request.param, folder) as url:
        settings = load(configured(twin, url, folder))
        token = filled(twin, settings, folder)
        with served(create_app(settings, make_graph=roster_graph, jobs=True)) as address:
            yield Asked(url=address, token=token)


@pytest.fixture
async def client(gateway: Asked) -> AsyncIterator[Client]:
    async with connected(gateway.url, gateway.token) as one:
        yield one


async def ask(client: Client, document: str, **variables: Any) -> Any:
    answer = await client.post("/graphql", json={"query": document, "variables": variables})
    said = answer.json()
    assert "errors" not in said, said
    return next(iter(said["data"].values()))


async def begun(client: Client, change: dict[str, Any]) -> str:
    """The run that shows how far it is."""
    asked = {"rosterChange": change["id"], "confirmRemovals": change["removals"]}
    payload = await ask(client, APPLY, input=asked)
    assert payload["errors"] == []
    run: str = payload["rosterChange"]["syncRun"]["id"]
    return run


async def applied(client: Client, change: dict[str, Any]) -> dict[str, Any]:
    """The change when it is over."""
    return await over(client, change, await begun(client, change))


async def over(client: Client, change: dict[str, Any], run: str) -> dict[str, Any]:
    body = {"query": PROGRESS, "variables": {"id": run}}
    accept = {"accept": "text/event-stream"}
    async with client.stream("POST", "/graphql", json=body, headers=accept) as answer:
        told = [
            json.loads(line.removeprefix("data: "))["data"]["syncProgress"]
            async for line in answer.aiter_lines()
            if line.startswith("data: {")
        ]
    assert told[-1]["state"] == "SUCCEEDED", told
    found: dict[str, Any] = await ask(client, FIND, id=change["id"])
    return found


def newcomer(twin: Twin, name: str) -> User:
    school = twin.app.state.school
    user: User = making.make_user(school, name, workflow_state="registered")
    making.make_login(school, user, f"{name}@example.edu", sis_user_id=f"SIS-{name}")
    return user


def section_of(twin: Twin) -> Section:
    school = twin.app.state.school
    found: Section = next(
        section
        for section in school.sections.values()
        if section.sis_source_id
        and school.courses[section.course_id].sis_source_id
        and school.courses[section.course_id].workflow_state == "available"
        and not school.courses[section.course_id].blueprint
    )
    return found


def states(twin: Twin, user: User) -> list[str]:
    return [row.workflow_state for row in twin.app.state.school.enrollments_of_user.of(user.id)]


@pytest.mark.parametrize("path", ["SINGLE_CALLS", "SIS_IMPORT"])
async def test_a_csv_is_planned_carried_out_and_taken_back(
    client: Client, twin: Twin, path: str
) -> None:
    count = len(twin.app.state.school.users)
    people = [newcomer(twin, f"new{count}x{number}") for number in range(3)]
    section = section_of(twin)
    rows = [f"SIS-{one.name},{section.sis_source_id},STUDENT" for one in people]
    text = "\n".join(["sis_user_id,sis_section_id,type", *rows, "nobody,nowhere,STUDENT"])

    asked = {"csv": text, "path": path, "idempotencyKey": f"{path}{count}"}
    planned = await ask(client, PLAN, input=asked)
    assert planned["errors"] == []
    plan = planned["plan"]
    again = await ask(client, PLAN, input=asked)
    assert again["plan"]["id"] == plan["id"]
    assert (plan["state"], plan["path"], plan["removals"]) == ("PLANNED", path, 0)
    assert [(row["row"], row["outcome"]) for row in plan["rows"]["nodes"]] == [
        (2, "ADD"),
        (3, "ADD"),
        (4, "ADD"),
        (5, "REFUSED"),
    ]
    assert [states(twin, one) for one in people] == [[]] * 3

    done = await applied(client, plan)
    assert done["state"] == "SUCCEEDED"
    nodes = done["rows"]["nodes"]
    assert [row["status"] for row in nodes] == ["DONE"] * 3 + ["NONE"]
    assert nodes[0]["enrollment"] == {"state": "ACTIVE"}
    assert nodes[0]["user"] == {"name": people[0].name}
    for row in nodes[:3]:
        [exchange] = row["exchanges"]
        assert exchange["authority"] == "SERVICE"
        assert section.sis_source_id in exchange["told"] or str(section.id) in exchange["told"]
        assert json.loads(exchange["answer"])
    assert nodes[3]["exchanges"] == []
    assert [states(twin, one) for one in people] == [["active"]] * 3

    undo = await ask(client, UNDO, input={"rosterChange": plan["id"]})
    assert undo["errors"] == []
    assert undo["rosterChange"]["undoes"] == plan["id"]
    back = await applied(client, undo["rosterChange"])
    assert [row["outcome"] for row in back["rows"]["nodes"]] == ["REMOVE"] * 3
    assert [states(twin, one) for one in people] == [["deleted"]] * 3


async def test_refusals_are_told_in_the_payload(client: Client, twin: Twin) -> None:
    user = newcomer(twin, f"lone{len(twin.app.state.school.users)}")
    section = {"canvasId": str(section_of(twin).id)}
    for asked, path in (
        ({"csv": "a,b\n1,2\n"}, ["csv"]),
        ({}, ["rows"]),
        ({"rows": [], "csv": "x"}, ["rows"]),
        ({"rows": [], "exactly": {"sections": [{"sisId": "nowhere"}]}}, ["exactly", "sections"]),
    ):
        payload = await ask(client, PLAN, input=asked)
        assert payload["plan"] is None
        assert [error["path"] for error in payload["errors"]] == [path]
    row = {"user": {"sisId": f"SIS-{user.name}"}, "section": section, "type": "STUDENT"}
    plan = (await ask(client, PLAN, input={"rows": [row]}))["plan"]
    await applied(client, plan)
    payload = await ask(client, APPLY, input={"rosterChange": plan["id"]})
    assert [error["code"] for error in payload["errors"]] == ["CONFLICT"]


@pytest.mark.parametrize(
    "engine_name",
    ["sqlite", pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.prove])],
)
async def test_a_server_that_is_killed_goes_on_when_it_is_started_again(
    tmp_path: Path, engine_name: str
) -> None:
    with twin_served() as twin, database_of(engine_name, tmp_path) as url:
        config = configured(twin, url, tmp_path)
        people = [newcomer(twin, f"many{number}") for number in range(12)]
        token = filled(twin, load(config), tmp_path)
        section = {"canvasId": str(section_of(twin).id)}
        rows = [
            {"user": {"sisId": f"SIS-{one.name}"}, "section": section, "type": "STUDENT"}
            for one in people
        ]
        late = twin.break_(Kind.LATE_ANSWER, r"enrollments$", method="POST", seconds=0.3)
        options: dict[str, Any] = {"graph": "roster", "config": config, "jobs": True}
        with serving(url, tmp_path / "first.log", **options) as server:
            async with connected(server.url, token) as client:
                asked = {"rows": rows, "path": "SINGLE_CALLS"}
                plan = (await ask(client, PLAN, input=asked))["plan"]
                run = await begun(client, plan)
                await until(lambda: late.hits == 5 and states(twin, people[4]) == ["active"])
                server.process.kill()
        with serving(url, tmp_path / "second.log", **options) as server:
            async with connected(server.url, token) as client:
                done = await over(client, plan, run)
        assert [row["status"] for row in done["rows"]["nodes"]] == ["DONE"] * len(people)
        assert [states(twin, one) for one in people] == [["active"]] * len(people)
        assert late.hits == len(people)  # nobody was told of twice


async def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)
