"""The Query type: where reading begins."""

from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry import ID

from gateway.readpath.lookups import By
from resolvers import explained, inputs, lists, nodes, roster_changes, webhooks
from resolvers.accesses import AccessRecordConnection, access_log
from resolvers.audit import ChangeRequestConnection, change_requests
from resolvers.changes import ChangeConnection, changes
from resolvers.connections import Connection
from resolvers.context import Info
from resolvers.desk import IdentityConflictConnection, conflicts
from resolvers.pins import PinConnection, pins
from resolvers.provenance import SourceStatus, described
from resolvers.roster_changes import RosterChange
from resolvers.types import (
    Account,
    Course,
    Enrollment,
    Node,
    Section,
    SyncRun,
    SyncRunConnection,
    User,
    resolved,
)
from resolvers.webhooks import Webhook

_BY = strawberry.argument(description="Exactly one of its ids.")
Then = Annotated[
    datetime | None,
    strawberry.argument(
        name="asOf",
        description="As it was known then, with the ids that it had; Canvas is not asked. null: it was not known. Fields that no"
        " history tells of are refused. Omitted: now.",
    ),
]
NodeID = Annotated[ID, strawberry.argument(description="The `id` of a node.")]


@strawberry.type(description="The school that the credential belongs to.")
class Institution:
    slug: str = described("Its short name in the configuration.")
    canvas_url: str | None = described("Where its Canvas is; null where there is none.")


@strawberry.type(description="Who asks.")
class Viewer:
    institution: Institution = described("The school that every answer is of.")
    scopes: list[str] = described("What the credential may do.")

    user: User | None = resolved(
        nodes.link("User", "user_id"),
        "The person who asks; null for a service that acts for nobody.",
    )
    acts_for: User | None = resolved(
        nodes.link("User", "acts_for_id"), "The person for whom a service asks."
    )


def _viewer(info: Info) -> Any:
    viewer = info.context.viewer
    return {
        "institution": {"slug": viewer.institution_slug, "canvasUrl": viewer.canvas_url},
        "scopes": sorted(viewer.scopes),
        "user_id": viewer.user_id,
        "acts_for_id": viewer.acts_for_id,
    }


async def _node(info: Info, id: NodeID, as_of: Then = None) -> Any:  # noqa: A002  the graph's name
    info.context.reads_roster()
    return await nodes.node_by_id(info, id, as_of)


async def _nodes(
    info: Info,
    ids: Annotated[list[ID], strawberry.argument(description="The ids of nodes, 5000 at most.")],
    as_of: Then = None,
) -> Any:
    info.context.reads_roster()
    return await nodes.nodes_by_id(info, ids, as_of)


async def _account(
    info: Info, by: Annotated[inputs.AccountBy | None, _BY] = None, as_of: Then = None
) -> Any:
    if by is None:
        return await nodes.root_account(info, as_of)
    return await nodes.find(info, inputs.given(by), as_of)


async def _course(info: Info, by: Annotated[inputs.CourseBy, _BY], as_of: Then = None) -> Any:
    return await nodes.find(info, inputs.given(by), as_of)


async def _section(info: Info, by: Annotated[inputs.SectionBy, _BY], as_of: Then = None) -> Any:
    return await nodes.find(info, inputs.given(by), as_of)


async def _user(info: Info, by: Annotated[inputs.UserBy, _BY], as_of: Then = None) -> Any:
    return await nodes.find(info, inputs.given(by), as_of)


async def _enrollment(
    info: Info, by: Annotated[inputs.EnrollmentBy, _BY], as_of: Then = None
) -> Any:
    return await nodes.find(info, inputs.given(by), as_of)


# By resolver: the type of what it finds `by` one of its ids, which a compiled read asks for without Strawberry's inputs.
LOOKUPS: dict[Any, str] = {
    _course: "Course",
    _section: "Section",
    _user: "User",
    _enrollment: "Enrollment",
}


async def _sync_run(info: Info, id: NodeID) -> Any:  # noqa: A002  the graph's name
    return await nodes.find(info, By("SyncRun", "id", id))


_LOOKUP = " null: it does not exist. Where nothing was read that could tell, the error SOURCE_UNAVAILABLE."


@strawberry.type(
    description="Everything that can be read. Every answer is of the credential's own school."
)
class Query:
    viewer: Viewer = resolved(_viewer, "Who asks, and what they may do.")
    node: Node | None = resolved(_node, "Anything by its id. null: no such thing in this school.")
    nodes: list[Node | None] = resolved(
        _nodes, "Many things by their ids, in the same order; null where there is none."
    )
    account: Account | None = resolved(
        _account, f"An account; the root account when `by` is omitted.{_LOOKUP}"
    )
    course: Course | None = resolved(_course, f"A course.{_LOOKUP}")
    courses: Connection[Course] = resolved(
        lists.courses, "The school's courses. States omitted: all but DELETED."
    )
    section: Section | None = resolved(_section, f"A section.{_LOOKUP}")
    user: User | None = resolved(_user, f"A person.{_LOOKUP}")
    users: Connection[User] = resolved(
        lists.users, "The school's people. States omitted: all but DELETED."
    )
    enrollment: Enrollment | None = resolved(_enrollment, f"An enrollment.{_LOOKUP}")
    changes: ChangeConnection = resolved(
        changes,
        "What changed, oldest first. Follow it live with the subscription of the same name.",
    )
    change_requests: ChangeRequestConnection = resolved(
        change_requests,
        "The audit of single changes into Canvas, newest first. Needs the scope `admin`.",
    )
    pins: PinConnection = resolved(
        pins, "What no change of many may touch, newest first. Needs the scope `admin`."
    )
    access_log: AccessRecordConnection = resolved(
        access_log, "Who read whose data, newest first. Takes the scope `admin`."
    )
    webhooks: list[Webhook] = resolved(
        webhooks.listed,
        "The addresses that changes are sent to: the caller's own, all with the scope `admin`.",
    )
    roster_change: RosterChange | None = resolved(
        roster_changes.find,
        "A change of many enrollments that the caller planned, or anybody with the scope `admin`.",
    )
    sync_run: SyncRun | None = resolved(_sync_run, "One run. null: no such run in this school.")
    sources: list[SourceStatus] = resolved(
        explained.sources,
        "The sources that rosters come from: what each can do now, and how it last did.",
    )
    identity_conflicts: IdentityConflictConnection = resolved(
        conflicts,
        "Conflicts of the identity desk, newest first. Omitted: those that wait. Needs the scope `admin`.",
    )
    sync_runs: SyncRunConnection = resolved(lists.sync_runs, "All runs, newest first.")
