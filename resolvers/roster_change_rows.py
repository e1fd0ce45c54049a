"""The rows of a change of many in the graph: what happens to each, and how far it is."""

from typing import Annotated, Any

import strawberry

from gateway.change_paths import Path
from gateway.errors import Forbidden
from gateway.readpath.paging import page_size
from gateway.readpath.registry import Row
from gateway.roster_change import Outcome
from gateway.writes.roster_changes import RosterChanges
from models.roster import EnrollmentState, RosterRowStatus
from resolvers import nodes
from resolvers.connections import PageInfo, cursor_of, page_of, place_of
from resolvers.context import Context, Info
from resolvers.lists import After, First
from resolvers.provenance import described
from resolvers.types import Course, Enrollment, Section, User, resolved


@strawberry.type(description="A row of a change, and what becomes of it.")
class RosterChangeRow:
    row: int | None = described(
        "Its number as it was given, a CSV's header being 1; null: somebody who goes because no row names them."
    )
    said: str | None = described("The row as it was given.")
    outcome: Outcome = described("What happens.")
    reason: str | None = described("Why nothing does, where it is refused.")
    path: Path | None = described("The way that it goes; null: Canvas need not be told.")
    not_by_calls: str | None = described("Why single calls cannot carry it.")
    not_by_sis_import: str | None = described("Why a SIS file cannot carry it.")
    before: EnrollmentState | None = described("The state that it had; null: there was none.")
    after: EnrollmentState | None = described("The state that it is to have.")
    status: RosterRowStatus = described("How far it is.")
    message: str | None = described("What Canvas said of it, or what is not as planned.")
    advice: str | None = described("What to do about that, where it is known.")

    user: User | None = resolved(nodes.link("User", "user_id"), "Who; null: nobody known.")
    course: Course | None = resolved(nodes.link("Course", "course_id"), "In which course.")
    section: Section | None = resolved(nodes.link("Section", "section_id"), "In which section.")
    leaves: Section | None = resolved(
        nodes.link("Section", "leaves_id"), "Of a move: the section that they leave."
    )
    enrollment: Enrollment | None = resolved(
        nodes.link("Enrollment", "enrollment_id"), "The enrollment, where there is one."
    )


@strawberry.type(description="A row, and its cursor.")
class RosterChangeRowEdge:
    cursor: str = described("This place in the list.")
    node: RosterChangeRow = described("The row.")


@strawberry.type(
    description="A page of rows: in the order they were given, then those who go unnamed."
)
class RosterChangeRowConnection:
    edges: list[RosterChangeRowEdge] = described("The rows of the page with their cursors.")
    nodes: list[RosterChangeRow] = described("The rows of the page.")
    page_info: PageInfo = described("Where the page stands in its list.")


Outcomes = Annotated[
    list[Outcome] | None, strawberry.argument(description="Only rows to which this happens.")
]
Statuses = Annotated[
    list[RosterRowStatus] | None, strawberry.argument(description="Only rows that are so far.")
]


async def listed(
    info: Info,
    root: strawberry.Parent[Row],
    outcomes: Outcomes = None,
    statuses: Statuses = None,
    first: First = None,
    after: After = None,
) -> Any:
    context, size = info.context, page_size("first", first)
    found = await changes_of(context).rows(
        context.viewer,
        root["row_id"],
        after=0 if after is None else place_of(after, "row"),
        first=size + 1,
        outcomes=outcomes or (),
        statuses=statuses or (),
    )
    return page_of([_row(one) for one in found], size, after)


def changes_of(context: Context) -> RosterChanges:
    if context.roster_changes is None:
        raise Forbidden("This graph is only read.")
    return context.roster_changes


def _row(one: Any) -> Row:
    told: Row = {
        "cursor": cursor_of(one.place, "row"),
        "row": one.row,
        "said": one.said,
        "outcome": one.outcome,
        "reason": one.reason,
        "status": one.status,
        "message": one.message,
        "advice": one.advice,
    }
    names = ("path", "notByCalls", "notBySisImport", "before", "after")
    links = ("user_id", "course_id", "section_id", "leaves_id", "enrollment_id")
    if one.carried is None:
        return told | dict.fromkeys((*names, *links))
    step = one.carried.step
    path = Path.SIS_IMPORT if one.by_file else Path.SINGLE_CALLS
    stood = step.before
    return told | {
        "path": path if step.is_change else None,
        "notByCalls": one.carried.by_calls,
        "notBySisImport": one.carried.by_sis,
        "before": None if stood is None else stood.state,
        "after": step.state,
        "user_id": step.key.person,
        "course_id": step.course,
        "section_id": step.key.section,
        "leaves_id": None if step.leaves is None else step.leaves.key.section,
        "enrollment_id": one.enrollment_id or (None if stood is None else stood.id),
    }
