"""The Subscription type: the feed, followed live."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated, Any

import strawberry
from strawberry import ID

from gateway import feed
from gateway.feed import ChangeFilter
from gateway.feed_rows import row_of
from gateway.readpath.lookups import By
from gateway.viewer import Scope
from models.roster import SyncRunState
from resolvers import filters, inputs, nodes
from resolvers.changes import Change, WhichChanges, note
from resolvers.context import Info
from resolvers.types import SyncRun

_ENDED = (SyncRunState.SUCCEEDED, SyncRunState.HELD, SyncRunState.FAILED, SyncRunState.CANCELLED)
After = Annotated[
    str | None,
    strawberry.argument(
        description="Replays what came behind this cursor, then goes on live; null: from now on."
    ),
]


async def _followed(
    info: Info, meant: ChangeFilter, after: str | None
) -> AsyncGenerator[Any, None]:
    context = info.context
    position = None if after is None else feed.position_of(after)
    if position is not None:
        await context.feed.require_kept(context.viewer.institution_id, position)
    entries = context.feed.follow(context.reader, meant, after=position)
    async with aclosing(entries):
        async for entry in entries:
            context.renew()
            note(context, [entry])
            yield row_of(entry, context.reader)


async def _changes(
    info: Info, which: WhichChanges = None, after: After = None
) -> AsyncGenerator[Any, None]:
    context = info.context
    context.viewer.require(Scope.CHANGES_READ, Scope.ROSTER_READ)
    changes = _followed(info, await filters.changes(context, which), after)
    async with aclosing(changes):
        async for change in changes:
            yield change


async def _roster_changed(
    info: Info,
    course: Annotated[
        inputs.CourseBy, strawberry.argument(description="The course, by exactly one of its ids.")
    ],
    after: After = None,
) -> AsyncGenerator[Any, None]:
    info.context.viewer.require(Scope.CHANGES_READ, Scope.ROSTER_READ)
    found = await nodes.find_id(info, inputs.given(course))
    changes = _followed(info, ChangeFilter(courses=(found,)), after)
    async with aclosing(changes):
        async for change in changes:
            yield change


async def _sync_progress(
    info: Info,
    id: Annotated[ID, strawberry.argument(description="The `id` of the run.")],  # noqa: A002  the graph's name
) -> AsyncGenerator[Any, None]:
    """The run each time that it moved on, and a last time when it has ended."""
    context = info.context
    seen = None
    while True:
        context.renew()
        row = await nodes.find(info, By("SyncRun", "id", id))
        if row is None:
            return
        moved = {name: value for name, value in row.items() if name != "expectedEndAt"}
        if moved != seen:
            yield row
        if row["state"] in _ENDED:
            return
        seen = moved
        await context.feed.moved()


def _live(resolver: Any, text: str) -> Any:
    return strawberry.subscription(resolver=resolver, description=text)


@strawberry.type(description="What can be followed live.")
class Subscription:
    roster_changed: Change = _live(
        _roster_changed, "Changes of one course's roster, each as it is committed."
    )
    changes: Change = _live(
        _changes, "Every change, each as it is committed: nothing is lost, nothing comes twice."
    )
    sync_progress: SyncRun = _live(
        _sync_progress, "One run, each time that it moved on, until it has ended."
    )
