"""What the simulated day is measured with: the bound from below against every set of reads, and what counts as a contradiction."""

from datetime import UTC, datetime, timedelta
from itertools import product
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.kept_truth import contradictions
from bench.policies import TOKEN_LIVES, Span, cheapest_reads, spared_by_tokens
from bench.traffic import Ask, SchoolDay

BEGINS = datetime(2026, 3, 3, tzinfo=UTC)
API, NRPS = 3.0, 2.0


def span(at: int, age: int, *, members: bool) -> Span:
    end = BEGINS + timedelta(minutes=at)
    return Span(1, end - timedelta(minutes=age), end, members, full_list=False)


def by_trying(spans: list[Span], api: float, nrps: float) -> float:
    """Every choice of nothing, NRPS, or the API at the end of every span."""
    least = inf
    for reads in product((None, "nrps", "api"), repeat=len(spans)):
        made = [(one.at, how) for one, how in zip(spans, reads, strict=True) if how]
        served = all(
            any(one.since <= at <= one.at and (how == "api" or one.members) for at, how in made)
            for one in spans
        )
        if served:
            least = min(least, sum(api if how == "api" else nrps for _, how in made))
    return least


SPANS = st.lists(
    st.builds(span, st.integers(0, 20), st.sampled_from((0, 1, 5, 12)), members=st.booleans()),
    max_size=6,
).map(lambda found: sorted(found, key=lambda one: one.at))


@given(SPANS, st.sampled_from((1.0, 2.0, 3.0, 4.0)))
def test_nobody_reads_for_less(spans: list[Span], nrps: float) -> None:
    assert by_trying(spans, API, nrps) == pytest.approx(cheapest_reads(spans, API, nrps))


def with_tokens_by_trying(spans: list[Span], token: float) -> float:
    """As above, and a token for every hour in which NRPS is asked."""
    least = inf
    for reads in product((None, "nrps", "api"), repeat=len(spans)):
        made = [(one.at, how) for one, how in zip(spans, reads, strict=True) if how]
        if not all(
            any(one.since <= at <= one.at and (how == "api" or one.members) for at, how in made)
            for one in spans
        ):
            continue
        cost, good_until = 0.0, BEGINS - timedelta(days=1)
        for at, how in made:
            cost += API if how == "api" else NRPS
            if how == "nrps" and at > good_until:
                cost, good_until = cost + token, at + TOKEN_LIVES
        least = min(least, cost)
    return least


LONG_SPANS = st.lists(
    st.builds(span, st.integers(0, 200), st.sampled_from((0, 5, 30, 120)), members=st.booleans()),
    max_size=6,
).map(lambda found: sorted(found, key=lambda one: one.at))


@given(LONG_SPANS, st.sampled_from((0.5, 1.0, 2.5)))
def test_tokens_never_spare_more_than_is_reckoned(spans: list[Span], token: float) -> None:
    spared = spared_by_tokens({1: spans}, {1: API - NRPS}, token)

    alone = cheapest_reads(spans, API, inf)
    assert alone - spared <= with_tokens_by_trying(spans, token) + 1e-9


def test_a_token_is_reckoned_once_an_hour() -> None:
    asked = [span(at, 0, members=True) for at in (0, 10, 20, 200, 210, 220)]

    assert 6 - 2 * 2.0 == spared_by_tokens({1: asked}, {1: 1.0}, 2.0)
    assert 0 == spared_by_tokens({1: asked}, {1: 1.0}, 4.0)


def test_nothing_asked_costs_nothing() -> None:
    assert 0 == cheapest_reads([], API, NRPS)


def test_members_are_pulled_where_that_is_cheaper() -> None:
    asked = [span(0, 0, members=True), span(9, 1, members=True), span(10, 0, members=False)]

    assert NRPS + NRPS + API == cheapest_reads(asked, API, NRPS)
    assert API + API == cheapest_reads([asked[0], asked[2]], API, inf)


def test_what_changed_since_may_be_shown_or_not() -> None:
    here, came, left = ("1", "ACTIVE"), ("2", "ACTIVE"), ("3", "ACTIVE")
    then, now = frozenset({here, left}), frozenset({here, came})

    assert frozenset() == contradictions(frozenset({here, left}), [then, now])
    assert frozenset() == contradictions(frozenset({here, came}), [then, now])
    assert {here} == contradictions(frozenset({came}), [then, now])
    assert {came} == contradictions(frozenset({here, left, came}), [then])


def test_a_day_is_the_same_every_time() -> None:
    days = [SchoolDay(begins=BEGINS, courses=range(1, 9)).events() for _ in range(2)]

    assert days[0] == days[1]
    assert days[0] == sorted(days[0], key=lambda event: event.at)
    assert len([event for event in days[0] if isinstance(event, Ask)]) > 100
