"""The Enrollments API as a source: the list of a course, a section or a person, by the admin's token or through a viewer's eyes."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

from gateway.batch import UNTOLD, Batch, Taken
from gateway.canvas.client import Call, Canvas, Meter
from gateway.canvas.credentials import Credentials
from gateway.canvas.enrollment_lists import Known, Lists, Place, Unnumbered
from gateway.canvas.own_enrollments import OWN_STATES, OwnEnrollments
from gateway.errors import NotThere, SourceRefused
from gateway.identity import Trust
from gateway.merge import Reading
from gateway.needs import ROSTERS, Need, Scope, ScopeKind, Subject
from gateway.offers import Offer, Price
from gateway.prices import Endpoint, PriceBook, pages
from gateway.store import institutions, scopes, taking
from gateway.uow import Database
from gateway.viewer import Viewer
from models.canvas_ids import to_rest
from models.roster import ROSTER_STATES, EnrollmentState, FieldGroup, Source

_EVERY_STATE = frozenset(EnrollmentState)
# For so long it is believed that a token's owner has not been enrolled in one section of a course; before anything is
# removed it is asked again.
_OWNER_KNOWN_FOR = timedelta(minutes=5)

_KINDS: Mapping[ScopeKind, tuple[Literal["course", "section", "person"], str]] = {
    ScopeKind.COURSE: ("course", "courses"),
    ScopeKind.SECTION: ("section", "sections"),
    ScopeKind.PERSON: ("person", "users"),
}
_INCLUDES = {FieldGroup.CONTACT: ("email", "avatar_url"), FieldGroup.LOGIN: ("uuid",)}


@dataclass(frozen=True, kw_only=True)
class _Task:
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


class EnrollmentsSource:
    """Of one institution."""

    source = Source.ENROLLMENTS_API

    def __init__(
        self,
        *,
        institution_id: int,
        canvas: Canvas,
        database: Database,
        credentials: Credentials,
        prices: PriceBook,
        clock: Callable[[], datetime],
        trust: Trust = Trust(),  # noqa: B008  frozen
    ) -> None:
        self._institution_id = institution_id
        self._canvas = canvas
        self._database = database
        self._credentials = credentials
        self._prices = prices
        self._clock = clock
        self._trust = trust
        self._owners = OwnEnrollments(canvas, clock)

    async def offers(self, needs: Sequence[Need], viewer: Viewer, now: datetime) -> list[Offer]:  # noqa: ARG002  a source's shape
        asked = {need.scope for need in needs if need.scope.kind in _KINDS}
        viewers = {need.person for need in needs if need.person is not None}
        named = await scopes.canvas_ids(
            self._database, self._institution_id, asked | {_of_person(one) for one in viewers}
        )
        rows = await scopes.expected_rows(
            self._database,
            self._institution_id,
            asked & named.keys(),
            frozenset(ROSTER_STATES).union(*(need.states for need in needs)),
        )
        looking = {one for one in viewers if await self._may_look_as(one, named)}
        found = []
        for place, need in enumerate(needs):
            if need.scope not in named or need.subject not in ROSTERS:
                continue
            offer = self._offer(place, need, now, rows.get(need.scope))
            if self._credentials.admin() is not None:
                found.append(offer(eyes=None))
            if need.person in looking:
                found.append(offer(eyes=need.person))
        return found

    async def _may_look_as(self, person: int, named: Mapping[Scope, int]) -> bool:
        if await self._credentials.of_person(person) is not None:
            return True
        return _of_person(person) in named and self._credentials.admin() is not None

    def _offer(
        self, place: int, need: Need, now: datetime, rows: int | None
    ) -> Callable[..., Offer]:
        listing = self._prices.expected(Endpoint.ENROLLMENT_PAGE)
        price = listing.price(pages(Endpoint.ENROLLMENT_PAGE, rows))
        if rows is None:  # a first list is compared with Canvas's own count, or with itself
            count = self._prices.expected(Endpoint.LOOKUP)
            price = Price(
                requests=price.requests + 1,
                quota=price.quota + count.quota,
                latency=price.latency + timedelta(seconds=count.seconds),
            )

        def through(*, eyes: int | None) -> Offer:
            own = need.scope == Scope(kind=ScopeKind.PERSON, id=eyes or 0)
            return Offer(
                source=self.source,
                needs=frozenset({place}),
                subjects=ROSTERS,
                groups=frozenset(FieldGroup),
                states=_EVERY_STATE - {EnrollmentState.DELETED} if own else _EVERY_STATE,
                as_of=now,
                eyes=eyes,
                price=price,
            )

        return through

    async def fill(
        self,
        offer: Offer,
        needs: Sequence[Need],
        viewer: Viewer,  # noqa: ARG002  a source's shape
        meter: Meter,
        *,
        background: bool = False,
        run_id: int | None = None,
    ) -> Sequence[Taken]:
        taken = []
        for place in sorted(offer.needs):
            task = await self._task(needs[place], offer.eyes)
            call = await self._call(task, meter, background=background)
            batch = await self._read(task, call)
            taken.append(
                await taking.take(
                    self._database, batch, now=self._clock(), trust=self._trust, run_id=run_id
                )
            )
        return taken

    async def _task(self, need: Need, eyes: int | None) -> _Task:
        institution = await institutions.by_id(self._database, self._institution_id)
        named = await scopes.canvas_ids(self._database, self._institution_id, [need.scope])
        if institution is None or need.scope not in named:
            raise SourceRefused("what Canvas calls this is not known, so it cannot be asked for")
        kind, segment = _KINDS[need.scope.kind]
        own = need.scope == Scope(kind=ScopeKind.PERSON, id=eyes or 0)
        canvas_id = named[need.scope]
        spelled = "self" if own else to_rest(canvas_id, institution.shard)
        return _Task(
            scope=need.scope,
            place=Place(path=f"/{segment}/{spelled}/enrollments", kind=kind, id=canvas_id),
            states=need.states | frozenset(ROSTER_STATES),
            includes=tuple(
                name for group in sorted(need.groups) for name in _INCLUDES.get(group, ())
            ),
            shard=institution.shard,
            eyes=eyes,
            own=own,
        )

    async def _call(self, task: _Task, meter: Meter, *, background: bool) -> Call:
        """A person's own token before the admin's standing in for them."""
        if task.eyes is not None:
            own = await self._credentials.of_person(task.eyes)
            if own is not None:
                return Call(credential=own, meter=meter, background=background)
        admin = self._credentials.admin()
        if admin is None:
            raise SourceRefused("there is no token to ask Canvas with")
        as_user = None if task.eyes is None else await self._spelled(task.eyes, task.shard)
        return Call(credential=admin, meter=meter, as_user=as_user, background=background)

    async def _spelled(self, person: int, shard: int) -> str:
        scope = _of_person(person)
        named = await scopes.canvas_ids(self._database, self._institution_id, [scope])
        if scope not in named:
            raise SourceRefused(
                "this person's Canvas id is not known, so nobody can stand in for them"
            )
        return to_rest(named[scope], shard)

    async def _read(self, task: _Task, call: Call) -> Batch:
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
            source=self.source,
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
        self, lists: Lists, task: _Task, began: datetime
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

    async def _missing(self, task: _Task, listed: set[int], began: datetime) -> list[Known]:
        known = await scopes.should_show(
            self._database, self._institution_id, task.scope, task.states, began
        )
        return [
            Known(canvas_id=row.canvas_id, section=row.section)
            for row in known
            if row.canvas_id not in listed
        ]

    async def _unnumbered(self, task: _Task, began: datetime) -> list[Unnumbered]:
        """Of a person's list, and of eyes that may be cut, silence proves nothing of these."""
        if task.eyes is not None or task.scope.kind is ScopeKind.PERSON:
            return []
        known = await scopes.unnumbered(
            self._database, self._institution_id, task.scope, task.states, began
        )
        return [Unnumbered(**vars(row)) for row in known]

    async def _compared(self, lists: Lists, task: _Task, began: datetime) -> set[int]:
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
        eyes = _of_person(task.eyes)
        named = await scopes.canvas_ids(self._database, self._institution_id, [eyes])
        try:
            return await lists.compare(listed, task.states, seen_by=str(named.get(eyes)))
        except (SourceRefused, NotThere):
            return listed | await read()  # whoever may not see the count

    async def _twice_if_doubtful(
        self, lists: Lists, task: _Task, read: Callable[[], Awaitable[set[int]]]
    ) -> set[int]:
        """Of a person's enrollments Canvas keeps no count, but a list is seldom cut twice at the same place."""
        listed = await read()
        return listed | await read() if await self._is_doubtful(lists, task, listed) else listed

    async def _is_doubtful(self, lists: Lists, task: _Task, listed: set[int]) -> bool:
        is_person = task.scope.kind is ScopeKind.PERSON
        if not is_person and (not listed or not lists.full_pages):
            return True
        return not await scopes.read_whole_before(
            self._database, self._institution_id, task.scope, authority=task.authority
        )

    async def _refuse_if_cut(self, lists: Lists, task: _Task, *, since: datetime) -> None:
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


def _of_person(person: int) -> Scope:
    return Scope(kind=ScopeKind.PERSON, id=person)


def _groups(lists: Lists, task: _Task) -> frozenset[FieldGroup]:
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
