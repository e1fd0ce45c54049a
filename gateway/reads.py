"""Make the store fresh enough for a read: ask the sources for offers, plan, carry the plan out."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gateway.batch import Taken
from gateway.canvas.client import Meter
from gateway.planner import Need, Offer
from gateway.viewer import Viewer
from models.roster import Source


class RosterSource(Protocol):
    """One way to read rosters of one institution (`gateway/sources/`)."""

    source: Source

    async def offers(self, needs: Sequence[Need], viewer: Viewer, now: datetime) -> list[Offer]:
        """What it can do now for these needs of one level; `Offer.needs` are their places in `needs`.

        Breakers are not its business: whoever plans puts their obstacle on the offers.
        """

    async def fill(
        self,
        offer: Offer,
        needs: Sequence[Need],
        viewer: Viewer,
        meter: Meter,
        *,
        background: bool = False,
    ) -> Sequence[Taken]:
        """Read what was offered for these needs (the same list) and take it into the store, all of it or nothing.

        One `Taken` for each scope that was read. SourceError when the source did not answer as it should; then the store
        is as it was. `Taken.groups` may be fewer than the offer's: what Canvas did not show to these eyes is not there.
        """
