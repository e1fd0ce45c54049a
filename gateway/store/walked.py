"""Which courses are to be read next: those of an account in turn, or those that somebody uses and nobody read lately."""

from collections.abc import Collection
from datetime import datetime

from gateway.needs import Scope, ScopeKind
from gateway.uow import Database
from models.roster import CourseState, Source

# How often a course was launched: what people look at is brought up to date before what nobody does.
_USED = (
    "(select count(*) from launch_session l where l.institution_id = $1 and l.course_id = c.id"
    " and l.started_at >= $3)"
)
_UNREAD_SINCE = (
    "not exists (select 1 from coverage v where v.institution_id = $1 and v.scope_kind = 'course' and v.scope_id = c.id"
    f" and v.source = '{Source.ENROLLMENTS_API}' and v.authority = 'admin' and v.whole and v.began_at >= $2)"
)
_READABLE = f"c.canvas_id is not null and c.removed_at is null and coalesce(c.state, '') <> '{CourseState.DELETED}'"
_BELOW = (
    "with recursive below (id) as (select id from account where institution_id = $1 and id = {top}"
    " union select a.id from account a join below b on a.parent_id = b.id where a.institution_id = $1) "
)


async def unread_courses(
    database: Database,
    institution_id: int,
    scope: Scope,
    *,
    since: datetime,
    used_since: datetime,
    without: Collection[int],
    limit: int,
) -> list[int]:
    """Our ids of courses of the account, or of all, that no whole list was read of since; the most used first."""
    of_account = scope.kind is ScopeKind.ACCOUNT
    below = _BELOW.format(top=f"{scope.id:d}") if of_account else ""
    inside = " and c.account_id in (select id from below)" if of_account else ""
    others = (
        f" and c.id not in ({', '.join(f'{one:d}' for one in sorted(without))})" if without else ""
    )
    rows = await database.rows(
        f"{below}select c.id from course c where c.institution_id = $1 and {_READABLE} and {_UNREAD_SINCE}{inside}{others}"
        f" order by {_USED} desc, c.id limit {limit:d}",
        institution_id,
        since,
        used_since,
    )
    return [int(row["id"]) for row in rows]


async def how_many(
    database: Database, institution_id: int, scope: Scope, *, since: datetime | None = None
) -> int:
    """Courses of the account, or of all, that can be read; `since`: that no whole list was read of since."""
    of_account = scope.kind is ScopeKind.ACCOUNT
    below = _BELOW.format(top=f"{scope.id:d}") if of_account else ""
    inside = " and c.account_id in (select id from below)" if of_account else ""
    unread = "" if since is None else f" and {_UNREAD_SINCE}"
    rows = await database.rows(
        f"{below}select count(*) as n from course c where c.institution_id = $1 and {_READABLE}{inside}{unread}",
        institution_id,
        *(() if since is None else (since,)),
    )
    return int(rows[0]["n"])


async def due_courses(
    database: Database,
    institution_id: int,
    *,
    read_since: datetime,
    used_since: datetime,
    limit: int,
) -> list[int]:
    """Our ids of courses of which only a read can tell more, then of those that were launched lately and not read."""
    marked = "exists (select 1 from due_scope d where d.institution_id = $1 and d.scope_kind = 'course' and d.scope_id = c.id)"
    rows = await database.rows(
        f"select c.id from course c where c.institution_id = $1 and {_READABLE}"
        f" and ({marked} or ({_USED} > 0 and {_UNREAD_SINCE}))"
        f" order by case when {marked} then 0 else 1 end, {_USED} desc, c.id limit {limit:d}",
        institution_id,
        read_since,
        used_since,
    )
    return [int(row["id"]) for row in rows]
