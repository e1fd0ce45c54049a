"""Files that are no report, or no whole one: each refused in its own words, with the place as exactly as it is known."""

import io
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.errors import UnusableFile
from gateway.sync.report_blocks import Block
from gateway.sync.report_columns import ReportKind, RosterFile
from gateway.sync.report_files import Limits, Report, ReportFile, open_report
from gateway.sync.report_rows import Rows, rows_of
from tests.gateway.sync.reports import csv_text, dated, enrollment, user, zipped

SMALL = Limits(block_bytes=64)
ENROLLMENTS = csv_text("enrollments", [enrollment(30001, 9001), enrollment(30002, 9002)])
USERS = csv_text(
    "users", [user(9001, "Amara Okoye"), user(9002, "Ben Lind"), user(9003, "Dina Haddad")]
)


def read(path: Path, limits: Limits = SMALL) -> list[Rows]:
    """All rows of all files."""
    return [
        rows_of(block, file, 1, {})
        for file in open_report(path, limits).files
        for block in _blocks(file, limits)
    ]


def _blocks(file: ReportFile, limits: Limits) -> Iterator[Block]:
    with file.blocks(limits) as blocks:
        yield from blocks


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


BAD_CELLS = [
    pytest.param(
        ENROLLMENTS + "501,BIO,9001\n", "3 cells where the header has 15", 4, None, id="short row"
    ),
    pytest.param(
        ENROLLMENTS[:-1] + ",x\n", "16 cells where the header has 15", 3, None, id="long row"
    ),
    pytest.param(
        ENROLLMENTS[:-9], "14 cells where the header has 15", 3, None, id="cut off inside a row"
    ),
    pytest.param(
        ENROLLMENTS[:-2], "the last line does not end", 3, None, id="cut off inside the last cell"
    ),
    pytest.param(
        ENROLLMENTS.replace("9002", "nine"),
        "'nine' is not a Canvas id",
        3,
        "canvas_user_id",
        id="letters",
    ),
    pytest.param(
        ENROLLMENTS.replace("9002", "-9"), "is not a Canvas id", 3, "canvas_user_id", id="negative"
    ),
    pytest.param(
        ENROLLMENTS.replace("9002", "0"), "is not a Canvas id", 3, "canvas_user_id", id="zero"
    ),
    pytest.param(
        ENROLLMENTS.replace("9002", "99999999999999999999"),
        "is not a Canvas id",
        3,
        "canvas_user_id",
        id="too long",
    ),
    pytest.param(
        ENROLLMENTS.replace("false", "perhaps"),
        "'perhaps' is neither true nor false",
        2,
        "limit_section_privileges",
        id="no flag",
    ),
    pytest.param(
        ENROLLMENTS.replace("student", "x" * 256),
        "is longer than 255 characters",
        2,
        "role",
        id="too long a role",
    ),
    pytest.param(
        ENROLLMENTS.replace("student", 'stu"dent', 1),
        "a quote stands inside",
        2,
        "role",
        id="odd quote",
    ),
    pytest.param(
        ENROLLMENTS.replace("student", 'a"b"c', 1),
        "a quote stands inside",
        2,
        "role",
        id="even quotes",
    ),
    pytest.param(
        ENROLLMENTS.replace("student", '"a"b', 1),
        "text follows a closing quote",
        2,
        "role",
        id="text after",
    ),
    pytest.param(
        ENROLLMENTS.replace("student", '"student', 1),
        "is never closed",
        2,
        "role",
        id="never closed",
    ),
    pytest.param(ENROLLMENTS.replace("student", "stu\0dent", 1), "a NUL byte", 2, "role", id="NUL"),
    pytest.param(
        USERS.replace("Dina", "Diná").encode("latin-1"),
        "byte 0xE1 is not UTF-8",
        4,
        "first_name",
        id="latin-1",
    ),
]


@pytest.mark.parametrize(("content", "why", "line", "column"), BAD_CELLS)
def test_a_broken_csv_is_refused_with_line_and_column(
    tmp_path: Path, content: str | bytes, why: str, line: int, column: str | None
) -> None:
    with pytest.raises(UnusableFile) as refused:
        read(written(tmp_path / "r.csv", content))

    assert why in str(refused.value)
    assert (line, column) == (refused.value.line, refused.value.column)
    assert "r.csv" in str(refused.value)


def test_the_line_is_counted_through_names_that_span_lines(tmp_path: Path) -> None:
    long_names = [
        user(9000 + n, "Two Lines", full_name='Two\nLines, "really"') for n in range(1, 40)
    ]
    content = csv_text("users", [*long_names, user(9050, "Last One", canvas_user_id="none")])

    with pytest.raises(UnusableFile) as refused:
        read(written(tmp_path / "users.csv", content))

    assert (80, "canvas_user_id") == (refused.value.line, refused.value.column)


def test_lines_of_good_rows_are_counted_the_same_way(tmp_path: Path) -> None:
    people = [
        user(9001, "Two Lines", full_name="Two\nLines"),
        user(9002, "Ben Lind"),
        user(9003, "Dina Haddad"),
    ]
    content = csv_text("users", people).replace("\n9002,", "\n\n9002,")  # and an empty line

    lines = [
        line
        for rows in read(written(tmp_path / "users.csv", content))
        for line in rows.good["line"]
    ]

    assert [2, 5, 6] == lines


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(USERS.encode("utf-8-sig"), id="BOM"),
        pytest.param(USERS.replace("\n", "\r\n").encode(), id="CRLF"),
        pytest.param(USERS.encode() + b"\n\n", id="empty lines at the end"),
    ],
)
def test_what_a_spreadsheet_does_to_a_file_is_borne(tmp_path: Path, content: bytes) -> None:
    rows = read(written(tmp_path / "users.csv", content))

    assert [10**13 + 9001, 10**13 + 9002, 10**13 + 9003] == [
        one for r in rows for one in r.good["canvas_id"]
    ]
    assert ["Okoye, Amara", "Lind, Ben", "Haddad, Dina"] == [
        one for r in rows for one in r.good["sortable_name"]
    ]


def test_a_report_without_rows_is_whole(tmp_path: Path) -> None:
    assert [] == read(written(tmp_path / "e.csv", csv_text("enrollments", [])))


def test_names_stay_as_they_are(tmp_path: Path) -> None:
    odd = 'Zoë "Z", 美咲\u200d O\'Brien'

    rows = read(
        written(
            tmp_path / "u.csv",
            csv_text("users", [user(9001, "A B", full_name=odd, short_name=" x ")]),
        )
    )

    assert (odd, " x ") == rows[0].good.select("name", "short_name").row(0)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param(b"", "the file is empty", id="empty"),
        pytest.param(b"a,b\n1,2\n", "is no file of a Canvas roster report", id="another table"),
        pytest.param(b"PK\x03\x04 and then nothing", "the zip is broken or cut off", id="no zip"),
        pytest.param(
            csv_text(
                "enrollments",
                [],
                columns=[
                    *("canvas_user_id", "canvas_course_id", "canvas_section_id", "status"),
                    *("canvas_associated_user_id", "role_id"),
                ],
            ),
            "lacks the column role",
            id="a column is missing",
        ),
        pytest.param("role,role\n", "this column stands there twice", id="a column twice"),
        pytest.param(
            csv_text("users", [], columns=["admin_user_name", "canvas_user_id"]),
            "nothing of the roster",
            id="another report",
        ),
    ],
)
def test_what_is_no_roster_report_is_said_so(
    tmp_path: Path, content: str | bytes, why: str
) -> None:
    with pytest.raises(UnusableFile, match=why):
        read(written(tmp_path / "r.csv", content))


def test_a_missing_file_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(UnusableFile, match="cannot be read"):
        open_report(tmp_path / "none.csv", SMALL)


def test_a_file_is_known_by_its_headers_whatever_its_name(tmp_path: Path) -> None:
    for name, expected in [
        ("enrollments", RosterFile.ENROLLMENTS),
        ("terms", RosterFile.TERMS),
        ("xlist", RosterFile.XLIST),
    ]:
        for sis, kind in [(False, ReportKind.PROVISIONING), (True, ReportKind.SIS_EXPORT)]:
            report = open_report(written(tmp_path / "any.csv", csv_text(name, [], sis=sis)), SMALL)

            assert (expected, kind) == (report.files[0].which, report.kind)


class TestZip:
    def test_folders_and_clutter_do_not_matter(self, tmp_path: Path) -> None:
        report = open_report(
            zipped(
                tmp_path / "r.zip",
                {
                    "report/users.csv": USERS,
                    "report/enrollments.csv": ENROLLMENTS,
                    "__MACOSX/._users.csv": b"\0",
                    ".DS_Store": b"\0",
                    "report/groups.csv": "canvas_group_id,name\n",
                    "report/readme.txt": "hello\n",
                },
            ),
            SMALL,
        )

        assert [RosterFile.USERS, RosterFile.ENROLLMENTS] == [file.which for file in report.files]
        assert {
            ("groups.csv", "holds nothing of the roster"),
            ("readme.txt", "is no file of a Canvas roster report"),
        } == set(report.skipped)

    @pytest.mark.parametrize(
        ("files", "why"),
        [
            pytest.param({"readme.txt": "hello\n"}, "holds no roster file", id="nothing of it"),
            pytest.param(
                {"a/users.csv": USERS, "b/users.csv": USERS}, "one roster file twice", id="twice"
            ),
            pytest.param(
                {"users.csv": USERS, "enrollments.csv": csv_text("enrollments", [], sis=True)},
                "mixes",
                id="both kinds",
            ),
            pytest.param(
                {"users.csv": "canvas_user_id,status\n"},
                "lacks the column login_id",
                id="a column missing",
            ),
        ],
    )
    def test_a_zip_that_is_no_report(self, tmp_path: Path, files: dict[str, str], why: str) -> None:
        with pytest.raises(UnusableFile, match=why):
            open_report(zipped(tmp_path / "r.zip", files), SMALL)

    def test_a_bomb_is_not_unpacked(self, tmp_path: Path) -> None:
        bomb = zipped(tmp_path / "r.zip", {"users.csv": USERS + "\n" * 30_000_000})

        with pytest.raises(UnusableFile, match="more than 250 times its size"):
            open_report(bomb, SMALL)
        with pytest.raises(UnusableFile, match="at most 1,000 are allowed"):
            open_report(
                zipped(tmp_path / "b.zip", {"users.csv": USERS * 10}), Limits(unpacked_bytes=1_000)
            )
        with pytest.raises(UnusableFile, match="holds 3 files"):
            open_report(zipped(tmp_path / "c.zip", dict.fromkeys("abc", "")), Limits(members=2))

    def test_an_encrypted_member_is_refused(self, tmp_path: Path) -> None:
        path = zipped(tmp_path / "r.zip", {"users.csv": USERS})
        data = bytearray(path.read_bytes())
        data[data.index(b"PK\x01\x02") + 8] |= 1  # the flag in the directory
        path.write_bytes(data)

        with pytest.raises(UnusableFile, match="is encrypted"):
            open_report(path, SMALL)

    def test_a_member_that_does_not_fit_its_checksum_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "r.zip"
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("users.csv", USERS)
        path.write_bytes(out.getvalue().replace(b"Amara,Okoye", b"Amira,Okoye"))

        with pytest.raises(UnusableFile, match="cannot be unpacked"):
            read(path)

    def test_a_checksum_vouches_for_a_last_line_without_an_end(self, tmp_path: Path) -> None:
        (rows,) = read(zipped(tmp_path / "r.zip", {"enrollments.csv": ENROLLMENTS[:-1]}), Limits())

        assert 2 == rows.good.height


NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("inside", "file_date", "expected"),
    [
        pytest.param(
            NOON - timedelta(hours=6), NOON, NOON - timedelta(hours=6), id="written, then sent"
        ),
        pytest.param(datetime(1980, 1, 1, tzinfo=UTC), NOON, NOON, id="no date inside"),
        pytest.param(NOON + timedelta(hours=3), NOON, NOON, id="another time zone's clock"),
    ],
)
def test_the_age_of_a_zip(
    tmp_path: Path, inside: datetime, file_date: datetime, expected: datetime
) -> None:
    path = tmp_path / "r.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("users.csv", inside.timetuple()[:6]), USERS)

    assert expected == _written_at(open_report(dated(path, file_date), SMALL))


def _written_at(report: Report) -> datetime:
    return report.written_at.astimezone(UTC)


def test_more_header_cells_than_row_cells_as_canvas_once_wrote(tmp_path: Path) -> None:
    columns = "course_id,user_id,role,role_id,section_id,status,associated_user_id,limit_section_privileges"
    text = f"{columns},temporary_enrollment_source_user_id\nBIO,U1,student,3,A,active,,false\n"

    (rows,) = read(written(tmp_path / "e.csv", text))

    assert ("BIO", "U1", "STUDENT") == rows.good.select("course_sis", "person_sis", "type").row(0)


@pytest.mark.parametrize("block_bytes", [16, 64, 333, 4096])
def test_blocks_are_cut_at_the_ends_of_records(tmp_path: Path, block_bytes: int) -> None:
    people = [
        user(9000 + n, "Some Body", full_name='Two\n"Lines",\n' * (n % 4), short_name=str(n))
        for n in range(1, 60)
    ]
    path = written(tmp_path / "users.csv", csv_text("users", people))

    rows = read(path, Limits(block_bytes=block_bytes))

    assert [str(n) for n in range(1, 60)] == [
        one for part in rows for one in part.good["short_name"]
    ]
    lines = [line for part in rows for line in part.good["line"]]
    text = path.read_text(encoding="utf-8").split("\n")
    assert [f"{9000 + n}," for n in range(1, 60)] == [text[line - 1][:5] for line in lines]


def test_a_quote_that_is_never_closed_does_not_swallow_memory(tmp_path: Path) -> None:
    content = (
        ENROLLMENTS.replace("student", '"student', 1) + ENROLLMENTS.partition("\n")[2] * 60_000
    )

    with pytest.raises(UnusableFile, match="never closed") as refused:
        read(written(tmp_path / "e.csv", content), Limits())

    assert (2, "role") == (refused.value.line, refused.value.column)
