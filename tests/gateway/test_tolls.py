"""When a token is worth its price: weighed against what it spared, or would have, within as long as it lasts."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.offers import Toll
from gateway.tolls import Tolls
from models.roster import Source
from tests.gateway.test_planner import an_offer, with_toll

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
LASTS = 50 * MINUTE
PRICE = 200.0


def a_toll(due: float = PRICE, *, key: str = "platform") -> Toll:
    return Toll(key=key, name="a token", lasts=LASTS, due=due)


def due(tolls: Tolls, at: datetime, toll: Toll | None = None) -> float:
    weighed = tolls.less(with_toll(an_offer(Source.NRPS), toll or a_toll()), at).toll
    assert weighed is not None
    return weighed.due


def test_at_first_all_of_it_is_due() -> None:
    assert due(Tolls(), NOW) == PRICE


def test_what_was_lost_for_want_of_it_counts_towards_it() -> None:
    tolls = Tolls()
    tolls.learn([(a_toll(), 150.0)], NOW)

    assert 50.0 == due(tolls, NOW + MINUTE)
    assert PRICE == due(tolls, NOW + MINUTE, a_toll(key="another"))

    tolls.learn([(a_toll(), 70.0)], NOW + MINUTE)
    assert 0.0 == due(tolls, NOW + 2 * MINUTE)


def test_what_is_longer_ago_than_it_would_have_lasted_counts_no_more() -> None:
    tolls = Tolls()
    tolls.learn([(a_toll(), 150.0)], NOW)
    tolls.learn([(a_toll(), 30.0)], NOW + 20 * MINUTE)

    assert 20.0 == due(tolls, NOW + 50 * MINUTE)
    assert 170.0 == due(tolls, NOW + 51 * MINUTE)


@pytest.mark.parametrize("toll", [None, a_toll(0.0)])
def test_an_offer_without_one_and_one_that_is_paid_are_left_alone(toll: Toll | None) -> None:
    offer = with_toll(an_offer(), toll)

    assert offer is Tolls().less(offer, NOW)


def spent(reads: Sequence[int], saving: float) -> float:
    """What reads at these minutes cost beyond their cheap price, when a token is bought as the rule says."""
    tolls, good_until, paid = Tolls(), NOW, 0.0
    for minute in reads:
        at = NOW + minute * MINUTE
        held = at < good_until
        left = due(tolls, at, a_toll(0.0 if held else PRICE))
        tolls.learn([(a_toll(), saving)], at)
        if held:
            continue
        if left < saving:
            paid, good_until = paid + PRICE, at + LASTS
        else:
            paid += saving
    return paid


def least(reads: Sequence[int], saving: float) -> float:
    """By whoever knows all reads: before each, a token or none."""
    best = [0.0] * (len(reads) + 1)
    for i in reversed(range(len(reads))):
        end = next((j for j in range(i, len(reads)) if reads[j] - reads[i] >= 50), len(reads))
        best[i] = min(saving + best[i + 1], PRICE + best[end])
    return best[0]


@given(st.lists(st.integers(0, 300), max_size=120).map(sorted), st.sampled_from((3.0, 20.0, 90.0)))
def test_nobody_who_knows_the_future_spends_less_than_a_third(
    reads: Sequence[int], saving: float
) -> None:
    """Twice by the rule itself, and once more for the token that is paid again at the end of a busy time."""
    assert spent(reads, saving) <= 3 * least(reads, saving) + saving
