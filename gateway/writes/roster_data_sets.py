"""The SIS file of a change where a school asks for diffing: compared with Canvas first, and remembered for the next one."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gateway.canvas.sis_files import Line, cells, csv_of, rows_of
from gateway.canvas.sis_imports import DataSet, Import, SisImports
from gateway.roster_change import Key, Present
from gateway.store import roster_ground, sis_data_sets
from gateway.store.roster_changes import ChangeRow
from gateway.store.sis_data_sets import Sent
from gateway.uow import Transaction, Work
from gateway.writes import roster_orders
from gateway.writes.roster_book import Book
from gateway.writes.sis_differences import DataFile, Ground, Row, data_file, identity
from models.roster import EnrollmentState, SisSending

_BUSY = "another change of the same enrollments is being imported"
_OTHERS = "Canvas has imported a file of it that is not known here"
_COLUMNS = "it was written by another version of the gateway"


@dataclass(frozen=True, kw_only=True)
class ToSend:
    """`lines`: where each row (by place) begins; `because`: why it does not go as a difference, where it might."""

    content: bytes
    lines: Mapping[int, int]
    sent_as: SisSending = SisSending.ROWS
    because: str | None = None
    data_set: DataSet | None = None
    differing: tuple[int, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class Imported:
    """What came of it. `differing`: the lines that Canvas applied, in its order; None: all of them."""

    differing: tuple[int, ...] | None = None
    because: str | None = None
    note: Work[None] | None = None

    def line(self, number: int | None) -> int | None:
        """Of our file, where Canvas speaks of row `number` of what it applied."""
        if self.differing is None or number is None:
            return number
        place = number - 2
        return self.differing[place] if 0 <= place < len(self.differing) else None


@dataclass(frozen=True, kw_only=True)
class DataSets:
    """Of one change. `drop`: what becomes of people who are gone, as the school wishes it."""

    book: Book
    imports: SisImports
    drop: EnrollmentState

    async def file(self, rows: Sequence[ChangeRow]) -> ToSend:
        scope = self.book.change.data_set
        if scope is None:
            return await self._row_by_row(rows, None)
        mine = await self._claimed(scope)
        if mine is None:
            return await self._row_by_row(rows, _BUSY)
        before, why_none = await self._before(scope)
        staying = [row for row in await self.book.staying() if row.by_file]
        shown = await self.book.read_whole({row.step.course for row in (*rows, *staying)})
        found = await self._compared(rows, staying, shown, before, why_none)
        whole = found.why_whole is not None
        return ToSend(
            content=csv_of(found.rows),
            lines=_lines(rows),
            sent_as=SisSending.WHOLE if whole else SisSending.DIFFERENCE,
            because=found.why_whole,
            data_set=DataSet(
                identifier=mine.identifier,
                dropped=self.drop,
                whole=whole,
                rows=len(found.differing),
                percent=found.growth,
            ),
            differing=None if whole else found.differing,
        )

    def written_down(self, file: ToSend) -> Work[None] | None:
        """Before it is sent."""
        if file.data_set is None:
            return None
        book, content = self.book, file.content.decode()

        async def work(tx: Transaction) -> None:
            await sis_data_sets.write_down(
                tx, book.institution_id, book.change.id, content, file.differing
            )

        return work

    async def imported(self, ended: Import) -> Imported:
        """What Canvas compares the next file with is known only where it did with this one as it should."""
        book, scope = self.book, self.book.change.data_set
        mine = await sis_data_sets.of_change(book.database, book.institution_id, book.change.id)
        if mine is None or scope is None:
            return Imported()
        because = await self._unlike(ended, mine, scope)

        async def note(tx: Transaction) -> None:
            if because is not None:
                await sis_data_sets.forget(tx, book.institution_id, scope)
            elif ended.succeeded:
                await sis_data_sets.keep(
                    tx, book.institution_id, scope, book.change.id, ended.id, ended.created_at
                )
            else:
                await sis_data_sets.give_up(tx, book.institution_id, book.change.id)

        differing = None if ended.exceeded else mine.differing
        return Imported(differing=differing, because=because, note=note)

    async def not_sent(self, tx: Transaction) -> None:
        """Canvas refused it."""
        await sis_data_sets.give_up(tx, self.book.institution_id, self.book.change.id)

    async def _unlike(self, ended: Import, mine: Sent, scope: str) -> str | None:
        """In what Canvas did otherwise than was asked."""
        if ended.exceeded:
            return "Canvas found more that differs than there should be, compared nothing and applied all of it"
        last = await sis_data_sets.imported(self.book.database, self.book.institution_id, scope)
        known = (None, None if last is None else last.import_id)
        if mine.differing is not None and ended.compared_with not in known:
            return "Canvas compared it with an import that is not known here"
        return None

    async def _claimed(self, scope: str) -> Sent | None:
        book = self.book

        async def work(tx: Transaction) -> bool:
            return await sis_data_sets.claim(
                tx,
                book.institution_id,
                scope,
                book.change.id,
                new_identifier=f"roster-gateway-{secrets.token_hex(8)}",
            )

        if not await book.database.transact(work):
            return None
        return await sis_data_sets.of_change(book.database, book.institution_id, book.change.id)

    async def _before(self, scope: str) -> tuple[list[Row] | None, str | None]:
        """The rows that Canvas would compare with; else why they are not known, where there were any."""
        book = self.book
        last = await sis_data_sets.imported(book.database, book.institution_id, scope)
        if last is None or last.imported_at is None:
            return None, None
        newest = await self.imports.newest(book.looking, last.identifier, since=last.imported_at)
        if newest != last.import_id:
            return None, _OTHERS
        rows = rows_of(last.file)
        return rows, None if rows is not None else _COLUMNS

    async def _compared(
        self,
        rows: Sequence[ChangeRow],
        staying: Sequence[ChangeRow],
        shown: Sequence[Present],
        before: list[Row] | None,
        why_none: str | None,
    ) -> DataFile:
        book = self.book
        people = {one.key.person for one in shown} | {row.step.key.person for row in rows}
        people |= {one.key.associated for one in shown if one.key.associated is not None}
        people |= {row.step.key.associated for row in rows if row.step.key.associated is not None}
        sections = {one.key.section for one in shown} | {row.step.key.section for row in rows}
        names = await roster_ground.names(
            book.database,
            book.institution_id,
            people=people,
            sections=sections,
            courses={row.step.course for row in (*rows, *staying)},
        )
        said: dict[Key, Row] = {}
        for one in shown:
            line = roster_orders.standing_line(one, names)
            if line is not None:
                said[one.key] = _cells(line)
        by_key = {one.key: one for one in shown}
        ground = Ground(
            before=before,
            shown={identity(row): row for row in said.values()},
            protected={identity(said[one.key]) for one in shown if one.pinned and one.key in said},
        )
        return data_file(
            [_cells(line) for row in rows for line in roster_orders.lines(row.step, names)],
            [
                said[row.step.key]
                for row in staying
                if row.step.key in said
                and all(
                    part.is_done(by_key[row.step.key]) for part in roster_orders.parts(row.step)
                )
            ],
            ground if why_none is None else replace(ground, why_none=why_none),
        )

    async def _row_by_row(self, rows: Sequence[ChangeRow], because: str | None) -> ToSend:
        names = await self.book.names(rows)
        found = [line for row in rows for line in roster_orders.lines(row.step, names)]
        return ToSend(content=csv_of(map(cells, found)), lines=_lines(rows), because=because)


def _lines(rows: Sequence[ChangeRow]) -> dict[int, int]:
    """What changes comes first; the header is line 1."""
    places, line = {}, 2
    for row in rows:
        places[row.place] = line
        line += len(roster_orders.parts(row.step))
    return places


def _cells(line: Line) -> Row:
    """With its limit said, as Canvas shows it: one that was never told is none."""
    return cells(replace(line, limited=bool(line.limited)))
