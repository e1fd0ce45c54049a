"""What a row of each file does, and in which words it is refused (fact sheet sis-imports.md §5, §6)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.twin.conftest import MakeTwin, Twin
from tests.twin.sending_sis import done, enrollments, messages, rows_of
from twin import changes, making
from twin.records import Course, Enrollment, Section
from twin.roles import built_in_role_id

JUNE = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def twin(twin: Twin) -> Twin:
    """The demo course and its section B under names that fit on a line."""
    twin.school.update(twin.cast.courses["demo"], sis_source_id="C")
    twin.school.update(twin.cast.sections["demo"], sis_source_id="A")
    twin.school.update(twin.cast.sections["demo_b"], sis_source_id="B")
    return twin


def dates(row: Enrollment | Course) -> tuple[datetime | None, datetime | None]:
    return row.start_at, row.end_at


def home(section: Section) -> int | None:
    return section.nonxlist_course_id


def only(twin: Twin, person: str, section: str = "demo_b") -> Enrollment:
    number = twin.cast.sections[section].id
    (row,) = [row for row in rows_of(twin, person) if row.section_id == number]
    return row


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (",,S-000077,student,active", "No course_id or section_id given for an enrollment"),
        ("C,B,,student,active", "No user_id given for an enrollment"),
        ("C,B,S-000077,student,gone", 'Improper status "gone" for an enrollment'),
        ("C,B,S-000077,student,", 'Improper status "" for an enrollment'),
        ("C,B,S-000077,dean,active", 'Improper role "dean" for an enrollment'),
        ("C,B,S-000077,grader,active", 'Improper role "grader" for an enrollment'),
        ("C,B,S-000077,Reader,active", 'Improper role "Reader" for an enrollment'),
        ("C,B,S-000077,Registrar,active", 'Improper role "Registrar" for an enrollment'),
        ("C,B,S-000077,,active", 'Improper role "" for an enrollment'),
        (
            "C,B,NOBODY,student,active",
            "User not found for enrollment (User ID: NOBODY, Course ID: C, Section ID: B)",
        ),
        (
            "X,Y,S-000077,student,active",
            (
                "Neither course nor section existed for user enrollment "
                "(Course ID: X, Section ID: Y, User ID: S-000077)"
            ),
        ),
        (
            ",Y,S-000077,student,active",
            (
                "Neither course nor section existed for user enrollment "
                "(Course ID: , Section ID: Y, User ID: S-000077)"
            ),
        ),
        ("C,Y,S-000077,student,active", "An enrollment referenced a non-existent section Y"),
        ("X,B,S-000077,student,active", "An enrollment referenced a non-existent course X"),
        (
            "00420,B,S-000077,student,active",
            (
                "An enrollment listed a section (B) and a course (00420) "
                "that are unrelated for user (S-000077)"
            ),
        ),
    ],
)
async def test_a_row_is_refused_in_canvas_words(twin: Twin, row: str, message: str) -> None:
    before = len(twin.school.enrollments)

    batch = await enrollments(twin, row)

    assert messages(batch) == [message]
    assert batch["data"]["counts"]["enrollments"] == 0
    assert len(twin.school.enrollments) == before


@pytest.mark.parametrize(
    ("columns", "row", "message"),
    [
        (
            "associated_user_id",
            "C,B,S-000077,observer,active,NOBODY",
            "An enrollment referenced a non-existent associated user NOBODY",
        ),
        (
            "associated_user_id",
            "C,B,S-000077,observer,active,S-000077",
            (
                "An enrollment did not pass validation (course: C, section: B, user: S-000077, "
                "role: ObserverEnrollment, error: Associated user Cannot observe yourself)"
            ),
        ),
    ],
)
async def test_rows_of_observers_are_refused(
    twin: Twin, columns: str, row: str, message: str
) -> None:
    header = f"course_id,section_id,user_id,role,status,{columns}"

    assert messages(await enrollments(twin, row, header=header)) == [message]


async def test_numeric_ids_and_rest_prefixes_are_no_keys(twin: Twin) -> None:
    course, person = twin.cast.courses["demo"].id, twin.cast.people["ta"].id

    batch = await enrollments(
        twin, f"{course},,S-000077,student,active", f"C,B,sis_user_id:{person},student,active"
    )

    assert len(messages(batch)) == 2


async def test_a_blueprint_course_takes_no_students(twin: Twin) -> None:
    twin.school.update(twin.cast.courses["demo"], blueprint=True)

    batch = await enrollments(twin, "C,B,S-000077,student,active", "C,B,S-000077,ta,active")

    assert messages(batch) == [
        'Student enrollment for "S-000077" not allowed in blueprint course "C"'
    ]
    assert batch["data"]["counts"]["enrollments"] == 1


async def test_another_role_or_section_is_another_enrollment(twin: Twin) -> None:
    await enrollments(twin, "C,B,S-000077,student,active", "C,B,S-000077,Grader,active")

    assert sorted((row.section_id, row.type) for row in rows_of(twin, "ta")) == sorted(
        [
            (twin.cast.sections["demo"].id, "TaEnrollment"),
            (twin.cast.sections["demo_b"].id, "StudentEnrollment"),
            (twin.cast.sections["demo_b"].id, "TaEnrollment"),
        ]
    )


async def test_a_deletion_that_matches_nothing_makes_a_deleted_enrollment(twin: Twin) -> None:
    batch = await enrollments(twin, "C,B,S-000077,student,deleted")

    assert batch["workflow_state"] == "imported"
    assert only(twin, "ta").workflow_state == "deleted"
    assert rows_of(twin, "ta")[0].workflow_state == "active"


async def test_a_course_alone_means_its_default_section(twin: Twin) -> None:
    await enrollments(twin, "C,,S-000078,ta,deleted")

    default = twin.cast.sections["demo"].id
    assert only(twin, "grader").workflow_state == "active"
    assert [row.workflow_state for row in rows_of(twin, "grader") if row.section_id == default] == [
        "deleted"
    ]


async def test_a_section_alone_is_enough_and_statuses_match_by_their_beginning(
    twin: Twin,
) -> None:
    await enrollments(twin, ",B,S-000077,student,ACTIVELY")

    assert only(twin, "ta").workflow_state == "active"


@pytest.mark.parametrize("state", ["deleted", "completed", "inactive", "active"])
async def test_the_state_is_set_and_never_sticky(twin: Twin, state: str) -> None:
    row = only(twin, "limited_teacher")
    row.stuck |= {"workflow_state", "start_at"}

    batch = await enrollments(twin, f"C,B,STAFF-0006,teacher,{state}")

    assert row.workflow_state == state
    words = {"deleted": "deleted", "completed": "concluded", "inactive": "deactivated"}
    statistics = batch["data"]["statistics"]
    assert statistics["total_state_changes"] == int(state != "active")
    if state in words:
        assert statistics["Enrollment"][words[state]] == 1


async def test_an_invitation_becomes_active_without_a_step_between(twin: Twin) -> None:
    await enrollments(twin, "C,A,S-000209,student,active")

    assert only(twin, "invited", "demo").workflow_state == "active"


async def test_a_hand_made_row_is_taken_over(twin: Twin) -> None:
    row = only(twin, "limited_teacher")
    twin.school.update(row, sis_batch_id=None)
    stamped = row.updated_at

    batch = await enrollments(twin, "C,B,STAFF-0006,teacher,active")

    assert row.sis_batch_id == batch["id"]
    assert row.updated_at == stamped
    assert batch["data"]["statistics"]["total_state_changes"] == 0


async def test_the_last_one_is_completed_and_others_are_deleted(twin: Twin) -> None:
    await enrollments(twin, "C,B,S-000078,Grader,deleted_last_completed")
    assert only(twin, "grader").workflow_state == "completed"

    await enrollments(twin, "C,A,S-000078,Grader,active", "C,B,S-000078,Grader,active")
    await enrollments(twin, "C,B,S-000078,Grader,deleted_last_completed")
    assert only(twin, "grader").workflow_state == "deleted"


async def test_role_id_wins_over_role(twin: Twin) -> None:
    role = built_in_role_id(twin.school, "DesignerEnrollment")

    await enrollments(
        twin,
        f"C,B,S-000077,student,{role},active",
        header="course_id,section_id,user_id,role,role_id,status",
    )

    assert only(twin, "ta").type == "DesignerEnrollment"


async def test_the_integration_id_is_used_and_the_sis_id_then_is_not(twin: Twin) -> None:
    await enrollments(
        twin,
        "C,B,S-000077,int:staff/7,ta,active",
        header="course_id,section_id,user_id,user_integration_id,role,status",
    )

    assert only(twin, "teacher").type == "TaEnrollment"


async def test_the_origin_of_a_cross_listed_section_still_names_it(twin: Twin) -> None:
    await enrollments(twin, '00420,"EVE,X",S-000077,student,active')

    assert only(twin, "ta", "crosslisted").course_id == twin.cast.courses["demo"].id


async def test_absent_dates_clear_what_is_stored_unless_it_is_sticky(twin: Twin) -> None:
    dated = "course_id,section_id,user_id,role,status,start_date,end_date,limit_section_privileges"
    full = "C,B,S-000077,student,active,2026-05-01,2026-06-01T00:00:00Z,true"
    await enrollments(twin, full, header=dated)
    row = only(twin, "ta")
    assert dates(row)[1] == JUNE
    assert row.limit_privileges_to_course_section

    await enrollments(twin, "C,B,S-000077,student,active,,,", header=dated)
    assert dates(row) == (None, None)
    assert row.limit_privileges_to_course_section

    twin.school.update(row, end_at=JUNE, stuck=frozenset({"end_at"}))
    await enrollments(twin, "C,B,S-000077,student,active")
    assert dates(row)[1] == JUNE
    await enrollments(twin, "C,B,S-000077,student,active", override_sis_stickiness="1")
    assert dates(row)[1] is None
    assert row.stuck == {"end_at"}


async def test_a_bad_date_is_a_warning_and_the_row_goes_on(twin: Twin) -> None:
    batch = await enrollments(
        twin,
        "C,B,S-000077,student,active,soon,2026-06-01",
        header="course_id,section_id,user_id,role,status,start_date,end_date",
    )

    assert messages(batch) == ["Bad date format for user S-000077 in course C"]
    assert batch["data"]["counts"]["enrollments"] == 1
    assert (only(twin, "ta").start_at, only(twin, "ta").end_at) == (None, None)


async def test_a_deleted_person_is_not_enrolled_but_the_row_is_made(twin: Twin) -> None:
    changes.delete_user(twin.school, twin.cast.people["ta"])

    batch = await enrollments(twin, "C,B,S-000077,student,active")

    assert messages(batch) == ["Attempted enrolling of deleted user S-000077 in course C"]
    assert only(twin, "ta").workflow_state == "deleted"


async def test_a_deleted_login_of_a_living_person(twin: Twin) -> None:
    school, person = twin.school, twin.cast.people["ta"]
    (login,) = school.pseudonyms_of_user.of(person.id)
    school.update(login, workflow_state="deleted")

    refused = await enrollments(twin, "C,B,S-000077,student,active")
    making.make_login(school, person, "another")
    applied = await enrollments(twin, "C,B,S-000077,student,active")

    assert messages(refused) == ["Attempted enrolling with deleted sis login tassad in course C"]
    assert refused["data"]["counts"]["enrollments"] == 0
    assert messages(applied) == [
        "Enrolled a user S-000077 in course C, but referenced a deleted sis login"
    ]
    assert applied["data"]["counts"]["enrollments"] == 1
    assert only(twin, "ta").workflow_state == "active"


async def test_deletes_can_be_skipped(twin: Twin) -> None:
    batch = await enrollments(
        twin,
        "C,B,STAFF-0006,teacher,deleted",
        "C,B,S-000078,Grader,deleted_last_completed",
        skip_deletes="true",
    )

    assert batch["workflow_state"] == "imported"
    assert batch["data"]["counts"]["enrollments"] == 0
    assert only(twin, "limited_teacher").workflow_state == "active"


async def table(twin: Twin, header: str, *rows: str, **options: Any) -> dict[str, Any]:
    return await done(twin, "\n".join([header, *rows]) + "\n", **options)


USERS = "user_id,login_id,authentication_provider_id,full_name,short_name,email,status"


async def test_a_user_row_makes_and_changes_a_person(twin: Twin) -> None:
    await table(twin, USERS, "N1,n.one,canvas,Nina One,,nina@x.edu,active")
    made = (await twin.get("/api/v1/users/sis_user_id:N1")).json()
    assert (made["name"], made["sortable_name"], made["login_id"]) == (
        "Nina One",
        "One, Nina",
        "n.one",
    )

    await table(twin, USERS, "N1,n.uno,,Nina Uno,Nini,nina@x.edu,suspended")
    (login,) = twin.school.pseudonyms_of_user.of(made["id"])
    assert (login.unique_id, login.workflow_state) == ("n.uno", "suspended")
    assert login.authentication_provider_id is None
    assert twin.school.users[made["id"]].short_name == "Nini"
    assert len(twin.school.channels_of_user.of(made["id"])) == 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("N1,,,x,,,active", "No login_id given for user N1"),
        ("N1,n,,x,,,gone", "Improper status for user N1"),
        ("N1,n,saml,x,,,active", "unrecognized authentication provider saml for N1, skipping"),
        (
            "N1,ZONEIL,,x,,,active",
            (
                "An existing Canvas user with the SIS ID 000123 has already claimed N1's user_id "
                "requested login information, skipping"
            ),
        ),
        ("STAFF-0001,admin,,Ada,,,deleted", "Can't remove yourself user_id 'STAFF-0001'"),
    ],
)
async def test_a_user_row_is_refused_in_canvas_words(twin: Twin, row: str, message: str) -> None:
    assert messages(await table(twin, USERS, row)) == [message]


async def test_a_claimed_login_takes_the_new_sis_id_where_allowed(twin: Twin) -> None:
    await table(twin, USERS, "N9,zoneil,,Zoë,,,active", update_sis_id_if_login_claimed="1")

    found = (await twin.get("/api/v1/users/sis_user_id:N9")).json()
    assert found["id"] == twin.cast.people["student"].id


async def test_a_login_without_a_sis_id_is_taken_over(twin: Twin) -> None:
    await table(twin, USERS, "N9,guest@elsewhere.example.org,,Nosis Guest,,,active")

    found = (await twin.get("/api/v1/users/sis_user_id:N9")).json()
    assert found["id"] == twin.cast.people["no_sis"].id


async def test_with_the_last_login_all_enrollments_go(twin: Twin) -> None:
    await table(twin, USERS, "000123,zoneil,,,,,deleted", "A-000200,darcy.alum,,,,,deleted")

    assert {row.workflow_state for row in rows_of(twin, "student")} == {"deleted"}
    assert {row.workflow_state for row in rows_of(twin, "two_logins")} == {"active"}


async def test_names_changed_by_hand_stay_until_they_are_overridden(twin: Twin) -> None:
    person = twin.cast.people["student"]
    twin.school.update(person, name="Zoë By Hand", stuck=frozenset({"name"}))
    row = "000123,zoneil,,Zoe Sis,Zo,,active"

    await table(twin, USERS, row)
    assert (person.name, person.short_name) == ("Zoë By Hand", "Zo")

    await table(twin, USERS, row, override_sis_stickiness="1")
    assert person.name == "Zoe Sis"
    assert person.stuck == {"name"}

    await table(twin, USERS, row, override_sis_stickiness="1", clear_sis_stickiness="1")
    assert person.stuck == frozenset()

    new = "000123,zoneil,,Zoe New,Zo,,active"
    await table(twin, USERS, new, override_sis_stickiness="1", add_sis_stickiness="1")
    assert "name" in person.stuck
    await table(twin, USERS, row)
    assert person.name == "Zoe New"


COURSES = "course_id,short_name,long_name,account_id,term_id,status,start_date,end_date"


@pytest.mark.parametrize(
    ("status", "stored"),
    [
        ("active", "claimed"),
        ("published", "available"),
        ("unpublished", "claimed"),
        ("completed", "completed"),
        ("deleted", "deleted"),
    ],
)
async def test_states_of_a_new_course(twin: Twin, status: str, stored: str) -> None:
    await table(twin, COURSES, f"N,N1,New,ENG,,{status},,")

    (made,) = [course for course in twin.school.courses.values() if course.sis_source_id == "N"]
    assert made.workflow_state == stored
    assert made.account_id == twin.cast.accounts["engineering"].id


async def test_a_course_keeps_dates_on_empty_and_clears_them_on_demand(twin: Twin) -> None:
    demo = twin.cast.courses["demo"]
    await table(twin, COURSES, "C,CS,CS One,,,active,2026-01-10,2026-06-01")
    assert dates(demo)[1] == JUNE
    assert demo.restrict_enrollments_to_course_dates
    assert demo.workflow_state == "available"
    await table(twin, COURSES, "C,CS,CS One,,,active,,")
    assert dates(demo)[1] == JUNE
    await table(twin, COURSES, "C,CS,CS One,,,active,<delete>,<delete>")
    assert dates(demo) == (None, None)
    assert not demo.restrict_enrollments_to_course_dates


@pytest.mark.parametrize(
    ("header", "row", "message"),
    [
        (COURSES, "N,,New,,,active,,", "No short_name given for course N"),
        (COURSES, "N,N,New,,,odd,,", 'Improper status "odd" for course N'),
        ("term_id,name,status", "T,Term,odd", 'Improper status "odd" for term T'),
        (
            "section_id,course_id,name,status",
            "N,X,New,active",
            "Section N references course X which doesn't exist",
        ),
        (
            "section_id,course_id,name,status",
            "N,C,,active",
            "No name given for section N in course C",
        ),
        (
            "section_id,course_id,name,status",
            "N,C,New,odd",
            'Improper status "odd" for section N in course C',
        ),
        (
            "user_id,account_id,role,status",
            "NOBODY,,Registrar,active",
            "Invalid or unknown user_id 'NOBODY' for admin",
        ),
        (
            "user_id,account_id,role,status",
            "S-000077,,student,active",
            "Invalid role 'student' for admin",
        ),
        (
            "observer_id,student_id,status",
            "NOBODY,000123,active",
            "An observer referenced a non-existent user NOBODY",
        ),
        (
            "observer_id,student_id,status",
            "000123,000123,active",
            "Can't observe yourself user 000123",
        ),
        (
            "observer_id,student_id,status",
            "S-000077,000123,deleted",
            "Can't delete a non-existent observer for observer: S-000077, student: 000123",
        ),
    ],
)
async def test_other_rows_are_refused_in_canvas_words(
    twin: Twin, header: str, row: str, message: str
) -> None:
    assert messages(await table(twin, header, row)) == [message]


async def test_exact_words_where_canvas_wants_them(twin: Twin) -> None:
    for header, row in (
        ("observer_id,student_id,status", "S-000077,000123,ACTIVE"),
        ("user_id,account_id,role,status", "S-000077,,Registrar,Active"),
        ("xlist_course_id,section_id,status", "C,B,actively"),
    ):
        assert len(messages(await table(twin, header, row))) == 1


async def test_a_section_loses_its_dates_on_empty_and_moves_with_its_course(twin: Twin) -> None:
    header = "section_id,course_id,name,status,start_date,end_date"
    section = twin.cast.sections["demo_b"]
    await table(twin, header, "B,C,Group B,active,2026-01-10,2026-06-01")
    assert (section.name, section.end_at) == ("Group B", JUNE)
    assert section.restrict_enrollments_to_section_dates

    await table(twin, header, "B,00420,Group B,active,,")
    assert section.end_at is None
    assert section.course_id == twin.cast.courses["evening"].id
    assert section.nonxlist_course_id is None
    await table(twin, header, "B,00420,Group B,deleted,,")
    assert section.workflow_state == "deleted"


async def test_cross_listing_by_sis_and_back(twin: Twin) -> None:
    section, header = twin.cast.sections["demo_b"], "xlist_course_id,section_id,status"
    await table(twin, header, "00420,B,active")
    assert section.course_id == twin.cast.courses["evening"].id
    assert home(section) == twin.cast.courses["demo"].id
    await table(twin, header, "00420,B,deleted")
    assert section.course_id == twin.cast.courses["demo"].id
    assert home(section) is None

    await table(twin, header, "UNHEARD-OF,B,active")
    target = twin.school.courses[section.course_id]
    assert (target.sis_source_id, target.name) == ("UNHEARD-OF", twin.cast.courses["demo"].name)


async def test_term_dates_and_overrides(twin: Twin) -> None:
    header = "term_id,name,status,date_override_enrollment_type,start_date,end_date"
    term = twin.cast.terms["current"]
    row = f"{term.sis_source_id},Spring,active,{{}},2026-01-10,2026-06-01"
    await table(twin, header, row.format(""), row.format("TeacherEnrollment"))

    assert (term.name, term.end_at) == ("Spring", JUNE)
    assert term.overrides["TeacherEnrollment"][1] == JUNE
    await table(twin, header, f"{term.sis_source_id},Spring,active,,,")
    assert term.end_at is None


async def test_only_admins_that_sis_made_are_taken_away(twin: Twin) -> None:
    header = "user_id,account_id,role,status"
    await table(twin, header, "STAFF-0003,,Registrar,deleted")
    (held,) = twin.school.admins_of_user.of(twin.cast.people["registrar"].id)
    assert held.workflow_state == "active"

    await table(twin, header, "STAFF-0003,,Registrar,active")
    await table(twin, header, "STAFF-0003,,Registrar,deleted")
    assert held.workflow_state == "deleted"


async def test_an_observer_follows_the_student_and_leaves_again(twin: Twin) -> None:
    header = "observer_id,student_id,status"
    await table(twin, header, "S-000078,000123,active")
    linked = [row for row in rows_of(twin, "grader") if row.type == "ObserverEnrollment"]
    assert [row.associated_user_id for row in linked] == [twin.cast.people["student"].id]
    await table(twin, header, "S-000078,000123,deleted")
    assert [row.workflow_state for row in linked] == ["deleted"]


async def test_one_more_login_for_somebody(twin: Twin) -> None:
    await table(twin, "user_id,login_id,existing_user_id", "SECOND,zoe.two,000123")

    assert (await twin.get("/api/v1/users/sis_user_id:SECOND")).json()["id"] == (
        twin.cast.people["student"].id
    )


async def test_a_sis_id_is_changed(twin: Twin) -> None:
    header = "old_id,new_id,type"
    batch = await table(
        twin, header, "000123,Z-1,user", "C,C-2,course", "123,Z-1,user", "NO,X,user", "C-2,Y,moon"
    )

    assert batch["data"]["counts"]["change_sis_ids"] == 2
    assert len(messages(batch)) == 3
    assert (await twin.get("/api/v1/users/sis_user_id:Z-1")).status_code == 200
    assert twin.cast.courses["demo"].sis_source_id == "C-2"


async def test_accounts_are_made_under_their_parents(twin: Twin) -> None:
    header = "account_id,parent_account_id,name,status"
    batch = await table(
        twin, header, "N1,,Top,active", "N2,N1,Below,active", "N3,X,Lost,active", "N4,,,active"
    )

    assert batch["data"]["counts"]["accounts"] == 2
    found = (await twin.get("/api/v1/accounts/sis_account_id:N2")).json()
    parent = (await twin.get("/api/v1/accounts/sis_account_id:N1")).json()
    assert found["parent_account_id"] == parent["id"]
    assert parent["parent_account_id"] == 1


async def test_pronouns_only_where_the_school_uses_them(make_twin: MakeTwin) -> None:
    header = "user_id,login_id,pronouns,status"
    for on, expected in ((False, None), (True, "she/her")):
        twin = make_twin(export_pronouns=on)
        await table(twin, header, "000123,zoneil,she/her,active")
        assert twin.cast.people["student"].pronouns == expected
