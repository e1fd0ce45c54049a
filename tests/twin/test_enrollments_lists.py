"""Who may list which enrollments, by default and by state: enrollments-api.md sections 2.2, 2.3."""

from datetime import timedelta
from typing import Any

import pytest

from tests.twin.conftest import Twin
from tests.twin.enrolled import courses_path, enrolled, newcomer, people_of
from twin import changes, making
from twin.roles import role_id

REFUSED = {
    "status": "unauthorized",
    "errors": [{"message": "user not authorized to perform that action"}],
}
MISSING = {"errors": [{"message": "The specified resource does not exist."}]}
BROKEN = {
    "errors": [{"message": "An error occurred.", "error_code": "internal_server_error"}],
    "error_report_id": 1,
}
BAD = {"errors": [{"message": "An error occurred.", "error_code": "bad_request"}]}

STAFF = ["designer", "grader", "limited_teacher", "ta", "teacher"]
STUDENTS_A = [
    "auditor",
    "comma",
    "invited",
    "no_email",
    "no_login",
    "no_sis",
    "student",
    "survivor",
    "suspended",
    "twin_one",
    "two_sections",
]
STUDENTS_B = ["pending", "pronouned", "twin_two", "two_logins", "two_sections", "unicode"]
OBSERVERS = ["loose_observer", "observer"]
CROSSLISTED = ["survivor"]
TEST_STUDENT = ["test_student", "test_student"]
CURRENT = [*STAFF, *STUDENTS_A, *STUDENTS_B, *OBSERVERS, *CROSSLISTED]


async def listed(twin: Twin, path: str, person: str = "admin", **params: Any) -> list[str]:
    rows = await twin.pages(path, person, per_page=100, **params)
    return people_of(twin, rows)


@pytest.mark.parametrize(
    ("person", "people"),
    [
        ("admin", [*CURRENT, *TEST_STUDENT, "inactive"]),
        ("teacher", [*CURRENT, *TEST_STUDENT, "inactive"]),
        ("registrar", [*CURRENT, *TEST_STUDENT, "inactive"]),
        ("student", CURRENT),
        (
            "limited_teacher",
            ["designer", "grader", "limited_teacher", "ta", "teacher", *STUDENTS_B, "test_student"],
        ),
    ],
)
async def test_a_course_list_shows_what_its_reader_may_see(
    twin: Twin, person: str, people: list[str]
) -> None:
    assert sorted(people) == await listed(twin, courses_path(twin), person)


async def test_an_observer_without_roster_rights_sees_the_own_rows_and_the_students(
    twin: Twin,
) -> None:
    """All states but deleted, without being asked for."""
    ended = enrolled(twin, state="completed", user=twin.cast.people["student"], section="demo_b")
    everything = ["observer", "observer", "student", "student"]

    assert everything == await listed(twin, courses_path(twin), "observer")

    changes.set_enrollment_state(twin.school, ended, "deleted")

    assert ["observer", "student"] == await listed(twin, courses_path(twin), "observer")


@pytest.mark.parametrize(("state", "status"), [("completed", 200), ("deleted", 401)])
async def test_having_been_an_observer_is_enough(twin: Twin, state: str, status: int) -> None:
    observer = twin.cast.people["loose_observer"]
    (row,) = twin.school.enrollments_of_user.of(observer.id)
    changes.set_enrollment_state(twin.school, row, state)

    assert status == (await twin.get(courses_path(twin), as_user_id=observer.id)).status_code


@pytest.mark.parametrize("person", ["auditor", "suspended"])
async def test_without_roster_rights_a_list_is_refused(twin: Twin, person: str) -> None:
    """A role without read_roster; a login that is suspended has no token at all."""
    response = await twin.get(courses_path(twin), person)

    assert response.status_code == 401
    if person == "auditor":
        assert REFUSED == response.json()
        assert "www-authenticate" not in response.headers
    else:
        assert 'Bearer realm="canvas-lms"' == response.headers["www-authenticate"]


async def test_a_limited_admin_is_cut_like_everybody_else(twin: Twin) -> None:
    """Limits are asked before admin rights, and nothing in the answer says so."""
    row = enrolled(
        twin,
        "TaEnrollment",
        "completed",
        user=twin.cast.people["admin"],
        section="demo_b",
        limit_privileges_to_course_section=True,
    )
    cut = await listed(twin, courses_path(twin))

    assert sorted([*STAFF, *STUDENTS_B, "test_student"]) == cut

    changes.set_enrollment_state(twin.school, row, "deleted")

    assert sorted([*CURRENT, *TEST_STUDENT, "inactive"]) == await listed(twin, courses_path(twin))


async def test_one_unlimited_row_lifts_the_limit(twin: Twin) -> None:
    enrolled(twin, "TaEnrollment", user=twin.cast.people["limited_teacher"])

    assert "student" in await listed(twin, courses_path(twin), "limited_teacher")


async def test_limited_staff_of_other_sections_is_cut_too(twin: Twin) -> None:
    limited = enrolled(twin, "TaEnrollment", limit_privileges_to_course_section=True)
    rows = await twin.pages(courses_path(twin), "limited_teacher", per_page=100)

    assert limited.id not in {row["id"] for row in rows}
    assert limited.id in {row["id"] for row in await twin.pages(courses_path(twin), per_page=100)}


@pytest.mark.parametrize(
    ("section", "people"),
    [
        (
            "demo",
            [
                *["designer", "ta", "teacher"],
                *STUDENTS_A,
                *OBSERVERS,
                "inactive",
                "test_student",
            ],
        ),
        ("demo_b", ["grader", "limited_teacher", *STUDENTS_B, "test_student"]),
        ("crosslisted", CROSSLISTED),
    ],
)
async def test_a_section_list_is_the_course_list_cut_to_the_section(
    twin: Twin, section: str, people: list[str]
) -> None:
    path = f"/api/v1/sections/{twin.cast.sections[section].id}/enrollments"

    assert sorted(people) == await listed(twin, path)


async def test_a_limited_teacher_sees_only_staff_of_another_section(twin: Twin) -> None:
    path = f"/api/v1/sections/{twin.cast.sections['demo'].id}/enrollments"

    assert ["designer", "ta", "teacher"] == await listed(twin, path, "limited_teacher")


@pytest.mark.parametrize(
    "states",
    [
        ["completed"],
        ["rejected"],
        ["deleted"],
        ["inactive"],
        ["invited", "creation_pending"],
    ],
)
async def test_explicit_states_show_ended_rows_to_a_student_as_well(
    twin: Twin, states: list[str]
) -> None:
    people = {
        "completed": "completed",
        "rejected": "rejected",
        "deleted": "dropped",
        "inactive": "inactive",
        "invited": "invited",
        "creation_pending": "pending",
    }
    expected = sorted(people[state] for state in states)

    assert expected == await listed(twin, courses_path(twin), "student", state=states)


@pytest.mark.parametrize("state", ["current_and_invited", "current_and_concluded", "actve", ""])
async def test_synthetic_and_misspelt_states_match_nothing_for_others(
    twin: Twin, state: str
) -> None:
    response = await twin.get(courses_path(twin), state=[state])

    assert (200, []) == (response.status_code, response.json())


async def test_a_single_state_will_do_for_others_but_breaks_the_own_list(twin: Twin) -> None:
    others = await twin.get(courses_path(twin), state="rejected")
    own = await twin.get("/api/v1/users/self/enrollments", "student", state="active")

    assert ["rejected"] == people_of(twin, others.json())
    assert (500, BROKEN) == (own.status_code, own.json())


async def test_a_state_that_is_neither_text_nor_list_is_refused(twin: Twin) -> None:
    response = await twin.client.get(
        courses_path(twin), params={"state[of]": "mind"}, headers=twin.bearer()
    )

    assert (400, BAD) == (response.status_code, response.json())


async def test_the_own_rows_need_no_roster_right(twin: Twin) -> None:
    path = courses_path(twin)

    assert ["auditor"] == await listed(twin, path, "auditor", user_id="self")
    assert ["observer"] == await listed(twin, path, "observer", user_id="self")


async def test_of_another_person_a_former_observer_reads_anybodys_rows(twin: Twin) -> None:
    """Not cut by sections, by default `active` and `invited`: Canvas asks no visibility here."""
    path, pupil = courses_path(twin), twin.cast.people["unicode"].id

    assert ["unicode"] == await listed(twin, path, "observer", user_id=pupil)
    assert ["student"] == await listed(
        twin, path, "limited_teacher", user_id=twin.cast.people["student"].id
    )
    refused = await twin.get(path, "auditor", user_id=pupil)
    assert (401, REFUSED) == (refused.status_code, refused.json())


@pytest.mark.parametrize(
    ("person", "states", "shown"),
    [
        ("invited", None, True),
        ("pending", None, False),
        ("inactive", None, False),
        ("inactive", ["inactive"], True),
        ("dropped", ["deleted"], True),
        ("student", ["current_and_invited"], False),
    ],
)
async def test_of_another_person_stored_states_count(
    *, twin: Twin, person: str, states: list[str] | None, shown: bool
) -> None:
    params: dict[str, Any] = {} if states is None else {"state": states}
    rows = await listed(
        twin, courses_path(twin), user_id=f"{twin.cast.people[person].id}", **params
    )

    assert ([person] if shown else []) == rows


async def test_a_merged_away_person_looks_like_one_who_is_not_enrolled(twin: Twin) -> None:
    gone = twin.cast.people["merged_away"]
    response = await twin.get(courses_path(twin), user_id=f"lti_1_3_id:{gone.lti_id}")

    assert (200, []) == (response.status_code, response.json())
    refused = await twin.get(f"/api/v1/users/lti_1_3_id:{gone.lti_id}/enrollments")
    assert (401, REFUSED) == (refused.status_code, refused.json())


@pytest.mark.parametrize(
    ("person", "target", "status"),
    [
        ("registrar", "student", 200),
        ("help_desk", "student", 200),
        ("observer", "student", 200),
        ("observer", "two_sections", 401),
        ("teacher", "student", 401),
        ("sub_admin", "student", 401),
        ("student", "teacher", 401),
        ("student", "student", 200),
    ],
)
async def test_a_users_list_needs_the_root_accounts_roster_or_a_link(
    twin: Twin, person: str, target: str, status: int
) -> None:
    path = f"/api/v1/users/{twin.cast.people[target].id}/enrollments"
    response = await twin.get(path, person)

    assert status == response.status_code
    assert (REFUSED == response.json()) == (status == 401)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/courses/999999/enrollments",
        "/api/v1/courses/sis_course_id:none/enrollments",
        "/api/v1/sections/999999/enrollments",
        "/api/v1/users/999999/enrollments",
        "/api/v1/users/sis_user_id:none/enrollments",
    ],
)
async def test_what_is_unknown_is_not_found(twin: Twin, path: str) -> None:
    response = await twin.get(path)

    assert (404, MISSING) == (response.status_code, response.json())


async def test_a_deleted_course_or_section_is_not_found(twin: Twin) -> None:
    section = twin.cast.sections["demo_b"]
    changes.delete_section(twin.school, section)

    for path in (
        courses_path(twin, "deleted"),
        f"/api/v1/sections/{twin.cast.sections['deleted'].id}/enrollments",
        f"/api/v1/sections/{section.id}/enrollments",
    ):
        response = await twin.get(path)

        assert (404, MISSING) == (response.status_code, response.json())


async def test_concluding_a_course_empties_its_list_and_nothing_refills_it(twin: Twin) -> None:
    course, path = twin.cast.courses["demo"], courses_path(twin)
    changes.conclude_course(twin.school, course)

    assert ["inactive", "pending"] == await listed(twin, path)
    ended = sorted({*CURRENT, "completed"} - {"pending"})
    assert ended == sorted(set(await listed(twin, path, state=["completed"])) - {"test_student"})

    changes.unconclude_course(twin.school, course)

    assert ["inactive", "pending"] == await listed(twin, path)


async def test_a_deleted_course_comes_back_empty(twin: Twin) -> None:
    course = twin.cast.courses["demo"]
    changes.delete_course(twin.school, course)
    changes.undelete_course(twin.school, course)

    assert [] == await listed(twin, courses_path(twin))


async def test_the_end_of_a_term_leaves_the_roster_and_shuts_students_out(twin: Twin) -> None:
    path = courses_path(twin)
    before = await listed(twin, path)
    twin.clock.advance(timedelta(days=200))
    student = await twin.get(path, "student")
    teacher = await twin.get(path, "teacher", per_page=100)

    assert before == await listed(twin, path)
    assert (401, REFUSED) == (student.status_code, student.json())
    assert before == people_of(twin, teacher.json())
    assert "sis_user_id" not in teacher.json()[0]


async def test_a_right_of_one_role_is_enough(twin: Twin) -> None:
    """A student whose role may read grades sees the full roster, the test student included."""
    tutor = newcomer(twin)
    section = twin.cast.sections["demo"]
    role = role_id(twin.school, "Peer Tutor")
    making.make_enrollment(twin.school, tutor, section, "StudentEnrollment", role)
    rows = await twin.pages(courses_path(twin), as_user_id=tutor.id, per_page=100)

    assert 2 == len([row for row in rows if row["type"] == "StudentViewEnrollment"])
