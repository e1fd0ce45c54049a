"""Batch mode and diffing: what they remove (fact sheet sis-imports.md §7)."""

from datetime import timedelta

import pytest

from tests.twin.conftest import Twin
from tests.twin.sending_sis import (
    HEADER,
    IMPORTS,
    done,
    enrollments,
    messages,
    rows_of,
    send,
    show,
    zipped,
)
from twin.records import Enrollment


@pytest.fixture
def twin(twin: Twin) -> Twin:
    """The demo course and its section B under names that fit on a line."""
    twin.school.update(twin.cast.courses["demo"], sis_source_id="C")
    twin.school.update(twin.cast.sections["demo_b"], sis_source_id="B")
    return twin


def managed(twin: Twin, term: str = "current") -> list[Enrollment]:
    """Rows in the term that SIS manages and that are not deleted."""
    number = twin.cast.terms[term].id
    return [
        row
        for row in twin.school.enrollments.values()
        if twin.school.courses[row.course_id].term_id == number
        and row.sis_batch_id is not None
        and row.workflow_state != "deleted"
    ]


async def test_a_partial_file_in_batch_mode_drops_the_rest_of_the_term(twin: Twin) -> None:
    term = twin.cast.terms["current"]
    before, past = len(managed(twin)), len(managed(twin, "past"))
    by_hand = [row for row in twin.school.enrollments.values() if row.sis_batch_id is None]
    hand_states = {row.id: row.workflow_state for row in by_hand}

    batch = await enrollments(
        twin, "C,B,STAFF-0006,teacher,active", batch_mode="1", batch_mode_term_id=term.id
    )

    assert batch["workflow_state"] == "imported"
    assert batch["batch_mode_term_id"] == term.id
    assert [row.user_id for row in managed(twin)] == [twin.cast.people["limited_teacher"].id]
    assert batch["data"]["counts"]["batch_enrollments_deleted"] == before - 1
    assert batch["data"]["statistics"]["Enrollment"]["deleted"] >= before - 1
    assert len(managed(twin, "past")) == past
    linked = {row.id for row in by_hand if row.associated_user_id}
    assert {row.id: row.workflow_state for row in by_hand if row.id not in linked} == {
        number: state for number, state in hand_states.items() if number not in linked
    }
    assert twin.cast.courses["evening"].workflow_state == "available"


async def test_skipping_deletes_prevents_nothing_of_it(twin: Twin) -> None:
    await enrollments(
        twin,
        "C,B,STAFF-0006,teacher,active",
        batch_mode="1",
        batch_mode_term_id=twin.cast.terms["current"].id,
        skip_deletes="1",
    )

    assert len(managed(twin)) == 1


@pytest.mark.parametrize("status", ["completed", "inactive"])
async def test_enrollments_get_the_drop_status(twin: Twin, status: str) -> None:
    batch = await enrollments(
        twin,
        "C,B,STAFF-0006,teacher,active",
        batch_mode="1",
        batch_mode_term_id=twin.cast.terms["current"].id,
        batch_mode_enrollment_drop_status=status,
    )

    assert {row.workflow_state for row in rows_of(twin, "student")} == {status}
    assert batch["data"]["counts"]["batch_enrollments_deleted"] > 0


async def test_one_drop_status_passes_the_check_and_breaks_the_cleanup(twin: Twin) -> None:
    batch = await enrollments(
        twin,
        "C,B,STAFF-0006,teacher,active",
        batch_mode="1",
        batch_mode_term_id=twin.cast.terms["current"].id,
        batch_mode_enrollment_drop_status="deleted_last_completed",
    )

    assert batch["workflow_state"] == "failed_with_messages"
    assert "deleted_last_completed" in batch["data"]["error_message"]
    assert {row.workflow_state for row in rows_of(twin, "student")} == {"active"}


async def test_over_the_threshold_it_is_aborted_with_its_rows_applied(twin: Twin) -> None:
    before = len(managed(twin))

    batch = await enrollments(
        twin,
        "C,B,STAFF-0006,ta,active",
        batch_mode="1",
        batch_mode_term_id=twin.cast.terms["current"].id,
        change_threshold="20",
    )

    assert batch["workflow_state"] == "aborted"
    assert batch["processing_errors"] == [
        ["", f"{before} enrollments would be deleted and exceeds the set threshold of 20%"]
    ]
    assert len(managed(twin)) == before + 1


async def test_a_failed_import_cleans_nothing_up(twin: Twin) -> None:
    before = len(managed(twin))
    content = zipped(enrollments=f"{HEADER}\nC,B,STAFF-0006,teacher,active\n", broken="x\n1\n")

    batch = await done(
        twin, content, "zip", batch_mode="1", batch_mode_term_id=twin.cast.terms["current"].id
    )

    assert batch["workflow_state"] == "failed_with_messages"
    assert len(managed(twin)) == before


async def test_courses_and_sections_go_where_their_types_were_sent(twin: Twin) -> None:
    content = zipped(
        courses="course_id,short_name,long_name,status\nC,CS,CS,active\n",
        sections="section_id,course_id,name,status\nB,C,B,active\n",
    )

    batch = await done(
        twin, content, "zip", batch_mode="1", batch_mode_term_id=twin.cast.terms["current"].id
    )

    counts = batch["data"]["counts"]
    assert "batch_enrollments_deleted" not in counts
    assert counts["batch_courses_deleted"] > 0
    assert counts["batch_sections_deleted"] > 0
    assert twin.cast.courses["evening"].workflow_state == "deleted"
    assert twin.cast.courses["demo"].workflow_state == "available"
    assert twin.cast.sections["demo"].workflow_state == "deleted"
    assert twin.cast.sections["demo_b"].workflow_state == "active"


async def test_the_cleanup_is_a_phase_of_its_own_with_its_own_progress(twin: Twin) -> None:
    batch = await send(
        twin,
        f"{HEADER}\nC,B,STAFF-0006,teacher,active\n",
        batch_mode="1",
        batch_mode_term_id=twin.cast.terms["current"].id,
    )
    twin.clock.advance(timedelta(seconds=3.25))

    cleaning = await show(twin, batch)

    assert (cleaning["workflow_state"], cleaning["progress"]) == ("cleanup_batch", 25)
    listed = (await twin.get(f"{IMPORTS}/importing")).json()["sis_imports"]
    assert [each["id"] for each in listed] == [batch["id"]]


async def test_several_terms_are_those_of_the_upload(twin: Twin) -> None:
    term = twin.cast.terms["current"]
    content = zipped(
        terms=f"term_id,name,status\n{term.sis_source_id},Spring,active\n",
        enrollments=f"{HEADER}\nC,B,STAFF-0006,teacher,active\n",
    )

    batch = await done(twin, content, "zip", multi_term_batch_mode="1", change_threshold="100")

    assert batch["batch_mode"] is batch["multi_term_batch_mode"] is True
    assert len(managed(twin)) == 1


async def test_several_terms_without_one_in_the_upload_abort(twin: Twin) -> None:
    batch = await enrollments(
        twin,
        "C,B,STAFF-0006,teacher,active",
        multi_term_batch_mode="1",
        change_threshold="100",
    )

    assert batch["workflow_state"] == "aborted"
    assert batch["processing_errors"][0][1] == (
        "Terms not found. Terms must be included with multi_term_batch_mode"
    )


async def test_several_terms_said_to_be_false_turn_batch_mode_on_and_do_nothing(
    twin: Twin,
) -> None:
    before = len(managed(twin))

    batch = await enrollments(
        twin,
        "C,B,STAFF-0006,teacher,active",
        multi_term_batch_mode="0",
        change_threshold="100",
    )

    assert batch["batch_mode"] is True
    assert batch["workflow_state"] == "imported"
    assert len(managed(twin)) == before


NIGHT = {"diffing_data_set_identifier": "night"}
FULL = ("C,B,STAFF-0006,teacher,active", "C,B,S-000077,student,active")


async def test_only_the_difference_is_applied_and_the_vanished_get_their_status(
    twin: Twin,
) -> None:
    first = await enrollments(twin, *FULL, **NIGHT)
    second = await enrollments(
        twin, FULL[0], "C,B,S-000078,student,active", **NIGHT, diffing_drop_status="completed"
    )

    assert first["data"]["counts"]["enrollments"] == 2
    assert "diffed_csv_attachments" not in first
    assert second["data"]["counts"]["enrollments"] == 2
    assert second["data"]["diffed_against_sis_batch_id"] == first["id"]
    assert second["diffed_against_import_id"] is None
    states = {row.type: row.workflow_state for row in rows_of(twin, "ta")}
    assert states["StudentEnrollment"] == "completed"
    (file,) = second["diffed_csv_attachments"]
    text = (await twin.client.get(file["url"], follow_redirects=True)).text
    assert "STAFF-0006" not in text


async def test_what_changed_in_canvas_in_between_is_not_repaired(twin: Twin) -> None:
    await enrollments(twin, *FULL, **NIGHT)
    (row,) = [row for row in rows_of(twin, "ta") if row.type == "StudentEnrollment"]
    twin.school.update(row, workflow_state="deleted")

    again = await enrollments(twin, *FULL, **NIGHT)

    assert again["workflow_state"] == "imported"
    assert again["ended_at"] == again["started_at"]
    assert row.workflow_state == "deleted"
    remastered = await enrollments(twin, *FULL, **NIGHT, diffing_remaster_data_set="1")
    assert remastered["data"]["counts"]["enrollments"] == 2
    assert row.workflow_state == "active"


async def test_diffing_is_left_out_in_silence_in_batch_mode(twin: Twin) -> None:
    await enrollments(twin, *FULL, **NIGHT)

    batch = await enrollments(
        twin,
        *FULL,
        **NIGHT,
        batch_mode="1",
        batch_mode_term_id=twin.cast.terms["current"].id,
        change_threshold="100",
    )

    assert "diffed_against_sis_batch_id" not in batch["data"]
    assert batch["data"]["counts"]["enrollments"] == 2


async def test_over_the_threshold_the_whole_file_is_applied_and_is_no_base(twin: Twin) -> None:
    first = await enrollments(twin, *FULL, **NIGHT)
    over = await enrollments(twin, FULL[0], **NIGHT, change_threshold="5")
    after = await enrollments(twin, *FULL, **NIGHT)

    assert over["diffing_threshold_exceeded"] is True
    assert over["workflow_state"] == "imported_with_messages"
    assert len(messages(over)) == 1
    assert over["data"]["counts"]["enrollments"] == 1
    states = {row.type: row.workflow_state for row in rows_of(twin, "ta")}
    assert states["StudentEnrollment"] == "active"
    assert after["data"]["diffed_against_sis_batch_id"] == first["id"]


async def test_exceeded_too_often_in_a_row_fails_until_a_remaster(twin: Twin) -> None:
    await enrollments(twin, *FULL, **NIGHT)
    states = [
        (await enrollments(twin, FULL[0], **NIGHT, change_threshold="5"))["workflow_state"]
        for _ in range(6)
    ]
    remaster = await enrollments(
        twin, FULL[0], **NIGHT, change_threshold="5", diffing_remaster_data_set="1"
    )

    assert states == ["imported_with_messages"] * 5 + ["failed_with_messages"]
    assert remaster["workflow_state"] == "imported"


async def test_vanished_users_are_suspended_where_asked(twin: Twin) -> None:
    header = "user_id,login_id,full_name,status\n"
    await done(twin, f"{header}000123,zoneil,Zoe,active\nS-000077,tassad,T,active\n", **NIGHT)
    await done(
        twin,
        f"{header}S-000077,tassad,T,active\n",
        **NIGHT,
        diffing_user_remove_status="suspended",
    )

    (login,) = twin.school.pseudonyms_of_user.of(twin.cast.people["student"].id)
    assert login.workflow_state == "suspended"
