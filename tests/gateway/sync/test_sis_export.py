"""A SIS export: no Canvas ids, fewer rows, coarser words. It learns and teaches by SIS ids alone."""

from pathlib import Path

from models.roster import SyncRunState
from tests.gateway.sync.conftest import School
from tests.gateway.sync.reports import Files, Row, enrollment, report, user

USERS = [user(9001, "Amara Okoye"), user(9002, "Ben Lind"), user(9003, "Dina Haddad")]
COURSE = {"course_id": "BIO", "short_name": "BIO101", "long_name": "Biology", "status": "active"}
SECTION = {"section_id": "BIO-A", "course_id": "BIO", "name": "A"}
ROWS: list[Row] = [
    {"course_id": "BIO", "section_id": "BIO-A", "user_id": "U9001"},
    {"course_id": "BIO", "section_id": "BIO-A", "user_id": "U9002", "status": "inactive"},
    {
        "course_id": "BIO",
        "section_id": "BIO-A",
        "user_id": "U9003",
        "role": "teacher",
        "role_id": 4,
    },
]
EXPORT: Files = {"users": USERS, "courses": [COURSE], "sections": [SECTION], "enrollments": ROWS}

P_COURSE: Row = {**COURSE, "canvas_course_id": 501, "status": "unpublished"}
P_SECTION: Row = {**SECTION, "canvas_section_id": 701, "canvas_course_id": 501}
PROVISIONING: Files = {
    "users": USERS,
    "courses": [P_COURSE],
    "sections": [P_SECTION],
    "enrollments": [
        enrollment(30001, 9001),
        enrollment(30002, 9002),
        enrollment(30003, 9003, role="teacher", role_id=4, base_role_type="TeacherEnrollment"),
        enrollment(30004, 9003, role="Lab Mentor", role_id=27, base_role_type="TaEnrollment"),
    ],
}


async def test_an_export_makes_a_school_by_sis_ids(school: School, tmp_path: Path) -> None:
    path = report(tmp_path / "s.zip", EXPORT, sis=True)

    summary = await school.take_in(path)

    assert ("SIS export", SyncRunState.SUCCEEDED, 8) == (
        summary.report,
        summary.state,
        summary.total.created,
    )
    rows = await school.rows("enrollment")
    assert [("STUDENT", "ACTIVE"), ("STUDENT", "INACTIVE"), ("TEACHER", "ACTIVE")] == [
        (row["type"], row["state"]) for row in rows
    ]
    assert [None] == [
        row["state"] for row in await school.rows("course")
    ]  # published or not, it does not say

    again = await school.take_in(path)
    assert (0, 0, 8, 0) == (
        again.total.created,
        again.total.updated,
        again.total.unchanged,
        again.total.held,
    )


async def test_a_provisioning_report_recognises_what_an_export_made(
    school: School, tmp_path: Path
) -> None:
    await school.take_in(report(tmp_path / "s.zip", EXPORT, sis=True))

    summary = await school.take_in(report(tmp_path / "p.zip", PROVISIONING))

    assert (1, 8) == (summary.total.created, summary.total.updated)
    for table, count in [("person", 3), ("course", 1), ("section", 1), ("enrollment", 4)]:
        rows = await school.rows(table)
        assert count == len(rows)
        assert all(row["canvas_id"] for row in rows)


async def test_an_export_recognises_what_a_provisioning_report_made(
    school: School, tmp_path: Path
) -> None:
    await school.take_in(report(tmp_path / "p.zip", PROVISIONING))

    summary = await school.take_in(report(tmp_path / "s.zip", EXPORT, sis=True))

    assert (0, 1) == (summary.total.created, summary.total.updated)
    assert {
        30001: "ACTIVE",
        30002: "INACTIVE",
        30003: "ACTIVE",
        30004: "ACTIVE",
    } == await school.states()
    assert ["UNPUBLISHED"] == [row["state"] for row in await school.rows("course")]


async def test_a_custom_role_has_the_type_that_the_store_knows(
    school: School, tmp_path: Path
) -> None:
    mentor = {**ROWS[0], "user_id": "U9002", "role": "Lab Mentor", "role_id": 27}
    path = report(tmp_path / "s.zip", {**EXPORT, "enrollments": [mentor]}, sis=True)

    unknown = await school.take_in(path)
    assert "what type the role Lab Mentor is of is not known" == unknown.set_aside[0].reason

    await school.take_in(report(tmp_path / "p.zip", PROVISIONING))
    known = await school.take_in(path)
    assert (1, 0) == (known.total.created, known.total.set_aside)


async def test_rows_that_refer_to_nothing_known_are_set_aside(
    school: School, tmp_path: Path
) -> None:
    rows = [
        *ROWS,
        {"course_id": "BIO", "section_id": "BIO-A", "user_id": ""},
        {"course_id": "BIO", "section_id": "BIO-A", "user_id": "U1"},
        {"course_id": "CHM", "section_id": "BIO-A", "user_id": "U9001"},
        {"course_id": "BIO", "section_id": "BIO-Z", "user_id": "U9001"},
    ]

    summary = await school.take_in(
        report(tmp_path / "s.zip", {**EXPORT, "enrollments": rows}, sis=True)
    )

    assert {
        (5, "user_id is empty"),
        (6, "the user U1 is not known"),
        (7, "the course CHM is not known"),
        (8, "the section BIO-Z is not known"),
    } == {(row.line, row.reason) for row in summary.set_aside}


async def test_a_row_may_name_its_course_or_its_section_alone(
    school: School, tmp_path: Path
) -> None:
    await school.take_in(report(tmp_path / "p.zip", PROVISIONING))
    rows = [{**ROWS[0], "course_id": ""}, {**ROWS[1], "section_id": ""}, ROWS[2]]

    summary = await school.take_in(
        report(tmp_path / "s.zip", {**EXPORT, "enrollments": rows}, sis=True)
    )

    assert (0, 1, 0) == (summary.total.created, summary.total.updated, summary.total.set_aside)
    assert "INACTIVE" == (await school.states())[30002]


async def test_silence_proves_nothing_of_what_has_no_sis_id(school: School, tmp_path: Path) -> None:
    unnamed = [USERS[0], {**USERS[1], "user_id": ""}, USERS[2]]
    await school.take_in(report(tmp_path / "p.zip", {**PROVISIONING, "users": unnamed}))

    summary = await school.take_in(
        report(
            tmp_path / "s.zip", {**EXPORT, "users": USERS[:1], "enrollments": ROWS[2:]}, sis=True
        )
    )

    assert (
        2 == summary.total.held
    )  # 30001, and the mentor's; not the enrollment of whoever has no SIS id
    missing = await school.rows(
        "enrollment", "canvas_id", where="missing_since is not null", order="canvas_id"
    )
    assert [30001, 30004] == [row["canvas_id"] % 10**13 for row in missing]


async def test_an_export_is_never_the_whole_institution(school: School, tmp_path: Path) -> None:
    await school.take_in(report(tmp_path / "s.zip", EXPORT, sis=True))

    assert {False} == {bool(cover["whole"]) for cover in await school.rows("coverage")}
