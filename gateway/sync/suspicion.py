"""Is this our school at all? Canvas ids are small numbers, so another school's report would fit, and overwrite everybody.

What never changes is looked at in a sample of the rows that differ: a person's uuid, else the SIS id, and the person of an
enrollment. A merge or a new SIS id is an exception; where most are exceptions, it is another Canvas, or its beta.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from gateway.errors import UnusableFile
from gateway.sync.job import Job
from gateway.sync.report_columns import RosterFile

SAMPLE = 1_000


def refuse_empty(job: Job) -> None:
    """UnusableFile where no file has a row: that is no school, but a report that was cut short or asked for nothing."""
    if job.checked and not any(checked.rows for checked in job.checked.values()):
        raise UnusableFile(
            "it has headers and not one row. Start the report anew, with its files ticked and of all terms",
            file=job.report.name,
        )


async def refuse_another_school(job: Job) -> None:
    """UnusableFile when most of what should be known by its Canvas id is somebody else's."""
    if not job.by_canvas_id:
        return
    if RosterFile.USERS in job.checked:
        await _compare_people(job)
    if RosterFile.ENROLLMENTS in job.checked:
        await _compare_enrollments(job)


async def _compare_people(job: Job) -> None:
    chosen = _sample(job.checked[RosterFile.USERS].changed_people)
    rows = await job.database.rows(
        "select canvas_id, uuid, sis_id from person where institution_id = $1"
        f" and canvas_id in ({_listed(chosen)})",
        job.institution.id,
    )
    known = {int(row["canvas_id"]): (row["uuid"], row["sis_id"]) for row in rows}
    if len(known) < job.guard.least:
        return
    names = [name for name in ("uuid", "sis_id") if name in _carried(job, RosterFile.USERS)]
    told: dict[int, dict[str, object]] = {}
    for frame in job.stage.frames(RosterFile.USERS):
        found = frame.filter(pl.col("canvas_id").is_in(list(known)))
        told |= {
            row["canvas_id"]: row for row in found.select("canvas_id", *names).iter_rows(named=True)
        }
    others = sum(_somebody_else(known[canvas_id], row) for canvas_id, row in told.items())
    _refuse(
        job,
        RosterFile.USERS,
        others,
        len(told),
        "people by Canvas id have another uuid or SIS id than ours",
    )


def _somebody_else(known: Sequence[object], told: Mapping[str, object]) -> bool:
    for ours, theirs in zip(known, (told.get("uuid"), told.get("sis_id")), strict=True):
        if ours and theirs:
            return ours != theirs
    return False


async def _compare_enrollments(job: Job) -> None:
    told: dict[int, int] = {}
    for frame in job.stage.frames(RosterFile.ENROLLMENTS):
        if "canvas_id" in frame.columns and len(told) < SAMPLE:
            some = (
                frame.select("canvas_id", "person")
                .drop_nulls()
                .gather_every(1 + frame.height // 100)
            )
            told |= dict(some.iter_rows())
    rows = await job.database.rows(
        "select e.canvas_id, p.canvas_id as person from enrollment e join person p on p.id = e.person_id"
        " and p.institution_id = e.institution_id where e.institution_id = $1"
        f" and e.canvas_id in ({_listed(list(told))}) and p.canvas_id is not null",
        job.institution.id,
    )
    others = sum(told[int(row["canvas_id"])] != row["person"] for row in rows)
    _refuse(
        job,
        RosterFile.ENROLLMENTS,
        others,
        len(rows),
        "enrollments by Canvas id are another person's than ours",
    )


def _carried(job: Job, which: RosterFile) -> frozenset[str]:
    file = job.report.file(which)
    return frozenset() if file is None else file.carries


def _sample(keys: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[int]:
    places = np.unique(np.linspace(0, max(len(keys) - 1, 0), SAMPLE, dtype=np.int64))
    return [int(key) for key in keys[places[: len(keys)]]]


def _listed(ids: Sequence[int]) -> str:
    return ", ".join(str(int(one)) for one in ids) or "null"


def _refuse(job: Job, which: RosterFile, others: int, compared: int, what: str) -> None:
    if others >= job.guard.least and others * 2 > compared:
        why = f"{others} of {compared} {what}: this is the report of another Canvas, or of a beta or test copy"
        raise UnusableFile(why, file=job.name(which))
