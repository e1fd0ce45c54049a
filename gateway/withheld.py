"""What sources were found not to give, so that it is not asked for again and again (pure).

Canvas leaves out what the eyes it answers may not see, such as addresses, and says so nowhere: only a read tells.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from gateway.batch import Taken
from gateway.needs import Need, Scope
from gateway.offers import Offer
from models.roster import FieldGroup, Source

_BELIEVED_FOR = timedelta(minutes=15)
_KEPT = 10_000

Key = tuple[Source, int | None, Scope]


@dataclass(kw_only=True)
class Withheld:
    """Of one institution: groups of fields, by source, eyes and scope."""

    _groups: dict[Key, tuple[frozenset[FieldGroup], datetime]] = field(default_factory=dict)

    def learn(
        self, offer: Offer, needs: Sequence[Need], taken: Iterable[Taken], now: datetime
    ) -> None:
        """What `taken` lacks of what was offered for `needs`."""
        if len(self._groups) >= _KEPT:
            self._groups.clear()
        asked = {needs[n].scope: needs[n].groups for n in offer.needs}
        for one in taken:
            if one.scope is None or one.scope not in asked:
                continue
            key = (offer.source, offer.eyes, one.scope)
            if lacking := asked[one.scope] - one.groups:
                self._groups[key] = (lacking, now)
            else:
                self._groups.pop(key, None)

    def less(self, offer: Offer, needs: Sequence[Need], now: datetime) -> Offer:
        """The offer without what it would not give."""
        lacking: frozenset[FieldGroup] = frozenset()
        for n in offer.needs:
            groups, at = self._groups.get(
                (offer.source, offer.eyes, needs[n].scope), (frozenset(), now)
            )
            if now - at < _BELIEVED_FOR:
                lacking |= groups
        return replace(offer, groups=offer.groups - lacking) if lacking else offer
