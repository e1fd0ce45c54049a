"""Single things by every id form: found, ambiguous, malformed, unknown."""

from typing import Any

import pytest

from gateway.readpath import node_ids
from gateway.viewer import Scope
from models.roster import IdentityKind
from tests.factories import NOW, School
from tests.resolvers.conftest import Graph

ALIASES = {
    IdentityKind.LTI13_SUB: "9b2c-sub",
    IdentityKind.LTI11_USER_ID: "opaque11",
    IdentityKind.CANVAS_UUID: "uuid-z",
}
USER_FORMS = [
    ("canvasId", "2231"),
    ("canvasId", "10000000002231"),
    ("canvasId", "1~2231"),
    ("sisId", "S-000123"),
    ("integrationId", "int-1"),
    ("loginId", "ZoNeil"),
    ("loginId", "zoneil"),
    ("ltiSub", "9b2c-sub"),
    ("lti11UserId", "opaque11"),
    ("uuid", "uuid-z"),
]


@pytest.fixture
async def zoe(school: School) -> int:
    return await school.person(
        canvas=2231,
        sis_id="S-000123",
        integration_id="int-1",
        login_id="zoneil",
        aliases=ALIASES,
    )


@pytest.mark.parametrize(("form", "value"), USER_FORMS)
async def test_a_person_is_found_by_every_form(
    graph: Graph, zoe: int, form: str, value: str
) -> None:
    data = await graph.ask(
        "query($by: UserBy!) { user(by: $by) { id name } }", {"by": {form: value}}
    )

    assert data == {"user": {"id": node_ids.encode("User", zoe), "name": "Zoe Neil"}}


@pytest.mark.parametrize(
    ("field", "form", "value"),
    [
        ("course", "canvasId", "412"),
        ("course", "sisId", "BOT"),
        ("course", "integrationId", "bot-int"),
        ("course", "ltiContextId", "ctx"),
        ("section", "canvasId", "918"),
        ("section", "sisId", "BOT-A"),
        ("section", "integrationId", "bot-a-int"),
        ("account", "canvasId", "7"),
        ("account", "sisId", "SCI"),
        ("enrollment", "canvasId", "90412"),
    ],
)
async def test_a_place_is_found_by_every_form(
    graph: Graph, school: School, zoe: int, field: str, form: str, value: str
) -> None:
    await school.add("account", canvas_id=10_000_000_000_007, sis_id="SCI", name="Science")
    course = await school.course(
        canvas=412, sis_id="BOT", integration_id="bot-int", lti_context_id="ctx"
    )
    section = await school.section(course, canvas=918, sis_id="BOT-A", integration_id="bot-a-int")
    await school.enroll(zoe, section, course, canvas=90412)

    data = await graph.ask(f'{{ {field}(by: {{{form}: "{value}"}}) {{ id canvasId }} }}')

    canvas = {"course": "412", "section": "918", "account": "7", "enrollment": "90412"}[field]
    assert data[field]["canvasId"] == canvas
    assert await graph.ask(
        f"query($id: ID!) {{ {field}(by: {{id: $id}}) {{ canvasId }} }}", {"id": data[field]["id"]}
    ) == {field: {"canvasId": canvas}}


async def test_a_person_of_another_shard_is_spelt_globally(graph: Graph, school: School) -> None:
    await school.person(canvas_id=20_000_000_000_005)

    data = await graph.ask('{ user(by: {canvasId: "2~5"}) { canvasId } }')

    assert data == {"user": {"canvasId": "20000000000005"}}


async def test_an_id_that_two_things_have_is_an_error_never_a_guess(
    graph: Graph, school: School
) -> None:
    await school.course(sis_id="BOT")
    await school.course(sis_id="BOT")

    code, message = await graph.refusal('{ course(by: {sisId: "BOT"}) { id } }')

    assert code == "AMBIGUOUS"
    assert "more than one Course with sisId 'BOT'" in message


async def test_an_ambiguous_id_in_a_filter_is_an_error_too(graph: Graph, school: School) -> None:
    course = await school.course(canvas=1)
    await school.section(course, sis_id="A")
    await school.section(course, sis_id="A")

    code, _ = await graph.refusal(
        '{ course(by: {canvasId: "1"}) { enrollments(filter: {sections: [{sisId: "A"}]}) { totalCount } } }'
    )

    assert code == "AMBIGUOUS"


@pytest.mark.parametrize("ended", [False, True], ids=["its SIS id is live", "the alias ended"])
async def test_a_sis_id_means_the_living(graph: Graph, school: School, *, ended: bool) -> None:
    gone = await school.course(sis_id="BOT", removed_at=NOW, name="Old")
    await school.course(sis_id="BOT", name="New")
    other = await school.person(name="Ann")
    await school.alias(other, IdentityKind.SIS_USER_ID, "S1", ended_at=NOW)
    heir = await school.person(name="Bob")
    if not ended:
        await school.alias(heir, IdentityKind.SIS_USER_ID, "S1")
    await school.covered("person")

    assert await graph.ask('{ course(by: {sisId: "BOT"}) { name } }') == {"course": {"name": "New"}}
    assert await graph.ask('{ user(by: {sisId: "S1"}) { name } }') == {
        "user": None if ended else {"name": "Bob"}
    }
    assert await graph.ask(
        "query($id: ID!) { course(by: {id: $id}) { name state } }",
        {"id": node_ids.encode("Course", gone)},
    ) == {"course": {"name": "Old", "state": "DELETED"}}


async def test_ids_survive_a_merge(graph: Graph, school: School) -> None:
    kept = await school.person(name="Kept", canvas=1)
    merged = await school.person(name="Merged", canvas=2, sis_id="M", merged_into_id=kept)

    data = await graph.ask(
        """query($id: ID!) {
            node(id: $id) { ... on User { name } }
            byId: user(by: {id: $id}) { name }
            byCanvasId: user(by: {canvasId: "2"}) { name }
            bySisId: user(by: {sisId: "M"}) { name }
        }""",
        {"id": node_ids.encode("User", merged)},
    )

    assert data == {form: {"name": "Kept"} for form in ("node", "byId", "byCanvasId", "bySisId")}


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ('{canvasId: "abc"}', "'abc' is not a Canvas id"),
        ('{canvasId: "-1"}', "'-1' is not a Canvas id"),
        ('{canvasId: "99999999999999999999"}', "is not a Canvas id"),
        ('{canvasId: "1~"}', "is not a Canvas id"),
        ('{id: "zzz"}', "'zzz' is not a node id"),
        ('{id: "Q291cnNlOng="}', "is not a node id"),
        ('{id: "VXNlcjox"}', "is the id of a User, not of a Course"),
        ('{sisId: "a\\u0000b"}', "holds a character that no id or name can have"),
    ],
)
async def test_a_malformed_id_says_what_to_do(graph: Graph, by: str, said: str) -> None:
    code, message = await graph.refusal(f"{{ course(by: {by}) {{ id }} }}")

    assert code == "BAD_USER_INPUT"
    assert said in message


@pytest.mark.parametrize(
    ("by", "said"),
    [
        ("{}", "must specify exactly one key"),
        ('{canvasId: "1", sisId: "2"}', "must specify exactly one key"),
        ("{canvasId: null}", "cannot be explicitly set to null"),
    ],
)
async def test_exactly_one_id_is_given(graph: Graph, by: str, said: str) -> None:
    result = await graph.execute(f"{{ course(by: {by}) {{ id }} }}")

    assert result.errors is not None
    assert said in result.errors[0].message


@pytest.mark.parametrize(
    ("field", "by", "subject"),
    [
        ("course", '{canvasId: "1"}', "course"),
        ("section", '{sisId: "x"}', "section"),
        ("user", '{loginId: "x"}', "person"),
        ("enrollment", '{canvasId: "1"}', "enrollment"),
        ("account", '{sisId: "x"}', "account"),
    ],
)
async def test_unknown_is_null_only_where_a_whole_read_proves_it(
    graph: Graph, school: School, field: str, by: str, subject: str
) -> None:
    query = f"{{ {field}(by: {by}) {{ id }} }}"
    assert (await graph.refusal(query))[0] == "SOURCE_UNAVAILABLE"
    await school.covered(subject, whole=False)
    assert (await graph.refusal(query))[0] == "SOURCE_UNAVAILABLE"
    await school.covered(subject, authority="person:7")
    assert (await graph.refusal(query))[0] == "SOURCE_UNAVAILABLE"
    await school.covered(subject, source="NRPS", authority="platform")
    assert (await graph.refusal(query))[0] == "SOURCE_UNAVAILABLE"
    await school.covered(subject, scope_kind="account", scope_id=7)
    assert (await graph.refusal(query))[0] == "SOURCE_UNAVAILABLE"

    await school.covered(subject, source="UPLOAD")

    assert await graph.ask(query) == {field: None}


async def test_a_report_of_running_courses_does_not_prove_that_there_is_no_concluded_one(
    graph: Graph, school: School
) -> None:
    await school.covered("course", states="AVAILABLE,UNPUBLISHED")

    code, _ = await graph.refusal('{ course(by: {canvasId: "1"}) { id } }')

    assert code == "SOURCE_UNAVAILABLE"
    assert await graph.ask(
        "{ courses { provenance { completeness } } open: courses(filter: {states: [AVAILABLE]}) { provenance { completeness } } }"
    ) == {
        "courses": {"provenance": {"completeness": "PARTIAL"}},
        "open": {"provenance": {"completeness": "COMPLETE"}},
    }


@pytest.mark.parametrize(
    ("field", "by", "subject"),
    [("course", '{ltiContextId: "x"}', "course"), ("user", '{ltiSub: "x"}', "person")],
)
async def test_a_report_proves_nothing_of_ids_that_it_does_not_list(
    graph: Graph, school: School, field: str, by: str, subject: str
) -> None:
    await school.covered(subject)

    code, _ = await graph.refusal(f"{{ {field}(by: {by}) {{ id }} }}")

    assert code == "SOURCE_UNAVAILABLE"


async def test_nodes_keep_the_order_of_their_ids(graph: Graph, school: School) -> None:
    course = await school.course(name="Botany")
    ann, bob = await school.person(name="Ann"), await school.person(name="Bob")
    wanted = [("User", bob), ("Course", course), ("User", 10**12), ("User", ann), ("User", bob)]

    data = await graph.ask(
        """query($ids: [ID!]!) { nodes(ids: $ids) {
            __typename id ... on User { name } ... on Course { title: name } } }""",
        {"ids": [node_ids.encode(*one) for one in wanted]},
    )

    def shown(type_name: str, row_id: int, **more: Any) -> dict[str, Any]:
        return {"__typename": type_name, "id": node_ids.encode(type_name, row_id), **more}

    assert data["nodes"] == [
        shown("User", bob, name="Bob"),
        shown("Course", course, title="Botany"),
        None,
        shown("User", ann, name="Ann"),
        shown("User", bob, name="Bob"),
    ]


@pytest.mark.parametrize("table", ["Membership", "Query", "Nothing"])
async def test_only_nodes_have_node_ids(graph: Graph, table: str) -> None:
    assert await graph.ask(
        "query($id: ID!) { node(id: $id) { id } }", {"id": node_ids.encode(table, 1)}
    ) == {"node": None}


async def test_another_school_is_never_shown(graph: Graph, school: School) -> None:
    other = await School.open(school.database, slug="other")
    course = await other.course(canvas=1, sis_id="X", name="Theirs")
    section = await other.section(course, canvas=2)
    person = await other.person(canvas=3, sis_id="P")
    enrollment = await other.enroll(person, section, course, canvas=4)
    run = await other.add("sync_run")
    for subject in ("course", "person", "section", "enrollment", "account"):
        await school.covered(subject)
    ids = [
        node_ids.encode(*one)
        for one in [
            ("Course", course), ("Section", section), ("User", person),
            ("Enrollment", enrollment), ("SyncRun", run),
        ]
    ]  # fmt: skip

    data = await graph.ask(
        """query($ids: [ID!]!, $course: ID!, $run: ID!) {
            nodes(ids: $ids) { id }
            course(by: {id: $course}) { id } byCanvasId: course(by: {canvasId: "1"}) { id }
            user(by: {sisId: "P"}) { id } enrollment(by: {canvasId: "4"}) { id }
            courses { nodes { id } } users { nodes { id } } syncRuns { nodes { id } }
            syncRun(id: $run) { id } changes { nodes { at } }
        }""",
        {"ids": ids, "course": ids[0], "run": ids[4]},
    )

    assert data == {
        "nodes": [None] * 5,
        "course": None,
        "byCanvasId": None,
        "user": None,
        "enrollment": None,
        "courses": {"nodes": []},
        "users": {"nodes": []},
        "syncRuns": {"nodes": []},
        "syncRun": None,
        "changes": {"nodes": []},
    }


async def test_the_root_account_needs_no_id(graph: Graph, school: School) -> None:
    assert (await graph.refusal("{ account { name } }"))[0] == "SOURCE_UNAVAILABLE"
    root = await school.add("account", name="University")
    await school.add("account", name="Science", parent_id=root)

    assert await graph.ask("{ account { name parent { name } } }") == {
        "account": {"name": "University", "parent": None}
    }


async def test_the_viewer_is_told_what_it_may_do(graph: Graph) -> None:
    result = await graph.execute(
        "{ viewer { institution { slug canvasUrl } scopes user { id } actsFor { id } } }",
        None,
        Scope.CHANGES_READ,
    )

    assert result.errors is None
    assert result.data == {
        "viewer": {
            "institution": {"slug": "demo", "canvasUrl": "https://canvas.example.edu"},
            "scopes": ["changes:read"],
            "user": None,
            "actsFor": None,
        }
    }


@pytest.mark.parametrize(
    "query",
    [
        '{ course(by: {canvasId: "1"}) { id } }',
        "{ courses { nodes { id } } }",
        "{ users { nodes { id } } }",
        '{ node(id: "VXNlcjox") { id } }',
        '{ nodes(ids: ["VXNlcjox"]) { id } }',
        "{ account { id } }",
        "{ syncRuns { nodes { id } } }",
    ],
)
async def test_a_credential_without_the_scope_is_refused(graph: Graph, query: str) -> None:
    code, message = await graph.refusal(query, None, Scope.CHANGES_READ)

    assert code == "FORBIDDEN"
    assert "roster:read" in message
