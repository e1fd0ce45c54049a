"""The plan of a change of many: what was asked for, against a roster that is fresh enough, and by which path."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from gateway import change_paths, data_sets, roster_change, roster_undo
from gateway.canvas.client import Call
from gateway.change_paths import Carried, Names, Path, Reads
from gateway.errors import WriteRefused
from gateway.merge import Guard
from gateway.prices import PriceBook
from gateway.readpath.connections import Connections
from gateway.readpath.lookups import By
from gateway.readpath.registry import Reader
from gateway.roster_change import Exactly, Wanted
from gateway.store import roster_changes, roster_ground
from gateway.store.roster_ground import Seen
from gateway.uow import Database
from gateway.writes import roster_plan, roster_rows
from gateway.writes.roster_plan import Frame
from gateway.writes.roster_reading import People, RosterReading
from gateway.writes.roster_rows import Found, Miss, Said
from models.roster import EnrollmentState, EnrollmentType, MutationErrorCode

# A plan asks Canvas so much at most, for somebody waits; what it could not ask, the change looks at before it begins.
MOST_REQUESTS = 30


@dataclass(frozen=True, kw_only=True)
class ExactlyThese:
    """Whoever is in these sections and not in the rows goes. `types` empty: those that the rows have."""

    sections: tuple[By, ...]
    types: frozenset[EnrollmentType] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be planned. `fresher_than`: the roster is read from Canvas where it is known as of earlier."""

    rows: Sequence[Said | Miss]
    exactly: ExactlyThese | None = None
    drop: EnrollmentState
    path: Path | None = None
    fresher_than: datetime


@dataclass(frozen=True, kw_only=True)
class Planning:
    """Of one institution. `diffs`: whether it asks that its SIS files be compared with one another."""

    database: Database
    connections: Connections
    prices: PriceBook
    guard: Guard
    reading: RosterReading
    diffs: bool = False

    async def plan(
        self,
        asked: Asked,
        reader: Reader,
        call: Call | None,
        *,
        caller: str,
        person_id: int | None,
        now: datetime,
    ) -> int:
        """The id of the kept plan. WriteRefused where there is nothing to plan."""
        said = [row for row in asked.rows if isinstance(row, Said)]
        unread = [row for row in asked.rows if isinstance(row, Miss)]
        found = await roster_rows.found(self.database, self.connections, reader, said)
        sections = await self._sections(asked, reader)
        wanted, misses = await asyncio.to_thread(_meant, said, found)
        ground = _Ground(wanted=wanted, courses_of=sections)
        seen = await self._enrollments(reader, ground.courses)
        names = await self._named(reader.institution_id, ground, seen)
        if call is not None and await self._read(asked, call, ground, names, seen):
            # whoever was not known before may be now
            found = await roster_rows.found(self.database, self.connections, reader, said)
            wanted, misses = await asyncio.to_thread(_meant, said, found)
            ground = replace(ground, wanted=wanted)
            seen = await self._enrollments(reader, ground.courses)
            names = await self._named(reader.institution_id, ground, seen)
        exactly = _exactly(asked, wanted, sections, unread=len(unread) + len(misses))
        rows = await asyncio.to_thread(_carried, wanted, seen, names, exactly)
        data_set = None
        if self.diffs and exactly is not None:
            data_set = data_sets.data_set(rows, exactly, names)
        return await self._keep(
            reader.institution_id,
            rows,
            [*unread, *misses],
            {row.row: row.text for row in said},
            seen,
            Frame(
                asked.path,
                caller,
                person_id,
                now,
                exactly=exactly,
                whole=frozenset(sections.values()),
                data_set=data_set,
            ),
        )

    async def inverse(
        self,
        institution_id: int,
        wanted: Sequence[Wanted],
        *,
        caller: str,
        person_id: int | None,
        path: Path | None,
        now: datetime,
        undoes: int,
    ) -> int:
        """The plan that takes a change back."""
        ground = _Ground(wanted=list(wanted), courses_of={})
        seen = await roster_ground.enrollments(self.database, institution_id, ground.courses)
        names = await self._named(institution_id, ground, seen)
        carried = await asyncio.to_thread(_carried, wanted, seen, names, None)
        frame = Frame(path, caller, person_id, now, undoes)
        return await self._keep(institution_id, carried, (), {}, seen, frame)

    async def _sections(self, asked: Asked, reader: Reader) -> dict[int, int]:
        """The courses of the sections whose roster is to be exactly what was said."""
        if asked.exactly is None:
            return {}
        named = await roster_rows.ids_of(self.connections, reader, asked.exactly.sections)
        courses = await roster_ground.courses_of(
            self.database, reader.institution_id, named.values()
        )
        for by, section in named.items():
            if section not in courses:
                raise WriteRefused(
                    MutationErrorCode.NOT_FOUND, f"The {by} is gone.", "exactly", "sections"
                )
        return courses

    async def _enrollments(self, reader: Reader, courses: Collection[int]) -> list[Seen]:
        return await roster_ground.enrollments(self.database, reader.institution_id, courses)

    async def _named(self, institution_id: int, ground: "_Ground", seen: Sequence[Seen]) -> Names:
        people = {one for row in ground.wanted for one in _people_of(row)}
        people |= {
            one.present.key.person for one in seen if one.present.key.section in ground.courses_of
        }
        sections = {row.key.section for row in ground.wanted} | ground.courses_of.keys()
        sections |= {one.present.key.section for one in seen}
        names = await roster_ground.names(
            self.database,
            institution_id,
            people=people,
            sections=sections,
            courses=ground.courses,
        )
        enrolled = frozenset((one.present.course, one.present.key.person) for one in seen)
        return replace(names, enrolled=enrolled)

    async def _read(
        self, asked: Asked, call: Call, ground: "_Ground", names: Names, seen: Sequence[Seen]
    ) -> bool:
        """Whether anything was read anew: only what is older than asked for, and only where that is soon done.

        Of a roster that is said whole everybody: of some who are there, neither a report nor a look at one person tells.
        """
        rows = Counter(one.present.course for one in seen)
        whole = set(ground.courses_of.values())
        old = {
            **_old(ground.people(seen), seen, asked.fresher_than),
            **dict.fromkeys(whole, frozenset()),
        }
        reads = {
            course: Reads.whole(rows[course])
            if course in whole
            else Reads(people=len(who), rows=rows[course])
            for course, who in old.items()
        }
        requests = sum(read.price(self.prices).requests for read in reads.values())
        if not old or requests > MOST_REQUESTS:
            return False
        await self.reading.read(call, old, names, reads)
        return True

    async def _keep(
        self,
        institution_id: int,
        rows: Sequence[Carried],
        misses: Sequence[Miss],
        texts: Mapping[int, str],
        seen: Sequence[Seen],
        frame: Frame,
    ) -> int:
        planned = roster_plan.planned(rows, seen, frame, self.guard, self.prices)
        kept = roster_plan.kept(rows, misses, texts, planned.path, frame)
        return await roster_changes.keep(self.database, institution_id, planned, kept)


# Deciding of 50,000 rows takes seconds, so it is done in threads: others go on meanwhile.


def _meant(said: Sequence[Said], found: Found) -> tuple[list[Wanted], list[Miss]]:
    meant = roster_rows.meant(said, found)
    return (
        [row for row in meant if isinstance(row, Wanted)],
        [row for row in meant if isinstance(row, Miss)],
    )


def _carried(
    wanted: Sequence[Wanted], seen: Sequence[Seen], names: Names, exactly: Exactly | None
) -> list[Carried]:
    steps = roster_change.steps(wanted, [one.present for one in seen], exactly)
    found = [change_paths.carried(step, names) for step in steps]
    return [replace(one, by_undo=roster_undo.objection(one.step, names)) for one in found]


@dataclass(frozen=True, kw_only=True)
class _Ground:
    """Where a change takes place. `courses_of`: of the sections that are to have exactly the rows."""

    wanted: Sequence[Wanted]
    courses_of: Mapping[int, int]

    @property
    def courses(self) -> set[int]:
        return {row.course for row in self.wanted} | set(self.courses_of.values())

    def people(self, seen: Iterable[Seen]) -> dict[int, set[int]]:
        found: dict[int, set[int]] = {}
        for row in self.wanted:
            found.setdefault(row.course, set()).add(row.key.person)
        for one in seen:
            if one.present.key.section in self.courses_of:
                found.setdefault(one.present.course, set()).add(one.present.key.person)
        return found


def _people_of(row: Wanted) -> Iterable[int]:
    yield row.key.person
    if row.key.associated is not None:
        yield row.key.associated


def _old(people: People, seen: Iterable[Seen], fresher_than: datetime) -> People:
    """Those of whom something is known as of earlier, or nothing at all, with all others of their course."""
    known: dict[tuple[int, int], datetime] = {}
    for one in seen:
        key = (one.present.course, one.present.key.person)
        known[key] = min(one.as_of, known.get(key, one.as_of))
    return {
        course: who
        for course, who in people.items()
        if any(
            known.get((course, one), datetime.min.replace(tzinfo=UTC)) < fresher_than for one in who
        )
    }


def _exactly(
    asked: Asked, wanted: Sequence[Wanted], sections: Mapping[int, int], *, unread: int
) -> Exactly | None:
    if asked.exactly is None:
        return None
    types = asked.exactly.types or frozenset(row.key.type for row in wanted)
    return Exactly(sections=frozenset(sections), types=types, drop=asked.drop, unread=unread)
