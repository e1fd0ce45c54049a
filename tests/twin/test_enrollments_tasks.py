"""Ending, reviving and answering enrollments: enrollments-api.md section 7, row by row."""

from datetime import timedelta
from typing import Any

import pytest

from tests.twin.conftest import NOW, Twin
from tests.twin.enrolled import FIVE_TYPES, courses_path, enrolled
from twin import changes
from twin.records import Enrollment

STUDENT, TEACHER, TA = "StudentEnrollment", "TeacherEnrollment", "TaEnrollment"
DESIGNER, OBSERVER = "DesignerEnrollment", "ObserverEnrollment"
REFUSED = {
    "status": "unauthorized",
    "errors": [{"message": "user not authorized to perform that action"}],
}
MISSING = {"errors": [{"message": "The specified resource does not exist."}]}
NOT_DELETED = ("active", "invited", "creation_pending", "inactive", "completed", "rejected")
LAST_WEEK, NEXT_WEEK = NOW - timedelta(days=7), NOW + timedelta(days=7)


async def send(
    twin: Twin, method: str, row: Enrollment, rest: str = "", person: str = "admin", **params: Any
) -> tuple[int, Any]:
    response = await twin.send(
        method, courses_path(twin, rest=f"/{row.id}{rest}"), person, params=params
    )
    return response.status_code, response.json()


async def end(
    twin: Twin, row: Enrollment, task: str | None, person: str = "admin"
) -> tuple[int, Any]:
    return await send(twin, "DELETE", row, "", person, **({} if task is None else {"task": task}))


# -- 7.1: DELETE -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FIVE_TYPES)
@pytest.mark.parametrize("stored", NOT_DELETED)
@pytest.mark.parametrize(
    ("task", "state"),
    [
        (None, "completed"),
        ("conclude", "completed"),
        ("destroy", "completed"),
        ("delete", "deleted"),
        ("inactivate", "inactive"),
        ("deactivate", "inactive"),
    ],
)
async def test_a_task_ends_a_row_of_any_type_in_any_state(
    twin: Twin, task: str | None, state: str, stored: str, kind: str
) -> None:
    row = enrolled(twin, kind, stored)
    status, body = await end(twin, row, task)

    assert (200, row.id, state) == (status, body["id"], body["enrollment_state"])
    assert state == row.workflow_state
    assert (NOW if state == "completed" else None) == row.completed_at
    assert "user" not in body


@pytest.mark.parametrize("task", [None, "conclude", "delete", "inactivate", "deactivate"])
async def test_a_deleted_row_is_not_found(twin: Twin, task: str | None) -> None:
    row = enrolled(twin, state="deleted")

    assert (404, MISSING) == await end(twin, row, task)


async def test_a_second_delete_is_not_found_and_a_second_conclude_is_later(twin: Twin) -> None:
    deleted, concluded = enrolled(twin), enrolled(twin)
    for row, task in ((deleted, "delete"), (concluded, "conclude")):
        assert 200 == (await end(twin, row, task))[0]
    twin.clock.advance(timedelta(hours=1))

    assert (404, MISSING) == await end(twin, deleted, "delete")
    assert 200 == (await end(twin, concluded, "conclude"))[0]
    assert NOW + timedelta(hours=1) == concluded.completed_at


async def test_a_row_of_another_course_is_not_found(twin: Twin) -> None:
    row = enrolled(twin, section="evening")

    assert (404, MISSING) == await end(twin, row, "delete")
    assert "active" == row.workflow_state


async def test_an_enrollment_has_plain_ids_only(twin: Twin) -> None:
    row = enrolled(twin)
    path = courses_path(twin)
    found = await twin.send("DELETE", f"{path}/1~{row.id}")
    missing = await twin.send("DELETE", f"{path}/sis_enrollment_id%3A{row.id}")

    assert 200 == found.status_code
    assert 404 == missing.status_code


async def test_the_task_may_come_in_the_body(twin: Twin) -> None:
    row = enrolled(twin)
    path = courses_path(twin, rest=f"/{row.id}")
    response = await twin.client.request(
        "DELETE", path, data={"task": "inactivate"}, headers=twin.bearer()
    )

    assert "inactive" == response.json()["enrollment_state"]


async def test_neither_sis_nor_the_end_of_the_course_keeps_a_row(twin: Twin) -> None:
    row = enrolled(twin, sis_batch_id=7)
    twin.school.update(twin.cast.terms["current"], end_at=LAST_WEEK)

    assert "inactive" == (await end(twin, row, "inactivate"))[1]["enrollment_state"]
    assert "active" == (await send(twin, "PUT", row, "/reactivate"))[1]["enrollment_state"]
    assert "deleted" == (await end(twin, row, "delete"))[1]["enrollment_state"]
    assert 7 == row.sis_batch_id


@pytest.mark.parametrize(
    ("person", "concludes", "removes"),
    [
        ("admin", set(FIVE_TYPES), set(FIVE_TYPES)),
        ("sub_admin", set(FIVE_TYPES), set(FIVE_TYPES)),
        ("teacher", set(FIVE_TYPES), set(FIVE_TYPES)),
        ("ta", {STUDENT}, {STUDENT, OBSERVER}),
        ("student", set(), set()),
        ("registrar", set(), set()),
    ],
)
async def test_each_task_has_its_right_by_type(
    twin: Twin, person: str, concludes: set[str], removes: set[str]
) -> None:
    for task, allowed in (
        ("conclude", concludes),
        ("delete", removes),
        ("inactivate", removes),
        ("reactivate", removes),
    ):
        got = set()
        for kind in FIVE_TYPES:
            row = enrolled(twin, kind, "inactive" if task == "reactivate" else "active")
            before = row.workflow_state
            if task == "reactivate":
                status, body = await send(twin, "PUT", row, "/reactivate", person)
            else:
                status, body = await end(twin, row, task, person)
            if status == 200:
                got.add(kind)
            else:
                assert (401, REFUSED, before) == (status, body, row.workflow_state)

        assert allowed == got, task


async def test_acting_as_a_ta_ends_what_a_ta_may_end(twin: Twin) -> None:
    ta = twin.cast.people["ta"].id
    student, teacher = enrolled(twin), enrolled(twin, TEACHER)

    assert 200 == (await send(twin, "DELETE", student, task="delete", as_user_id=ta))[0]
    assert (401, REFUSED) == await send(twin, "DELETE", teacher, task="delete", as_user_id=ta)


async def test_an_own_enrollment_is_removed_with_the_accounts_right(twin: Twin) -> None:
    """An admin of the account whose role may not remove students may still leave."""
    admin = twin.cast.people["sub_admin"]
    (held,) = twin.school.admins_of_user.of(admin.id)
    twin.school.update(
        twin.school.roles[held.role_id], overrides={"remove_student_from_course": False}
    )
    own, other = enrolled(twin, user=admin), enrolled(twin)

    assert (401, REFUSED) == await end(twin, other, "delete", "sub_admin")
    assert 200 == (await end(twin, own, "delete", "sub_admin"))[0]


async def test_nobody_leaves_by_himself(twin: Twin) -> None:
    own = enrolled(twin, user=twin.cast.people["student"], section="demo_b")

    assert (401, REFUSED) == await end(twin, own, "delete", "student")


@pytest.mark.parametrize(("person", "status"), [("ta", 200), ("student", 401)])
async def test_a_test_student_is_removed_by_whoever_may_use_one(
    twin: Twin, person: str, status: int
) -> None:
    fake = twin.cast.people["test_student"]
    row = twin.school.enrollments_of_user.of(fake.id)[0]

    assert status == (await end(twin, row, "delete", person))[0]


async def test_ending_a_student_ends_the_observers_row_too(twin: Twin) -> None:
    """Observer enrollments follow the student's: section 4, last line."""
    student, observer = twin.cast.people["student"], twin.cast.people["observer"]
    demo = twin.cast.courses["demo"].id
    row, beside = (
        next(row for row in twin.school.enrollments_of_user.of(user.id) if row.course_id == demo)
        for user in (student, observer)
    )
    await end(twin, row, "inactivate")

    assert "inactive" == beside.workflow_state


# -- 7.2: reactivate -------------------------------------------------------------------------------


@pytest.mark.parametrize("stored", [state for state in NOT_DELETED if state != "inactive"])
async def test_only_an_inactive_row_is_reactivated(twin: Twin, stored: str) -> None:
    row = enrolled(twin, state=stored)

    assert (400, {"error": "enrollment not inactive"}) == await send(
        twin, "PUT", row, "/reactivate"
    )


async def test_reactivation_keeps_every_other_field(twin: Twin) -> None:
    row = enrolled(
        twin,
        state="inactive",
        limit_privileges_to_course_section=True,
        start_at=LAST_WEEK,
        end_at=NEXT_WEEK,
        sis_batch_id=7,
        sis_pseudonym_id=1,
    )
    status, body = await send(twin, "PUT", row, "/reactivate")

    assert (200, "active") == (status, body["enrollment_state"])
    assert "user" not in body
    assert row.limit_privileges_to_course_section
    assert (LAST_WEEK, NEXT_WEEK, 7, 1) == (
        row.start_at,
        row.end_at,
        row.sis_batch_id,
        row.sis_pseudonym_id,
    )


# -- 7.3: accept and reject ------------------------------------------------------------------------

SUCCESS = (200, {"success": True})
NO_INVITATION = (400, {"error": "no current invitation"})
NOT_ACTIVATED = (400, {"error": "membership not activated"})
SELF = (400, {"error": "self enroll"})
GONE = (404, MISSING)


@pytest.mark.parametrize(
    ("kind", "stored", "fields", "accept", "reject", "accepted", "rejected"),
    [
        (STUDENT, "active", {}, SUCCESS, NO_INVITATION, "active", "active"),
        (STUDENT, "rejected", {}, SUCCESS, SUCCESS, "active", "rejected"),
        (STUDENT, "inactive", {}, NOT_ACTIVATED, NOT_ACTIVATED, "inactive", "inactive"),
        (
            *(TEACHER, "active", {"start_at": NEXT_WEEK, "end_at": NEXT_WEEK}),
            *(NOT_ACTIVATED, NOT_ACTIVATED, "active", "active"),
        ),
        (STUDENT, "invited", {"self_enrolled": True}, SELF, SELF, "invited", "invited"),
        (STUDENT, "invited", {}, SUCCESS, SUCCESS, "active", "rejected"),
        (TEACHER, "invited", {}, SUCCESS, SUCCESS, "active", "rejected"),
        (STUDENT, "completed", {}, NO_INVITATION, NO_INVITATION, "completed", "completed"),
        (
            *(STUDENT, "creation_pending", {}),
            *(NO_INVITATION, NO_INVITATION, "creation_pending", "creation_pending"),
        ),
        (
            *(STUDENT, "invited", {"start_at": LAST_WEEK, "end_at": LAST_WEEK}),
            *(NO_INVITATION, NO_INVITATION, "invited", "invited"),
        ),
        (STUDENT, "deleted", {}, GONE, GONE, "deleted", "deleted"),
    ],
)
async def test_invitations_are_answered_by_the_enrollee(
    *,
    twin: Twin,
    kind: str,
    stored: str,
    fields: dict[str, Any],
    accept: tuple[int, Any],
    reject: tuple[int, Any],
    accepted: str,
    rejected: str,
) -> None:
    for answer, expected, state in (("accept", accept, accepted), ("reject", reject, rejected)):
        row = enrolled(twin, kind, stored, **fields)

        assert expected == await send(twin, "POST", row, f"/{answer}", as_user_id=row.user_id)
        assert state == row.workflow_state


@pytest.mark.parametrize("answer", ["accept", "reject"])
@pytest.mark.parametrize("person", ["admin", "teacher"])
async def test_nobody_answers_for_another(twin: Twin, answer: str, person: str) -> None:
    row = enrolled(twin, state="invited")

    assert (401, REFUSED) == await send(twin, "POST", row, f"/{answer}", person)
    assert "invited" == row.workflow_state


# -- 7.4: last attended ----------------------------------------------------------------------------


async def attend(
    twin: Twin, person: str = "admin", *, course: object = None, user: object, date: str | None
) -> tuple[int, Any]:
    course = twin.cast.courses["demo"].id if course is None else course
    path = f"/api/v1/courses/{course}/users/{user}/last_attended"
    data = {} if date is None else {"date": date}
    response = await twin.send("PUT", path, person, data=data)
    return response.status_code, response.json()


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("2026-02-27", "2026-02-27T00:00:00Z"),
        ("2026-02-27T10:00:00-07:00", "2026-02-27T17:00:00Z"),
        ("27 Feb 2026", "2026-02-27T00:00:00Z"),
        ("Feb 27, 2026", "2026-02-27T00:00:00Z"),
        ("Fri, 27 Feb 2026 09:30:00 +0000", "2026-02-27T09:30:00Z"),
    ],
)
async def test_a_date_is_set_on_all_rows_without_touching_them(
    twin: Twin, text: str, date: str
) -> None:
    row = enrolled(twin, created_at=LAST_WEEK)
    user = twin.school.users[row.user_id]
    other = enrolled(twin, TA, user=user, section="demo_b", created_at=LAST_WEEK)

    assert (200, {"date": date}) == await attend(twin, user=user.id, date=text)
    for changed in (row, other):
        assert date == f"{changed.last_attended_at:%Y-%m-%dT%H:%M:%SZ}"
        assert LAST_WEEK == changed.updated_at


async def test_sis_forms_update_nothing_and_still_answer_well(twin: Twin) -> None:
    row = enrolled(twin)
    (login,) = twin.school.pseudonyms_of_user.of(row.user_id)
    course = "lti_context_id%3A" + twin.cast.courses["demo"].lti_context_id
    answer = (200, {"date": "2026-02-27T00:00:00Z"})

    assert answer == await attend(
        twin, user=f"sis_user_id%3A{login.sis_user_id}", date="2026-02-27"
    )
    assert answer == await attend(twin, course=course, user=row.user_id, date="2026-02-27")
    assert row.last_attended_at is None


async def test_a_date_that_is_none_and_a_missing_one(twin: Twin) -> None:
    user = enrolled(twin).user_id
    status, body = await attend(twin, user=user, date=None)

    assert (400, {"message": "Invalid date time input"}) == await attend(
        twin, user=user, date="the other day"
    )
    assert (500, 1) == (status, body["error_report_id"])


@pytest.mark.parametrize(
    ("person", "status"), [("teacher", 200), ("ta", 200), ("designer", 401), ("student", 401)]
)
async def test_attendance_is_for_those_who_grade(twin: Twin, person: str, status: int) -> None:
    user = enrolled(twin).user_id
    path = f"/api/v1/courses/{twin.cast.courses['demo'].id}/users/{user}/last_attended"
    response = await twin.send(
        "PUT",
        path,
        params={"as_user_id": twin.cast.people[person].id},
        data={"date": "2026-02-27"},
    )

    assert status == response.status_code


async def test_a_deleted_course_answers_404_to_everything(twin: Twin) -> None:
    row = enrolled(twin)
    changes.delete_course(twin.school, twin.cast.courses["demo"])

    assert (404, MISSING) == await end(twin, row, "conclude")
    for method, rest in (("PUT", "/reactivate"), ("POST", "/accept"), ("POST", "/reject")):
        assert (404, MISSING) == await send(twin, method, row, rest)
    assert 404 == (await attend(twin, user=row.user_id, date="2026-02-27"))[0]
