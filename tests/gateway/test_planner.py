"""The planner as a table of cases, and the promises that hold for every need and offer."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.needs import Need, Scope, ScopeKind, Subject
from gateway.offers import Offer, Price, Toll, total
from gateway.planner import Budget, Plan, plan, worth
from gateway.verdicts import refusal
from models.roster import EnrollmentState, FieldGroup, GapReason, Source

NOW = datetime(2026, 9, 1, 12, 0, tzinfo=UTC)
ACTIVE = frozenset({EnrollmentState.ACTIVE})
ALL_STATES = frozenset(EnrollmentState)
STANDING = frozenset({FieldGroup.STANDING})
EVERYTHING = frozenset(FieldGroup)
BOTH = frozenset(Subject)


def a_need(
    *,
    course: int = 1,
    subject: Subject = Subject.MEMBERS,
    groups: frozenset[FieldGroup] = STANDING,
    states: frozenset[EnrollmentState] = ACTIVE,
    minutes: float = 15,
    allow_stale: bool = False,
    sources: frozenset[Source] | None = None,
    person: int | None = None,
    rights_known: bool = True,
) -> Need:
    return Need(
        scope=Scope(kind=ScopeKind.COURSE, id=course),
        subject=subject,
        groups=groups,
        states=states,
        max_age=timedelta(minutes=minutes),
        allow_stale=allow_stale,
        sources=sources,
        person=person,
        rights_known=rights_known,
    )


def an_offer(
    source: Source = Source.ENROLLMENTS_API,
    *,
    needs: frozenset[int] = frozenset({0}),
    subjects: frozenset[Subject] = BOTH,
    groups: frozenset[FieldGroup] = EVERYTHING,
    states: frozenset[EnrollmentState] = ALL_STATES,
    minutes_old: float | None = 0,
    whole: bool = True,
    eyes: int | None = None,
    requests: float = 1,
    quota: float = 1,
    seconds: float = 0.5,
    origins: frozenset[Source] = frozenset(),
    obstacle: str | None = None,
) -> Offer:
    return Offer(
        source=source,
        needs=needs,
        subjects=subjects,
        groups=groups,
        states=states,
        as_of=None if minutes_old is None else NOW - timedelta(minutes=minutes_old),
        whole=whole,
        eyes=eyes,
        origins=origins,
        price=Price(requests=requests, quota=quota, latency=timedelta(seconds=seconds)),
        obstacle=obstacle,
    )


def with_toll(offer: Offer, toll: Toll | None) -> Offer:
    return replace(offer, toll=toll)


def a_token(due: float, key: str = "platform") -> Toll:
    return Toll(key=key, name="a token of the platform", lasts=timedelta(minutes=50), due=due)


def local(*, minutes_old: float | None = 5, eyes: int | None = None) -> Offer:
    return an_offer(
        Source.LOCAL, minutes_old=minutes_old, eyes=eyes, requests=0, quota=0, seconds=0
    )


def decide(*offers: Offer, need: Need | None = None, budget: Budget | None = None) -> Plan:
    return plan([need or a_need()], list(offers), NOW, budget or Budget())


REFUSALS = [
    pytest.param(a_need(), an_offer(obstacle="no credential"), "no credential", id="an obstacle"),
    pytest.param(
        a_need(sources=frozenset({Source.NRPS})),
        an_offer(),
        "the caller allows only NRPS",
        id="a source the caller left out",
    ),
    pytest.param(
        a_need(sources=frozenset({Source.NRPS})),
        an_offer(Source.LOCAL, origins=frozenset({Source.NRPS, Source.REPORT})),
        "the caller allows only NRPS",
        id="kept, and partly told by a source the caller left out",
    ),
    pytest.param(
        a_need(subject=Subject.ENROLLMENTS),
        an_offer(Source.NRPS, subjects=frozenset({Subject.MEMBERS})),
        "it knows members, not enrollments",
        id="memberships are not enrollments",
    ),
    pytest.param(
        a_need(groups=frozenset({FieldGroup.CONTACT, FieldGroup.DATES})),
        an_offer(groups=STANDING),
        "it does not carry contact, dates",
        id="missing fields",
    ),
    pytest.param(
        a_need(states=frozenset({EnrollmentState.ACTIVE, EnrollmentState.INVITED})),
        an_offer(Source.NRPS, states=ACTIVE),
        "it does not show people who are INVITED",
        id="missing states",
    ),
    pytest.param(
        a_need(person=7),
        an_offer(eyes=8),
        "it was read with the permission of somebody who sees less",
        id="somebody else's eyes",
    ),
    pytest.param(
        a_need(),
        an_offer(eyes=8),
        "it was read with the permission of somebody who sees less",
        id="a person's eyes for a service",
    ),
    pytest.param(
        a_need(person=7, rights_known=False),
        an_offer(),
        "it sees more than the viewer may, and what the viewer may see is not known",
        id="fuller eyes, rights unknown",
    ),
    pytest.param(a_need(), an_offer(whole=False), "it was cut short", id="cut short"),
    pytest.param(a_need(), local(minutes_old=None), "it was never read", id="never read"),
    pytest.param(
        a_need(minutes=15),
        local(minutes_old=90),
        "it is 1.5 h old, and at most 15 min is asked for",
        id="too old",
    ),
    pytest.param(
        a_need(minutes=0),
        local(minutes_old=0.5),
        "it is 30 s old, and at most 0 s is asked for",
        id="live asked for",
    ),
    pytest.param(
        a_need(allow_stale=True),
        an_offer(Source.REPORT, minutes_old=90),
        "it is 1.5 h old, and at most 15 min is asked for",
        id="stale is allowed of the store only",
    ),
    pytest.param(
        a_need(),
        an_offer(Source.REPORT, seconds=600),
        "it would take 10 min, and the caller waits 20 s",
        id="too slow",
    ),
]


@pytest.mark.parametrize(("need", "offer", "reason"), REFUSALS)
def test_an_offer_that_is_not_good_enough_is_refused_in_words(
    need: Need, offer: Offer, reason: str
) -> None:
    assert reason == refusal(need, offer, NOW)


ACCEPTED = [
    pytest.param(a_need(), an_offer(), id="a live read"),
    pytest.param(a_need(), local(minutes_old=15), id="exactly as old as asked for"),
    pytest.param(a_need(allow_stale=True), local(minutes_old=9999), id="stale, and allowed to be"),
    pytest.param(a_need(person=7), an_offer(), id="fuller eyes, rights known"),
    pytest.param(
        a_need(sources=frozenset({Source.NRPS})),
        an_offer(Source.LOCAL, origins=frozenset({Source.NRPS})),
        id="kept, and told by the source that the caller wants",
    ),
    pytest.param(
        a_need(person=7, rights_known=False), an_offer(eyes=7), id="the viewer's own eyes"
    ),
]


@pytest.mark.parametrize(("need", "offer"), ACCEPTED)
def test_an_offer_that_is_good_enough_is_accepted(need: Need, offer: Offer) -> None:
    assert refusal(need, offer, NOW) is None


def test_the_store_is_cheapest_when_it_is_fresh_enough() -> None:
    decided = decide(an_offer(), local())

    assert Source.LOCAL == decided.answers[0].order[0].source
    assert (
        "good enough, and the cheapest: no call to Canvas" == decided.answers[0].verdicts[1].reason
    )
    assert (
        "good enough, but dearer than LOCAL: 1 call, 1 units, 0.5 s"
        == decided.answers[0].verdicts[0].reason
    )


def test_what_was_passed_over_stands_ready_behind_the_choice() -> None:
    decided = decide(
        an_offer(quota=3), an_offer(Source.NRPS, quota=1), an_offer(Source.REPORT, quota=2)
    )

    assert [Source.NRPS, Source.REPORT, Source.ENROLLMENTS_API] == [
        o.source for o in decided.answers[0].order
    ]


def test_equal_offers_keep_their_order_and_say_so() -> None:
    decided = decide(an_offer(Source.NRPS), an_offer())

    assert (
        "good enough, and no cheaper than NRPS, which comes first"
        == decided.answers[0].verdicts[1].reason
    )


def test_a_report_is_bought_once_it_is_cheaper_than_all_it_replaces() -> None:
    """The break-even is computed: 3 courses are pulled one by one, 30 come from one report."""

    def sources(courses: int) -> set[Source]:
        every = frozenset(range(courses))
        report = an_offer(Source.REPORT, needs=every, quota=10, seconds=1)
        single = [an_offer(Source.NRPS, needs=frozenset({n})) for n in range(courses)]
        decided = plan([a_need(course=n) for n in range(courses)], [report, *single], NOW, Budget())
        return {offer.source for offer, _ in decided.steps}

    assert {Source.NRPS} == sources(3)
    assert {Source.REPORT} == sources(30)


def test_a_shared_offer_that_is_dearer_alone_explains_itself() -> None:
    report = an_offer(Source.REPORT, needs=frozenset({0, 1}), quota=3)
    single = [an_offer(needs=frozenset({n}), quota=2) for n in (0, 1)]

    decided = plan([a_need(course=1), a_need(course=2)], [report, *single], NOW, Budget())

    assert "good enough, but REPORT serves 2 reads at once" == decided.answers[0].verdicts[1].reason


def a_level(courses: int, *, due: float) -> Plan:
    """Each course by the Enrollments API for 3 units, or by NRPS for 1 and a token that serves them all."""
    api = [an_offer(needs=frozenset({n}), quota=3) for n in range(courses)]
    nrps = [
        with_toll(an_offer(Source.NRPS, needs=frozenset({n})), a_token(due)) for n in range(courses)
    ]
    return plan([a_need(course=n) for n in range(courses)], [*api, *nrps], NOW, Budget())


def test_a_token_is_bought_once_it_is_cheaper_than_what_it_spares() -> None:
    def sources(courses: int, due: float) -> set[Source]:
        return {offer.source for offer, _ in a_level(courses, due=due).steps}

    assert {Source.ENROLLMENTS_API} == sources(5, 10)
    assert {Source.NRPS} == sources(6, 10)
    assert {Source.NRPS} == sources(1, 0)


def test_what_a_token_costs_is_said() -> None:
    verdict = a_level(1, due=200).answers[0].verdicts[1]

    assert (
        "good enough, but dearer than ENROLLMENTS_API: 1 call, 1 units, 0.5 s, and 200 units for a token of the platform"
        == verdict.reason
    )


@pytest.mark.parametrize("due", [0.0, 200.0])
def test_what_a_token_spares_is_told_whether_it_is_paid_or_not(due: float) -> None:
    [answer] = a_level(1, due=due).answers

    [(toll, worth_of_it)] = answer.spared
    assert a_token(due) == toll
    assert worth_of_it == pytest.approx(2.0)


def test_a_token_without_which_nothing_comes_is_bought_and_spares_nothing() -> None:
    decided = decide(with_toll(an_offer(Source.NRPS), a_token(200)))

    assert Source.NRPS == decided.answers[0].order[0].source
    assert () == decided.answers[0].spared


def test_each_platform_has_its_token() -> None:
    nrps = [
        with_toll(an_offer(Source.NRPS, needs=frozenset({n})), a_token(1.5, key))
        for n, key in enumerate(["one", "one", "two"])
    ]
    api = [an_offer(needs=frozenset({n}), quota=2) for n in range(3)]

    decided = plan([a_need(course=n) for n in range(3)], [*api, *nrps], NOW, Budget())

    assert [Source.NRPS, Source.NRPS, Source.ENROLLMENTS_API] == [
        answer.order[0].source for answer in decided.answers
    ]


def test_a_list_that_was_slow_lately_is_asked_for_all_the_same() -> None:
    """Or nobody would learn that it is quick again."""
    assert refusal(a_need(), an_offer(seconds=600), NOW) is None


def test_what_was_overtaken_will_do_only_where_nobody_can_be_asked() -> None:
    due = replace(local(), overtaken="somebody may have left")

    asked = decide(due, an_offer()).answers[0]
    assert [Source.ENROLLMENTS_API, Source.LOCAL] == [offer.source for offer in asked.order]
    assert "good enough, but overtaken: somebody may have left" == asked.verdicts[0].reason

    alone = decide(due, an_offer(obstacle="down")).answers[0]
    assert (Source.LOCAL,) == tuple(offer.source for offer in alone.order)
    assert (
        "good enough, and nobody can be asked what became of this: somebody may have left"
        == alone.verdicts[0].reason
    )


def test_what_was_overtaken_will_do_where_stale_is_allowed() -> None:
    due = replace(local(), overtaken="somebody may have left")

    decided = decide(due, an_offer(), need=a_need(allow_stale=True))

    assert Source.LOCAL == decided.answers[0].order[0].source


def test_an_emptying_bucket_makes_units_dearer_than_waiting() -> None:
    quick, thrifty = an_offer(quota=2, seconds=1), an_offer(Source.NRPS, quota=1, seconds=10)

    assert Source.ENROLLMENTS_API == decide(quick, thrifty).answers[0].order[0].source
    emptying = Budget(remaining=60)
    assert Source.NRPS == decide(quick, thrifty, budget=emptying).answers[0].order[0].source


def test_background_work_leaves_the_reserve_alone() -> None:
    assert Budget(remaining=300, reserve=0).pressure < Budget(remaining=300, reserve=250).pressure


def test_beyond_the_operations_budget_a_need_is_throttled_not_forgotten() -> None:
    offers = [an_offer(needs=frozenset({n}), requests=2) for n in range(3)]

    decided = plan([a_need(course=n) for n in range(3)], offers, NOW, Budget(requests=4))

    assert [None, None, GapReason.THROTTLED] == [answer.gap for answer in decided.answers]
    assert (
        decided.answers[2].verdicts[0].reason.startswith("more than this operation may still spend")
    )


GAPS = [
    pytest.param(a_need(), [], GapReason.NEVER_SYNCED, id="no source at all"),
    pytest.param(
        a_need(), [local(minutes_old=90)], GapReason.SOURCE_UNAVAILABLE, id="only an old answer"
    ),
    pytest.param(
        a_need(),
        [an_offer(obstacle="no admin token")],
        GapReason.SOURCE_UNAVAILABLE,
        id="an obstacle to mend",
    ),
    pytest.param(
        a_need(groups=EVERYTHING),
        [an_offer(groups=STANDING)],
        GapReason.NOT_CARRIED_BY_SOURCE,
        id="nobody carries it",
    ),
    pytest.param(
        a_need(person=7, rights_known=False),
        [an_offer()],
        GapReason.NOT_PERMITTED,
        id="rights are not known",
    ),
]


@pytest.mark.parametrize(("need", "offers", "gap"), GAPS)
def test_what_cannot_be_met_is_a_gap_with_its_reason(
    need: Need, offers: list[Offer], gap: GapReason
) -> None:
    answer = plan([need], offers, NOW, Budget()).answers[0]

    assert gap == answer.gap
    assert answer.gap_message


TOLLS = [None, None, a_token(4, "one"), a_token(9, "two"), a_token(0, "paid")]

groups = st.frozensets(st.sampled_from(list(FieldGroup)), max_size=3)
states = st.frozensets(st.sampled_from(list(EnrollmentState)), min_size=1, max_size=3)
minutes = st.sampled_from([0.0, 5.0, 15.0, 60.0])


@st.composite
def some_needs(draw: st.DrawFn) -> list[Need]:
    return [
        a_need(
            course=n,
            subject=draw(st.sampled_from(list(Subject))),
            groups=draw(groups),
            states=draw(states),
            minutes=draw(minutes),
            allow_stale=draw(st.booleans()),
            person=draw(st.sampled_from([None, 7, 8])),
            rights_known=draw(st.booleans()),
        )
        for n in range(draw(st.integers(1, 4)))
    ]


def some_offer(needs: int) -> st.SearchStrategy[Offer]:
    return st.builds(
        an_offer,
        st.sampled_from([Source.LOCAL, Source.NRPS, Source.ENROLLMENTS_API, Source.REPORT]),
        needs=st.frozensets(st.integers(0, needs - 1), min_size=1),
        subjects=st.frozensets(st.sampled_from(list(Subject)), min_size=1),
        groups=st.one_of(st.just(EVERYTHING), groups),
        states=st.one_of(st.just(ALL_STATES), states),
        minutes_old=st.one_of(st.none(), minutes),
        whole=st.booleans(),
        eyes=st.sampled_from([None, 7, 8]),
        requests=st.integers(0, 5),
        quota=st.integers(0, 20),
        seconds=st.integers(0, 30),
        obstacle=st.sampled_from([None, None, None, "no credential"]),
    ).flatmap(lambda offer: st.sampled_from(TOLLS).map(lambda toll: with_toll(offer, toll)))


@st.composite
def levels(draw: st.DrawFn) -> tuple[list[Need], list[Offer]]:
    needs = draw(some_needs())
    return needs, draw(st.lists(some_offer(len(needs)), max_size=6))


@given(levels())
def test_no_plan_breaks_a_constraint(level: tuple[list[Need], list[Offer]]) -> None:
    needs, offers = level

    for need, answer in zip(needs, plan(needs, offers, NOW, Budget()).answers, strict=True):
        assert all(refusal(need, offer, NOW) is None for offer in answer.order)
        assert (answer.gap is None) == bool(answer.order)
        assert all(verdict.reason for verdict in answer.verdicts)


@given(levels(), st.data())
def test_one_more_offer_never_makes_a_plan_dearer(
    level: tuple[list[Need], list[Offer]], data: st.DataObject
) -> None:
    needs, offers = level
    more = [*offers, data.draw(some_offer(len(needs)))]

    before, after = plan(needs, offers, NOW, Budget()), plan(needs, more, NOW, Budget())

    met_before = [bool(answer.order) for answer in before.answers]
    if met_before == [bool(answer.order) for answer in after.answers]:
        assert spent(after) <= spent(before) + 1e-9


@given(levels())
def test_a_plan_is_as_cheap_as_the_best_of_all_assignments(
    level: tuple[list[Need], list[Offer]],
) -> None:
    needs, offers = level
    choices = [
        [
            o
            for o in range(len(offers))
            if n in offers[o].needs and refusal(needs[n], offers[o], NOW) is None
        ]
        for n in range(len(needs))
    ]
    met = [of for of in choices if of]
    best = min(cost([offers[o] for o in set(pick)]) for pick in product(*met))

    assert best == pytest.approx(spent(plan(needs, offers, NOW, Budget())))


@given(levels(), st.integers(0, 8))
def test_no_plan_spends_more_than_the_budget(
    level: tuple[list[Need], list[Offer]], requests: int
) -> None:
    needs, offers = level

    decided = plan(needs, offers, NOW, Budget(requests=requests))

    assert decided.price.requests <= requests


def spent(decided: Plan) -> float:
    return cost([offer for offer, _ in decided.steps])


def cost(offers: Collection[Offer]) -> float:
    tolls = {offer.toll.key: offer.toll.due for offer in offers if offer.toll}
    return sum(worth(offer.price, Budget()) for offer in offers) + sum(tolls.values())


def test_the_total_of_steps_adds_their_calls_and_waits_for_the_slowest() -> None:
    both = total(
        [Price(requests=1, quota=2, latency=timedelta(seconds=3)), Price(requests=4, quota=5)]
    )

    assert Price(requests=5, quota=7, latency=timedelta(seconds=3)) == both
