"""The control API: the clock, changes behind a client's back, the truth, and the bill."""

from datetime import timedelta
from typing import Any

import pytest

from tests.twin.conftest import NOW, MakeTwin, Twin


@pytest.fixture
def twin(make_twin: MakeTwin) -> Twin:
    return make_twin(control=True)


async def change(twin: Twin, change_name: str, /, **fields: Any) -> dict[str, Any]:
    response = await twin.client.post(f"/control/school/{change_name}", json=fields)
    assert response.status_code == 200, response.text
    made: dict[str, Any] = response.json()
    return made


async def truth(twin: Twin, course: str, viewer: str | None = None) -> dict[str, Any]:
    params = {} if viewer is None else {"viewer": str(twin.cast.people[viewer].id)}
    number = twin.cast.courses[course].id
    response = await twin.client.get(f"/control/truth/courses/{number}", params=params)
    assert response.status_code == 200, response.text
    told: dict[str, Any] = response.json()
    return told


def member(told: dict[str, Any], twin: Twin, person: str) -> dict[str, Any]:
    number = str(twin.cast.people[person].id)
    (row,) = [row for row in told["enrollments"] if row["user_id"] == number]
    found: dict[str, Any] = row
    return found


async def test_nothing_of_it_is_served_unless_asked_for(make_twin: MakeTwin) -> None:
    twin = make_twin()

    for path in ("/control", "/control/faults", "/control/bill", "/control/clock"):
        assert (await twin.client.get(path)).status_code == 404


async def test_the_index_names_routes_and_changes(twin: Twin) -> None:
    index = (await twin.client.get("/control")).json()

    assert "POST /control/clock" in index["routes"]
    assert {"enrol", "drop", "merge", "reissue_sis_id"} <= set(index["changes"])


async def test_the_clock_goes_forward_only(twin: Twin) -> None:
    assert (await twin.client.get("/control/clock")).json() == {"now": "2026-03-02T10:00:00Z"}
    await twin.client.post("/control/clock", json={"seconds": 90})
    assert twin.clock.now() == NOW + timedelta(seconds=90)
    to = "2026-03-03T00:00:00+01:00"
    moved = await twin.client.post("/control/clock", json={"to": to})
    assert moved.json() == {"now": "2026-03-02T23:00:00Z"}

    for wrong in ({"seconds": -1}, {"to": "2026-01-01T00:00:00Z"}, {"to": "2027-01-01T00:00:00"}):
        assert (await twin.client.post("/control/clock", json=wrong)).status_code == 400


async def test_somebody_is_enrolled_and_dropped(twin: Twin) -> None:
    demo, person = twin.cast.courses["demo"].id, twin.cast.people["no_sis"].id
    made = await change(twin, "enrol", user=str(person), course=str(demo), role="Grader")

    told = await truth(twin, "demo")
    row = next(each for each in told["enrollments"] if each["id"] == str(made["enrollment"]))
    assert (row["role"], row["type"], row["workflow_state"]) == ("Grader", "TaEnrollment", "active")

    await change(twin, "drop", enrollment=made["enrollment"])
    assert twin.school.enrollments[made["enrollment"]].workflow_state == "deleted"
    again = await change(twin, "enrol", user=str(person), course=str(demo), role="Grader")
    assert again == made
    await change(twin, "drop", user=str(person), course=str(demo), state="completed")
    assert twin.school.enrollments[made["enrollment"]].workflow_state == "completed"


async def test_a_course_is_concluded_and_comes_back_without_its_people(twin: Twin) -> None:
    demo = str(twin.cast.courses["demo"].id)
    await change(twin, "course", course=demo, to="concluded")
    await change(twin, "course", course=demo, to="unconcluded")

    told = await truth(twin, "demo")

    assert told["course"]["workflow_state"] == "available"
    assert member(told, twin, "student")["workflow_state"] == "completed"
    assert member(told, twin, "pending")["on_default_roster"] is True


async def test_a_section_moves_with_its_people_and_back(twin: Twin) -> None:
    section, evening = twin.cast.sections["demo_b"], twin.cast.courses["evening"]
    await change(
        twin,
        "move_section",
        section=f"sis_section_id:{section.sis_source_id}",
        course=str(evening.id),
    )

    assert member(await truth(twin, "evening"), twin, "grader")["workflow_state"] == "active"
    moved = await change(twin, "move_section", section=str(section.id))
    assert moved["course"] == twin.cast.courses["demo"].id


async def test_renames_are_made_by_hand_and_so_are_sticky(twin: Twin) -> None:
    person = twin.cast.people["student"]
    await change(twin, "rename", user="sis_user_id:000123", name="Zoë Married")
    await change(twin, "rename", course=str(twin.cast.courses["demo"].id), name="CS One")
    await change(twin, "rename", section=str(twin.cast.sections["demo"].id), name="Group 1")

    assert (person.name, person.short_name) == ("Zoë Married", "Zoë Married")
    assert "name" in person.stuck
    assert twin.cast.courses["demo"].name == "CS One"
    assert twin.cast.sections["demo"].name == "Group 1"


async def test_two_people_are_merged(twin: Twin) -> None:
    one, two = (str(twin.cast.people[key].id) for key in ("twin_one", "twin_two"))
    await change(twin, "merge", loser=one, survivor=two)

    assert (await twin.get(f"/api/v1/users/{one}")).status_code == 404
    again = await twin.client.post("/control/school/merge", json={"loser": one, "survivor": two})
    assert again.status_code == 400


async def test_a_sis_id_is_given_out_again(twin: Twin) -> None:
    people = twin.cast.people
    await change(
        twin,
        "reissue_sis_id",
        sis_user_id="000123",
        to=str(people["no_sis"].id),
        instead="000123-old",
    )

    found = await twin.get("/api/v1/users/sis_user_id:000123")

    assert found.json()["id"] == people["no_sis"].id
    old = await twin.get("/api/v1/users/sis_user_id:000123-old")
    assert old.json()["id"] == people["student"].id


async def test_an_address_is_retired_and_a_new_one_given(twin: Twin) -> None:
    person = str(twin.cast.people["student"].id)
    await change(twin, "set_email", user=person, email="new@example.edu")
    assert member(await truth(twin, "demo"), twin, "student")["email"] == "new@example.edu"
    await change(twin, "set_email", user=person)
    assert member(await truth(twin, "demo"), twin, "student")["email"] is None


async def test_any_field_can_be_set_by_its_name(twin: Twin) -> None:
    term = twin.cast.terms["current"]
    await change(twin, "set", table="term", id=term.id, fields={"end_at": "2026-02-01T00:00:00Z"})

    assert member(await truth(twin, "demo"), twin, "student")["date_state"] == "completed"
    for fields in ({"end_at": 7}, {"no_such": 1}, {"id": 1}):
        body = {"table": "term", "id": term.id, "fields": fields}
        assert (await twin.client.post("/control/school/set", json=body)).status_code == 400


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("no_such", {}, 404),
        ("drop", {}, 400),
        ("drop", {"user": "1"}, 400),
        ("rename", {"name": "x"}, 400),
        ("enrol", {"user": "999999", "course": "1"}, 404),
        ("enrol", {"user": "1", "course": "1", "role": "No Such Role"}, 404),
        ("enrol", {"usr": "1"}, 400),
        ("course", {"course": "1", "to": "moon"}, 400),
    ],
)
async def test_a_change_that_makes_no_sense_is_refused(
    twin: Twin, name: str, body: dict[str, Any], status: int
) -> None:
    assert (await twin.client.post(f"/control/school/{name}", json=body)).status_code == status


async def test_the_truth_hides_nothing(twin: Twin) -> None:
    told = await truth(twin, "demo")

    assert member(told, twin, "dropped")["workflow_state"] == "deleted"
    assert member(told, twin, "completed")["on_default_roster"] is False
    student = member(told, twin, "student")
    assert (student["sis_user_id"], student["login_id"]) == ("000123", "zoneil")
    assert student["lti_id"] == twin.cast.people["student"].lti_id


@pytest.mark.parametrize(
    "viewer",
    ["admin", "teacher", "limited_teacher", "ta", "student", "observer", "registrar", "auditor"],
)
async def test_what_a_viewer_may_see_is_what_the_api_shows_them(twin: Twin, viewer: str) -> None:
    told = (await truth(twin, "demo", viewer))["viewer"]
    path = f"/api/v1/courses/{twin.cast.courses['demo'].id}/enrollments"

    response = await twin.get(path, viewer, per_page=100)

    assert response.status_code == told["status"]
    if told["status"] == 200:
        rows = await twin.pages(path, viewer, per_page=100)
        assert sorted(str(row["id"]) for row in rows) == sorted(told["default_list"])
        keys = {str(row["id"]): set(row) for row in rows}
        assert keys == {
            str(row["id"]): set(row)
            for row in told["enrollments"]
            if str(row["id"]) in told["default_list"]
        }
        assert set(told["default_list"]) <= set(told["any_state"])


async def test_the_people_a_viewer_sees_are_those_of_the_user_list(twin: Twin) -> None:
    told = (await truth(twin, "demo", "limited_teacher"))["viewer"]
    path = f"/api/v1/courses/{twin.cast.courses['demo'].id}/users"

    rows = await twin.pages(path, "limited_teacher", per_page=100)

    assert {row["id"] for row in rows} == {row["id"] for row in told["users"]}


async def test_the_bill_has_requests_and_units_by_endpoint_token_and_person(twin: Twin) -> None:
    cast = twin.cast
    student, admin = cast.people["student"].id, cast.people["admin"].id
    for _ in range(2):
        await twin.get("/api/v1/accounts/1")
    await twin.get(f"/api/v1/users/{student}/courses", as_user_id=student)
    await twin.get("/api/v1/accounts/1", "student")

    bill = (await twin.client.get("/control/bill")).json()

    assert bill["total"]["requests"] == 4
    assert bill["total"]["units"] > 0
    shown = [item for route, item in bill["by_endpoint"].items() if "/accounts/{" in route]
    assert [item["requests"] for item in shown] == [3]
    assert sorted(item["requests"] for item in bill["by_token"].values()) == [1, 3]
    assert bill["by_person"][str(admin)]["requests"] == 2
    assert bill["by_person"][str(student)]["requests"] == 2
    (acted,) = [row for row in bill["lines"] if row["real_user_id"]]
    assert (acted["user_id"], acted["real_user_id"]) == (str(student), str(admin))
    assert (await twin.client.delete("/control/bill")).json() == {"cleared": True}
    assert (await twin.client.get("/control/bill")).json()["total"]["requests"] == 0


async def test_what_is_no_endpoint_is_named_by_its_path(twin: Twin) -> None:
    await twin.client.get("/files/4711/download")

    bill = (await twin.client.get("/control/bill")).json()

    assert bill["by_endpoint"]["GET /files/{id}/download"]["requests"] == 1


async def test_a_refusal_stands_on_the_bill(make_twin: MakeTwin) -> None:
    twin = make_twin(control=True, throttle_hwm=10)

    assert (await twin.get("/api/v1/accounts/1")).status_code == 429

    total = (await twin.client.get("/control/bill")).json()["total"]
    assert (total["requests"], total["refused"], total["units"]) == (1, 1, 0)


async def test_masqueraded_calls_can_be_read(twin: Twin) -> None:
    student = twin.cast.people["student"].id
    await twin.get("/api/v1/users/self", as_user_id=student)

    (logged,) = (await twin.client.get("/control/masquerades")).json()

    assert (logged["user_id"], logged["real_user_id"]) == (student, twin.cast.people["admin"].id)
    assert (logged["method"], logged["path"]) == ("GET", "/api/v1/users/self")


async def test_the_cast_is_told_and_anybody_gets_a_token(twin: Twin) -> None:
    cast = (await twin.client.get("/control/cast")).json()
    assert cast["people"]["student"] == str(twin.cast.people["student"].id)
    assert cast["tokens"]["admin"] == twin.cast.tokens["admin"]

    made = await twin.client.post("/control/tokens", json={"user": cast["people"]["comma"]})
    headers = {"Authorization": f"Bearer {made.json()['token']}"}
    me = await twin.client.get("/api/v1/users/self", headers=headers)

    assert str(me.json()["id"]) == cast["people"]["comma"]
