"""Changes into the Canvas of every institution that has one."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TypeAlias

from gateway.prices import PriceBooks
from gateway.store import change_requests, institutions
from gateway.store.intended import Problem
from gateway.uow import Database
from gateway.upstreams import Upstream
from gateway.viewer import Scope, Viewer
from gateway.writes.acting import Actors
from gateway.writes.carrying import SETTLED_AFTER, Carrier, Sleep
from gateway.writes.ending import Ended
from gateway.writes.pins import Pins
from gateway.writes.singles import Request, Singles
from models.roster import MutationErrorCode

ChangeRequest: TypeAlias = change_requests.ChangeRequest
Wanted: TypeAlias = change_requests.Wanted


class Writes:
    """`singles`: by our id of the institution. `pins`: what no change of many may touch."""

    def __init__(self, singles: Mapping[int, Singles], database: Database, pins: Pins) -> None:
        self._singles = singles
        self._database = database
        self.pins = pins

    async def carry_out(self, viewer: Viewer, request: Request) -> Ended:
        singles = self._singles.get(viewer.institution_id)
        if singles is None:
            words = "This institution is known through LTI alone; there is no Canvas API to change it by."
            problem = Problem(code=MutationErrorCode.NOT_SUPPORTED, message=words)
            return Ended(done=False, problem=problem)
        return await singles.carry_out(viewer, request)

    async def requests(self, viewer: Viewer, wanted: Wanted) -> Sequence[ChangeRequest]:
        """The audit, newest first."""
        viewer.require(Scope.ADMIN)
        return await change_requests.find(self._database, viewer.institution_id, wanted)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Writes"]:
        """Looks after what was left open; at the end, what was begun is ended first."""
        for one in self._singles.values():
            await one.take_up()
        looking = [asyncio.create_task(one.recover()) for one in self._singles.values()]
        try:
            yield self
        finally:
            for task in looking:
                task.cancel()
            await asyncio.gather(*looking, return_exceptions=True)
            for one in self._singles.values():
                await one.close()


async def writes(
    database: Database,
    upstreams: Mapping[int, Upstream],
    clock: Callable[[], datetime],
    books: PriceBooks,
    *,
    sleep: Sleep = asyncio.sleep,
    settled_after: timedelta = SETTLED_AFTER,
) -> Writes:
    found = {}
    for institution_id, upstream in upstreams.items():
        institution = await institutions.by_id(database, institution_id)
        if institution is None:
            continue
        actors = Actors(
            institution_id=institution_id,
            shard=institution.shard,
            database=database,
            credentials=upstream.credentials,
        )
        carrier = Carrier(
            institution_id=institution_id,
            shard=institution.shard,
            canvas=upstream.canvas,
            database=database,
            prices=books.of(institution_id),
            clock=clock,
            sleep=sleep,
            settled_after=settled_after,
        )
        found[institution_id] = Singles(carrier=carrier, actors=actors, database=database)
    return Writes(found, database, Pins(database, clock))
