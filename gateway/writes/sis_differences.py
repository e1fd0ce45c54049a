"""Whether a SIS file may be sent as a difference from the one before it: both, and what Canvas shows, row by row (pure).

Canvas compares file with file and never with itself: what was changed there in between it neither sees nor mends, and to a row
that is missing it gives the drop status (sis-imports.md §7; canvas-lms: lib/sis/csv/diff_generator.rb). So the file before is
compared with Canvas here first, and no file leaves out a row that the one before had: whoever goes stands in it as ended.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TypeAlias

from gateway.canvas.sis_files import HEADER, csv_of

Row: TypeAlias = tuple[str, ...]
Identity: TypeAlias = tuple[str, ...]

# What Canvas knows a row again by, of the columns that are sent.
_KEY = [
    HEADER.index(column)
    for column in ("course_id", "section_id", "user_id", "role", "associated_user_id")
]
_STATUS = HEADER.index("status")
_NAMED = 10
_FIRST_LINE = 2  # the header is line 1


def identity(row: Row) -> Identity:
    return tuple(row[n] for n in _KEY)


@dataclass(frozen=True, kw_only=True)
class Ground:
    """`before`: the last file's rows; None where none is known that Canvas would compare with, `why_none`.

    `shown`: what Canvas shows now, in a file's words. `protected`: what must not be touched, so that it stands in no file.
    """

    before: Sequence[Row] | None
    shown: Mapping[Identity, Row]
    protected: Collection[Identity] = ()
    why_none: str = "there is no import yet that it could be compared with"


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """`differing`: lines that are not as in the file before; `growth`: by how many percent its size differs from that one's.

    `why_whole`: why Canvas is to apply all of it and compare nothing; None where it is to apply what differs.
    """

    rows: tuple[Row, ...]
    differing: tuple[int, ...] = ()
    growth: int = 1
    why_whole: str | None = None


def data_file(changing: Sequence[Row], staying: Sequence[Row], ground: Ground) -> DataFile:
    """`changing`: what is to change; `staying`: what was asked for and is so already."""
    wanted = [*changing, *(row for row in staying if identity(row) not in ground.protected)]
    why = _why_whole(ground)
    if why is not None or ground.before is None:
        return DataFile(rows=tuple(wanted), why_whole=why)
    before = {identity(row): row for row in ground.before}
    named = {identity(row) for row in wanted}
    rows = [*wanted, *(row for key, row in before.items() if key not in named)]
    growth = _growth(ground.before, rows)
    if growth > 100:  # percent: no threshold lets more through
        return DataFile(rows=tuple(wanted), why_whole="it is more than twice as large as the last")
    return DataFile(
        rows=tuple(rows),
        differing=tuple(
            line for line, row in enumerate(rows, _FIRST_LINE) if before.get(identity(row)) != row
        ),
        growth=growth,
    )


def _why_whole(ground: Ground) -> str | None:
    """What is in the way of a difference: all of it has to be so that Canvas does what was planned, and no more."""
    if ground.before is None:
        return ground.why_none
    otherwise = [row for row in ground.before if ground.shown.get(identity(row)) != row]
    if otherwise:
        return (
            f"Canvas shows {len(otherwise)} of {len(ground.before)} enrollments otherwise than the last import said:"
            f" {_listed(otherwise, ground.shown)}"
        )
    protected = [row for row in ground.before if identity(row) in ground.protected]
    if protected:
        return f"{len(protected)} of its enrollments are protected now: {_listed(protected, {})}"
    return None


def _listed(rows: Sequence[Row], shown: Mapping[Identity, Row]) -> str:
    said = []
    for row in rows[:_NAMED]:
        now = shown.get(identity(row))
        state = "" if now is None or now[_STATUS] == row[_STATUS] else f", now {now[_STATUS]}"
        where = dict(zip(HEADER, row, strict=True))
        said.append(
            f"{where['user_id']} in {where['section_id']} as {where['role']} ({row[_STATUS]}{state})"
        )
    more = len(rows) - len(said)
    return "; ".join(said) + (f"; and {more} more" if more > 0 else "")


def _growth(before: Sequence[Row], rows: Sequence[Row]) -> int:
    """In whole percent, with one to spare: sizes are rounded somewhere."""
    old, new = len(csv_of(before)), len(csv_of(rows))
    return ceil(abs(new - old) / old * 100) + 1
