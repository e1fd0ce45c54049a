"""SIS imports: how they are sent, how they pass, what they answer (fact sheet sis-imports.md §1 to §4)."""

import csv
import io
from datetime import timedelta
from typing import Any

import pytest

from tests.twin.conftest import MakeTwin, Twin
from tests.twin.sending_sis import HEADER, IMPORTS, done, enrollments, rows_of, send, show, zipped


@pytest.fixture
def row(twin: Twin) -> str:
    """A new enrollment of the TA as a student in section B."""
    demo, section = twin.cast.courses["demo"], twin.cast.sections["demo_b"]
    return f"{demo.sis_source_id},{section.sis_source_id},S-000077,student,active"


async def test_a_raw_body_is_queued_and_imported_over_the_clock(twin: Twin, row: str) -> None:
    batch = await send(twin, f"{HEADER}\n{row}\n")
    assert (batch["workflow_state"], batch["progress"], batch["ended_at"]) == ("created", 0, None)
    assert "processing_warnings" not in batch
    assert rows_of(twin, "ta")[0].type == "TaEnrollment"

    twin.clock.advance(timedelta(seconds=2))
    running = await show(twin, batch)
    assert running["workflow_state"] == "importing"
    assert running["data"]["running_immediately"] is True
    listed = (await twin.get(f"{IMPORTS}/importing")).json()["sis_imports"]
    assert [each["id"] for each in listed] == [batch["id"]]

    twin.clock.advance(timedelta(seconds=2))
    ended = await show(twin, batch)
    assert (ended["workflow_state"], ended["progress"]) == ("imported", 100)
    assert ended["started_at"] == "2026-03-02T10:00:02Z"
    assert ended["data"]["supplied_batches"] == ["enrollment"]
    counts = ended["data"]["counts"]
    assert (counts["enrollments"], counts["error_count"], counts["warning_count"]) == (1, 0, 0)
    statistics = ended["data"]["statistics"]
    assert statistics["total_state_changes"] == 1
    assert statistics["Enrollment"]["created"] == 1
    assert ended["user"]["name"] == "Ada Root"
    assert [file["content-type"] for file in ended["csv_attachments"]] == ["text/csv"]
    assert {made.type for made in rows_of(twin, "ta")} == {"TaEnrollment", "StudentEnrollment"}


@pytest.mark.parametrize("filename", ["enrollments.csv", "upload.zip"])
async def test_multipart_takes_the_type_from_the_name(twin: Twin, row: str, filename: str) -> None:
    text = f"{HEADER}\n{row}\n"
    content = zipped(anything=text) if filename.endswith("zip") else text.encode()

    sent = await twin.send("POST", IMPORTS, files={"attachment": (filename, content)})

    twin.clock.advance(timedelta(minutes=1))
    assert (await show(twin, sent.json()))["workflow_state"] == "imported"


async def test_multipart_without_the_attachment_is_refused(twin: Twin) -> None:
    response = await twin.send("POST", IMPORTS, files={"file": ("x.csv", b"")})

    assert response.status_code == 400
    assert response.json() == {"error": True, "error_message": "Missing attachment"}


@pytest.mark.parametrize(
    ("content_type", "state"),
    [
        ("text/csv", "imported"),
        ("text/plain; charset=UTF-8", "imported"),
        ("application/zip", "failed"),
        ("application/octet-stream", "failed"),
        ("application/x-www-form-urlencoded", "failed"),
        ("text/xml", "imported_with_messages"),
    ],
)
async def test_without_an_extension_the_content_type_decides(
    twin: Twin, row: str, content_type: str, state: str
) -> None:
    headers = twin.bearer() | {"Content-Type": content_type}
    content = f"{HEADER}\n{row}\n".encode()

    sent = await twin.client.post(IMPORTS, content=content, headers=headers)

    assert sent.status_code == 200
    twin.clock.advance(timedelta(minutes=1))
    assert (await show(twin, sent.json()))["workflow_state"] == state


async def test_another_charset_is_refused(twin: Twin) -> None:
    headers = twin.bearer() | {"Content-Type": "text/csv; charset=ISO-8859-1"}

    response = await twin.client.post(IMPORTS, content=b"x", headers=headers)

    assert (response.status_code, response.json()) == (
        400,
        {"error": "Invalid content type, UTF-8 required"},
    )


async def test_another_import_type_is_a_server_error(twin: Twin) -> None:
    response = await twin.send("POST", IMPORTS, params={"import_type": "xml"}, content=b"x")

    assert response.status_code == 500


async def test_who_may_import_and_where(twin: Twin, make_twin: MakeTwin) -> None:
    sub = f"/api/v1/accounts/{twin.cast.accounts['engineering'].id}/sis_imports"
    elsewhere = await twin.get(sub, "student")
    off = await make_twin(sis_imports_enabled=False).get(IMPORTS, "student")

    assert elsewhere.status_code == 400
    assert elsewhere.json() == {"errors": ["SIS imports can only be executed on root accounts"]}
    assert off.status_code == 403
    assert off.json() == {"errors": ["SIS imports are not enabled for this account"]}
    assert (await twin.get(IMPORTS, "teacher")).status_code == 401
    assert (await twin.send("POST", IMPORTS, "registrar", content=b"")).status_code == 401


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"batch_mode": "1"},
            "Batch mode specified, but the given batch_mode_term_id cannot be found.",
        ),
        (
            {"batch_mode": "1", "batch_mode_term_id": "sis_term_id:SUMMER"},
            "Batch mode specified, but the given batch_mode_term_id cannot be found.",
        ),
        (
            {"multi_term_batch_mode": "0"},
            "change_threshold is required to use multi term_batch mode.",
        ),
        ({"diffing_drop_status": "gone"}, "Invalid diffing_drop_status"),
        ({"diffing_user_remove_status": "completed"}, "Invalid diffing_user_remove_status"),
    ],
)
async def test_options_that_canvas_refuses(
    twin: Twin, options: dict[str, str], message: str
) -> None:
    params = {"extension": "csv", **options}

    response = await twin.send("POST", IMPORTS, params=params, content=b"x")

    assert (response.status_code, response.json()) == (400, {"message": message})


async def test_the_options_are_echoed(twin: Twin) -> None:
    batch = await send(
        twin,
        HEADER,
        override_sis_stickiness="true",
        add_sis_stickiness="true",
        skip_deletes="1",
        diffing_data_set_identifier="night",
        diffing_drop_status="completed",
        change_threshold="12",
    )

    assert batch["override_sis_stickiness"] is batch["add_sis_stickiness"] is True
    assert batch["clear_sis_stickiness"] is False
    assert batch["skip_deletes"] is True
    assert batch["diffing_data_set_identifier"] == "night"
    assert batch["diffing_drop_status"] == "completed"
    assert batch["change_threshold"] == 12
    assert batch["diffing_threshold_exceeded"] is False
    assert batch["multi_term_batch_mode"] is None


async def test_stickiness_options_count_only_with_override(twin: Twin) -> None:
    batch = await send(twin, HEADER, add_sis_stickiness="true", clear_sis_stickiness="true")

    assert batch["add_sis_stickiness"] is batch["clear_sis_stickiness"] is False


async def test_imports_wait_for_each_other_and_the_same_file_is_imported_twice(
    twin: Twin, row: str
) -> None:
    first, second = await send(twin, f"{HEADER}\n{row}"), await send(twin, f"{HEADER}\n{row}")

    twin.clock.advance(timedelta(seconds=2))
    states = [(await show(twin, batch))["workflow_state"] for batch in (first, second)]
    assert states == ["importing", "created"]

    twin.clock.advance(timedelta(minutes=1))
    ended = [await show(twin, batch) for batch in (first, second)]
    assert [batch["workflow_state"] for batch in ended] == ["imported", "imported"]
    assert ended[1]["started_at"] >= ended[0]["ended_at"]
    assert [batch["data"]["counts"]["enrollments"] for batch in ended] == [1, 1]
    assert [batch["data"]["statistics"]["total_state_changes"] for batch in ended] == [1, 0]


def many(twin: Twin, count: int) -> str:
    """New users, more than fit in one job."""
    rows = "\n".join(f"NEW-{number:04},new{number:04},active" for number in range(count))
    return f"user_id,login_id,status\n{rows}\n"


def imported_users(twin: Twin) -> int:
    return sum(
        (login.sis_user_id or "").startswith("NEW-") for login in twin.school.pseudonyms.values()
    )


async def test_a_large_import_is_applied_as_time_passes(twin: Twin) -> None:
    batch = await send(twin, many(twin, 2000))
    twin.clock.advance(timedelta(seconds=3))

    halfway = await show(twin, batch)

    assert (halfway["workflow_state"], halfway["progress"]) == ("importing", 25)
    assert halfway["data"]["running_immediately"] is False
    assert imported_users(twin) == 500
    twin.clock.advance(timedelta(seconds=4))
    assert (await show(twin, batch))["data"]["counts"]["users"] == 2000
    assert imported_users(twin) == 2000


async def test_an_aborted_import_leaves_what_it_has_applied_and_the_next_waits(
    twin: Twin, row: str
) -> None:
    batch = await send(twin, many(twin, 2000))
    following = await send(twin, f"{HEADER}\n{row}")
    twin.clock.advance(timedelta(seconds=3))

    aborted = await twin.send("PUT", f"{IMPORTS}/{batch['id']}/abort")

    assert aborted.json()["workflow_state"] == "aborted"
    twin.clock.advance(timedelta(minutes=9))
    assert imported_users(twin) == 500
    assert (await show(twin, following))["workflow_state"] == "created"
    twin.clock.advance(timedelta(minutes=2))
    assert (await show(twin, following))["workflow_state"] == "imported"
    assert (await twin.send("PUT", f"{IMPORTS}/{batch['id']}/abort")).status_code == 404


async def test_all_pending_are_aborted_but_not_the_one_that_runs(twin: Twin) -> None:
    running = await send(twin, many(twin, 2000))
    pending = await send(twin, HEADER)
    twin.clock.advance(timedelta(seconds=3))

    answer = await twin.send("PUT", f"{IMPORTS}/abort_all_pending")

    assert answer.json() == {"aborted": True}
    assert (await show(twin, running))["workflow_state"] == "importing"
    assert (await show(twin, pending))["workflow_state"] == "aborted"


async def test_the_list_is_wrapped_newest_first_and_filtered(twin: Twin) -> None:
    first = await done(twin, HEADER + "\n")
    second = await send(twin, HEADER + "\n")

    everything = await twin.get(IMPORTS, per_page=1)
    assert [batch["id"] for batch in everything.json()["sis_imports"]] == [second["id"]]
    assert "next" in everything.links
    waiting = (await twin.get(IMPORTS, workflow_state=["created"])).json()["sis_imports"]
    assert [batch["id"] for batch in waiting] == [second["id"]]
    before = (await twin.get(IMPORTS, created_before=second["created_at"])).json()["sis_imports"]
    assert [batch["id"] for batch in before] == [first["id"]]
    since = (await twin.get(IMPORTS, created_since=second["created_at"])).json()["sis_imports"]
    assert [batch["id"] for batch in since] == [second["id"]]


async def errors(twin: Twin, path: str, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await twin.get(path, **params)).json()["sis_import_errors"]
    return found


async def test_every_row_can_be_rejected_and_the_import_still_ends_well(
    twin: Twin, row: str
) -> None:
    rejected = row.replace("S-000077", "NOBODY")
    batch = await enrollments(twin, rejected, row.replace("0007/B", "NO-SUCH"))

    assert batch["workflow_state"] == "imported_with_messages"
    counts = batch["data"]["counts"]
    assert (counts["enrollments"], counts["error_count"], counts["warning_count"]) == (0, 0, 2)
    assert batch["processing_warnings"][1] == [
        "sis_upload.csv",
        "An enrollment referenced a non-existent section NO-SUCH",
    ]
    assert "processing_errors" not in batch
    listed = await errors(twin, f"{IMPORTS}/{batch['id']}/errors")
    assert [error["row"] for error in listed] == [3, 2]
    assert listed[0]["sis_import_id"] == batch["id"]
    assert await errors(twin, "/api/v1/accounts/1/sis_import_errors") == listed


async def test_the_errors_file_comes_a_moment_later_by_its_own_token(twin: Twin, row: str) -> None:
    batch = await send(twin, f"{HEADER}\n{row.replace('S-000077', 'NOBODY')}\n")
    twin.clock.advance(timedelta(seconds=3))
    ended = await show(twin, batch)
    assert ended["workflow_state"] == "imported_with_messages"
    assert "errors_attachment" not in ended

    twin.clock.advance(timedelta(seconds=1))
    url = (await show(twin, batch))["errors_attachment"]["url"]
    file = (await twin.client.get(url, follow_redirects=True)).text

    (header, first) = csv.reader(io.StringIO(file))
    assert header == ["sis_import_id", "file", "message", "row"]
    assert first[0] == str(batch["id"])
    assert first[2].startswith("User not found for enrollment (User ID: NOBODY,")
    assert first[3] == "2"


async def test_only_the_first_24_messages_are_shown_in_the_object(twin: Twin, row: str) -> None:
    batch = await enrollments(twin, *[row.replace("S-000077", f"N{n}") for n in range(30)])

    shown = batch["processing_warnings"]

    assert len(shown) == 25
    assert "6" in shown[24][1]
    assert batch["data"]["counts"]["warning_count"] == 30


async def test_newer_canvas_shows_the_row_and_filters_failures(make_twin: MakeTwin) -> None:
    twin = make_twin(sis_row_info=True)
    broken = zipped(enrollments=f"{HEADER}\nC,S,NOBODY,student,active\n", other="a,b\n1,2\n")
    batch = await done(twin, broken, "zip")
    path = f"{IMPORTS}/{batch['id']}/errors"

    assert {error["row_info"] for error in await errors(twin, path, failure="false")} == {
        "C,S,NOBODY,student,active"
    }
    assert [error["message"] for error in await errors(twin, path, failure="true")] == [
        "Couldn't find Canvas CSV import headers"
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"course_id,user_id\nZo\xeb,1\n", "Invalid UTF-8"),
        (b'course_id,user_id\n"A,1\n', "Malformed CSV"),
        (b"id\n1\n", "Couldn't find Canvas CSV import headers"),
        (b"group_id,name,status\nG,g,available\n", "Error while importing CSV."),
    ],
)
async def test_a_file_that_fails_fails_the_import(twin: Twin, content: bytes, message: str) -> None:
    batch = await done(twin, content)

    assert batch["workflow_state"] == "failed_with_messages"
    assert batch["processing_errors"][0][1].startswith(message)
    assert batch["data"]["counts"]["error_count"] == 1


async def test_the_other_files_of_a_failed_import_are_applied(twin: Twin, row: str) -> None:
    content = zipped(enrollments=f"{HEADER}\n{row}\n", broken="nothing\n1\n")

    batch = await done(twin, content, "zip")

    assert batch["workflow_state"] == "failed_with_messages"
    assert len(rows_of(twin, "ta")) == 2


async def test_a_zip_that_is_none_fails_with_a_trace(twin: Twin) -> None:
    batch = await done(twin, b"not a zip", "zip")

    assert batch["workflow_state"] == "failed"
    assert "unreadable" in batch["data"]["error_message"]
    assert "stack_trace" in batch["data"]


async def test_types_are_imported_in_canvas_order_whatever_the_files_order(twin: Twin) -> None:
    content = zipped(
        a_enrollments="course_id,section_id,user_id,role,status\nN-1,N-1-A,N-U,student,active\n",
        b_users="user_id,login_id,full_name,email,status\nN-U,nu,Nora Unden,n@x.edu,active\n",
        c_sections="section_id,course_id,name,status\nN-1-A,N-1,Group A,active\n",
        d_courses="course_id,short_name,long_name,account_id,term_id,status\n"
        "N-1,N1,New One,N-ACC,N-TERM,active\n",
        e_terms="term_id,name,status,start_date,end_date\n"
        "N-TERM,New Term,active,2026-01-01,2026-06-30T00:00:00Z\n",
        f_accounts="account_id,parent_account_id,name,status\nN-ACC,ENG,New Faculty,active\n",
        g_admins="user_id,account_id,role,status\nN-U,N-ACC,Registrar,active\n",
        h_observers="observer_id,student_id,status\nS-000078,N-U,active\n",
    )

    batch = await done(twin, content, "zip")

    assert batch["workflow_state"] == "imported", batch.get("processing_warnings")
    assert batch["data"]["supplied_batches"] == [
        "account",
        "term",
        "course",
        "section",
        "user",
        "enrollment",
        "admin",
        "user_observer",
    ]
    course = (await twin.get("/api/v1/courses/sis_course_id:N-1")).json()
    assert course["workflow_state"] == "unpublished"
    rows = await twin.pages("/api/v1/courses/sis_course_id:N-1/enrollments")
    assert {(row["type"], row["enrollment_state"]) for row in rows} == {
        ("StudentEnrollment", "active"),
        ("ObserverEnrollment", "active"),
    }


async def test_states_are_restored_by_a_job_of_its_own(twin: Twin) -> None:
    demo = twin.cast.courses["demo"].sis_source_id
    batch = await done(
        twin, f"course_id,short_name,long_name,status\n{demo},CS,Computing,deleted\n"
    )
    assert rows_of(twin, "student")[0].workflow_state == "deleted"

    asked = await twin.send("PUT", f"{IMPORTS}/{batch['id']}/restore_states")

    progress = asked.json()
    assert progress["workflow_state"] == "queued"
    assert (await show(twin, batch))["workflow_state"] == "restoring"
    twin.clock.advance(timedelta(seconds=5))
    polled = (await twin.get(progress["url"])).json()
    assert (polled["workflow_state"], polled["completion"]) == ("completed", 100)
    assert (await show(twin, batch))["workflow_state"] == "restored"
    assert rows_of(twin, "student")[0].workflow_state == "active"
    assert twin.cast.courses["demo"].workflow_state == "available"
    assert twin.cast.courses["demo"].name == "Computing"


async def test_a_restricted_restore_is_partial(twin: Twin, row: str) -> None:
    gone = row.replace("S-000077,student,active", "000123,student,deleted")
    batch = await enrollments(
        twin, row, gone.replace("0007/B", f"{twin.cast.sections['demo'].sis_source_id}")
    )
    assert rows_of(twin, "student")[0].workflow_state == "deleted"

    await twin.send("PUT", f"{IMPORTS}/{batch['id']}/restore_states", json={"undelete_only": True})
    twin.clock.advance(timedelta(seconds=5))

    assert (await show(twin, batch))["workflow_state"] == "partially_restored"
    assert rows_of(twin, "student")[0].workflow_state == "active"
    assert {made.workflow_state for made in rows_of(twin, "ta")} == {"active"}
    both = {"undelete_only": True, "unconclude_only": True}
    refused = await twin.send("PUT", f"{IMPORTS}/{batch['id']}/restore_states", json=both)
    assert refused.status_code == 400


async def test_an_import_that_has_not_ended_cannot_be_restored(twin: Twin, row: str) -> None:
    batch = await send(twin, f"{HEADER}\n{row}\n")

    refused = await twin.send("PUT", f"{IMPORTS}/{batch['id']}/restore_states")

    assert refused.status_code == 400
    twin.clock.advance(timedelta(minutes=1))
    assert (await show(twin, batch))["workflow_state"] == "imported"
