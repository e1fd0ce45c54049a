"""The rows of a change that go as one SIS file: sent once, waited for, and each message brought to its row."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from gateway.canvas import enrollment_writes
from gateway.canvas.sis_files import HEADER, rows_of
from gateway.canvas.sis_imports import Import, SisImports, fix
from gateway.errors import SourceError, WriteRefused
from gateway.prices import Endpoint, PriceBook
from gateway.store.roster_changes import ChangeRow, Progress, Status
from gateway.writes import roster_orders
from gateway.writes.roster_book import PASSING, Book
from gateway.writes.roster_data_sets import DataSets, Imported, ToSend

_SKEW = timedelta(minutes=10)  # between our clock and Canvas's, at most
_LONGEST = timedelta(hours=2)  # then it is asked anew, and at last a person is
_AT_ONCE = 50  # rows that Canvas imports in one go (canvas-lms: app/models/sis_batch.rb)


@dataclass(frozen=True, kw_only=True)
class SisFile:
    book: Book
    imports: SisImports
    data_sets: DataSets
    prices: PriceBook

    async def carry_out(self) -> None:
        """SourceError where it is not known what became of the file; it is looked for the next time."""
        book = self.book
        rows = [row for row in await book.rows((Status.WAITING, Status.SENDING)) if row.by_file]
        if not rows or book.change.import_state is not None:
            return
        if book.change.import_id is None:
            await book.obey()
            try:
                sent = await self._sent(rows)
            except WriteRefused as refused:
                await self._refuse(rows, str(refused))
                return
            await book.write(columns={"import_id": sent.id})
        else:
            sent = await self.imports.show(book.call, book.change.import_id)
        before = self._spent
        ended = await self._ended(sent)
        imported = await self.data_sets.imported(ended)
        self._teach_import(ended, imported, rows)
        await self._note_messages(ended, imported)
        self._teach(Endpoint.LOOKUP, before)

    @property
    def _name(self) -> str:
        return f"roster-change-{self.book.institution_id}-{self.book.change.id}.csv"

    async def _sent(self, rows: Sequence[ChangeRow]) -> Import:
        """Sent now, unless it was before a crash."""
        book, call = self.book, self.book.call
        if book.change.file_sent_at is not None:
            since = book.change.file_sent_at - _SKEW
            if found := await self.imports.sent(call, self._name, since=since):
                return found
        file = await self.data_sets.file(rows)
        began = book.clock()
        columns = {"file_sent_at": began, "sent_as": file.sent_as, "sent_because": file.because}
        await book.write(
            columns=columns,
            lines=file.lines,
            also=[
                self.data_sets.written_down(file),
                book.telling(_told(self._name, rows, file), began),
            ],
        )
        before = self._spent
        try:
            sent = await self.imports.send(call, self._name, file.content, file.data_set)
        except SourceError as error:
            refused = enrollment_writes.refusal(error)
            if refused is not None and refused.code not in PASSING:
                raise refused from error
            found = await self.imports.sent(call, self._name, since=began - _SKEW)
            if found is None:
                raise
            return found
        self._teach(Endpoint.SIS_UPLOAD, before)
        return sent

    async def _refuse(self, rows: Sequence[ChangeRow], message: str) -> None:
        failed = [Progress(place=row.place, status=Status.FAILED, message=message) for row in rows]
        answers = {row.place: {"error": message} for row in rows}
        await self.book.write(
            failed,
            columns={"import_state": "refused"},
            also=[self.data_sets.not_sent, self.book.answered(answers)],
        )

    async def _ended(self, sent: Import) -> Import:
        book, aborted = self.book, False

        async def look() -> None:
            nonlocal aborted
            if not aborted and await book.is_cancelled():
                aborted = True
                await self.imports.abort(book.call, sent.id)

        if sent.ended:
            return sent
        return await self.imports.ended(book.call, sent.id, within=_LONGEST, meanwhile=look)

    @property
    def _spent(self) -> tuple[int, float]:
        return self.book.call.meter.requests, self.book.call.meter.quota

    def _teach(self, endpoint: Endpoint, before: tuple[int, float]) -> None:
        """What calls cost since `before`; how long they take is another matter."""
        requests, quota = self._spent
        known = self.prices.expected(endpoint)
        calls = requests - before[0]
        self.prices.teach(
            endpoint, quota=quota - before[1], seconds=known.seconds * calls, calls=calls
        )

    def _teach_import(self, ended: Import, imported: Imported, rows: Sequence[ChangeRow]) -> None:
        """By Canvas's own clock: we look only now and then."""
        if ended.ended_at is None or not ended.succeeded:
            return
        seconds = (ended.ended_at - ended.created_at).total_seconds()
        lines = sum(len(roster_orders.parts(row.step)) for row in rows)
        if imported.differing is not None:
            lines = len(imported.differing)
        small = self.prices.expected(Endpoint.SIS_UPLOAD)
        if lines <= _AT_ONCE:
            self.prices.teach(Endpoint.SIS_UPLOAD, quota=small.quota, seconds=seconds)
        else:
            longer = max(0.0, seconds - small.seconds)
            self.prices.teach(Endpoint.SIS_ROW, quota=0.0, seconds=longer, calls=lines)

    async def _note_messages(self, ended: Import, imported: Imported) -> None:
        """A row with a message may have been applied all the same, and one without may not: reading back tells."""
        book = self.book
        rows = [row for row in await book.rows((Status.WAITING, Status.SENDING)) if row.by_file]
        row_of = {
            line: row.place
            for row in rows
            if row.line is not None
            for line in range(row.line, row.line + len(roster_orders.parts(row.step)))
        }
        said: dict[int, str] = {}
        for message in await self.imports.messages(book.call, ended.id):
            line = imported.line(message.row)
            if line in row_of:
                said.setdefault(row_of[line], message.text)
        whole = None
        if not ended.succeeded:
            why = "; ".join(ended.says) or "no reason given"
            whole = f"the SIS import ended as {ended.state}: {why}"
        columns = {"import_state": ended.state}
        if imported.because is not None:
            columns["sent_because"] = imported.because
        await book.write(
            [
                Progress(
                    place=row.place,
                    status=Status.SENT,
                    message=said.get(row.place, whole),
                    advice=fix(said.get(row.place, whole or "")),
                )
                for row in rows
            ],
            columns=columns,
            also=[
                imported.note,
                book.answered({row.place: _answer(ended, said.get(row.place)) for row in rows}),
            ],
        )


def _told(name: str, rows: Sequence[ChangeRow], file: ToSend) -> dict[int, object]:
    """The lines of each row, by its place."""
    cells = rows_of(file.content.decode()) or []
    found: dict[int, object] = {}
    for row in rows:
        line = file.lines[row.place]
        own = cells[line - 2 : line - 2 + len(roster_orders.parts(row.step))]
        found[row.place] = {
            "file": name,
            "line": line,
            "rows": [dict(zip(HEADER, one, strict=True)) for one in own],
        }
    return found


def _answer(ended: Import, message: str | None) -> dict[str, object]:
    return {"sis_import": ended.id, "workflow_state": ended.state, "message": message}
