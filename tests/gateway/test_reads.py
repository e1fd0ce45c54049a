"""Reads: in order, once for all who may share it, within time and budget, and never without a word."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from gateway.errors import CutShort, SourceDown, SourceRefused, SourceThrottled
from gateway.flights import Flights, OwnTurns, Turns
from gateway.needs import Need, Scope, ScopeKind, Subject
from gateway.offers import Price, Toll
from gateway.outcomes import Asking, Outcome, Spending
from gateway.reads import Connected, Reads
from gateway.viewer import Viewer
from models.roster import EnrollmentState, FieldGroup, GapReason, Source
from tests.fakes import FakeSource, FakeStore, Kept, TickingClock

STANDING = frozenset({FieldGroup.STANDING})
VIEWER = Viewer(
    institution_id=1, institution_slug="demo", canvas_url=None, shard=1, scopes=frozenset()
)


def a_need(course: int = 1, *, seconds: float = 0, **more: object) -> Need:
    given = {
        "scope": Scope(kind=ScopeKind.COURSE, id=course),
        "subject": Subject.ENROLLMENTS,
        "groups": STANDING,
        "states": frozenset({EnrollmentState.ACTIVE}),
        "max_age": timedelta(seconds=seconds),
    }
    return Need(**{**given, **more})  # type: ignore[arg-type]  # a need's own fields


@dataclass
class House:
    """The reads of one process over a store, an Enrollments API and NRPS."""

    clock: TickingClock
    store: FakeStore
    api: FakeSource
    nrps: FakeSource
    reads: Reads

    async def ask(self, *needs: Need, **more: object) -> list[Outcome]:
        return await self.reads.ensure(needs, self.asking(**more))

    async def one(self, need: Need, **more: object) -> Outcome:
        (outcome,) = await self.ask(need, **more)
        return outcome

    def asking(self, **more: object) -> Asking:
        return Asking(**{"viewer": VIEWER, "now": self.clock(), **more})  # type: ignore[arg-type]  # as above

    def keep(self, course: int = 1, *, old: float, **more: object) -> None:
        """What was read of the course so many seconds ago."""
        as_of = self.clock() - timedelta(seconds=old)
        scope = Scope(kind=ScopeKind.COURSE, id=course)
        self.store.ledger[scope, Subject.ENROLLMENTS] = Kept(as_of, Source.REPORT, **more)  # type: ignore[arg-type]  # as above


def a_house(clock: TickingClock, store: FakeStore, turns: Turns | None = None) -> House:
    api = FakeSource(Source.ENROLLMENTS_API, store, clock)
    nrps = FakeSource(Source.NRPS, store, clock, price=Price(requests=2, quota=2))
    connected = Connected(local=store, upstream=(api, nrps))
    reads = Reads({1: connected}, Flights(turns or OwnTurns(), clock), clock)
    return House(clock, store, api, nrps, reads)


async def everybody_waits() -> None:
    """Whatever can run without the gate has run."""
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    one = a_house(TickingClock(), FakeStore())
    yield one
    await one.reads.close()


async def test_what_is_fresh_enough_is_served_from_the_store(house: House) -> None:
    house.keep(old=60)

    outcome = await house.one(a_need(seconds=90))

    assert [] == house.api.reads
    assert outcome.served_locally
    assert outcome.by is not None
    assert Source.LOCAL == outcome.by.source
    assert outcome.gap is None


async def test_the_ledger_is_not_read_for_every_query_of_a_busy_moment(house: House) -> None:
    house.keep(old=60)
    for _ in range(10):
        await house.one(a_need(seconds=61))
    assert 1 == house.store.asked

    house.clock.advance(seconds=0.9)
    assert (await house.one(a_need(seconds=60))).by is not None
    assert 1 == len(house.api.reads)  # the moment is not over, and the facts are too old


async def test_when_a_moment_is_over_one_asks_the_ledger_for_all_who_come(house: House) -> None:
    house.keep(old=60)
    await house.one(a_need(seconds=90))
    house.clock.advance(seconds=2)

    outcomes = await asyncio.gather(*(house.one(a_need(seconds=90)) for _ in range(10)))

    assert 2 == house.store.asked
    assert all(one.by is not None for one in outcomes)


async def test_what_is_too_old_is_read_anew_from_the_cheapest(house: House) -> None:
    house.keep(old=60)

    outcome = await house.one(a_need(seconds=30))

    assert 1 == len(house.api.reads)
    assert [] == house.nrps.reads
    assert not outcome.served_locally
    assert outcome.by is not None
    assert Source.ENROLLMENTS_API == outcome.by.source


TOKEN = Toll(key="platform", name="a token", lasts=timedelta(minutes=50), due=5)
A_UNIT = Price(requests=1, quota=1)


async def test_a_token_is_bought_once_its_price_was_lost_for_want_of_it(house: House) -> None:
    """Two units a read: after two reads the third would pass five."""
    house.api.price, house.nrps.price, house.nrps.toll = Price(requests=1, quota=3), A_UNIT, TOKEN

    sources = [(await house.one(a_need())).by for _ in range(4)]

    api, nrps = Source.ENROLLMENTS_API, Source.NRPS
    assert [api, api, nrps, nrps] == [one.source for one in sources if one]


async def test_what_a_burst_loses_for_want_of_a_token_counts_once_a_read(house: House) -> None:
    house.api.price, house.nrps.price, house.nrps.toll = Price(requests=1, quota=3), A_UNIT, TOKEN
    house.api.gate.clear()
    burst = [asyncio.ensure_future(house.one(a_need())) for _ in range(50)]
    await house.api.begun.wait()
    house.api.gate.set()
    await asyncio.gather(*burst)

    await house.one(a_need())

    assert [] == house.nrps.reads


async def test_a_failure_leads_to_the_next_offer_and_is_told(house: House) -> None:
    house.api.failing = [CutShort("the pages lead in a circle")]

    outcome = await house.one(a_need())

    assert outcome.by is not None
    assert Source.NRPS == outcome.by.source
    assert outcome.gap is None
    reasons = {verdict.offer.source: verdict.reason for verdict, _ in outcome.verdicts()}
    assert (
        "it was tried, and failed: ENROLLMENTS_API: the pages lead in a circle"
        == reasons[Source.ENROLLMENTS_API]
    )
    assert "taken because ENROLLMENTS_API failed" == reasons[Source.NRPS]


ALL_DOWN = [
    pytest.param(SourceDown("503"), GapReason.SOURCE_UNAVAILABLE, id="down"),
    pytest.param(SourceRefused("403"), GapReason.NOT_PERMITTED, id="refused"),
    pytest.param(CutShort("ends early"), GapReason.SOURCE_CUT_SHORT, id="cut short"),
    pytest.param(SourceThrottled("429"), GapReason.THROTTLED, id="throttled"),
]


@pytest.mark.parametrize(("error", "reason"), ALL_DOWN)
async def test_when_nobody_answers_what_is_known_stands_with_a_gap(
    house: House, error: Exception, reason: GapReason
) -> None:
    house.keep(old=60)
    house.api.failing = [error]
    house.nrps.failing = [error]

    outcome = await house.one(a_need())

    assert outcome.gap is not None
    assert reason == outcome.gap.reason
    assert f"ENROLLMENTS_API: {error}; NRPS: {error}" == outcome.gap.message


async def test_of_several_failures_the_one_to_wait_out_is_named_first(house: House) -> None:
    house.api.failing = [SourceDown("503")]
    house.nrps.failing = [SourceThrottled("429")]

    outcome = await house.one(a_need())

    assert outcome.gap is not None
    assert GapReason.THROTTLED == outcome.gap.reason


async def test_a_mistake_in_a_source_costs_no_answer(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.api.failing = [KeyError("id")]

    outcome = await house.one(a_need())

    assert outcome.by is not None
    assert Source.NRPS == outcome.by.source
    assert "a source failed" in caplog.text


async def test_a_burst_of_live_reads_costs_two(house: House) -> None:
    house.api.gate.clear()
    first = asyncio.ensure_future(house.one(a_need()))
    await house.api.begun.wait()
    others = [asyncio.ensure_future(house.one(a_need())) for _ in range(199)]
    await everybody_waits()
    house.api.gate.set()
    outcomes = await asyncio.gather(first, *others)

    assert 2 == len(house.api.reads)
    assert {Source.ENROLLMENTS_API} == {one.by.source for one in outcomes if one.by}
    assert 200 == len(outcomes)


async def test_a_request_joins_only_a_read_that_began_after_it_arrived(house: House) -> None:
    house.api.gate.clear()
    early = house.asking()
    first = asyncio.ensure_future(house.reads.ensure([a_need()], early))
    await house.api.begun.wait()
    late = asyncio.ensure_future(house.one(a_need()))
    same_time = asyncio.ensure_future(house.reads.ensure([a_need()], early))
    await everybody_waits()
    house.api.gate.set()
    await asyncio.gather(first, late, same_time)

    assert 2 == len(house.api.reads)


async def test_whoever_takes_older_facts_joins_a_read_under_way(house: House) -> None:
    house.api.gate.clear()
    first = asyncio.ensure_future(house.one(a_need()))
    await house.api.begun.wait()
    second = asyncio.ensure_future(house.one(a_need(seconds=60)))
    await everybody_waits()
    house.api.gate.set()
    await asyncio.gather(first, second)

    assert 1 == len(house.api.reads)


async def test_different_courses_are_read_side_by_side(house: House) -> None:
    house.api.gate.clear()
    level = asyncio.ensure_future(house.ask(a_need(1), a_need(2), a_need(3)))
    await house.api.begun.wait()
    await everybody_waits()

    assert 3 == len(house.api.reads)
    house.api.gate.set()
    await level


async def test_stale_is_given_at_once_and_refreshed_behind_it_once(house: House) -> None:
    house.keep(old=3600)
    house.api.gate.clear()

    outcomes = [await house.one(a_need(seconds=60, allow_stale=True)) for _ in range(3)]

    assert all(outcome.is_stale(house.clock()) for outcome in outcomes)
    assert {Source.LOCAL} == {outcome.by.source for outcome in outcomes if outcome.by}
    await house.api.begun.wait()
    house.api.gate.set()
    await house.reads.refreshed()
    assert [True] == house.api.behind
    assert not (await house.one(a_need(seconds=60))).is_stale(house.clock())


async def test_stale_allowed_of_what_was_never_read_waits_for_a_read(house: House) -> None:
    outcome = await house.one(a_need(seconds=60, allow_stale=True))

    assert [False] == house.api.behind
    assert outcome.by is not None
    assert Source.ENROLLMENTS_API == outcome.by.source


async def test_only_what_is_kept_is_neither_read_nor_refreshed(house: House) -> None:
    house.keep(old=3600)
    local = frozenset({Source.LOCAL})

    stale = await house.one(a_need(seconds=60, allow_stale=True, sources=local))
    refused = await house.one(a_need(seconds=60, sources=local))
    await house.reads.refreshed()

    assert [] == house.api.reads
    assert stale.gap is None
    assert refused.gap is not None
    assert "it is 1 h old, and at most 1 min is asked for" in refused.gap.message


async def test_nobody_who_is_waited_for_shares_a_read_behind(house: House) -> None:
    house.keep(old=3600)
    house.api.gate.clear()
    await house.one(a_need(seconds=60, allow_stale=True))
    await house.api.begun.wait()
    house.api.begun.clear()
    live = asyncio.ensure_future(house.one(a_need()))
    await house.api.begun.wait()
    house.api.gate.set()
    await live

    assert [True, False] == house.api.behind


async def test_a_source_that_keeps_failing_is_left_alone_for_a_while(house: House) -> None:
    house.api.broken = SourceDown("503")
    for course in (1, 2, 3):
        await house.one(a_need(course))

    outcome = await house.one(a_need(4))

    assert 3 == len(house.api.reads)
    reasons = {verdict.offer.source: verdict.reason for verdict, _ in outcome.verdicts()}
    assert (
        "it failed 3 times in a row (503); tried again in 15 s" == reasons[Source.ENROLLMENTS_API]
    )

    house.api.broken = None
    house.clock.advance(seconds=15)
    await house.one(a_need(5))
    assert 4 == len(house.api.reads)


async def test_a_throttled_source_rests_at_once_and_later_answers_say_so(house: House) -> None:
    house.nrps.obstacle = "no credential"
    house.api.broken = SourceThrottled("rate limit exceeded")
    await house.one(a_need(1))

    outcome = await house.one(a_need(2))

    assert 1 == len(house.api.reads)
    assert outcome.gap is not None
    assert GapReason.THROTTLED == outcome.gap.reason


async def test_a_refusal_of_one_course_says_nothing_of_the_source(house: House) -> None:
    house.api.broken = SourceRefused("403")
    for course in range(5):
        await house.one(a_need(course))

    assert 5 == len(house.api.reads)


async def test_beyond_its_budget_an_operation_gets_a_gap(house: House) -> None:
    spending = Spending(most_requests=2)

    level = await house.ask(a_need(1), a_need(2), a_need(3), spending=spending)
    below = await house.one(a_need(4), spending=spending)

    assert 2 == len(house.api.reads)
    gaps = [outcome.gap.reason for outcome in [*level, below] if outcome.gap]
    assert [GapReason.THROTTLED, GapReason.THROTTLED] == gaps


async def test_what_a_read_cost_counts_and_not_what_was_expected(house: House) -> None:
    house.api.price = Price(requests=100, quota=100)
    house.nrps.obstacle = "no credential"
    spending = Spending()
    await house.one(a_need(), spending=spending)

    assert (1, 0.5) == (spending.requests, spending.quota)


async def test_a_read_that_takes_too_long_goes_on_without_the_caller(house: House) -> None:
    house.nrps.obstacle = "no credential"
    house.api.gate.clear()

    outcome = await house.one(a_need(deadline=timedelta(seconds=0.15)))

    assert outcome.gap is not None
    assert GapReason.SOURCE_UNAVAILABLE == outcome.gap.reason
    house.api.gate.set()
    await house.reads.close()
    assert house.store.ledger


async def test_waiting_for_the_throttle_is_called_throttled(house: House) -> None:
    house.nrps.obstacle = "no credential"
    house.api.throttles = True
    house.api.gate.clear()

    outcome = await house.one(a_need(deadline=timedelta(seconds=0.15)))

    assert outcome.gap is not None
    assert GapReason.THROTTLED == outcome.gap.reason
    house.api.gate.set()


async def test_waiting_behind_a_throttled_read_is_called_throttled(house: House) -> None:
    house.nrps.obstacle = "no credential"
    house.api.throttles = True
    house.api.gate.clear()
    first = asyncio.ensure_future(house.one(a_need()))
    await house.api.begun.wait()

    outcome = await house.one(a_need(deadline=timedelta(seconds=0.15)))

    assert outcome.gap is not None
    assert GapReason.THROTTLED == outcome.gap.reason
    house.api.gate.set()
    await first


async def test_an_empty_bucket_is_called_throttled(house: House) -> None:
    async def remaining() -> float:
        return 20.0

    connected = Connected(local=house.store, upstream=[house.api], remaining=remaining)
    reads = Reads({1: connected}, Flights(OwnTurns(), house.clock), house.clock)
    house.api.gate.clear()

    (outcome,) = await reads.ensure([a_need(deadline=timedelta(seconds=0.15))], house.asking())

    assert outcome.gap is not None
    assert GapReason.THROTTLED == outcome.gap.reason
    house.api.gate.set()
    await reads.close()


async def test_a_slow_source_leaves_time_for_the_next(house: House) -> None:
    house.api.gate.clear()

    outcome = await house.one(a_need(deadline=timedelta(seconds=0.4)))

    assert outcome.by is not None
    assert Source.NRPS == outcome.by.source
    house.api.gate.set()


async def test_cancelling_one_caller_leaves_the_read_to_the_others(house: House) -> None:
    house.api.gate.clear()
    asking = house.asking()
    callers = [asyncio.ensure_future(house.reads.ensure([a_need()], asking)) for _ in range(20)]
    await everybody_waits()
    callers[0].cancel()
    await asyncio.gather(callers[0], return_exceptions=True)
    house.api.gate.set()
    answered = await asyncio.gather(*callers[1:])

    assert callers[0].cancelled()
    assert 1 == len(house.api.reads)
    assert all(outcome.by for (outcome,) in answered)


async def test_a_failure_is_shared_like_an_answer(house: House) -> None:
    house.nrps.obstacle = "no credential"
    house.api.broken = SourceDown("503")
    house.api.gate.clear()
    asking = house.asking()
    callers = [asyncio.ensure_future(house.reads.ensure([a_need()], asking)) for _ in range(20)]
    await everybody_waits()
    house.api.gate.set()
    outcomes = [outcome for (outcome,) in await asyncio.gather(*callers)]

    assert 1 == len(house.api.reads)
    assert 20 == sum(outcome.gap is not None for outcome in outcomes)


async def test_what_no_source_carries_does_not_keep_the_rest_from_being_read(house: House) -> None:
    house.api.groups = house.nrps.groups = STANDING

    outcome = await house.one(a_need(groups=frozenset({FieldGroup.STANDING, FieldGroup.CONTACT})))

    assert outcome.gap is None
    assert 1 == len(house.api.reads)


async def test_what_a_source_offers_and_does_not_give_is_not_asked_for_again(house: House) -> None:
    house.nrps.obstacle = "no credential"
    house.api.withholds = frozenset({FieldGroup.CONTACT})
    addresses = frozenset({FieldGroup.STANDING, FieldGroup.CONTACT})

    await house.one(a_need(seconds=60, groups=addresses))
    second = await house.one(a_need(seconds=60, groups=addresses))

    assert 1 == len(house.api.reads)
    assert second.served_locally

    house.clock.advance(minutes=15)
    await house.one(a_need(seconds=60, groups=addresses))
    assert 2 == len(house.api.reads)


async def test_one_offer_for_many_needs_is_read_once(house: House) -> None:
    house.api.shared = True
    house.nrps.obstacle = "no credential"

    outcomes = await house.ask(*(a_need(course) for course in range(10)))

    assert 1 == len(house.api.reads)
    assert all(outcome.by for outcome in outcomes)


async def test_a_plan_that_is_explained_asks_everybody_and_reads_nothing(house: House) -> None:
    house.keep(old=60)

    (outcome,) = await house.reads.explain([a_need(seconds=90)], house.asking())

    assert [] == house.api.reads
    told = [verdict.offer.source for verdict, _ in outcome.verdicts()]
    assert [Source.LOCAL, Source.ENROLLMENTS_API, Source.NRPS] == told


async def test_an_institution_without_sources_is_told_so() -> None:
    reads = Reads({}, Flights(OwnTurns(), TickingClock()), TickingClock())

    (outcome,) = await reads.ensure([a_need()], Asking(viewer=VIEWER, now=TickingClock()()))

    assert outcome.gap is not None
    assert GapReason.NEVER_SYNCED == outcome.gap.reason
