"""Changes of many enrollments in the graph: planned row by row, applied, paused, cancelled, taken back."""

import base64
import binascii
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any

import strawberry
from strawberry import ID

from gateway.change_paths import Path
from gateway.errors import BadRequest, Forbidden, PublicError, UnusableFile, WriteRefused
from gateway.readpath.lookups import By
from gateway.readpath.paging import page_size
from gateway.readpath.registry import Row
from gateway.roster_change import Outcome
from gateway.viewer import Viewer
from gateway.writes.roster_changes import RosterChanges, Wanted
from models.roster import (
    EnrollmentState,
    MutationErrorCode,
    RosterChangeState,
    RosterRowStatus,
)
from resolvers import mutation_errors, nodes, roster_change_inputs
from resolvers.connections import PageInfo
from resolvers.context import Context, Info
from resolvers.lists import After, First
from resolvers.mutation_errors import MutationError, checked_key
from resolvers.provenance import described
from resolvers.roster_change_inputs import (
    ApplyRosterChangeInput,
    RosterChangeInput,
    StopRosterChangeInput,
    UndoRosterChangeInput,
)
from resolvers.types import Course, Enrollment, Section, SyncRun, User, resolved

TYPE = "RosterChange"
_LOOKED_UP = 60
_INPUT = strawberry.argument(name="input", description="What is asked for.")


@strawberry.type(description="What a change costs by one path.")
class RosterChangeCost:
    path: Path = described("The path.")
    requests: float = described("Expected calls to Canvas, reading before and after included.")
    quota: float = described("Expected units of Canvas's throttle.")
    latency: timedelta = described("Expected time until it is read back.")
    imported: int = described("Rows that go in the SIS file.")
    called: int = described("Rows that go by single calls.")
    left: int = described("Rows that this path cannot carry.")


@strawberry.type(description="How many rows have an outcome, and are so far.")
class RosterChangeCount:
    outcome: Outcome = described("What happens to them.")
    status: RosterRowStatus = described("How far they are.")
    rows: int = described("How many.")


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


async def _rows(
    info: Info,
    root: strawberry.Parent[Row],
    outcomes: Outcomes = None,
    statuses: Statuses = None,
    first: First = None,
    after: After = None,
) -> Any:
    context, size = info.context, page_size("first", first)
    found = await _changes(context).rows(
        context.viewer,
        root["row_id"],
        after=0 if after is None else _place_of(after),
        first=size + 1,
        outcomes=outcomes or (),
        statuses=statuses or (),
    )
    rows = [_row(one) for one in found[:size]]
    return {
        "nodes": rows,
        "edges": [{"cursor": row["cursor"], "node": row} for row in rows],
        "pageInfo": {
            "hasNextPage": len(found) > size,
            "hasPreviousPage": after is not None,
            "startCursor": rows[0]["cursor"] if rows else None,
            "endCursor": rows[-1]["cursor"] if rows else None,
        },
    }


async def _counts(info: Info, root: strawberry.Parent[Row]) -> Any:
    counted = await _changes(info.context).counts(info.context.viewer, root["row_id"])
    return [
        {"outcome": outcome, "status": status, "rows": rows}
        for (outcome, status), rows in sorted(counted.items())
    ]


@strawberry.type(
    description="A change of many enrollments: a plan first, and what became of it when it is applied."
)
class RosterChange:
    id: ID = described("Its id in the graph.")
    state: RosterChangeState = described("How far it is.")
    path: Path = described("The way that it goes.")
    costs: list[RosterChangeCost] = described("What each path was expected to cost.")
    removals: int = described("How many people on the roster are not on it any more afterwards.")
    people: int = described("How many are on the roster of the courses that it touches.")
    held: bool = described("Whether so many removals have to be confirmed.")
    as_of: datetime | None = described("As of when the roster was that it was planned on.")
    planned_at: datetime = described("When it was planned.")
    applied_at: datetime | None = described("When it was last told to begin, or to go on.")
    ended_at: datetime | None = described("When it was over.")
    message: str | None = described("Why it pauses, or was not begun.")
    sis_import_id: ID | None = described("The SIS import that it went by.")
    requests: int = described("Calls to Canvas that it has taken.")
    quota: float = described("Throttle units that it has taken.")

    undoes: "ID | None" = described("The `id` of the change that it takes back.")
    counts: list[RosterChangeCount] = resolved(_counts, "How many rows of which kind.")
    rows: RosterChangeRowConnection = resolved(_rows, "Its rows.")
    sync_run: SyncRun | None = resolved(
        nodes.link("SyncRun", "sync_run_id"),
        "Its progress: `syncProgress` follows it. null: it is not applied yet.",
    )


@strawberry.type(description="A plan, after a mutation.")
class RosterChangePlanPayload:
    plan: RosterChange | None = described("The plan; null where there is none.")
    errors: list[MutationError] = described("Why there is none; empty where there is.")


@strawberry.type(description="A change of many, after a mutation.")
class RosterChangePayload:
    roster_change: RosterChange | None = described(
        "The change; of an undo, the plan that takes it back."
    )
    errors: list[MutationError] = described("Why it was not done; empty where it was.")


async def find(
    info: Info,
    id: Annotated[ID, strawberry.argument(description="The `id` of the change.")],  # noqa: A002  the graph's name
) -> Any:
    return await _found(info.context, info.context.reader.decode_as(TYPE, id))


async def plan(info: Info, asked: Annotated[RosterChangeInput, _INPUT]) -> Any:
    context = info.context
    key = checked_key(asked.idempotency_key)

    async def work() -> int:
        told = await roster_change_inputs.with_text(replace(asked, idempotency_key=None))

        async def planned() -> int:
            exactly, drop = roster_change_inputs.exactly(told.exactly)
            rows = roster_change_inputs.said(told)
            await _look_up(info, roster_change_inputs.ids(rows))
            wanted = Wanted(
                rows=tuple(rows), exactly=exactly, drop=drop, path=told.path, max_age=told.max_age
            )
            return await _changes(context).plan(context.viewer, context.reads_roster(), wanted)

        return await _changes(context).once(context.viewer, key, f"plan {told}", planned)

    payload = await _payload(context, work)
    return {"plan": payload["rosterChange"], "errors": payload["errors"]}


async def _look_up(info: Info, ids: Collection[By]) -> None:
    """What the store does not know is asked of Canvas where there is little of it; whatever is not found is a miss of its row."""
    if len(ids) > _LOOKED_UP:
        return
    for by in sorted(ids, key=str):
        with suppress(PublicError):
            await nodes.known_id(info, by)


async def apply(info: Info, asked: Annotated[ApplyRosterChangeInput, _INPUT]) -> Any:
    context = info.context
    key, change = checked_key(asked.idempotency_key), _named(context, asked.roster_change)

    async def work() -> int:
        return await _changes(context).apply(
            context.viewer, change, confirmed=asked.confirm_removals, key=key
        )

    return await _payload(context, work)


async def undo(info: Info, asked: Annotated[UndoRosterChangeInput, _INPUT]) -> Any:
    return await _one_time(info.context, "undo", asked, _changes(info.context).undo)


async def pause(info: Info, asked: Annotated[StopRosterChangeInput, _INPUT]) -> Any:
    return await _one_time(info.context, "pause", asked, _changes(info.context).pause)


async def cancel(info: Info, asked: Annotated[StopRosterChangeInput, _INPUT]) -> Any:
    return await _one_time(info.context, "cancel", asked, _changes(info.context).cancel)


async def _one_time(
    context: Context,
    what: str,
    asked: UndoRosterChangeInput | StopRosterChangeInput,
    work: Callable[[Viewer, int], Awaitable[int]],
) -> Any:
    key, change = checked_key(asked.idempotency_key), _named(context, asked.roster_change)
    viewer = context.viewer
    return await _payload(
        context,
        lambda: _changes(context).once(
            viewer, key, f"{what} {change}", lambda: work(viewer, change)
        ),
    )


async def _payload(context: Context, work: Callable[[], Awaitable[int]]) -> Row:
    try:
        change = await work()
    except WriteRefused as refused:
        told = mutation_errors.row_of(refused.code, str(refused), refused.path)
        return {"rosterChange": None, "errors": [told]}
    except UnusableFile as unusable:
        told = mutation_errors.row_of(MutationErrorCode.INVALID, str(unusable), ("csv",))
        return {"rosterChange": None, "errors": [told]}
    context.feed.nudge()
    context.renew()  # what was loaded before may have changed
    return {"rosterChange": await _found(context, change), "errors": []}


def _changes(context: Context) -> RosterChanges:
    if context.roster_changes is None:
        raise Forbidden("This graph is only read.")
    return context.roster_changes


def _named(context: Context, node_id: str) -> int:
    return context.reader.decode_as(TYPE, node_id)


async def _found(context: Context, change_id: int) -> Row | None:
    """As it is now; null: there is none, or it is another caller's."""
    one = await _changes(context).find(context.viewer, change_id)
    if one is None:
        return None
    undoes = one.undoes_id
    return {
        "row_id": one.id,
        "sync_run_id": one.sync_run_id,
        "id": context.reader.node_id(TYPE, one.id),
        "state": one.state,
        "path": one.path,
        "costs": [
            {
                "path": cost.path,
                "requests": cost.price.requests,
                "quota": cost.price.quota,
                "latency": cost.price.latency,
                "imported": cost.imported,
                "called": cost.called,
                "left": cost.left,
            }
            for cost in one.costs
        ],
        "removals": one.removals,
        "people": one.people,
        "held": one.held,
        "asOf": one.as_of,
        "plannedAt": one.planned_at,
        "appliedAt": one.asked_at,
        "endedAt": one.ended_at,
        "message": one.message,
        "sisImportId": one.import_id,
        "requests": one.requests,
        "quota": one.quota,
        "undoes": None if undoes is None else context.reader.node_id(TYPE, undoes),
    }


def _row(one: Any) -> Row:
    told: Row = {
        "cursor": base64.urlsafe_b64encode(f"row:{one.place}".encode()).decode(),
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


def _place_of(cursor: str) -> int:
    try:
        kind, _, digits = base64.b64decode(cursor, b"-_", validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        kind, digits = "", ""
    if kind != "row" or not (digits.isascii() and digits.isdigit()) or len(digits) > 9:
        raise BadRequest("This is no cursor of rows; take endCursor from `pageInfo`.")
    return int(digits)
