"""What the store knows of scopes before they are read: what Canvas calls them, how many rows to expect, which should be shown."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.needs import Scope, ScopeKind
from gateway.store.rows import time
from gateway.uow import Database
from models.roster import EnrollmentState, Source

_TABLES = {
    ScopeKind.COURSE: "course",
    ScopeKind.SECTION: "section",
    ScopeKind.PERSON: "person",
    ScopeKind.ACCOUNT: "account",
}
_COLUMNS = {
    ScopeKind.COURSE: "course_id",
    ScopeKind.SECTION: "section_id",
    ScopeKind.PERSON: "person_id",
}


@dataclass(frozen=True, kw_only=True)
class ShouldShow:
    """A row of the store, by global Canvas ids."""

    canvas_id: int
    section: int | None


async def canvas_ids(
    database: Database, institution_id: int, scopes: Iterable[Scope]
) -> dict[Scope, int]:
    """The global Canvas id of each scope that has one."""
    found: dict[Scope, int] = {}
    for kind, ids in _by_kind(scopes).items():
        rows = await database.rows(
            f"select id, canvas_id from {_TABLES[kind]} where institution_id = $1 and id in ({_listed(ids)})"
            " and canvas_id is not null",
            institution_id,
        )
        found |= {Scope(kind=kind, id=int(row["id"])): int(row["canvas_id"]) for row in rows}
    return found


async def courses_of_sections(
    database: Database, institution_id: int, sections: Collection[int]
) -> dict[int, int]:
    """The global Canvas id of the course that each section (our id) is in."""
    if not sections:
        return {}
    rows = await database.rows(
        "select s.id, c.canvas_id from section s join course c on c.institution_id = $1 and c.id = s.course_id"
        f" where s.institution_id = $1 and s.id in ({_listed(sections)}) and c.canvas_id is not null",
        institution_id,
    )
    return {int(row["id"]): int(row["canvas_id"]) for row in rows}


async def courses(database: Database, institution_id: int) -> int:
    """How many the store has."""
    rows = await database.rows(
        "select count(*) as n from course where institution_id = $1 and removed_at is null",
        institution_id,
    )
    return int(rows[0]["n"])


async def expected_rows(
    database: Database,
    institution_id: int,
    scopes: Iterable[Scope],
    states: Collection[EnrollmentState],
) -> dict[Scope, int]:
    """How many enrollments in these states the store has for each scope of which it has any."""
    found: dict[Scope, int] = {}
    for kind, ids in _by_kind(scopes).items():
        column = _COLUMNS[kind]
        rows = await database.rows(
            f"select {column} as id, count(*) as n from enrollment where institution_id = $1"
            f" and {column} in ({_listed(ids)}) and state in ({_words(states)}) group by {column}",
            institution_id,
        )
        found |= {Scope(kind=kind, id=int(row["id"])): int(row["n"]) for row in rows}
    return found


async def should_show(
    database: Database,
    institution_id: int,
    scope: Scope,
    states: Collection[EnrollmentState],
    as_of: datetime,
) -> Sequence[ShouldShow]:
    """Enrollments known before `as_of` that a whole list of the scope in these states shows, unless they have changed."""
    rows = await database.rows(
        "select e.canvas_id, s.canvas_id as section from enrollment e"
        " left join section s on s.institution_id = $1 and s.id = e.section_id"
        f" where e.institution_id = $1 and e.{_COLUMNS[scope.kind]} = $2 and e.canvas_id is not null"
        f" and e.removed_at is null and e.standing_as_of <= $3 and e.state in ({_words(states)})",
        institution_id,
        scope.id,
        as_of,
    )
    return [ShouldShow(**row) for row in rows]


@dataclass(frozen=True, kw_only=True)
class Unnumbered:
    """A row of the store without a Canvas id, by who is where: global Canvas ids as far as they are known."""

    person: int | None
    sis_id: str | None
    section: int | None


async def unnumbered(
    database: Database,
    institution_id: int,
    scope: Scope,
    states: Collection[EnrollmentState],
    as_of: datetime,
) -> Sequence[Unnumbered]:
    """Such rows as `should_show` tells of, which nobody can ask Canvas for by their own id."""
    rows = await database.rows(
        "select p.canvas_id as person, p.sis_id, s.canvas_id as section from enrollment e"
        " join person p on p.institution_id = $1 and p.id = e.person_id"
        " left join section s on s.institution_id = $1 and s.id = e.section_id"
        f" where e.institution_id = $1 and e.{_COLUMNS[scope.kind]} = $2 and e.canvas_id is null"
        f" and e.removed_at is null and e.standing_as_of <= $3 and e.state in ({_words(states)})",
        institution_id,
        scope.id,
        as_of,
    )
    return [Unnumbered(**row) for row in rows]


async def read_whole_before(
    database: Database,
    institution_id: int,
    scope: Scope,
    *,
    authority: str,
    source: Source = Source.ENROLLMENTS_API,
) -> bool:
    """Whether the source has shown these eyes all that they see of this scope before."""
    rows = await database.rows(
        "select 1 as one from coverage where institution_id = $1 and scope_kind = $2 and scope_id = $3"
        " and source = $4 and authority = $5 and whole limit 1",
        institution_id,
        scope.kind.value,
        scope.id,
        source.value,
        authority,
    )
    return bool(rows)


def _by_kind(scopes: Iterable[Scope]) -> Mapping[ScopeKind, set[int]]:
    found: dict[ScopeKind, set[int]] = {}
    for scope in scopes:
        if scope.kind in _TABLES:
            found.setdefault(scope.kind, set()).add(scope.id)
    return found


def _listed(ids: Iterable[int]) -> str:
    return ", ".join(f"{one:d}" for one in sorted(ids))


def _words(states: Iterable[EnrollmentState]) -> str:
    return ", ".join(f"'{state}'" for state in sorted(states))


async def newest_report(database: Database, institution_id: int) -> datetime | None:
    """As of when the newest report of enrollments is that was loaded."""
    rows = await database.rows(
        "select max(began_at) as began_at from coverage where institution_id = $1 and subject = 'enrollment'"
        " and source = $2",
        institution_id,
        Source.REPORT.value,
    )
    began = rows[0]["began_at"]
    return None if began is None else time(began)


async def row_of(database: Database, institution_id: int, table: str, canvas_id: int) -> int | None:
    """Our id of the row that Canvas calls so; of a person who was merged, the one that they were merged into."""
    own = "coalesce(merged_into_id, id)" if table == "person" else "id"
    rows = await database.rows(
        f"select {own} as id from {table} where institution_id = $1 and canvas_id = $2",
        institution_id,
        canvas_id,
    )
    return int(rows[0]["id"]) if rows else None
