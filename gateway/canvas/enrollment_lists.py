"""The enrollments of a course, a section or a person, read whole, and asked for again where the list may have left some out.

A list never says how long it is, so a page that was cut looks like a short list. What was known and is missing is therefore
asked for by its own id; a first list, an empty one and one with a short page inside is compared with Canvas's own count.
"""

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.batch import UNTOLD, Course, Enrollment, Person
from gateway.canvas import rows
from gateway.canvas.client import PAGE_SIZE, Call, Canvas, Params, segment
from gateway.errors import CutShort, NotThere, SourceRefused
from models.canvas_ids import to_rest
from models.roster import EnrollmentState, EnrollmentType

_log = logging.getLogger(__name__)

# So many are asked for one by one; of more, the list of all who have ended is read first.
ASKED_ONE_BY_ONE = 10
MOST_ASKED = 60

_COUNT = (("include[]", "total_students"),)
_COUNTED = (EnrollmentState.ACTIVE, EnrollmentState.INVITED)

# All but deleted ones; unnamed, students are shown published ones alone (canvas-lms: doc/api/courses.md).
_OF_SOMEBODY = ("unpublished", "available", "completed")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Whose list: of a "course", a "section" or a "person", by its global id; `path` where it is asked for."""

    path: str
    kind: Literal["course", "section", "person"]
    id: int

    def holds(self, row: Enrollment) -> bool:
        return str(getattr(row, self.kind)) == str(self.id)


@dataclass(frozen=True, kw_only=True)
class Known:
    """A row of the store that the list should show."""

    canvas_id: int
    section: int | None


@dataclass(frozen=True, kw_only=True)
class Unnumbered:
    """A row of the store that the list should show and whose own id is not known: who is where."""

    person: int | None
    sis_id: str | None
    section: int | None


def section_path(section: int, shard: int) -> str:
    return f"/sections/{to_rest(section, shard)}/enrollments"


@dataclass(kw_only=True)
class Lists:
    """Rows and people as they were told, in whatever order; `full_pages`: no page inside the list was short."""

    canvas: Canvas
    call: Call
    place: Place
    shard: int
    includes: Sequence[str] = ()
    enrollments: dict[int, Enrollment] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    courses: list[Course] = field(default_factory=list)
    full_pages: bool = True

    async def read(
        self, states: Collection[EnrollmentState], *, path: str | None = None
    ) -> set[int]:
        """Every row in these states; the Canvas ids that were listed."""
        params = [("state[]", state.lower()) for state in sorted(states)]
        params += [("include[]", name) for name in self.includes]
        listed = await self._list(path or self.place.path, params)
        if self.place.kind == "person" and not self.courses:
            await self._name_courses(f"/users/{to_rest(self.place.id, self.shard)}/courses")
        return listed

    async def read_own(self, words: Sequence[str]) -> set[int]:
        """The caller's own rows, by Canvas's words for states by date."""
        listed = await self._list(self.place.path, [("state[]", word) for word in words])
        if not self.courses:
            await self._name_courses("/courses")
        return listed

    async def _name_courses(self, path: str) -> None:
        """What a person's courses are called, which enrollments do not say; whoever may not ask for it does without."""
        params = [("include[]", "term"), *(("state[]", state) for state in _OF_SOMEBODY)]
        try:
            async for page in self.canvas.pages(self.call, path, params):
                self.courses += [rows.course(row, self.shard) for row in page]
        except (SourceRefused, NotThere) as refusal:
            _log.info("courses stay without names: %s", refusal)

    async def _list(self, path: str, params: Params) -> set[int]:
        listed: set[int] = set()
        before: list[Any] | None = None
        async for page in self.canvas.pages(self.call, path, params):
            if before is not None and len(before) < PAGE_SIZE:
                self.full_pages = False
            before = page
            listed |= {self._add(row) for row in page}
        return listed

    def _add(self, row: rows.Json) -> int:
        one = rows.enrollment(row, self.shard)
        self.enrollments[one.canvas_id] = one
        user = row.get("user")
        if isinstance(user, dict):
            person = rows.person(user, self.shard)
            if person.key != one.person:
                raise CutShort("Canvas answered with a row whose user is another one")
            self.people[person.key] = person
        for key in (one.person, one.associated):
            if key is not None and key not in self.people:
                self.people[key] = rows.named(int(key))
        return one.canvas_id

    async def compare(
        self, listed: set[int], states: Collection[EnrollmentState], *, seen_by: str | None = None
    ) -> set[int]:
        """The list, read again when Canvas counts more students than it showed; CutShort when it still does.

        `seen_by`: the key of whoever calls, where they may see the students of some sections alone: these are compared then.
        """
        for attempt in (1, 2):
            if await self._agrees(listed, seen_by):
                return listed
            if attempt == 1:
                listed = await self.read(states)
        raise CutShort(f"{self.place.path} left out people whom Canvas counts")

    async def _agrees(self, listed: set[int], seen_by: str | None) -> bool:
        rows = [self.enrollments[one] for one in listed]
        if _students(rows) >= await self._counted():
            return True
        if seen_by is None:
            return False
        sections = {
            row.section
            for row in rows
            if row.type is EnrollmentType.STUDENT or row.person == seen_by
        }
        for section in sorted(sections):
            path = f"/sections/{to_rest(int(section), self.shard)}"
            shown = _students(row for row in rows if row.section == section)
            if shown < _total(await self.canvas.get(self.call, path, _COUNT)):
                return False
        return bool(sections)

    async def _counted(self) -> int:
        """Students, active and invited, by Canvas's own count."""
        path = f"/{self.place.kind}s/{to_rest(self.place.id, self.shard)}"
        answer = await self.canvas.get(self.call, path, [*_COUNT, ("include[]", "term")])
        if self.place.kind == "course":
            self.courses = [rows.course(answer, self.shard)]
        return _total(answer)

    async def account_for(
        self, missing: Iterable[Known], asked: frozenset[EnrollmentState]
    ) -> frozenset[EnrollmentState]:
        """What became of rows that were known and not listed: told with the state or the place that they have now, or `gone`.

        The states of which all rows are known then. CutShort when one of them should have been listed: then nothing is known of the others either.
        """
        left = {known.canvas_id: known for known in missing}
        states = asked
        if len(left) > ASKED_ONE_BY_ONE:
            await self.read(frozenset(EnrollmentState) - asked)
            states = frozenset(EnrollmentState)
            left = {one: known for one, known in left.items() if one not in self.enrollments}
        questions = 0
        while left:
            questions += 1
            if questions > MOST_ASKED:
                raise CutShort(
                    f"{self.place.path} left out {len(left)} rows, and Canvas does not say why"
                )
            known = left.pop(next(iter(left)))
            moved = await self._ask(known, asked)
            if moved is not None and any(one.section == moved for one in left.values()):
                await self.read(asked, path=section_path(moved, self.shard))
                left = {one: known for one, known in left.items() if one not in self.enrollments}
        return states

    async def look_for(
        self, unnumbered: Iterable[Unnumbered], asked: Collection[EnrollmentState]
    ) -> None:
        """CutShort when somebody whose row was not listed is enrolled there all the same, as their own list tells."""
        listed = {(row.person, row.section) for row in self.enrollments.values()}
        by_sis_id = {person.sis_id: int(person.key) for person in self.people.values()}
        missing: set[str] = set()
        for row in unnumbered:
            person = by_sis_id.get(row.sis_id or UNTOLD) if row.person is None else row.person
            if (str(person), row.section) not in listed:
                missing.add(
                    f"sis_user_id:{row.sis_id}" if person is None else to_rest(person, self.shard)
                )
        if len(missing) > MOST_ASKED:
            raise CutShort(f"{self.place.path} left out {len(missing)} people who were there")
        for person_form in sorted(missing):
            await self._look_for(person_form, asked)

    async def _look_for(self, person: str, asked: Collection[EnrollmentState]) -> None:
        params = [("state[]", state.lower()) for state in sorted(asked)]
        path = f"/users/{segment(person)}/enrollments"
        try:
            async for page in self.canvas.pages(self.call, path, params):
                for told in page:
                    row = rows.enrollment(told, self.shard)
                    if self.place.holds(row) and row.canvas_id not in self.enrollments:
                        raise CutShort(f"{self.place.path} left out somebody who is enrolled")
        except NotThere:
            return  # nobody is that any more

    async def _ask(self, known: Known, asked: Collection[EnrollmentState]) -> int | None:
        """The section of a row that moved to another course with it."""
        try:
            answer = await self.canvas.get(
                self.call, f"/accounts/self/enrollments/{to_rest(known.canvas_id, self.shard)}"
            )
        except NotThere:
            self.gone.add(known.canvas_id)
            return None
        row = rows.enrollment(answer, self.shard)
        if row.canvas_id != known.canvas_id:
            raise CutShort("Canvas answered with another enrollment than the one asked for")
        if self.place.holds(row) and row.state in asked:
            raise CutShort(f"{self.place.path} left out somebody who is enrolled")
        self._add(answer)
        return row.section if not self.place.holds(row) and self.place.kind == "course" else None


def _students(listed: Iterable[Enrollment]) -> int:
    """People, as Canvas counts them."""
    return len(
        {
            row.person
            for row in listed
            if row.type is EnrollmentType.STUDENT and row.state in _COUNTED
        }
    )


def _total(answer: rows.Json) -> int:
    count = answer.get("total_students")
    return count if isinstance(count, int) else 0
