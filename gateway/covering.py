"""The cheapest choice of offers that serves every need: offers that serve several, and tolls that several share, are paid once (pure).

Needs, offers and tolls are named by their places; what they are is the planner's business.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

# Sets of shared offers are tried one by one, and so are sets of tolls; 2^6 x 2^3 of them cost less than one call to Canvas.
MOST_SHARED = 6
MOST_TOLLS = 3


@dataclass(frozen=True, kw_only=True)
class Costs:
    """`offers`, `tolls`: of each, by its place. `bears`: the toll to be paid before an offer."""

    offers: Sequence[float]
    tolls: Sequence[float] = ()
    bears: Mapping[int, int] = field(default_factory=dict)

    def of(self, chosen: Collection[int]) -> float:
        paid = {self.bears[o] for o in chosen if o in self.bears}
        return sum(self.offers[o] for o in chosen) + sum(self.tolls[t] for t in paid)


def cheapest_cover(
    usable: Mapping[int, Sequence[int]], costs: Costs, several: Collection[int]
) -> dict[int, int]:
    """The offer of each need that can be met. `several`: the offers that serve more than one, the most important first.

    What is beyond the few that are tried counts as if it could be had alone. Ties go to the earlier offer.
    """
    shared = sorted(list(several)[:MOST_SHARED])
    tolls = [t for t in range(len(costs.tolls)) if costs.tolls[t] > 0][:MOST_TOLLS]
    wanted = {n: of for n, of in usable.items() if of}
    best: tuple[float, dict[int, int]] | None = None
    for unbought in map(frozenset(shared).difference, _subsets(shared)):
        for unpaid in map(frozenset(tolls).difference, _subsets(tolls)):
            cover = _cover(wanted, costs, shared, unbought, unpaid)
            if cover is None:
                continue
            price = costs.of(set(cover.values()))
            if best is None or price < best[0]:
                best = (price, cover)
    return best[1] if best else {}


def _cover(
    wanted: Mapping[int, Sequence[int]],
    costs: Costs,
    shared: Collection[int],
    unbought: Collection[int],
    unpaid: Collection[int],
) -> dict[int, int] | None:
    """A shared offer that is bought anyway costs nothing more; of the others only a need's own may be added."""
    cover = {}
    for n, of in wanted.items():
        allowed = [o for o in of if o not in unbought and costs.bears.get(o, -1) not in unpaid]
        if not allowed:
            return None
        cover[n] = min(allowed, key=lambda o: (0.0 if o in shared else costs.offers[o], o))
    return cover


def _subsets(items: Sequence[int]) -> Iterable[frozenset[int]]:
    for size in range(len(items) + 1):
        for chosen in combinations(items, size):
            yield frozenset(chosen)
