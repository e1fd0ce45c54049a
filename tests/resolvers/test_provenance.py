"""Where answers come from, as callers see it, and what a viewer who may not see everything is told."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.viewer import Rights
from models.roster import IdentityKind
from tests.factories import NOW, READ_AT, School
from tests.resolvers.conftest import Graph

PROVENANCE = """provenance { source asOf age stale completeness servedLocally changeCursor
    gaps { field reason message } origins { source asOf rows } }"""
OF_COURSE = f"""query($id: ID!, $freshness: Freshness) {{ course(by: {{id: $id}}) {{
    enrollments(freshness: $freshness) {{ totalCount nodes {{ lastActivityAt }} {PROVENANCE} }} }} }}"""


@pytest.fixture
async def course(school: School) -> int:
    course = await school.course()
    await school.enroll(await school.person(), None, course)
    return course


async def asked(graph: Graph, course: int, **variables: Any) -> Any:
    data = await graph.ask(OF_COURSE, {"id": graph.node_id("Course", course), **variables})
    return data["course"]["enrollments"]


async def test_what_was_never_read_is_unknown_and_not_counted(graph: Graph, course: int) -> None:
    answer = await asked(graph, course)

    assert answer["totalCount"] is None
    assert len(answer["nodes"]) == 1
    assert answer["provenance"]["completeness"] == "UNKNOWN"
    assert answer["provenance"]["source"] is None
    assert [gap["reason"] for gap in answer["provenance"]["gaps"]] == [
        "NEVER_SYNCED",
        "NOT_CARRIED_BY_SOURCE",
    ]


async def test_a_whole_report_vouches_for_the_list(
    graph: Graph, school: School, course: int
) -> None:
    await school.covered("enrollment")
    position = await school.change("Course", course)

    answer = await asked(graph, course)

    assert answer["totalCount"] == 1
    assert answer["provenance"] == {
        "source": "REPORT",
        "asOf": "2026-09-15T11:55:00Z",
        "age": "PT5M",
        "stale": False,
        "completeness": "COMPLETE",
        "servedLocally": True,
        "changeCursor": graph.cursor(position),
        "gaps": [
            {
                "field": "lastActivityAt",
                "reason": "NOT_CARRIED_BY_SOURCE",
                "message": "No source read so far carries lastActivityAt for 1 of 1: null there says nothing.",
            }
        ],
        "origins": [{"source": "REPORT", "asOf": "2026-09-15T11:55:00Z", "rows": 1}],
    }


@pytest.mark.parametrize(
    ("freshness", "default", "stale"),
    [
        (None, None, False),
        (None, timedelta(minutes=1), True),
        ({"maxAge": "PT5M"}, None, False),
        ({"maxAge": "PT0S"}, None, True),
        ({"maxAge": "P1D"}, timedelta(minutes=1), False),
        ({"allowStale": True}, timedelta(minutes=1), True),
        ({"sources": ["NRPS"]}, None, False),
    ],
)
async def test_freshness_is_judged_and_the_store_answers(
    graph: Graph,
    school: School,
    course: int,
    freshness: dict[str, Any] | None,
    default: timedelta | None,
    stale: bool,
) -> None:
    await school.covered("enrollment")

    data = await graph.ask(
        OF_COURSE,
        {"id": graph.node_id("Course", course), "freshness": freshness},
        max_age=default,
    )

    answer = data["course"]["enrollments"]
    assert answer["provenance"]["stale"] is stale
    assert len(answer["nodes"]) == 1


@pytest.mark.parametrize("wrong", ["5m", "PT", "P", "P1Y", "PT-1S", "", "P99999999999999D"])
async def test_a_duration_is_iso_8601(graph: Graph, course: int, wrong: str) -> None:
    _, message = await graph.refusal(
        OF_COURSE, {"id": graph.node_id("Course", course), "freshness": {"maxAge": wrong}}
    )

    assert "is no Duration" in message


async def test_narrow_reads_count_for_their_place_only(graph: Graph, school: School) -> None:
    top = await school.add("account", name="Science")
    below = await school.add("account", name="Botany", parent_id=top)
    courses = {
        "read": await school.course(name="read"),
        "below the account": await school.course(name="below", account_id=below),
        "beside": await school.course(name="beside"),
    }
    section = await school.section(courses["beside"])
    await school.covered("enrollment", scope_kind="course", scope_id=courses["read"])
    await school.covered("enrollment", scope_kind="account", scope_id=top)
    await school.covered("enrollment", scope_kind="section", scope_id=section)
    await school.covered("course", scope_kind="account", scope_id=top)

    data = await graph.ask(
        """query($section: ID!) {
            courses { nodes { enrollments { provenance { completeness } } } provenance { completeness } }
            section(by: {id: $section}) { enrollments { provenance { completeness } } }
        }""",
        {"section": graph.node_id("Section", section)},
    )

    assert [
        node["enrollments"]["provenance"]["completeness"] for node in data["courses"]["nodes"]
    ] == ["COMPLETE", "COMPLETE", "UNKNOWN"]
    assert data["courses"]["provenance"]["completeness"] == "PARTIAL"
    assert data["section"]["enrollments"]["provenance"]["completeness"] == "COMPLETE"


async def test_held_rows_are_listed_and_told(graph: Graph, school: School, course: int) -> None:
    await school.covered("enrollment")
    await school.enroll(await school.person(), None, course, missing_since=READ_AT)

    answer = await asked(graph, course)

    assert answer["totalCount"] == 2
    held = [gap for gap in answer["provenance"]["gaps"] if gap["reason"] == "HELD"]
    assert held[0]["message"].startswith("1 of these")


async def test_members_are_vouched_for_by_either_kind_of_read(
    graph: Graph, school: School, course: int
) -> None:
    await school.covered(
        "membership", source="NRPS", authority="platform", scope_kind="course", scope_id=course,
        states="ACTIVE",
    )  # fmt: skip
    bob = await school.person(name="Bob", contact_source=None)
    await school.add("membership", course_id=course, person_id=bob)

    data = await graph.ask(
        f"""query($id: ID!) {{ course(by: {{id: $id}}) {{
            members {{ nodes {{ user {{ email }} }} totalCount {PROVENANCE} }}
            enrollments {{ {PROVENANCE} }} }} }}""",
        {"id": graph.node_id("Course", course)},
    )

    members = data["course"]["members"]
    assert members["totalCount"] == 2
    assert members["provenance"]["completeness"] == "COMPLETE"
    assert members["provenance"]["source"] == "NRPS"
    assert [(one["source"], one["rows"]) for one in members["provenance"]["origins"]] == [
        ("NRPS", 1),
        ("REPORT", 1),
    ]
    assert [gap["field"] for gap in members["provenance"]["gaps"]] == ["user.email"]
    assert data["course"]["enrollments"]["provenance"]["completeness"] == "UNKNOWN"


async def test_enrollments_say_that_only_memberships_are_known(
    graph: Graph, school: School
) -> None:
    """`enrollments` reads enrollments alone: who is only a member is missing there, and it says so."""
    course = await school.course()
    await school.add("membership", course_id=course, person_id=await school.person())

    answer = await asked(graph, course)

    assert answer["nodes"] == []
    assert [(gap["field"], gap["reason"]) for gap in answer["provenance"]["gaps"]] == [
        (None, "NEVER_SYNCED"),
        (None, "NOT_CARRIED_BY_SOURCE"),
    ]
    assert "1 more known as members only" in answer["provenance"]["gaps"][1]["message"]


async def test_a_row_tells_where_it_and_its_fields_come_from(
    graph: Graph, school: School, course: int
) -> None:
    await school.covered("enrollment", began_at=NOW, groups="standing")

    data = await graph.ask(
        """query($id: ID!) { course(by: {id: $id}) { enrollments { nodes {
            provenance { source asOf missingSince groups { name source asOf fields } } } } } }""",
        {"id": graph.node_id("Course", course)},
    )

    (node,) = data["course"]["enrollments"]["nodes"]
    assert node["provenance"]["source"] == "REPORT"
    assert node["provenance"]["asOf"] == "2026-09-15T12:00:00Z"
    assert node["provenance"]["missingSince"] is None
    assert [(one["name"], one["source"], one["asOf"]) for one in node["provenance"]["groups"]] == [
        ("standing", "REPORT", "2026-09-15T12:00:00Z"),
        ("dates", None, None),
        ("activity", None, None),
    ]


BLIND = Rights(
    hidden=frozenset(
        {"User.email", "User.sisId", "User.loginId", "User.sortableName", "User.name"}
        | {"Enrollment.role", "Course.courseCode"}
    )
)


async def test_what_may_not_be_seen_is_null_and_named(graph: Graph, school: School) -> None:
    await school.covered("enrollment")
    course = await school.course(course_code="BOT")
    zoe = await school.person(
        email="zoe@example.edu", sis_id="S1", aliases={IdentityKind.LTI13_SUB: "sub"}
    )
    await school.enroll(zoe, None, course)

    data = await graph.ask(
        """query($id: ID!) { course(by: {id: $id}) { name courseCode
            enrollments { nodes { type role user { name email shortName identities { kind } } }
                provenance { gaps { field reason } } }
            members { nodes { types roles user { email } } }
            enrollmentCounts { counts { type role count } } } }""",
        {"id": graph.node_id("Course", course)},
        rights=BLIND,
    )

    assert data["course"]["courseCode"] is None
    assert data["course"]["enrollments"] == {
        "nodes": [
            {
                "type": "STUDENT",
                "role": None,
                "user": {"name": None, "email": None, "shortName": None, "identities": [{"kind": "LTI13_SUB"}]},
            }
        ],
        "provenance": {
            "gaps": [
                {"field": field, "reason": "NOT_PERMITTED"}
                for field in ("role", "user.email", "user.name")
            ]
        },
    }  # fmt: skip
    assert data["course"]["members"]["nodes"] == [
        {"types": ["STUDENT"], "roles": None, "user": {"email": None}}
    ]
    assert data["course"]["enrollmentCounts"]["counts"] == [
        {"type": "STUDENT", "role": None, "count": 1}
    ]
    read = " ".join(sql for sql, _ in graph.connections.statements)
    assert "email" not in read.replace("'email'", "")


@pytest.mark.parametrize(
    "query",
    [
        '{ user(by: {sisId: "S1"}) { id } }',
        '{ user(by: {loginId: "zoe"}) { id } }',
        '{ users(filter: {sisIds: ["S1"]}) { nodes { id } } }',
        '{ users(filter: {loginIds: ["S1"]}) { nodes { id } } }',
        '{ users(filter: {search: "zoe"}) { nodes { id } } }',
        "{ users(orderBy: {field: NAME}) { nodes { id } } }",
        "{ users(orderBy: {field: SIS_ID}) { nodes { id } } }",
        '{ courses(filter: {search: "bot"}) { nodes { id } } }',
        "{ courses(orderBy: {field: COURSE_CODE}) { nodes { id } } }",
        "{ courses { nodes { enrollments(orderBy: {field: USER_NAME}) { nodes { id } } } } }",
        '{ courses { nodes { enrollments(filter: {search: "zoe"}) { nodes { id } } } } }',
        '{ courses { nodes { enrollments(filter: {roles: ["x"]}) { nodes { id } } } } }',
        '{ courses { nodes { enrollments(filter: {users: [{sisId: "x"}]}) { nodes { id } } } } }',
    ],
)
async def test_what_may_not_be_seen_can_neither_find_nor_order(
    graph: Graph, school: School, query: str
) -> None:
    await school.course()
    await school.person(sis_id="S1", login_id="zoe")

    code, message = await graph.refusal(query, rights=BLIND)

    assert code == "FORBIDDEN"
    assert "S1" not in message


async def test_a_search_looks_only_into_what_may_be_seen(graph: Graph, school: School) -> None:
    await school.person(name="Zoe", email="hidden@example.edu")
    query = '{ users(filter: {search: "hidden"}) { nodes { name } } }'

    assert await graph.ask(query) == {"users": {"nodes": [{"name": "Zoe"}]}}
    assert await graph.ask(query, rights=Rights(hidden=frozenset({"User.email"}))) == {
        "users": {"nodes": []}
    }
