"""The audit of single changes in the graph: who asked for what, on whose rights, what Canvas was told and what it said."""

from datetime import datetime
from typing import Annotated, Any

import orjson
import strawberry
from strawberry import ID

from gateway.readpath import node_ids
from gateway.readpath.paging import page_size
from gateway.readpath.registry import Row
from gateway.viewer import Scope
from gateway.writes.service import ChangeRequest as Kept
from gateway.writes.service import Wanted
from resolvers import inputs, mutation_errors, nodes
from resolvers.arguments import After, First
from resolvers.connections import PageInfo, cursor_of, page_of, place_of
from resolvers.context import Info
from resolvers.enums import ChangeAuthority, ChangeRequestState
from resolvers.mutation_errors import MutationError
from resolvers.provenance import described
from resolvers.types import Course, Enrollment, User, resolved

TYPE = "ChangeRequest"
WITHHELD = "the credential may not see what people are called"
# What the texts of the audit name people by.
NAMED_BY = ("canvasId", "sisId", "loginId", "name")


def _personal(key: str) -> Any:
    """A text in which people are named, for whoever may see what they are called; that they were shown it is noted."""

    async def shown(info: Info, root: strawberry.Parent[Row]) -> Any:
        context = info.context
        if root[key] is None or not context.reader.rights.sees("User", "canvasId"):
            return None
        context.shows(("User", root["person_id"] or 0), 1, NAMED_BY)
        return root[key]

    return shown


@strawberry.type(description="A change of one enrollment, or of a person, that was asked for.")
class ChangeRequest:
    id: ID = described("Its id in the graph.")
    operation: str = described("The mutation that asked for it.")
    state: ChangeRequestState = described("How far it has come.")
    asked_at: datetime = described("When it was asked for.")
    told_at: datetime | None = described("When Canvas was told; null: it was not.")
    ended_at: datetime | None = described("When it was known what came of it; null: it is not yet.")
    service: str | None = described("The name of the service token that asked; null: none did.")
    authority: ChangeAuthority | None = described("On whose rights Canvas was told.")
    read_back: bool = described("Whether the answer was lost, and what came of it was looked up.")
    error: MutationError | None = described("Why it was not done, or not as it was asked for.")

    input: str | None = resolved(
        _personal("input"), f"What was asked for, as JSON; null where {WITHHELD}."
    )
    told: str | None = resolved(
        _personal("told"),
        f"The request that Canvas was sent, as JSON: verb, path and fields; null: none, or {WITHHELD}.",
    )
    answer: str | None = resolved(
        _personal("answer"),
        f"What Canvas answered, as JSON; null: nothing that arrived, or {WITHHELD}.",
    )
    real_user: ID | None = resolved(
        _personal("realUser"),
        f"The Canvas id of whoever acted as the person in Canvas; null: nobody did, or {WITHHELD}.",
    )
    actor: User | None = resolved(
        nodes.link("User", "actor_id"),
        "The person who asked, or for whom the service did; null: a service in its own name.",
    )
    user: User | None = resolved(nodes.link("User", "person_id"), "Whom it is about.")
    course: Course | None = resolved(nodes.link("Course", "course_id"), "In which course.")
    enrollment: Enrollment | None = resolved(
        nodes.link("Enrollment", "enrollment_id"), "The enrollment that was changed."
    )


@strawberry.type(description="A change that was asked for, and its cursor.")
class ChangeRequestEdge:
    cursor: str = described("This place in the list.")
    node: ChangeRequest = described("The change.")


@strawberry.type(description="A page of changes that were asked for, newest first.")
class ChangeRequestConnection:
    edges: list[ChangeRequestEdge] = described("The changes of the page with their cursors.")
    nodes: list[ChangeRequest] = described("The changes of the page.")
    page_info: PageInfo = described("Where the page stands in its list.")


def _optional(text: str) -> Any:
    return strawberry.field(default=None, description=text)


@strawberry.input(description="Which changes that were asked for. All that is given must hold.")
class ChangeRequestFilter:
    states: list[ChangeRequestState] | None = _optional("Only these states.")
    user: inputs.UserBy | None = _optional("Only about this person.")
    course: inputs.CourseBy | None = _optional("Only in this course.")
    actor: inputs.UserBy | None = _optional("Only asked for by this person, or for them.")
    since: datetime | None = _optional("Not asked for before this moment.")


WhichRequests = Annotated[
    ChangeRequestFilter | None,
    strawberry.argument(name="filter", description="Which ones; omitted: all."),
]


async def change_requests(
    info: Info, which: WhichRequests = None, first: First = None, after: After = None
) -> Any:
    context = info.context
    context.viewer.require(Scope.ADMIN)
    size, meant = page_size("first", first), which or ChangeRequestFilter()

    async def row_id(by: inputs.AnyBy | None) -> int | None:
        return None if by is None else await nodes.find_id(info, inputs.given(by))

    wanted = Wanted(
        states=None if meant.states is None else tuple(one.value for one in meant.states),
        person_id=await row_id(meant.user),
        course_id=await row_id(meant.course),
        actor_id=await row_id(meant.actor),
        since=meant.since,
        before=None if after is None else place_of(after, TYPE),
        limit=size + 1,
    )
    found = await context.changes_into_canvas().requests(context.viewer, wanted)
    return page_of([_row(one) for one in found], size, after)


def _row(one: Kept) -> Row:
    step = None if one.step is None else orjson.loads(one.step)
    problem = one.problem
    return {
        "cursor": cursor_of(one.id, TYPE),
        "id": node_ids.encode(TYPE, one.id),
        "operation": one.operation,
        "state": ChangeRequestState(one.state.value),
        "askedAt": one.asked_at,
        "toldAt": one.told_at,
        "endedAt": one.ended_at,
        "input": one.asked,
        "service": one.service,
        "realUser": one.real_user,
        "authority": None if one.authority is None else ChangeAuthority(one.authority.value),
        "told": None if step is None else orjson.dumps(step["instruction"]).decode(),
        "answer": one.answer,
        "readBack": one.read_back,
        "error": None
        if problem is None
        else mutation_errors.row_of(problem.code, problem.message, problem.path),
        "actor_id": one.actor_id,
        "person_id": one.subjects.person_id,
        "course_id": one.subjects.course_id,
        "enrollment_id": one.subjects.enrollment_id,
    }
