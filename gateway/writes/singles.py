"""One enrollment or person changed for somebody: asked, looked at, decided, told, and answered the same when asked again."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeAlias

from gateway.batch import Enrollment
from gateway.canvas import enrollment_writes
from gateway.canvas.enrollment_writes import NewPerson, Posted, Shown, Task
from gateway.errors import AddressRefused, ConnectionWanted, SourceError, WriteRefused
from gateway.store import intents, targets
from gateway.store.intended import Asked, Intent, Subjects
from gateway.store.targets import Known
from gateway.uow import Database
from gateway.viewer import Viewer
from gateway.writes import deciding
from gateway.writes.acting import Acting, Actors, caller_of, check_may_write
from gateway.writes.carrying import Carrier
from gateway.writes.deciding import AlreadyThere, Expected, Update
from gateway.writes.ending import Ended, problem_of
from gateway.writes.orders import Order, target_of
from models.roster import EnrollmentState, EnrollmentType, MutationErrorCode

_SETTLED_EVERY_SECONDS = 30.0
_SECONDS_TO_END = 10.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Creation:
    """A new enrollment, by our ids. `section_id` decides the course where both are given."""

    person_id: int
    course_id: int | None = None
    section_id: int | None = None
    type: EnrollmentType | None = None
    role: str | None = None
    state: EnrollmentState = EnrollmentState.INVITED
    associated_id: int | None = None
    limit_to_section: bool = False
    start_at: datetime | None = None
    end_at: datetime | None = None
    notify: bool = False


@dataclass(frozen=True, kw_only=True)
class Changed:
    """An enrollment that is to change. `task`: the name of a `Task`. Without it and an `update` it is reactivated."""

    enrollment_id: int
    expected: Expected = Expected()  # noqa: RUF009  frozen
    update: Update | None = None
    task: str | None = None


def new_person(*, login_id: str, notify: bool, **others: str | None) -> NewPerson:
    return NewPerson(login_id=login_id, notify=notify, **others)


Change: TypeAlias = Creation | Changed | NewPerson


@dataclass(frozen=True, kw_only=True)
class Request:
    """`said`: the input as JSON; `find` finds out what it means, WriteRefused where it means nothing that can be done."""

    operation: str
    said: str
    key: str | None
    find: Callable[[], Awaitable[Change]]


class Singles:
    """Of one institution."""

    def __init__(self, *, carrier: Carrier, actors: Actors, database: Database) -> None:
        self._carrier = carrier
        self._actors = actors
        self._database = database
        self._running: dict[object, asyncio.Task[Ended]] = {}

    async def carry_out(self, viewer: Viewer, request: Request) -> Ended:
        """Whoever asked may leave; it is carried out all the same. The same asked meanwhile waits for it."""
        try:
            check_may_write(viewer)
        except WriteRefused as refused:
            return Ended(done=False, problem=problem_of(refused))
        asked = _asked(viewer, request)
        name: object = object() if asked.key is None else (asked.caller, asked.key, asked.digest)
        task = self._running.get(name)
        if task is None:
            task = asyncio.create_task(self._carried_out(viewer, asked, request.find))
            self._running[name] = task
            task.add_done_callback(lambda _: self._running.pop(name))
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Wait for what was begun; what takes too long is found out about at the next start."""
        if self._running:
            await asyncio.wait(self._running.values(), timeout=_SECONDS_TO_END)

    async def take_up(self) -> None:
        """Before anything is asked of this process: what it left open when it ended, nobody is at."""
        await intents.after_restart(
            self._database, self._carrier.institution_id, self._carrier.now()
        )

    async def recover(self) -> None:
        """Find out what came of changes that this process or another left open."""
        while True:
            try:
                await self._carrier.settle_left_open(self._actors.service(background=True))
            except WriteRefused:
                return  # nobody to look as
            except Exception:  # noqa: BLE001  whatever it was: it is looked again
                _log.exception("what came of changes that were left open could not be found out")
            await self._carrier.sleep(_SETTLED_EVERY_SECONDS)

    async def _carried_out(
        self, viewer: Viewer, asked: Asked, find: Callable[[], Awaitable[Change]]
    ) -> Ended:
        try:
            acting = await self._actors.of(viewer)
            intent, ended = await self._carrier.begin(asked, acting)
        except ConnectionWanted as refused:
            return Ended(done=False, wants_connection=True, problem=problem_of(refused))
        except WriteRefused as refused:
            return Ended(done=False, problem=problem_of(refused))
        if ended is not None:
            return ended
        subjects = Subjects()
        try:
            change = await find()
            if isinstance(change, NewPerson):
                return await self._carrier.tell(
                    intent, deciding.make_person(change), acting, subjects
                )
            known = await self._known(change)
            subjects = known.subjects
            await self._carrier.reserve(intent, target_of(known.course, known.person), acting)
            order = await self._decided(change, known, acting)
        except AlreadyThere as there:
            return await self._there(intent, there, subjects)
        except WriteRefused as refused:
            return await self._carrier.refuse(intent, refused, subjects)
        if order is None:
            return await self._carrier.nothing_to_do(intent, subjects)
        return await self._carrier.tell(intent, order, acting, subjects)

    async def _known(self, change: Creation | Changed) -> Known:
        look = (
            partial(targets.of_enrollment, row_id=change.enrollment_id)
            if isinstance(change, Changed)
            else partial(
                targets.of_creation,
                person_id=change.person_id,
                course_id=change.course_id,
                section_id=change.section_id,
                associated_id=change.associated_id,
            )
        )
        return await look(self._database, self._carrier.institution_id)

    async def _decided(
        self, change: Creation | Changed, known: Known, acting: Acting
    ) -> Order | None:
        shown = await self._shown(known, acting)
        shard = self._carrier.shard
        if isinstance(change, Creation):
            return deciding.create(_posted(change, known), shown.enrollments, shard)
        row = None if known.enrollment is None else shown.row(known.enrollment)
        if row is None:
            words = "Canvas shows no such enrollment in this course to whoever asks."
            raise WriteRefused(MutationErrorCode.NOT_FOUND, words, "enrollment")
        deciding.check(row, change.expected)
        return _changed(change, row, shard)

    async def _shown(self, known: Known, acting: Acting) -> Shown:
        try:
            return await enrollment_writes.shown(
                self._carrier.canvas, acting.call, known.course, known.person, self._carrier.shard
            )
        except (SourceError, AddressRefused) as error:
            refused = enrollment_writes.refusal(error)
            raise refused or WriteRefused(
                MutationErrorCode.CANVAS_UNAVAILABLE, f"Canvas could not be asked: {error}"
            ) from error

    async def _there(self, intent: Intent, there: AlreadyThere, subjects: Subjects) -> Ended:
        """With the enrollment that is there, where the store has it."""
        found = await targets.enrollment(
            self._database, self._carrier.institution_id, there.row.canvas_id
        )
        return await self._carrier.refuse(intent, there, replace(subjects, enrollment_id=found))


def _changed(change: Changed, row: Enrollment, shard: int) -> Order | None:
    if change.update is not None:
        return deciding.update(row, change.update, shard)
    if change.task is not None:
        return deciding.end(row, Task[change.task], shard)
    return deciding.reactivate(row, shard)


def _posted(change: Creation, known: Known) -> Posted:
    return Posted(
        course=known.course,
        person=known.person,
        section=known.section,
        type=change.type,
        role=change.role,
        state=change.state,
        associated=known.associated,
        limit_to_section=change.limit_to_section,
        start_at=change.start_at,
        end_at=change.end_at,
        notify=change.notify,
    )


def _asked(viewer: Viewer, request: Request) -> Asked:
    service = viewer.service
    return Asked(
        operation=request.operation,
        caller=caller_of(viewer),
        key=request.key,
        digest=hashlib.sha256(f"{request.operation} {request.said}".encode()).hexdigest(),
        said=request.said,
        service=None if service is None else service.name,
        actor_id=viewer.acts_for_id or viewer.user_id,
        real_user=None if viewer.launched is None else viewer.launched.real_user,
    )
