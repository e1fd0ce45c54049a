"""Changes of many for every institution that has a Canvas, put together from its configuration."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from gateway.canvas.sis_imports import SisImports, Sleep
from gateway.merge import Guard
from gateway.prices import PriceBooks
from gateway.readpath.connections import Connections
from gateway.settings import DropPolicy, Settings
from gateway.store import institutions
from gateway.uow import Database
from gateway.upstreams import Upstream
from gateway.writes.acting import Actors
from gateway.writes.roster_jobs import Office
from gateway.writes.roster_planning import Planning
from gateway.writes.roster_reading import RosterReading
from models.roster import EnrollmentState

_DROPS = {
    DropPolicy.DELETE: EnrollmentState.DELETED,
    DropPolicy.INACTIVATE: EnrollmentState.INACTIVE,
    DropPolicy.CONCLUDE: EnrollmentState.COMPLETED,
}


@dataclass(frozen=True, kw_only=True)
class Making:
    """What offices are made of. `books`: what calls to each institution's Canvas are known to cost."""

    configured: Settings
    database: Database
    connections: Connections
    upstreams: Mapping[int, Upstream]
    books: PriceBooks
    clock: Callable[[], datetime]
    sleep: Sleep

    async def offices(self) -> dict[int, Office]:
        found = {}
        for one in self.configured.institutions:
            institution = await institutions.by_slug(self.database, one.slug)
            upstream = institution and self.upstreams.get(institution.id)
            if institution is None or not upstream:
                continue
            prices = self.books.of(institution.id)
            found[institution.id] = Office(
                planning=Planning(
                    database=self.database,
                    connections=self.connections,
                    prices=prices,
                    guard=Guard(share=one.shrink_guard, least=one.shrink_guard_min),
                    diffs=one.sis_diffing,
                    reading=RosterReading(
                        database=self.database,
                        canvas=upstream.canvas,
                        prices=prices,
                        clock=self.clock,
                        institution_id=institution.id,
                        shard=institution.shard,
                    ),
                ),
                actors=Actors(
                    institution_id=institution.id,
                    shard=institution.shard,
                    database=self.database,
                    credentials=upstream.credentials,
                ),
                # of the root account: Canvas imports for no other
                imports=SisImports(canvas=upstream.canvas, account="self", sleep=self.sleep),
                drop=_DROPS[one.drop_policy],
                max_age=one.default_max_age,
            )
        return found
