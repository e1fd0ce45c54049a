"""The enrollments that a change of many is about, read from Canvas in every state, and kept."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from gateway.batch import Batch, Enrollment, Person
from gateway.canvas import enrollment_writes, rows
from gateway.canvas.client import Call, Canvas
from gateway.change_paths import Names, Reads
from gateway.errors import NotThere
from gateway.merge import Reading
from gateway.prices import Endpoint, PriceBook
from gateway.store import taking
from gateway.uow import Database
from models.canvas_ids import to_rest
from models.roster import EnrollmentState, Source

People: TypeAlias = Mapping[int, Collection[int]]
_STATES = [("state[]", state.lower()) for state in EnrollmentState]


@dataclass(frozen=True, kw_only=True)
class RosterReading:
    """Of one institution, on one authority's calls."""

    database: Database
    canvas: Canvas
    prices: PriceBook
    clock: Callable[[], datetime]
    institution_id: int
    shard: int

    async def read(
        self,
        call: Call,
        people: People,
        names: Names,
        reads: Mapping[int, Reads],
        *,
        source: Source = Source.ENROLLMENTS_API,
    ) -> datetime:
        """When it began. `people`: by course; as a MUTATION only their rows are told, for only these are its doing."""
        began = self.clock()
        for course, who in people.items():
            canvas_id = names.courses[course].canvas_id if course in names.courses else None
            if canvas_id is None:
                continue
            known = {one: names.people[one].canvas_id for one in who if one in names.people}
            wanted = [one for one in known.values() if one is not None]
            if reads[course].one_by_one:
                shown = await self._people(call, canvas_id, wanted)
            else:
                shown = await self._course(call, canvas_id)
                if source is Source.MUTATION:
                    keys = {str(one) for one in wanted}
                    shown = [one for one in shown if one[0].person in keys]
            await self._keep(shown, began, source)
        return began

    async def _people(self, call: Call, course: int, people: Sequence[int]) -> "_Shown":
        began, before = self.clock(), (call.meter.requests, call.meter.quota)
        found: _Shown = []
        for person in people:
            try:
                shown = await enrollment_writes.shown(self.canvas, call, course, person, self.shard)
            except NotThere:  # a person whom Canvas does not know has no rows
                continue
            by_key = {one.key: one for one in shown.people}
            found += [(row, by_key.get(row.person)) for row in shown.enrollments]
        self._teach(Endpoint.ENROLLMENT_LOOKUP, call, began, before)
        return found

    async def _course(self, call: Call, course: int) -> "_Shown":
        began, before = self.clock(), (call.meter.requests, call.meter.quota)
        path = f"/courses/{to_rest(course, self.shard)}/enrollments"
        found: _Shown = []
        async for page in self.canvas.pages(call, path, _STATES):
            for row in page:
                user = row.get("user")
                person = rows.person(user, self.shard) if isinstance(user, dict) else None
                found.append((rows.enrollment(row, self.shard), person))
        self._teach(Endpoint.ENROLLMENT_PAGE, call, began, before)
        return found

    def _teach(
        self, endpoint: Endpoint, call: Call, began: datetime, before: tuple[int, float]
    ) -> None:
        self.prices.teach(
            endpoint,
            quota=call.meter.quota - before[1],
            seconds=(self.clock() - began).total_seconds(),
            calls=call.meter.requests - before[0],
        )

    async def _keep(self, shown: "_Shown", began: datetime, source: Source) -> None:
        people: dict[str, Person] = {}
        for row, person in shown:
            people.setdefault(row.person, person or rows.named(int(row.person)))
        for row, _ in shown:
            if row.associated is not None:
                people.setdefault(row.associated, rows.named(int(row.associated)))
        if not shown:
            return
        batch = Batch(
            institution_id=self.institution_id,
            source=source,
            reading=Reading.ENROLLMENTS_API,
            authority="admin",
            began_at=began,
            ended_at=self.clock(),
            people=tuple(people.values()),
            enrollments=tuple(row for row, _ in shown),
        )
        await taking.take(self.database, batch, now=self.clock())


_Shown: TypeAlias = list[tuple[Enrollment, Person | None]]
