"""What the graph asks the database: how often, of which columns, and only of its own institution."""

import re

import pytest

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
