"""Scopes of which something was told that only a read can complete: until one begins after that, what is kept of them is overtaken.

A membership list that contradicts an enrollment, a report that no longer shows one, an event that says too little: each
marks its scope, and the next who asks for it has it read. Nothing is removed on their word.
"""

from collections.abc import Collection
from datetime import datetime

from gateway.needs import Scope, ScopeKind
from gateway.uow import Transaction


async def mark(
    tx: Transaction, institution_id: int, scopes: Collection[Scope], *, since: datetime, why: str
) -> None:
    """Reads that began before `since` answer for these scopes no more, unless nobody can read them anew."""
    await tx.many(
        "insert into due_scope (institution_id, scope_kind, scope_id, since, why) values ($1, $2, $3, $4, $5)"
        " on conflict (institution_id, scope_kind, scope_id) do update set since = excluded.since, why = excluded.why"
        " where due_scope.since < excluded.since",
        [
            (institution_id, scope.kind.value, scope.id, since, why)
            for scope in sorted(scopes, key=lambda one: (one.kind, one.id))
        ],
    )


async def mark_courses_of(
    tx: Transaction, institution_id: int, enrollments: Collection[int], *, since: datetime, why: str
) -> None:
    """The courses of these enrollments, by our ids."""
    courses: set[int] = set()
    listed = sorted(enrollments)
    for start in range(0, len(listed), 500):
        part = ", ".join(f"{one:d}" for one in listed[start : start + 500])
        rows = await tx.rows(
            f"select distinct course_id from enrollment where institution_id = $1 and id in ({part})",
            institution_id,
        )
        courses |= {int(row["course_id"]) for row in rows}
    scopes = [Scope(kind=ScopeKind.COURSE, id=course) for course in courses]
    await mark(tx, institution_id, scopes, since=since, why=why)


async def settle(tx: Transaction, institution_id: int, scope: Scope, *, began_at: datetime) -> None:
    """After a whole read of the scope by eyes that see everything."""
    await tx.run(
        "delete from due_scope where institution_id = $1 and scope_kind = $2 and scope_id = $3 and since <= $4",
        institution_id,
        scope.kind.value,
        scope.id,
        began_at,
    )
