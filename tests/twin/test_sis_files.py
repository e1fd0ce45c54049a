"""Uploads are unpacked, recognised and refused as fact sheet sis-imports.md §2, §5 and §6 say."""

import io
import zipfile

import pytest

from twin.sis_diffing import DiffOptions, diff
from twin.sis_files import UnusableUpload, Upload, read_file, recognise, unpack

ENROLLMENTS = b"course_id,section_id,user_id,role,status\nBIO,A,U1,student,active\n"


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("course_id,user_id,role,status", "enrollment"),
        ("section_id,user_integration_id,role,status", "enrollment"),
        ("user_id,login_id,status", "user"),
        ("existing_user_id,user_id,login_id", "login"),
        ("section_id,course_id,name,status", "section"),
        ("course_id,short_name,long_name,status,account_id,term_id", "course"),
        ("term_id,name,status", "term"),
        ("account_id,parent_account_id,name,status", "account"),
        ("user_id,account_id,role,status", "admin"),
        ("xlist_course_id,section_id,status", "xlist"),
        ("observer_id,student_id,status", "user_observer"),
        ("old_id,new_id,type", "change_sis_id"),
        ("canvas_course_id,canvas_user_id", ""),
    ],
)
def test_the_type_is_read_from_the_header_alone(header: str, kind: str) -> None:
    assert recognise(header.split(",")) == kind


def test_cells_are_trimmed_blank_ones_are_none_and_blank_rows_are_skipped() -> None:
    file = read_file(
        "x.csv",
        b"\xef\xbb\xbfCourse_ID, USER_ID ,role,status\n BIO ,U1,,active\n,, ,\n"
        b'"C, ""x""",U2,ta,deleted\n',
    )

    assert file.rows == [
        (2, {"course_id": "BIO", "user_id": "U1", "role": None, "status": "active"}),
        (4, {"course_id": 'C, "x"', "user_id": "U2", "role": "ta", "status": "deleted"}),
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"course_id,user_id\nBIO,Zo\xeb\n", "Invalid UTF-8"),
        (b'course_id,user_id\nBIO,"U1\n', "Malformed CSV"),
        (b'course_id,user_id\nBIO,U"1\n', "Malformed CSV"),
        (b'course_id,user_id\n"BIO"x,U1\n', "Malformed CSV"),
        (b"id,name\n1,x\n", "Couldn't find Canvas CSV import headers"),
        (b"", "Couldn't find Canvas CSV import headers"),
    ],
)
def test_a_file_that_cannot_be_read_fails_as_a_whole(content: bytes, problem: str) -> None:
    assert read_file("x.csv", content).problem == problem


def test_a_zip_is_searched_in_its_folders_and_types_come_in_canvas_order() -> None:
    upload = unpack(
        zipped(
            {
                "deep/er/enrollments.csv": ENROLLMENTS,
                "users.csv": b"user_id,login_id,status\nU1,u1,active\n",
                "notes.txt": b"hello",
                "__MACOSX/users.csv": b"x",
                ".hidden.csv": b"x",
            }
        ),
        "zip",
        "upload.zip",
    )

    assert [file.name for file in upload.in_order()] == ["users.csv", "enrollments.csv"]
    assert upload.unknown == ["notes.txt"]


def test_a_zip_that_unpacks_to_more_than_a_hundred_times_its_size_is_refused() -> None:
    with pytest.raises(UnusableUpload, match="too large"):
        unpack(zipped({"users.csv": b"user_id,login_id\n" + b"U,u\n" * 500_000}), "zip", "bomb.zip")


def test_bytes_that_are_no_zip_are_refused() -> None:
    with pytest.raises(UnusableUpload, match="unreadable"):
        unpack(ENROLLMENTS, "zip", "upload.zip")


def test_passwords_are_not_kept_for_download() -> None:
    file = read_file("users.csv", b"user_id,login_id,password,status\nU1,u1,hunter2,active\n")

    assert file.text == "user_id,login_id,status\nU1,u1,active\n"


def upload(*rows: str, header: str = "course_id,section_id,user_id,role,status") -> Upload:
    content = "\n".join([header, *rows, ""]).encode()
    return unpack(content, "csv", "enrollments.csv")


def changed(result: Upload) -> list[list[str | None]]:
    return [list(row.values()) for file in result.files for _, row in file.rows]


def test_diffing_keeps_new_and_changed_rows_and_drops_vanished_ones() -> None:
    before = upload("B,A,U1,student,active", "B,A,U2,student,active", "B,A,U3,student,active")
    after = upload("B,A,U1,student,active", "B,A,U2,student,inactive", "B,A,U4,student,active")

    result = diff(before, after, DiffOptions(drop_status="completed"))

    assert changed(result.upload) == [
        ["B", "A", "U2", "student", "inactive"],
        ["B", "A", "U4", "student", "active"],
        ["B", "A", "U3", "student", "completed"],
    ]


def test_adding_the_section_to_a_row_is_an_addition_and_a_deletion() -> None:
    before = upload("B,,U1,student,active")
    after = upload("B,A,U1,student,active")

    assert changed(diff(before, after, DiffOptions()).upload) == [
        ["B", "A", "U1", "student", "active"],
        ["B", None, "U1", "student", "deleted"],
    ]


def test_no_difference_is_an_empty_diff() -> None:
    same = upload("B,A,U1,student,active")

    assert diff(same, same, DiffOptions()).empty


@pytest.mark.parametrize(
    "options", [DiffOptions(change_threshold=10), DiffOptions(row_count_threshold=1)]
)
def test_over_a_threshold_the_whole_upload_is_applied(options: DiffOptions) -> None:
    before = upload(*(f"B,A,U{number},student,active" for number in range(10)))
    after = upload("B,A,U1,student,active")

    result = diff(before, after, options)

    assert result.exceeded
    assert result.upload is after
    assert [message for _, message in result.warnings] == [
        "Diffing not performed because file size difference exceeded threshold"
    ]


def test_several_files_of_one_type_are_matched_by_name_or_not_diffed() -> None:
    row = b"course_id,section_id,user_id,role,status\nB,A,U1,student,active\n"
    before = unpack(zipped({"a.csv": row, "b.csv": row}), "zip", "x.zip")
    after = unpack(zipped({"a.csv": row, "c.csv": row}), "zip", "x.zip")

    result = diff(before, after, DiffOptions())

    assert len(changed(result.upload)) == 2
    assert result.warnings == [
        (
            "a.csv",
            "Unable to perform diffing against mismatched previous and current enrollment imports",
        )
    ]
