"""The Enrollments API as a source: the list of a course, a section or a person, by the admin's token or through a viewer's eyes."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from gateway.batch import Taken
from gateway.canvas.client import Call, Canvas, Meter
from gateway.canvas.credentials import Credentials
from gateway.canvas.enrollment_lists import Place
from gateway.errors import SourceRefused
from gateway.identity import Trust
from gateway.needs import ROSTERS, Need, Scope, ScopeKind
from gateway.offers import Offer, Price
from gateway.prices import Endpoint, PriceBook, pages
from gateway.sources.whole_lists import Task, WholeLists, of_person
from gateway.store import institutions, scopes, taking
from gateway.uow import Database
from gateway.viewer import Viewer
from models.canvas_ids import to_rest
from models.roster import ROSTER_STATES, EnrollmentState, FieldGroup, Source

_EVERY_STATE = frozenset(EnrollmentState)
_KINDS: Mapping[ScopeKind, tuple[Literal["course", "section", "person"], str]] = {
    ScopeKind.COURSE: ("course", "courses"),
    ScopeKind.SECTION: ("section", "sections"),
    ScopeKind.PERSON: ("person", "users"),
}
_INCLUDES = {FieldGroup.CONTACT: ("email", "avatar_url"), FieldGroup.LOGIN: ("uuid",)}


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
        self._database = database
        self._credentials = credentials
        self._prices = prices
        self._clock = clock
        self._trust = trust
        self._lists = WholeLists(
            institution_id=institution_id,
            canvas=canvas,
            database=database,
            prices=prices,
            clock=clock,
        )

    async def offers(self, needs: Sequence[Need], viewer: Viewer, now: datetime) -> list[Offer]:  # noqa: ARG002  a source's shape
        asked = {need.scope for need in needs if need.scope.kind in _KINDS}
        viewers = {need.person for need in needs if need.person is not None}
        named = await scopes.canvas_ids(
            self._database, self._institution_id, asked | {of_person(one) for one in viewers}
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
        return of_person(person) in named and self._credentials.admin() is not None

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
            batch = await self._lists.read(task, call)
            taken.append(
                await taking.take(
                    self._database, batch, now=self._clock(), trust=self._trust, run_id=run_id
                )
            )
        return taken

    async def _task(self, need: Need, eyes: int | None) -> Task:
        institution = await institutions.by_id(self._database, self._institution_id)
        named = await scopes.canvas_ids(self._database, self._institution_id, [need.scope])
        if institution is None or need.scope not in named:
            raise SourceRefused("what Canvas calls this is not known, so it cannot be asked for")
        kind, segment = _KINDS[need.scope.kind]
        own = need.scope == Scope(kind=ScopeKind.PERSON, id=eyes or 0)
        canvas_id = named[need.scope]
        spelled = "self" if own else to_rest(canvas_id, institution.shard)
        return Task(
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

    async def _call(self, task: Task, meter: Meter, *, background: bool) -> Call:
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
        scope = of_person(person)
        named = await scopes.canvas_ids(self._database, self._institution_id, [scope])
        if scope not in named:
            raise SourceRefused(
                "this person's Canvas id is not known, so nobody can stand in for them"
            )
        return to_rest(named[scope], shard)
