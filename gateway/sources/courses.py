"""The courses of an account from Canvas's lists, with the accounts below it and the terms: by the admin's token, or the viewer's own."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from gateway.batch import Account, Batch, Course, Taken, Term
from gateway.canvas import rows
from gateway.canvas.client import PAGE_SIZE, Call, Canvas, Credential, Meter, Params
from gateway.canvas.credentials import Credentials
from gateway.errors import SourceRefused
from gateway.merge import Reading
from gateway.needs import Need, Scope, ScopeKind, Subject
from gateway.offers import Offer, Price
from gateway.prices import Endpoint, PriceBook, pages
from gateway.store import institutions, scopes, taking
from gateway.uow import Database
from gateway.viewer import Viewer
from models.canvas_ids import to_rest
from models.roster import EnrollmentState, FieldGroup, Source

WHOLE = Scope(kind=ScopeKind.INSTITUTION, id=0)
_EVERY_STATE = frozenset(EnrollmentState)  # a course's list knows nothing of them
_AT_ONCE = 2_000  # rows of one transaction: the feed is locked meanwhile


@dataclass(kw_only=True)
class _Found:
    """What the lists of one account tell, by Canvas ids. `full_pages`: no page inside a list was short."""

    root: bool = True
    accounts: dict[int, Account] = field(default_factory=dict)
    terms: dict[int, Term] = field(default_factory=dict)
    courses: dict[int, Course] = field(default_factory=dict)
    full_pages: bool = True

    def add_account(self, told: Mapping[str, Any], shard: int) -> None:
        account = rows.account(told, shard)
        self.accounts.setdefault(account.canvas_id, account)

    def add_course(self, told: Mapping[str, Any], shard: int) -> None:
        """With its term."""
        course = rows.course(told, shard)
        self.courses[course.canvas_id] = course
        if isinstance(told.get("term"), Mapping):
            term = rows.term(told["term"], shard)
            self.terms[term.canvas_id] = term


@dataclass(frozen=True)
class _Listing:
    """Accounts to be listed, as one scope. `eyes`: as in an offer."""

    call: Call
    scope: Scope
    paths: tuple[str, ...]
    shard: int
    eyes: int | None

    @property
    def authority(self) -> str:
        return "admin" if self.eyes is None else f"person:{self.eyes}"


class CoursesSource:
    """Of one institution. `account`: what its reports and lists are asked for, as it is configured."""

    source = Source.ENROLLMENTS_API

    def __init__(
        self,
        *,
        institution_id: int,
        account: str,
        canvas: Canvas,
        database: Database,
        credentials: Credentials,
        prices: PriceBook,
        clock: Callable[[], datetime],
    ) -> None:
        self._institution_id = institution_id
        self._account = account
        self._canvas = canvas
        self._database = database
        self._credentials = credentials
        self._prices = prices
        self._clock = clock

    async def offers(self, needs: Sequence[Need], viewer: Viewer, now: datetime) -> list[Offer]:
        """Only for those who see some account: nobody else's question is worth a list of everything."""
        asked = [
            (place, need)
            for place, need in enumerate(needs)
            if need.subject is Subject.COURSES
            and need.scope.kind in (ScopeKind.INSTITUTION, ScopeKind.ACCOUNT)
        ]
        if not asked or not viewer.rights.sees_accounts:
            return []
        eyes = None if self._credentials.admin() else viewer.user_id
        if await self._credential(eyes) is None:
            return []
        known = await scopes.courses(self._database, self._institution_id)
        price = self._price(known or None)
        return [
            Offer(
                source=self.source,
                needs=frozenset({place}),
                subjects=frozenset({Subject.COURSES}),
                groups=frozenset(FieldGroup),
                states=_EVERY_STATE,
                as_of=now,
                eyes=eyes,
                price=price,
            )
            for place, _ in asked
        ]

    def _price(self, courses: int | None) -> Price:
        """The pages of courses, and two calls for the accounts."""
        listed = self._prices.expected(Endpoint.COURSE_PAGE).price(
            pages(Endpoint.COURSE_PAGE, courses)
        )
        looked_up = self._prices.expected(Endpoint.LOOKUP).price(2)
        return Price(
            requests=listed.requests + looked_up.requests,
            quota=listed.quota + looked_up.quota,
            latency=listed.latency + looked_up.latency,
        )

    async def fill(
        self,
        offer: Offer,
        needs: Sequence[Need],
        viewer: Viewer,  # noqa: ARG002  a source's shape
        meter: Meter,
        *,
        background: bool = False,
        run_id: int | None = None,  # noqa: ARG002  syncs list courses themselves
    ) -> Sequence[Taken]:
        credential = await self._credential(offer.eyes)
        institution = await institutions.by_id(self._database, self._institution_id)
        if credential is None or institution is None:
            raise SourceRefused("there is no token to ask Canvas for its courses with")
        call = Call(credential=credential, meter=meter, background=background)
        taken = []
        for place in sorted(offer.needs):
            scope = needs[place].scope
            listing = _Listing(
                call,
                scope,
                await self._paths(call, scope, institution.shard, offer.eyes),
                institution.shard,
                offer.eyes,
            )
            taken.append(await self._listed(listing))
        return taken

    async def _credential(self, eyes: int | None) -> Credential | None:
        if eyes is None:
            return self._credentials.admin()
        return await self._credentials.of_person(eyes)

    async def _paths(
        self, call: Call, scope: Scope, shard: int, eyes: int | None
    ) -> tuple[str, ...]:
        """The accounts to be listed: to a person's own eyes, those that they administer."""
        if scope == WHOLE and eyes is None:
            return (f"/accounts/{self._account}",)
        if scope == WHOLE:
            own = [row async for page in self._canvas.pages(call, "/accounts") for row in page]
            ids = {row.get("id") for row in own}
            tops = [row for row in own if row.get("parent_account_id") not in ids]
            return tuple(f"/accounts/{row['id']}" for row in tops)
        named = await scopes.canvas_ids(self._database, self._institution_id, [scope])
        if scope not in named:
            raise SourceRefused("what Canvas calls this account is not known")
        return (f"/accounts/{to_rest(named[scope], shard)}",)

    async def _listed(self, listing: _Listing) -> Taken:
        call, scope = listing.call, listing.scope
        began = self._clock()
        spent = (call.meter.requests, call.meter.quota)
        found = _Found()
        await self._list(listing, found)
        if scope == WHOLE and listing.eyes is None and not found.root:
            scope = Scope(kind=ScopeKind.ACCOUNT, id=await self._known(found, began))
        if not found.full_pages or not await scopes.read_whole_before(
            self._database, self._institution_id, scope, authority=listing.authority
        ):
            # Canvas keeps no count of them, but a list is seldom cut twice at the same place.
            await self._list(listing, found)
        ended = self._clock()
        requests, quota = call.meter.requests - spent[0], call.meter.quota - spent[1]
        self._prices.teach(
            Endpoint.COURSE_PAGE,
            quota=quota,
            seconds=(ended - began) / timedelta(seconds=1),
            calls=requests,
        )
        courses = list(found.courses.values())
        parts = [courses[n : n + _AT_ONCE] for n in range(0, len(courses), _AT_ONCE)]
        *first, last = parts or [[]]
        for some in first:
            await self._take(self._batch(found, some, began, ended))
        whole = replace(
            self._batch(found, last, began, ended),
            scope=scope,
            subject=Subject.COURSES,
            authority=listing.authority,
            whole=True,
            full=listing.eyes is None,
            requests=requests,
            quota=quota,
        )
        return await self._take(whole)

    async def _list(self, listing: _Listing, found: _Found) -> None:
        call, shard = listing.call, listing.shard
        for path in listing.paths:
            own = await self._canvas.get(call, path)
            found.root = found.root and own.get("root_account_id") is None
            found.add_account(own, shard)
            below: Params = [("recursive", "true")]
            async for one in self._rows(call, f"{path}/sub_accounts", below, found):
                found.add_account(one, shard)
            with_terms: Params = [("include[]", "term")]
            async for one in self._rows(call, f"{path}/courses", with_terms, found):
                found.add_course(one, shard)

    async def _rows(
        self, call: Call, path: str, params: Params, found: _Found
    ) -> AsyncIterator[Mapping[str, Any]]:
        before = PAGE_SIZE
        async for page in self._canvas.pages(call, path, params):
            found.full_pages = found.full_pages and before == PAGE_SIZE
            before = len(page)
            for row in page:
                yield row

    async def _known(self, found: _Found, began: datetime) -> int:
        """Our id of the account that was listed, which is written down first."""
        await self._take(self._batch(found, (), began, began))
        row = await scopes.row_of(
            self._database, self._institution_id, "account", next(iter(found.accounts))
        )
        if row is None:
            raise SourceRefused("the account that was listed is not there any more")
        return row

    def _batch(
        self, found: _Found, courses: Iterable[Course], began: datetime, ended: datetime
    ) -> Batch:
        return Batch(
            institution_id=self._institution_id,
            source=self.source,
            reading=Reading.ENROLLMENTS_API,
            authority="admin",
            began_at=began,
            ended_at=ended,
            accounts=tuple(found.accounts.values()),
            terms=tuple(found.terms.values()),
            courses=tuple(courses),
        )

    async def _take(self, batch: Batch) -> Taken:
        return await taking.take(self._database, batch, now=self._clock())
