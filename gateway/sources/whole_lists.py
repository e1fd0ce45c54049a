"""A scope's enrollments, listed until it is known that Canvas left out nobody whom its caller may see."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from gateway.batch import UNTOLD, Batch
from gateway.canvas.client import Call, Canvas
from gateway.canvas.enrollment_lists import Known, Lists, Place, Unnumbered
from gateway.canvas.own_enrollments import OWN_STATES, OwnEnrollments
from gateway.errors import NotThere, SourceRefused
from gateway.merge import Reading
from gateway.needs import Scope, ScopeKind, Subject
from gateway.prices import Endpoint, PriceBook
from gateway.store import scopes
from gateway.uow import Database
from models.roster import EnrollmentState, FieldGroup, Source

_EVERY_STATE = frozenset(EnrollmentState)
# For so long it is believed that a token's owner has not been enrolled in one section of a course; before anything is
# removed it is asked again.
_OWNER_KNOWN_FOR = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Task:
    """One scope to be read. `eyes`: as in an offer; `own`: a person's list, asked for by that person."""

    scope: Scope
    place: Place
    states: frozenset[EnrollmentState]
    includes: tuple[str, ...]
    shard: int
    eyes: int | None
    own: bool

    @property
    def authority(self) -> str:
        return "admin" if self.eyes is None else f"person:{self.eyes}"


class WholeLists:
    """Of one institution."""

    def __init__(
        self,
        *,
        institution_id: int,
        canvas: Canvas,
        database: Database,
        prices: PriceBook,
        clock: Callable[[], datetime],
    ) -> None:
        self._institution_id = institution_id
        self._canvas = canvas
        self._database = database
        self._prices = prices
        self._clock = clock
        self._owners = OwnEnrollments(canvas, clock)

    async def read(self, task: Task, call: Call) -> Batch:
        """All of it, as `call` may see it. CutShort where that cannot be had."""
        began = self._clock()
        spent = (call.meter.requests, call.meter.quota)
        lists = Lists(
            canvas=self._canvas,
            call=call,
            place=task.place,
            shard=task.shard,
            includes=task.includes,
        )
        states = await self._listed(lists, task, began)
        ended = self._clock()
        requests, quota = call.meter.requests - spent[0], call.meter.quota - spent[1]
        self._prices.teach(
            Endpoint.ENROLLMENT_PAGE,
            quota=quota,
            seconds=(ended - began).total_seconds(),
            calls=requests,
        )
        return Batch(
            institution_id=self._institution_id,
            source=Source.ENROLLMENTS_API,
            reading=Reading.ENROLLMENTS_API,
            authority=task.authority,
            began_at=began,
            ended_at=ended,
            scope=task.scope,
            subject=Subject.ENROLLMENTS,
            groups=_groups(lists, task),
            states=states,
            whole=True,
            full=task.eyes is None,
            courses=tuple(lists.courses),
            people=tuple(lists.people.values()),
            enrollments=tuple(lists.enrollments.values()),
            gone=frozenset(lists.gone),
            requests=requests,
            quota=quota,
        )

    async def _listed(
        self, lists: Lists, task: Task, began: datetime
    ) -> frozenset[EnrollmentState]:
        """The states of which all rows are known now, as far as the eyes see them."""
        if task.own:
            await self._twice_if_doubtful(lists, task, partial(lists.read_own, OWN_STATES))
            return _EVERY_STATE - {EnrollmentState.DELETED}
        listed = await self._compared(lists, task, began)
        missing = await self._missing(task, listed, began)
        unnumbered = await self._unnumbered(task, began)
        if not missing and not unnumbered:
            return task.states
        if task.eyes is not None:
            # Eyes that may be cut: what ended is shown as ended, and what is not shown at all proves nothing.
            await lists.read(_EVERY_STATE - task.states)
            return _EVERY_STATE
        await self._refuse_if_cut(lists, task, since=began)
        await lists.look_for(unnumbered, task.states)
        return await lists.account_for(missing, task.states)

    async def _missing(self, task: Task, listed: set[int], began: datetime) -> list[Known]:
        known = await scopes.should_show(
            self._database, self._institution_id, task.scope, task.states, began
        )
        return [
            Known(canvas_id=row.canvas_id, section=row.section)
            for row in known
            if row.canvas_id not in listed
        ]

    async def _unnumbered(self, task: Task, began: datetime) -> list[Unnumbered]:
        """Of a person's list, and of eyes that may be cut, silence proves nothing of these."""
        if task.eyes is not None or task.scope.kind is ScopeKind.PERSON:
            return []
        known = await scopes.unnumbered(
            self._database, self._institution_id, task.scope, task.states, began
        )
        return [Unnumbered(**vars(row)) for row in known]

    async def _compared(self, lists: Lists, task: Task, began: datetime) -> set[int]:
        """What is listed, compared with what Canvas counts where the list may have left out somebody."""
        read = partial(lists.read, task.states)
        if task.scope.kind is ScopeKind.PERSON:
            return await self._twice_if_doubtful(lists, task, read)
        listed = await read()
        if task.eyes is None:
            await self._refuse_if_cut(lists, task, since=began - _OWNER_KNOWN_FOR)
        if not await self._is_doubtful(lists, task, listed):
            return listed
        if task.eyes is None:
            return await lists.compare(listed, task.states)
        eyes = of_person(task.eyes)
        named = await scopes.canvas_ids(self._database, self._institution_id, [eyes])
        try:
            return await lists.compare(listed, task.states, seen_by=str(named.get(eyes)))
        except (SourceRefused, NotThere):
            return listed | await read()  # whoever may not see the count

    async def _twice_if_doubtful(
        self, lists: Lists, task: Task, read: Callable[[], Awaitable[set[int]]]
    ) -> set[int]:
        """Of a person's enrollments Canvas keeps no count, but a list is seldom cut twice at the same place."""
        listed = await read()
        return listed | await read() if await self._is_doubtful(lists, task, listed) else listed

    async def _is_doubtful(self, lists: Lists, task: Task, listed: set[int]) -> bool:
        is_person = task.scope.kind is ScopeKind.PERSON
        if not is_person and (not listed or not lists.full_pages):
            return True
        return not await scopes.read_whole_before(
            self._database, self._institution_id, task.scope, authority=task.authority
        )

    async def _refuse_if_cut(self, lists: Lists, task: Task, *, since: datetime) -> None:
        """Of a person's list Canvas cuts nothing away."""
        course = task.place.id if task.scope.kind is ScopeKind.COURSE else None
        if task.scope.kind is ScopeKind.SECTION:
            of_sections = await scopes.courses_of_sections(
                self._database, self._institution_id, [task.scope.id]
            )
            course = of_sections.get(task.scope.id)
        if course is None:
            return
        rows = lists.enrollments.values()
        if await self._owners.cut(lists.call, course, rows, shard=task.shard, since=since):
            raise SourceRefused(
                "the owner of the admin token is enrolled in this course for one section only, so Canvas shows them a part"
                " of it: end that enrollment, or lift its limit"
            )


def of_person(person: int) -> Scope:
    return Scope(kind=ScopeKind.PERSON, id=person)


def _groups(lists: Lists, task: Task) -> frozenset[FieldGroup]:
    """What was really shown; of nobody, all that was asked for."""
    asked = {FieldGroup.STANDING, FieldGroup.DATES, FieldGroup.ACTIVITY, FieldGroup.NAME}
    asked |= {FieldGroup.LOGIN}
    if "email" in task.includes:
        asked.add(FieldGroup.CONTACT)
    people, rows = lists.people.values(), lists.enrollments.values()
    shown = {
        FieldGroup.LOGIN: any(person.sis_id is not UNTOLD for person in people),
        FieldGroup.CONTACT: any(person.email is not UNTOLD for person in people),
        FieldGroup.ACTIVITY: all(row.last_activity_at is not UNTOLD for row in rows),
    }
    return frozenset(group for group in asked if not people or shown.get(group, True))
