"""The rows of a change that go by single calls: told one after the other, and looked up wherever an answer was lost."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.batch import Batch
from gateway.canvas import enrollment_writes, rows
from gateway.change_paths import Names
from gateway.errors import (
    AddressRefused,
    CredentialSpent,
    GrantRefused,
    SourceDown,
    SourceError,
    WriteRefused,
)
from gateway.merge import Reading
from gateway.prices import PriceBook
from gateway.roster_change import Key, Present
from gateway.store.roster_changes import ChangeRow, Progress, Status
from gateway.writes import roster_orders
from gateway.writes.roster_book import PASSING, Book
from gateway.writes.roster_orders import Part
from models.roster import Source

_MOST_TRIES = 3


class _Failed(Exception):
    pass


@dataclass(frozen=True, kw_only=True)
class Calls:
    book: Book
    prices: PriceBook

    async def carry_out(self) -> None:
        """SourceError where Canvas cannot even be asked what became of a call."""
        book = self.book
        todo = [row for row in await book.rows((Status.WAITING, Status.SENDING)) if not row.by_file]
        names = await book.names(todo)
        for row in todo:
            await book.obey()
            await self._tell(row, names)

    async def _tell(self, row: ChangeRow, names: Names) -> None:
        book, now = self.book, None
        if row.status is Status.SENDING:  # before a crash it was told, or nearly
            now = await self._look(row, names)
        elif await book.is_protected(row):
            await self._fail(row, "it was protected from changes of many meanwhile")
            return
        parts = roster_orders.parts(row.step)
        try:
            for part in parts:
                sent = Progress(place=row.place, status=Status.SENT) if part is parts[-1] else None
                await self._make_so(row, part, names, now, sent)
        except _Failed as failed:
            await self._fail(row, str(failed))

    async def _fail(self, row: ChangeRow, message: str) -> None:
        failed = Progress(place=row.place, status=Status.FAILED, message=message)
        await self.book.write([failed])

    async def _make_so(
        self,
        row: ChangeRow,
        part: Part,
        names: Names,
        now: Mapping[Key, Present] | None,
        sent: Progress | None,
    ) -> None:
        """`now`: how it is, where something may have been told already; None where all is as planned."""
        book = self.book
        for tries_left in reversed(range(_MOST_TRIES)):
            if now is not None and part.is_done(now.get(part.key)):
                await book.write([sent] if sent else [])
                return
            if now is not None and part.has_moved(now.get(part.key)):
                raise _Failed("somebody else changed it meanwhile")
            stands = part.before if now is None else now.get(part.key)
            try:
                await self._call(row, part, stands, names, sent)
            except WriteRefused as refused:
                if now is None:
                    raise _Failed(str(refused)) from refused
                now = await self._look(row, names)  # it may have been done by the first try
                if not part.is_done(now.get(part.key)):
                    raise _Failed(str(refused)) from refused
            except SourceError as error:
                now = await self._look(row, names)
                if not tries_left and not part.is_done(now.get(part.key)):
                    raise _Failed(
                        f"Canvas did not do it, however often it was asked: {error}"
                    ) from error
            else:
                return

    async def _call(
        self,
        row: ChangeRow,
        part: Part,
        stands: Present | None,
        names: Names,
        sent: Progress | None,
    ) -> None:
        """WriteRefused where Canvas certainly did nothing; SourceError where that is not known."""
        book = self.book
        call = book.call
        told = roster_orders.instruction(part, stands, names, book.reading.shard)
        began, quota = book.clock(), call.meter.quota
        await book.write(
            [Progress(place=row.place, status=Status.SENDING)],
            also=[book.telling({row.place: told}, began)],
        )
        try:
            answer = await enrollment_writes.carry_out(book.reading.canvas, call, told)
            enrollment = rows.enrollment(answer, book.reading.shard)
        except (SourceError, AddressRefused) as error:
            await book.write(also=[book.answered({row.place: {"error": str(error)}})])
            refused = enrollment_writes.refusal(error)
            lost = isinstance(error, CredentialSpent | GrantRefused)  # it is nothing of the row's
            if refused is None or lost or refused.code in PASSING:
                raise SourceDown(str(error)) from error
            raise refused from error
        self.prices.teach(
            enrollment_writes.priced_as(told),
            quota=call.meter.quota - quota,
            seconds=(book.clock() - began).total_seconds(),
        )
        batch = Batch(
            institution_id=book.institution_id,
            source=Source.MUTATION,
            reading=Reading.ENROLLMENTS_API,
            authority="admin",
            began_at=began,
            ended_at=book.clock(),
            people=tuple(
                rows.named(int(one)) for one in (enrollment.person, enrollment.associated) if one
            ),
            enrollments=(enrollment,),
        )
        await book.write(
            [sent] if sent else [],
            batch=batch,
            also=[book.answered({row.place: _of_the_row(answer)})],
        )

    async def _look(self, row: ChangeRow, names: Names) -> dict[Key, Present]:
        return await self.book.read([row], names, ours=True, one_by_one=True)


def _of_the_row(answer: rows.Json) -> dict[str, object]:
    """What Canvas says of the enrollment itself: of its person and their grades it says much more."""
    return {name: value for name, value in answer.items() if not isinstance(value, dict | list)}
