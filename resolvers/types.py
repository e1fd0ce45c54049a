"""The roster's types. Rows are dicts keyed by the graph's names: a field without a resolver reads its own name."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import strawberry
from strawberry import ID

from gateway.readpath import ledger
from gateway.readpath import provenance as told
from gateway.readpath.ledger import Cover, Parent
from gateway.readpath.registry import Row
from models.roster import (
    CourseState,
    EffectiveState,
    EnrollmentState,
    EnrollmentType,
    IdentityKind,
    RecordState,
    Source,
    SyncRunState,
    UserState,
)
from resolvers import explained, lists, nodes, people
from resolvers import members as membership
from resolvers.connections import Connection, PageInfo
from resolvers.context import Info
from resolvers.provenance import Plan, Provenance, RowProvenance, described
from resolvers.set_aside import SetAsideRowConnection, unusable_rows

_CANVAS_ID = "Canvas's id, spelt as that Canvas's REST API spells it. null: no source told it."


def resolved(resolver: Callable[..., Any], text: str) -> Any:
    return strawberry.field(resolver=resolver, description=text)


@strawberry.interface(description="Something with an id of its own in this graph.")
class Node:
    id: ID = described("This graph's own id: it never changes, also not when Canvas's ids do.")

    @classmethod
    def is_type_of(cls, _row: object, _info: object) -> bool:
        """Every type is read from its own table."""
        return True


@strawberry.type(description="An account: a school, a faculty, a department.")
class Account(Node):
    canvas_id: ID | None = described(_CANVAS_ID)
    sis_id: str | None = described("SIS id.")
    name: str | None = described("Name.")
    state: RecordState | None = described("Whether it is in use. null: no source told it.")
    parent: "Account | None" = described(
        "The account that it stands in; null for the root account."
    )


@strawberry.type(description="A term: when courses are held.")
class Term(Node):
    canvas_id: ID | None = described(_CANVAS_ID)
    sis_id: str | None = described("SIS id.")
    name: str | None = described("Name.")
    state: RecordState | None = described("Whether it is in use. null: no source told it.")
    start_at: datetime | None = described("When it begins.")
    end_at: datetime | None = described("When it ends.")


@strawberry.type(description="A course of this institution.")
class Course(Node):
    canvas_id: ID | None = described(_CANVAS_ID)
    sis_id: str | None = described("SIS id.")
    integration_id: str | None = described("Integration id.")
    uuid: str | None = described("Canvas's UUID of the course.")
    lti_context_id: str | None = described(
        "The context id that LTI launches from this course carry."
    )
    name: str | None = described("Name.")
    course_code: str | None = described("Course code, the short name.")
    state: CourseState | None = described(
        "Whether it is published, concluded … null: no source told it."
    )
    start_at: datetime | None = described("When it begins, where it has dates of its own.")
    end_at: datetime | None = described("When it ends, where it has dates of its own.")
    time_zone: str | None = described("Its time zone, as in America/Denver.")
    account: Account | None = described("The account that it belongs to.")
    term: Term | None = described("The term that it is held in.")
    sections: Connection["Section"] = resolved(
        lists.sections, "Its sections, those cross-listed into it included. States omitted: ACTIVE."
    )
    members: Connection["Member"] = resolved(
        membership.members,
        "One edge per person, by name: what a class list shows, and the cheapest thing to ask for."
        " States omitted: ACTIVE. Of the past: whoever enrollments or lists of members had there.",
    )
    enrollments: Connection["Enrollment"] = resolved(
        lists.enrollments_of_course,
        "One edge per enrollment: a person in two sections appears twice."
        " States omitted: ACTIVE, INVITED, CREATION_PENDING.",
    )
    enrollment_counts: "EnrollmentCounts" = resolved(
        membership.enrollment_counts,
        "By type, role, state and section, without reading pages."
        " States omitted: ACTIVE, INVITED, CREATION_PENDING.",
    )
    explain_enrollments: Plan = resolved(
        explained.explain_enrollments,
        "How a read of its enrollments would be planned. Reads nothing.",
    )


@strawberry.type(description="A section of a course: the group that a person is enrolled in.")
class Section(Node):
    canvas_id: ID | None = described(_CANVAS_ID)
    sis_id: str | None = described("SIS id.")
    integration_id: str | None = described("Integration id.")
    name: str | None = described("Name.")
    state: RecordState | None = described("Whether it is in use. null: no source told it.")
    start_at: datetime | None = described("When it begins, where it has dates of its own.")
    end_at: datetime | None = described("When it ends, where it has dates of its own.")
    course: Course = described("The course that it is in now.")
    origin_course: Course | None = described(
        "The course that it was cross-listed from; null: it was not."
    )
    enrollments: Connection["Enrollment"] = resolved(
        lists.enrollments_of_section,
        "Who is enrolled in it. States omitted: ACTIVE, INVITED, CREATION_PENDING.",
    )


@strawberry.type(description="One identifier that was seen for a person.")
class Identity:
    kind: IdentityKind = described("What kind of identifier it is.")
    value: str = described("The identifier. Logins and addresses are kept in lower case.")
    scope: str | None = described(
        "What it is unique in below the institution: a platform registration, an authentication provider."
    )
    source: Source = described("Who told it.")
    first_seen_at: datetime = described("When it was first seen.")
    last_seen_at: datetime = described("When it was last seen.")
    ended_at: datetime | None = described("When it stopped being this person's; null: it still is.")

    course: Course | None = resolved(
        nodes.link("Course", "context_course_id"),
        "The course in which it was seen, where it was seen in one.",
    )


@strawberry.type(description="A person, however many ids and logins they have.")
class User(Node):
    canvas_id: ID | None = described(
        "Canvas's id, spelt as that Canvas's REST API spells it: the global form for people of another shard."
    )
    sis_id: str | None = described("SIS id.")
    integration_id: str | None = described("Integration id.")
    uuid: str | None = described("Canvas's UUID of the person.")
    login_id: str | None = described("What the person types to log in.")
    name: str | None = described("Full name.")
    sortable_name: str | None = described("Name as lists are sorted: family name first.")
    short_name: str | None = described("The name that the person is shown by.")
    given_name: str | None = described("Given name.")
    family_name: str | None = described("Family name.")
    pronouns: str | None = described("Pronouns.")
    email: str | None = described("E-mail address.")
    avatar_url: str | None = described("Picture.")
    state: UserState | None = described("Whether the person can log in. null: no source told it.")
    identities: list[Identity] = resolved(
        people.identities, "Every id known for this person, with where and when it was seen."
    )
    enrollments: Connection["Enrollment"] = resolved(
        lists.enrollments_of_user,
        "In which courses they are, and as what. States omitted: ACTIVE, INVITED, CREATION_PENDING.",
    )


async def _row_provenance(info: Info, root: strawberry.Parent[Row]) -> Any:
    context = info.context

    async def batch(courses: Sequence[Parent]) -> Sequence[list[Cover]]:
        return await ledger.covers(context.connections, context.reader, "Enrollment", courses)

    course = (("course", root["course_id"]),)
    covers = await context.load("covers of enrollments", course, batch)
    return told.of_row(root["provenance"], covers)


@strawberry.type(description="A person in a section of a course, as one thing.")
class Enrollment(Node):
    canvas_id: ID | None = described(_CANVAS_ID)
    user: User = described("Who is enrolled.")
    course: Course = described("In which course.")
    section: Section | None = described("In which section. null: no source told it.")
    type: EnrollmentType = described("As what.")
    role: str | None = described("The role's name: the type's in Canvas, or a custom role's.")
    role_id: ID | None = described("Canvas's id of the role.")
    state: EnrollmentState = described("The state that Canvas keeps. It says nothing of dates.")
    effective_state: EffectiveState | None = described(
        "What the person may do now: the state, the dates and the course taken together."
    )
    limit_privileges_to_course_section: bool | None = described(
        "Whether the person sees only their own section."
    )
    associated_user: User | None = described("Whom an observer observes.")
    start_at: datetime | None = described("From when, where the enrollment has dates of its own.")
    end_at: datetime | None = described("Until when, where the enrollment has dates of its own.")
    created_at: datetime | None = described("When Canvas made it.")
    updated_at: datetime | None = described("When Canvas last changed it.")
    last_activity_at: datetime | None = described("When the person was last active in the course.")
    total_activity_time: timedelta | None = described("How long the person has been active in it.")
    sis_import_id: ID | None = described("The SIS import that made or last changed it.")
    provenance: RowProvenance = resolved(
        _row_provenance, "Source and age of this row, and of each group of its fields."
    )


@strawberry.type(description="A person in a course, all their enrollments in it taken together.")
class Member:
    user: User = described("Who it is.")
    types: list[EnrollmentType] = described("As what.")
    roles: list[str] | None = described("The roles' names. null: the source does not say.")
    state: EnrollmentState | None = described("The strongest of the person's states in the course.")
    sections: list[Section] | None = described("In which sections. null: the source does not say.")


@strawberry.type(description="How many enrollments are alike.")
class EnrollmentCount:
    type: EnrollmentType | None = described("As what. null: may not be seen.")
    role: str | None = described("In which role.")
    state: EnrollmentState | None = described("In which state. null: may not be seen.")
    section: Section | None = described("In which section.")
    count: int = described("How many.")


@strawberry.type(description="Enrollments, counted.")
class EnrollmentCounts:
    counts: list[EnrollmentCount] = described("One entry for each type, role, state and section.")
    total_count: int | None = described("All of them. null while `completeness` is UNKNOWN.")
    provenance: Provenance = described("Where the answer came from, and how far it can be trusted.")


@strawberry.type(description="One pass over one source: what it read, and what came of it.")
class SyncRun(Node):
    state: SyncRunState = described("How far it is.")
    source: Source | None = described("What is read.")
    label: str | None = described("What a person would call it: the name of the file, the course.")
    started_at: datetime | None = described("When it began.")
    ended_at: datetime | None = described("When it ended; null: it has not.")
    progress: float | None = described("From 0 to 1.")
    expected_end_at: datetime | None = described(
        "When it will have ended, at its pace so far. null: there is no pace to tell by yet, or it is not under way."
    )
    rows_read: int | None = described("Rows read from the source.")
    created: int | None = described("Rows that were new.")
    updated: int | None = described("Rows that changed.")
    removed: int | None = described("Rows that ended.")
    unchanged: int | None = described("Rows that were as they had been.")
    set_aside: int | None = described("Rows that could not be used.")
    set_aside_rows: SetAsideRowConnection = resolved(
        unusable_rows, "The first thousand of them, each with its line and reason."
    )
    held: int | None = described("Removals that wait for a person.")
    message: str | None = described("What went wrong, or what is to be known.")
    requests: int | None = described("Calls to Canvas that it took.")
    quota: float | None = described("Canvas's throttle units that it took.")


@strawberry.type(description="A run, and its cursor.")
class SyncRunEdge:
    cursor: str = described("This place in the list.")
    node: SyncRun = described("The run.")


@strawberry.type(description="A page of runs, newest first.")
class SyncRunConnection:
    edges: list[SyncRunEdge] = described("The runs of the page with their cursors.")
    nodes: list[SyncRun] = described("The runs of the page.")
    page_info: PageInfo = described("Where the page stands in its list.")
