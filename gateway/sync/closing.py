"""The end of a run, in one transaction: what it covered, what it set aside, the feed's baseline, and the closing marker."""

from dataclasses import replace

from gateway.changes import SubjectType
from gateway.store import absences, ledger, merging, runs
from gateway.store.ledger import Cover
from gateway.store.runs import Tally
from gateway.sync.absent import Spoken
from gateway.sync.checking import TABLES
from gateway.sync.job import Checked, Job
from gateway.sync.report_columns import RosterFile
from gateway.sync.summary import Counts, Summary
from gateway.uow import Transaction
from models.roster import ChangeKind, FieldGroup, SyncRunState

# By any of these columns a file carries a group of fields.
_CARRIED_BY = {
    RosterFile.USERS: {
        FieldGroup.NAME: frozenset({"name", "sortable_name", "given_name", "family_name"}),
        FieldGroup.LOGIN: frozenset({"login_id"}),
        FieldGroup.CONTACT: frozenset({"email"}),
    },
    RosterFile.ENROLLMENTS: {FieldGroup.STANDING: frozenset({"state"})},
}
_MUCH = 0.1


def read_counts(checked: Checked) -> Counts:
    return Counts(rows=checked.rows, unchanged=checked.unchanged)


async def never_filled(job: Job) -> frozenset[str]:
    """Tables that no report has filled for this institution yet."""
    rows = await job.database.rows(
        "select distinct subject from coverage where institution_id = $1 and authority = 'report'",
        job.institution.id,
    )
    return frozenset(TABLES.values()) - {row["subject"] for row in rows}


async def close(job: Job, spoken: Spoken | None) -> Summary:
    summary = _summary(job)

    async def work(tx: Transaction) -> None:
        await merging.lock(tx, job.institution.id)
        await _record_covers(tx, job, spoken)
        await runs.set_aside(
            tx,
            job.institution.id,
            job.run_id,
            [(row.file, row.line, row.reason) for row in summary.set_aside],
        )
        if job.first_loads & {TABLES[which] for which in job.checked if which in TABLES}:
            await _tell_baseline(tx, job)
        await runs.close(
            tx,
            job.institution.id,
            job.run_id,
            state=summary.state,
            tally=_tally(summary.total),
            message=_message(summary),
            now=job.clock(),
        )

    await job.database.transact(work)
    return summary


async def fail(job: Job, state: SyncRunState, why: str) -> None:
    await job.database.transact(
        lambda tx: runs.close(
            tx,
            job.institution.id,
            job.run_id,
            state=state,
            tally=_tally(_summary(job).total),
            message=why,
            now=job.clock(),
        )
    )


def much_written(job: Job) -> list[str]:
    """Tables of which the run wrote so large a share that what the database believes of their sizes is out of date."""
    written = {
        TABLES[which]
        for which, file in job.summaries.items()
        if which in TABLES and file.counts.written > file.counts.rows * _MUCH
    }
    return sorted(written | ({"identity"} if "person" in written else set()))


def _summary(job: Job) -> Summary:
    for which in job.checked:
        aside = job.set_aside.counts.get(job.name(which), 0)
        known = job.summaries[which]
        job.summaries[which] = replace(known, counts=replace(known.counts, set_aside=aside))
    files = tuple(job.summaries[which] for which in RosterFile if which in job.summaries)
    held = sum(file.counts.held for file in files)
    skipped = tuple(f"{file} was passed over: it {why}" for file, why in job.report.skipped)
    return Summary(
        run_id=job.run_id,
        state=SyncRunState.HELD if held else SyncRunState.SUCCEEDED,
        report=job.kind.value,
        as_of=job.as_of,
        as_of_from=job.report.written_at_from,
        files=files,
        set_aside=tuple(job.set_aside.kept),
        notes=(*skipped, *job.notes),
    )


def _tally(counts: Counts) -> Tally:
    numbers = vars(counts) | {"rows_read": counts.rows}
    return Tally(**{name: numbers[name] for name in Tally.__dataclass_fields__})


def _message(summary: Summary) -> str | None:
    notes = [f"{file.file}: {note}" for file in summary.files for note in file.notes]
    return "\n".join([*summary.notes, *notes]) or None


async def _record_covers(tx: Transaction, job: Job, spoken: Spoken | None) -> None:
    """The scope was read wholly where the report speaks of all that it could; else each course that it speaks of was."""
    covers = [
        _cover(
            job, which, checked, whole=which is not RosterFile.ENROLLMENTS or _everything(spoken)
        )
        for which, checked in job.checked.items()
        if which in TABLES and which is not RosterFile.XLIST
    ]
    if spoken is not None and not spoken.every_course:
        of_all = next(cover for cover in covers if cover.subject == TABLES[RosterFile.ENROLLMENTS])
        await ledger.forget_courses(tx, job.institution.id, of_all, spoken.courses.tolist())
        covers += [
            replace(of_all, scope_kind="course", scope_id=course, whole=job.by_canvas_id, rows=None)
            for course in spoken.courses.tolist()
        ]
    await ledger.record(tx, job.institution.id, job.run_id, covers)


def _everything(spoken: Spoken | None) -> bool:
    return spoken is not None and spoken.every_course


def _cover(job: Job, which: RosterFile, checked: Checked, *, whole: bool) -> Cover:
    states = absences.SHOWN_STATES if job.by_canvas_id else absences.SHOWN_STATES_IN_SIS_EXPORT
    return Cover(
        scope_kind=job.scope[0],
        scope_id=job.scope[1],
        subject=TABLES[which],
        source=job.source,
        authority="report",
        groups=_groups(job, which),
        states=frozenset(states) if which is RosterFile.ENROLLMENTS else frozenset(),
        began_at=job.as_of,
        ended_at=job.as_of,
        whole=whole and job.by_canvas_id,  # a SIS export leaves out whatever has no SIS id
        rows=checked.rows,
    )


def _groups(job: Job, which: RosterFile) -> frozenset[FieldGroup]:
    """What the file has columns for; somebody may have taken some out before sending it."""
    file = job.report.file(which)
    carried = frozenset[str]() if file is None else file.carries
    return frozenset(
        group for group, columns in _CARRIED_BY.get(which, {}).items() if columns & carried
    )


async def _tell_baseline(tx: Transaction, job: Job) -> None:
    """One entry for a first load, in the place of one for each row: take a snapshot here, and follow."""
    position = await merging.take_positions(tx, job.institution.id, 1)
    await tx.run(
        "insert into change (institution_id, position, at, kind, subject_type, subject_id, source, sync_run_id)"
        " values ($1, $2, $3, $4, $5, $8, $6, $7)",
        job.institution.id,
        position,
        job.clock(),
        ChangeKind.BASELINE.value,
        SubjectType.INSTITUTION.value,
        job.source.value,
        job.run_id,
        job.institution.id,
    )
