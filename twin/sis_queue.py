"""SIS imports over the clock: one at a time, row by row (fact sheet sis-imports.md §3).

The rows of an import are applied as their time comes, so that one which is aborted half-way has
left its first half in the school.
"""

import io
import traceback
from asyncio import sleep
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count, islice

from twin import causes
from twin.causes import JobCause
from twin.files import Attachment, Attachments
from twin.report_csv import line
from twin.school import Change, School
from twin.sis_batch import Importing, SisBatch, SisOptions
from twin.sis_batch_mode import CleanupFailed, removals, remove
from twin.sis_data_sets import compare
from twin.sis_files import SisFile, UnusableUpload, Upload, unpack
from twin.sis_rows import HANDLERS, apply_rows

FIRST_ID = 812
AT_ONCE = 50  # rows that are done inside one job
SHORTEST = timedelta(seconds=1)
ERRORS_FILE_AFTER = timedelta(seconds=1)  # a later job writes it
CRASHED = "Error while importing CSV. Please contact support."
SLICE = 200  # rows between two looks at other requests


@dataclass(slots=True)
class Work:
    """What is left to do of the import that runs."""

    batch: SisBatch
    importing: Importing
    upload: Upload
    rows: Iterator[None]
    total: int
    until: datetime
    """When the present phase ends."""
    kinds: list[str]
    done: int = 0


class SisImports:
    """All imports of the root account, oldest first, and the one that runs."""

    def __init__(self, school: School, attachments: Attachments) -> None:
        self._school = school
        self._options = school.options
        self._attachments = attachments
        self._ids = count(FIRST_ID)
        self._freed_at = school.clock.now()
        self._work: Work | None = None
        self.batches: dict[int, SisBatch] = {}
        self.listeners: list[Callable[[Change, SisBatch], None]] = []
        """Told when an import is stored and when its state changes."""

    def add(
        self,
        content: bytes,
        extension: str,
        filename: str,
        options: SisOptions,
        *,
        account_id: int,
        user_id: int,
    ) -> SisBatch:
        """Queue an upload; nothing is compared, so the same file is imported again."""
        now = self._school.clock.now()
        batch = SisBatch(
            id=next(self._ids),
            account_id=account_id,
            user_id=user_id,
            options=options,
            content=content,
            extension=extension,
            filename=filename,
            created_at=now,
            updated_at=now,
        )
        self.batches[batch.id] = batch
        self._tell("created", batch)
        return batch

    def abort(self, batch: SisBatch) -> None:
        """End an import; after one that ran, the next waits about ten minutes."""
        now = self._school.clock.now()
        if self._work is not None and self._work.batch is batch:
            self._work = None
            self._freed_at = now + timedelta(seconds=self._options.sis_abort_pause_seconds)
        batch.workflow_state = "aborted"
        self._close(batch, now)

    async def catch_up(self, now: datetime) -> None:
        with causes.because_of(JobCause(causes.SIS_IMPORT)):
            while await self._step(now):
                pass
        for batch in self.batches.values():
            if batch.ended_at and batch.ended_at + ERRORS_FILE_AFTER <= now:
                self._write_errors(batch)

    async def _step(self, now: datetime) -> bool:
        """Do the next thing that is due; False where nothing is."""
        work = self._work
        if work is None:
            return self._begin(now)
        await self._apply(work, now)
        if self._work is not work or work.until > now:
            return False
        if work.batch.workflow_state == "importing":
            self._after_rows(work, work.until)
        else:
            self._end(work.batch, work.until)
        return True

    def _begin(self, now: datetime) -> bool:
        batch = next(
            (each for each in self.batches.values() if each.workflow_state == "created"), None
        )
        if batch is None:
            return False
        ready = batch.created_at + timedelta(seconds=self._options.sis_queue_seconds)
        at = max(ready, self._freed_at)
        if at > now:
            return False
        batch.workflow_state, batch.started_at, batch.updated_at = "importing", at, at
        self._tell("updated", batch)
        try:
            batch.upload = unpack(batch.content, batch.extension, batch.filename)
        except UnusableUpload as error:
            self._crash(batch, error, at, "failed")
            return True
        batch.content = b""
        self._start(batch, self._diffed(batch, batch.upload, at), at)
        return True

    def _start(self, batch: SisBatch, upload: Upload, at: datetime) -> None:
        batch.csv_attachments = [
            self._keep(batch, file, at) for file in (batch.upload or upload).files
        ]
        batch.data["supplied_batches"] = (batch.upload or upload).kinds
        total = sum(len(file.rows) for file in upload.files)
        batch.data["running_immediately"] = total <= AT_ONCE
        importing = Importing(self._school, batch)
        length = timedelta(seconds=total / self._options.sis_rows_per_second)
        # Without a difference it is done at once.
        until = at + max(length, SHORTEST) if total else at
        rows = apply_rows(importing, upload)
        kinds = (batch.upload or upload).kinds
        self._work = Work(batch, importing, upload, rows, total, until, kinds)

    def _diffed(self, batch: SisBatch, upload: Upload, at: datetime) -> Upload:
        earlier = [each for each in self.batches.values() if each.id < batch.id]
        result = compare(batch, upload, earlier)
        if result is None:
            return upload
        if not result.exceeded:
            files = result.upload.files
            batch.diffed_csv_attachments = [self._keep(batch, file, at) for file in files]
        return result.upload

    async def _apply(self, work: Work, now: datetime) -> None:
        """Apply the rows that are due by now; a small import does all of its own at once."""
        batch = work.batch
        if batch.workflow_state != "importing" or batch.started_at is None:
            self._show_cleanup(work, now)
            return
        seconds = (now - batch.started_at).total_seconds()
        due = min(work.total, int(seconds * self._options.sis_rows_per_second))
        if work.total <= AT_ONCE or work.until <= now:
            due = work.total
        while work.done < due and self._work is work:
            step = min(SLICE, due - work.done)
            self._school.listeners.append(work.importing.listen)
            try:
                for _ in islice(work.rows, step):
                    pass
            finally:
                self._school.listeners.remove(work.importing.listen)
            work.done += step
            batch.progress = work.done * 100 // max(work.total, 1)
            batch.updated_at = now
            await sleep(0)

    def _show_cleanup(self, work: Work, now: datetime) -> None:
        left = (work.until - now) / SHORTEST
        work.batch.progress = max(0, min(100, int((1 - left) * 100)))

    def _after_rows(self, work: Work, at: datetime) -> None:
        batch = work.batch
        for file in (batch.upload or work.upload).files:
            if file.problem:
                batch.fail(file.name, file.problem)
            elif file.kind not in HANDLERS:
                batch.fail(file.name, f"{CRASHED} (Error report {batch.id})")
        for name in work.upload.unknown:
            batch.warn(name, "Skipping unknown file type")
        failed = any(error.failure for error in batch.errors)
        if not batch.options.batch_mode or failed:
            self._end(batch, at)
            return
        batch.workflow_state, batch.progress, batch.cleaning = "cleanup_batch", 0, True
        self._tell("updated", batch)
        work.until = at + SHORTEST
        self._clean(work, at)

    def _clean(self, work: Work, at: datetime) -> None:
        batch = work.batch
        self._school.listeners.append(work.importing.listen)
        try:
            with causes.because_of(JobCause(causes.SIS_IMPORT, in_bulk=True)):
                for removal in removals(self._school, batch, work.kinds):
                    remove(self._school, batch, removal)
        except CleanupFailed as failure:
            batch.fail("", str(failure))
            batch.workflow_state = "aborted"
            self._close(batch, at)
        except ValueError as error:
            self._crash(batch, error, at, "failed_with_messages")
        finally:
            self._school.listeners.remove(work.importing.listen)

    def _crash(self, batch: SisBatch, error: Exception, at: datetime, state: str) -> None:
        batch.data["error_message"] = str(error)
        batch.data["stack_trace"] = "".join(traceback.format_tb(error.__traceback__))
        batch.workflow_state = state
        self._close(batch, at)

    def _end(self, batch: SisBatch, at: datetime) -> None:
        if any(error.failure for error in batch.errors):
            batch.workflow_state = "failed_with_messages"
        else:
            batch.workflow_state = "imported_with_messages" if batch.errors else "imported"
        batch.progress = 100
        self._close(batch, at)

    def _close(self, batch: SisBatch, at: datetime) -> None:
        if self._work is not None and self._work.batch is batch:
            self._work = None
        batch.ended_at = batch.updated_at = at
        if not batch.is_base:
            batch.upload = None
        self._freed_at = max(self._freed_at, at)
        self._tell("updated", batch)

    def _tell(self, change: Change, batch: SisBatch) -> None:
        for listener in self.listeners:
            listener(change, batch)

    def _keep(self, batch: SisBatch, file: SisFile, at: datetime) -> Attachment:
        path = self._attachments.new_path()
        path.write_text(file.text, encoding="utf-8")
        return self._attachments.add(path, file.name, "text/csv", batch.account_id, at)

    def _write_errors(self, batch: SisBatch) -> None:
        if batch.errors_attachment is not None or not batch.errors:
            return
        assert batch.ended_at is not None  # noqa: S101  asked by the caller
        out = io.StringIO()
        out.write("sis_import_id,file,message,row\n")
        for error in batch.errors:
            out.write(line([batch.id, error.file, error.message, error.row]))
        path = self._attachments.new_path()
        path.write_text(out.getvalue(), encoding="utf-8")
        at = batch.ended_at + ERRORS_FILE_AFTER
        name = f"sis_errors_attachment_{batch.id}.csv"
        batch.errors_attachment = self._attachments.add(
            path, name, "text/csv", batch.account_id, at
        )
