"""Provisioning reports as a source: the newest finished run of the account, whoever started it, or a run of our own.

One tells of everybody at once, for next to no quota, but minutes late. It is loaded from its file by whoever imports files
that an operator sends, so nothing of it is ever whole in memory.
"""

import tempfile
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from gateway.batch import Taken
from gateway.canvas.client import Call, Meter
from gateway.canvas.credentials import Credentials
from gateway.canvas.reports import Reports, Run
from gateway.errors import CutShort, SourceDown, SourceError, SourceRefused, UnusableFile
from gateway.needs import ROSTERS, Need, Subject
from gateway.offers import Offer, Price, total
from gateway.prices import Endpoint, PriceBook
from gateway.store.absences import SHOWN_STATES
from gateway.store.runs import ImportRunning
from gateway.viewer import Viewer
from models.roster import FieldGroup, Source

_TOLD = ROSTERS | {Subject.COURSES}
_GROUPS = frozenset({FieldGroup.STANDING, FieldGroup.NAME, FieldGroup.LOGIN, FieldGroup.CONTACT})
_LOOKED_UP_FOR = timedelta(minutes=5)
# A run that takes longer is stuck, or the school's queue is.
_MOST_PATIENCE = timedelta(hours=1)

Load = Callable[[Path, datetime], Awaitable[Taken]]
"""Loads a report's file as of a time (`gateway.sync.report_loads`)."""


@dataclass(kw_only=True)
class _Newest:
    """The newest finished run, as of when it was looked up."""

    run: Run | None = None
    looked_at: datetime | None = None


class ReportSource:
    """Of one institution."""

    source = Source.REPORT

    def __init__(
        self,
        *,
        reports: Reports,
        credentials: Credentials,
        load: Load,
        loaded: Callable[[], Awaitable[datetime | None]],
        prices: PriceBook,
        clock: Callable[[], datetime],
    ) -> None:
        """`loaded`: as of when the newest report in the store is."""
        self._reports = reports
        self._credentials = credentials
        self._load = load
        self._loaded = loaded
        self._prices = prices
        self._clock = clock
        self._newest = _Newest()

    async def offers(self, needs: Sequence[Need], viewer: Viewer, now: datetime) -> list[Offer]:
        told = _TOLD if viewer.rights.sees_accounts else ROSTERS
        wanted = frozenset(n for n, need in enumerate(needs) if need.subject in told)
        if not wanted or self._credentials.admin() is None:
            return []
        load = self._prices.expected(Endpoint.REPORT_LOAD).price(1)
        anew = self._prices.expected(Endpoint.REPORT).price(1)
        run = Offer(
            source=self.source,
            needs=wanted,
            subjects=_TOLD,
            groups=_GROUPS,
            states=frozenset(SHOWN_STATES),
            as_of=now,
            price=_one_after_another(anew, load),
        )
        finished = await self._finished(max(needs[n].max_age for n in wanted), now)
        if finished is None:
            return [run]
        return [replace(run, as_of=finished.began_at, price=load), run]

    async def _finished(self, max_age: timedelta, now: datetime) -> Run | None:
        """A finished run that is newer than what was loaded, and new enough for somebody."""
        loaded = await self._loaded()
        newer_than = (
            now - max_age if max_age < now - datetime.min.replace(tzinfo=now.tzinfo) else None
        )
        if loaded is not None and newer_than is not None and loaded >= newer_than:
            return None  # what is here will do
        await self._look_up(now)
        run = self._newest.run
        if run is None or (loaded is not None and run.began_at <= loaded):
            return None
        return run

    async def _look_up(self, now: datetime) -> None:
        """Asked seldom: a plan must not cost more than what it saves."""
        looked_at = self._newest.looked_at
        if looked_at is not None and now - looked_at < _LOOKED_UP_FOR:
            return
        self._newest.looked_at = now
        meter, began = Meter(), self._clock()
        try:
            runs = await self._reports.runs(self._call(meter, background=False))
        except SourceError:
            self._newest.run = None  # whoever carries out an offer will be told why
            return
        self._newest.run = next((run for run in runs if run.usable), None)
        self._teach(Endpoint.REPORT_LOOKUP, meter, began)

    async def fill(
        self,
        offer: Offer,
        needs: Sequence[Need],  # noqa: ARG002  a source's shape
        viewer: Viewer,  # noqa: ARG002  as above
        meter: Meter,
        *,
        background: bool = False,
        run_id: int | None = None,  # noqa: ARG002  a report is loaded by a run of its own
    ) -> Sequence[Taken]:
        call = self._call(meter, background=background)
        run = await self._run(call, offer)
        began = self._clock()
        with tempfile.TemporaryDirectory(prefix="roster-report-") as folder:
            path = Path(folder) / "report"
            await self._reports.fetch(call, run, path)
            try:
                taken = await self._load(path, run.began_at)
            except UnusableFile as error:
                raise CutShort(f"report {run.id} cannot be used: {error}") from error
            except ImportRunning as error:
                raise SourceDown(str(error)) from error
        self._prices.teach(
            Endpoint.REPORT_LOAD, quota=0.0, seconds=(self._clock() - began).total_seconds()
        )
        return [taken]

    async def _run(self, call: Call, offer: Offer) -> Run:
        newest = self._newest.run
        if newest is not None and newest.began_at == offer.as_of:
            return newest
        began = self._clock()
        started = await self._reports.start(call, not_before=began - _MOST_PATIENCE)
        run = await self._reports.ended(call, started, within=_MOST_PATIENCE)
        self._newest = _Newest(run=run, looked_at=self._clock())
        self._teach(Endpoint.REPORT, call.meter, began)
        return run

    def _call(self, meter: Meter, *, background: bool) -> Call:
        admin = self._credentials.admin()
        if admin is None:
            raise SourceRefused("there is no token to ask Canvas for a report with")
        return Call(credential=admin, meter=meter, background=background)

    def _teach(self, endpoint: Endpoint, meter: Meter, began: datetime) -> None:
        self._prices.teach(
            endpoint, quota=meter.quota, seconds=(self._clock() - began).total_seconds()
        )


def _one_after_another(*prices: Price) -> Price:
    """Unlike steps side by side, each waits for the one before."""
    waited = sum((price.latency for price in prices), timedelta(0))
    return replace(total(prices), latency=waited)
