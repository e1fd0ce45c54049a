"""What a change of many is compared with: the enrollments of courses, ended ones too, and what people and places are called."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from gateway.change_paths import Named, Names
from gateway.roster_change import Fields, Key, Present
from gateway.store.rows import time
from gateway.uow import Database, Row
from models.roles import CANVAS_TYPES
from models.roster import CourseState, EnrollmentState, EnrollmentType

_BUILT_IN = {theirs: name for name, theirs in CANVAS_TYPES.items()}
_AT_ONCE = 5_000


@dataclass(frozen=True, kw_only=True)
class Seen:
    """An enrollment, and as of when it is known to be so."""

    present: Present
    as_of: datetime


def role_name(of_type: EnrollmentType, role: str | None) -> str:
    """As keys spell it: reports leave the name of a built-in role out, or call it by another word."""
    return _BUILT_IN[of_type] if role in (None, "", of_type.lower()) else str(role)


async def enrollments(
    database: Database, institution_id: int, courses: Collection[int]
) -> list[Seen]:
    pinned = (
        "select 1 from pin p where p.institution_id = $1 and p.person_id = e.person_id"
        " and (p.enrollment_id is null or p.enrollment_id = e.id)"
    )
    found: list[Seen] = []
    for some in _listed(courses):
        rows = await database.rows(
            "select e.id, e.canvas_id, e.course_id, e.section_id, e.person_id, e.type, e.role, e.state,"
            " e.associated_person_id, e.start_at, e.end_at, e.limit_to_section, e.standing_as_of, e.removed_at,"
            f" case when exists ({pinned}) then 1 else 0 end as pinned from enrollment e"
            f" where e.institution_id = $1 and e.course_id in ({some}) and e.section_id is not null",
            institution_id,
        )
        found += map(_seen, rows)
    return found


def _seen(row: Row) -> Seen:
    of_type = EnrollmentType(row["type"])
    limited = row["limit_to_section"]
    key = Key(
        section=row["section_id"],
        person=row["person_id"],
        type=of_type,
        role=role_name(of_type, row["role"]),
        associated=row["associated_person_id"],
    )
    present = Present(
        id=row["id"],
        canvas_id=row["canvas_id"],
        course=row["course_id"],
        key=key,
        state=EnrollmentState.DELETED if row["removed_at"] else EnrollmentState(row["state"]),
        fields=Fields(
            start_at=_time(row["start_at"]),
            end_at=_time(row["end_at"]),
            limited=None if limited is None else bool(limited),
        ),
        pinned=bool(row["pinned"]),
    )
    return Seen(present=present, as_of=time(row["standing_as_of"]))


async def names(
    database: Database,
    institution_id: int,
    *,
    people: Collection[int],
    sections: Collection[int],
    courses: Collection[int],
) -> Names:
    return Names(
        people=await _named(database, institution_id, "person", people),
        sections=await _named(database, institution_id, "section", sections),
        courses=await _named(database, institution_id, "course", courses),
    )


async def _named(
    database: Database, institution_id: int, table: str, ids: Collection[int]
) -> dict[int, Named]:
    state = "state" if table == "course" else "cast(null as text)"
    found: dict[int, Named] = {}
    for some in _listed(ids):
        rows = await database.rows(
            f"select id, canvas_id, sis_id, {state} as state from {table} where institution_id = $1 and id in ({some})"
            " and removed_at is null",
            institution_id,
        )
        for row in rows:
            found[row["id"]] = Named(
                canvas_id=row["canvas_id"],
                sis_id=row["sis_id"],
                concluded=row["state"] == CourseState.COMPLETED,
            )
    return found


async def sections_of(
    database: Database, institution_id: int, courses: Collection[int]
) -> dict[int, int]:
    """The course of each living section of these courses."""
    return await _sections(database, institution_id, "course_id", courses)


async def courses_of(
    database: Database, institution_id: int, sections: Collection[int]
) -> dict[int, int]:
    """The course that each of these sections is in now."""
    return await _sections(database, institution_id, "id", sections)


async def _sections(
    database: Database, institution_id: int, column: str, ids: Collection[int]
) -> dict[int, int]:
    found: dict[int, int] = {}
    for some in _listed(ids):
        rows = await database.rows(
            f"select id, course_id from section where institution_id = $1 and {column} in ({some})"
            " and removed_at is null",
            institution_id,
        )
        found |= {row["id"]: row["course_id"] for row in rows}
    return found


async def types_of_roles(
    database: Database, institution_id: int, roles: Iterable[str]
) -> dict[str, set[EnrollmentType]]:
    """What enrollments in roles of these names are."""
    found: dict[str, set[EnrollmentType]] = {}
    for role in sorted(set(roles)):
        rows = await database.rows(
            "select distinct type from enrollment where institution_id = $1 and role = $2",
            institution_id,
            role,
        )
        found[role] = {EnrollmentType(row["type"]) for row in rows}
    return found


def _listed(ids: Iterable[int]) -> Iterator[str]:
    """As SQL lists them, so many at once."""
    ordered = sorted(set(ids))
    for start in range(0, len(ordered), _AT_ONCE):
        yield ", ".join(f"{one:d}" for one in ordered[start : start + _AT_ONCE])


def _time(value: datetime | str | None) -> datetime | None:
    return None if value is None else time(value)
