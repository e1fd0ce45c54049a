"""A change of many carried out: looked at once more, told to Canvas, read back. It can be killed anywhere, and goes on.

Whatever is begun is written down before Canvas hears of it, so nothing is told twice blindly: after a crash, or an answer that
was lost, Canvas is read first. A row is DONE only when it was read back as planned.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.change_paths import Names
from gateway.roster_change import Key, Outcome, Present
from gateway.store import roster_changes
from gateway.store.roster_changes import ChangeRow, Progress, State, Status, Wish
from gateway.store.runs import Tally
from gateway.writes import roster_orders
from gateway.writes.roster_book import Book, Ended, Stopped
from gateway.writes.roster_calls import Calls
from gateway.writes.roster_file import SisFile


@dataclass(frozen=True, kw_only=True)
class Carrying:
    book: Book
    file: SisFile
    calls: Calls

    async def carry_out(self) -> None:
        """To its end, or until somebody wishes that it pauses. SourceError where Canvas gives no usable answer."""
        book = self.book
        if not await self._begun():
            return
        try:
            await self.file.carry_out()
            await self.calls.carry_out()
        except Stopped as stopped:
            if stopped.wish is Wish.PAUSE:
                await book.write(columns=paused("it was wished; apply it to go on"))
                return
        await self._read_back()
        await self._close()

    async def _begun(self) -> bool:
        """Whether it goes on. What waits has to stand as it was planned on: where one row does not, Canvas is told no more."""
        book = self.book
        if book.change.checked_at is not None:
            return True
        waiting = await book.rows((Status.WAITING,))
        staying = await book.staying()
        looked_at = [*waiting, *staying]
        names = await book.names(looked_at)
        now = await book.read_before(looked_at, names) if waiting else {}
        moved = {row.place for row in looked_at if waiting and _has_moved(row, now, names)}
        new = await book.unnamed(now.values())
        if not moved and not new:
            await book.write(columns={"checked_at": book.clock()})
            return True
        left = [
            Progress(
                place=row.place,
                status=Status.LEFT,
                message="it is not as it was when this was planned" if row.place in moved else None,
            )
            for row in waiting
        ]
        message = f"the roster moved: {len(moved)} rows are not as they were planned on"
        if new:
            message += f", and {len(new)} enrollments are there that it does not know of"
        if book.finished:  # before a pause
            await book.write(left, columns={"checked_at": book.clock(), "message": message})
            return True
        ended = Ended(state=State.FAILED, message=f"{message}; nothing was changed")
        await book.write(left, ended=ended)
        return False

    async def _read_back(self) -> None:
        """What Canvas shows is what became of it, whatever was answered; what was never told is left."""
        book = self.book
        told = await book.rows((Status.SENDING, Status.SENT, Status.FAILED))
        now = await book.read(told, await book.names(told), ours=True) if told else {}
        waiting = await book.rows((Status.WAITING,))
        left = [Progress(place=row.place, status=Status.LEFT) for row in waiting]
        await book.write([*(_became(row, now) for row in told), *left])

    async def _close(self) -> None:
        book = self.book
        counted = await roster_changes.counts(book.database, book.institution_id, book.change.id)
        done: Counter[Outcome] = Counter()
        statuses: Counter[Status] = Counter()
        for (outcome, status), rows in counted.items():
            statuses[status] += rows
            done[outcome] += rows if status in (Status.DONE, Status.NONE) else 0
        tally = Tally(
            rows_read=statuses.total(),
            created=done[Outcome.ADD] + done[Outcome.MOVE],
            updated=done[Outcome.CHANGE],
            removed=done[Outcome.REMOVE],
            unchanged=done[Outcome.NOTHING],
            set_aside=done[Outcome.REFUSED],
        )
        await book.write(
            ended=Ended(state=_state(statuses), message=_summary(statuses), tally=tally)
        )


def paused(message: str) -> dict[str, object]:
    """The columns of a change that waits for a person."""
    return {"state": State.PAUSED, "message": message, "wish": None}


def _has_moved(row: ChangeRow, now: Mapping[Key, Present], names: Names) -> bool:
    """Whoever, or whatever section, is not there any more has moved, too; and what was protected meanwhile."""
    return any(
        part.key.person not in names.people
        or part.key.section not in names.sections
        or part.has_moved(now.get(part.key))
        or (row.step.is_change and _is_pinned(now.get(part.key)))
        for part in roster_orders.parts(row.step)
    )


def _is_pinned(now: Present | None) -> bool:
    return now is not None and now.pinned


def _became(row: ChangeRow, now: Mapping[Key, Present]) -> Progress:
    parts = roster_orders.parts(row.step)
    undone = [part for part in parts if not part.is_done(now.get(part.key))]
    stands = now.get(row.step.key)
    enrollment_id = None if stands is None else stands.id
    if not undone:
        return Progress(
            place=row.place,
            status=Status.DONE,
            message=row.message if row.status is Status.SENT else None,
            advice=row.advice,
            enrollment_id=enrollment_id,
        )
    return Progress(
        place=row.place,
        status=Status.FAILED,
        message=row.message or _as_shown(undone[0].key, now),
        advice=row.advice,
        enrollment_id=enrollment_id,
    )


def _as_shown(key: Key, now: Mapping[Key, Present]) -> str:
    stands = now.get(key)
    if stands is None:
        return "Canvas took it without a word, and shows no such enrollment"
    return f"Canvas took it without a word, and shows it as {stands.state} with the dates and limits it has"


def _summary(counts: Mapping[Status, int]) -> str | None:
    """What is not as planned; None where all is."""
    failed, left = counts.get(Status.FAILED, 0), counts.get(Status.LEFT, 0)
    said = [
        f"{rows} rows {words}"
        for rows, words in ((failed, "failed"), (left, "were left as they were"))
        if rows
    ]
    return ", ".join(said) or None


def _state(counts: Mapping[Status, int]) -> State:
    if counts.get(Status.LEFT):
        return State.CANCELLED
    if not counts.get(Status.FAILED):
        return State.SUCCEEDED
    return State.PARTLY if counts.get(Status.DONE) else State.FAILED
