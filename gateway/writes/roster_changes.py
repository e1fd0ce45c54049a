"""Changes of many enrollments for whoever asks: planned, applied, paused, cancelled, taken back."""

import hashlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeAlias

from gateway import roster_change, roster_undo
from gateway.canvas.client import Call
from gateway.change_paths import Path
from gateway.errors import WriteRefused
from gateway.readpath.registry import Reader
from gateway.store import (
    repeats,
    roster_changes,
    roster_exchanges,
)
from gateway.store.repeats import Request
from gateway.store.roster_changes import OVER, Change, State, Status, Wish
from gateway.uow import Database, Transaction
from gateway.viewer import Scope, Viewer
from gateway.writes import roster_beginning
from gateway.writes.acting import caller_of, check_may_write
from gateway.writes.roster_audit import note
from gateway.writes.roster_jobs import Office
from gateway.writes.roster_planning import Asked, ExactlyThese
from gateway.writes.roster_rows import Miss, Said
from models.roster import EnrollmentState, MutationErrorCode

Code = MutationErrorCode
ChangeRow: TypeAlias = roster_changes.ChangeRow
Exchange: TypeAlias = roster_exchanges.Exchange


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a caller asks to be planned. `max_age`: of the roster that it is compared with; `drop` None: the school's policy."""

    rows: tuple[Said | Miss, ...]
    exactly: ExactlyThese | None = None
    drop: EnrollmentState | None = None
    path: Path | None = None
    max_age: timedelta | None = None


class RosterChanges:
    """Of all institutions that have a Canvas."""

    def __init__(
        self, offices: Mapping[int, Office], database: Database, clock: Callable[[], datetime]
    ) -> None:
        self._offices = offices
        self._database = database
        self._clock = clock

    async def once(
        self, viewer: Viewer, key: str | None, said: str, work: Callable[[], Awaitable[int]]
    ) -> int:
        """The change that `work` makes, or made for the same key."""
        request = _request(viewer, said, key)
        if request is None:
            return await work()
        answer = await self._database.transact(lambda tx: repeats.answer_to(tx, request))
        if answer is not None:
            return int(answer)
        change = await work()
        await self._database.transact(
            lambda tx: repeats.keep(tx, request, str(change), self._clock())
        )
        return change

    async def plan(self, viewer: Viewer, reader: Reader, wanted: Wanted) -> int:
        """The id of the plan. Writes nothing to Canvas."""
        check_may_write(viewer)
        office = self._office(viewer.institution_id)
        if not wanted.rows and wanted.exactly is None:
            raise WriteRefused(Code.INVALID, "There is no row to plan.", "rows")
        now = self._clock()
        asked = Asked(
            rows=wanted.rows,
            exactly=wanted.exactly,
            drop=wanted.drop or office.drop,
            path=wanted.path or _usual_path(viewer),
            fresher_than=now - (office.max_age if wanted.max_age is None else wanted.max_age),
        )
        return await office.planning.plan(
            asked,
            reader,
            _reading_call(office),
            caller=caller_of(viewer),
            person_id=viewer.user_id,
            now=now,
        )

    async def apply(
        self, viewer: Viewer, change_id: int, *, confirmed: int | None, key: str | None
    ) -> int:
        """Begin, or go on after a pause. `confirmed`: how many removals whoever asks has seen."""
        change = await self._own(viewer, change_id)
        request = _request(viewer, f"apply {change_id} {confirmed}", key)
        if change.state is State.PLANNED:
            if change.held and confirmed != change.removals:
                raise WriteRefused(
                    Code.GUARD_TRIPPED,
                    f"{change.removals} of {change.people} people would go, more than the shrink guard lets through: confirm"
                    " the number.",
                    "confirmRemovals",
                )
            await roster_beginning.compare(self._database, viewer.institution_id, change)
        if change.person_id is not None and change.state in (State.PLANNED, State.PAUSED):
            # Connecting their account is theirs to do, so they hear of it now.
            await self._office(viewer.institution_id).acting(change)

        async def work(tx: Transaction) -> int:
            if request and (answer := await repeats.answer_to(tx, request)) is not None:
                return int(answer)
            await roster_beginning.enqueue(tx, viewer.institution_id, change, self._clock())
            await note(tx, viewer, change, confirmed, self._clock())
            if request:
                await repeats.keep(tx, request, str(change_id), self._clock())
            return change_id

        return await self._database.transact(work)

    async def pause(self, viewer: Viewer, change_id: int) -> int:
        return await self._wish(viewer, change_id, Wish.PAUSE)

    async def cancel(self, viewer: Viewer, change_id: int) -> int:
        return await self._wish(viewer, change_id, Wish.CANCEL)

    async def _wish(self, viewer: Viewer, change_id: int, wish: Wish) -> int:
        """What is being told to Canvas is told to its end; then it pauses, or leaves the rest."""
        change = await self._own(viewer, change_id)
        now = self._clock()

        async def work(tx: Transaction) -> bool:
            if wish is Wish.CANCEL and await roster_changes.step_to(
                tx,
                viewer.institution_id,
                change_id,
                {"state": State.CANCELLED, "ended_at": now},
                only_from=(State.PLANNED,),
            ):
                return True
            if change.state is State.PAUSED and wish is Wish.CANCEL:  # the job leaves what waits
                await roster_beginning.enqueue(tx, viewer.institution_id, change, self._clock())
            return await roster_changes.step_to(
                tx,
                viewer.institution_id,
                change_id,
                {"wish": wish},
                only_from=(State.QUEUED, State.RUNNING),
            )

        if not await self._database.transact(work):
            words = f"It is {change.state}."
            raise WriteRefused(Code.CONFLICT, words, "rosterChange")
        return change_id

    async def undo(self, viewer: Viewer, change_id: int) -> int:
        """The id of the plan that takes back what was carried out."""
        change = await self._own(viewer, change_id)
        if change.state not in OVER:
            words = f"It is {change.state}: what is not over is cancelled first."
            raise WriteRefused(Code.CONFLICT, words, "rosterChange")
        rows = await roster_changes.page(
            self._database, viewer.institution_id, change_id, statuses=(Status.DONE,)
        )
        if not rows:
            words = "It changed nothing, so there is nothing to take back."
            raise WriteRefused(Code.INVALID, words, "rosterChange")
        office = self._office(viewer.institution_id)
        wanted = [one for row in rows if row.carried for one in roster_undo.inverse(row.step)]
        return await office.planning.inverse(
            viewer.institution_id,
            [replace(one, row=number) for number, one in enumerate(wanted, 1)],
            caller=caller_of(viewer),
            person_id=viewer.user_id,
            path=_usual_path(viewer),
            now=self._clock(),
            undoes=change_id,
        )

    async def find(self, viewer: Viewer, change_id: int) -> Change | None:
        """A change of the caller's own; an operator's token shows everybody's."""
        change = await roster_changes.find(self._database, viewer.institution_id, change_id)
        if change is None:
            return None
        mine = change.caller == caller_of(viewer)
        return change if mine or Scope.ADMIN in viewer.scopes else None

    async def rows(
        self,
        viewer: Viewer,
        change_id: int,
        *,
        after: int,
        first: int,
        outcomes: Iterable[roster_change.Outcome],
        statuses: Iterable[Status],
    ) -> list[ChangeRow]:
        return await roster_changes.page(
            self._database,
            viewer.institution_id,
            change_id,
            after=after,
            first=first,
            outcomes=list(outcomes),
            statuses=list(statuses),
        )

    async def exchanges(
        self, viewer: Viewer, change_id: int, places: Collection[int]
    ) -> dict[int, list[Exchange]]:
        """What Canvas was told of these rows, and what it answered."""
        return await roster_exchanges.of_rows(
            self._database, viewer.institution_id, change_id, places
        )

    async def counts(
        self, viewer: Viewer, change_id: int
    ) -> dict[tuple[roster_change.Outcome, Status], int]:
        return await roster_changes.counts(self._database, viewer.institution_id, change_id)

    async def _own(self, viewer: Viewer, change_id: int) -> Change:
        check_may_write(viewer)
        change = await self.find(viewer, change_id)
        if change is None:
            raise WriteRefused(Code.NOT_FOUND, "There is no such change.", "rosterChange")
        return change

    def _office(self, institution_id: int) -> Office:
        office = self._offices.get(institution_id)
        if office is None:
            words = "This school has no Canvas that could be changed: its configuration names none."
            raise WriteRefused(Code.NOT_SUPPORTED, words)
        return office


def _usual_path(viewer: Viewer) -> Path | None:
    """The cheaper one; a person is seldom let import SIS files, which takes a right of the whole school."""
    return None if viewer.user_id is None else Path.SINGLE_CALLS


def _reading_call(office: Office) -> Call | None:
    """Plans are read with the school's own token, for a person's eyes may be cut without a sign."""
    try:
        return office.actors.service().call
    except WriteRefused:
        return None


def _request(viewer: Viewer, said: str, key: str | None) -> Request | None:
    if not key:
        return None
    return Request(
        institution_id=viewer.institution_id,
        caller=caller_of(viewer),
        key=key,
        digest=hashlib.sha256(said.encode()).hexdigest(),
    )
