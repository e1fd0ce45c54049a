"""What the graph asks the database: how often, of which columns, by which index, and only of its own institution."""

import json
import re
from typing import Any

import pytest

from gateway.uow import Dialect, Transaction
from tests.factories import School
from tests.resolvers.conftest import Graph

DEEP = """query($courses: Int) { courses(first: $courses) { nodes { name account { name } term { name }
    sections(first: 3) { nodes { name course { name term { name } }
        enrollments(first: 4) { nodes { state user { name
            enrollments(first: 2) { nodes { course { name } section { name } } }
            identities { value course { name } } } provenance { asOf } } } } }
    enrollments(first: 2) { nodes { user { email } section { name } } totalCount provenance { completeness } }
    members(first: 2) { nodes { user { name } sections { name } } totalCount }
    enrollmentCounts { totalCount counts { section { name } } } } } }"""


async def a_school(school: School, courses: int) -> None:
    for number in range(courses):
        course = await school.course(name=f"Course {number}")
        for letter in "AB":
            section = await school.section(course, name=letter)
            for _ in range(3):
                person = await school.person(email="x@example.edu")
                await school.enroll(person, section, course)


async def test_a_deep_query_takes_as_many_statements_for_one_course_as_for_six(
    graph: Graph, school: School
) -> None:
    await a_school(school, 6)
    counts = []
    for courses in (1, 6):
        graph.connections.statements.clear()
        await graph.ask(DEEP, {"courses": courses})
        counts.append(len(graph.connections.statements))

    assert counts[0] == counts[1] <= 20


async def test_the_same_field_twice_is_read_twice_and_fragments_once(
    graph: Graph, school: School
) -> None:
    await a_school(school, 2)
    await graph.ask(
        """{ courses { nodes { ...list a: enrollments(first: 1) { nodes { id } }
            b: enrollments(filter: {types: [TEACHER]}) { nodes { id } } } } }
        fragment list on Course { sections { ...names } } fragment names on SectionConnection { nodes { name } }"""
    )

    assert len(graph.connections.statements) == 4


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        ("{ courses { nodes { name } } }", {"name"}),
        ("{ courses { nodes { __typename } } }", set[str]()),
        ("{ courses { nodes { ... on Course { sisId } ... on Node { id } } } }", {"sis_id"}),
        ("{ courses { edges { node { name: courseCode } } } }", {"course_code"}),
        ("{ courses { nodes { name @skip(if: true) uuid @include(if: true) } } }", {"uuid"}),
        (
            """query($yes: Boolean = true, $no: Boolean = false) { courses { nodes {
                id name @skip(if: $yes) uuid @include(if: $no) sisId @include(if: $yes) } } }""",
            {"sis_id"},
        ),
        ("{ courses { pageInfo { hasNextPage } } }", set[str]()),
    ],
)
async def test_only_what_is_selected_is_read(graph: Graph, query: str, columns: set[str]) -> None:
    await graph.ask(query)

    ((sql, _),) = graph.connections.statements
    assert set(re.findall(r"a1\.(\w+)", sql.partition(" from ")[0])) - {"id"} == columns


async def test_a_count_and_a_provenance_are_read_only_where_they_are_asked_for(
    graph: Graph, school: School
) -> None:
    await school.covered("course")
    for selected, statements in (
        ("nodes { id }", 1),
        ("nodes { id } provenance { asOf }", 2),
        ("nodes { id } totalCount", 3),
        ("nodes { id } provenance { changeCursor }", 3),
        ("nodes { id } totalCount provenance { asOf gaps { message } origins { rows } }", 3),
    ):
        graph.connections.statements.clear()
        await graph.ask(f"{{ courses {{ {selected} }} }}")
        assert len(graph.connections.statements) == statements, selected


EVERY_READ = [
    "{ courses { nodes { id } } }",
    "{ courses(orderBy: {field: NAME}) { nodes { id } } }",
    "{ users(first: 10) { nodes { id name } } }",
    "{ users(first: 10, orderBy: {field: NAME}) { nodes { id name } } }",
    "{ users(first: 10, orderBy: {field: NAME, direction: DESC}) { nodes { id name } } }",
    '{ user(by: {loginId: "login77"}) { name } }',
    '{ user(by: {sisId: "S77"}) { name identities { value } } }',
    '{ user(by: {canvasId: "77"}) { name enrollments { nodes { id } totalCount } } }',
    '{ course(by: {canvasId: "7"}) { name } }',
    '{ course(by: {sisId: "C7"}) { name sections { nodes { name } } } }',
    """{ course(by: {sisId: "C7"}) { enrollments(filter: {users: [{loginId: "login77"}]}) { nodes { id } } } }""",
    """{ course(by: {sisId: "C7"}) { enrollments(orderBy: {field: USER_NAME}) { nodes { user { name } } totalCount } } }""",
    """{ course(by: {sisId: "C7"}) { members { nodes { user { name } types sections { name } } totalCount } } }""",
    """{ course(by: {sisId: "C7"}) { enrollmentCounts { totalCount } } }""",
    """{ courses(first: 20) { nodes { sections { nodes { enrollments(first: 5) { nodes { user { name } } } } }
        enrollments(first: 5, orderBy: {field: USER_NAME}) { nodes { user { name } section { name } } }
        members(first: 3) { nodes { user { name } } } } } }""",
    '{ enrollment(by: {canvasId: "700"}) { user { name } course { name term { name } } section { name } } }',
    "{ users(first: 3) { nodes { enrollments(first: 2) { nodes { course { name } } } } } }",
    "{ changes(first: 5) { nodes { kind subject { id } } } }",
]
LARGE = {"enrollment", "person", "identity", "change"}


SERIES = {
    Dialect.POSTGRES: "generate_series(1, {rows}) as s(n)",
    Dialect.SQLITE: """(with recursive s(n) as (select 1 union all select n + 1 from s where n < {rows})
        select n from s) s""",
}
NOON = "'2026-09-01 12:00:00+00:00'"
FILLING = [
    (300, """insert into course (id, institution_id, canvas_id, sis_id, name, sort_key, search_key, state, source, as_of)
        select n, $1, 10000000000000 + n, 'C' || n, 'Course ' || n, 'course ' || n, 'course ' || n, 'AVAILABLE',
        'REPORT', {noon} from {series}"""),
    (600, """insert into section (id, institution_id, course_id, name, state, source, as_of)
        select n, $1, 1 + n % 300, 'Section ' || n, 'ACTIVE', 'REPORT', {noon} from {series}"""),
    (5_000, """insert into person (id, institution_id, canvas_id, name, sort_key, search_key, state)
        select n, $1, 10000000000000 + n, 'Person ' || n, 'person ' || n, 'person ' || n, 'ACTIVE' from {series}"""),
    *[
        (5_000, f"""insert into identity (institution_id, person_id, kind, scope, value, exclusive, source, first_seen_at,
        last_seen_at) select $1, n, '{kind}', '', '{prefix}' || n, true, 'REPORT', {{noon}}, {{noon}} from {{series}}""")
        for kind, prefix in (("login_id", "login"), ("sis_user_id", "S"))
    ],
    (20_000, """insert into enrollment (institution_id, canvas_id, course_id, section_id, person_id, type, state,
        standing_source, standing_as_of) select $1, 10000000000000 + n, 1 + n % 300, 1 + n % 600, 1 + n % 5000,
        'STUDENT', 'ACTIVE', 'REPORT', {noon} from {series}"""),
    (5_000, """insert into change (institution_id, position, at, kind, subject_type, subject_id, source)
        select $1, n, {noon}, 'UPDATED', 'Course', 1, 'REPORT' from {series}"""),
]  # fmt: skip


async def fill(school: School) -> None:
    """300 courses, 5,000 people, 20,000 enrollments; the planner knows how many."""

    async def work(tx: Transaction) -> None:
        for rows, sql in FILLING:
            series = SERIES[tx.dialect].format(rows=rows)
            await tx.run(sql.format(noon=NOON, series=series), school.id)
        await tx.run("update institution set feed_position = 5000 where id = $1", school.id)
        await tx.run("analyze")

    await school.database.transact(work)


async def test_no_read_scans_a_large_table(graph: Graph, school: School) -> None:
    await fill(school)
    for query in EVERY_READ:
        await graph.ask(query)

    assert len(graph.connections.statements) >= len(EVERY_READ)
    for sql, values in graph.connections.statements:
        assert not await scanned(graph, sql, values) & LARGE, sql


async def scanned(graph: Graph, sql: str, values: Any) -> set[str]:
    """The tables that the planner would read from end to end."""
    connections = graph.connections.unwatched
    if connections.dialect is Dialect.SQLITE:
        names = {alias: table for table, alias in re.findall(r"(?:from|join) (\w+) (\w+)\b", sql)}
        plan = await connections.fetch(f"explain query plan {sql}", values)
        scans = [re.match(r"SCAN (\w+)", row[3]) for row in plan]
        return {names.get(found[1], "") for found in scans if found}
    ((text,),) = await connections.fetch(f"explain (format json) {sql}", values)
    return set(sequential(json.loads(text)[0]["Plan"]))


def sequential(plan: dict[str, Any]) -> list[str]:
    own = [plan["Relation Name"]] if plan["Node Type"] == "Seq Scan" else []
    return own + [name for below in plan.get("Plans", ()) for name in sequential(below)]


async def test_the_check_sees_a_scan(graph: Graph, school: School) -> None:
    await fill(school)

    assert await scanned(graph, "select t.id from person t where t.pronouns = $1", ["x"]) == {
        "person"
    }
