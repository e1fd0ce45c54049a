"""The identity desk in the graph: conflicts that wait for a person, and what is decided of them."""

from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry import ID

from gateway.desk import Decision, Settled
from gateway.readpath import filters as conditions
from gateway.readpath import ledger
from gateway.readpath.filters import Filter
from gateway.viewer import Scope
from models.roster import IdentityKind, Resolution, Source
from resolvers import pages
from resolvers.arguments import After, First
from resolvers.connections import PageInfo
from resolvers.context import Context, Info
from resolvers.enums import ResolveTask
from resolvers.mutation_errors import KEY, checked_key
from resolvers.pages import Asked
from resolvers.provenance import described
from resolvers.types import Node, User

TYPE = "IdentityConflict"


@strawberry.type(
    description="Two records that claim one identifier, or an identifier that fits two people: a person decides."
)
class IdentityConflict(Node):
    kind: IdentityKind = described("What kind of identifier it is about.")
    value: str | None = described("The identifier; null where this credential may not see it.")
    why: str = described("What was found, in words.")
    source: Source = described("Who told what does not fit.")
    found_at: datetime = described("When it was found.")
    person: User | None = described(
        "Who claims the identifier; null: somebody who is not known yet."
    )
    other_person: User | None = described("Who has it.")
    proposal: Resolution = described("What the gateway would do: `CONFIRM` does it.")
    advice: str | None = described("The proposal in words.")
    resolution: Resolution | None = described("How it was settled; null: it waits.")
    resolved_at: datetime | None = described("When it was settled.")
    resolved_by: User | None = described("Who settled it; null: a service, or nobody yet.")


@strawberry.type(description="A conflict, and its cursor.")
class IdentityConflictEdge:
    cursor: str = described("This place in the list.")
    node: IdentityConflict = described("The conflict.")


@strawberry.type(description="A page of conflicts, newest first.")
class IdentityConflictConnection:
    edges: list[IdentityConflictEdge] = described("The conflicts of the page with their cursors.")
    nodes: list[IdentityConflict] = described("The conflicts of the page.")
    page_info: PageInfo = described("Where the page stands in its list.")


@strawberry.input(description="Which conflicts are meant. All that is given must hold.")
class IdentityConflictFilter:
    settled: bool | None = strawberry.field(
        default=False, description="Those that wait (false), were settled (true), or both (null)."
    )
    kinds: list[IdentityKind] | None = strawberry.field(
        default=None, description="Only about identifiers of these kinds."
    )


@strawberry.input(description="What is decided of a conflict.")
class ResolveIdentityInput:
    conflict: ID = strawberry.field(description="The `id` of the conflict.")
    task: ResolveTask = strawberry.field(description="What to do with it.")
    idempotency_key: str | None = strawberry.field(
        default=None,
        description=KEY,
    )


WhichConflicts = Annotated[
    IdentityConflictFilter | None,
    strawberry.argument(name="filter", description="Which ones; omitted: those that wait."),
]


async def conflicts(
    info: Info, which: WhichConflicts = None, first: First = None, after: After = None
) -> Any:
    info.context.viewer.require(Scope.ADMIN)
    meant = which or IdentityConflictFilter()

    async def make_filter(_context: Context) -> Filter:
        kinds = None if meant.kinds is None else tuple(meant.kinds)
        return conditions.IdentityConflictFilter(settled=meant.settled, kinds=kinds)

    asked = Asked(which=make_filter, newest_first=True, first=first, after=after)
    return await pages.connection(info, TYPE, None, (ledger.INSTITUTION,), asked)


async def decide(info: Info, asked: ResolveIdentityInput) -> Settled:
    context = info.context
    context.viewer.require(Scope.ADMIN)
    decision = Decision(
        conflict_id=context.reader.decode_as(TYPE, asked.conflict),
        resolution=_RESOLUTIONS.get(asked.task),
        undo=asked.task is ResolveTask.UNDO,
    )
    key = checked_key(asked.idempotency_key)
    settled = await context.writes_desk().decide(context.viewer, decision, key)
    context.feed.nudge()
    context.renew()  # what was loaded before may have changed
    return settled


_RESOLUTIONS = {
    ResolveTask.MERGE: Resolution.MERGE,
    ResolveTask.MOVE: Resolution.MOVE,
    ResolveTask.KEEP: Resolution.KEEP,
}
