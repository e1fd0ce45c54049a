"""Courses and sections: roster-rest.md sections 5 and 6."""

from datetime import timedelta
from typing import Any

import pytest

from tests.twin.conftest import MakeTwin, Twin
from twin import changes

COURSES = "/api/v1/accounts/1/courses"


def course_path(twin: Twin, key: str = "demo") -> str:
    return f"/api/v1/courses/{twin.cast.courses[key].id}"


async def names(twin: Twin, path: str, person: str = "admin", **params: Any) -> list[str]:
    rows = await twin.pages(path, person, per_page=100, **params)
    return [row.get("name", "closed") for row in rows]


async def test_a_course_has_its_keys_and_no_updated_at(twin: Twin) -> None:
    """Created and claimed are shown as unpublished."""
    demo = (await twin.get(course_path(twin))).json()
    bare = (await twin.get(course_path(twin, "bare"))).json()

    assert "updated_at" not in demo
    assert ("available", "unpublished") == (demo["workflow_state"], bare["workflow_state"])
    assert "2026SP-CS/101+A%" == demo["sis_course_id"]
    assert (None, None) == (bare["sis_course_id"], bare["sis_import_id"])
    assert "template" not in demo


async def test_sis_keys_of_a_course_by_permission(twin: Twin) -> None:
    """Teachers read SIS ids and no import, students neither."""
    teacher = (await twin.get(course_path(twin), "teacher")).json()
    student = (await twin.get(course_path(twin), "student")).json()

    assert {"sis_course_id", "integration_id"} <= teacher.keys()
    assert "sis_import_id" not in teacher
    assert {"sis_course_id", "integration_id", "sis_import_id"}.isdisjoint(student)


async def test_a_users_course_shows_the_own_enrollments_in_short(twin: Twin) -> None:
    """With the short type; sections and dates are the user's own."""
    course = (await twin.get(course_path(twin), "student", include=["sections", "term"])).json()
    ta = (await twin.get(course_path(twin), "ta", include=["term"])).json()

    (own,) = course["enrollments"]
    assert ("student", "StudentEnrollment", "active") == (
        own["type"],
        own["role"],
        own["enrollment_state"],
    )
    assert ["Computer Science 101 A"] == [section["name"] for section in course["sections"]]
    assert "2026-01-01T07:00:00Z" == course["term"]["start_at"]
    assert "2025-12-02T07:00:00Z" == ta["term"]["start_at"]
    assert "overrides" not in course["term"]


@pytest.mark.parametrize(
    ("person", "key", "status"),
    [
        ("student", "demo", 200),
        ("student", "unpublished", 401),
        ("teacher", "unpublished", 200),
        ("teacher", "concluded", 200),
        ("student", "concluded", 200),
        ("auditor", "evening", 401),
        ("auditor", "open", 200),
        ("registrar", "demo", 401),
        ("admin", "deleted", 404),
    ],
)
async def test_who_reads_a_course(twin: Twin, person: str, key: str, status: int) -> None:
    """An admin role without `read_course_content` does not."""
    assert status == (await twin.get(course_path(twin, key), person)).status_code


async def test_a_deleted_course_must_be_asked_for(twin: Twin) -> None:
    """By `include[]=all_courses`."""
    response = await twin.get(course_path(twin, "deleted"), include=["all_courses"])

    assert "deleted" == response.json()["workflow_state"]


async def test_permissions_are_the_callers(twin: Twin) -> None:
    """Booleans, false for unknown names; refused without `read`, whatever else one may."""
    path = f"{course_path(twin)}/permissions"
    asked = ["read_roster", "manage_grades", "read_as_admin", "no_such", "become_user"]
    teacher = (await twin.get(path, "teacher", permissions=asked)).json()
    student = (await twin.get(path, "student", permissions=asked)).json()
    whole = (await twin.get(path, "student")).json()
    registrar = await twin.get(path, "registrar", permissions=asked)
    roster = await twin.get(f"{course_path(twin)}/users", "registrar")

    assert [True, True, True, False, False] == [teacher[name] for name in asked]
    assert [True, False, False, False, False] == [student[name] for name in asked]
    assert whole["read"]
    assert not whole["manage_students"]
    assert (401, 200) == (registrar.status_code, roster.status_code)


async def test_rights_go_with_the_dates(twin: Twin) -> None:
    """After the term a student reads no roster; a teacher does, with fewer fields."""
    people = f"{course_path(twin, 'past')}/users"
    teacher = (await twin.get(people, "teacher")).json()
    student = await twin.get(people, "student")

    assert 401 == student.status_code
    assert "email" in teacher[0]
    assert {"sis_user_id", "login_id"}.isdisjoint(teacher[0])


async def test_newest_source_keeps_an_ended_teachers_sis_rights(make_twin: MakeTwin) -> None:
    """By switch; mid-2022 it did not."""
    twin = make_twin(completed_teachers_keep_sis=True)
    teacher = (await twin.get(f"{course_path(twin, 'past')}/users", "teacher")).json()

    assert {"sis_user_id", "login_id"} <= teacher[0].keys()


async def test_a_course_to_come_is_closed_to_its_teachers(twin: Twin) -> None:
    """Teacher-like roles before the start are inactive, students pending."""
    people = f"{course_path(twin, 'future')}/users"
    before = [(await twin.get(people, who)).status_code for who in ("teacher", "student")]
    twin.clock.advance(timedelta(days=150))
    begun = [(await twin.get(people, who)).status_code for who in ("teacher", "student")]

    assert [401, 200] == before
    assert [200, 200] == begun


async def test_own_courses(twin: Twin) -> None:
    """Available ones for students; teachers keep the unpublished and the concluded."""
    student = await names(twin, "/api/v1/courses", "student")
    teacher = await names(twin, "/api/v1/courses", "teacher")

    assert sorted(student) == student
    assert {"Computer Science 101", "Modern History", "Open Lecture"} <= set(student)
    assert {"Compilers", "Ancient History", "Cancelled Course"}.isdisjoint(student)
    assert {"Compilers", "Ancient History"} <= set(teacher)
    assert "Cancelled Course" not in teacher


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"enrollment_state": "active"}, {"Computer Science 101", "Open Lecture"}),
        ({"enrollment_state": "invited_or_pending"}, {"Future Studies"}),
        ({"enrollment_state": "completed"}, {"Modern History", "Ancient History"}),
        ({"enrollment_type": "teacher"}, set()),
        ({"state": ["deleted"]}, {"Cancelled Course"}),
    ],
)
async def test_own_courses_by_parameter(
    twin: Twin, params: dict[str, Any], expected: set[str]
) -> None:
    """States respect section, course and term dates."""
    found = set(await names(twin, "/api/v1/courses", "student", **params))

    assert expected == found - {"Computer Science 101 Evening"}


async def test_a_course_closed_by_its_dates_collapses(twin: Twin) -> None:
    """Two keys, in the list of its student; the teacher's would be whole."""
    rows = await twin.pages("/api/v1/courses", "admin", as_user_id="sis_user_id:123")
    sealed = twin.cast.courses["sealed"].id

    assert {"id": sealed, "access_restricted_by_date": True} in rows


async def test_anothers_courses(twin: Twin) -> None:
    """For who manages logins and for a linked observer; `read_roster` is not enough."""
    path = f"/api/v1/users/{twin.cast.people['student'].id}/courses"
    statuses = {
        who: (await twin.get(path, who)).status_code
        for who in ("admin", "observer", "registrar", "teacher", "student")
    }

    assert {"admin": 200, "observer": 200, "registrar": 401, "teacher": 401, "student": 200} == (
        statuses
    )


async def test_account_courses_come_by_id_with_all_states_but_deleted(twin: Twin) -> None:
    """Of all accounts below; uncounted."""
    response = await twin.get(COURSES, per_page=5)
    rows = await twin.pages(COURSES)
    below = await names(twin, f"/api/v1/accounts/{twin.cast.accounts['engineering'].id}/courses")

    assert "last" not in response.links
    ids = [row["id"] for row in rows]
    assert sorted(ids) == ids
    assert 14 == len(ids)
    assert "Compilers" in below
    assert "Open Lecture" not in below


@pytest.mark.parametrize(
    ("params", "some", "none"),
    [
        ({"published": "true"}, "Open Lecture", "Compilers"),
        ({"published": "false"}, "Compilers", "Open Lecture"),
        ({"completed": "true"}, "Ancient History", "Computer Science 101"),
        ({"completed": "false"}, "Computer Science 101", "Modern History"),
        ({"with_enrollments": "false"}, "Empty Shell", "Compilers"),
        ({"with_enrollments": "true"}, "Compilers", "Empty Shell"),
        ({"hide_enrollmentless_courses": "0"}, "Compilers", "Empty Shell"),
        ({"state": ["deleted"]}, "Cancelled Course", "Compilers"),
        ({"state": ["all"]}, "Cancelled Course", "nothing"),
        ({"state": ["created"]}, "Empty Shell", "Compilers"),
        ({"public": "true"}, "Open Lecture", "Compilers"),
        ({"enrollment_term_id": "sis_term_id:2026SP"}, "Compilers", "Open Lecture"),
        ({"search_term": "compil"}, "Compilers", "Open Lecture"),
        ({"search_term": "2026SP-CS400"}, "Compilers", "Open Lecture"),
        ({"search_term": "o'neil", "search_by": "teacher"}, "Compilers", "Empty Shell"),
        ({"by_teachers": ["sis_user_id:STAFF/01+7%"]}, "Compilers", "Empty Shell"),
        ({"by_subaccounts": ["sis_account_id:0042"]}, "Compilers", "Open Lecture"),
        ({"enrollment_type": ["designer"]}, "Computer Science 101", "Compilers"),
        ({"enrollment_workflow_state": ["rejected"]}, "Computer Science 101", "Compilers"),
        ({"starts_before": "2025-12-01T00:00:00Z"}, "Open Lecture", "Compilers"),
        ({"ends_after": "2026-03-02T00:00:00Z"}, "Open Lecture", "Modern History"),
    ],
)
async def test_account_courses_by_parameter(
    twin: Twin, params: dict[str, Any], some: str, none: str
) -> None:
    """Each filter keeps one and drops another; courses without dates match every date."""
    found = await names(twin, COURSES, **params)

    assert some in found
    assert none not in found


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"enrollment_term_id": "999"}, 404),
        ({"search_term": "x"}, 400),
        ({"enrollment_type": "teacher"}, 400),
        ({"by_teachers": "1"}, 400),
    ],
)
async def test_account_courses_refuse(twin: Twin, params: dict[str, Any], status: int) -> None:
    """Unknown terms, short search terms, and text where an array must be."""
    assert status == (await twin.get(COURSES, **params)).status_code


async def test_account_courses_sort_and_includes(twin: Twin) -> None:
    """`order` counts with `sort` only; `sections` and `permissions` are ignored here."""
    plain = await names(twin, COURSES, order="desc")
    by_name = await names(twin, COURSES, sort="course_name")
    backwards = await names(twin, COURSES, sort="course_name", order="desc")
    asked = ["total_students", "teachers", "sections", "account_name", "concluded"]
    rows = await twin.pages(COURSES, include=asked)
    demo = rows[0]

    assert "Computer Science 101" == plain[0]
    assert by_name == backwards[::-1]
    assert "sections" not in demo
    assert "enrollments" not in demo
    assert ("Computer Science", False) == (demo["account_name"], demo["concluded"])
    assert {"Theodora O'Neil", "Lim Park"} == {row["display_name"] for row in demo["teachers"]}
    students = {
        row.user_id
        for row in twin.school.enrollments_of_course.of(demo["id"])
        if row.type == "StudentEnrollment" and row.workflow_state in {"active", "invited"}
    }
    assert len(students) == demo["total_students"]


async def test_sections_by_name_active_only(twin: Twin) -> None:
    """A cross-listed one lives here and names its origin."""
    path = f"{course_path(twin)}/sections"
    rows = (await twin.get(path)).json()
    old = (await twin.get(f"{course_path(twin, 'evening')}/sections")).json()
    moved = rows[2]

    assert ["Computer Science 101 A", "Computer Science 101 B", "Evening X"] == [
        row["name"] for row in rows
    ]
    assert twin.cast.courses["evening"].id == moved["nonxlist_course_id"]
    assert (twin.cast.courses["demo"].id, "EVE,X") == (moved["course_id"], moved["sis_section_id"])
    assert "Evening X" not in [row["name"] for row in old]


async def test_section_includes_need_a_roster_right(twin: Twin) -> None:
    """Without it they are dropped and nothing is said."""
    path = f"{course_path(twin)}/sections"
    student = (await twin.get(path, "student", include=["total_students", "students"])).json()
    auditor = await twin.get(path, "auditor", include=["total_students", "students"])

    assert student[0]["total_students"] > 5
    assert "Zoë Neil" in [user["name"] for user in student[0]["students"]]
    assert 200 == auditor.status_code
    assert {"total_students", "students"}.isdisjoint(auditor.json()[0])


async def test_sis_keys_of_a_section(twin: Twin) -> None:
    """As those of its course."""
    path = f"/api/v1/sections/{twin.cast.sections['demo'].id}"
    admin = (await twin.get(path)).json()
    teacher = (await twin.get(path, "teacher")).json()
    student = (await twin.get(path, "student")).json()

    assert 1 == admin["sis_import_id"]
    assert "2026SP-CS/101+A%" == teacher["sis_course_id"]
    assert "sis_import_id" not in teacher
    assert {"sis_section_id", "sis_course_id", "integration_id"}.isdisjoint(student)


async def test_a_section_is_found_in_its_own_course_only(twin: Twin) -> None:
    """Deleted ones not at all."""
    section = twin.cast.sections["demo_b"]
    here = await twin.get(f"{course_path(twin)}/sections/{section.id}")
    elsewhere = await twin.get(f"{course_path(twin, 'evening')}/sections/{section.id}")
    changes.delete_section(twin.school, section)
    gone = await twin.get(f"/api/v1/sections/{section.id}")

    assert (200, 404, 404) == (here.status_code, elsewhere.status_code, gone.status_code)


async def test_section_writes(twin: Twin) -> None:
    """Make, rename, cross-list, move back, delete; with Canvas's refusals in between."""
    made = await twin.send(
        "POST",
        f"{course_path(twin)}/sections",
        "teacher",
        data={"course_section[name]": "New", "course_section[sis_section_id]": "IGNORED"},
    )
    path = f"/api/v1/sections/{made.json()['id']}"
    sis = await twin.send("PUT", path, "teacher", json={"course_section": {"sis_section_id": "X"}})
    renamed = await twin.send("PUT", path, json={"course_section": {"name": "Newer"}})
    evening = twin.cast.courses["evening"].id
    not_moved = await twin.send("DELETE", f"{path}/crosslist")
    moved = await twin.send("POST", f"{path}/crosslist/{evening}")
    back = await twin.send("DELETE", f"{path}/crosslist")
    deleted = await twin.send("DELETE", path)
    full = await twin.send("DELETE", f"/api/v1/sections/{twin.cast.sections['demo'].id}")

    assert (200, None) == (made.status_code, made.json()["sis_section_id"])
    assert 401 == sis.status_code
    assert {"message": "You must have manage_sis permission to update sis attributes"} == sis.json()
    assert "Newer" == renamed.json()["name"]
    assert {"message": "section is not cross-listed"} == not_moved.json()
    assert (evening, twin.cast.courses["demo"].id) == (
        moved.json()["course_id"],
        moved.json()["nonxlist_course_id"],
    )
    assert back.json()["nonxlist_course_id"] is None
    assert 200 == deleted.status_code
    assert {"message": "You can't delete a section that has enrollments"} == full.json()


async def test_section_users(twin: Twin) -> None:
    """Of this section; inactive ones unless excluded."""
    path = f"/api/v1/sections/{twin.cast.sections['demo'].id}/users"
    rows = await twin.pages(path)
    current = await twin.pages(path, exclude_inactive="true")
    students = await twin.pages(path, enrollment_type="student")

    shown = {row["name"] for row in rows}
    assert {"Ina Ctive", "Theodora O'Neil"} <= shown
    assert "Lim Park" not in shown
    assert "Ina Ctive" not in {row["name"] for row in current}
    assert "Theodora O'Neil" not in {row["name"] for row in students}
