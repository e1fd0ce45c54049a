"""Who is in a course as a membership list says: begun, changed, ended, or held where too many would end at once.

Such a list knows nothing of enrollments and changes none. It speaks for those people whom it could have named: for
everybody known to Canvas where it named each of its own by Canvas ids, else for those alone whom it named before.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from gateway.batch import Batch
from gateway.merge import Guard, Silence, silence_of
from gateway.store import held_members
from gateway.uow import Database, Row, Transaction
from models.roster import EnrollmentType, FieldGroup, Source


@dataclass(frozen=True, kw_only=True)
class Ended:
    held: int = 0
    contradicted: int = 0


async def end_missing(
    tx: Transaction,
    batch: Batch,
    course: int,
    present: frozenset[int],
    *,
    now: datetime,
    guard: Guard,
    run_id: int | None = None,
) -> Ended:
    """`present`: everybody whom the list may mean, by our ids. `run_id`: the run that reads the list, if one does."""
    silence = silence_of(batch.reading, whole=batch.whole, visible=batch.full, has_sis_ids=False)
    if silence is not Silence.MEMBERSHIP_ENDED:
        return Ended()
    missing = await _missing(tx, batch, course, present)
    if guard.holds_emptied(len(missing), of=len(missing) + len(batch.memberships)):
        people = [int(row["id"]) for row in missing]
        await held_members.hold(tx, batch, course, people, run_id=run_id, now=now)
        return Ended(held=len(missing))
    await held_members.settle(tx, batch.institution_id, course)
    await end(tx, batch.institution_id, course, missing, source=batch.source, as_of=batch.began_at)
    return Ended(contradicted=sum(1 for row in missing if row["enrolled"]))


async def write(tx: Transaction, batch: Batch, course: int, people: Mapping[str, int]) -> None:
    """`people`: our ids by the batch's keys."""
    await tx.many(
        "insert into membership (institution_id, course_id, person_id, types, roles, state, source, as_of)"
        " values ($1, $2, $3, $4, $5, 'ACTIVE', $6, $7) on conflict (institution_id, course_id, person_id) do update set"
        " types = excluded.types, roles = excluded.roles, state = excluded.state, source = excluded.source,"
        " as_of = excluded.as_of, ended_at = null where membership.as_of <= excluded.as_of"
        " and (membership.ended_at is null or membership.ended_at <= excluded.as_of)",
        [
            (
                batch.institution_id,
                course,
                people[one.person],
                ",".join(one.types),
                orjson.dumps(one.roles).decode(),
                batch.source.value,
                batch.began_at,
            )
            for one in batch.memberships
        ],
    )


async def _missing(
    tx: Transaction, batch: Batch, course: int, present: frozenset[int]
) -> Sequence[Row]:
    """Live memberships that such a list made, and active enrollments of people whom it could have named.

    Not enrollments that an ended membership contradicts already: an earlier list lacked them.
    """
    rows = await tx.rows(
        "select p.id, p.canvas_id, max(k.types) as types, max(k.membership) as membership, min(k.enrolled) as enrolled from"
        " (select person_id, types, id as membership, cast(null as text) as enrolled from membership"
        " where institution_id = $1 and course_id = $2 and ended_at is null and source = $3 and as_of <= $4"
        " union all select n.person_id, null, null, n.type from enrollment n where n.institution_id = $1 and n.course_id = $2"
        " and n.state = 'ACTIVE' and n.removed_at is null and n.type <> 'TEST_STUDENT' and n.standing_as_of <= $4"
        " and not exists (select 1 from membership o where o.institution_id = $1 and o.course_id = $2"
        " and o.person_id = n.person_id and o.ended_at > n.standing_as_of)) k"
        " cross join person p where p.institution_id = $1 and p.id = k.person_id group by p.id, p.canvas_id",
        batch.institution_id,
        course,
        Source.NRPS.value,
        batch.began_at,
    )
    by_canvas_id = await _all_known_to_canvas(tx, batch.institution_id, present)
    return [
        row
        for row in rows
        if int(row["id"]) not in present
        and (row["membership"] or (by_canvas_id and row["canvas_id"]))
    ]


async def _all_known_to_canvas(
    tx: Transaction, institution_id: int, people: frozenset[int]
) -> bool:
    if not people:
        return False
    rows = await tx.rows(
        "select count(*) as n from person where institution_id = $1 and canvas_id is null"
        f" and id in ({', '.join(f'{one:d}' for one in sorted(people))})",
        institution_id,
    )
    return int(rows[0]["n"]) == 0


async def end(
    tx: Transaction,
    institution_id: int,
    course: int,
    missing: Sequence[Row],
    *,
    source: Source,
    as_of: datetime,
) -> None:
    """Ended as of the list's beginning, also for those who had no membership yet, so that the newer word is there to win.

    `missing`: people's ids, with the `types` of a live membership or those that they are `enrolled` as.
    """
    await tx.many(
        "insert into membership (institution_id, course_id, person_id, types, roles, state, source, as_of, ended_at)"
        " values ($1, $2, $3, $4, '[]', 'ACTIVE', $5, $6, $6) on conflict (institution_id, course_id, person_id)"
        " do update set ended_at = excluded.ended_at, source = excluded.source"
        " where membership.as_of <= excluded.as_of and membership.ended_at is null",
        [
            (
                institution_id,
                course,
                row["id"],
                row["types"] or row["enrolled"],
                source.value,
                as_of,
            )
            for row in missing
        ],
    )


async def nameable(
    store: Database | Transaction, institution_id: int, course: int, *, scope: str
) -> dict[int, set[str]]:
    """Who is in the course as far as is known, with what a membership list calls them: `sub`s, 1.1 ids, Canvas ids."""
    rows = await store.rows(
        "select k.person_id as id, i.value from (select person_id from membership where institution_id = $1 and course_id = $2"
        " and ended_at is null and source = 'NRPS' union select person_id from enrollment where institution_id = $1"
        " and course_id = $2 and state = 'ACTIVE' and removed_at is null and type <> 'TEST_STUDENT') k"
        " cross join identity i where i.institution_id = $1 and i.person_id = k.person_id and i.ended_at is null"
        " and (i.kind in ('lti11_user_id', 'canvas_global_id') or (i.kind = 'lti13_sub' and i.scope = $3))",
        institution_id,
        course,
        scope,
    )
    found: dict[int, set[str]] = {}
    for row in rows:
        found.setdefault(int(row["id"]), set()).add(str(row["value"]))
    return found


async def listed(
    database: Database, institution_id: int, course: int, *, scope: str
) -> list[tuple[str, tuple[EnrollmentType, ...], tuple[str, ...]]]:
    """Who is in the course, as a membership list would put it: `sub`, types and roles."""
    rows = await database.rows(
        "select i.value, m.types, m.roles from membership m join identity i on i.institution_id = $1"
        " and i.person_id = m.person_id and i.kind = 'lti13_sub' and i.scope = $3 and i.ended_at is null"
        " where m.institution_id = $1 and m.course_id = $2 and m.ended_at is null order by i.value",
        institution_id,
        course,
        scope,
    )
    return [
        (
            str(row["value"]),
            tuple(EnrollmentType(word) for word in str(row["types"]).split(",") if word),
            tuple(orjson.loads(row["roles"])),
        )
        for row in rows
    ]


async def known_subs(
    database: Database, institution_id: int, subs: Iterable[str], *, scope: str
) -> set[str]:
    """Those of these `sub`s that name somebody already."""
    found: set[str] = set()
    asked = sorted(subs)
    for start in range(0, len(asked), 500):
        part = asked[start : start + 500]
        marks = ", ".join(f"${n}" for n in range(3, len(part) + 3))
        rows = await database.rows(
            "select value from identity where institution_id = $1 and kind = 'lti13_sub' and scope = $2"
            f" and ended_at is null and value in ({marks})",
            institution_id,
            scope,
            *part,
        )
        found |= {str(row["value"]) for row in rows}
    return found


async def expected(
    database: Database, institution_id: int, courses: Collection[int]
) -> dict[int, int]:
    """How many people each course has, by live memberships, else by active enrollments."""
    if not courses:
        return {}
    listed = ", ".join(f"{one:d}" for one in sorted(courses))
    found: dict[int, int] = {}
    for source in (
        "enrollment where institution_id = $1 and state = 'ACTIVE' and removed_at is null",
        "membership where institution_id = $1 and ended_at is null",
    ):
        rows = await database.rows(
            f"select course_id, count(distinct person_id) as n from {source}"
            f" and course_id in ({listed}) group by course_id",
            institution_id,
        )
        for row in rows:
            course = int(row["course_id"])
            found[course] = max(found.get(course, 0), int(row["n"]))
    return found


async def groups_shown(
    database: Database, institution_id: int, courses: Collection[int]
) -> dict[int, frozenset[FieldGroup]]:
    """What the newest membership list of each course showed of its people, and under 0 that of any course."""
    listed = ", ".join(f"{one:d}" for one in sorted({0, *courses}))
    read = "from coverage where institution_id = $1 and source = 'NRPS' and scope_kind = 'course'"
    rows = await database.rows(
        f"select scope_id, groups {read} and scope_id in ({listed}) order by began_at",
        institution_id,
    )
    newest = await database.rows(
        f"select 0 as scope_id, groups {read} order by began_at desc limit 1", institution_id
    )
    return {
        int(row["scope_id"]): frozenset(
            FieldGroup(word) for word in str(row["groups"]).split(",") if word
        )
        for row in [*rows, *newest]
    }
