"""What a report does to the store, on both databases; the crash and the property tests stand beside this file."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.errors import UnusableFile
from gateway.merge import Guard
from gateway.store import institutions, runs
from gateway.sync.summary import Progress
from gateway.uow import Row
from models.roster import Source, SyncRunState
from tests.gateway.sync.conftest import School
from tests.gateway.sync.reports import Files, csv_text, enrollment, report, user, zipped

COURSE = {
    "canvas_course_id": 501,
    "course_id": "BIO",
    "short_name": "BIO101",
    "long_name": "Biology, Zoë's",
}
SECTION = {
    "canvas_section_id": 701,
    "section_id": "BIO-A",
    "canvas_course_id": 501,
    "course_id": "BIO",
    "name": "A",
}
TERM = {
    "canvas_term_id": 12,
    "term_id": "F26",
    "name": "Fall",
    "end_date": "2027-01-31T00:00:00-07:00",
}
PEOPLE = [user(9001, "Amara Okoye"), user(9002, "Ben Lind"), user(9003, "Dina Haddad")]
ROSTER = [
    enrollment(30001, 9001),
    enrollment(30002, 9002),
    enrollment(30003, 9003, role="teacher", role_id=4, base_role_type="TeacherEnrollment"),
]
SCHOOL: Files = {"users": PEOPLE, "courses": [COURSE], "sections": [SECTION], "enrollments": ROSTER}


def fields(text: str | None) -> dict[str, object] | None:
    return None if text is None else {one["field"]: one["value"] for one in json.loads(text)}


async def feed(school: School) -> list[Row]:
    rows = await school.rows("change", order="position")
    assert [row["position"] for row in rows] == list(range(1, len(rows) + 1))
    return rows


async def test_a_school_arrives_whole(school: School, tmp_path: Path) -> None:
    summary = await school.take_in(report(tmp_path / "r.zip", SCHOOL, terms=[TERM]))

    assert SyncRunState.SUCCEEDED is summary.state
    assert {
        "courses.csv": 1,
        "sections.csv": 1,
        "terms.csv": 1,
        "users.csv": 3,
        "enrollments.csv": 3,
    } == {file.file: file.counts.created for file in summary.files}
    (course,) = await school.rows("course")
    assert ("Biology, Zoë's", "BIO101", 10**13 + 501) == (
        course["name"],
        course["course_code"],
        course["canvas_id"],
    )
    assert ("biology, zoe's", "biology, zoe's\nbio101") == (
        course["sort_key"],
        course["search_key"],
    )
    people = {row["canvas_id"] % 10**13: row for row in await school.rows("person")}
    amara = people[9001]
    assert ("Okoye, Amara", "U9001", "amara.okoye", "ACTIVE") == (
        amara["sortable_name"],
        amara["sis_id"],
        amara["login_id"],
        amara["state"],
    )
    assert ("UPLOAD", "UPLOAD", "UPLOAD") == (
        amara["name_source"],
        amara["login_source"],
        amara["contact_source"],
    )
    (teacher,) = await school.rows("enrollment", where="type = 'TEACHER'")
    assert (people[9003]["id"], course["id"], "TeacherEnrollment", 4) == (
        teacher["person_id"],
        teacher["course_id"],
        teacher["role"],
        teacher["role_id"],
    )


async def test_a_first_load_is_one_baseline_in_the_feed(school: School, tmp_path: Path) -> None:
    summary = await school.take_in(report(tmp_path / "r.zip", SCHOOL))

    (entry,) = await feed(school)
    assert ("BASELINE", "Institution", school.institution.id) == (
        entry["kind"],
        entry["subject_type"],
        entry["subject_id"],
    )
    (run,) = await school.rows("sync_run")
    assert (summary.run_id, "SUCCEEDED", "UPLOAD") == (run["id"], run["state"], run["source"])
    assert (8, 8) == (run["rows_read"], run["created"])
    assert run["ended_at"] is not None


async def test_the_same_file_again_changes_nothing(school: School, tmp_path: Path) -> None:
    path = report(tmp_path / "r.zip", SCHOOL)
    await school.take_in(path)
    before = {
        table: await school.rows(table)
        for table in ("person", "identity", "course", "section", "enrollment")
    }

    summary = await school.take_in(path)

    total = summary.total
    assert (8, 0, 0, 0, 8, 0, 0) == (
        total.rows,
        total.created,
        total.updated,
        total.removed,
        total.unchanged,
        total.set_aside,
        total.held,
    )
    assert before == {table: await school.rows(table) for table in before}
    assert ["BASELINE"] == [entry["kind"] for entry in await feed(school)]
    assert 2 == len(await school.rows("sync_run"))


async def test_a_change_is_told_with_what_changed_and_no_more(
    school: School, tmp_path: Path
) -> None:
    await school.take_in(report(tmp_path / "1.zip", SCHOOL))
    changed = {
        **SCHOOL,
        "users": [
            user(9001, "Amara Okoye-Lind", login_id="amara.okoye", email="amara.okoye@example.edu"),
            *PEOPLE[1:],
        ],
        "enrollments": [
            enrollment(30001, 9001, status="inactive"),
            *ROSTER[1:],
            enrollment(30004, 9001, role="ta", role_id=5, base_role_type="TaEnrollment"),
        ],
    }

    summary = await school.take_in(report(tmp_path / "2.zip", changed))

    assert (1, 2, 6) == (summary.total.created, summary.total.updated, summary.total.unchanged)
    _, renamed, *enrolled = await feed(school)
    assert ("UPDATED", "User") == (renamed["kind"], renamed["subject_type"])
    assert {
        "familyName": "Okoye",
        "name": "Amara Okoye",
        "sortableName": "Okoye, Amara",
    } == fields(renamed["before"])
    assert {
        "familyName": "Okoye-Lind",
        "name": "Amara Okoye-Lind",
        "sortableName": "Okoye-Lind, Amara",
    } == fields(renamed["after"])
    told = {entry["kind"]: entry for entry in enrolled}
    assert ({"state": "ACTIVE"}, {"state": "INACTIVE"}) == (
        fields(told["UPDATED"]["before"]),
        fields(told["UPDATED"]["after"]),
    )
    after = fields(told["CREATED"]["after"])
    assert after is not None
    assert told["CREATED"]["before"] is None
    assert ("TA", "TaEnrollment", "false", str(10**13 + 30004)) == (
        after["type"],
        after["role"],
        after["limitPrivilegesToCourseSection"],
        after["canvasId"],
    )
    assert {summary.run_id} == {entry["sync_run_id"] for entry in (renamed, *enrolled)}
    (course,) = await school.rows("course")
    assert {course["id"]} == {entry["course_id"] for entry in enrolled}


async def test_deleted_and_concluded_rows_end_explicitly_and_come_back(
    school: School, tmp_path: Path
) -> None:
    await school.take_in(report(tmp_path / "1.zip", SCHOOL))
    ended = [
        enrollment(30001, 9001, status="deleted"),
        enrollment(30002, 9002, status="concluded"),
        ROSTER[2],
    ]

    gone = await school.take_in(report(tmp_path / "2.zip", {**SCHOOL, "enrollments": ended}))

    assert (1, 1) == (gone.total.removed, gone.total.updated)
    rows = {row["canvas_id"] % 10**13: row for row in await school.rows("enrollment")}
    assert ("DELETED", "COMPLETED") == (rows[30001]["state"], rows[30002]["state"])
    assert rows[30001]["removed_at"] is not None
    assert rows[30002]["removed_at"] is None

    back = await school.take_in(report(tmp_path / "3.zip", SCHOOL))

    assert 2 == back.total.updated
    assert {30001: "ACTIVE", 30002: "ACTIVE", 30003: "ACTIVE"} == await school.states()
    assert ["BASELINE", "REMOVED", "UPDATED", "RESTORED", "UPDATED"] == [
        e["kind"] for e in await feed(school)
    ]


async def test_an_absent_row_is_held_and_never_removed(school: School, tmp_path: Path) -> None:
    await school.take_in(report(tmp_path / "1.zip", SCHOOL))
    path = report(tmp_path / "2.zip", {**SCHOOL, "enrollments": ROSTER[1:]})

    summary = await school.take_in(path)

    assert SyncRunState.HELD is summary.state
    assert (1, 0) == (summary.total.held, summary.total.removed)
    assert any("nothing explains it" in note for file in summary.files for note in file.notes)
    assert {30001: "ACTIVE", 30002: "ACTIVE", 30003: "ACTIVE"} == await school.states()
    (missing,) = await school.rows("enrollment", "canvas_id", where="missing_since is not null")
    assert 10**13 + 30001 == missing["canvas_id"]
    assert ["BASELINE"] == [entry["kind"] for entry in await feed(school)]

    again = await school.take_in(path)
    assert 1 == again.total.held

    back = await school.take_in(report(tmp_path / "3.zip", SCHOOL))
    assert SyncRunState.SUCCEEDED is back.state
    assert [] == await school.rows("enrollment", where="missing_since is not null")
    assert ["BASELINE"] == [entry["kind"] for entry in await feed(school)]


ENDED_TERM = {**TERM, "end_date": "2026-08-01T00:00:00-06:00"}
OTHER = {**COURSE, "canvas_course_id": 502, "course_id": "CHM"}


@pytest.mark.parametrize(
    ("changes", "state", "removed"),
    [
        pytest.param(
            {"courses": [{**COURSE, "status": "concluded"}]},
            "COMPLETED",
            False,
            id="course concluded",
        ),
        pytest.param(
            {"courses": [{**COURSE, "status": "deleted"}]}, "DELETED", True, id="course deleted"
        ),
        pytest.param(
            {"sections": [{**SECTION, "status": "deleted"}]}, "DELETED", True, id="section deleted"
        ),
        pytest.param(
            {"terms": [ENDED_TERM], "courses": [{**COURSE, "canvas_term_id": 12}]},
            "ACTIVE",
            False,
            id="term over",
        ),
        pytest.param(
            {"courses": [{**COURSE, "end_date": "2026-08-01T00:00:00Z"}]},
            "ACTIVE",
            False,
            id="course's dates over",
        ),
        pytest.param(
            {"sections": [{**SECTION, "end_date": "2026-08-01T00:00:00Z"}]},
            "ACTIVE",
            False,
            id="section's dates over",
        ),
        pytest.param({"users": PEOPLE[1:]}, "ACTIVE", False, id="no login left"),
        pytest.param(
            {"users": [{**PEOPLE[0], "status": "deleted"}, *PEOPLE[1:]]},
            "ACTIVE",
            False,
            id="login deleted",
        ),
    ],
)
async def test_an_absence_that_is_explained_is_not_held(
    school: School, tmp_path: Path, changes: Files, state: str, removed: bool
) -> None:
    await school.take_in(report(tmp_path / "1.zip", SCHOOL))

    summary = await school.take_in(
        report(tmp_path / "2.zip", {**SCHOOL, "enrollments": ROSTER[1:], **changes})
    )

    assert SyncRunState.SUCCEEDED is summary.state
    (row,) = await school.rows("enrollment", where=f"canvas_id = {10**13 + 30001}")
    assert (state, removed) == (row["state"], row["removed_at"] is not None)
    assert row["missing_since"] is None
    assert any("that is explained" in note for file in summary.files for note in file.notes)


async def test_a_run_of_one_term_ends_nothing_in_other_courses(
    school: School, tmp_path: Path
) -> None:
    other = enrollment(40001, 9002, canvas_course_id=502, canvas_section_id=702)
    await school.take_in(report(tmp_path / "1.zip", {**SCHOOL, "enrollments": [*ROSTER, other]}))

    summary = await school.take_in(report(tmp_path / "2.zip", enrollments=ROSTER))

    assert (SyncRunState.SUCCEEDED, 0) == (summary.state, summary.total.held)
    covers = await school.rows("coverage", "scope_kind", "whole", where="subject = 'enrollment'")
    assert [True, False] == [
        bool(cover["whole"]) for cover in covers if cover["scope_kind"] == "institution"
    ]
    assert [True] == [bool(cover["whole"]) for cover in covers if cover["scope_kind"] == "course"]


async def test_a_mass_disappearance_trips_the_shrink_guard(school: School, tmp_path: Path) -> None:
    await school.take_in(report(tmp_path / "1.zip", SCHOOL))

    summary = await school.take_in(
        report(tmp_path / "2.zip", {**SCHOOL, "enrollments": []}), guard=Guard(share=0.5, least=2)
    )

    assert (SyncRunState.HELD, 3) == (summary.state, summary.total.held)
    assert any("shrink guard" in note for note in summary.notes)
    assert {30001: "ACTIVE", 30002: "ACTIVE", 30003: "ACTIVE"} == await school.states()


async def test_a_mass_deletion_waits_for_a_person(school: School, tmp_path: Path) -> None:
    await school.take_in(report(tmp_path / "1.zip", SCHOOL))
    deleted = [{**row, "status": "deleted"} for row in ROSTER[:2]]
    path = report(tmp_path / "2.zip", {**SCHOOL, "enrollments": [*deleted, ROSTER[2]]})

    summary = await school.take_in(path, guard=Guard(share=0.5, least=2))

    assert (SyncRunState.HELD, 2, 0) == (summary.state, summary.total.held, summary.total.removed)
    assert {30001: "ACTIVE", 30002: "ACTIVE", 30003: "ACTIVE"} == await school.states()

    allowed = await school.take_in(path)
    assert (SyncRunState.SUCCEEDED, 2) == (allowed.state, allowed.total.removed)


@pytest.mark.parametrize("what", ["users", "enrollments"])
async def test_another_schools_report_is_refused(school: School, tmp_path: Path, what: str) -> None:
    await school.take_in(report(tmp_path / "1.zip", SCHOOL))
    theirs: Files = {
        "users": [
            user(9001 + n, name, uuid=f"other-{n}") for n, name in enumerate(("X Y", "Z W", "V U"))
        ],
        "enrollments": [enrollment(30001 + n, 9003 - n) for n in (0, 2)]
        + [enrollment(30002, 9001)],
    }

    with pytest.raises(UnusableFile, match="another Canvas"):
        await school.take_in(report(tmp_path / "2.zip", {what: theirs[what]}), guard=Guard(least=3))

    assert 1 == len(await school.rows("sync_run"))
    assert {"Amara Okoye", "Ben Lind", "Dina Haddad"} == {
        row["name"] for row in await school.rows("person", "name")
    }


async def test_an_older_report_teaches_nothing(school: School, tmp_path: Path) -> None:
    await school.take_in(report(tmp_path / "1.zip", SCHOOL))
    renamed = {**SCHOOL, "users": [user(9001, "Old Name"), *PEOPLE[1:]], "enrollments": ROSTER[:1]}

    summary = await school.take_in(
        report(tmp_path / "2.zip", renamed), as_of=school.now - timedelta(days=1)
    )

    assert 0 == summary.total.updated + summary.total.held
    assert all("newer reading" in file.notes[0] for file in summary.files)
    assert (
        "Amara Okoye"
        == (await school.rows("person", "name", where=f"canvas_id = {10**13 + 9001}"))[0]["name"]
    )


async def test_a_newer_fact_of_another_source_stands(school: School, tmp_path: Path) -> None:
    await school.take_in(report(tmp_path / "1.zip", SCHOOL))
    later = school.now + timedelta(days=1)
    await school.database.transact(
        lambda tx: tx.run(
            "update enrollment set state = 'COMPLETED', standing_source = 'ENROLLMENTS_API', standing_as_of = $2,"
            " row_hash = null where institution_id = $1 and canvas_id = $3",
            school.institution.id,
            later,
            10**13 + 30001,
        )
    )

    summary = await school.take_in(report(tmp_path / "2.zip", SCHOOL))
    assert ("COMPLETED", 0) == ((await school.states())[30001], summary.total.updated)

    await school.take_in(report(tmp_path / "3.zip", SCHOOL), as_of=later + timedelta(days=1))
    assert "COMPLETED" == (await school.states())[30001]  # a report cannot be younger than now


async def test_invited_does_not_blur_creation_pending(school: School, tmp_path: Path) -> None:
    await school.take_in(report(tmp_path / "1.zip", SCHOOL))
    await school.database.transact(
        lambda tx: tx.run(
            "update enrollment set state = 'CREATION_PENDING', row_hash = null where institution_id = $1",
            school.institution.id,
        )
    )
    invited = [{**row, "status": "invited"} for row in ROSTER]

    await school.take_in(report(tmp_path / "2.zip", {**SCHOOL, "enrollments": invited}))

    assert {"CREATION_PENDING"} == set((await school.states()).values())


async def test_a_bare_file_makes_what_it_only_names(school: School, tmp_path: Path) -> None:
    path = tmp_path / "renamed by someone.csv"
    path.write_text(csv_text("enrollments", ROSTER), encoding="utf-8")

    summary = await school.take_in(path)

    assert (3, 5) == (summary.total.created, summary.files[0].mentioned)
    assert [{"name": None, "canvas_id": 10**13 + 501}] == await school.rows(
        "course", "name", "canvas_id"
    )
    assert 3 == len(await school.rows("identity", where="kind = 'canvas_global_id'"))

    full = await school.take_in(report(tmp_path / "r.zip", SCHOOL))
    assert (0, 3) == (full.total.created, full.files[-1].counts.unchanged)
    assert {"Biology, Zoë's"} == {row["name"] for row in await school.rows("course", "name")}


async def test_columns_come_in_any_order_and_unknown_ones_are_ignored(
    school: School, tmp_path: Path
) -> None:
    columns = [
        "status",
        "shoe_size",
        "base_role_type",
        "canvas_enrollment_id",
        "canvas_section_id",
        "role",
    ]
    columns += ["canvas_user_id", "canvas_course_id", "role_id", "canvas_associated_user_id"]
    path = tmp_path / "e.csv"
    path.write_text(
        "\ufeff" + csv_text("enrollments", ROSTER, columns=columns).replace("\n", "\r\n"),
        encoding="utf-8",
    )

    summary = await school.take_in(path)

    assert 3 == summary.total.created
    (row, *_) = await school.rows("enrollment", order="canvas_id")
    assert ("STUDENT", 3) == (row["type"], row["role_id"])


async def test_unusable_rows_are_set_aside_with_their_line_and_reason(
    school: School, tmp_path: Path
) -> None:
    rows = [
        *ROSTER,
        enrollment(30004, 9001, status="haunted"),
        enrollment(30005, "", status="active"),
        enrollment(30006, 9001, role="Ghost", base_role_type=""),
        enrollment(30001, 9001),
    ]

    summary = await school.take_in(report(tmp_path / "r.zip", {**SCHOOL, "enrollments": rows}))

    assert [
        (5, "the status haunted is not known"),
        (6, "canvas_user_id is empty"),
        (7, "what type the role Ghost is of is not known"),
        (8, "stands in an earlier line already"),
    ] == [(row.line, row.reason) for row in summary.set_aside]
    assert 4 == summary.total.set_aside
    stored = await school.rows("set_aside", "file", "line", "sync_run_id")
    assert [("enrollments.csv", line, summary.run_id) for line in (5, 6, 7, 8)] == [
        tuple(r.values()) for r in stored
    ]


async def test_enrollments_without_a_canvas_id_are_told_apart_by_who_is_where_as_what(
    school: School, tmp_path: Path
) -> None:
    rows = [{**row, "canvas_enrollment_id": ""} for row in ROSTER]
    path = report(tmp_path / "r.zip", {**SCHOOL, "enrollments": rows})

    first = await school.take_in(path)
    again = await school.take_in(path)

    assert (3, 0) == (first.files[-1].counts.created, first.total.set_aside)
    assert (0, 3, 0) == (again.total.created, again.files[-1].counts.unchanged, again.total.held)


async def test_a_row_set_aside_is_not_an_absent_row(school: School, tmp_path: Path) -> None:
    await school.take_in(report(tmp_path / "1.zip", SCHOOL))
    odd = [{**ROSTER[0], "status": "haunted"}, *ROSTER[1:]]

    summary = await school.take_in(report(tmp_path / "2.zip", {**SCHOOL, "enrollments": odd}))

    assert (1, 0) == (summary.total.set_aside, summary.total.held)


@pytest.mark.parametrize("breakage", ["short row", "half a zip", "letters for an id"])
async def test_an_unusable_file_leaves_no_trace(
    school: School, tmp_path: Path, breakage: str
) -> None:
    await school.take_in(report(tmp_path / "1.zip", SCHOOL))
    good = {f"{name}.csv": csv_text(name, rows) for name, rows in SCHOOL.items()}
    text = good["enrollments.csv"].replace("inactive", "active")
    if breakage == "short row":
        good["enrollments.csv"] = text + "501,BIO,9001\n"
    elif breakage == "letters for an id":
        good["enrollments.csv"] = text.replace("9002", "nine")
    good["users.csv"] = csv_text("users", [user(9001, "Somebody Else")])
    path = zipped(tmp_path / "2.zip", good)
    if breakage == "half a zip":
        path.write_bytes(path.read_bytes()[:-200])

    with pytest.raises(UnusableFile):
        await school.take_in(path)

    assert 1 == len(await school.rows("sync_run"))
    assert {"Amara Okoye", "Ben Lind", "Dina Haddad"} == {
        row["name"] for row in await school.rows("person", "name")
    }


async def test_cross_listed_sections_know_where_they_came_from(
    school: School, tmp_path: Path
) -> None:
    moved = {
        "canvas_xlist_course_id": 502,
        "canvas_section_id": 701,
        "canvas_nonxlist_course_id": 501,
    }
    await school.take_in(
        report(tmp_path / "1.zip", {**SCHOOL, "courses": [COURSE, OTHER]}, xlist=[moved])
    )

    courses = {row["id"]: row["canvas_id"] % 10**13 for row in await school.rows("course")}
    (section,) = await school.rows("section")
    assert (502, 501) == (courses[section["course_id"]], courses[section["origin_course_id"]])

    await school.take_in(
        report(tmp_path / "2.zip", {**SCHOOL, "courses": [COURSE, OTHER]}, xlist=[])
    )

    (section,) = await school.rows("section")
    assert (501, None) == (courses[section["course_id"]], section["origin_course_id"])


async def test_accounts_find_their_parents_in_any_order(school: School, tmp_path: Path) -> None:
    accounts = [
        {"canvas_account_id": 25, "canvas_parent_id": 22, "name": "Chemistry"},
        {"canvas_account_id": 22, "canvas_parent_id": 21, "name": "Science"},
        {"canvas_account_id": 21, "canvas_parent_id": 1, "name": "Faculties"},
    ]

    summary = await school.take_in(report(tmp_path / "r.zip", accounts=accounts))

    assert (3, 1) == (summary.total.created, summary.files[0].mentioned)
    rows = {row["id"]: row for row in await school.rows("account")}
    chemistry = next(row for row in rows.values() if row["name"] == "Chemistry")
    assert "Faculties" == rows[rows[chemistry["parent_id"]]["parent_id"]]["name"]


async def test_two_institutions_do_not_meet(school: School, tmp_path: Path) -> None:
    made = await institutions.ensure(school.database, slug="other", canvas_url=None)
    other = School(database=school.database, institution=made)
    await school.take_in(report(tmp_path / "1.zip", SCHOOL))

    summary = await other.take_in(report(tmp_path / "2.zip", {**SCHOOL, "enrollments": ROSTER[:1]}))

    assert (6, 0) == (summary.total.created, summary.total.held)
    assert {30001: "ACTIVE", 30002: "ACTIVE", 30003: "ACTIVE"} == await school.states()
    assert ["BASELINE"] == [entry["kind"] for entry in await feed(other)]


async def test_the_source_and_the_age_are_the_reports(school: School, tmp_path: Path) -> None:
    read_at = datetime(2026, 8, 30, 3, tzinfo=UTC)

    summary = await school.take_in(
        report(tmp_path / "r.zip", SCHOOL), as_of=read_at, source=Source.REPORT
    )

    assert (read_at, "as given") == (summary.as_of, summary.as_of_from)
    covers = await school.rows("coverage")
    assert {"REPORT"} == {cover["source"] for cover in covers}
    assert {"person", "course", "section", "enrollment"} == {cover["subject"] for cover in covers}
    rows = await school.rows("enrollment", "standing_as_of")
    assert {str(read_at)} == {str(row["standing_as_of"]) for row in rows}


async def test_two_imports_of_one_institution_do_not_run_at_once(
    school: School, tmp_path: Path
) -> None:
    async with runs.one_at_a_time(school.database, school.institution.id):
        with pytest.raises(runs.ImportRunning):
            await school.take_in(report(tmp_path / "r.zip", SCHOOL))

    await school.take_in(report(tmp_path / "r.zip", SCHOOL))


async def test_a_run_that_fails_says_so_and_the_next_one_finishes_it(
    school: School, tmp_path: Path
) -> None:
    path = report(tmp_path / "r.zip", SCHOOL)
    school.watch = fails_while_writing("users.csv")

    with pytest.raises(RuntimeError, match="no more paper"):
        await school.take_in(path)

    (run,) = await school.rows("sync_run")
    assert ("FAILED", "RuntimeError: no more paper") == (run["state"], run["message"])
    assert [] == await feed(school)

    school.watch = school.progress.append
    await school.take_in(path)
    assert ["BASELINE"] == [entry["kind"] for entry in await feed(school)]
    assert 3 == len(await school.rows("enrollment"))


async def test_a_cancelled_run_says_so(school: School, tmp_path: Path) -> None:
    path = report(tmp_path / "r.zip", SCHOOL)
    started = asyncio.Event()
    school.watch = lambda progress: started.set() if progress.phase == "writing" else None
    task = asyncio.ensure_future(school.take_in(path))
    await started.wait()
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task

    (run,) = await school.rows("sync_run")
    assert "CANCELLED" == run["state"]


async def test_progress_goes_from_reading_to_writing_and_never_back(
    school: School, tmp_path: Path
) -> None:
    await school.take_in(report(tmp_path / "r.zip", SCHOOL))

    phases = [progress.phase for progress in school.progress]
    assert phases == sorted(phases)
    written = [progress.done for progress in school.progress if progress.phase == "writing"]
    assert written == sorted(written)
    assert all(0 <= progress.done <= progress.total for progress in school.progress)


def fails_while_writing(file: str) -> Callable[[Progress], None]:
    def watch(progress: Progress) -> None:
        if progress.phase == "writing" and progress.file == file:
            raise RuntimeError("no more paper")

    return watch
