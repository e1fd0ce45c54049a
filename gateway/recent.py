"""What the store could answer a moment ago, so that a busy school's ledger is not read for every query (pure).

The store's facts only grow newer, so what was good enough is judged by its age again and by nothing else.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.needs import Need
from gateway.outcomes import Outcome
from gateway.verdicts import refusal
from models.roster import Source

_BELIEVED_FOR = timedelta(seconds=1)
_KEPT = 10_000


@dataclass(kw_only=True)
class Recent:
    """Of one institution."""

    _outcomes: dict[Need, tuple[Outcome, datetime]] = field(default_factory=dict)

    def of(self, needs: Sequence[Need], now: datetime) -> list[Outcome] | None:
        """How the store meets all of these needs; None where it has to be asked."""
        found = []
        for need in needs:
            known = self._outcomes.get(need)
            if known is None or now - known[1] > _BELIEVED_FOR:
                return None
            by = known[0].by
            if by is None or refusal(need, by, now) is not None:
                return None
            found.append(known[0])
        return found

    def renew(self, needs: Iterable[Need], now: datetime) -> None:
        """They are being asked for: who comes meanwhile takes what was known, or a busy moment's all would ask the same."""
        for need in needs:
            if known := self._outcomes.get(need):
                self._outcomes[need] = (known[0], now)

    def learn(self, outcomes: Iterable[Outcome], now: datetime) -> None:
        if len(self._outcomes) >= _KEPT:
            self._outcomes.clear()
        for outcome in outcomes:
            local = outcome.by is not None and outcome.by.source is Source.LOCAL
            if local and not outcome.tries and not outcome.is_stale(now):
                self._outcomes[outcome.need] = (outcome, now)
            else:
                self._outcomes.pop(outcome.need, None)
