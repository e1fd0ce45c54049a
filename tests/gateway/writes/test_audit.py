"""The audit of single changes and the pins, through the graph: for operators, and for nobody else."""

import json
from dataclasses import replace
from typing import Any

import pytest

from gateway.viewer import PERSONAL, Rights, Scope, Viewer
from tests.gateway.writes.changer import Changer, broken, codes
from twin.faults import Kind
from twin.records import Course

AUDIT = """query ($filter: ChangeRequestFilter, $first: Int, $after: String) {
  changeRequests(filter: $filter, first: $first, after: $after) {
    nodes { id operation state askedAt toldAt endedAt input service realUser authority told answer readBack
      error { code message path } actor { canvasId } user { canvasId } course { canvasId } enrollment { canvasId } }
    pageInfo { hasNextPage endCursor } } }"""
PIN = "pin { id why user { canvasId } enrollment { canvasId } } errors { code message path }"
PINS = (
    "{ pins { nodes { id why user { canvasId } enrollment { canvasId } pinnedBy { canvasId } } } }"
)


@pytest.fixture
def course(changer: Changer) -> Course:
    return changer.twin.cast.courses["demo"]


def operator(changer: Changer) -> Viewer:
    return replace(
        changer.service, scopes=frozenset({Scope.ADMIN, Scope.ROSTER_READ, Scope.PII_READ})
    )


async def audit(changer: Changer, **variables: Any) -> list[dict[str, Any]]:
    data = await changer.execute(AUDIT, variables, operator(changer))
    nodes: list[dict[str, Any]] = data["changeRequests"]["nodes"]
    return nodes


async def test_it_tells_who_asked_what_canvas_was_told_and_what_it_said(
    changer: Changer, course: Course
) -> None:
    row = changer.enroll(course, state="inactive")
    await changer.read(course)
    teacher = changer.twin.cast.people["teacher"]
    viewer = changer.as_person(await changer.person_id(teacher))
    asked = {"enrollment": changer.by(row), "startAt": "2026-02-01T00:00:00Z"}

    await changer.do("updateEnrollment", asked, viewer)
    await changer.do("endEnrollment", {"enrollment": changer.by(row), "task": "DELETE"})
    await changer.do("endEnrollment", {"enrollment": changer.by(row), "task": "CONCLUDE"}, viewer)
    refused, deleted, updated = await audit(changer)

    assert ("updateEnrollment", "DONE", "MASQUERADE", "planner", False) == (
        updated["operation"],
        updated["state"],
        updated["authority"],
        updated["service"],
        updated["readBack"],
    )
    assert str(teacher.id) == updated["actor"]["canvasId"]
    assert (str(row.user_id), str(course.id), str(row.id)) == (
        updated["user"]["canvasId"],
        updated["course"]["canvasId"],
        updated["enrollment"]["canvasId"],
    )
    assert asked == json.loads(updated["input"]) | {"startAt": asked["startAt"]}
    told = json.loads(updated["told"])
    assert ("POST", f"/courses/{course.id}/enrollments") == (told["method"], told["path"])
    fields = dict(told["fields"])
    assert ("inactive", "2026-02-01T00:00:00Z", "false") == (
        fields["enrollment[enrollment_state]"],
        fields["enrollment[start_at]"],
        fields["enrollment[notify]"],
    )
    assert str(row.id) == json.loads(updated["answer"])["id"]
    assert ("DONE", "SERVICE", None) == (deleted["state"], deleted["authority"], deleted["actor"])
    assert ("REFUSED", "NOT_FOUND", None) == (
        refused["state"],
        refused["error"]["code"],
        refused["told"],
    )


async def test_it_is_filtered_and_paged(changer: Changer, course: Course) -> None:
    rows = [changer.enroll(course) for _ in range(3)]
    await changer.read(course)
    for row in rows:
        with broken(changer.twin, Kind.MALFORMED_JSON, "enrollments/", count=int(row is rows[1])):
            await changer.do("endEnrollment", {"enrollment": changer.by(row), "task": "DELETE"})
    teacher = changer.twin.cast.people["teacher"]

    about = await audit(changer, filter={"user": {"canvasId": str(rows[1].user_id)}})
    assert [(True, None)] == [(one["readBack"], one["answer"]) for one in about]
    assert 3 == len(await audit(changer, filter={"course": changer.by(course), "states": ["DONE"]}))
    assert [] == await audit(changer, filter={"states": ["REFUSED"]})
    assert [] == await audit(changer, filter={"actor": changer.by(teacher)})
    first = await changer.execute(AUDIT, {"first": 2}, operator(changer))
    rest = await audit(changer, after=first["changeRequests"]["pageInfo"]["endCursor"])
    assert first["changeRequests"]["pageInfo"]["hasNextPage"]
    seen = [one["enrollment"]["canvasId"] for one in [*first["changeRequests"]["nodes"], *rest]]
    assert [str(row.id) for row in reversed(rows)] == seen


async def test_what_people_are_called_is_for_whoever_may_see_it(
    changer: Changer, course: Course
) -> None:
    row = changer.enroll(course)
    await changer.read(course)
    await changer.do("endEnrollment", {"enrollment": changer.by(row), "task": "DELETE"})
    viewer = replace(operator(changer), rights=Rights(hidden=PERSONAL))

    data = await changer.execute(AUDIT, {}, viewer)

    [one] = data["changeRequests"]["nodes"]
    assert ("endEnrollment", "DONE") == (one["operation"], one["state"])
    assert {None} == {one[name] for name in ("input", "told", "answer", "realUser")}
    assert one["user"] == {"canvasId": None}


@pytest.mark.parametrize("query", [AUDIT, PINS])
async def test_only_operators_may_look(changer: Changer, query: str) -> None:
    with pytest.raises(AssertionError, match="admin"):
        await changer.execute(query, {})


async def test_what_is_pinned_and_unpinned(changer: Changer, course: Course) -> None:
    row, other = changer.enroll(course), changer.enroll(course)
    await changer.read(course)
    who = operator(changer)
    one = {"enrollment": changer.by(row), "why": "exam board", "idempotencyKey": "1"}

    pinned = await changer.do("pin", one, who, PIN)
    again = await changer.do("pin", one, who, PIN)
    whole = await changer.do("pin", {"user": {"canvasId": str(other.user_id)}}, who, PIN)

    assert [] == pinned["errors"] == whole["errors"]
    assert pinned == again
    listed = (await changer.execute(PINS, {}, who))["pins"]["nodes"]
    assert [
        (None, str(other.user_id), None),
        ("exam board", str(row.user_id), str(row.id)),
    ] == [
        (
            pin["why"],
            pin["user"]["canvasId"],
            pin["enrollment"] and pin["enrollment"]["canvasId"],
        )
        for pin in listed
    ]
    # one by one it may be changed all the same
    ended = await changer.do("endEnrollment", {"enrollment": changer.by(row), "task": "DELETE"})
    assert [] == ended["errors"]

    gone = {"pin": pinned["pin"]["id"], "idempotencyKey": "2"}
    for _ in range(2):
        assert pinned["pin"] == (await changer.do("unpin", gone, who, PIN))["pin"]
    assert ["NOT_FOUND"] == codes(await changer.do("unpin", {"pin": gone["pin"]}, who, PIN))
    mismatch = await changer.do("unpin", gone | {"pin": whole["pin"]["id"]}, who, PIN)
    assert ["IDEMPOTENCY_MISMATCH"] == codes(mismatch)
    assert 1 == len((await changer.execute(PINS, {}, who))["pins"]["nodes"])
