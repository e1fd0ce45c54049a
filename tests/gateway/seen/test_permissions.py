"""What people of the twin's school see in the graph, compared with what their Canvas shows each of them."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.viewer import Scope, Service
from models.roster import EnrollmentState
from tests.gateway.seen.conftest import Seen
from twin.faults import Kind

CLASS = """query($id: ID!, $states: [EnrollmentState!]) { node(id: $id) { ... on Course { sisId
    enrollments(filter: {states: $states}, first: 5000) {
        nodes { canvasId lastActivityAt sisImportId section { sisId } user { canvasId name email loginId sisId } }
        totalCount provenance { completeness gaps { field reason message } } } } } }"""
STATES = [str(state) for state in EnrollmentState]
ENDED = ("completed", "inactive", "rejected", "deleted")

PEOPLE = [
    *("admin", "sub_admin", "registrar", "help_desk"),
    *("teacher", "limited_teacher", "ta", "designer", "grader"),
    *("student", "two_sections", "auditor", "observer", "loose_observer"),
    *("invited", "inactive", "completed", "dropped", "no_email"),
]
# Canvas picks one of several logins of a person, now this one and now that (roster-rest.md §7.2).
SEVERAL_LOGINS = "two_logins"


async def shown_to(seen: Seen, name: str) -> Any:
    viewer = await seen.viewer(seen.twin.cast.people[name])
    return (await seen.ask(viewer, CLASS, id=seen.demo_node, states=STATES))["node"]


@pytest.mark.parametrize("name", PEOPLE)
async def test_people_see_what_canvas_shows_them(seen: Seen, name: str) -> None:
    person = seen.twin.cast.people[name]
    truth = await seen.truth(person)

    course = await shown_to(seen, name)

    of_canvas = {str(row["id"]): row for row in truth["enrollments"]}
    own = {str(row.id) for row in seen.twin.school.enrollments_of_user.of(person.id)}
    rights = set(truth["rights"])
    if course is None:
        assert "read" not in rights or not of_canvas
        return
    nodes = course["enrollments"]["nodes"]
    ours = {node["canvasId"] for node in nodes}
    expected = {row for row in of_canvas if _is_shown(of_canvas[row], rights, own)}
    assert expected == ours - own | (expected & own)
    assert (course["sisId"] is not None) == ("read_sis" in rights)
    for node in nodes:
        row = of_canvas.get(node["canvasId"])
        if row is not None and row["user"]["id"] != seen.twin.cast.people[SEVERAL_LOGINS].id:
            _check(node, row, rights, own=node["canvasId"] in own)
    provenance = course["enrollments"]["provenance"]
    if not rights & {"read_roster", "view_all_grades"}:
        assert provenance["completeness"] == "UNKNOWN"
        assert course["enrollments"]["totalCount"] is None
        assert "NOT_PERMITTED" in {gap["reason"] for gap in provenance["gaps"]}


def _is_shown(row: dict[str, Any], rights: set[str], own: set[str]) -> bool:
    """Canvas shows students ended rows too, when they name the state; we do not (enrollments-api.md §2.2)."""
    full = rights & {"view_all_grades", "manage_grades", "manage_students", "read_as_admin"}
    return bool(full) or str(row["id"]) in own or row["enrollment_state"] not in ENDED


def _check(node: Any, row: dict[str, Any], rights: set[str], *, own: bool) -> None:
    user = row["user"]
    assert node["user"]["name"] == user["name"]
    if not own:
        assert node["user"]["loginId"] == user.get("login_id")
        assert node["user"]["sisId"] == user.get("sis_user_id")
        assert (node["user"]["email"] is None) or "read_email_addresses" in rights
        assert node["lastActivityAt"] is None or "last_activity_at" in row
    assert node["sisImportId"] is None or "sis_import_id" in row
    assert node["section"]["sisId"] is None or "sis_section_id" in row


async def test_an_email_is_shown_to_those_whom_canvas_shows_it(seen: Seen) -> None:
    zoe = str(seen.twin.cast.people["student"].id)

    def email(course: Any) -> Any:
        nodes = course["enrollments"]["nodes"]
        return next(one["user"]["email"] for one in nodes if one["user"]["canvasId"] == zoe)

    assert email(await shown_to(seen, "teacher"))
    assert email(await shown_to(seen, "student")) == email(await shown_to(seen, "teacher"))
    assert email(await shown_to(seen, "designer")) is None
    assert email(await shown_to(seen, "two_sections")) is None


async def test_the_answer_is_kept_for_a_while_and_then_asked_for_again(seen: Seen) -> None:
    teacher = seen.twin.cast.people["teacher"]

    async def asked() -> int:
        await seen.viewer(teacher)
        return sum(n for endpoint, n in seen.twin.billed().items() if "permissions" in endpoint)

    first = await asked()
    assert first > 0
    assert first == await asked()
    seen.twin.clock.advance(timedelta(minutes=6))
    assert first < await asked()


async def test_a_right_that_canvas_takes_away_is_gone_when_it_is_asked_again(seen: Seen) -> None:
    assert len((await shown_to(seen, "two_sections"))["enrollments"]["nodes"]) > 5
    role = next(one for one in seen.twin.school.roles.values() if one.name == "StudentEnrollment")
    seen.twin.school.update(role, overrides={"read_roster": False})
    seen.twin.clock.advance(timedelta(minutes=6))

    course = await shown_to(seen, "two_sections")

    people = {node["user"]["canvasId"] for node in course["enrollments"]["nodes"]}
    assert people == {str(seen.twin.cast.people["two_sections"].id)}
    gaps = course["enrollments"]["provenance"]["gaps"]
    assert (None, "NOT_PERMITTED") in [(gap["field"], gap["reason"]) for gap in gaps]


async def test_when_canvas_is_down_the_last_answer_stands_for_an_hour(seen: Seen) -> None:
    before = await shown_to(seen, "teacher")
    seen.twin.break_(Kind("status"), "permissions", status=503)
    seen.twin.clock.advance(timedelta(minutes=30))
    assert len(before["enrollments"]["nodes"]) == len(
        (await shown_to(seen, "teacher"))["enrollments"]["nodes"]
    )
    seen.twin.clock.advance(timedelta(minutes=31))

    course = await shown_to(seen, "teacher")

    assert course["enrollments"]["totalCount"] is None
    messages = [gap["message"] for gap in course["enrollments"]["provenance"]["gaps"]]
    assert any("not known" in one for one in messages)


async def test_nobody_to_ask_by_is_unknown_and_not_empty(seen: Seen) -> None:
    seen.readers.tokens.configured = None

    course = await shown_to(seen, "teacher")

    people = {node["user"]["canvasId"] for node in course["enrollments"]["nodes"]}
    assert people == {str(seen.twin.cast.people["teacher"].id)}
    assert course["enrollments"]["totalCount"] is None
    assert course["enrollments"]["provenance"]["completeness"] == "UNKNOWN"


async def test_a_persons_own_token_is_asked_before_the_admins(seen: Seen) -> None:
    teacher = seen.twin.cast.people["teacher"]
    scope = await seen.readers.person(teacher)
    seen.readers.tokens.own[scope.id] = seen.twin.token("teacher")
    seen.readers.tokens.configured = None

    course = await shown_to(seen, "teacher")

    assert len(course["enrollments"]["nodes"]) > 20


async def test_without_pii_an_acting_service_sees_rows_and_knows_nobody(seen: Seen) -> None:
    teacher = seen.twin.cast.people["teacher"]
    scopes = frozenset({Scope.ROSTER_READ, Scope.ACT_AS})
    one = await seen.viewer(teacher, scopes=scopes)
    other = await seen.viewer(teacher, scopes=scopes, service=Service(token_id=2, name="other"))
    again = await seen.viewer(teacher, scopes=scopes, service=Service(token_id=3, name="product"))
    query = "query($id: ID!) { course(by: {canvasId: $id}) { enrollments { nodes { id user { id name } } } } }"

    async def ids(viewer: Any) -> list[str]:
        data = await seen.ask(viewer, query, id=str(seen.demo.id))
        nodes = data["course"]["enrollments"]["nodes"]
        assert {node["user"]["name"] for node in nodes} == {None}
        return [one["id"] for node in nodes for one in (node, node["user"])]

    assert await ids(one) == await ids(again)
    assert not set(await ids(one)) & set(await ids(other))
