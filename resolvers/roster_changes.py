"""Changes of many enrollments in the graph: planned row by row, applied, paused, cancelled, taken back."""

from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any

import strawberry
from strawberry import ID

from gateway.change_paths import Path
from gateway.errors import ConnectionWanted, PublicError, UnusableFile, WriteRefused
from gateway.readpath.lookups import By
from gateway.readpath.registry import Row
from gateway.roster_change import Outcome
from gateway.viewer import Viewer
from gateway.writes.roster_changes import Wanted
from models.roster import (
    MutationErrorCode,
    RosterChangeState,
    RosterRowStatus,
    SisSending,
)
from resolvers import mutation_errors, nodes, roster_change_inputs, roster_change_rows
from resolvers.context import Context, Info
from resolvers.mutation_errors import MutationError, checked_key
from resolvers.provenance import described
from resolvers.roster_change_inputs import (
    ApplyRosterChangeInput,
    RosterChangeInput,
    StopRosterChangeInput,
    UndoRosterChangeInput,
)
from resolvers.roster_change_rows import changes_of
from resolvers.types import SyncRun, User, resolved

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


async def _counts(info: Info, root: strawberry.Parent[Row]) -> Any:
    counted = await changes_of(info.context).counts(info.context.viewer, root["row_id"])
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
    sent_as: SisSending | None = described("How its SIS file was sent; null: none was so far.")
    sent_because: str | None = described(
        "Why it was not sent as a difference, where the school asks for that; or what Canvas did instead."
    )
    requests: int = described("Calls to Canvas that it has taken.")
    quota: float = described("Throttle units that it has taken.")

    undoes: "ID | None" = described("The `id` of the change that it takes back.")
    acts_for: User | None = resolved(
        nodes.link("User", "person_id"),
        "On whose rights Canvas is told; null: on those of the institution's own token.",
    )
    counts: list[RosterChangeCount] = resolved(_counts, "How many rows of which kind.")
    rows: roster_change_rows.RosterChangeRowConnection = resolved(
        roster_change_rows.listed, "Its rows."
    )
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
            return await changes_of(context).plan(context.viewer, context.reads_roster(), wanted)

        return await changes_of(context).once(context.viewer, key, f"plan {told}", planned)

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
        return await changes_of(context).apply(
            context.viewer, change, confirmed=asked.confirm_removals, key=key
        )

    return await _payload(context, work)


async def undo(info: Info, asked: Annotated[UndoRosterChangeInput, _INPUT]) -> Any:
    return await _one_time(info.context, "undo", asked, changes_of(info.context).undo)


async def pause(info: Info, asked: Annotated[StopRosterChangeInput, _INPUT]) -> Any:
    return await _one_time(info.context, "pause", asked, changes_of(info.context).pause)


async def cancel(info: Info, asked: Annotated[StopRosterChangeInput, _INPUT]) -> Any:
    return await _one_time(info.context, "cancel", asked, changes_of(info.context).cancel)


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
        lambda: changes_of(context).once(
            viewer, key, f"{what} {change}", lambda: work(viewer, change)
        ),
    )


async def _payload(context: Context, work: Callable[[], Awaitable[int]]) -> Row:
    try:
        change = await work()
    except WriteRefused as refused:
        if isinstance(refused, ConnectionWanted):
            context.invite(str(refused))
        told = mutation_errors.row_of(refused.code, str(refused), refused.path, refused.retry_after)
        return {"rosterChange": None, "errors": [told]}
    except UnusableFile as unusable:
        told = mutation_errors.row_of(MutationErrorCode.INVALID, str(unusable), ("csv",))
        return {"rosterChange": None, "errors": [told]}
    context.feed.nudge()
    context.renew()  # what was loaded before may have changed
    return {"rosterChange": await _found(context, change), "errors": []}


def _named(context: Context, node_id: str) -> int:
    return context.reader.decode_as(TYPE, node_id)


async def _found(context: Context, change_id: int) -> Row | None:
    """As it is now; null: there is none, or it is another caller's."""
    one = await changes_of(context).find(context.viewer, change_id)
    if one is None:
        return None
    undoes = one.undoes_id
    return {
        "row_id": one.id,
        "sync_run_id": one.sync_run_id,
        "person_id": one.person_id,
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
        "sentAs": one.sent_as,
        "sentBecause": one.sent_because,
        "requests": one.requests,
        "quota": one.quota,
        "undoes": None if undoes is None else context.reader.node_id(TYPE, undoes),
    }
