"""POST of an enrollment, table by table of enrollments-api.md sections 4, 5 and 6."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.twin.conftest import NOW, Twin
from tests.twin.enrolled import FIVE_TYPES, courses_path, enrolled, newcomer
from twin import changes, making
from twin.records import Enrollment
from twin.roles import role_id

STUDENT, TEACHER = "StudentEnrollment", "TeacherEnrollment"
REFUSED = {
    "status": "unauthorized",
    "errors": [{"message": "user not authorized to perform that action"}],
}
MISSING = {"errors": [{"message": "The specified resource does not exist."}]}
NO_USER = (
    "Can't create an enrollment without a user. Include enrollment[user_id] to create an enrollment"
)
CONCLUDED = {"message": "Can't add an enrollment to a concluded course."}
LAST_WEEK, NEXT_WEEK = NOW - timedelta(days=7), NOW + timedelta(days=7)


async def post(
    twin: Twin, path: str, person: str = "admin", /, **enrollment: Any
) -> tuple[int, Any]:
    """Status and body of a form POST of `enrollment[...]`."""
    data = {f"enrollment[{name}]": value for name, value in enrollment.items()}
    response = await twin.send("POST", path, person, data=data)
    return response.status_code, response.json()


async def made(twin: Twin, person: str = "admin", /, **enrollment: Any) -> Enrollment:
    """The row of a POST that was answered well."""
    status, body = await post(twin, courses_path(twin), person, **enrollment)
    assert status == 200, body
    return twin.school.enrollments[body["id"]]


# -- section 5: parameters -------------------------------------------------------------------------


async def test_a_post_creates_an_invited_row_in_the_default_section(twin: Twin) -> None:
    user = newcomer(twin)
    status, body = await post(twin, courses_path(twin), user_id=user.id, type=STUDENT)

    assert status == 200
    assert {
        "user_id": user.id,
        "type": STUDENT,
        "role": STUDENT,
        "enrollment_state": "invited",
        "course_section_id": twin.cast.sections["demo"].id,
        "limit_privileges_to_course_section": False,
        "sis_import_id": None,
        "created_at": "2026-03-02T10:00:00Z",
    }.items() <= body.items()
    assert "user" not in body


async def test_json_and_form_say_the_same(twin: Twin) -> None:
    user = newcomer(twin)
    response = await twin.send(
        "POST",
        courses_path(twin),
        json={
            "enrollment": {
                "user_id": user.id,
                "type": "TaEnrollment",
                "limit_privileges_to_course_section": True,
                "course_section_id": twin.cast.sections["demo_b"].id,
            }
        },
    )
    row = twin.school.enrollments[response.json()["id"]]

    assert ("TaEnrollment", True) == (row.type, row.limit_privileges_to_course_section)
    assert twin.cast.sections["demo_b"].id == row.section_id


@pytest.mark.parametrize("form", ["{id}", "sis_user_id:{sis}", "sis_login_id:{login}"])
async def test_the_user_may_be_named_in_any_form(twin: Twin, form: str) -> None:
    user = newcomer(twin)
    login = twin.school.pseudonyms_of_user.of(user.id)[0]
    text = form.format(id=user.id, sis=login.sis_user_id, login=login.unique_id.upper())

    assert user.id == (await made(twin, user_id=text)).user_id


async def test_self_is_the_person_acted_for(twin: Twin) -> None:
    teacher = twin.cast.people["teacher"]
    response = await twin.send(
        "POST",
        courses_path(twin),
        params={"as_user_id": teacher.id},
        data={"enrollment[user_id]": "self", "enrollment[type]": "TaEnrollment"},
    )

    assert teacher.id == response.json()["user_id"]
    assert str(10**13 + teacher.id) == response.headers["x-canvas-user-id"]
    assert "x-canvas-real-user-id" in response.headers


@pytest.mark.parametrize(
    ("fields", "kind", "role"),
    [
        ({}, STUDENT, STUDENT),
        ({"type": ""}, STUDENT, STUDENT),
        ({"type": "DesignerEnrollment"}, "DesignerEnrollment", "DesignerEnrollment"),
        ({"role": "Grader"}, "TaEnrollment", "Grader"),
        ({"role": "Grader", "type": "TaEnrollment"}, "TaEnrollment", "Grader"),
        ({"role_id": "Grader", "role": "Janitor"}, "TaEnrollment", "Grader"),
    ],
)
async def test_role_id_wins_over_role_and_that_over_type(
    twin: Twin, fields: dict[str, str], kind: str, role: str
) -> None:
    if "role_id" in fields:
        fields = {**fields, "role_id": str(role_id(twin.school, fields["role_id"]))}
    row = await made(twin, user_id=newcomer(twin).id, **fields)

    assert (kind, role_id(twin.school, role)) == (row.type, row.role_id)


INVALID_ROLE, INVALID_TYPE = "Invalid role", "Invalid type"
MISMATCH = "The specified type must match the base type for the role"
INACTIVE = "Cannot create an enrollment with this role because it is inactive."


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "No parameters given"),
        ({"type": STUDENT}, NO_USER),
        ({"user_id": "", "type": STUDENT}, NO_USER),
        ({"user_id": "1", "type": "StudentViewEnrollment"}, INVALID_TYPE),
        ({"user_id": "1", "type": "student"}, INVALID_TYPE),
        ({"user_id": "1", "type": "Grader"}, INVALID_TYPE),
        ({"user_id": "1", "type": "AccountMembership"}, INVALID_TYPE),
        ({"user_id": "1", "role": "Janitor"}, INVALID_ROLE),
        ({"user_id": "1", "role_id": "999"}, INVALID_ROLE),
        ({"user_id": "1", "role_id": "none"}, INVALID_ROLE),
        ({"user_id": "1", "role": "Registrar"}, INVALID_ROLE),
        ({"user_id": "1", "role": "Reader"}, INACTIVE),
        ({"user_id": "1", "role": "Grader", "type": TEACHER}, MISMATCH),
        ({"type": "student"}, f"{NO_USER}, {INVALID_TYPE}"),
        ({"role": "Reader", "type": TEACHER}, f"{NO_USER}, {INACTIVE}, {MISMATCH}"),
    ],
)
async def test_parameter_errors_are_told_all_at_once(
    twin: Twin, fields: dict[str, str], message: str
) -> None:
    assert (400, {"message": message}) == await post(twin, courses_path(twin), **fields)


async def test_a_deleted_role_is_invalid(twin: Twin) -> None:
    grader = role_id(twin.school, "Grader")
    twin.school.update(twin.school.roles[grader], workflow_state="deleted")

    for fields in ({"role_id": grader}, {"role": "Grader"}):
        assert (400, {"message": INVALID_ROLE}) == await post(
            twin, courses_path(twin), user_id=1, **fields
        )


async def test_a_root_account_wants_a_sis_user(twin: Twin) -> None:
    path, user = courses_path(twin), newcomer(twin)
    login = twin.school.pseudonyms_of_user.of(user.id)[0]

    async def send(domain: str, **fields: Any) -> tuple[int, Any]:
        data = {f"enrollment[{name}]": value for name, value in fields.items()}
        response = await twin.send("POST", path, data={**data, "root_account": domain})
        return response.status_code, response.json()

    message = (
        "Can't create an enrollment without a sis_user_id or integration_id "
        "when root_account is provided"
    )
    assert (400, {"message": message}) == await send("other.example.edu", user_id=user.id)
    assert (404, MISSING) == await send("other.example.edu", sis_user_id=login.sis_user_id)
    status, body = await send("canvas.test", sis_user_id=login.sis_user_id, user_id=1)
    assert (200, user.id) == (status, body["user_id"])


# -- section 5: permission -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("person", "allowed"),
    [
        ("admin", set(FIVE_TYPES)),
        ("sub_admin", set(FIVE_TYPES)),
        ("teacher", set(FIVE_TYPES)),
        ("ta", {STUDENT, "ObserverEnrollment"}),
        ("student", set()),
        ("observer", set()),
        ("registrar", set()),
        ("help_desk", set()),
    ],
)
async def test_each_type_has_its_right(twin: Twin, person: str, allowed: set[str]) -> None:
    got = set()
    for kind in FIVE_TYPES:
        status, body = await post(
            twin, courses_path(twin), person, user_id=newcomer(twin).id, type=kind
        )
        if status == 200:
            got.add(kind)
        else:
            assert (401, REFUSED) == (status, body)

    assert allowed == got


async def test_masquerading_asks_the_rights_of_the_person(twin: Twin) -> None:
    """The admin may do it, the student may not: acting as the student nobody may."""
    path, data = courses_path(twin), {"enrollment[user_id]": newcomer(twin).id}
    target = {"as_user_id": "sis_user_id:000123"}
    response = await twin.send("POST", path, params=target, data=data)

    assert (401, REFUSED) == (response.status_code, response.json())
    assert 200 == (await twin.send("POST", path, data=data)).status_code
    (call,) = twin.app.state.masquerades
    assert twin.cast.people["student"].id == call.user_id


@pytest.mark.parametrize(
    ("field", "allowed"),
    [("blueprint", {TEACHER, "TaEnrollment", "DesignerEnrollment"}), ("template", set())],
)
async def test_blueprints_and_templates_look_like_missing_permission(
    twin: Twin, field: str, allowed: set[str]
) -> None:
    twin.school.update(twin.cast.courses["demo"], **{field: True})
    user, got = newcomer(twin), set()
    for kind in FIVE_TYPES:
        status, body = await post(twin, courses_path(twin), user_id=user.id, type=kind)
        assert (status == 200) or (401, REFUSED) == (status, body)
        if status == 200:
            got.add(kind)

    assert allowed == got


async def test_parameters_are_judged_before_permission(twin: Twin) -> None:
    path = courses_path(twin)

    assert 400 == (await post(twin, path, "student", type=STUDENT))[0]
    assert 401 == (await post(twin, path, "student", user_id="nobody", course_section_id=0))[0]


# -- section 5: section and user -------------------------------------------------------------------


async def test_a_section_of_the_course_may_be_named_in_any_form(twin: Twin) -> None:
    section = twin.cast.sections["demo_b"]

    for text in (section.id, "sis_section_id:0007/B"):
        row = await made(twin, user_id=newcomer(twin).id, course_section_id=text)

        assert section.id == row.section_id


async def test_a_foreign_or_deleted_section_is_not_found(twin: Twin) -> None:
    path, user = courses_path(twin), newcomer(twin)
    gone = making.make_section(
        twin.school, twin.cast.courses["demo"], "Gone", workflow_state="deleted"
    )

    for section in (gone.id, twin.cast.sections["evening"].id, "sis_section_id:none", 999999):
        assert (404, MISSING) == await post(twin, path, user_id=user.id, course_section_id=section)


async def test_the_section_of_the_url_wins(twin: Twin) -> None:
    section = twin.cast.sections["demo_b"]
    status, body = await post(
        twin,
        f"/api/v1/sections/{section.id}/enrollments",
        user_id=newcomer(twin).id,
        course_section_id=twin.cast.sections["demo"].id,
    )

    assert (200, section.id) == (status, body["course_section_id"])


@pytest.mark.parametrize("user_id", ["999999", "sis_user_id:none", "{no_login}", "{merged_away}"])
async def test_people_without_a_login_are_not_found(twin: Twin, user_id: str) -> None:
    ids = {key: user.id for key, user in twin.cast.people.items()}
    answer = await post(twin, courses_path(twin), user_id=user_id.format(**ids))

    assert (404, MISSING) == answer


@pytest.mark.parametrize("course", ["deleted", None])
async def test_a_missing_course_comes_before_all_else(twin: Twin, course: str | None) -> None:
    path = courses_path(twin, course) if course else "/api/v1/courses/999999/enrollments"

    assert (404, MISSING) == await post(twin, path)


# -- section 5.1: concluded courses ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("restricts", "end_at", "term_end", "state", "concluded"),
    [
        (False, None, NEXT_WEEK, "completed", True),
        (False, None, LAST_WEEK, "available", True),
        (False, None, None, "available", False),
        (False, NEXT_WEEK, LAST_WEEK, "available", True),
        (True, NEXT_WEEK, LAST_WEEK, "available", False),
        (True, LAST_WEEK, NEXT_WEEK, "available", True),
        (False, LAST_WEEK, NEXT_WEEK, "available", False),
        (True, None, LAST_WEEK, "available", True),
    ],
)
async def test_what_concludes_a_course(
    *,
    twin: Twin,
    restricts: bool,
    end_at: datetime | None,
    term_end: datetime | None,
    state: str,
    concluded: bool,
) -> None:
    """Its state; its own end if it restricts to that; else its term's end, overrides not counting."""
    twin.school.update(
        twin.cast.courses["demo"],
        workflow_state=state,
        end_at=end_at,
        restrict_enrollments_to_course_dates=restricts,
    )
    twin.school.update(
        twin.cast.terms["current"], end_at=term_end, overrides={STUDENT: (None, NEXT_WEEK)}
    )
    answer = await post(twin, courses_path(twin), user_id=newcomer(twin).id)

    assert (400, CONCLUDED) == answer if concluded else answer[0] == 200


async def test_people_of_a_concluded_course_may_enter_a_section_still_open(twin: Twin) -> None:
    path, student = courses_path(twin, "past"), twin.cast.people["student"]
    section = making.make_section(
        twin.school,
        twin.cast.courses["past"],
        "Late",
        end_at=NEXT_WEEK,
        restrict_enrollments_to_section_dates=True,
    )
    late = {"course_section_id": section.id}

    assert (400, CONCLUDED) == await post(twin, path, user_id=student.id)
    assert (400, CONCLUDED) == await post(twin, path, user_id=newcomer(twin).id, **late)
    assert 200 == (await post(twin, path, user_id=student.id, **late))[0]

    twin.school.update(section, end_at=LAST_WEEK)

    assert (400, CONCLUDED) == await post(twin, path, user_id=student.id, **late)


# -- section 5.1: the model ------------------------------------------------------------------------


async def invalid(twin: Twin, **enrollment: Any) -> list[str]:
    """The attributes at fault."""
    status, body = await post(twin, courses_path(twin), **enrollment)
    assert status == 400, body
    for attribute, faults in body["errors"].items():
        assert all(fault["attribute"] == attribute and fault["type"] for fault in faults)
    return sorted(body["errors"])


async def test_observers_observe_one_other_person_who_observes_nobody(twin: Twin) -> None:
    user, people = newcomer(twin), twin.cast.people
    observing = {"user_id": user.id, "type": "ObserverEnrollment"}
    student = people["student"].id

    assert ["associated_user_id"] == await invalid(twin, **observing, associated_user_id=user.id)
    assert ["associated_user_id"] == await invalid(
        twin, **observing, associated_user_id=people["observer"].id
    )
    assert ["associated_user_id"] == await invalid(
        twin, user_id=user.id, type=STUDENT, associated_user_id=student
    )
    assert student == (await made(twin, **observing, associated_user_id=student)).associated_user_id


async def test_observing_yourself_has_canvas_words(twin: Twin) -> None:
    user = newcomer(twin)
    _, body = await post(
        twin,
        courses_path(twin),
        user_id=user.id,
        type="ObserverEnrollment",
        associated_user_id=user.id,
    )

    assert {
        "errors": {
            "associated_user_id": [
                {
                    "attribute": "associated_user_id",
                    "type": "Cannot observe yourself",
                    "message": "Cannot observe yourself",
                }
            ]
        }
    } == body


async def test_an_observed_person_is_named_by_plain_id_only(twin: Twin) -> None:
    for text in ("sis_user_id:000123", "999999"):
        status, body = await post(
            twin,
            courses_path(twin),
            user_id=newcomer(twin).id,
            type="ObserverEnrollment",
            associated_user_id=text,
        )

        assert (500, 1) == (status, body["error_report_id"])


async def test_a_role_of_a_strange_account_and_the_test_student_do_not_validate(
    twin: Twin,
) -> None:
    arts = twin.cast.accounts["arts"].id
    role = twin.school.roles[role_id(twin.school, "Grader")]
    twin.school.update(role, account_id=arts)
    fake = twin.cast.people["test_student"]
    making.make_login(twin.school, fake, "test student")

    assert ["role_id"] == await invalid(twin, user_id=newcomer(twin).id, role_id=role.id)
    assert ["user_id"] == await invalid(twin, user_id=fake.id)


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
