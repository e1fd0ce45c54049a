"""Who sees what: viewer by field by way to it, against plain Python; and that what is hidden changes no answer."""

from collections.abc import Iterable
from typing import Any

import pytest

from gateway.readpath import node_ids
from models.roster import EnrollmentState
from tests.factories import School
from tests.resolvers import eyes, mixed_school
from tests.resolvers.conftest import Graph
from tests.resolvers.eyes import Eyes
from tests.resolvers.mixed_school import Facts, MixedSchool

PERSON = "id canvasId name sortableName email loginId sisId state"
FIELDS = {
    "name": "name",
    "sortableName": "sortable_name",
    "email": "email",
    "loginId": "login_id",
    "sisId": "sis_id",
}
STATES = [str(state) for state in EnrollmentState]


@pytest.fixture
async def mixed(school: School) -> MixedSchool:
    made = await mixed_school.build(school)
    await eyes.with_limits(made)
    for subject in ("course", "section", "person", "enrollment"):
        await school.covered(subject)
    return made


class Asking:
    """The graph as one viewer asks it, and what they must be shown."""

    def __init__(self, graph: Graph, mixed: MixedSchool, eyes: Eyes) -> None:
        self.graph, self.mixed, self.eyes = graph, mixed, eyes

    async def ask(self, query: str, **variables: Any) -> Any:
        return await self.graph.ask(query, variables, rights=self.eyes.rights)

    def id(self, type_name: str, row_id: int) -> str:
        return node_ids.encode(type_name, row_id, self.eyes.rights.pseudonyms)

    def person(self, row_id: int) -> Facts | None:
        """Every field of a person as it must be shown."""
        if not self.eyes.sees_person(self.mixed, row_id):
            return None
        row = self.mixed.by_id(self.mixed.people, row_id)
        assert row is not None

        def sees(field: str) -> bool:
            return self.eyes.sees_field(self.mixed, row_id, field)

        state = "DELETED" if row["removed_at"] is not None else row["state"]
        shown = {field: row[column] if sees(field) else None for field, column in FIELDS.items()}
        return {
            "id": self.id("User", row_id),
            "canvasId": None if self.eyes.service else str(row["canvas"]),
            "state": state if sees("state") else None,
            **shown,
        }

    def enrollments(self, **columns: int) -> list[Facts]:
        return [
            row
            for row in self.mixed.enrollments
            if all(row[name] == value for name, value in columns.items())
            and self.eyes.sees_enrollment(self.mixed, row)
        ]

    def edges(self, rows: Iterable[Facts]) -> list[Any]:
        return sorted(
            (self.id("Enrollment", row["id"]), self.person(row["person_id"])) for row in rows
        )


def told(nodes: Iterable[Any]) -> list[Any]:
    return sorted((node["id"], node["user"]) for node in nodes)


async def by_node(asking: Asking) -> None:
    mixed = asking.mixed
    people = [one["id"] for one in mixed.people if not one["merged_into_id"]]
    data = await asking.ask(
        f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on User {{ {PERSON} }} }} }}",
        ids=[asking.id("User", one) for one in people],
    )
    assert [asking.person(one) for one in people] == data["nodes"]
    data = await asking.ask(
        f"query($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Enrollment {{ id user {{ {PERSON} }} }} }} }}",
        ids=[asking.id("Enrollment", one["id"]) for one in mixed.enrollments],
    )
    expected = [
        {"id": asking.id("Enrollment", row["id"]), "user": asking.person(row["person_id"])}
        if asking.eyes.sees_enrollment(mixed, row)
        else None
        for row in mixed.enrollments
    ]
    assert expected == data["nodes"]
    data = await asking.ask(
        "query($ids: [ID!]!) { nodes(ids: $ids) { id } }",
        ids=[asking.id("Course", one["id"]) for one in mixed.courses]
        + [asking.id("Section", one["id"]) for one in mixed.sections],
    )
    shown = [
        {"id": asking.id(name, one["id"])} if asking.eyes.sees_course(mixed, course) else None
        for name, one, course in [
            *(("Course", one, one["id"]) for one in mixed.courses),
            *(("Section", one, one["course_id"]) for one in mixed.sections),
        ]
    ]
    assert shown == data["nodes"]


async def by_list_of_people(asking: Asking) -> None:
    data = await asking.ask(f"{{ users(first: 5000) {{ nodes {{ {PERSON} }} totalCount }} }}")
    expected = [
        person
        for row in asking.mixed.people
        if not row["merged_into_id"]
        and row["removed_at"] is None
        and row["state"] != "DELETED"
        and (person := asking.person(row["id"]))
    ]
    assert expected == data["users"]["nodes"]
    assert len(expected) == data["users"]["totalCount"]


COURSE = f"""id enrollments(filter: {{states: $states}}, first: 5000) {{ nodes {{ id user {{ {PERSON} }} }} totalCount }}
    members(filter: {{states: $states}}, first: 5000) {{ nodes {{ user {{ {PERSON} }} }} totalCount
        provenance {{ completeness gaps {{ reason }} }} }}
    enrollmentCounts(filter: {{states: $states}}) {{ counts {{ type count }} }}"""


async def by_course(asking: Asking) -> None:
    courses = [one["id"] for one in asking.mixed.courses]
    query = f"query($ids: [ID!]!, $states: [EnrollmentState!]) {{ nodes(ids: $ids) {{ ... on Course {{ {COURSE} }} }} }}"
    ids = [asking.id("Course", one) for one in courses]
    data = await asking.ask(query, ids=ids, states=STATES)
    for course, node in zip(courses, data["nodes"], strict=True):
        _check_course(asking, course, node)
    alone = (
        f"query($id: ID!, $states: [EnrollmentState!]) {{ course(by: {{id: $id}}) {{ {COURSE} }} }}"
    )
    for course in courses[:3]:
        data = await asking.ask(alone, id=asking.id("Course", course), states=STATES)
        _check_course(asking, course, data["course"])


def _check_course(asking: Asking, course: int, node: Any) -> None:
    if not asking.eyes.sees_course(asking.mixed, course):
        assert node is None
        return
    rows = asking.enrollments(course_id=course)
    assert asking.edges(rows) == told(node["enrollments"]["nodes"])
    members = node["members"]
    people = {row["person_id"] for row in rows}
    assert _by_id(asking.person(one) for one in people) == _by_id(
        one["user"] for one in members["nodes"]
    )
    assert len(rows) == sum(one["count"] for one in node["enrollmentCounts"]["counts"])
    if members["provenance"]["completeness"] == "UNKNOWN":
        assert members["totalCount"] is None
        assert {"reason": "NOT_PERMITTED"} in members["provenance"]["gaps"]
    else:
        assert len(people) == members["totalCount"]


def _by_id(people: Iterable[Any]) -> list[Any]:
    return sorted(people, key=lambda one: one["id"])


async def by_section_and_person(asking: Asking) -> None:
    enrollments = f"enrollments(filter: {{states: $states}}, first: 5000) {{ nodes {{ id user {{ {PERSON} }} }} }}"
    query = f"""query($ids: [ID!]!, $states: [EnrollmentState!]) {{ nodes(ids: $ids) {{
        ... on Section {{ {enrollments} }} ... on User {{ {enrollments} }} }} }}"""
    mixed, viewer = asking.mixed, asking.eyes
    places = [
        *(
            ("Section", one["id"], viewer.sees_course(mixed, one["course_id"]), "section_id")
            for one in mixed.sections
        ),
        *(
            ("User", one["id"], viewer.sees_person(mixed, one["id"]), "person_id")
            for one in mixed.people
            if not one["merged_into_id"]
        ),
    ]
    ids = [asking.id(type_name, row_id) for type_name, row_id, *_ in places]
    data = await asking.ask(query, ids=ids, states=STATES)
    for (type_name, row_id, seen, column), node in zip(places, data["nodes"], strict=True):
        if not seen:
            assert node is None, (type_name, row_id)
            continue
        rows = asking.enrollments(**{column: row_id})
        assert asking.edges(rows) == told(node["enrollments"]["nodes"])


async def by_identities(asking: Asking) -> None:
    """Aliases tell what the fields would."""
    people = [one for one in asking.mixed.people if not one["merged_into_id"]]
    data = await asking.ask(
        "query($ids: [ID!]!) { nodes(ids: $ids) { ... on User { id identities { kind value } } } }",
        ids=[asking.id("User", one["id"]) for one in people],
    )
    fields = {"EMAIL": "email", "LOGIN_ID": "loginId", "SIS_USER_ID": "sisId", "LTI13_SUB": "state"}
    for person, node in zip(people, data["nodes"], strict=True):
        if node is None:
            continue
        kinds = {one["kind"] for one in node["identities"]}
        sees = {
            kind
            for kind, field in fields.items()
            if asking.eyes.sees_field(asking.mixed, person["id"], field)
        }
        if asking.eyes.service:
            assert set() == kinds
        assert kinds & fields.keys() <= sees, person


WAYS = [by_node, by_list_of_people, by_course, by_section_and_person, by_identities]


async def test_each_viewer_sees_what_canvas_would_show_by_every_way(
    graph: Graph, mixed: MixedSchool
) -> None:
    for viewer in eyes.viewers(mixed):
        asking = Asking(graph, mixed, viewer)
        for way in WAYS:
            try:
                await way(asking)
            except AssertionError as error:
                error.add_note(f"{viewer.name}, {way.__name__}")
                raise
