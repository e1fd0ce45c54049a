"""Where each institution's rosters can be read, put together from its configuration, and the reads of them all."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from gateway import settings
from gateway.batch import Taken
from gateway.canvas.client import Canvas
from gateway.canvas.reports import Reports
from gateway.canvas.service_tokens import ServiceTokens, Signer
from gateway.flights import Flights
from gateway.healths import Healths
from gateway.http.client import Client
from gateway.lti.platforms import Platforms as LtiPlatforms
from gateway.lti.platforms import Registration
from gateway.merge import Guard
from gateway.prices import PriceBook, PriceBooks
from gateway.readpath.connections import Connections
from gateway.reads import Connected, Reads, RosterSource
from gateway.settings import Settings
from gateway.shared import Shared
from gateway.sources.api import ApiSource
from gateway.sources.courses import CoursesSource
from gateway.sources.enrollments import EnrollmentsSource
from gateway.sources.local import LocalSource
from gateway.sources.lookups import Lookups
from gateway.sources.nrps import NrpsSource, Platforms
from gateway.sources.report import ReportSource
from gateway.store import institutions, scopes
from gateway.store.institutions import Institution
from gateway.sync.report_loads import loader
from gateway.uow import Database
from gateway.upstreams import Upstream

Clock = Callable[[], datetime]


@dataclass(frozen=True, kw_only=True)
class Sourcing:
    """What sources are made of. `upstreams`: the Canvas of each institution that has one, by our id.

    `books`: what calls to each are known to cost.
    """

    configured: Settings
    database: Database
    connections: Connections
    http: Client
    upstreams: Mapping[int, Upstream]
    platforms: LtiPlatforms
    sign: Signer
    shared: Shared
    books: PriceBooks
    clock: Clock

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Reads]:
        """The reads of all institutions."""
        connected: dict[int, Connected] = {}
        for one in self.configured.institutions:
            institution = await institutions.by_slug(self.database, one.slug)
            if institution is None:
                continue
            prices = self.books.of(institution.id)
            connected[institution.id] = self._connected(one, institution, prices)
        reads = Reads(
            connected,
            Flights(self.shared.turns, self.clock),
            self.clock,
            Healths(clock=self.clock, cache=self.shared.cache),
        )
        try:
            yield reads
        finally:
            await reads.close()

    def _connected(
        self, one: settings.Institution, institution: Institution, prices: PriceBook
    ) -> Connected:
        upstream = self.upstreams.get(institution.id)
        admin = upstream and upstream.credentials.admin()
        found: list[RosterSource] = []
        if upstream is not None:
            found.append(
                ApiSource(
                    enrollments=self._enrollments(institution, upstream, prices),
                    courses=self._courses(one, institution, upstream, prices),
                )
            )
        if upstream is not None or one.lti13:
            found.append(self._nrps(one, institution, prices))
        if upstream is not None and admin is not None:
            found.append(self._report(one, institution, upstream, prices))
        return Connected(
            local=LocalSource(self.connections),
            upstream=found,
            remaining=partial(upstream.canvas.remaining, admin) if upstream and admin else None,
            lookups=self._lookups(institution, upstream) if upstream and admin else None,
        )

    def _lookups(self, institution: Institution, upstream: Upstream) -> Lookups:
        return Lookups(
            institution_id=institution.id,
            canvas=upstream.canvas,
            database=self.database,
            credentials=upstream.credentials,
            clock=self.clock,
            cache=self.shared.cache,
        )

    def _enrollments(
        self, institution: Institution, upstream: Upstream, prices: PriceBook
    ) -> EnrollmentsSource:
        return EnrollmentsSource(
            institution_id=institution.id,
            canvas=upstream.canvas,
            database=self.database,
            credentials=upstream.credentials,
            prices=prices,
            clock=self.clock,
        )

    def _courses(
        self,
        one: settings.Institution,
        institution: Institution,
        upstream: Upstream,
        prices: PriceBook,
    ) -> CoursesSource:
        return CoursesSource(
            institution_id=institution.id,
            account=one.account_id,
            canvas=upstream.canvas,
            database=self.database,
            credentials=upstream.credentials,
            prices=prices,
            clock=self.clock,
        )

    def _nrps(
        self, one: settings.Institution, institution: Institution, prices: PriceBook
    ) -> NrpsSource:
        async def registered(issuer: str, client_id: str) -> Registration | None:
            return await self.platforms.registered(one.slug, issuer, client_id)

        return NrpsSource(
            institution_id=institution.id,
            database=self.database,
            platforms=Platforms(
                service=Canvas(
                    http=self.http, base_url=one.canvas_url or "", buckets=self.shared.buckets
                ),
                tokens=ServiceTokens(
                    http=self.http,
                    sign=self.sign,
                    prices=prices,
                    cache=self.shared.cache,
                    clock=self.clock,
                ),
                registered=registered,
                hosts=one.nrps_hosts,
            ),
            prices=prices,
            cache=self.shared.cache,
            clock=self.clock,
            guard=Guard(share=one.shrink_guard, least=one.shrink_guard_min),
        )

    def _report(
        self,
        one: settings.Institution,
        institution: Institution,
        upstream: Upstream,
        prices: PriceBook,
    ) -> ReportSource:
        async def load(path: Path, as_of: datetime) -> Taken:
            account = await institutions.reported_account(
                self.database, institution, one.account_id
            )
            guard = Guard(share=one.shrink_guard, least=one.shrink_guard_min)
            work = loader(
                self.database, institution.id, clock=self.clock, guard=guard, account=account
            )
            return await work(path, as_of)

        return ReportSource(
            reports=Reports(
                canvas=upstream.canvas,
                http=self.http,
                account=one.account_id,
                sleep=asyncio.sleep,
            ),
            credentials=upstream.credentials,
            load=load,
            loaded=partial(scopes.newest_report, self.database, institution.id),
            prices=prices,
            clock=self.clock,
        )
