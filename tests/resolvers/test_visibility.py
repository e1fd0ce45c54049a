"""Who sees what: viewer by field by way to it, against plain Python; and that what is hidden changes no answer."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

from models import text
from models.roster import IdentityKind
from resolvers.compiled import Way
from resolvers.schema import schema
from tests.factories import School
from tests.resolvers import eyes, mixed_school
from tests.resolvers.asking import PERSON, STATES, Asking
from tests.resolvers.conftest import Graph
from tests.resolvers.mixed_school import MixedSchool


@pytest.fixture
async def mixed(school: School) -> MixedSchool:
    made = await mixed_school.build(school)
    await eyes.with_limits(made)
    for subject in ("course", "section", "person", "enrollment"):
        await school.covered(subject)
    return made


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
    enrollments = f"enrollments(filter: {{states: $states}}, first: 2000) {{ nodes {{ id user {{ {PERSON} }} }} }}"
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


def _asked_ids(asking: Asking, place: Any) -> tuple[list[str], str | None]:
    page = place["pageInfo"]
    return [one["id"] for one in place["nodes"]], page["endCursor"] if page["hasNextPage"] else None


async def by_cursor(asking: Asking) -> None:
    """Page by page, in each order that may be asked for: all that is seen, each once, and nothing else."""
    query = """query($id: ID!, $order: EnrollmentOrder!, $states: [EnrollmentState!], $after: String) {
        course(by: {id: $id}) { enrollments(first: 9, after: $after, orderBy: $order, filter: {states: $states}) {
            nodes { id } pageInfo { hasNextPage endCursor } } } }"""
    for course in (one["id"] for one in asking.mixed.courses[:2]):
        if not asking.eyes.sees_course(asking.mixed, course):
            continue
        expected = sorted(
            asking.id("Enrollment", row["id"]) for row in asking.enrollments(course_id=course)
        )
        for field, direction in (("ID", "ASC"), ("TYPE", "DESC"), ("USER_NAME", "ASC")):
            found: list[str] = []
            after: str | None = ""
            while after is not None:
                data, errors = await asking.answer(
                    query,
                    id=asking.id("Course", course),
                    order={"field": field, "direction": direction},
                    states=STATES,
                    after=after or None,
                )
                if errors:  # an order by what may not be seen would tell it
                    assert field == "USER_NAME"
                    assert {"FORBIDDEN"} == {more["code"] for _, more in errors}
                    assert not asking.eyes.rights.sees("User", "name") or not found
                    break
                ids, after = _asked_ids(asking, data["course"]["enrollments"])
                found += ids
            else:
                assert expected == sorted(found)


async def by_search(asking: Asking) -> None:
    """Whoever is found is seen, and found by what is seen of them."""
    query = f"query($words: String!) {{ users(filter: {{search: $words}}, first: 5000) {{ nodes {{ {PERSON} }} totalCount }} }}"
    for row in asking.mixed.people[::4]:
        for column in ("name", "email", "login_id", "sis_id"):
            words = row[column]
            if not words:
                continue
            data, errors = await asking.answer(query, words=words)
            if errors:
                assert {"FORBIDDEN"} == {more["code"] for _, more in errors}
                continue
            nodes = data["users"]["nodes"]
            assert len(nodes) == data["users"]["totalCount"]
            assert all(_is_found_by(node, words) for node in nodes), (words, nodes)
            own = asking.person(row["id"])
            gone = row["removed_at"] or row["merged_into_id"] or row["state"] == "DELETED"
            if own is not None and column == "name" and own["name"] and not gone:
                assert own["id"] in {node["id"] for node in nodes}


def _is_found_by(node: Any, words: str) -> bool:
    """By the words of its names, or by the beginning of an id or an address that is shown."""
    named = text.fold(f"{node['name'] or ''} {node['sortableName'] or ''}")
    if all(word in named for word in text.fold(words).split()):
        return True
    kinds = {
        "email": IdentityKind.EMAIL,
        "loginId": IdentityKind.LOGIN_ID,
        "sisId": IdentityKind.SIS_USER_ID,
    }
    return any(
        node[field] and kind.comparable(node[field]).startswith(kind.comparable(words))
        for field, kind in kinds.items()
    )


async def by_subscription(asking: Asking) -> None:
    """Everything that ever changed, from the feed's beginning up to what everybody is told."""
    result = await schema.subscribe(
        """subscription($after: String) { changes(after: $after) {
            subjectType subjectId after { field value } } }""",
        variable_values={"after": asking.graph.cursor(0)},
        context_value=asking.graph.context(rights=asking.eyes.rights),
    )
    events = []
    async for event in result:
        assert event.errors is None, event.errors
        assert event.data is not None
        if event.data["changes"]["subjectType"] == "Institution":
            break
        events.append(event.data["changes"])
    await result.aclose()
    enrollments = {one["subjectId"] for one in events if one["subjectType"] == "Enrollment"}
    assert {asking.id("Enrollment", row["id"]) for row in asking.enrollments()} == enrollments
    ids = {asking.id("User", row["id"]): row["id"] for row in asking.mixed.people}
    for event in events:
        if event["subjectType"] != "User":
            continue
        person = ids[event["subjectId"]]
        assert asking.eyes.sees_person(asking.mixed, person), person
        fields = {value["field"] for value in event["after"]}
        asking.cells += len(fields)
        leaked = {one for one in fields if not asking.eyes.sees_field(asking.mixed, person, one)}
        assert not leaked, (person, asking.eyes.person)


WAYS = [
    by_node,
    by_list_of_people,
    by_course,
    by_section_and_person,
    by_identities,
    by_cursor,
    by_search,
    by_subscription,
]


@pytest.mark.parametrize("compiled", [False, True], ids=["ordinary", "compiled"])
async def test_each_viewer_sees_what_canvas_would_show_by_every_way(
    graph: Graph, mixed: MixedSchool, capsys: pytest.CaptureFixture[str], *, compiled: bool
) -> None:
    await _change_everything(mixed)
    viewers, cells, ways = eyes.viewers(mixed), 0, Counter[Way]()
    for viewer in viewers:
        asking = Asking(graph, mixed, viewer, compiled=compiled)
        for way in WAYS:
            try:
                await way(asking)
            except AssertionError as error:
                error.add_note(f"{viewer.name}, {way.__name__}")
                raise
        cells, ways = cells + asking.cells, ways + asking.ways
    with capsys.disabled():
        told = ", ".join(f"{count:,} {way}" for way, count in ways.items()) or "all ordinary"
        print(f"\n{len(viewers)} viewers, {len(WAYS)} ways, {cells:,} cells, 0 leaks ({told})")
    assert cells > 50_000
    assert not compiled or ways[Way.COMPILED] > 0.85 * ways.total()


async def _change_everything(mixed: MixedSchool) -> None:
    """An entry of the feed for each enrollment and each person, and one for everybody at the end."""
    for row in mixed.enrollments:
        await mixed.school.change(
            "Enrollment", row["id"], after=_told(role=row["role"], state=row["state"])
        )
    for row in mixed.people:
        told = {"name": row["name"], "email": row["email"], "loginId": row["login_id"]}
        await mixed.school.change(
            "User", row["id"], kind="CREATED", after=_told(sisId=row["sis_id"], **told)
        )
    await mixed.school.change("Institution", mixed.school.id, kind="BASELINE")


def _told(**values: Any) -> str:
    return json.dumps([{"field": name, "value": value} for name, value in values.items()])
