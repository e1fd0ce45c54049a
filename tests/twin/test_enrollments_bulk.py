"""Bulk enrollment and temporary enrollments: enrollments-api.md sections 5.2 and 7.5."""

from datetime import timedelta
from typing import Any

import pytest

from tests.twin.conftest import NOW, MakeTwin, Twin
from tests.twin.enrolled import courses_path, newcomer
from twin.roles import role_id

BULK = "/api/v1/accounts/1/bulk_enrollment"
PAIRINGS = "/api/v1/accounts/1/temporary_enrollment_pairings"
STUDENT = "StudentEnrollment"


async def bulk(twin: Twin, person: str = "admin", **fields: Any) -> tuple[int, Any]:
    response = await twin.send("POST", BULK, person, json=fields)
    return response.status_code, response.json()


def states(twin: Twin, user_id: int) -> dict[str, str]:
    names = {course.id: key for key, course in twin.cast.courses.items()}
    return {
        names[row.course_id]: row.workflow_state
        for row in twin.school.enrollments_of_user.of(user_id)
    }


async def test_a_job_enrols_everybody_everywhere_as_time_passes(twin: Twin) -> None:
    people = [newcomer(twin).id, newcomer(twin).id]
    courses = [twin.cast.courses[key].id for key in ("demo", "unpublished", "past")]
    status, started = await bulk(twin, user_ids=people, course_ids=courses)
    path = f"/api/v1/progress/{started['id']}"

    assert status == 200
    assert {
        "context_type": "Account",
        "context_id": 1,
        "tag": "bulk_enrollment",
        "completion": 0,
        "workflow_state": "queued",
        "message": None,
        "url": f"http://canvas.test{path}",
    }.items() <= started.items()
    assert "results" not in started
    assert {} == states(twin, people[0])

    twin.clock.advance(timedelta(seconds=1))

    assert "running" == (await twin.get(path)).json()["workflow_state"]

    twin.clock.advance(timedelta(seconds=1))
    done = (await twin.get(path)).json()

    assert ("completed", 100) == (done["workflow_state"], done["completion"])
    assert "results" in done
    for person in people:
        assert {"demo": "invited", "unpublished": "creation_pending"} == states(twin, person)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"enrollment_type": "student"}, "Invalid enrollment type."),
        ({"enrollment_role_id": 999}, "Invalid role"),
        (
            {"enrollment_role_id": "Reader"},
            "Cannot create an enrollment with this role because it is inactive.",
        ),
        (
            {"enrollment_role_id": "Grader", "enrollment_type": STUDENT},
            "The specified type must match the base type for the role",
        ),
    ],
)
async def test_errors_are_text_here(twin: Twin, fields: dict[str, Any], words: str) -> None:
    role = fields.get("enrollment_role_id")
    if isinstance(role, str):
        fields = {**fields, "enrollment_role_id": role_id(twin.school, role)}
    asked = {"user_ids": [1], "course_ids": [twin.cast.courses["demo"].id], **fields}

    assert (400, {"errors": words}) == await bulk(twin, **asked)


@pytest.mark.parametrize(("people", "status"), [(50, 200), (51, 400)])
async def test_five_hundred_at_most(twin: Twin, people: int, status: int) -> None:
    """Users times courses."""
    users = list(twin.school.users)[:people]
    courses = [row.id for row in twin.school.courses.values() if row.workflow_state == "available"]
    got, body = await bulk(twin, user_ids=users, course_ids=courses[:10])

    assert status == got
    if status == 400:
        assert {"errors": "Too many users to enroll at once."} == body


async def test_one_refusal_refuses_all(twin: Twin) -> None:
    """A sub-account's admin may not enrol in the course of another faculty."""
    courses = [twin.cast.courses[key].id for key in ("demo", "past")]
    status, _ = await bulk(twin, "sub_admin", user_ids=[1], course_ids=courses)

    assert 401 == status
    assert 200 == (await bulk(twin, "sub_admin", user_ids=[1], course_ids=courses[:1]))[0]


async def test_missing_lists_are_not_handled(twin: Twin) -> None:
    assert 500 == (await bulk(twin, user_ids=[1]))[0]


# -- temporary enrollments -------------------------------------------------------------------------


async def lend(twin: Twin, ending: str) -> tuple[int, int, int]:
    """Ids of the pairing, the row lent and the person lent to."""
    teacher, stand_in = twin.cast.people["teacher"], newcomer(twin)
    pairing = await twin.send("POST", PAIRINGS, json={"ending_enrollment_state": ending})
    assert {"id": 1, "workflow_state": "active"} == pairing.json()
    lent = await twin.send(
        "POST",
        courses_path(twin),
        json={
            "enrollment": {
                "user_id": stand_in.id,
                "type": "TeacherEnrollment",
                "start_at": NOW.isoformat(),
                "end_at": (NOW + timedelta(days=3)).isoformat(),
                "temporary_enrollment_source_user_id": teacher.id,
                "temporary_enrollment_pairing_id": 1,
            }
        },
    )
    body = lent.json()
    assert teacher.id == body["temporary_enrollment_source_user_id"]
    assert ("active", 1) == (body["enrollment_state"], body["temporary_enrollment_pairing_id"])
    return 1, body["id"], stand_in.id


@pytest.mark.parametrize("ending", ["deleted", "completed", "inactive"])
async def test_a_lent_role_ends_in_the_pairings_state(make_twin: MakeTwin, ending: str) -> None:
    twin = make_twin(temporary_enrollments=True)
    _, row_id, person = await lend(twin, ending)
    teacher = twin.cast.people["teacher"].id

    def status(user_id: int) -> str:
        return f"/api/v1/users/{user_id}/temporary_enrollment_status"

    assert {"is_provider": True, "is_recipient": False, "can_provide": True} == (
        await twin.get(status(teacher))
    ).json()
    assert {"is_provider": False, "is_recipient": True, "can_provide": True} == (
        await twin.get(status(person), as_user_id=person)
    ).json()

    twin.clock.advance(timedelta(days=4))
    await twin.get("/api/v1/accounts/self")

    assert ending == twin.school.enrollments[row_id].workflow_state


async def test_lists_of_what_was_lent(make_twin: MakeTwin) -> None:
    twin = make_twin(temporary_enrollments=True)
    _, row_id, person = await lend(twin, "deleted")
    teacher = twin.cast.people["teacher"].id
    borrowed = await twin.pages(
        f"/api/v1/users/{person}/enrollments",
        temporary_enrollments_for_recipient="true",
        include=["temporary_enrollment_providers"],
    )
    lent = await twin.pages(
        f"/api/v1/users/{teacher}/enrollments",
        temporary_enrollment_recipients_for_provider="true",
    )
    refused = await twin.get(
        f"/api/v1/users/{teacher}/enrollments",
        "teacher",
        temporary_enrollment_recipients_for_provider="true",
    )

    assert [row_id] == [row["id"] for row in borrowed] == [row["id"] for row in lent]
    assert teacher == borrowed[0]["temporary_enrollment_provider"]["id"]
    assert 401 == refused.status_code


async def test_both_ids_or_none(make_twin: MakeTwin) -> None:
    twin = make_twin(temporary_enrollments=True)
    response = await twin.send(
        "POST",
        courses_path(twin),
        json={
            "enrollment": {"user_id": newcomer(twin).id, "temporary_enrollment_source_user_id": 1}
        },
    )

    assert response.json()["temporary_enrollment_source_user_id"] is None


async def test_pairings_come_and_go(make_twin: MakeTwin) -> None:
    twin = make_twin(temporary_enrollments=True, pairings_wrapped=True)
    await twin.send("POST", PAIRINGS, json={})
    pairing = {"temporary_enrollment_pairing": {"id": 1, "workflow_state": "active"}}

    assert [pairing] == (await twin.get(PAIRINGS)).json()
    assert pairing == (await twin.get(f"{PAIRINGS}/1")).json()
    assert {"temporary_enrollment_pairing": {"id": None, "workflow_state": "active"}} == (
        await twin.get(f"{PAIRINGS}/new")
    ).json()
    assert 401 == (await twin.get(PAIRINGS, "teacher")).status_code
    assert (
        400
        == (
            await twin.send("POST", PAIRINGS, json={"ending_enrollment_state": "active"})
        ).status_code
    )

    gone = await twin.send("DELETE", f"{PAIRINGS}/1")

    assert "deleted" == gone.json()["temporary_enrollment_pairing"]["workflow_state"]
    assert 404 == (await twin.get(f"{PAIRINGS}/1")).status_code
    assert [] == (await twin.get(PAIRINGS)).json()


async def test_many_statuses_leave_out_whom_one_may_not_see(make_twin: MakeTwin) -> None:
    twin = make_twin(temporary_enrollments=True)
    path = "/api/v1/temporary_enrollment_status"
    teacher, student = twin.cast.people["teacher"].id, twin.cast.people["student"].id
    none = {"is_provider": False, "is_recipient": False}

    assert {
        str(teacher): {**none, "can_provide": True},
        str(student): {**none, "can_provide": False},
    } == (await twin.get(path, user_ids=[teacher, student, 999999])).json()
    assert [str(student)] == list(
        (await twin.get(path, "student", user_ids=[teacher, student])).json()
    )
    assert [str(teacher)] == list(
        (await twin.get(path, user_ids=[teacher, student], limit=1)).json()
    )
    missing = await twin.get(path)
    assert (400, {}) == (missing.status_code, missing.json())


async def test_without_the_feature_nothing_of_it_shows(twin: Twin) -> None:
    many = await twin.get("/api/v1/temporary_enrollment_status", user_ids=[1])
    row = (await twin.get(courses_path(twin))).json()[0]

    assert (200, {}) == (many.status_code, many.json())
    assert not [key for key in row if key.startswith("temporary")]
    assert 404 == (await twin.get(PAIRINGS)).status_code
