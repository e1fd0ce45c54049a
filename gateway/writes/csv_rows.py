"""CSV files of rosters, read as rows of a change: our simple form, Canvas's SIS enrollments.csv, OneRoster's enrollments.csv.

Which form a file has, its header says. A row that cannot be read is a row that is missed: the others stand.
"""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeAlias, TypeVar

from msgspec import UNSET, UnsetType

from gateway.errors import UnusableFile
from gateway.readpath.lookups import By
from gateway.roster_change import Date
from gateway.writes.roster_rows import Miss, Said
from models.roles import REPORT_ROLES
from models.roster import EnrollmentState, EnrollmentType

S = EnrollmentState
Cells: TypeAlias = Mapping[str, str]

MOST_ROWS = 100_000
_NAME = "the CSV"


class _Unreadable(Exception):
    pass


def read(text: str) -> list[Said | Miss]:
    """Every row, numbered as in the file: the header is row 1. UnusableFile where it is none of the three forms."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        form = _form(header)
        return list(_rows(reader, header, form))
    except csv.Error as error:
        raise UnusableFile(str(error), file=_NAME, line=reader.line_num) from error


def _rows(lines: Iterator[list[str]], header: Sequence[str], form: "Form") -> Iterator[Said | Miss]:
    for row, cells in enumerate(lines, 2):
        text = ",".join(cells)
        if not text.replace(",", "").strip():
            continue
        if row > MOST_ROWS + 1:
            raise UnusableFile(f"it has more than {MOST_ROWS} rows", file=_NAME)
        try:
            yield form(row, text, _cells(header, cells))
        except _Unreadable as error:
            yield Miss(row=row, text=text, reason=str(error))


def _cells(header: Sequence[str], cells: Sequence[str]) -> Cells:
    if len(cells) > len(header):
        raise _Unreadable(f"it has {len(cells)} cells, and the header {len(header)}")
    return {name: cell.strip() for name, cell in zip(header, cells, strict=False)}


Form: TypeAlias = Callable[[int, str, Cells], Said]


def _form(header: Sequence[str]) -> Form:
    if len(set(header)) != len(header):
        raise UnusableFile("a column stands twice in its header", file=_NAME, line=1)
    columns = set(header)
    if {"usersourcedid", "classsourcedid", "role"} <= columns:
        return _one_roster
    if columns & {"course_id", "section_id"} and columns & {"user_id", "user_integration_id"}:
        return _sis
    if columns & _USERS.keys() and columns & (_COURSES.keys() | _SECTIONS.keys()):
        return _simple
    raise UnusableFile(
        "its header is of none of the forms that are read: sis_user_id (or canvas_user_id, login_id, integration_id),"
        " sis_section_id or sis_course_id (or canvas_…), type or role, state; or SIS enrollments.csv; or OneRoster"
        " enrollments.csv",
        file=_NAME,
        line=1,
    )


_USERS = {
    "canvas_user_id": "canvasId",
    "sis_user_id": "sisId",
    "login_id": "loginId",
    "integration_id": "integrationId",
}
_COURSES = {"canvas_course_id": "canvasId", "sis_course_id": "sisId"}
_SECTIONS = {"canvas_section_id": "canvasId", "sis_section_id": "sisId"}


def _simple(row: int, text: str, cells: Cells) -> Said:
    user = _named("User", _USERS, cells)
    if user is None:
        raise _Unreadable("it names nobody")
    return Said(
        row=row,
        text=text,
        user=user,
        course=_named("Course", _COURSES, cells),
        section=_named("Section", _SECTIONS, cells),
        type=_word(EnrollmentType, cells.get("type", "")),
        role=cells.get("role") or None,
        state=_word(EnrollmentState, cells.get("state", "")),
        start_at=_date(cells, "start_at"),
        end_at=_date(cells, "end_at"),
        limited=_flag(cells, "limit_privileges_to_course_section"),
    )


def _named(type_name: str, forms: Mapping[str, str], cells: Cells) -> By | None:
    given = [By(type_name, form, cells[name]) for name, form in forms.items() if cells.get(name)]
    return given[0] if given else None


_SIS_STATUSES = {
    "active": S.ACTIVE,
    "completed": S.COMPLETED,
    "inactive": S.INACTIVE,
    "deleted": S.DELETED,
}


def _sis(row: int, text: str, cells: Cells) -> Said:
    """Canvas's own form (canvas-lms: doc/api/sis_csv.md). Given by integration id, the SIS id of a person is not looked at."""
    status = cells.get("status", "").lower()
    if status not in _SIS_STATUSES:
        raise _Unreadable(f"its status {status!r} is none of {', '.join(_SIS_STATUSES)}")
    if not cells.get("role"):
        raise _Unreadable("it has no role; a role_id alone is not understood")
    integration = cells.get("user_integration_id")
    user = cells.get("user_id")
    if not (integration or user):
        raise _Unreadable("it names nobody")
    return Said(
        row=row,
        text=text,
        user=By("User", "integrationId", integration) if integration else _sis_user(user or ""),
        course=_sis_id("Course", cells.get("course_id")),
        section=_sis_id("Section", cells.get("section_id")),
        role=cells["role"],
        state=_SIS_STATUSES[status],
        associated=_sis_id("User", cells.get("associated_user_id")),
        start_at=_date(cells, "start_date"),
        end_at=_date(cells, "end_date"),
        limited=_flag(cells, "limit_section_privileges"),
    )


def _sis_user(sis_id: str) -> By:
    return By("User", "sisId", sis_id)


def _sis_id(type_name: str, value: str | None) -> By | None:
    return By(type_name, "sisId", value) if value else None


# OneRoster 1.1 and 1.2 know more roles than Canvas does.
_ONE_ROSTER_ROLES = {"student": "student", "teacher": "teacher", "aide": "ta"}


def _one_roster(row: int, text: str, cells: Cells) -> Said:
    """A class of OneRoster is a section (OneRoster 1.1 CSV, §4.6: `tobedeleted` and an empty status besides `active`)."""
    status = cells.get("status", "").lower()
    if status not in ("", "active", "tobedeleted"):
        raise _Unreadable(f"its status {status!r} is neither active nor tobedeleted")
    role = _ONE_ROSTER_ROLES.get(cells["role"].lower())
    if role is None:
        raise _Unreadable(f"the role {cells['role']!r} has no place in a Canvas section")
    if not cells["usersourcedid"]:
        raise _Unreadable("it names nobody")
    start, end = _date(cells, "begindate"), _date(cells, "enddate")
    both = start is not UNSET and end is not UNSET  # one alone has no effect in Canvas
    return Said(
        row=row,
        text=text,
        user=_sis_user(cells["usersourcedid"]),
        section=_sis_id("Section", cells["classsourcedid"]),
        type=REPORT_ROLES[role],
        state=S.DELETED if status == "tobedeleted" else None,
        start_at=start if both else UNSET,
        end_at=end if both else UNSET,
    )


W = TypeVar("W", EnrollmentType, EnrollmentState)


def _word(words: type[W], text: str) -> W | None:
    if not text:
        return None
    try:
        return words(text.upper())
    except ValueError:
        raise _Unreadable(f"{text!r} is none of {', '.join(words)}") from None


def _date(cells: Cells, name: str) -> Date:
    """UTC where no zone is said."""
    text = cells.get(name)
    if not text:
        return UNSET
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise _Unreadable(f"{name} {text!r} is no time of ISO 8601") from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _flag(cells: Cells, name: str) -> bool | UnsetType:
    text = cells.get(name, "").lower()
    if not text:
        return UNSET
    if text not in ("true", "false", "1", "0"):
        raise _Unreadable(f"{name} {text!r} is neither true nor false")
    return text in ("true", "1")
