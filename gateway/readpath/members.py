"""Who is in a course, one entry a person: enrollments and memberships read together, the newer word winning.

Enrollments know sections and states; memberships (NRPS, launches) know that somebody is active now, and when that
ended. An ended membership that is newer than an active enrollment silences it; a live one speaks only where no
enrollment is as new. Neither removes anything: that is the merge's work. The feed does not keep when each was last confirmed, so
of the past both words count: nobody is left out whom either of them had there.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from gateway.readpath.connections import Connections, Record
from gateway.readpath.filters import EnrollmentFilter, one_word_of, people
from gateway.readpath.levels import Listing, Page, Places, by_id, by_parent
from gateway.readpath.provenance import Tally
from gateway.readpath.registry import ENROLLMENT, MEMBERSHIP, USER, Reader, Row, as_time
from gateway.readpath.shapes import Columns, Shape, as_rows
from gateway.readpath.sql import From, Statement
from models.roster import EnrollmentState, EnrollmentType, Source

# In order, the strongest first.
_STATES: list[str] = list(EnrollmentState)
_TYPES: list[str] = list(EnrollmentType)


@dataclass(frozen=True, kw_only=True)
class Roster:
    """The members of a course: `filter` says who, `shape` what to bring of the person, `sections` of the sections."""

    listing: Listing
    sections: Shape | None = None

    async def pages(
        self, connections: Connections, reader: Reader, courses: Sequence[int]
    ) -> dict[int, Page]:
        """The page of each course; its rows are the graph's members."""
        found = await self._people(connections, reader, courses)
        words = await self._words(connections, reader, found)
        sections = await self._sections(connections, reader, words.values())
        for course, page in found.items():
            page.rows = [
                {"user": user} | _member(reader, words[course, user["row_id"]], sections)
                for user in page.rows
            ]
        return found

    async def tallies(
        self,
        connections: Connections,
        reader: Reader,
        courses: Sequence[int],
        *,
        unfilled: bool = False,
    ) -> dict[int, list[Tally]]:
        """How many people each course has, by the source of the newest word of each."""
        statement = Statement(connections.dialect, reader)
        words = _said(statement, reader, self._filter, courses)
        rows = From(statement, USER)
        groups = self.listing.shape.groups(reader.rights) if unfilled else {}
        blanks = "".join(f", count(*) - count({rows.sql(sql)})" for sql in groups.values())
        missing, held = "sum(w.missing)", ""
        if reader.past is None:
            missing = "sum(case when h.id is null then w.missing else 1 end)"
            held = (
                " left join held_removal h on h.institution_id = $1 and h.course_id = w.course_id"
                " and h.person_id = w.person_id"
            )
        sql = (
            f"select w.course_id, w.source, count(*), min(w.as_of), {missing}{blanks}"
            " from (select s.*, row_number() over (partition by s.course_id, s.person_id"
            f" order by s.as_of desc, s.source) as nth from ({words}) s) w"
            f" join {rows.source} {rows.alias} on {rows.alias}.id = w.person_id"
            f" and {rows.alias}.institution_id = $1{held} where w.nth = 1 group by 1, 2 order by 1, 2"
        )
        found: dict[int, list[Tally]] = {course: [] for course in courses}
        for course, source, count, oldest, missing, *lacking in await connections.fetch(
            sql, statement.values
        ):
            found[course].append(
                Tally(
                    source=Source(source),
                    rows=count,
                    oldest=as_time(oldest),
                    missing=missing,
                    unfilled={f"user.{name}": n for name, n in zip(groups, lacking, strict=True)},
                )
            )
        return found

    @property
    def _filter(self) -> EnrollmentFilter:
        which = self.listing.filter
        if not isinstance(which, EnrollmentFilter):
            raise TypeError(which)
        return which

    async def _people(
        self, connections: Connections, reader: Reader, courses: Sequence[int]
    ) -> dict[int, Page]:
        statement = Statement(connections.dialect, reader)
        words = _said(statement, reader, self._filter, courses)
        rows, columns = From(statement, USER), Columns()
        places = Places.of(self.listing, rows, columns, reader)
        order, window = self.listing.order, self.listing.window
        course = columns.place("w.course_id")
        clause = order.clause(rows, backwards=False)
        beyond = ""
        if window.cursor is not None:
            beyond = f" where {order.beyond(rows, window.cursor, backwards=False)}"
        named = ", ".join(f"{sql} as c{place}" for place, sql in enumerate(columns.expressions))
        sql = (
            f"select * from (select {named}, row_number() over (partition by w.course_id order by {clause})"
            f" as nth from (select distinct course_id, person_id from ({words}) s) w"
            f" join {rows.source} {rows.alias} on {rows.alias}.id = w.person_id"
            f" and {rows.alias}.institution_id = $1{rows.joins}{beyond}) page"
            f" where nth <= {statement.bind(window.size + 1, 'bigint')} order by c{course}, nth"
        )
        records = await connections.fetch(sql, statement.values)
        own = by_parent(records, course, courses)
        decode = as_rows(places.row, reader)
        return {
            course_id: places.page(self.listing, found, decode) for course_id, found in own.items()
        }

    async def _words(
        self, connections: Connections, reader: Reader, pages: dict[int, Page]
    ) -> dict[tuple[int, int], list[Record]]:
        """What is said of each person of each page, the newest first."""
        people_there = {user["row_id"] for page in pages.values() for user in page.rows}
        statement = Statement(connections.dialect, reader)
        words = _said(statement, reader, self._filter, list(pages))
        chosen = statement.any_of("s.person_id", sorted(people_there), "bigint")
        sql = f"select s.* from ({words}) s where {chosen} order by s.as_of desc, s.source, s.type, s.role"
        found: dict[tuple[int, int], list[Record]] = {}
        for record in await connections.fetch(sql, statement.values):
            found.setdefault((record[0], record[1]), []).append(record)
        return found

    async def _sections(
        self,
        connections: Connections,
        reader: Reader,
        words: Iterable[Sequence[Record]],
    ) -> dict[int, Row] | None:
        if self.sections is None:
            return None
        ids = {record[5] for said in words for record in said} - {None}
        return await by_id(connections, reader, self.sections, sorted(ids))


async def only_members(
    connections: Connections, reader: Reader, column: str, parents: Sequence[int]
) -> dict[int, int]:
    """By course or person: how many live memberships have no enrollment beside them."""
    statement = Statement(connections.dialect, reader)
    sql = (
        f"select m.{column}, count(*) from membership m where m.institution_id = $1"
        f" and {statement.any_of(f'm.{column}', parents, 'bigint')} and m.ended_at is null"
        f" and {statement.seen('Membership', 'm') or 'true'}"
        " and not exists (select 1 from enrollment e where e.institution_id = $1"
        " and e.course_id = m.course_id and e.person_id = m.person_id) group by 1"
    )
    counted = await connections.fetch(sql, statement.values)
    return {record[0]: record[1] for record in counted}


def _said(
    statement: Statement, reader: Reader, which: EnrollmentFilter, courses: Sequence[int]
) -> str:
    """All that enrollments and memberships say of who is in these courses, one row a word."""
    parts = [_by_enrollments(statement, reader, which, courses)]
    if which.sections is None:  # memberships know no sections
        parts.append(_by_memberships(statement, reader, which, courses))
    return " union all ".join(parts)


# No membership that ended is newer than the active enrollment.
_NOT_SILENCED = (
    "({t}.state <> 'ACTIVE' or not exists (select 1 from membership m where m.institution_id = $1"
    " and m.course_id = {t}.course_id and m.person_id = {t}.person_id"
    " and m.ended_at > {t}.standing_as_of))"
)
# No enrollment is as new as the membership.
_SPEAKS = (
    "not exists (select 1 from enrollment e where e.institution_id = $1 and e.course_id = {t}.course_id"
    " and e.person_id = {t}.person_id and e.standing_as_of >= {t}.as_of)"
)


def _by_enrollments(
    statement: Statement, reader: Reader, which: EnrollmentFilter, courses: Sequence[int]
) -> str:
    rows = From(statement, ENROLLMENT)
    rows.near_any("course_id", courses)
    conditions = [
        f"{rows.alias}.institution_id = $1",
        *rows.seen(),
        statement.any_of(f"{rows.alias}.course_id", courses, "bigint"),
        *which.conditions(rows, reader),
    ]
    if reader.past is None:
        conditions.append(rows.sql(_NOT_SILENCED))
    columns = rows.sql(
        "{t}.course_id, {t}.person_id, {t}.type, {t}.role, {t}.state, {t}.section_id,"
        " {t}.standing_source as source, {t}.standing_as_of as as_of,"
        " case when {t}.missing_since is null then 0 else 1 end as missing, 0 as merged"
    )
    return f"select {columns} from {rows} where {' and '.join(conditions)}"


def _by_memberships(
    statement: Statement, reader: Reader, which: EnrollmentFilter, courses: Sequence[int]
) -> str:
    rows = From(statement, MEMBERSHIP)
    rows.near_any("course_id", courses)
    conditions = [
        f"{rows.alias}.institution_id = $1",
        *rows.seen(),
        statement.any_of(f"{rows.alias}.course_id", courses, "bigint"),
        rows.sql("{t}.ended_at is null"),
        one_word_of(rows.sql("coalesce({t}.state, 'ACTIVE')"), which.states),
        *_of_membership(rows, reader, which),
    ]
    if reader.past is None:
        conditions.append(rows.sql(_SPEAKS))
    columns = rows.sql(
        "{t}.course_id, {t}.person_id, {t}.types as type, {t}.roles as role,"
        " coalesce({t}.state, 'ACTIVE') as state, null as section_id, {t}.source, {t}.as_of, 0 as missing,"
        " 1 as merged"
    )
    return f"select {columns} from {rows} where {' and '.join(conditions)}"


def _of_membership(rows: From, reader: Reader, which: EnrollmentFilter) -> list[str]:
    statement, found = rows.statement, []
    if which.types is not None:
        ways = (f"',' || {{t}}.types || ',' like '%,{kind},%'" for kind in which.types)
        found.append(f"({rows.sql(' or '.join(ways)) or 'false'})")
    if which.roles is not None:
        found.append(statement.lists_one_of(rows.sql("{t}.roles"), which.roles))
    if which.users is not None:
        found.append(statement.any_of(rows.sql("{t}.person_id"), which.users, "bigint"))
    if which.search is not None:
        found.append(people(rows, reader, "{user}.search_key", "{t}.person_id", which.search))
    if which.updated_since is not None:
        since = statement.bind(which.updated_since, "timestamptz")
        found.append(rows.sql(f"{{t}}.as_of >= {since}"))
    return found


def _member(
    reader: Reader, said: Sequence[Record], sections: dict[int, Row] | None
) -> dict[str, Any]:
    """One person's entry: what a membership as the newest word knows is its, all else the enrollments'."""
    words = [_Word(*record) for record in said]
    speaking = words[:1] if words[0].merged and reader.past is None else words
    types = {kind for word in speaking for kind in word.type.split(",")}
    state = min((word.state for word in speaking), key=_STATES.index)
    roles = sorted({name for word in words for name in word.roles})
    own = sorted({word.section_id for word in words if word.section_id is not None})
    sees = reader.rights.sees
    return {
        "types": sorted(types, key=_TYPES.index) if sees("Enrollment", "type") else [],
        "roles": roles if roles and sees("Enrollment", "role") else None,
        "state": state if sees("Enrollment", "state") else None,
        "sections": [sections[i] for i in own if i in sections] if sections and own else None,
    }


class _Word(NamedTuple):
    """What one row says of a person in a course. `merged`: it is a membership, with its roles as a JSON list."""

    course_id: int
    person_id: int
    type: str
    role: str | None
    state: str
    section_id: int | None
    source: str
    as_of: Any
    missing: int
    merged: int

    @property
    def roles(self) -> list[str]:
        if self.role is None:
            return []
        return json.loads(self.role) if self.merged else [self.role]
