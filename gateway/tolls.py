"""When to pay for what lasts a while, such as a token: once it would have paid for itself within as long as it lasts (pure).

Nobody knows how much will be asked. Whoever pays as soon as the dearer way has cost the toll's price spends at most twice what
they would have spent knowing it (R. Fleischer, On the Bahncard problem, 2001); what a toll that is paid has spared counts
too, so that it is paid again at once where it is worth it, and not where it was not.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from gateway.offers import Offer, Toll


@dataclass(kw_only=True)
class Tolls:
    """Of one institution: what each toll has spared, or would have, and when."""

    _spared: dict[str, deque[tuple[datetime, float]]] = field(default_factory=dict)

    def learn(self, spared: Iterable[tuple[Toll, float]], now: datetime) -> None:
        for toll, worth in spared:
            self._spared.setdefault(toll.key, deque()).append((now, worth))

    def less(self, offer: Offer, now: datetime) -> Offer:
        """The offer, of whose toll as much is due as has not been lost yet for want of it."""
        if offer.toll is None or not offer.toll.due:
            return offer
        due = max(0.0, offer.toll.due - self._within(offer.toll, now))
        return replace(offer, toll=replace(offer.toll, due=due))

    def _within(self, toll: Toll, now: datetime) -> float:
        spared = self._spared.get(toll.key, deque())
        while spared and now - spared[0][0] > toll.lasts:
            spared.popleft()
        return sum(worth for _, worth in spared)
