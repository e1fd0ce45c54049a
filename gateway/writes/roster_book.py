"""The book that a change of many is carried out by: its rows, how far each has come, what was spent, and what is wished meanwhile."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from gateway.batch import Batch
from gateway.canvas.client import Call
from gateway.change_paths import Names, Reads, reads
from gateway.needs import Scope, ScopeKind
from gateway.roster_change import Key, Outcome, Present, standing
from gateway.store import (
    pins,
    roster_changes,
    roster_exchanges,
    roster_ground,
    roster_runs,
    scopes,
    taking,
)
from gateway.store.roster_changes import Change, ChangeRow, Progress, State, Status, Wish
from gateway.store.roster_exchanges import Exchange
from gateway.store.runs import Tally
from gateway.uow import Database, Transaction, Work
from gateway.writes import roster_orders
from gateway.writes.acting import Acting
from gateway.writes.roster_reading import RosterReading
from models.roster import EnrollmentState, MutationErrorCode, Source

# Refusals that say nothing of what was asked: it is asked again.
PASSING = (MutationErrorCode.CANVAS_UNAVAILABLE, MutationErrorCode.THROTTLED)

_TOLD = (Status.SENT, Status.FAILED)  # what is then read back counts no more


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The closing marker: before it a change is not over, whatever it has done."""

    state: State
    message: str | None = None
    tally: Tally = Tally()  # noqa: RUF009  frozen


class Stopped(Exception):
    """Somebody wishes that the change pauses or is cancelled."""

    def __init__(self, wish: Wish) -> None:
        super().__init__(wish)
        self.wish = wish


@dataclass(kw_only=True)
class Book:
    """Of one change. `acting`: on whose rights Canvas is told; `looking`: by whose eyes it is read, on the same bill.

    A person's eyes may be cut to their own sections without a sign, so that nothing is proved by what they do not see.
    """

    database: Database
    reading: RosterReading
    acting: Acting
    looking: Call
    change: Change
    clock: Callable[[], datetime]
    total: int
    finished: int = 0
    _billed: tuple[int, float] = field(default=(0, 0.0), init=False)

    @property
    def institution_id(self) -> int:
        return self.reading.institution_id

    @property
    def call(self) -> Call:
        return self.acting.call

    def telling(self, told: Mapping[int, object], now: datetime) -> Work[None]:
        """Writes down what Canvas is about to be told, by place."""
        exchanges = [
            Exchange(
                place=place,
                told_at=now,
                authority=self.acting.authority,
                told=msgspec.json.encode(one).decode(),
            )
            for place, one in told.items()
        ]
        return lambda tx: roster_exchanges.tell(tx, self.institution_id, self.change.id, exchanges)

    def answered(self, answers: Mapping[int, object]) -> Work[None]:
        """Writes down what it answered."""
        return lambda tx: roster_exchanges.answer(tx, self.institution_id, self.change.id, answers)

    async def rows(self, statuses: Collection[Status]) -> list[ChangeRow]:
        """But for those of people who were erased meanwhile: what was to happen to them is not known any more."""
        rows = await roster_changes.page(
            self.database, self.institution_id, self.change.id, statuses=statuses
        )
        return [row for row in rows if row.carried is not None]

    async def staying(self) -> list[ChangeRow]:
        """Those that change nothing, and that have to stay so: of a roster that is said whole."""
        if self.change.exactly is None:
            return []
        return [row for row in await self.rows((Status.NONE,)) if row.outcome is Outcome.NOTHING]

    async def write(
        self,
        progress: Iterable[Progress] = (),
        *,
        columns: Mapping[str, object] | None = None,
        lines: Mapping[int, int] | None = None,
        batch: Batch | None = None,
        ended: Ended | None = None,
        also: Iterable[Work[None] | None] = (),
    ) -> None:
        """All of it in one transaction, with what was spent since the last."""
        spent = (self.call.meter.requests, self.call.meter.quota)
        requests, quota = spent[0] - self._billed[0], spent[1] - self._billed[1]
        change_id, progress, also = self.change.id, list(progress), list(also)
        self.finished += sum(one.status in _TOLD for one in progress)

        async def work(tx: Transaction) -> None:
            if batch is not None:
                await taking.take_in(
                    tx,
                    batch,
                    now=self.clock(),
                    actor_id=self.change.person_id,
                    run_id=self.change.sync_run_id,
                )
            if lines:
                await roster_changes.number_lines(tx, self.institution_id, change_id, lines)
            await roster_changes.progress(tx, self.institution_id, change_id, progress)
            if columns:
                await roster_changes.step_to(tx, self.institution_id, change_id, columns)
            for more in filter(None, also):
                await more(tx)
            if ended is not None:
                await self._end(tx, ended)
            await roster_changes.charge(tx, self.institution_id, change_id, requests, quota)
            run = self.change.sync_run_id
            if run is not None and not ended:
                done = min(self.finished / max(self.total, 1), 1.0)
                await roster_runs.advance(tx, self.institution_id, run, done, requests, quota)

        await self.database.transact(work)
        self._billed = spent

    async def _end(self, tx: Transaction, ended: Ended) -> None:
        now = self.clock()
        columns = {"state": ended.state, "ended_at": now, "message": ended.message, "wish": None}
        await roster_changes.step_to(tx, self.institution_id, self.change.id, columns)
        if self.change.sync_run_id is not None:
            await roster_runs.close(
                tx,
                self.institution_id,
                self.change.sync_run_id,
                ended.state,
                tally=ended.tally,
                message=ended.message,
                now=now,
            )

    async def obey(self) -> None:
        """Stopped where somebody wishes it."""
        now = await roster_changes.find(self.database, self.institution_id, self.change.id)
        if now is not None and now.wish is not None:
            raise Stopped(now.wish)

    async def is_protected(self, row: ChangeRow) -> bool:
        """By a pin that may have come after the roster was looked at: a change of many may take hours."""
        touched = [one.id for one in (row.step.before, row.step.leaves) if one is not None]
        return await pins.protects(self.database, self.institution_id, touched)

    async def is_cancelled(self) -> bool:
        now = await roster_changes.find(self.database, self.institution_id, self.change.id)
        return now is not None and now.wish is Wish.CANCEL

    async def names(self, rows: Sequence[ChangeRow]) -> Names:
        keys = [part.key for row in rows for part in roster_orders.parts(row.step)]
        people = {key.person for key in keys}
        people |= {key.associated for key in keys if key.associated is not None}
        return await roster_ground.names(
            self.database,
            self.institution_id,
            people=people,
            sections={key.section for key in keys},
            courses={row.step.course for row in rows},
        )

    async def read(
        self, rows: Sequence[ChangeRow], names: Names, *, ours: bool, one_by_one: bool = False
    ) -> dict[Key, Present]:
        """The enrollments of the rows' people as Canvas shows them now. `ours`: what differs is this change's doing."""
        people: dict[int, set[int]] = {}
        for row in rows:
            people.setdefault(row.step.course, set()).add(row.step.key.person)
        counts = {} if one_by_one else await self._counts(people)
        began = await self.reading.read(
            self.looking,
            people,
            names,
            reads((row.step for row in rows), counts, one_by_one=one_by_one),
            source=Source.MUTATION if ours else Source.ENROLLMENTS_API,
        )
        seen = await roster_ground.enrollments(self.database, self.institution_id, people)
        # Whoever was not shown by a list of every state is not there.
        return standing(one.present for one in seen if one.as_of >= began)

    async def read_before(self, rows: Sequence[ChangeRow], names: Names) -> Mapping[Key, Present]:
        """The same; with everybody else of the courses whose rosters are said whole."""
        exactly = self.change.exactly
        if exactly is None:
            return await self.read(rows, names, ours=False)
        courses = await roster_ground.courses_of(
            self.database, self.institution_id, exactly.sections
        )
        whole = set(courses.values())
        now = {one.key: one for one in await self.read_whole(whole)}
        rest = [row for row in rows if row.step.course not in whole]
        return now | await self.read(rest, names, ours=False)

    async def unnamed(self, now: Iterable[Present]) -> list[Present]:
        """Who stands where nobody is to be but who is named, and was not there when it was planned."""
        exactly = self.change.exactly
        found = [] if exactly is None else [one for one in now if exactly.covers(one)]
        if not found:
            return []
        rows = await self.rows(tuple(Status))
        named = {part.key for row in rows for part in roster_orders.parts(row.step)}
        return [one for one in found if one.key not in named]

    async def read_whole(self, courses: Collection[int]) -> list[Present]:
        """Every enrollment of these courses as Canvas shows it now."""
        names = await roster_ground.names(
            self.database, self.institution_id, people=(), sections=(), courses=courses
        )
        counts = await self._counts(courses)
        began = await self.reading.read(
            self.looking,
            dict.fromkeys(courses, ()),
            names,
            {course: Reads.whole(counts.get(course, 0)) for course in courses},
        )
        seen = await roster_ground.enrollments(self.database, self.institution_id, courses)
        return list(standing(one.present for one in seen if one.as_of >= began).values())

    async def _counts(self, courses: Iterable[int]) -> dict[int, int]:
        asked = [Scope(kind=ScopeKind.COURSE, id=course) for course in courses]
        counted = await scopes.expected_rows(
            self.database, self.institution_id, asked, frozenset(EnrollmentState)
        )
        return {scope.id: rows for scope, rows in counted.items()}
