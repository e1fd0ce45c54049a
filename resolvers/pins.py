"""Pins in the graph: what no change of many may touch."""

from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry import ID

from gateway.errors import BadRequest
from gateway.readpath import node_ids
from gateway.readpath.paging import page_size
from gateway.readpath.registry import Row
from gateway.writes.pins import Pin as Kept
from gateway.writes.pins import Pinned
from resolvers import inputs, mutation_errors, nodes
from resolvers.arguments import After, First
from resolvers.connections import PageInfo, cursor_of, page_of, place_of
from resolvers.context import Info
from resolvers.mutation_errors import KEY, MutationError, checked_key
from resolvers.provenance import described
from resolvers.types import Enrollment, User, resolved

TYPE = "Pin"
_INPUT = strawberry.argument(name="input", description="What is asked for.")


@strawberry.type(
    description="Protection from changes of many: of one enrollment, or of all of a person's. Single changes may touch it."
)
class Pin:
    id: ID = described("Its id in the graph.")
    why: str | None = described("Why, as whoever pinned it said.")
    pinned_at: datetime = described("When it was pinned.")

    user: User | None = resolved(nodes.link("User", "person_id"), "Whose enrollments.")
    enrollment: Enrollment | None = resolved(
        nodes.link("Enrollment", "enrollment_id"), "Which one; null: all of the person's."
    )
    pinned_by: User | None = resolved(
        nodes.link("User", "pinned_by_id"), "Who pinned it; null: a service in its own name."
    )


@strawberry.type(description="A pin, and its cursor.")
class PinEdge:
    cursor: str = described("This place in the list.")
    node: Pin = described("The pin.")


@strawberry.type(description="A page of pins, newest first.")
class PinConnection:
    edges: list[PinEdge] = described("The pins of the page with their cursors.")
    nodes: list[Pin] = described("The pins of the page.")
    page_info: PageInfo = described("Where the page stands in its list.")


@strawberry.input(description="What is to be pinned: an enrollment, or a person.")
class PinInput:
    enrollment: inputs.EnrollmentBy | None = strawberry.field(
        default=None, description="This one alone."
    )
    user: inputs.UserBy | None = strawberry.field(
        default=None, description="All enrollments of this person, later ones too."
    )
    why: str | None = strawberry.field(default=None, description="Why.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.input(description="What is to be pinned no longer.")
class UnpinInput:
    pin: ID = strawberry.field(description="The `id` of the pin.")
    idempotency_key: str | None = strawberry.field(default=None, description=KEY)


@strawberry.type(description="A pin, after a mutation.")
class PinPayload:
    errors: list[MutationError] = described("Why it was not done; empty where it was.")
    pin: Pin | None = described("The pin; after `unpin`, the one that was there.")


async def pins(info: Info, first: First = None, after: After = None) -> Any:
    context = info.context
    size = page_size("first", first)
    before = None if after is None else place_of(after, TYPE)
    kept = context.changes_into_canvas().pins
    found = await kept.find(context.viewer, before=before, limit=size + 1)
    return page_of([_row(one) for one in found], size, after)


async def pin(info: Info, asked: Annotated[PinInput, _INPUT]) -> Any:
    if (asked.enrollment is None) is (asked.user is None):
        raise BadRequest("Pin either an enrollment or a person.")
    context = info.context
    kept = context.changes_into_canvas().pins
    return _payload(
        await kept.add(
            context.viewer,
            person_id=None
            if asked.user is None
            else await nodes.find_id(info, inputs.given(asked.user)),
            enrollment_id=None
            if asked.enrollment is None
            else await nodes.find_id(info, inputs.given(asked.enrollment)),
            why=asked.why,
            key=checked_key(asked.idempotency_key),
        )
    )


async def unpin(info: Info, asked: Annotated[UnpinInput, _INPUT]) -> Any:
    context = info.context
    kept = context.changes_into_canvas().pins
    return _payload(
        await kept.remove(
            context.viewer,
            node_ids.decode_as(TYPE, asked.pin, None),
            key=checked_key(asked.idempotency_key),
        )
    )


def _payload(pinned: Pinned) -> Row:
    problem = pinned.problem
    errors = []
    if problem is not None:
        errors = [mutation_errors.row_of(problem.code, problem.message, problem.path)]
    return {"pin": None if pinned.pin is None else _row(pinned.pin), "errors": errors}


def _row(one: Kept) -> Row:
    return {
        "cursor": cursor_of(one.id, TYPE),
        "id": node_ids.encode(TYPE, one.id),
        "why": one.why,
        "pinnedAt": one.pinned_at,
        "person_id": one.person_id,
        "enrollment_id": one.enrollment_id,
        "pinned_by_id": one.pinned_by_id,
    }
