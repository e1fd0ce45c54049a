"""Where each institution's rosters can be read, put together from its configuration, and the reads of them all."""

import asyncio
import logging
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
from gateway.prices import PriceBook
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
from gateway.store.prices import KeptPrices, kept_prices
from gateway.sync.report_loads import loader
from gateway.uow import Database
from gateway.upstreams import Upstream

_log = logging.getLogger(__name__)

_KEPT_EVERY_SECONDS = 60.0

Clock = Callable[[], datetime]


@dataclass(frozen=True, kw_only=True)
class Sourcing:
    """What sources are made of. `upstreams`: the Canvas of each institution that has one, by our id."""

    configured: Settings
    database: Database
    connections: Connections
    http: Client
    upstreams: Mapping[int, Upstream]
    platforms: LtiPlatforms
    sign: Signer
    shared: Shared
    clock: Clock

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Reads]:
        """The reads of all institutions; what they learn of prices is kept."""
        kept = kept_prices(self.database)
        known = await kept.learned()
        books: dict[int, PriceBook] = {}
        connected: dict[int, Connected] = {}
        for one in self.configured.institutions:
            institution = await institutions.by_slug(self.database, one.slug)
            if institution is None:
                continue
            prices = books[institution.id] = PriceBook(known.get(institution.id))
            connected[institution.id] = self._connected(one, institution, prices)
        reads = Reads(
            connected,
            Flights(self.shared.turns, self.clock),
            self.clock,
            Healths(clock=self.clock, cache=self.shared.cache),
        )
        keeping = asyncio.create_task(_keep(kept, books))
        try:
            yield reads
        finally:
            keeping.cancel()
            await reads.close()
            await _save(kept, books)

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


async def _keep(kept: KeptPrices, books: Mapping[int, PriceBook]) -> None:
    while True:
        await asyncio.sleep(_KEPT_EVERY_SECONDS)
        await _save(kept, books)


async def _save(kept: KeptPrices, books: Mapping[int, PriceBook]) -> None:
    news = {institution_id: book.news() for institution_id, book in books.items()}
    learned = {institution_id: new for institution_id, new in news.items() if new}
    if not learned:
        return
    try:
        await kept.save(learned)
    except Exception:  # noqa: BLE001  whatever it was: they are learned anew after a restart
        _log.exception("prices were not kept")
