"""Who is in a course, one entry a person: enrollments and memberships taken together."""

from datetime import timedelta
from typing import Any

import pytest

from models import text
from tests.factories import NOW, READ_AT, School
from tests.resolvers import mixed_school
from tests.resolvers.conftest import Graph
from tests.resolvers.mixed_school import Facts, enrollments_meant, ordered

EARLIER, LATER = READ_AT - timedelta(hours=1), READ_AT + timedelta(minutes=1)
MEMBERS = """query($id: ID!, $filter: EnrollmentFilter, $first: Int, $after: String) { course(by: {id: $id}) {
    members(filter: $filter, first: $first, after: $after) {
        nodes { user { name } types roles state sections { name } }
        pageInfo { hasNextPage endCursor } totalCount } } }"""


async def ask(graph: Graph, course: int, **variables: Any) -> Any:
    data = await graph.ask(MEMBERS, {"id": graph.node_id("Course", course), **variables})
    return data["course"]["members"]


def member(name: str, **more: Any) -> dict[str, Any]:
    return {
        "user": {"name": name},
        "types": ["STUDENT"],
        "roles": ["StudentEnrollment"],
        "state": "ACTIVE",
        "sections": None,
    } | more


@pytest.fixture
async def course(school: School) -> int:
    await school.covered("enrollment")
    return await school.course()


async def test_two_enrollments_of_one_person_are_one_member(
    graph: Graph, school: School, course: int
) -> None:
    zoe = await school.person(name="Zoe")
    for name in "AB":
        await school.enroll(zoe, await school.section(course, name=name), course)
    await school.enroll(zoe, None, course, type="TA", role="Grader")

    page = await ask(graph, course)

    assert page["totalCount"] == 1
    assert page["nodes"] == [
        member(
            "Zoe",
            types=["STUDENT", "TA"],
            roles=["Grader", "StudentEnrollment"],
            sections=[{"name": "A"}, {"name": "B"}],
        )
    ]


async def test_whom_only_nrps_knows_is_a_member_without_a_section(
    graph: Graph, school: School, course: int
) -> None:
    for name, roles in (("Ann", None), ("Bob", '["Learner", "Mentor"]')):
        person = await school.person(name=name)
        await school.add("membership", course_id=course, person_id=person, roles=roles)

    page = await ask(graph, course)

    assert page["nodes"] == [member("Ann", roles=None), member("Bob", roles=["Learner", "Mentor"])]
    assert page["totalCount"] == 2


@pytest.mark.parametrize(
    ("enrolled", "membership", "expected"),
    [
        pytest.param(
            {"state": "COMPLETED", "standing_as_of": EARLIER},
            {"as_of": LATER, "types": "TA"},
            member("Zoe", types=["TA"], roles=None),
            id="a newer membership revives a concluded enrollment",
        ),
        pytest.param(
            {"state": "COMPLETED", "standing_as_of": LATER},
            {"as_of": EARLIER},
            None,
            id="a newer concluded enrollment silences a membership",
        ),
        pytest.param(
            {"removed_at": NOW, "standing_as_of": LATER},
            {"as_of": EARLIER},
            None,
            id="a newer removal silences a membership",
        ),
        pytest.param(
            {"standing_as_of": EARLIER},
            {"as_of": LATER, "types": "STUDENT,TA", "roles": '["Mentor"]'},
            member(
                "Zoe",
                types=["STUDENT", "TA"],
                roles=["Mentor", "StudentEnrollment"],
                sections=[{"name": "A"}],
            ),
            id="a newer membership never blanks what an enrollment knows",
        ),
        pytest.param(
            {"standing_as_of": EARLIER},
            {"as_of": EARLIER, "ended_at": LATER},
            None,
            id="a newer end of the membership silences an active enrollment",
        ),
        pytest.param(
            {"standing_as_of": LATER},
            {"as_of": EARLIER, "ended_at": EARLIER},
            member("Zoe", sections=[{"name": "A"}]),
            id="an older end says nothing",
        ),
    ],
)
async def test_the_newer_word_wins(
    graph: Graph,
    school: School,
    course: int,
    enrolled: dict[str, Any],
    membership: dict[str, Any],
    expected: dict[str, Any] | None,
) -> None:
    zoe = await school.person(name="Zoe")
    await school.enroll(zoe, await school.section(course, name="A"), course, **enrolled)
    await school.add("membership", course_id=course, person_id=zoe, **membership)

    page = await ask(graph, course)

    assert page["nodes"] == ([] if expected is None else [expected])
    assert page["totalCount"] == len(page["nodes"])


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({"types": ["TEACHER"]}, ["Bob"]),
        ({"roles": ["Mentor"]}, ["Bob"]),
        ({"roles": ["Learner"]}, []),
        ({"search": "an"}, ["Ann"]),
        ({"search": "bob@"}, ["Bob"]),
        ({"states": ["INVITED"]}, ["Cy"]),
        ({"users": [{"loginId": "ann"}]}, ["Ann"]),
        ({"sections": []}, []),
        ({"updatedSince": "2026-09-15T11:55:30Z"}, ["Ann"]),
    ],
)
async def test_filters_mean_memberships_too(
    graph: Graph, school: School, course: int, asked: dict[str, Any], names: list[str]
) -> None:
    ann = await school.person(name="Ann", login_id="ann")
    bob = await school.person(name="Bob", email="bob@example.edu")
    cy = await school.person(name="Cy")
    await school.add("membership", course_id=course, person_id=ann, as_of=LATER)
    await school.add(
        "membership", course_id=course, person_id=bob, types="TA,TEACHER", roles='["Mentor"]'
    )
    await school.add("membership", course_id=course, person_id=cy, state="INVITED")

    page = await ask(graph, course, filter=asked)

    assert [node["user"]["name"] for node in page["nodes"]] == names


async def test_many_courses_are_read_together(graph: Graph, school: School) -> None:
    courses = [await school.course(name=f"Course {letter}") for letter in "ABC"]
    people = [await school.person(name=name) for name in ("Zoe", "ann", "Ådne")]
    for number, course in enumerate(courses):
        for person in people[number:]:
            await school.enroll(person, None, course)

    data = await graph.ask(
        "{ courses { nodes { name members(first: 2) { nodes { user { name } } pageInfo { hasNextPage } } } } }"
    )

    assert [
        (
            [node["user"]["name"] for node in course["members"]["nodes"]],
            course["members"]["pageInfo"]["hasNextPage"],
        )
        for course in data["courses"]["nodes"]
    ] == [(["Ådne", "ann"], True), (["Ådne", "ann"], False), (["Ådne"], False)]


@pytest.mark.parametrize("size", [1, 3, 50])
async def test_pages_of_members_are_the_people_of_the_enrollments(
    graph: Graph, school: School, size: int
) -> None:
    mixed = await mixed_school.build(school)
    people = {person["id"]: person for person in mixed.people}
    for course in mixed.courses:
        own = [row for row in mixed.enrollments if row["course_id"] == course["id"]]
        for asked in ({}, {"states": ["ACTIVE", "COMPLETED"]}, {"types": ["STUDENT"]}):
            names: list[str] = []
            after = None
            while True:
                page = await ask(graph, course["id"], filter=asked, first=size, after=after)
                names += [node["user"]["name"] for node in page["nodes"]]
                if not page["pageInfo"]["hasNextPage"]:
                    break
                after = page["pageInfo"]["endCursor"]

            meant = enrollments_meant(mixed, own, {"states": ["ACTIVE"]} | asked)
            there = [people[row_id] for row_id in {row["person_id"] for row in meant}]
            assert names == [person["name"] for person in ordered(there, by_name, descending=False)]


def by_name(person: Facts) -> str:
    return text.sort_key(person["sortable_name"], person["name"])


async def test_counts_are_those_of_the_list(graph: Graph, school: School) -> None:
    mixed = await mixed_school.build(school)
    await school.covered("enrollment")
    data = await graph.ask(
        """{ courses(filter: {states: [AVAILABLE, UNPUBLISHED, COMPLETED, DELETED]}) { nodes { id
            enrollmentCounts(filter: {states: [ACTIVE, DELETED]}) {
                totalCount counts { type role state section { id } count } } } } }"""
    )

    for node in data["courses"]["nodes"]:
        own = [
            row
            for row in mixed.enrollments
            if graph.node_id("Course", row["course_id"]) == node["id"]
        ]
        meant = enrollments_meant(mixed, own, {"states": ["ACTIVE", "DELETED"]})
        expected: dict[tuple[Any, ...], int] = {}
        for row in meant:
            section = row["section_id"] and graph.node_id("Section", row["section_id"])
            key = (row["type"], row["role"], mixed_school.shown_state(row), section)
            expected[key] = expected.get(key, 0) + 1
        counted = node["enrollmentCounts"]
        assert counted["totalCount"] == len(meant)
        assert expected == {
            (one["type"], one["role"], one["state"], one["section"] and one["section"]["id"]): one[
                "count"
            ]
            for one in counted["counts"]
        }


async def test_a_member_who_was_merged_has_their_identifiers(graph: Graph, school: School) -> None:
    """A membership names the person whom it was read of until it is read again."""
    course = await school.course(canvas=7)
    kept = await school.person(login_id="kept")
    merged = await school.person(login_id="merged", merged_into_id=kept)
    await school.add("membership", person_id=merged, course_id=course)

    data = await graph.ask(
        '{ course(by: {canvasId: "7"}) { members { nodes { user { identities { value } } } } } }'
    )

    assert [{"user": {"identities": [{"value": "merged"}]}}] == data["course"]["members"]["nodes"]
