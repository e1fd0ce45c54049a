"""enrollments.csv as SIS imports take it: one line for each enrollment, by SIS ids, every field said (sis-imports.md §5).

canvas-lms: lib/sis/csv/enrollment_importer.rb
"""

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from models.roster import EnrollmentState, EnrollmentType

HEADER = (
    *("course_id", "section_id", "user_id", "role", "status", "associated_user_id"),
    *("limit_section_privileges", "start_date", "end_date", "notify"),
)
STATUSES = {
    EnrollmentState.ACTIVE: "active",
    EnrollmentState.COMPLETED: "completed",
    EnrollmentState.INACTIVE: "inactive",
    EnrollmentState.DELETED: "deleted",
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """A row of enrollments.csv, by SIS ids. Section and course both, so that no default section is meant.

    `dates`: both or neither; absent ones clear what Canvas has.
    """

    course: str
    section: str
    user: str
    type: EnrollmentType
    role: str
    state: EnrollmentState
    associated: str | None = None
    limited: bool | None = None
    dates: tuple[datetime, datetime] | None = None


def enrollments_csv(lines: Sequence[Line]) -> bytes:
    """The file; the first line is its row 2."""
    return csv_of(map(cells, lines))


def csv_of(rows: Iterable[Sequence[str]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(rows)
    return out.getvalue().encode()


def rows_of(file: str) -> list[tuple[str, ...]] | None:
    """The rows of a file as we write them; None where another version of us wrote other columns."""
    header, *rows = csv.reader(io.StringIO(file))
    return [tuple(row) for row in rows] if tuple(header) == HEADER else None


def cells(line: Line) -> tuple[str, ...]:
    start, end = line.dates or (None, None)
    return (
        line.course,
        line.section,
        line.user,
        _role(line),
        STATUSES[line.state],
        line.associated or "",
        "" if line.limited is None else str(line.limited).lower(),
        _time(start),
        _time(end),
        "false",
    )


def _time(value: datetime | None) -> str:
    """To the second, as Canvas keeps it, so that equal times are equal words."""
    return "" if value is None else value.astimezone(UTC).isoformat(timespec="seconds")


def _role(line: Line) -> str:
    """Built-in roles have words of their own in SIS files; custom ones go by their exact name."""
    built_in = f"{line.type.title()}Enrollment"
    return line.type.lower() if line.role == built_in else line.role
