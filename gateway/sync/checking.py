"""The first pass: every byte is read and checked, nothing is written but the rows that differ, on disk, for the second.

After it the report is known to be whole and usable, and what the store has already is known to need nothing.
"""

import asyncio

import numpy as np
import polars as pl

from gateway.store.known import Known, numbers, sorted_known
from gateway.sync import logins, references
from gateway.sync.enrollments import check_enrollments
from gateway.sync.job import Checked, Job
from gateway.sync.lookup import Once
from gateway.sync.reading import hashes_of, rows_in, same_as_stored
from gateway.sync.report_columns import RosterFile
from gateway.sync.report_files import ReportFile
from gateway.sync.row_hash import Hashes, text_hashes
from gateway.sync.stage import FILE_ROWS, in_chunks
from gateway.sync.suspicion import refuse_another_school, refuse_empty

_POSITIVE = np.int64(2**63 - 1)

TABLES = {
    RosterFile.ACCOUNTS: "account",
    RosterFile.TERMS: "term",
    RosterFile.COURSES: "course",
    RosterFile.SECTIONS: "section",
    RosterFile.XLIST: "section",
    RosterFile.USERS: "person",
    RosterFile.ENROLLMENTS: "enrollment",
}


async def check(job: Job) -> None:
    """Fill `job.checked` and `job.stage`. UnusableFile at the first thing that makes the report unusable."""
    custom_types = await _custom_types(job)
    for file in sorted(job.report.files, key=lambda file: file.which is not RosterFile.XLIST):
        match file.which:
            case RosterFile.USERS:
                checked = await _check_users(job, file)
            case RosterFile.ENROLLMENTS:
                checked = await check_enrollments(job, file, custom_types)
            case _:
                checked = await _check_records(job, file)
        job.checked[file.which] = checked
    refuse_empty(job)
    await refuse_another_school(job)


async def _custom_types(job: Job) -> dict[int, str]:
    """A SIS export names a custom role without its type; the store may know it."""
    if job.by_canvas_id:
        return {}
    rows = await job.database.rows(
        "select distinct role_id, type from enrollment where institution_id = $1 and role_id is not null",
        job.institution.id,
    )
    return {int(row["role_id"]): str(row["type"]) for row in rows}


async def _check_records(job: Job, file: ReportFile) -> Checked:
    """Accounts, terms, courses, sections: a row is a record. Cross-listings are kept whole, for the sections to join."""
    checked, once, stored = Checked(), Once(), await _stored_records(job, file)
    xlist = None if file.which is not RosterFile.SECTIONS else _cross_listings(job)
    async for rows in rows_in(job, file):
        good = rows.good if xlist is None else _moved(rows.good, xlist, job)
        checked.rows += good.height + rows.bad.height
        keys = _record_keys(good)
        if keys is not None:
            once.add(keys, good["line"])
        told = good.with_columns(row_hash=pl.Series(hashes_of(job, good)))
        if file.which is RosterFile.COURSES and keys is not None:
            checked.courses = np.union1d(checked.courses, keys)
        if stored is not None and keys is not None:
            told = told.filter(
                ~pl.Series(same_as_stored(stored, keys, told["row_hash"].to_numpy()))
            )
        checked.unchanged += good.height - told.height
        job.stage.put(file.which, told)
    checked.repeated = once.repeated()
    return checked


def _record_keys(rows: pl.DataFrame) -> Hashes | None:
    if "canvas_id" in rows.columns:
        return rows["canvas_id"].to_numpy()
    return text_hashes(rows["sis_id"]) if "sis_id" in rows.columns else None


async def _stored_records(job: Job, file: ReportFile) -> Known | None:
    """By Canvas id. A SIS export's records are few enough to be compared by the database, all of them."""
    if not job.by_canvas_id or file.which in {RosterFile.XLIST, RosterFile.USER_OBSERVERS}:
        return None
    table = f"{TABLES[file.which]} t where t.institution_id = {job.institution.id:d}"
    columns = ("t.canvas_id", "coalesce(t.row_hash, 0)")
    return sorted_known(
        await numbers(job.database, columns, f"{table} and t.canvas_id is not null")
    )


def _cross_listings(job: Job) -> pl.DataFrame | None:
    frames = list(job.stage.frames(RosterFile.XLIST))
    if job.report.file(RosterFile.XLIST) is None:
        return None
    if not frames:
        return pl.DataFrame()
    return pl.concat(frames).filter(pl.col("state") == "ACTIVE").drop("line", "state", "row_hash")


def _moved(sections: pl.DataFrame, xlist: pl.DataFrame, job: Job) -> pl.DataFrame:
    """Where each section is now and where it came from: xlist.csv knows, older sections.csv name the origin only."""
    if xlist.is_empty():
        return (
            sections.with_columns(origin=pl.lit(None, pl.Int64)) if job.by_canvas_id else sections
        )
    key = "canvas_id" if job.by_canvas_id else "sis_id"
    now = [name for name in ("course", "course_sis") if name in xlist.columns]
    moves = xlist.select(
        key, *(pl.col(name).alias(f"{name}_now") for name in now), pl.col("^origin.*$")
    )
    joined = sections.join(moves.unique(key), on=key, how="left", maintain_order="left")
    return joined.with_columns(
        pl.coalesce(f"{name}_now", name).alias(name) for name in now if name in sections.columns
    ).drop(f"{name}_now" for name in now)


async def _check_users(job: Job, file: ReportFile) -> Checked:
    checked = Checked()
    known_people = None if job.by_canvas_id else await references.people_by_sis_id(job)
    who: list[Hashes] = []
    hashes: list[Hashes] = []
    async for rows in rows_in(job, file):
        checked.rows += rows.good.height + rows.bad.height
        whose = _whose(rows.good, known_people)
        who.append(whose)
        hashes.append(hashes_of(job, rows.good))
        told = rows.good.with_columns(who=pl.Series(whose), row_hash=pl.Series(hashes[-1]))
        job.stage.put(file.which, told)
    if not who:
        return checked
    everybody = np.concatenate(who)
    checked.people, told_hashes = logins.person_hashes(everybody, np.concatenate(hashes))
    checked.with_several_logins = logins.with_several(everybody)
    same = np.zeros(len(checked.people), dtype=np.bool_)
    stored = await _stored_records(job, file)
    if stored is not None:
        same = same_as_stored(stored, checked.people, told_hashes)
    checked.changed_people = checked.people[~same]
    checked.unchanged = int(same.sum())
    if len(checked.changed_people):
        checked.contested = await asyncio.to_thread(_contested, job)
    return checked


def _contested(job: Job) -> Hashes:
    """Aliases that two people of the file claim. Somebody new may claim what somebody unchanged has, so all are asked."""
    keys: list[Hashes] = []
    who: list[Hashes] = []
    for frame in in_chunks(job.stage.frames(RosterFile.USERS), FILE_ROWS):
        claims = logins.exclusive(logins.aliases_of(frame))
        keys.append(logins.alias_keys(claims))
        who.append(claims["who"].to_numpy())
    return logins.contested(np.concatenate(keys), np.concatenate(who))


def _whose(rows: pl.DataFrame, known_people: Known | None) -> Hashes:
    """Logins of one person get one number: the Canvas id, else our own id for whoever is known by the SIS id."""
    if known_people is None:
        return rows["canvas_id"].to_numpy()
    keys = text_hashes(rows["sis_id"])
    ours = known_people.lookup(pl.Series(keys))
    return np.where(ours.is_null().to_numpy(), keys | ~_POSITIVE, ours.fill_null(0).to_numpy())
