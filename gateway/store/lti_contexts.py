"""Where courses were launched from over LTI: what the platform calls them, and where it serves their rosters."""

from collections.abc import Collection
from dataclasses import dataclass

from gateway.uow import Database


@dataclass(frozen=True, kw_only=True)
class LaunchedFrom:
    issuer: str
    client_id: str
    context_id: str
    memberships_url: str


async def of_courses(
    database: Database, institution_id: int, courses: Collection[int]
) -> dict[int, LaunchedFrom]:
    """Where each course was launched from last, of those whose roster is served."""
    if not courses:
        return {}
    rows = await database.rows(
        "select course_id, issuer, client_id, context_id, memberships_url from lti_context where institution_id = $1"
        f" and course_id in ({', '.join(f'{one:d}' for one in sorted(courses))}) and memberships_url is not null"
        " order by launched_at, id",
        institution_id,
    )
    return {int(row.pop("course_id")): LaunchedFrom(**row) for row in rows}
