"""Enrollments that the store has, the report could have shown, and does not: judged after everything it says is in.

The report's scope is not written in it, so it is inferred: an enrollments file speaks of the courses of which it, or the
courses.csv beside it, has a row, and of no other. A run limited to a term or an account thus ends nothing elsewhere.
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from gateway.merge import Reading, silence_of
from gateway.store import absences, merging
from gateway.store.absences import Absent
from gateway.store.known import Numbers, contains, numbers
from gateway.sync.job import Job
from gateway.sync.report_columns import ReportKind, RosterFile
from gateway.sync.summary import Counts
from gateway.sync.writing import Writer, counts_of
from gateway.uow import Transaction

FEW = 5_000  # rows that are asked for one by one; beyond them it is quicker to look at all

READINGS = {
    ReportKind.PROVISIONING: Reading.PROVISIONING,
    ReportKind.SIS_EXPORT: Reading.SIS_EXPORT,
}


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """Our ids of the courses that the report speaks of, and whether no other has enrollments that it would show."""

    every_course: bool
    courses: Numbers


@dataclass(kw_only=True)
class _Review:
    """`shown`: the enrollments that a report of everything would show. `others`: those of courses not spoken of."""

    courses: Numbers
    shown: int = 0
    others: int = 0
    absent: list[Numbers] = field(default_factory=list)

    def add(self, ids: Numbers, of_courses: Numbers) -> None:
        """Enrollments that the report does not show: our ids, our course ids."""
        spoken = contains(self.courses, of_courses)
        self.others += int((~spoken).sum())
        self.absent.append(ids[spoken])


async def judge_absent(writer: Writer) -> Spoken:
    """End or hold what the report does not show any more."""
    job = writer.job
    review = await _reviewed(writer)
    outcome = await _judge(writer, np.concatenate(review.absent))
    held = sum(outcome.held.values())
    job.count(RosterFile.ENROLLMENTS, counts_of(outcome.merged) + Counts(held=held))
    job.note(
        RosterFile.ENROLLMENTS, *_notes(outcome.explained, "no longer shown, and that is explained")
    )
    job.note(RosterFile.ENROLLMENTS, *_notes(outcome.held, "held"))
    spoken_of = review.shown - review.others
    if job.guard.holds(held, spoken_of):
        job.notes.append(
            f"{held:,} of {spoken_of:,} enrollments would go at once: more than the shrink guard allows."
            " Is the file whole, and of this institution?"
        )
    return Spoken(every_course=review.others == 0, courses=review.courses)


def _notes(reasons: Counter[str], what: str) -> list[str]:
    return [f"{count:,} {what}: {why}" for why, count in reasons.most_common()]


async def _spoken_of(writer: Writer) -> Numbers:
    """Our ids of the courses that the report speaks of."""
    job = writer.job
    named = [
        job.checked[which].courses
        for which in (RosterFile.COURSES, RosterFile.ENROLLMENTS)
        if which in job.checked
    ]
    keys = pl.Series(np.unique(np.concatenate(named)), dtype=pl.Int64)
    ids = await writer.references.by_keys("course", keys)
    courses = np.sort(ids.drop_nulls().to_numpy())
    return courses[~contains(job.newer_courses, courses)]


async def _reviewed(writer: Writer) -> _Review:
    job = writer.job
    review = _Review(courses=await _spoken_of(writer))
    told = np.unique(np.concatenate([np.empty(0, dtype=np.int64), *writer.told_enrollments]))
    lookup = job.checked[RosterFile.ENROLLMENTS].lookup
    states = absences.SHOWN_STATES if job.by_canvas_id else absences.SHOWN_STATES_IN_SIS_EXPORT
    where = f"t.institution_id = {job.institution.id:d} and {absences.shown(states)}"
    if lookup is not None:
        review.shown += lookup.shown
        review.add(*await _places(job, lookup.absent(), where))
        where += " and t.canvas_id is null"
    ids, of_courses = await numbers(
        job.database, ("t.id", "t.course_id"), f"enrollment t where {where}"
    )
    review.shown += len(ids)
    unseen = ~contains(told, ids)
    review.add(ids[unseen], of_courses[unseen])
    return review


async def _places(job: Job, canvas_ids: Numbers, where: str) -> tuple[Numbers, Numbers]:
    """Our ids and our course ids of these enrollments, as far as they are still to be shown."""
    columns = ("t.canvas_id", "t.id", "t.course_id")
    if len(canvas_ids) <= FEW:
        listed = ", ".join(str(int(one)) for one in canvas_ids) or "null"
        where += f" and t.canvas_id in ({listed})"
    found, ids, courses = await numbers(job.database, columns, f"enrollment t where {where}")
    wanted = contains(canvas_ids, found)
    return ids[wanted], courses[wanted]


async def _judge(writer: Writer, ids: Numbers) -> Absent:
    job, total = writer.job, Absent()
    reading = READINGS[job.kind]
    with_logins = await _people_with_logins(writer) if len(ids) else None

    def logins_gone(person: int) -> bool:
        return with_logins is not None and not contains(with_logins, np.array([person])).any()

    for start in range(0, len(ids), writer.chunk_rows):
        chunk = pl.Series(ids[start : start + writer.chunk_rows])

        async def work(tx: Transaction, chunk: pl.Series = chunk) -> Absent:
            telling = job.telling("enrollment")
            await merging.lock(tx, telling.institution_id)
            return await absences.judge(
                tx,
                telling,
                chunk,
                silence=lambda has: silence_of(reading, whole=True, visible=True, has_sis_ids=has),
                logins_gone=logins_gone,
            )

        part = await job.database.transact(work)
        total.merged += part.merged
        total.explained += part.explained
        total.held += part.held
    return total


async def _people_with_logins(writer: Writer) -> Numbers | None:
    """Our ids of everybody in users.csv, sorted; None without it. A SIS export shows only logins with SIS ids."""
    users = writer.job.checked.get(RosterFile.USERS)
    if users is None or not writer.job.by_canvas_id:
        return None
    ids = await writer.references.by_keys("person", pl.Series(users.people, dtype=pl.Int64))
    return np.sort(ids.drop_nulls().to_numpy())
