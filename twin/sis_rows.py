"""Hands each row of an upload to the rules of its type (fact sheet sis-imports.md §3 and §6)."""

from collections.abc import Callable, Iterator

from twin import sis_people, sis_places
from twin.report_csv import line
from twin.sis_batch import Importing, RowRejected, SisBatch
from twin.sis_enrollments import enrollment
from twin.sis_files import COUNTS, Row, SisFile, Upload
from twin.sis_renames import change_sis_id

HANDLERS: dict[str, Callable[[Importing, Row], None]] = {
    "change_sis_id": change_sis_id,
    "account": sis_places.account,
    "term": sis_places.term,
    "course": sis_places.course,
    "section": sis_places.section,
    "xlist": sis_places.xlist,
    "login": sis_people.login,
    "user": sis_people.user,
    "enrollment": enrollment,
    "admin": sis_people.admin,
    "user_observer": sis_people.user_observer,
}


def apply_rows(importing: Importing, upload: Upload) -> Iterator[None]:
    """Apply one row at each step, the types in Canvas's order whatever the order of the files."""
    for file in upload.in_order():
        importing.at_file()
        for number, row in file.rows:
            if file.kind in HANDLERS and not _skipped(importing.batch, row):
                _apply_row(importing, file, number, row)
            yield


def _skipped(batch: SisBatch, row: Row) -> bool:
    return batch.options.skip_deletes and "deleted" in (row.get("status") or "").lower()


def _apply_row(importing: Importing, file: SisFile, number: int, row: Row) -> None:
    shown = importing.school.options.sis_row_info
    importing.at_row(file.name, number, line(row.values()).rstrip("\n") if shown else None)
    try:
        HANDLERS[file.kind](importing, row)
    except RowRejected as rejected:
        importing.warn(str(rejected))
    else:
        importing.batch.counts[COUNTS[file.kind]] += 1
