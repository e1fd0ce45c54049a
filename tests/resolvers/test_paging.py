"""Pages: their sizes, their cursors, and what holds while rows come and go."""

import base64
import json
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.factories import NOW, School
from tests.resolvers.conftest import Graph

PAGE = "nodes { name } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"


async def test_the_first_page_is_of_fifty(graph: Graph, school: School) -> None:
    for number in range(51):
        await school.course(name=f"{number:02}")

    page = (await graph.ask(f"{{ courses {{ {PAGE} }} }}"))["courses"]

    assert [node["name"] for node in page["nodes"]] == [f"{number:02}" for number in range(50)]
    assert page["pageInfo"]["hasNextPage"] is True
    assert page["pageInfo"]["hasPreviousPage"] is False


async def test_an_empty_page_has_no_cursors(graph: Graph) -> None:
    assert await graph.ask(f"{{ courses {{ {PAGE} }} }}") == {
        "courses": {
            "nodes": [],
            "pageInfo": {
                "hasNextPage": False,
                "hasPreviousPage": False,
                "startCursor": None,
                "endCursor": None,
            },
        }
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("first: 5001", "`first` is 5001; it can be 0 to 5000"),
        ("first: -1", "`first` is -1"),
        ("last: 5001", "`last` is 5001"),
        ("first: 1, last: 1", "not both"),
        ('first: 1, before: "x"', "`before` goes with `last`"),
        ('last: 1, after: "x"', "not both"),
        ('after: "nonsense"', "no cursor of this graph"),
        ('after: "%"', "no cursor of this graph"),
        ('after: "WyJhIl0="', "no cursor of this graph"),
        ('after: "WyJ4IiwxXQ=="', "another filter or order"),
        ('after: ""', "no cursor of this graph"),
    ],
)
async def test_a_window_that_cannot_be_is_refused(graph: Graph, arguments: str, said: str) -> None:
    code, message = await graph.refusal(f"{{ courses({arguments}) {{ nodes {{ id }} }} }}")

    assert code == "BAD_USER_INPUT"
    assert said in message


async def test_a_cursor_fits_its_own_list_only(graph: Graph, school: School) -> None:
    await school.course(name="A")
    cursor = (await graph.ask("{ courses { pageInfo { endCursor } } }"))["courses"]["pageInfo"][
        "endCursor"
    ]
    for other in (
        "courses(after: $after, orderBy: {field: NAME})",
        "courses(after: $after, orderBy: {direction: DESC})",
        'courses(after: $after, filter: {search: "A"})',
        "users(after: $after)",
    ):
        code, message = await graph.refusal(
            f"query($after: String) {{ {other} {{ nodes {{ id }} }} }}", {"after": cursor}
        )

        assert code == "BAD_USER_INPUT"
        assert "another filter or order" in message


@pytest.mark.parametrize("value", ["\x00", "x" * 10, None, "not a time"])
async def test_a_forged_cursor_is_refused_or_harmless(
    graph: Graph, school: School, value: str | None
) -> None:
    await school.course(name="A")
    query = "query($a: String) { courses(after: $a, orderBy: {field: START_AT}) { pageInfo { endCursor } } }"
    cursor = (await graph.ask(query))["courses"]["pageInfo"]["endCursor"]
    parts = json.loads(base64.urlsafe_b64decode(cursor))
    forged = base64.urlsafe_b64encode(json.dumps([parts[0], parts[1], value]).encode()).decode()

    result = await graph.execute(query, {"a": forged})

    codes = [(error.extensions or {}).get("code") for error in result.errors or ()]
    assert codes == ([] if value is None else ["BAD_USER_INPUT"])


async def test_all_pages_carry_the_first_ones_age(graph: Graph, school: School) -> None:
    await school.covered("course")
    for name in "ABC":
        await school.course(name=name)
    query = "query($after: String) { courses(first: 1, after: $after) { pageInfo { endCursor } } }"

    def as_of(cursor: str) -> Any:
        return json.loads(base64.urlsafe_b64decode(cursor))[3]

    first = (await graph.ask(query))["courses"]["pageInfo"]["endCursor"]
    await school.covered("course", began_at=NOW)
    second = (await graph.ask(query, {"after": first}))["courses"]["pageInfo"]["endCursor"]

    assert as_of(first) == as_of(second) == "2026-09-15T11:55:00+00:00"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6),
    size=st.integers(1, 4),
    order=st.sampled_from(["ID", "USER_NAME", "UPDATED_AT", "TYPE"]),
    direction=st.sampled_from(["ASC", "DESC"]),
)
async def test_paging_while_rows_come_and_go_neither_repeats_nor_skips(
    graph: Graph, school: School, seed: int, size: int, order: str, direction: str
) -> None:
    """A row that was there from the first page to the last is seen once; what came or went may be seen once."""
    random = Random(seed)  # noqa: S311  made-up rows, no secrets
    course = await school.course(name=f"Course {seed}")
    query = """query($id: ID!, $first: Int, $after: String, $order: EnrollmentOrder) { node(id: $id) { ... on Course {
        enrollments(first: $first, after: $after, orderBy: $order) { nodes { id } pageInfo { hasNextPage endCursor } } } } }"""
    kept = {await a_row(school, course, random) for _ in range(5)}
    passing = {await a_row(school, course, random) for _ in range(5)}
    variables = {
        "id": graph.node_id("Course", course),
        "first": size,
        "order": {"field": order, "direction": direction},
    }
    seen: list[str] = []
    while True:
        page = (await graph.ask(query, variables))["node"]["enrollments"]
        seen += [node["id"] for node in page["nodes"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        variables["after"] = page["pageInfo"]["endCursor"]
        for _ in range(random.randrange(3)):
            if passing and random.random() < 0.6:
                gone = passing.pop()
                if random.random() < 0.5:
                    await school.delete("enrollment", gone)
                else:
                    await school.update("enrollment", gone, state="COMPLETED")
            else:
                passing.add(await a_row(school, course, random))

    assert len(seen) == len(set(seen))
    assert {graph.node_id("Enrollment", row) for row in kept} <= set(seen)


async def a_row(school: School, course: int, random: Random) -> int:
    people = await class_of(school)
    return await school.enroll(
        random.choice(people),
        None,
        course,
        type=random.choice(["STUDENT", "TEACHER"]),
        updated_at=random.choice([None, NOW]),
    )


async def class_of(school: School) -> list[int]:
    """A few people to enrol, made once."""
    if school.id not in _people or _people[school.id][0] is not school:
        names = ["Ann", "Bob", "Zoë", "", "bob"]
        _people[school.id] = (school, [await school.person(name=name) for name in names])
    return _people[school.id][1]


_people: dict[int, tuple[School, list[int]]] = {}
