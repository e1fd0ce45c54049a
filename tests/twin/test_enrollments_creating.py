"""What a POST is refused for, in order, and what it takes: enrollments-api.md section 5."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.twin.conftest import NOW, Twin
from tests.twin.enrolled import FIVE_TYPES, courses_path, made, newcomer, post
from twin import making
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
