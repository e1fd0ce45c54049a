"""The files of both reports: headers and row rules (fact sheet reports.md §4)."""

import csv
import io
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from tests.twin.conftest import NOW, MakeTwin, Twin
from tests.twin.reporting import content, finished, start
from twin import changes, making
from twin.report_csv import FILES, HEADERS, PROVISIONING, SIS_EXPORT, TAG_FILES, line
from twin.roles import built_in_role_id

Rows = list[dict[str, str]]


async def text(
    twin: Twin, report: str, file: str, account: int | str = 1, **parameters: Any
) -> str:
    run = await start(twin, report, account=account, **{file: "true"}, **parameters)
    return (await content(twin, await finished(twin, run))).decode()


async def rows(twin: Twin, report: str, file: str, **parameters: Any) -> Rows:
    return list(csv.DictReader(io.StringIO(await text(twin, report, file, **parameters))))


def of(found: Rows, **values: object) -> Rows:
    return [row for row in found if all(row[name] == str(value) for name, value in values.items())]


@pytest.mark.parametrize("report", [PROVISIONING, SIS_EXPORT])
@pytest.mark.parametrize("file", [file for file in FILES if file not in TAG_FILES])
async def test_the_header_is_exact_and_nothing_is_conditional_by_default(
    twin: Twin, report: str, file: str
) -> None:
    names = [name for name in HEADERS[report][file].split(",") if name[0] != "["]
    if (report, file) == (PROVISIONING, "users"):
        names.append("uuid")

    header = (await text(twin, report, file)).partition("\n")[0]

    assert header == ",".join(names)


@pytest.mark.parametrize(
    ("options", "report", "file", "ending"),
    [
        ({"export_pronouns": True}, PROVISIONING, "users", ",created_by_sis,pronouns,uuid"),
        ({"export_pronouns": True}, SIS_EXPORT, "users", ",status,pronouns"),
        ({"newest_exporter": False}, PROVISIONING, "users", ",status,created_by_sis"),
        ({"consortium": True}, PROVISIONING, "admins", ",created_by_sis,root_account"),
        ({"consortium": True}, SIS_EXPORT, "enrollments", ",limit_section_privileges,root_account"),
        (
            {"temporary_enrollments": True},
            PROVISIONING,
            "enrollments",
            ",canvas_enrollment_id,canvas_temporary_enrollment_source_user_id",
        ),
        (
            {"temporary_enrollments": True, "stray_report_header": True},
            SIS_EXPORT,
            "enrollments",
            ",temporary_enrollment_source_user_id,temporary_enrollment_pairing_id",
        ),
    ],
)
async def test_settings_of_the_school_add_columns(
    make_twin: MakeTwin, options: dict[str, bool], report: str, file: str, ending: str
) -> None:
    header = (await text(make_twin(**options), report, file)).partition("\n")[0]

    assert header.endswith(ending)


def test_null_is_nothing_an_empty_text_is_quoted_and_quotes_come_where_needed() -> None:
    cells = [None, "", True, False, 7, "plain", "a,b", 'say "hi"', "two\nlines", "Łukasiewicz 李"]

    assert line(cells) == ',"",true,false,7,plain,"a,b","say ""hi""","two\nlines",Łukasiewicz 李\n'


async def test_the_text_is_utf8_without_a_mark_and_with_bare_line_feeds(twin: Twin) -> None:
    run = await finished(twin, await start(twin, users="1"))
    raw = await content(twin, run)

    assert not raw.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in raw
    assert "Søren Łukasiewicz 李 😀" in raw.decode()


async def test_users_has_a_row_for_each_login(twin: Twin) -> None:
    found = await rows(twin, PROVISIONING, "users")
    people = twin.cast.people

    two = of(found, canvas_user_id=people["two_logins"].id)
    assert {row["user_id"] for row in two} == {"S-000200", "A-000200"}
    assert of(found, canvas_user_id=people["no_login"].id) == []
    assert of(found, canvas_user_id=people["test_student"].id) == []
    (suspended,) = of(found, canvas_user_id=people["suspended"].id)
    assert suspended["status"] == "suspended"
    (comma,) = of(found, canvas_user_id=people["comma"].id)
    assert (comma["full_name"], comma["user_id"]) == ("King, Jr., Martin", "S 000,202")
    (silent,) = of(found, canvas_user_id=people["no_email"].id)
    assert silent["email"] == ""
    (nosis,) = of(found, canvas_user_id=people["no_sis"].id)
    assert (nosis["user_id"], nosis["created_by_sis"]) == ("", "false")
    merged = of(found, canvas_user_id=people["survivor"].id)
    assert {row["user_id"] for row in merged} == {"S-000215", "S-000216"}
    (student,) = of(found, canvas_user_id=people["student"].id)
    assert (student["first_name"], student["last_name"]) == ("Zoë", "Neil")
    assert student["uuid"] == people["student"].uuid


async def test_the_sis_export_leaves_out_logins_without_a_sis_id(twin: Twin) -> None:
    found = await rows(twin, SIS_EXPORT, "users")

    assert all(row["user_id"] for row in found)
    assert {row["password"] for row in found} == {""}


async def test_deleted_logins_come_back_only_with_a_sis_id(twin: Twin) -> None:
    people = twin.cast.people
    for key in ("student", "no_sis"):
        changes.delete_user(twin.school, people[key])

    default = await rows(twin, PROVISIONING, "users")
    everything = await rows(twin, PROVISIONING, "users", include_deleted="1")

    assert of(default, canvas_user_id=people["student"].id) == []
    assert of(everything, canvas_user_id=people["student"].id)[0]["status"] == "deleted"
    assert of(everything, canvas_user_id=people["no_sis"].id) == []


async def test_accounts_lists_the_tree_without_its_root(twin: Twin) -> None:
    found = await rows(twin, PROVISIONING, "accounts")

    assert of(found, canvas_account_id=1) == []
    assert of(found, name="Computer Science")[0]["parent_account_id"] == "ENG"
    assert of(found, name="Closed Faculty") == []
    everything = await rows(twin, PROVISIONING, "accounts", include_deleted="1")
    assert of(everything, name="Closed Faculty")[0]["status"] == "deleted"


async def test_a_sub_account_lists_its_direct_children_and_all_terms(twin: Twin) -> None:
    engineering = twin.cast.accounts["engineering"].id
    child = twin.cast.accounts["computing"]
    making.make_account(twin.school, "Grandchild", child.id)

    accounts = await rows(twin, PROVISIONING, "accounts", account=engineering)
    terms = await rows(twin, PROVISIONING, "terms", account=engineering)

    assert [row["name"] for row in accounts] == ["Computer Science"]
    assert "Default Term" in {row["name"] for row in terms}


async def test_dates_carry_the_root_accounts_offset(twin: Twin) -> None:
    term = twin.cast.terms["current"]
    (found,) = of(await rows(twin, PROVISIONING, "terms"), canvas_term_id=term.id)

    assert found["start_date"][-6:] in {"-06:00", "-07:00"}
    assert found["end_date"][-6:] in {"-06:00", "-07:00"}


async def test_course_states_and_who_is_left_out(twin: Twin) -> None:
    courses = twin.cast.courses
    default = await rows(twin, PROVISIONING, "courses")
    everything = await rows(twin, PROVISIONING, "courses", include_deleted="1")

    states = {row["canvas_course_id"]: row["status"] for row in everything}
    assert states[str(courses["demo"].id)] == "active"
    assert states[str(courses["unpublished"].id)] == "unpublished"
    assert states[str(courses["bare"].id)] == "unpublished"
    assert states[str(courses["concluded"].id)] == "concluded"
    assert states[str(courses["deleted"].id)] == "deleted"
    shown = {row["canvas_course_id"] for row in default}
    assert not shown & {str(courses["concluded"].id), str(courses["deleted"].id)}
    exported = await rows(twin, SIS_EXPORT, "courses", include_deleted="1")
    by_id = {row["course_id"]: row["status"] for row in exported}
    assert by_id[courses["unpublished"].sis_source_id or ""] == "active"
    assert by_id[courses["concluded"].sis_source_id or ""] == "completed"
    assert "" not in by_id


@pytest.mark.parametrize(("days", "shown"), [(100, True), (130, False)])
async def test_an_old_deleted_course_without_sis_id_is_forgotten(
    twin: Twin, days: int, shown: bool
) -> None:
    course = twin.cast.courses["bare"]
    at = NOW - timedelta(days=days)
    twin.school.update(course, workflow_state="deleted", updated_at=at)

    found = await rows(twin, PROVISIONING, "courses", include_deleted="1")

    assert bool(of(found, canvas_course_id=course.id)) is shown


async def test_dates_of_a_course_show_only_where_it_restricts_to_them(twin: Twin) -> None:
    course = twin.cast.courses["demo"]
    twin.school.update(course, start_at=NOW, end_at=NOW + timedelta(days=90))
    (free,) = of(await rows(twin, PROVISIONING, "courses"), canvas_course_id=course.id)
    twin.school.update(course, restrict_enrollments_to_course_dates=True)
    (bound,) = of(await rows(twin, PROVISIONING, "courses"), canvas_course_id=course.id)

    assert (free["start_date"], free["end_date"]) == ("", "")
    assert bound["start_date"] == "2026-03-02T03:00:00-07:00"
    assert bound["end_date"] == "2026-05-31T04:00:00-06:00"


async def test_a_cross_listed_section_stands_in_its_present_course(
    twin: Twin, make_twin: MakeTwin
) -> None:
    section, demo = twin.cast.sections["crosslisted"], twin.cast.courses["demo"]
    (found,) = of(await rows(twin, PROVISIONING, "sections"), canvas_section_id=section.id)
    (xlisted,) = await rows(twin, PROVISIONING, "xlist")
    older = await rows(make_twin(newest_exporter=False), PROVISIONING, "sections")

    assert found["canvas_course_id"] == str(demo.id)
    assert xlisted["canvas_xlist_course_id"] == str(demo.id)
    home = str(twin.cast.courses["evening"].id)
    assert xlisted["canvas_nonxlist_course_id"] == home
    assert of(older, canvas_section_id=section.id)[0]["canvas_course_id"] == home
    assert await text(twin, SIS_EXPORT, "xlist") == (
        f'xlist_course_id,section_id,status\n{demo.sis_source_id},"EVE,X",active\n'
    )


async def test_sections_of_deleted_courses_are_left_out_and_of_concluded_ones_not(
    twin: Twin,
) -> None:
    default = await rows(twin, PROVISIONING, "sections")
    sections = twin.cast.sections

    assert of(default, canvas_section_id=sections["concluded"].id)
    assert not of(default, canvas_section_id=sections["deleted"].id)
    everything = await rows(twin, PROVISIONING, "sections", include_deleted="1")
    assert of(everything, canvas_section_id=sections["deleted"].id)


async def test_enrollments_words_roles_and_order(twin: Twin) -> None:
    found = await rows(twin, PROVISIONING, "enrollments")
    demo, people = twin.cast.courses["demo"].id, twin.cast.people
    by_person = {
        row["canvas_user_id"]: row for row in of(found, canvas_course_id=demo) if row["user_id"]
    }

    numbers = [int(row["canvas_enrollment_id"]) for row in found]
    assert numbers == sorted(numbers)
    assert {row["base_role_type"] for row in found} == {
        "StudentEnrollment",
        "TeacherEnrollment",
        "TaEnrollment",
        "DesignerEnrollment",
        "ObserverEnrollment",
    }
    grader = by_person[str(people["grader"].id)]
    assert (grader["role"], grader["base_role_type"]) == ("Grader", "TaEnrollment")
    assert by_person[str(people["teacher"].id)]["role"] == "teacher"
    assert by_person[str(people["teacher"].id)]["user_id"] == "STAFF/01+7%"
    assert by_person[str(people["limited_teacher"].id)]["limit_section_privileges"] == "true"
    states = {key: by_person.get(str(user.id), {}).get("status") for key, user in people.items()}
    assert states["invited"] == states["pending"] == "invited"
    assert states["inactive"] == "inactive"
    assert states["rejected"] == "rejected"
    assert states["completed"] is states["dropped"] is None
    (linked,) = of(found, canvas_user_id=people["observer"].id, canvas_course_id=demo)
    assert linked["associated_user_id"] == "000123"
    assert of(found, canvas_user_id=people["no_login"].id) == []


async def test_include_deleted_adds_completed_and_only_deletions_that_sis_touched(
    twin: Twin,
) -> None:
    school, person = twin.school, twin.cast.people["dropped"]
    (by_sis,) = school.enrollments_of_user.of(person.id)
    by_hand = making.make_enrollment(
        school,
        person,
        twin.cast.sections["demo_b"],
        "StudentEnrollment",
        built_in_role_id(school, "StudentEnrollment"),
        "deleted",
    )

    found = await rows(twin, PROVISIONING, "enrollments", include_deleted="1")

    (shown,) = of(found, canvas_enrollment_id=by_sis.id)
    assert (shown["status"], shown["created_by_sis"]) == ("deleted", "true")
    assert of(found, canvas_enrollment_id=by_hand.id) == []
    (over,) = of(
        found,
        canvas_user_id=twin.cast.people["completed"].id,
        canvas_course_id=twin.cast.courses["demo"].id,
    )
    assert over["status"] == "concluded"


async def test_the_newest_exporter_drops_what_ended_by_date_and_older_ones_keep_it(
    twin: Twin, make_twin: MakeTwin
) -> None:
    past = twin.cast.courses["past"].id
    (default, everything, older) = (
        await rows(twin, PROVISIONING, "enrollments"),
        await rows(twin, PROVISIONING, "enrollments", include_deleted="1"),
        await rows(make_twin(newest_exporter=False), PROVISIONING, "enrollments"),
    )

    assert of(default, canvas_course_id=past) == []
    assert {row["status"] for row in of(everything, canvas_course_id=past)} == {"concluded"}
    assert "active" in {row["status"] for row in of(older, canvas_course_id=past)}


async def test_a_default_run_can_show_deleted_where_the_section_went(twin: Twin) -> None:
    section = twin.cast.sections["demo_b"]
    twin.school.update(section, workflow_state="deleted")

    found = await rows(twin, PROVISIONING, "enrollments")

    kept = of(found, canvas_section_id=section.id)
    assert kept
    assert {row["status"] for row in kept} == {"deleted"}


async def test_concluding_a_course_empties_its_roster_but_for_leftovers(twin: Twin) -> None:
    demo = twin.cast.courses["demo"]
    changes.conclude_course(twin.school, demo)

    found = of(await rows(twin, PROVISIONING, "enrollments"), canvas_course_id=demo.id)

    assert set(Counter(row["status"] for row in found)) == {"invited", "inactive", "rejected"}


async def test_the_user_id_of_a_row_is_the_login_it_was_made_with(twin: Twin) -> None:
    school, person = twin.school, twin.cast.people["two_logins"]
    found = of(await rows(twin, PROVISIONING, "enrollments"), canvas_user_id=person.id)
    by_course = {row["canvas_course_id"]: row["user_id"] for row in found}

    assert by_course[str(twin.cast.courses["evening"].id)] == "A-000200"
    assert by_course[str(twin.cast.courses["demo"].id)] == "S-000200"
    for login in list(school.pseudonyms_of_user.of(person.id)):
        school.update(login, workflow_state="deleted")
    assert of(await rows(twin, PROVISIONING, "enrollments"), canvas_user_id=person.id) == []


async def test_the_sis_export_of_enrollments(twin: Twin) -> None:
    demo, school = twin.cast.courses["demo"], twin.school
    found = await rows(twin, SIS_EXPORT, "enrollments")
    here = of(found, course_id=demo.sis_source_id)

    assert {row["status"] for row in here} == {"active", "inactive"}
    assert any(row["user_id"] == "" for row in here)
    assert all(row["course_id"] or row["section_id"] for row in found)
    teacher_role = built_in_role_id(school, "TeacherEnrollment")
    (teacher,) = of(here, user_id="STAFF/01+7%")
    assert (teacher["role"], teacher["role_id"]) == ("teacher", str(teacher_role))


async def test_filters_of_enrollments(twin: Twin) -> None:
    kinds = await rows(
        twin, PROVISIONING, "enrollments", enrollment_filter="TeacherEnrollment,TaEnrollment"
    )
    invited = await rows(
        twin, PROVISIONING, "enrollments", enrollment_states="invited,completed,deleted"
    )
    with_list = await start(twin, **{"enrollments": "1", "enrollment_states][": "inactive"})

    assert {row["base_role_type"] for row in kinds} == {"TeacherEnrollment", "TaEnrollment"}
    assert {row["status"] for row in invited} == {"invited"}
    assert with_list["parameters"]["enrollment_states"] == ["inactive"]
    listed = (await content(twin, await finished(twin, with_list))).decode()
    assert {row["status"] for row in csv.DictReader(io.StringIO(listed))} == {"inactive"}


async def test_a_term_narrows_courses_sections_enrollments_and_xlist_only(twin: Twin) -> None:
    term = twin.cast.terms["current"]
    chosen = {"enrollment_term_id": f"sis_term_id:{term.sis_source_id}"}

    courses = await rows(twin, PROVISIONING, "courses", **chosen)
    enrollments = await rows(twin, PROVISIONING, "enrollments", **chosen)

    assert {row["canvas_term_id"] for row in courses} == {str(term.id)}
    in_term = {
        str(course.id) for course in twin.school.courses.values() if course.term_id == term.id
    }
    assert {row["canvas_course_id"] for row in enrollments} <= in_term
    assert len(await rows(twin, PROVISIONING, "users", **chosen)) == len(
        await rows(twin, PROVISIONING, "users")
    )
    past = await rows(
        twin, PROVISIONING, "xlist", enrollment_term_id=str(twin.cast.terms["past"].id)
    )
    assert past == []


@pytest.mark.parametrize(
    ("newest", "value", "narrowed"),
    [(True, "true", True), (True, "false", False), (False, "false", True)],
)
async def test_created_by_sis_is_a_boolean_in_the_newest_exporter_only(
    make_twin: MakeTwin, newest: bool, value: str, narrowed: bool
) -> None:
    found = await rows(
        make_twin(newest_exporter=newest), PROVISIONING, "enrollments", created_by_sis=value
    )

    assert ({row["created_by_sis"] for row in found} == {"true"}) is narrowed


async def test_a_pair_of_people_has_a_row_for_each_pair_of_logins(twin: Twin) -> None:
    school, people = twin.school, twin.cast.people
    making.make_login(school, people["student"], "zoe.second", sis_user_id="Z2")
    making.make_login(school, people["observer"], "olga.second")

    found = of(
        await rows(twin, PROVISIONING, "user_observers"),
        canvas_observer_id=people["observer"].id,
    )

    assert len(found) == 4
    assert {row["student_id"] for row in found} == {"000123", "Z2"}
    assert of(await rows(twin, SIS_EXPORT, "user_observers"), student_id="Z2") == []


async def test_admins_cover_the_account_and_all_below(twin: Twin) -> None:
    cast = twin.cast
    everywhere = await rows(twin, PROVISIONING, "admins", created_by_sis="true")
    below = await rows(twin, PROVISIONING, "admins", account=cast.accounts["engineering"].id)

    (ada,) = of(everywhere, canvas_user_id=cast.people["admin"].id)
    assert (ada["admin_user_name"], ada["role"], ada["canvas_account_id"]) == (
        "Ada Root",
        "AccountAdmin",
        "1",
    )
    assert {row["canvas_user_id"] for row in below} == {str(cast.people["sub_admin"].id)}
    assert await rows(twin, SIS_EXPORT, "admins") == []


async def test_a_sub_account_holds_its_own_courses_and_people(twin: Twin) -> None:
    computing = twin.cast.accounts["computing"]
    engineering = twin.cast.accounts["engineering"].id
    found = await rows(twin, PROVISIONING, "courses", account=engineering)
    people = await rows(twin, PROVISIONING, "users", account=engineering)

    below = {str(engineering), str(computing.id)}
    assert {row["canvas_account_id"] for row in found} == below
    here = {row["canvas_user_id"] for row in people}
    assert str(twin.cast.people["student"].id) in here
    assert str(twin.cast.people["sub_admin"].id) in here
    assert str(twin.cast.people["registrar"].id) not in here


async def test_ids_of_another_cluster_are_written_in_their_long_form(make_twin: MakeTwin) -> None:
    twin = make_twin(foreign_shard=1745)

    found = await rows(twin, PROVISIONING, "users")

    longest = max(int(row["canvas_user_id"]) for row in found)
    assert longest > 2**53
    assert longest in twin.school.users
