"""The first pass over enrollments, where the million is: each row is looked up, only what differs goes on."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from gateway.sync.job import Checked, Job
from gateway.sync.lookup import Lookup
from gateway.sync.reading import hashes_of, rows_in
from gateway.sync.report_files import ReportFile
from gateway.sync.row_hash import Hashes, text_hashes


async def check_enrollments(job: Job, file: ReportFile, custom_types: Mapping[int, str]) -> Checked:
    checked = Checked()
    lookup = (
        await Lookup.of(job.database, job.institution.id) if "canvas_id" in file.carries else None
    )
    async for rows in rows_in(job, file, custom_types):
        checked.rows += rows.good.height + rows.bad.height
        checked.courses = np.union1d(checked.courses, _courses(job, rows.good))
        told = rows.good.with_columns(row_hash=pl.Series(hashes_of(job, rows.good)))
        if lookup is not None:
            lookup.see(rows.bad["canvas_id"])
            told = lookup.different(told)
        checked.unchanged += rows.good.height - told.height
        job.stage.put(file.which, told)
    if lookup is not None:
        checked.lookup = lookup
        checked.repeated, checked.withheld = (
            lookup.once.repeated(),
            lookup.withheld(job.guard.holds),
        )
    return checked


def _courses(job: Job, rows: pl.DataFrame) -> Hashes:
    if job.by_canvas_id:
        return rows["course"].unique().to_numpy()
    return text_hashes(rows["course_sis"].drop_nulls().unique())
