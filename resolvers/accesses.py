"""The access log in the graph: who read whose data, through which credential, for whom."""

from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry import ID

from gateway.access import Access, Wanted
from gateway.errors import BadRequest
from gateway.readpath.paging import page_size
from gateway.readpath.registry import Row
from gateway.viewer import Scope
from resolvers import inputs, nodes
from resolvers.arguments import After, First
from resolvers.connections import PageInfo, cursor_of, page_of, place_of
from resolvers.context import Info
from resolvers.provenance import described
from resolvers.types import Node, User, resolved

_SUBJECTS = ("User", "Course", "Section")


async def _subject(info: Info, root: strawberry.Parent[Row]) -> Any:
    kind, row_id = root["subject"]
    return await nodes.node(info, kind, row_id) if kind in _SUBJECTS else None


@strawberry.type(description="One look at people's data.")
class AccessRecord:
    at: datetime = described("When they were shown.")
    credential: str = described("`service` for a service token, `session` for a launched person.")
    credential_id: ID = described(
        "Which token (its number in `roster token list`), or which session."
    )
    real_user: ID | None = described(
        "The Canvas id of whoever acted as the person in Canvas; null: nobody did."
    )
    subject_type: str = described(
        "Whose data: of a `User`, of the people of a `Course` or `Section`, of the `Institution`, or by the `Feed`."
    )
    people: int = described("How many people were shown.")
    fields: list[str] = described("Which personal fields of theirs.")
    request_id: str | None = described("The id of the request, as the logs and its answer have it.")

    person: User | None = resolved(
        nodes.link("User", "person_id"),
        "Whose eyes they were seen with: who was launched, or whom a service acted for. null: a service in its own name.",
    )
    subject: Node | None = resolved(
        _subject, "The person, course or section. null: none, or it is gone."
    )


@strawberry.type(description="A look, and its cursor.")
class AccessRecordEdge:
    cursor: str = described("This place in the list.")
    node: AccessRecord = described("The look.")


@strawberry.type(description="A page of looks, newest first.")
class AccessRecordConnection:
    edges: list[AccessRecordEdge] = described("The looks of the page with their cursors.")
    nodes: list[AccessRecord] = described("The looks of the page.")
    page_info: PageInfo = described("Where the page stands in its list.")


@strawberry.input(description="Which looks are meant. All that is given must hold.")
class AccessFilter:
    subject: inputs.UserBy | None = strawberry.field(
        default=None,
        description="At this person by name; lists that they stood in are the course's.",
    )
    course: inputs.CourseBy | None = strawberry.field(
        default=None, description="At the people of this course."
    )
    person: inputs.UserBy | None = strawberry.field(
        default=None, description="By this person, or for them."
    )
    since: datetime | None = strawberry.field(default=None, description="Not before this moment.")


WhichAccesses = Annotated[
    AccessFilter | None, strawberry.argument(name="filter", description="Which ones; omitted: all.")
]


async def access_log(
    info: Info, which: WhichAccesses = None, first: First = None, after: After = None
) -> Any:
    context = info.context
    context.viewer.require(Scope.ADMIN)
    size = page_size("first", first)
    wanted = await _wanted(info, which or AccessFilter(), size + 1, after)
    found = []
    if context.accesses is not None:
        found = await context.accesses.find(context.viewer.institution_id, wanted)
    return page_of([_row(one) for one in found], size, after)


async def _wanted(info: Info, which: AccessFilter, limit: int, after: str | None) -> Wanted:
    if which.subject is not None and which.course is not None:
        raise BadRequest("Ask for looks at a person or at a course, not at both.")
    subject = None
    if which.subject is not None:
        subject = "User", await nodes.find_id(info, inputs.given(which.subject))
    if which.course is not None:
        subject = "Course", await nodes.find_id(info, inputs.given(which.course))
    person = None
    if which.person is not None:
        person = await nodes.find_id(info, inputs.given(which.person))
    return Wanted(
        subject=subject,
        person=person,
        since=which.since,
        before=None if after is None else place_of(after, "access"),
        limit=limit,
    )


def _row(one: Access) -> Row:
    return {
        "cursor": cursor_of(one.id, "access"),
        "at": one.at,
        "credential": one.credential,
        "credentialId": str(one.credential_id),
        "realUser": one.real_user,
        "subjectType": one.subject_kind,
        "subject": (one.subject_kind, one.subject_id),
        "person_id": one.person_id,
        "people": one.people,
        "fields": list(one.shown),
        "requestId": one.request_id,
    }
