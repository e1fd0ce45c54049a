"""A report that was sent, from the file to the store: checked whole, then written in chunks, then closed by its marker.

Nothing is written before the whole file is known to be usable. After a crash the run stays open, and the next import of
any report takes up what is left: what was written is found to be there, and the feed has it once.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import xxhash

from gateway.merge import Guard
from gateway.store import first_load, ledger, runs, statistics
from gateway.store.institutions import Institution
from gateway.sync import closing, writing
from gateway.sync.absent import Spoken, judge_absent
from gateway.sync.checking import TABLES, check
from gateway.sync.job import Clock, Job
from gateway.sync.people import write_users
from gateway.sync.report_columns import RosterFile
from gateway.sync.report_files import Limits, open_report
from gateway.sync.stage import Stage
from gateway.sync.summary import Progress, Summary
from gateway.sync.writing import Writer
from gateway.uow import Database
from models.roster import Source, SyncRunState


def _silent(_: Progress) -> None:
    """Nobody watches."""


async def import_report(  # noqa: PLR0913  each has a name, and most a default
    database: Database,
    institution: Institution,
    path: Path,
    *,
    clock: Clock,
    as_of: datetime | None = None,
    source: Source = Source.UPLOAD,
    account_id: int | None = None,
    run_id: int | None = None,
    guard: Guard = Guard(),  # noqa: B008  frozen
    limits: Limits = Limits(),  # noqa: B008  frozen
    progress: Callable[[Progress], None] = _silent,
) -> Summary:
    """Load the provisioning report or SIS export in `path` (csv or zip) into the institution, and say what came of it.

    `as_of`: when Canvas read the rows; without it the newest plausible date inside a zip, else the file's own, and never
    later than now. `source`: UPLOAD for a file sent by hand, REPORT or SIS_EXPORT for one that Canvas was asked for.
    `account_id`: our id of the account that the report was asked for, if not of the whole institution. `run_id`: a sync run
    that a durable job carries, and begins again where it was cut off; without it the import has one of its own.
    `progress` is called often, from the event loop, and must be quick.

    Raises UnusableFile when the file cannot be used, and ImportRunning when another import of this institution is on its
    way; nothing was changed then. Importing a file twice changes nothing.
    """
    report = await asyncio.to_thread(open_report, path, limits)
    now = clock()
    job = Job(
        database=database,
        institution=institution,
        report=report,
        limits=limits,
        guard=guard,
        source=source,
        scope=("institution", 0) if account_id is None else ("account", account_id),
        as_of=min(as_of or report.written_at, now),
        clock=clock,
        progress=progress,
        stage=Stage(Path()),
        run_id=run_id or 0,
        durable=run_id is not None,
    )
    if as_of is not None:
        job.report = replace(report, written_at_from="as given")
    async with runs.one_at_a_time(database, institution.id):
        await first_load.make_indexes(database, *first_load.TABLES)
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="roster-import-"))
        try:
            job.stage = Stage(folder)
            await _leave_out_what_is_old(job)
            await check(job)
            return await _run(job, await asyncio.to_thread(_fingerprint, path))
        finally:
            await asyncio.to_thread(
                shutil.rmtree, folder
            )  # thousands of files, one after the other


async def _leave_out_what_is_old(job: Job) -> None:
    """A file that is older than a whole reading of the same that was taken in teaches nothing."""
    kept = []
    for file in job.report.files:
        table = TABLES.get(file.which)
        newer = await ledger.newer_whole_reads(
            job.database, job.institution.id, table or "", job.as_of
        )
        if file.which is RosterFile.ENROLLMENTS:
            courses = sorted(scope_id for kind, scope_id in newer if kind == "course")
            job.newer_courses = np.array(courses, dtype=np.int64)
        if ("institution", 0) in newer:
            job.note(
                file.which,
                "left out: a newer reading of the whole institution is in the store already",
            )
        else:
            kept.append(file)
    job.report = replace(job.report, files=tuple(kept))


async def _run(job: Job, fingerprint: str) -> Summary:
    job.first_loads = await closing.never_filled(job)
    if job.durable:
        await job.database.transact(
            lambda tx: runs.read_began(tx, job.institution.id, job.run_id, job.as_of)
        )
    else:
        job.run_id = await job.database.transact(
            lambda tx: runs.begin(
                tx,
                job.institution.id,
                source=job.source,
                scope=job.scope,
                label=job.report.name,
                fingerprint=fingerprint,
                read_began_at=job.as_of,
                now=job.clock(),
            )
        )
    try:
        spoken = await _write(job)
        await statistics.refresh(job.database, closing.much_written(job))
        return await closing.close(job, spoken)
    except asyncio.CancelledError:
        if job.durable:
            raise  # it goes on, or whoever called it off has closed the run
        await closing.fail(job, SyncRunState.CANCELLED, "cancelled")
        raise
    except Exception as error:
        await closing.fail(job, SyncRunState.FAILED, f"{type(error).__name__}: {error}")
        raise


async def _write(job: Job) -> Spoken | None:
    """Everything that was staged, what is referred to first; then what is absent, where enrollments were told."""
    writer = Writer(job)
    present = {file.which for file in job.report.files}
    for which, checked in job.checked.items():
        job.count(which, closing.read_counts(checked))
    if RosterFile.ACCOUNTS in present:
        await writing.write_accounts(writer)
    steps: list[tuple[RosterFile, writing.Step]] = [
        (RosterFile.TERMS, writing.write_terms),
        (RosterFile.COURSES, writing.write_courses),
        (RosterFile.SECTIONS, writing.write_sections),
    ]
    if RosterFile.SECTIONS not in present:
        steps.append((RosterFile.XLIST, writing.write_cross_listings))
    for which, step in steps:
        if which in present:
            await writer.records(which, step)
    if RosterFile.USERS in present:
        await _write_users(writer)
    if RosterFile.ENROLLMENTS not in present:
        return None
    await writing.write_enrollments(writer)
    return await judge_absent(writer)


async def _write_users(writer: Writer) -> None:
    which = RosterFile.USERS
    merged = await write_users(writer.job, lambda rows: writer.advanced(which, rows))
    writer.job.count(which, writing.counts_of(merged))
    writer.references.forget("person")


def _fingerprint(path: Path) -> str:
    digest = xxhash.xxh3_128()
    with path.open("rb") as stream:
        while data := stream.read(1024 * 1024):
            digest.update(data)
    return digest.hexdigest()
