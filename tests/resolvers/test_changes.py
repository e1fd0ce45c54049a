"""The feed as the graph shows it: read page by page, and followed live."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest

from gateway.store import runs
from gateway.uow import Transaction
from gateway.viewer import PERSONAL, Rights, Scope
from resolvers.schema import schema
from tests.factories import School
from tests.resolvers.conftest import Graph


@asynccontextmanager
async def following(
    graph: Graph, query: str, variables: dict[str, Any] | None = None, *scopes: Scope, **kwargs: Any
) -> AsyncIterator[Any]:
    """The data of each event; an error fails the test."""

    async def events() -> Any:
        source: Any = await schema.stream(
            query,
            variable_values=variables,
            context_value=graph.context(*(scopes or (Scope.CHANGES_READ,)), **kwargs),
        )
        async with aclosing(source):
            async for result in source:
                assert result.errors is None, result.errors
                yield result.data

    async with asyncio.timeout(10), aclosing(events()) as stream:
        yield stream


def values(**fields: str | None) -> str:
    return json.dumps([{"field": field, "value": value} for field, value in fields.items()])


async def test_a_change_says_what_became_of_what_and_why(graph: Graph, school: School) -> None:
    run = await school.add("sync_run", label="nightly")
    course = await school.course(name="Botany")
    section = await school.section(course)
    zoe = await school.person(name="Zoe")
    enrollment = await school.enroll(zoe, section, course, canvas=90412)
    position = await school.change(
        "Enrollment",
        enrollment,
        course_id=course,
        sync_run_id=run,
        sis_import_id=77,
        before=values(
            state="INVITED", section=None, startAt="2026-09-01T06:00:00+00:00", canvasId=None
        ),
        after=values(state="ACTIVE", section=str(section), startAt=None, canvasId="10000000090412"),
    )

    data = await graph.ask(
        """{ changes { nodes { cursor at kind subjectType subjectId
            subject { __typename id ... on Enrollment { user { name } course { name } } }
            before { field value } after { field value }
            cause { source sisImportId syncRun { label } actor { id } } } } }"""
    )

    assert data["changes"]["nodes"] == [
        {
            "cursor": graph.cursor(position),
            "at": "2026-09-15T11:55:00Z",
            "kind": "UPDATED",
            "subjectType": "Enrollment",
            "subjectId": graph.node_id("Enrollment", enrollment),
            "subject": {
                "__typename": "Enrollment",
                "id": graph.node_id("Enrollment", enrollment),
                "user": {"name": "Zoe"},
                "course": {"name": "Botany"},
            },
            "before": [
                {"field": "state", "value": "INVITED"},
                {"field": "section", "value": None},
                {"field": "startAt", "value": "2026-09-01T06:00:00Z"},
                {"field": "canvasId", "value": None},
            ],
            "after": [
                {"field": "state", "value": "ACTIVE"},
                {"field": "section", "value": graph.node_id("Section", section)},
                {"field": "startAt", "value": None},
                {"field": "canvasId", "value": "90412"},
            ],
            "cause": {
                "source": "REPORT",
                "sisImportId": "77",
                "syncRun": {"label": "nightly"},
                "actor": None,
            },
        }
    ]


async def test_a_baseline_and_what_was_erased_have_no_subject(graph: Graph, school: School) -> None:
    await school.change("Institution", school.id, kind="BASELINE")
    await school.change("User", 10**12, kind="REMOVED", before="[]")

    data = await graph.ask(
        "{ changes { nodes { kind subject { id } before { field } after { field } } } }"
    )

    assert data["changes"]["nodes"] == [
        {"kind": "BASELINE", "subject": None, "before": None, "after": None},
        {"kind": "REMOVED", "subject": None, "before": [], "after": None},
    ]


@pytest.mark.parametrize("size", [1, 2, 5, 50])
async def test_pages_lead_through_the_feed_and_then_wait_at_its_end(
    graph: Graph, school: School, size: int
) -> None:
    for row in range(5):
        await school.change("Course" if row % 2 else "User", row)
    query = """query($first: Int, $after: String) {
        changes(first: $first, after: $after, filter: {subjectTypes: ["Course"]}) {
            nodes { subjectType } edges { cursor } pageInfo { hasNextPage endCursor } } }"""
    seen, after = 0, None
    while True:
        page = (await graph.ask(query, {"first": size, "after": after}))["changes"]
        seen += len(page["nodes"])
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            break

    assert seen == 2
    assert after == graph.cursor(5)
    await school.change("Course", 9)
    page = (await graph.ask(query, {"first": size, "after": after}))["changes"]
    assert page["edges"] == [{"cursor": graph.cursor(6)}]


@pytest.mark.parametrize(
    ("which", "said"),
    [
        ('filter: {subjectTypes: ["Nothing"]}', "not of 'Nothing'"),
        ('filter: {subjects: ["x"]}', "is not a node id"),
        ('after: "x"', "no cursor of the feed"),
        ("first: 9999", "`first` is 9999"),
    ],
)
async def test_what_cannot_be_asked_is_said(graph: Graph, which: str, said: str) -> None:
    code, message = await graph.refusal(f"{{ changes({which}) {{ nodes {{ at }} }} }}")

    assert code == "BAD_USER_INPUT"
    assert said in message


async def test_the_feed_hides_what_may_not_be_seen(graph: Graph, school: School) -> None:
    await school.change("User", 1, after=values(name="Zoe", email="zoe@example.edu"))

    data = await graph.ask(
        "{ changes { nodes { after { field } } } }",
        rights=Rights(hidden=frozenset({"User.email"})),
    )

    assert data["changes"]["nodes"] == [{"after": [{"field": "name"}]}]


@pytest.mark.parametrize("scope", [Scope.ROSTER_WRITE, Scope.ADMIN])
async def test_the_feed_has_a_scope_of_its_own(graph: Graph, scope: Scope) -> None:
    query = "{ changes { nodes { at } } }"

    assert (await graph.refusal(query, None, scope))[0] == "FORBIDDEN"
    result = await graph.execute(query, None, Scope.CHANGES_READ)
    assert result.errors is None


async def test_a_subscriber_gets_what_was_and_what_comes_each_as_it_is_then(
    graph: Graph, school: School
) -> None:
    zoe = await school.person(name="Zoe")
    first = await school.change("User", zoe, kind="CREATED")
    async with following(
        graph,
        """subscription($after: String) { changes(after: $after) {
            cursor kind subject { ... on User { name } } } }""",
        {"after": graph.cursor(0)},
    ) as events:
        assert (await anext(events))["changes"] == {
            "cursor": graph.cursor(first),
            "kind": "CREATED",
            "subject": {"name": "Zoe"},
        }
        await school.update("person", zoe, name="Zoë")
        second = await school.change("User", zoe)

        assert (await anext(events))["changes"] == {
            "cursor": graph.cursor(second),
            "kind": "UPDATED",
            "subject": {"name": "Zoë"},
        }


async def test_a_course_is_followed_by_any_of_its_ids(graph: Graph, school: School) -> None:
    ours, theirs = await school.course(sis_id="BOT"), await school.course(sis_id="ZOO")
    await school.change("Enrollment", 1, course_id=theirs)
    await school.change("Enrollment", 2, course_id=ours)
    query = """subscription($by: CourseBy!) {
        rosterChanged(course: $by, after: "Y2hhbmdlOjA=") { subjectId } }"""
    for by in ({"sisId": "BOT"}, {"id": graph.node_id("Course", ours)}):
        async with following(graph, query, {"by": by}) as events:
            event = await anext(events)
            assert event["rosterChanged"]["subjectId"] == graph.node_id("Enrollment", 2)


async def test_a_run_is_followed_to_its_end(graph: Graph, school: School) -> None:
    run = await school.add("sync_run", state="RUNNING", progress=0.1)
    async with following(
        graph,
        "subscription($id: ID!) { syncProgress(id: $id) { state progress } }",
        {"id": graph.node_id("SyncRun", run)},
        Scope.ROSTER_READ,
    ) as events:
        assert (await anext(events))["syncProgress"] == {"state": "RUNNING", "progress": 0.1}
        await school.update("sync_run", run, progress=0.5)
        assert (await anext(events))["syncProgress"] == {"state": "RUNNING", "progress": 0.5}
        await school.update("sync_run", run, state="SUCCEEDED", progress=1.0)
        assert (await anext(events))["syncProgress"] == {"state": "SUCCEEDED", "progress": 1.0}
        with pytest.raises(StopAsyncIteration):
            await anext(events)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("subscription { changes { at } }", "FORBIDDEN"),
        ('subscription { rosterChanged(course: {canvasId: "1"}) { at } }', "FORBIDDEN"),
        ('subscription { syncProgress(id: "x") { state } }', "FORBIDDEN"),
    ],
)
async def test_following_needs_a_scope(graph: Graph, query: str, code: str) -> None:
    source: Any = await schema.stream(query, context_value=graph.context(Scope.ROSTER_WRITE))
    results = [result async for result in source]

    assert [(error.extensions or {}).get("code") for error in results[0].errors or ()] == [code]


async def test_an_unknown_course_cannot_be_followed(graph: Graph) -> None:
    source: Any = await schema.stream(
        'subscription { rosterChanged(course: {canvasId: "1"}) { at } }',
        context_value=graph.context(Scope.CHANGES_READ),
    )
    results = [result async for result in source]

    (error,) = results[0].errors
    assert (error.extensions or {}).get("code") == "SOURCE_UNAVAILABLE"


async def test_runs_are_listed_newest_first(graph: Graph, school: School) -> None:
    for state, source in (("SUCCEEDED", "REPORT"), ("FAILED", "NRPS"), ("RUNNING", "REPORT")):
        await school.add("sync_run", state=state, source=source)
    query = """query($filter: SyncRunFilter, $after: String) { syncRuns(first: 2, filter: $filter, after: $after) {
        nodes { state source rowsRead } pageInfo { hasNextPage endCursor } } }"""

    page = (await graph.ask(query))["syncRuns"]
    rest = (await graph.ask(query, {"after": page["pageInfo"]["endCursor"]}))["syncRuns"]
    some = (await graph.ask(query, {"filter": {"states": ["FAILED"], "sources": ["NRPS"]}}))[
        "syncRuns"
    ]

    assert [node["state"] for node in page["nodes"] + rest["nodes"]] == [
        "RUNNING",
        "FAILED",
        "SUCCEEDED",
    ]
    assert [node["source"] for node in some["nodes"]] == ["NRPS"]


async def test_a_run_lists_the_rows_that_it_set_aside(graph: Graph, school: School) -> None:
    run = await school.add("sync_run", state="SUCCEEDED", source="REPORT", set_aside=3)
    other = await school.add("sync_run", state="SUCCEEDED", source="REPORT", set_aside=1)
    reasons = {line: f"the login a{line} belongs to another person" for line in (7, 9, 12)}
    kept = {
        run: [("users.csv", line, reason) for line, reason in reasons.items()],
        other: [("users.csv", 1, "of another run")],
    }

    async def keep(tx: Transaction) -> None:
        for run_id, rows in kept.items():
            await runs.set_aside(tx, school.id, run_id, rows)

    await school.database.transact(keep)
    query = """query($run: ID!, $after: String) { syncRun(id: $run) { setAside
        setAsideRows(first: 2, after: $after) {
            nodes { file line reason } pageInfo { hasNextPage endCursor } } } }"""
    listed = await graph.ask("{ syncRuns { nodes { id setAside } } }")
    (named,) = [one["id"] for one in listed["syncRuns"]["nodes"] if one["setAside"] == 3]

    first = (await graph.ask(query, {"run": named}))["syncRun"]
    after = first["setAsideRows"]["pageInfo"]["endCursor"]
    rest = (await graph.ask(query, {"run": named, "after": after}))["syncRun"]
    veiled = await graph.ask(query, {"run": named}, rights=Rights(hidden=PERSONAL))

    assert (3, True) == (first["setAside"], first["setAsideRows"]["pageInfo"]["hasNextPage"])
    nodes = first["setAsideRows"]["nodes"] + rest["setAsideRows"]["nodes"]
    assert kept[run] == [tuple(row.values()) for row in nodes]
    assert {None} == {row["reason"] for row in veiled["syncRun"]["setAsideRows"]["nodes"]}
