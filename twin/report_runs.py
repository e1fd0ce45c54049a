"""Runs of the roster reports over the clock (fact sheet reports.md §2 and §2.1).

A run waits, then reads one file after the other, each when its turn comes, then has its attachment.
"""

import codecs
import random
import zipfile
from asyncio import sleep
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import IO, Any

from twin.faults import Fault, Kind
from twin.files import Attachment, Attachments
from twin.report_csv import SIS_EXPORT, TAG_FILES, Cell, columns, line
from twin.report_extract import Extract, Wanted
from twin.report_people import PEOPLE
from twin.report_places import PLACES
from twin.school import School

FIRST_ID = 4711
CHUNK = 1000  # lines between two looks at whether the run is still wanted
FAILED = "Failed, the report failed to generate a file. Please try again."
ROWS = PLACES | PEOPLE


@dataclass(slots=True, kw_only=True)
class ReportRun:
    id: int
    account_id: int
    user_id: int
    wanted: Wanted
    files: list[str]
    parameters: dict[str, Any]
    extra_text: str
    created_at: datetime
    faults: dict[Kind, Fault]
    doomed: bool = False
    """Nothing to write, or a term that is none: found out only while it runs."""
    status: str = "created"
    started_at: datetime | None = None
    ended_at: datetime | None = None
    attachment: Attachment | None = None
    next_at: datetime | None = None
    """When the next file is read, or the run ends; None while it waits, and for ever if stuck."""
    file_at: datetime | None = None
    lines: int = 0
    written: int = 0
    output: "ReportFile | None" = None
    writing: bool = False

    @property
    def report(self) -> str:
        return self.wanted.report

    @property
    def finished(self) -> bool:
        return self.status not in {"created", "running"}


class ReportFile:
    """A bare CSV, or a zip with a member for each file, written as the rows come."""

    def __init__(self, path: Path, *, zipped: bool) -> None:
        self.path = path
        self.zipped = zipped

    @contextmanager
    def member(self, name: str) -> Iterator[IO[bytes]]:
        """Open for one file only: nothing stays open between two files, or when the twin stops."""
        if not self.zipped:
            with self.path.open("wb") as stream:
                yield stream
            return
        with (
            zipfile.ZipFile(self.path, "a", zipfile.ZIP_DEFLATED) as archive,
            archive.open(name, "w", force_zip64=True) as member,
        ):
            yield member


class Reports:
    """All runs, and the queue they wait in: one for the whole root account."""

    def __init__(self, school: School, attachments: Attachments) -> None:
        self._school = school
        self._options = school.options
        self._attachments = attachments
        self._ids = count(FIRST_ID)
        self._freed_at = datetime.min.replace(tzinfo=school.clock.now().tzinfo)
        self.runs: dict[int, ReportRun] = {}

    def start(
        self,
        wanted: Wanted,
        files: list[str],
        parameters: dict[str, Any],
        *,
        account_id: int,
        user_id: int,
        extra_text: str,
        doomed: bool,
        faults: list[Fault],
    ) -> ReportRun:
        """Queue a run; an identical one that waits already is neither refused nor joined."""
        run = ReportRun(
            id=next(self._ids),
            account_id=account_id,
            user_id=user_id,
            wanted=wanted,
            files=files,
            parameters=parameters,
            extra_text=extra_text,
            created_at=self._school.clock.now(),
            doomed=doomed or not files,
            faults={fault.kind: fault for fault in faults},
        )
        self.runs[run.id] = run
        return run

    def of(self, account_id: int, report: str) -> list[ReportRun]:
        """List the runs of one type on one account, newest first."""
        return [
            run
            for run in reversed(self.runs.values())
            if (run.account_id, run.report) == (account_id, report) and run.status != "deleted"
        ]

    def stop(self, run: ReportRun, status: str) -> None:
        now = self._school.clock.now()
        if run.status == "running":
            self._end(run, status, now)
        else:
            run.status = status

    async def catch_up(self, now: datetime) -> None:
        while (due := self._next_due()) is not None and due[0] <= now:
            at, run = due
            await self._step(run, at)

    def _next_due(self) -> tuple[datetime, ReportRun] | None:
        running = [run for run in self.runs.values() if run.status == "running"]
        times = [(run.next_at, run) for run in running if run.next_at is not None]
        queued = next((run for run in self.runs.values() if run.status == "created"), None)
        if queued is not None and len(running) < self._options.report_slots:
            ready = queued.created_at + timedelta(seconds=self._options.report_queue_seconds)
            times.append((max(ready, self._freed_at), queued))
        return min(times, key=lambda due: due[0], default=None)

    async def _step(self, run: ReportRun, at: datetime) -> None:
        if run.status == "created":
            run.status, run.started_at = "running", at
            run.next_at = None if Kind.REPORT_STUCK in run.faults else at
        elif run.doomed or Kind.REPORT_ERROR in run.faults:
            run.extra_text = FAILED
            self._end(run, "error", at)
        elif run.written < len(run.files):
            await self._write(run, run.files[run.written], at)
        else:
            self._finish(run, at)

    async def _write(self, run: ReportRun, file: str, at: datetime) -> None:
        if run.output is None:
            zipped = len(run.files) > 1 or Kind.REPORT_ZIP_BOMB in run.faults
            run.output = ReportFile(self._attachments.new_path(), zipped=zipped)
        run.file_at, run.lines, run.writing = at, 0, True
        with run.output.member(f"{file}.csv") as stream:
            for chunk, lines in self._chunks(run, file, at):
                stream.write(chunk)
                run.lines += lines
                await sleep(0)
                if run.finished:  # deleted or aborted meanwhile
                    break
        run.writing = False
        run.lines -= 1  # the header
        if run.finished:
            _discard(run)
            return
        run.written += 1
        run.next_at = at + timedelta(
            seconds=max(run.lines, 1) / self._options.report_rows_per_second
        )

    def _chunks(self, run: ReportRun, file: str, at: datetime) -> Iterator[tuple[bytes, int]]:
        fault = run.faults.get(Kind.REPORT_ENCODING)
        encoder = codecs.getincrementalencoder(fault.encoding if fault else "utf-8")("replace")
        text, lines = [], 0
        for each in self._lines(run, file, at):
            text.append(each)
            lines += 1
            if lines == CHUNK:
                yield encoder.encode("".join(text)), lines
                text, lines = [], 0
        yield encoder.encode("".join(text), final=True), lines
        if bomb := run.faults.get(Kind.REPORT_ZIP_BOMB):
            block = b"0" * (1 << 20)
            for _ in range(bomb.size // len(block)):
                yield block, 1

    def _lines(self, run: ReportRun, file: str, at: datetime) -> Iterator[str]:
        if file in TAG_FILES:
            yield "\n"  # without the feature: one blank line and no header
            return
        header = columns(run.report, file, self.extra_columns)
        order = list(range(len(header)))
        if Kind.REPORT_SHUFFLED in run.faults:
            random.Random(run.id).shuffle(order)  # noqa: S311  a test order, no secret
        yield line([header[index] for index in order] + self._stray_header(run, file))
        account = self._school.accounts[run.account_id]
        extract = Extract(self._school, account, run.wanted, at)
        for cells in ROWS[file](extract) if file in ROWS else ():
            row: list[Cell] = [cells.get(header[index]) for index in order]
            yield line(row)

    @property
    def extra_columns(self) -> frozenset[str]:
        options = self._options
        switches = {
            "pronouns": options.export_pronouns,
            "uuid": options.newest_exporter,
            "root_account": options.consortium,
            "canvas_temporary_enrollment_source_user_id": options.temporary_enrollments,
            "temporary_enrollment_source_user_id": options.temporary_enrollments,
        }
        return frozenset(name for name, on in switches.items() if on)

    def _stray_header(self, run: ReportRun, file: str) -> list[Cell]:
        """One generation wrote more header cells than row cells (reports.md §4.1)."""
        stray = self._options.temporary_enrollments and self._options.stray_report_header
        if stray and run.report == SIS_EXPORT and file == "enrollments":
            return ["temporary_enrollment_pairing_id"]
        return []

    def _finish(self, run: ReportRun, at: datetime) -> None:
        output = run.output
        assert output is not None  # noqa: S101  a run without a file never gets here
        if Kind.REPORT_TRUNCATED in run.faults:
            with output.path.open("rb+") as stream:
                stream.truncate(output.path.stat().st_size // 2)
        date = (run.started_at or at).strftime("%d_%b_%Y")
        name = f"{run.report}_{date}_{run.id}"
        if output.zipped:
            name, kind = f"{name}.zip", "application/zip"
        else:
            suffix = f"{at:%Y%m%d}-31-{random.Random(run.id).randrange(16**6):06x}"  # noqa: S311  a name
            name, kind = f"{name}_{suffix}.csv", "text/csv"
        run.attachment = self._attachments.add(output.path, name, kind, run.account_id, at)
        self._end(run, "complete", at)

    def _end(self, run: ReportRun, status: str, at: datetime) -> None:
        run.status, run.ended_at, run.next_at = status, at, None
        self._freed_at = max(self._freed_at, at)
        if run.attachment is None and not run.writing:
            _discard(run)


def _discard(run: ReportRun) -> None:
    """Throw away what an unfinished run has written."""
    if run.output is not None:
        run.output.path.unlink()
        run.output = None
