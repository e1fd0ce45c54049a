"""Entries of the feed as the graph shows them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry import ID

from gateway import feed
from gateway.changes import ABOUT_PEOPLE, FIELDS, SubjectType
from gateway.feed import Entry
from gateway.feed_rows import row_of
from gateway.readpath.paging import page_size
from gateway.readpath.registry import Row
from gateway.viewer import Scope
from models.roster import ChangeKind, Source
from resolvers import filters, inputs, nodes
from resolvers.arguments import First
from resolvers.connections import PageInfo
from resolvers.context import Context, Info
from resolvers.provenance import described
from resolvers.types import Node, SyncRun, User, resolved

WhichChanges = Annotated[
    inputs.ChangeFilter | None,
    strawberry.argument(name="filter", description="Which changes; omitted: all."),
]


@strawberry.type(description="A field and what stood in it.")
class FieldValue:
    field: str = described("The field's name.")
    value: str | None = described(
        "Its value as text: ids, moments and words as the field itself shows them."
    )


@strawberry.type(description="Why something changed.")
class Cause:
    source: Source = described("Who told of it.")
    sis_import_id: ID | None = described("The SIS import that did it.")

    sync_run: SyncRun | None = resolved(
        nodes.link("SyncRun", "sync_run_id"), "The run that brought it, where one did."
    )
    actor: User | None = resolved(
        nodes.link("User", "actor_id"), "The person who did it through this graph."
    )


async def _subject(info: Info, root: strawberry.Parent[Row]) -> Any:
    return await nodes.node(info, root["subjectType"], root["row_id"])


@strawberry.type(
    description="One entry of the feed: durable, seen once, in an order that never goes back."
)
class Change:
    cursor: str = described("This place in the feed: go on behind it with `after`.")
    at: datetime = described("When the gateway wrote it down.")
    kind: ChangeKind = described("What happened.")
    cause: Cause = described("Why.")
    subject_type: str = described("The type of what changed, as in `Enrollment`.")
    subject_id: ID = described("The id of what changed.")
    before: list[FieldValue] | None = described("The changed fields as they were; null: it is new.")
    after: list[FieldValue] | None = described("The changed fields as they are; null: it is gone.")

    subject: Node | None = resolved(
        _subject,
        "What changed, as it is now; null where it was erased or may not be seen, and of a `Membership`, which is no node:"
        " `Course.members` shows it.",
    )


@strawberry.type(description="A change, and its cursor.")
class ChangeEdge:
    cursor: str = described("This place in the feed.")
    node: Change = described("The change.")


@strawberry.type(description="A page of the feed, oldest first.")
class ChangeConnection:
    edges: list[ChangeEdge] = described("The changes of the page with their cursors.")
    nodes: list[Change] = described("The changes of the page.")
    page_info: PageInfo = described(
        "Where the page stands. `endCursor` is never null: ask on with it."
    )


async def changes(
    info: Info,
    which: WhichChanges = None,
    first: First = None,
    after: Annotated[
        str | None,
        strawberry.argument(
            description="Changes behind this cursor; null starts at the oldest that is kept."
        ),
    ] = None,
) -> Any:
    context = info.context
    context.viewer.require(Scope.CHANGES_READ, Scope.ROSTER_READ)
    size = page_size("first", first)
    meant = await filters.changes(context, which)
    position = 0 if after is None else feed.position_of(after)
    if after is not None:
        await context.feed.require_kept(context.viewer.institution_id, position)
    institution = context.viewer.institution_id
    head = await context.feed.head(institution)
    entries = await context.feed.entries(
        context.reader, meant, after=position, limit=size + 1, until=head
    )
    rows = [row_of(entry, context.reader) for entry in entries[:size]]
    note(context, entries[:size])
    more = len(entries) > size
    # Nothing between the last entry shown and the head is meant: the next page begins behind it.
    end = (
        rows[-1]["cursor"]
        if more and rows
        else feed.cursor_of(position if more else max(head, position))
    )
    return {
        "nodes": rows,
        "edges": [{"cursor": row["cursor"], "node": row} for row in rows],
        "pageInfo": {
            "hasNextPage": more,
            "hasPreviousPage": after is not None,
            "startCursor": rows[0]["cursor"] if rows else None,
            "endCursor": end,
        },
    }


def note(context: Context, entries: Sequence[Entry]) -> None:
    """That the feed told of people, for the access log."""
    people = {one.subject_id for one in entries if one.subject_type == SubjectType.USER}
    others = sum(one.subject_type in ABOUT_PEOPLE for one in entries)
    context.shows(("Feed", 0), len(people) + others, FIELDS[SubjectType.USER].values())
