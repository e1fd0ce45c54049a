"""The job that carries a change of many out, from where it is to its end."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway.canvas.client import Call
from gateway.canvas.scopes import SIS_IMPORTS, WRITING
from gateway.canvas.sis_imports import SisImports
from gateway.change_paths import Path
from gateway.errors import SourceError, WriteRefused
from gateway.job_definitions import Job, Steps
from gateway.store import roster_changes
from gateway.store.queued_jobs import Arguments
from gateway.store.roster_changes import Change, State, Status
from gateway.uow import Database, Transaction
from gateway.writes.acting import Acting, Actors
from gateway.writes.roster_book import Book
from gateway.writes.roster_calls import Calls
from gateway.writes.roster_carrying import Carrying, paused
from gateway.writes.roster_data_sets import DataSets
from gateway.writes.roster_file import SisFile
from gateway.writes.roster_planning import Planning
from models.roster import EnrollmentState

_log = logging.getLogger(__name__)

JOB = "roster change"
# How long it is waited where Canvas gives no usable answer, before a person has to say that it goes on.
_WAITS = (2.0, 10.0, 60.0, 300.0)


@dataclass(frozen=True, kw_only=True)
class Office:
    """Of one institution."""

    planning: Planning
    actors: Actors
    imports: SisImports
    drop: EnrollmentState
    max_age: timedelta

    async def acting(self, change: Change) -> Acting:
        """Who carries it out. WriteRefused where nobody may."""
        if change.person_id is None:
            return self.actors.service(background=True)
        by_file = change.path is Path.SIS_IMPORT
        scopes = (*WRITING, *SIS_IMPORTS) if by_file else WRITING
        return await self.actors.person(change.person_id, scopes, background=True)


@dataclass(frozen=True, kw_only=True)
class RosterJobs:
    """Of all institutions that have a Canvas."""

    offices: Mapping[int, Office]
    database: Database
    clock: Callable[[], datetime]

    def job(self) -> Job:
        return Job(name=JOB, work=self._work)

    async def _work(self, steps: Steps, institution_id: int, arguments: Arguments) -> None:
        change_id = int(arguments["change"])

        async def work() -> str | None:
            return await self.carry_out(institution_id, change_id)

        for wait in _WAITS:
            if await steps.run("carry out", work) is None:
                return
            await steps.sleep(wait)

        async def last() -> str | None:
            return await self.carry_out(institution_id, change_id, last=True)

        await steps.run("carry out or pause", last)

    async def carry_out(
        self, institution_id: int, change_id: int, *, last: bool = False
    ) -> str | None:
        """Why Canvas could not be told or asked; None where it is over, or paused. `last`: it pauses then.

        Whatever else goes wrong, it pauses: nothing is lost, and a person sees it.
        """
        change = await self._begin(institution_id, change_id)
        if change is None:
            return None
        try:
            carrying = await self._carrying(institution_id, change)
            await carrying.carry_out()
        except SourceError as error:
            if last:
                message = f"Canvas gives no usable answer: {error}; apply it to go on"
                await self._pause(institution_id, change_id, message)
            return str(error)
        except WriteRefused as refused:  # whoever asked for it has no rights in Canvas any more
            await self._pause(institution_id, change_id, f"{refused} Apply it to go on.")
        except Exception:  # noqa: BLE001  whatever it was: it waits for a person
            _log.exception("a change of many stopped", extra={"fields": {"change": change_id}})
            message = "an error of the gateway, which its log tells; apply it to go on"
            await self._pause(institution_id, change_id, message)
        return None

    async def _pause(self, institution_id: int, change_id: int, message: str) -> None:
        await self.database.transact(
            lambda tx: roster_changes.step_to(tx, institution_id, change_id, paused(message))
        )

    async def _begin(self, institution_id: int, change_id: int) -> Change | None:
        async def work(tx: Transaction) -> bool:
            return await roster_changes.step_to(
                tx,
                institution_id,
                change_id,
                {"state": State.RUNNING},
                only_from=(State.QUEUED, State.RUNNING),
            )

        if not await self.database.transact(work):
            return None
        return await roster_changes.find(self.database, institution_id, change_id)

    async def _carrying(self, institution_id: int, change: Change) -> Carrying:
        office = self.offices[institution_id]
        acting = await office.acting(change)
        counts = await roster_changes.counts(self.database, institution_id, change.id)
        book = Book(
            database=self.database,
            reading=office.planning.reading,
            acting=acting,
            looking=_looking(office, acting.call),
            change=change,
            clock=self.clock,
            total=sum(rows for (_, status), rows in counts.items() if status is not Status.NONE),
            finished=sum(
                rows
                for (_, status), rows in counts.items()
                if status in (Status.SENT, Status.DONE, Status.FAILED, Status.LEFT)
            ),
        )
        prices = office.planning.prices
        return Carrying(
            book=book,
            file=SisFile(
                book=book,
                imports=office.imports,
                data_sets=DataSets(book=book, imports=office.imports, drop=office.drop),
                prices=prices,
            ),
            calls=Calls(book=book, prices=prices),
        )


def _looking(office: Office, call: Call) -> Call:
    """The school's own eyes, where there are any."""
    try:
        return replace(office.actors.service(background=True).call, meter=call.meter)
    except WriteRefused:
        return call
