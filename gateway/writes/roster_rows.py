"""Rows of a change as they were said, and the enrollments that they mean: ids found, sections and roles filled in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from msgspec import UNSET, UnsetType

from gateway.errors import WriteRefused
from gateway.readpath import lookups
from gateway.readpath.connections import Connections
from gateway.readpath.lookups import By
from gateway.readpath.registry import Reader
from gateway.roster_change import Date, Key, Present, Wanted
from gateway.store import roster_ground
from gateway.store.roster_ground import Seen, role_name
from gateway.uow import Database
from models.roles import CANVAS_TYPES, REPORT_ROLES
from models.roster import EnrollmentState, EnrollmentType, MutationErrorCode


@dataclass(frozen=True, kw_only=True)
class Said:
    """A row, with people and places by any id. `text`: as it was given, for whoever reads the plan."""

    row: int
    text: str
    user: By
    course: By | None = None
    section: By | None = None
    type: EnrollmentType | None = None
    role: str | None = None
    state: EnrollmentState | None = None
    associated: By | None = None
    start_at: Date = UNSET
    end_at: Date = UNSET
    limited: bool | UnsetType = UNSET


@dataclass(frozen=True, kw_only=True)
class Miss:
    """A row that means nothing that is known, and why."""

    row: int
    text: str
    reason: str


Meant: TypeAlias = Wanted | Miss
# Enrollments by course, person and type.
_Standing: TypeAlias = dict[tuple[int, int, EnrollmentType], list[Present]]


class _Missed(Exception):
    pass


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the rows name, and the enrollments of the courses that they are about. None: the id names two."""

    ids: Mapping[By, int | None]
    courses: Mapping[int, int]  # of each section
    seen: Sequence[Seen]
    types: Mapping[str, frozenset[EnrollmentType]]  # of custom roles

    def one(self, by: By) -> int:
        if by not in self.ids:
            raise _Missed(f"there is no {by}")
        row_id = self.ids[by]
        if row_id is None:
            raise _Missed(f"there is more than one {by}: name it by another id")
        return row_id

    def place(self, said: Said) -> tuple[int, int | None]:
        """Course and section; None where only the course is said."""
        course = None if said.course is None else self.one(said.course)
        if said.section is None:
            if course is None:
                raise _Missed("it names neither a course nor a section")
            return course, None
        section = self.one(said.section)
        its_course = self.courses.get(section)
        if its_course is None:
            raise _Missed(f"the {said.section} is gone")
        if course not in (None, its_course):
            raise _Missed(f"the {said.section} is not in the {said.course}")
        return its_course, section


async def ids_of(connections: Connections, reader: Reader, sections: Sequence[By]) -> dict[By, int]:
    """Our ids. WriteRefused where one names nothing, or two."""
    ids = await lookups.each(connections, reader, sections)
    for by in sections:
        if ids.get(by) is None:
            words = "There is no" if by not in ids else "There is more than one"
            raise WriteRefused(MutationErrorCode.NOT_FOUND, f"{words} {by}.", "exactly", "sections")
    return {by: one for by, one in ids.items() if one is not None}


async def found(
    database: Database, connections: Connections, reader: Reader, rows: Sequence[Said]
) -> Found:
    wanted = {by for said in rows for by in (said.user, said.course, said.section, said.associated)}
    ids = await lookups.each(connections, reader, [by for by in wanted if by is not None])
    of_type = {
        name: {one for by, one in ids.items() if one is not None and by.type_name == name}
        for name in ("Section", "Course")
    }
    named = await roster_ground.courses_of(database, reader.institution_id, of_type["Section"])
    courses = of_type["Course"] | set(named.values())
    alone = {ids.get(said.course) for said in rows if said.course and not said.section} - {None}
    others = await roster_ground.sections_of(
        database, reader.institution_id, [one for one in alone if one is not None]
    )
    customs = {said.role for said in rows if said.role and _built_in(said.role) is None}
    types = await roster_ground.types_of_roles(database, reader.institution_id, customs)
    return Found(
        ids=ids,
        courses={**others, **named},
        seen=await roster_ground.enrollments(database, reader.institution_id, courses),
        types={role: frozenset(found) for role, found in types.items()},
    )


def meant(rows: Iterable[Said], found: Found) -> list[Meant]:
    """The enrollment that each row is about, or why there is none."""
    standing: _Standing = {}
    for one in found.seen:
        key = one.present.key
        standing.setdefault((one.present.course, key.person, key.type), []).append(one.present)
    sections: dict[int, list[int]] = {}
    for section, course in found.courses.items():
        sections.setdefault(course, []).append(section)
    results: list[Meant] = []
    for said in rows:
        try:
            results.append(_meant(said, found, standing, sections))
        except _Missed as missed:
            results.append(Miss(row=said.row, text=said.text, reason=str(missed)))
    return results


def _meant(
    said: Said,
    found: Found,
    standing: _Standing,
    sections: Mapping[int, Sequence[int]],
) -> Wanted:
    person = found.one(said.user)
    course, section = found.place(said)
    of_type, role = _role(said, found.types)
    theirs: Sequence[Present] = standing.get((course, person, of_type), ())
    if not said.role:
        role = _role_there(theirs, section, role)
    if section is None:
        theirs = _living([one for one in theirs if one.key.role == role])
        section = _only({one.key.section for one in theirs}) or _only(sections.get(course, ()))
    if section is None:
        raise _Missed(f"the {said.course} has several sections: say which one")
    return Wanted(
        row=said.row,
        course=course,
        key=Key(
            section=section,
            person=person,
            type=of_type,
            role=role,
            associated=None if said.associated is None else found.one(said.associated),
        ),
        state=said.state,
        start_at=said.start_at,
        end_at=said.end_at,
        limited=said.limited,
    )


def _role_there(theirs: Iterable[Present], section: int | None, usual: str) -> str:
    """A row that says a type alone means the enrollment of that type that is there, whatever its role is called."""
    living = {
        one.key.role
        for one in theirs
        if one.state is not EnrollmentState.DELETED and section in (None, one.key.section)
    }
    if not living or usual in living:
        return usual
    if len(living) > 1:
        raise _Missed(f"the person is there as {' and as '.join(sorted(living))}: say which role")
    return living.pop()


def _living(theirs: Sequence[Present]) -> Sequence[Present]:
    return [one for one in theirs if one.state is not EnrollmentState.DELETED] or theirs


def _only(sections: Iterable[int]) -> int | None:
    several = list(sections)
    return several[0] if len(several) == 1 else None


def _role(said: Said, types: Mapping[str, frozenset[EnrollmentType]]) -> tuple[EnrollmentType, str]:
    """A role knows its type: a built-in one by its name, a custom one by the enrollments that have it."""
    if not said.role:
        if said.type is None:
            raise _Missed("it says neither a type nor a role")
        return said.type, role_name(said.type, None)
    of_type = _built_in(said.role)
    if of_type is None:
        known = types.get(said.role, frozenset())
        of_type = said.type or (next(iter(known)) if len(known) == 1 else None)
        if of_type is None:
            raise _Missed(f"what type the role {said.role!r} is of is not known: say it")
        return of_type, said.role
    if said.type not in (None, of_type):
        raise _Missed(f"the role {said.role!r} is not of type {said.type}")
    return of_type, role_name(of_type, None)


def _built_in(role: str) -> EnrollmentType | None:
    return REPORT_ROLES.get(role) or CANVAS_TYPES.get(role)
