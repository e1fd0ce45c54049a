"""The rows of a change of many in the graph: what happens to each, and how far it is."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import strawberry

from gateway.change_paths import Path
from gateway.errors import Forbidden
from gateway.readpath.paging import page_size
from gateway.readpath.registry import Row
from gateway.roster_change import Outcome
from gateway.writes.roster_changes import ChangeRow, Exchange, RosterChanges
from models.roster import EnrollmentState, RosterRowStatus
from resolvers import nodes
from resolvers.arguments import After, First
from resolvers.audit import NAMED_BY, WITHHELD
from resolvers.connections import PageInfo, cursor_of, page_of, place_of
from resolvers.context import Context, Info
from resolvers.enums import ChangeAuthority
from resolvers.provenance import described
from resolvers.types import Course, Enrollment, Section, User, resolved


@strawberry.type(
    description="What Canvas was told of a row: a request of its own, or lines of a SIS file."
)
class RosterChangeExchange:
    told_at: datetime = described("When it was told.")
    authority: ChangeAuthority = described("On whose rights.")
    told: str = described(
        "As JSON: verb, path and fields of the request; or the file, and which line of it says what."
    )
    answer: str | None = described(
        "What Canvas answered, as JSON, the longest cut; null: the answer was lost, and what came of it looked up."
    )


async def _exchanges(info: Info, root: strawberry.Parent[Row]) -> Any:
    """For whoever may see what people are called; that they were shown it is noted."""
    context, change = info.context, root["change_id"]
    if not context.reader.rights.sees("User", "canvasId"):
        return None
    if root["user_id"] is not None:
        context.shows(("User", root["user_id"]), 1, NAMED_BY)

    async def batch(places: Sequence[int]) -> list[list[Row]]:
        found = await changes_of(context).exchanges(context.viewer, change, places)
        return [[_exchange(one) for one in found[place]] for place in places]

    return await context.load(("exchanges", change), root["place"], batch)


def _exchange(one: Exchange) -> Row:
    return {
        "toldAt": one.told_at,
        "authority": ChangeAuthority(one.authority.value),
        "told": one.told,
        "answer": one.answer,
    }


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
    not_by_undo: str | None = described(
        "Why it cannot be taken back once it is carried out; null: it can, or nothing happens."
    )
    before: EnrollmentState | None = described("The state that it had; null: there was none.")
    after: EnrollmentState | None = described("The state that it is to have.")
    status: RosterRowStatus = described("How far it is.")
    message: str | None = described("What Canvas said of it, or what is not as planned.")
    advice: str | None = described("What to do about that, where it is known.")
    exchanges: list[RosterChangeExchange] | None = resolved(
        _exchanges, f"What Canvas was told of it, the first first; null: {WITHHELD}."
    )

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
    return page_of([_row(one, root["row_id"]) for one in found], size, after)


def changes_of(context: Context) -> RosterChanges:
    if context.roster_changes is None:
        raise Forbidden("This graph is only read.")
    return context.roster_changes


def _row(one: ChangeRow, change_id: int) -> Row:
    told: Row = {
        "change_id": change_id,
        "place": one.place,
        "cursor": cursor_of(one.place, "row"),
        "row": one.row,
        "said": one.said,
        "outcome": one.outcome,
        "reason": one.reason,
        "status": one.status,
        "message": one.message,
        "advice": one.advice,
    }
    names = ("path", "notByCalls", "notBySisImport", "notByUndo", "before", "after")
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
        "notByUndo": one.carried.by_undo,
        "before": None if stood is None else stood.state,
        "after": step.state,
        "user_id": step.key.person,
        "course_id": step.course,
        "section_id": step.key.section,
        "leaves_id": None if step.leaves is None else step.leaves.key.section,
        "enrollment_id": one.enrollment_id or (None if stood is None else stood.id),
    }
