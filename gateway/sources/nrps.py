"""Names and Roles as a source: who is active in a course, pulled whole over LTI from where the course was launched.

It tells members, never enrollments: no sections, one entry a person. Canvas's pages are numbered slices, made anew for each,
so a change between two can skip somebody, and no count tells of a page that was cut: whoever is missing is looked for in a second pull.
"""

import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import urlencode, urlsplit

from gateway.batch import UNTOLD, Batch, Taken
from gateway.cache import Cache
from gateway.canvas.client import Call, Canvas, Meter
from gateway.canvas.members import LONGEST_PAGE, MEDIA_TYPE, Roster
from gateway.canvas.service_tokens import LASTS, NRPS, ServiceTokens
from gateway.errors import AddressRefused, CutShort, NotThere, RequestRefused, SourceRefused
from gateway.http.addresses import origin
from gateway.identity import Trust
from gateway.merge import Guard, Reading
from gateway.needs import ROSTERS, Need, Scope, ScopeKind, Subject
from gateway.offers import Offer, Toll
from gateway.prices import Endpoint, PriceBook, pages
from gateway.sources.differences import Differences
from gateway.store import institutions, lti_contexts, memberships, scopes, taking
from gateway.store.lti_contexts import LaunchedFrom
from gateway.uow import Database
from gateway.viewer import Viewer
from models.roster import EnrollmentState, FieldGroup, GapReason, Source

_log = logging.getLogger(__name__)

_ACTIVE = frozenset({EnrollmentState.ACTIVE})
_AT_FIRST = frozenset({FieldGroup.NAME, FieldGroup.CONTACT})


class Registration(Protocol):
    """Us on a platform (`gateway.lti.platforms.Registration`)."""

    @property
    def client_id(self) -> str: ...

    @property
    def token_url(self) -> str: ...

    @property
    def scope(self) -> str:
        """What a `sub` is unique in."""


Registered = Callable[[str, str], Awaitable[Registration | None]]


@dataclass(frozen=True, kw_only=True)
class _Service:
    """The roster of one course. `of_canvas`: Canvas serves it, by its rules."""

    url: str
    context_id: str
    registration: Registration
    of_canvas: bool
    shard: int

    def asked(self, *, with_message: bool) -> str:
        query = {"limit": str(LONGEST_PAGE)}
        if with_message:
            query["rlid"] = self.context_id
        joined = "&" if urlsplit(self.url).query else "?"
        return f"{self.url}{joined}{urlencode(query)}"


@dataclass(frozen=True, kw_only=True)
class Platforms:
    """How the platforms of an institution are asked: `registered` finds us by issuer and client id.

    `hosts`: origins that may serve rosters beside the platform's own.
    """

    service: Canvas
    tokens: ServiceTokens
    registered: Registered
    hosts: Collection[str] = ()


class NrpsSource:
    """Of one institution."""

    source = Source.NRPS

    def __init__(
        self,
        *,
        institution_id: int,
        database: Database,
        platforms: Platforms,
        prices: PriceBook,
        cache: Cache,
        clock: Callable[[], datetime],
        trust: Trust = Trust(),  # noqa: B008  frozen
        guard: Guard = Guard(),  # noqa: B008  frozen
    ) -> None:
        self._institution_id = institution_id
        self._database = database
        self._platforms = platforms
        self._prices = prices
        self._clock = clock
        self._trust = trust
        self._guard = guard
        self._without_canvas_ids: set[str] = set()
        self._differences = Differences(
            institution_id=institution_id, database=database, cache=cache
        )

    async def offers(self, needs: Sequence[Need], viewer: Viewer, now: datetime) -> list[Offer]:  # noqa: ARG002  a source's shape
        courses = {need.scope.id for need in needs if need.scope.kind is ScopeKind.COURSE}
        launched = await lti_contexts.of_courses(self._database, self._institution_id, courses)
        rows = await memberships.expected(self._database, self._institution_id, launched)
        shown = await memberships.groups_shown(self._database, self._institution_id, launched)
        page = self._prices.expected(Endpoint.MEMBER_PAGE)
        found = []
        for place, need in enumerate(needs):
            course = need.scope.id
            if need.scope.kind is not ScopeKind.COURSE or need.subject not in ROSTERS:
                continue
            if course not in launched:
                continue
            registration, obstacle = await self._asked_by(launched[course])
            times = 1 if course in shown else 2  # a first list is read again, lest it was cut
            found.append(
                Offer(
                    source=self.source,
                    needs=frozenset({place}),
                    subjects=frozenset({Subject.MEMBERS}),
                    groups=shown.get(course, shown.get(0, _AT_FIRST)),
                    states=_ACTIVE,
                    as_of=now,
                    price=page.price(times * pages(Endpoint.MEMBER_PAGE, rows.get(course))),
                    toll=None if registration is None else await self._toll(registration),
                    obstacle=obstacle,
                    obstacle_kind=GapReason.NOT_PERMITTED,
                )
            )
        return found

    async def _toll(self, registration: Registration) -> Toll:
        """Whoever asks first pays for the token that serves every course until it ends."""
        held = await self._platforms.tokens.is_held(registration, NRPS)
        token = self._prices.expected(Endpoint.SERVICE_TOKEN)
        return Toll(
            key=f"{registration.token_url} {registration.client_id}",
            name="a token of the platform",
            lasts=LASTS,
            due=0.0 if held else token.quota,
        )

    async def _asked_by(self, launched: LaunchedFrom) -> tuple[Registration | None, str | None]:
        """Us on the platform that launched a course, and why its roster cannot be asked for all the same."""
        registration = await self._platforms.registered(launched.issuer, launched.client_id)
        if registration is None:
            return None, "the platform that launched it is not configured any more"
        institution = await institutions.by_id(self._database, self._institution_id)
        canvas_url = institution.canvas_url if institution else None
        if not self._may_ask(launched.memberships_url, registration, canvas_url):
            host = urlsplit(launched.memberships_url).netloc
            return registration, f"its roster is served by {host}, which is not among nrps_hosts"
        return registration, None

    def _may_ask(self, url: str, registration: Registration, canvas_url: str | None) -> bool:
        """Our token goes to the platform's own hosts alone, wherever a launch may point."""
        trusted = [
            registration.token_url,
            *self._platforms.hosts,
            *([canvas_url] if canvas_url else []),
        ]
        try:
            return origin(url) in {origin(one) for one in trusted}
        except AddressRefused:
            return False

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
            batch, roster = await self._read(needs[place], meter, background=background)
            one = await taking.take(
                self._database,
                batch,
                now=self._clock(),
                trust=self._trust,
                guard=self._guard,
                run_id=run_id,
            )
            if one.whole:
                await self._differences.keep(needs[place].scope.id, roster, batch.groups)
            taken.append(one)
        return taken

    async def _found(self, course: int) -> _Service:
        ids = (self._database, self._institution_id)
        launched = (await lti_contexts.of_courses(*ids, [course])).get(course)
        institution = await institutions.by_id(*ids)
        if launched is None or institution is None:
            raise SourceRefused(
                "nobody has launched this course, so its roster's address is not known"
            )
        registration, obstacle = await self._asked_by(launched)
        if registration is None or obstacle is not None:
            raise SourceRefused(obstacle or "the platform cannot be asked")
        url, canvas_url = launched.memberships_url, institution.canvas_url
        return _Service(
            url=url,
            context_id=launched.context_id,
            registration=registration,
            of_canvas=canvas_url is not None and origin(url) == origin(canvas_url),
            shard=institution.shard,
        )

    async def _read(self, need: Need, meter: Meter, *, background: bool) -> tuple[Batch, Roster]:
        service = await self._found(need.scope.id)
        call = Call(
            credential=self._platforms.tokens.credential(service.registration, NRPS),
            meter=meter,
            background=background,
        )
        began = self._clock()
        spent = (meter.requests, meter.quota)
        roster, groups = await self._changed(service, need.scope.id, call)
        ended = self._clock()
        batch = Batch(
            institution_id=self._institution_id,
            source=self.source,
            reading=Reading.NRPS,
            authority="platform",
            began_at=began,
            ended_at=ended,
            scope=need.scope,
            subject=Subject.MEMBERS,
            groups=groups,
            states=_ACTIVE,
            whole=True,
            full=True,
            people=tuple(roster.people.values()),
            memberships=tuple(roster.memberships.values()),
            requests=meter.requests - spent[0],
            quota=meter.quota - spent[1],
        )
        return batch, roster

    async def _changed(
        self, service: _Service, course: int, call: Call
    ) -> tuple[Roster, frozenset[FieldGroup]]:
        """The list before with what changed since, where the platform tells that; else the whole list."""
        since = await self._differences.since(course, service.registration.scope)
        if since is not None and origin(since.url) == origin(service.url):
            try:
                changes = await self._pull(service, call, url=since.url)
            except (CutShort, NotThere, RequestRefused, SourceRefused):
                _log.info("the platform does not know any more what changed since")
            else:
                return await self._differences.completed(course, changes), since.groups
        roster = await self._pulled(service, course, call)
        return roster, _groups(roster)

    async def _pulled(self, service: _Service, course: int, call: Call) -> Roster:
        """With custom fields where they may say whom an unknown `sub` is: they cost Canvas several times as much."""
        roster, once = await self._pull(service, call), True
        if service.of_canvas and service.registration.scope not in self._without_canvas_ids:
            known = await memberships.known_subs(
                self._database,
                self._institution_id,
                roster.people,
                scope=service.registration.scope,
            )
            if not known.issuperset(roster.people):
                told = await self._pull(service, call, with_message=True)
                if not any(person.canvas_id for person in told.people.values()):
                    self._without_canvas_ids.add(service.registration.scope)
                roster, once = roster.completed_by(told), False
        if (once and await self._is_first(course)) or await self._misses_somebody(
            service, course, roster
        ):
            return (await self._pull(service, call)).completed_by(roster)
        return roster

    async def _is_first(self, course: int) -> bool:
        """Then nobody is known who could be missed."""
        return not await scopes.read_whole_before(
            self._database,
            self._institution_id,
            Scope(kind=ScopeKind.COURSE, id=course),
            authority="platform",
            source=Source.NRPS,
        )

    async def _misses_somebody(self, service: _Service, course: int, roster: Roster) -> bool:
        known = await memberships.nameable(
            self._database, self._institution_id, course, scope=service.registration.scope
        )
        named = {alias.value for person in roster.people.values() for alias in person.aliases}
        return any(not names & named for names in known.values())

    async def _pull(
        self,
        service: _Service,
        call: Call,
        *,
        with_message: bool = False,
        url: str | None = None,
    ) -> Roster:
        """`url`: where there are changes alone."""
        roster = Roster(scope=service.registration.scope, shard=service.shard)
        began, spent = self._clock(), (call.meter.requests, call.meter.quota)
        pulled = self._platforms.service.containers(
            call,
            url or service.asked(with_message=with_message),
            MEDIA_TYPE,
            names_its_pages=service.of_canvas,
        )
        before = LONGEST_PAGE
        async for container in pulled:
            if service.of_canvas and before < LONGEST_PAGE:
                raise CutShort("a page inside the membership list was short")
            before = roster.add(container.body)
            roster.differences = container.differences or roster.differences
            if service.of_canvas and roster.context_id not in (None, service.context_id):
                raise CutShort("the membership list that came is another course's")
        self._prices.teach(
            Endpoint.MEMBER_PAGE_WITH_MESSAGE if with_message else Endpoint.MEMBER_PAGE,
            quota=call.meter.quota - spent[1],
            seconds=(self._clock() - began).total_seconds(),
            calls=call.meter.requests - spent[0],
        )
        return roster


def _groups(roster: Roster) -> frozenset[FieldGroup]:
    """What the privacy level let through; of nobody, what it may let through at most."""
    people = roster.people.values()
    shown: Mapping[FieldGroup, bool] = {
        FieldGroup.NAME: any(person.name is not UNTOLD for person in people),
        FieldGroup.CONTACT: any(person.email is not UNTOLD for person in people),
        FieldGroup.LOGIN: any(person.login_id is not UNTOLD for person in people),
    }
    return frozenset(group for group, told in shown.items() if told) if people else _AT_FIRST
