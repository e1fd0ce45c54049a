"""Which source answers which read: constraints first, then price, for all reads of one level together.

Pure: what is known comes in as values, what is decided goes out as a value that explains itself. A need is one read
of the operation (the roster of one course, say); an offer is what one source can do now for one need or for several
(one report serves every course of an account). `plan` covers the needs with the cheapest acceptable offers.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf

from gateway.covering import Costs, cheapest_cover
from gateway.needs import Need
from gateway.offers import Offer, Price, Toll, total
from gateway.verdicts import Verdict, gap, is_last_resort, refusal, verdict
from models.roster import GapReason

# A second of waiting is worth this many throttle units, and a call this many: enough to prefer the
# quicker of two equal offers, too little to buy speed with another reader's quota.
UNITS_PER_SECOND = 0.2
UNITS_PER_REQUEST = 0.01

# What was overtaken costs nothing, and is behind whatever does not.
_OF_A_LAST_RESORT = 1e6


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What the operation may still spend upstream, and how full the token's bucket is.

    `remaining` and `capacity` are throttle units of the bucket; an offer's units weigh more as it empties. `reserve`
    is what is left to interactive reads: background work passes it, interactive work passes 0.
    """

    requests: float = float("inf")
    quota: float = float("inf")
    remaining: float = 600.0
    capacity: float = 600.0
    reserve: float = 0.0

    @property
    def pressure(self) -> float:
        """1 for a full bucket, growing as it empties; never more than 20, so that an empty one can still be compared."""
        left = max(0.0, self.remaining - self.reserve) / self.capacity
        return 1.0 / max(left, 0.05)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """How one need is met: `order` is the offers to try, best first; empty when nothing will do.

    `spared`: what each toll, once it is paid, makes this need cheaper by.
    """

    order: tuple[Offer, ...]
    verdicts: tuple[Verdict, ...]
    spared: tuple[tuple[Toll, float], ...] = ()
    gap: GapReason | None = None
    gap_message: str | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One answer for each need, in their order; `steps` are the chosen offers, each once, with the needs it serves."""

    answers: tuple[Answer, ...]
    steps: tuple[tuple[Offer, frozenset[int]], ...]

    @property
    def price(self) -> Price:
        return total(offer.price for offer, _ in self.steps)


def plan(needs: Sequence[Need], offers: Sequence[Offer], now: datetime, budget: Budget) -> Plan:
    """The cheapest acceptable way to meet all `needs` within `budget`; see `Answer` for what could not be met and why."""
    refusals = {
        (n, o): refusal(needs[n], offers[o], now)
        for o in range(len(offers))
        for n in offers[o].needs
    }
    usable = {
        n: [o for o in range(len(offers)) if refusals.get((n, o), "") is None]
        for n in range(len(needs))
    }
    costs = [_cost(offer, needs, budget) for offer in offers]
    chosen = _within(_cheapest_cover(usable, offers, costs), offers, costs, budget)
    answers = tuple(
        _answer(needs[n], n, offers, refusals, usable[n], chosen.get(n), costs)
        for n in range(len(needs))
    )
    steps = tuple(
        (offers[o], frozenset(n for n, of in chosen.items() if of == o))
        for o in sorted(set(chosen.values()))
    )
    return Plan(answers=answers, steps=steps)


def worth(price: Price, budget: Budget) -> float:
    """One number to compare offers by, in throttle units of a full bucket."""
    return (
        price.quota * budget.pressure
        + price.requests * UNITS_PER_REQUEST
        + price.latency.total_seconds() * UNITS_PER_SECOND
    )


def _cost(offer: Offer, needs: Sequence[Need], budget: Budget) -> float:
    last = any(is_last_resort(needs[n], offer) for n in offer.needs)
    return worth(offer.price, budget) + (_OF_A_LAST_RESORT if last else 0.0)


def _cheapest_cover(
    usable: Mapping[int, list[int]], offers: Sequence[Offer], costs: Sequence[float]
) -> dict[int, int]:
    """The offer of each need that can be met. An offer for several needs is paid once: break-even is computed."""
    keys = sorted({offer.toll.key for offer in offers if offer.toll})
    due = {offer.toll.key: offer.toll.due for offer in offers if offer.toll}
    several = {o for of in usable.values() for o in of if len(offers[o].needs) > 1}
    return cheapest_cover(
        usable,
        Costs(
            offers=costs,
            tolls=[due[key] for key in keys],
            bears={o: keys.index(one.toll.key) for o, one in enumerate(offers) if one.toll},
        ),
        sorted(several, key=lambda o: (-len(offers[o].needs), costs[o], o)),
    )


def _spared(
    usable: Sequence[int], offers: Sequence[Offer], costs: Sequence[float]
) -> Iterable[tuple[Toll, float]]:
    """By each toll, on a need that can be met without it: how much cheaper the offers are that bear it."""
    alone = [o for o in usable if len(offers[o].needs) == 1 and offers[o].overtaken is None]
    without = min((costs[o] for o in alone if offers[o].toll is None), default=None)
    least: dict[str, tuple[float, Toll]] = {}
    for o in alone:
        toll = offers[o].toll
        if toll is not None and costs[o] < least.get(toll.key, (inf, toll))[0]:
            least[toll.key] = costs[o], toll
    for cost, toll in least.values():
        if without is not None and cost < without:
            yield toll, without - cost


def _within(
    chosen: dict[int, int], offers: Sequence[Offer], costs: Sequence[float], budget: Budget
) -> dict[int, int]:
    """As much of `chosen` as the budget pays for: what serves most needs per unit first, then in the needs' order."""
    serving = {o: [n for n, of in chosen.items() if of == o] for o in chosen.values()}
    kept: dict[int, int] = {}
    requests = quota = 0.0
    for o in sorted(serving, key=lambda o: (costs[o] / len(serving[o]), min(serving[o]))):
        price = offers[o].price
        if requests + price.requests > budget.requests or quota + price.quota > budget.quota:
            continue
        requests, quota = requests + price.requests, quota + price.quota
        kept.update(dict.fromkeys(serving[o], o))
    return kept


def _answer(
    need: Need,
    n: int,
    offers: Sequence[Offer],
    refusals: Mapping[tuple[int, int], str | None],
    usable: Sequence[int],
    chosen: int | None,
    costs: Sequence[float],
) -> Answer:
    ranked = sorted((o for o in usable if o != chosen), key=lambda o: (costs[o], o))
    order = ([] if chosen is None else [chosen]) + (ranked if chosen is not None else [])
    verdicts = tuple(
        verdict(offers, o, refusals[n, o], chosen, costs)
        for o in range(len(offers))
        if n in offers[o].needs
    )
    if chosen is not None:
        spared = tuple(_spared(usable, offers, costs))
        return Answer(order=tuple(offers[o] for o in order), verdicts=verdicts, spared=spared)
    reason, message = gap(need, n, offers, refusals, usable)
    return Answer(order=(), verdicts=verdicts, gap=reason, gap_message=message)
