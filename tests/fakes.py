"""Stand-ins that keep the contract of what they stand in for."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from gateway.batch import Taken
from gateway.canvas.client import Meter
from gateway.errors import PublicError, SourceError
from gateway.needs import Need, Scope, Subject
from gateway.offers import Offer, Price, Toll
from gateway.readpath.lookups import By
from gateway.viewer import Viewer
from models.roster import EnrollmentState, FieldGroup, GapReason, Source

EVERYTHING = frozenset(FieldGroup)
ANY_STATE = frozenset(EnrollmentState)
CHEAP = Price(requests=1, quota=1, latency=timedelta(seconds=0.1))


@dataclass
class TickingClock:
    """Every look at it takes a millisecond, so that no two moments are the same."""

    at: datetime = datetime(2026, 9, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at

    def advance(self, **span: float) -> None:
        self.at += timedelta(**span)


@dataclass(frozen=True)
class Kept:
    as_of: datetime
    source: Source
    groups: frozenset[FieldGroup] = EVERYTHING
    states: frozenset[EnrollmentState] = ANY_STATE


@dataclass
class FakeStore:
    """The local source over a ledger in memory."""

    source: Source = Source.LOCAL
    ledger: dict[tuple[Scope, Subject], Kept] = field(default_factory=dict)
    asked: int = 0

    async def offers(self, needs: Sequence[Need], viewer: Viewer, now: datetime) -> list[Offer]:
        self.asked += 1
        return [self._offer(n, need) for n, need in enumerate(needs)]

    def _offer(self, n: int, need: Need) -> Offer:
        kept = self.ledger.get((need.scope, need.subject))
        return Offer(
            source=Source.LOCAL,
            needs=frozenset({n}),
            subjects=frozenset({need.subject}),
            groups=kept.groups if kept else EVERYTHING,
            states=kept.states if kept else ANY_STATE,
            as_of=kept.as_of if kept else None,
            origins=frozenset({kept.source}) if kept else frozenset(),
        )

    async def fill(
        self,
        offer: Offer,
        needs: Sequence[Need],
        viewer: Viewer,
        meter: Meter,
        *,
        background: bool = False,
        run_id: int | None = None,
    ) -> Sequence[Taken]:
        raise AssertionError("the store is never read into itself")


@dataclass
class FakeLookups:
    """Canvas as the answer to single questions. `made`: what asking for a thing puts into the store."""

    made: Callable[[By], Awaitable[int | None]]
    asked: list[By] = field(default_factory=list)
    broken: PublicError | None = None

    def answers(self, by: By) -> bool:
        return by.type_name == "Course"

    async def ask(self, by: By) -> int | None:
        self.asked.append(by)
        if self.broken is not None:
            raise self.broken
        return await self.made(by)


@dataclass
class FakeSource:
    """A source over nothing: what it reads is in the store from when it began. `gate` holds its reads back.

    `withholds`: what it offers and does not give. `shared`: one offer for all needs, as a report makes. `failing`: what its next reads end with.
    """

    source: Source
    store: FakeStore
    clock: TickingClock
    groups: frozenset[FieldGroup] = EVERYTHING
    withholds: frozenset[FieldGroup] = frozenset()
    states: frozenset[EnrollmentState] = ANY_STATE
    subjects: frozenset[Subject] = frozenset(Subject)
    price: Price = CHEAP
    toll: Toll | None = None
    obstacle: str | None = None
    shared: bool = False
    failing: list[Exception] = field(default_factory=list)
    broken: SourceError | None = None
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    reads: list[tuple[Scope, ...]] = field(default_factory=list)
    behind: list[bool] = field(default_factory=list)
    throttles: bool = False

    def __post_init__(self) -> None:
        self.gate.set()

    async def offers(self, needs: Sequence[Need], viewer: Viewer, now: datetime) -> list[Offer]:
        places = [frozenset({n}) for n in range(len(needs))]
        if self.shared:
            places = [frozenset(range(len(needs)))]
        return [
            Offer(
                source=self.source,
                needs=place,
                subjects=self.subjects,
                groups=self.groups,
                states=self.states,
                as_of=now,
                price=self.price,
                toll=self.toll,
                obstacle=self.obstacle,
                obstacle_kind=GapReason.SOURCE_UNAVAILABLE,
            )
            for place in places
        ]

    async def fill(
        self,
        offer: Offer,
        needs: Sequence[Need],
        viewer: Viewer,
        meter: Meter,
        *,
        background: bool = False,
        run_id: int | None = None,
    ) -> Sequence[Taken]:
        began = self.clock()
        wanted = [needs[n] for n in sorted(offer.needs)]
        self.reads.append(tuple(need.scope for need in wanted))
        self.behind.append(background)
        self.begun.set()
        meter.waiting += self.throttles
        await self.gate.wait()
        meter.waiting -= self.throttles
        meter.charge(0.5)
        if self.broken is not None:
            raise self.broken
        if self.failing:
            raise self.failing.pop(0)
        return [self._take(need, began) for need in wanted]

    def _take(self, need: Need, began: datetime) -> Taken:
        given = self.groups - self.withholds
        self.store.ledger[need.scope, need.subject] = Kept(began, self.source, given, self.states)
        return Taken(source=self.source, scope=need.scope, as_of=began, whole=True, groups=given)
