"""What a POST makes of a new row and of an old one: enrollments-api.md sections 4, 5.3 and 6."""

from datetime import timedelta
from typing import Any

import pytest

from tests.twin.conftest import NOW, Twin
from tests.twin.enrolled import courses_path, enrolled, made, newcomer, post
from twin import changes, making

STUDENT, TEACHER = "StudentEnrollment", "TeacherEnrollment"
LAST_WEEK, NEXT_WEEK = NOW - timedelta(days=7), NOW + timedelta(days=7)


# -- section 4: first states -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("course", "kind", "asked", "state"),
    [
        ("demo", STUDENT, None, "invited"),
        ("demo", TEACHER, None, "invited"),
        ("demo", STUDENT, "active", "active"),
        ("demo", STUDENT, "inactive", "inactive"),
        ("demo", "ObserverEnrollment", None, "active"),
        ("demo", "ObserverEnrollment", "invited", "invited"),
        ("unpublished", STUDENT, None, "creation_pending"),
        ("unpublished", STUDENT, "invited", "creation_pending"),
        ("unpublished", STUDENT, "active", "active"),
        ("unpublished", "ObserverEnrollment", "invited", "creation_pending"),
        ("unpublished", TEACHER, None, "invited"),
        ("unpublished", "TaEnrollment", None, "invited"),
        ("unpublished", "DesignerEnrollment", None, "invited"),
    ],
)
async def test_the_state_of_a_new_row(
    twin: Twin, course: str, kind: str, asked: str | None, state: str
) -> None:
    fields = {"enrollment_state": asked} if asked else {}
    status, body = await post(
        twin, courses_path(twin, course), user_id=newcomer(twin).id, type=kind, **fields
    )

    assert (200, state) == (status, body["enrollment_state"])


async def test_publishing_invites_those_who_waited(twin: Twin) -> None:
    _, body = await post(twin, courses_path(twin, "unpublished"), user_id=newcomer(twin).id)
    changes.publish_course(twin.school, twin.cast.courses["unpublished"])

    assert "invited" == twin.school.enrollments[body["id"]].workflow_state


@pytest.mark.parametrize(
    ("kind", "state"), [(TEACHER, "claimed"), ("TaEnrollment", "claimed"), (STUDENT, "created")]
)
async def test_a_teacher_claims_a_new_course(twin: Twin, kind: str, state: str) -> None:
    await post(twin, courses_path(twin, "bare"), user_id=newcomer(twin).id, type=kind)

    assert state == twin.cast.courses["bare"].workflow_state


# -- section 6: the same identity again ------------------------------------------------------------

NOT_YET = {"start_at": NEXT_WEEK, "end_at": NOW + timedelta(days=30)}
OVER = {"start_at": NOW - timedelta(days=30), "end_at": LAST_WEEK}
DATES = {"start_at": "2026-02-01T00:00:00Z", "end_at": "2026-06-01T00:00:00Z"}


async def test_posting_again_finds_the_row_and_resets_what_is_left_out(twin: Twin) -> None:
    user = newcomer(twin)
    login = twin.school.pseudonyms_of_user.of(user.id)[0]
    row = enrolled(
        twin,
        user=user,
        created_at=LAST_WEEK,
        limit_privileges_to_course_section=True,
        start_at=LAST_WEEK,
        end_at=NEXT_WEEK,
        self_enrolled=True,
        sis_batch_id=7,
        sis_pseudonym_id=login.id,
    )
    again = await made(twin, user_id=user.id, type=STUDENT, enrollment_state="inactive")

    assert again is row
    assert ("active", 7, LAST_WEEK) == (row.workflow_state, row.sis_batch_id, row.created_at)
    assert row.updated_at == NOW
    assert not row.limit_privileges_to_course_section
    assert (None, None) == (row.start_at, row.end_at)
    assert row.self_enrolled is None
    assert row.sis_pseudonym_id is None


async def test_an_update_says_everything_again(twin: Twin) -> None:
    user = newcomer(twin)
    row = enrolled(twin, user=user)
    await made(
        twin,
        user_id=user.id,
        role_id=row.role_id,
        type=STUDENT,
        limit_privileges_to_course_section="true",
        self_enrolled="1",
        **DATES,
    )

    assert row.limit_privileges_to_course_section
    assert row.self_enrolled is True
    assert "2026-02-01T00:00:00+00:00" == str(row.start_at).replace(" ", "T")
    assert {"start_at", "end_at"} == row.stuck


async def test_an_unreadable_date_is_null_without_an_error(twin: Twin) -> None:
    row = await made(twin, user_id=newcomer(twin).id, start_at="soon", end_at="2026-06-01")

    assert row.start_at is None
    assert row.end_at is not None


@pytest.mark.parametrize(
    ("stored", "dates", "asked", "state"),
    [
        ("active", {}, None, "active"),
        ("active", {}, "inactive", "active"),
        ("active", {}, "completed", "active"),
        ("active", NOT_YET, None, "invited"),
        ("active", NOT_YET, "active", "active"),
        ("active", OVER, None, "invited"),
        ("active", OVER, "inactive", "inactive"),
        ("invited", {}, "active", "active"),
        ("invited", {}, None, "invited"),
        ("rejected", {}, "active", "active"),
        ("rejected", {}, None, "invited"),
        ("completed", {}, "active", "active"),
        ("completed", {}, None, "invited"),
        ("inactive", {}, "active", "active"),
        ("inactive", {}, None, "invited"),
        ("deleted", {}, "active", "active"),
        ("deleted", {}, None, "invited"),
        ("creation_pending", {}, None, "invited"),
    ],
)
async def test_only_an_effectively_active_row_keeps_its_state(
    twin: Twin, stored: str, dates: dict[str, Any], asked: str | None, state: str
) -> None:
    user = newcomer(twin)
    row = enrolled(twin, state=stored, user=user, sis_batch_id=7, **dates)
    fields = {"enrollment_state": asked} if asked else {}
    again = await made(twin, user_id=user.id, type=STUDENT, **fields)

    assert again is row
    assert state == row.workflow_state
    assert (None if stored == "deleted" else 7) == row.sis_batch_id


@pytest.mark.parametrize(
    "other",
    [
        {"type": "TaEnrollment"},
        {"role": "Auditor"},
        {"course_section_id": "sis_section_id:0007/B"},
    ],
)
async def test_another_type_role_or_section_is_another_row(
    twin: Twin, other: dict[str, str]
) -> None:
    user = newcomer(twin)
    row = enrolled(twin, user=user)
    new = await made(twin, user_id=user.id, **other)

    assert new is not row
    assert "active" == row.workflow_state


async def test_another_observed_user_is_another_row(twin: Twin) -> None:
    user, people = newcomer(twin), twin.cast.people
    observing = {"user_id": user.id, "type": "ObserverEnrollment"}
    rows = [
        await made(twin, **observing, **extra)
        for extra in (
            {},
            {"associated_user_id": people["student"].id},
            {"associated_user_id": people["comma"].id},
            {"associated_user_id": people["student"].id},
        )
    ]

    assert 3 == len({row.id for row in rows})
    assert rows[1] is rows[3]


async def test_nothing_changed_leaves_updated_at(twin: Twin) -> None:
    user = newcomer(twin)
    row = enrolled(twin, user=user, created_at=LAST_WEEK)
    await made(twin, user_id=user.id, type=STUDENT)

    assert row.updated_at == LAST_WEEK


# -- section 5.3: by a code ------------------------------------------------------------------------


async def self_enrol(twin: Twin, person: str = "student", **fields: str) -> tuple[int, Any]:
    return await post(twin, courses_path(twin, "bare"), person, **fields)


async def test_a_code_enrols_the_caller_at_once(twin: Twin) -> None:
    twin.school.update(twin.cast.courses["bare"], self_enrollment_code="ABC123")
    status, body = await self_enrol(
        twin, self_enrollment_code="ABC123", user_id="self", type=TEACHER
    )

    assert status == 200
    assert (STUDENT, "active") == (body["type"], body["enrollment_state"])
    assert twin.school.enrollments[body["id"]].self_enrolled is True


@pytest.mark.parametrize(
    ("code", "user_id", "message"),
    [
        ("WRONG", "self", "enrollment[self_enrollment_code] is invalid"),
        ("ABC123", "7", "enrollment[user_id] must be 'self' when self-enrolling"),
    ],
)
async def test_a_code_is_for_oneself(twin: Twin, code: str, user_id: str, message: str) -> None:
    twin.school.update(twin.cast.courses["bare"], self_enrollment_code="ABC123")
    answer = await self_enrol(twin, self_enrollment_code=code, user_id=user_id)

    assert (400, {"message": message}) == answer


async def test_a_code_opens_no_blueprint_and_no_ended_section(twin: Twin) -> None:
    course, section = twin.cast.courses["bare"], twin.cast.sections["bare"]
    twin.school.update(course, self_enrollment_code="ABC123")
    twin.school.update(section, end_at=LAST_WEEK, restrict_enrollments_to_section_dates=True)
    entering = {"self_enrollment_code": "ABC123", "user_id": "self"}

    assert (400, {"message": "Course has no open sections"}) == await self_enrol(twin, **entering)

    late = making.make_section(twin.school, course, "Late")
    status, body = await self_enrol(twin, **entering)

    assert (200, late.id) == (status, body["course_section_id"])

    twin.school.update(course, blueprint=True)

    assert (400, {"message": "course is not open for self-enrollment"}) == await self_enrol(
        twin, **entering
    )
