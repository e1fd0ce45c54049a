"""The first pass over enrollments, where the million is: each row is looked up, only what differs goes on."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from gateway.store import absences
from gateway.store.known import Flags, Known, Numbers, numbers, sorted_known
from gateway.sync.job import Checked, Guard, Job
from gateway.sync.reading import Once, hashes_of, rows_in
from gateway.sync.report_files import ReportFile
from gateway.sync.row_hash import Hashes, text_hashes
from models.roster import EnrollmentState


async def check_enrollments(job: Job, file: ReportFile, custom_types: Mapping[int, str]) -> Checked:
    checked = Checked()
    lookup = await _Lookup.of(job) if "canvas_id" in file.carries else None
    for rows in rows_in(job, file, custom_types):
        checked.rows += rows.good.height + rows.bad.height
        checked.courses = np.union1d(checked.courses, _courses(job, rows.good))
        told = rows.good.with_columns(row_hash=pl.Series(hashes_of(job, rows.good)))
        if lookup is not None:
            lookup.see(rows.bad["canvas_id"])
            told = lookup.different(told)
        checked.unchanged += rows.good.height - told.height
        job.stage.put(file.which, told)
    if lookup is not None:
        checked.stored, checked.seen = lookup.stored, lookup.seen
        checked.repeated, checked.withheld = lookup.once.repeated(), lookup.withheld(job.guard)
    return checked


def _courses(job: Job, rows: pl.DataFrame) -> Hashes:
    if job.by_canvas_id:
        return rows["course"].unique().to_numpy()
    return text_hashes(rows["course_sis"].drop_nulls().unique())


class _Lookup:
    """The store's enrollments by Canvas id, and which of them the file shows.

    Beside each: its hash, our id (negative where a report need not show the row), our course id.
    """

    def __init__(self, stored: Known) -> None:
        self.stored = stored
        self.seen: Flags = np.zeros(len(stored.keys), dtype=np.bool_)
        self.once = Once()
        self._deleting: list[tuple[Numbers, Numbers]] = []  # lines, and places in the store

    @classmethod
    async def of(cls, job: Job) -> "_Lookup":
        columns = (
            "t.canvas_id",
            "coalesce(t.row_hash, 0)",
            f"case when {absences.shown(absences.SHOWN_STATES)} then t.id else -t.id end",
            "t.course_id",
        )
        where = f"t.institution_id = {job.institution.id:d} and t.canvas_id is not null"
        return cls(
            sorted_known(await numbers(job.database, columns, f"enrollment t where {where}"))
        )

    def see(self, canvas_ids: pl.Series) -> None:
        """A row that cannot be used was there all the same."""
        places, found = self.stored.find(canvas_ids.fill_null(0).to_numpy())
        self.seen[places[found]] = True

    def different(self, told: pl.DataFrame) -> pl.DataFrame:
        """The rows that the store does not have just so."""
        keys = told["canvas_id"].fill_null(0).to_numpy()
        self.once.add(keys, told["line"])
        places, found = self.stored.find(keys)
        if not found.any():
            return told
        self.seen[places[found]] = True
        hashes, ids, _ = self.stored.values
        different = ~(found & (hashes[places] == told["row_hash"].to_numpy()))
        deleting = told["state"].eq_missing(EnrollmentState.DELETED.value).to_numpy()
        deleting = different & found & deleting & (ids[places] > 0)
        if deleting.any():
            self._deleting.append((told["line"].to_numpy()[deleting], places[deleting]))
        return told if different.all() else told.filter(pl.Series(different))

    def withheld(self, guard: Guard) -> Numbers:
        """Lines of rows that delete more at once than the shrink guard allows: as if they were not there."""
        gone = sum(len(lines) for lines, _ in self._deleting)
        if not guard.holds(gone, int((self.stored.values[1] > 0).sum())):
            return np.empty(0, dtype=np.int64)
        for _, places in self._deleting:
            self.seen[places] = False
        return np.sort(np.concatenate([lines for lines, _ in self._deleting]))
