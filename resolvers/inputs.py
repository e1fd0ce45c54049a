"""What callers give to find things: ids in every form, filters, orders, freshness."""

from dataclasses import fields
from datetime import datetime, timedelta
from typing import Any

import strawberry
from strawberry import ID, Maybe

from gateway.readpath.lookups import By
from gateway.readpath.paging import Direction
from gateway.readpath.registry import camel
from models.roster import (
    ChangeKind,
    CourseState,
    EnrollmentState,
    EnrollmentType,
    RecordState,
    Source,
    SyncRunState,
    UserState,
)
from resolvers.enums import CourseOrderField, EnrollmentOrderField, UserOrderField

_NODE_ID = "The `id` of the node, as this graph gave it."
_CANVAS_ID = "The id that Canvas shows in its addresses and its REST API; `shard~local` and the global form are understood."
_SIS_ID = "SIS id, spelt exactly so."
_INTEGRATION_ID = "Integration id, spelt exactly so."
_CANVAS_IDS = "Only those with one of these Canvas ids."
_SIS_IDS = "Only those with one of these SIS ids."


def _described(text: str) -> Any:
    return strawberry.field(default=None, description=text)


def _id(text: str) -> Any:
    return strawberry.field(description=text)


@strawberry.input(one_of=True, description="An account, by exactly one of its ids.")
class AccountBy:
    id: Maybe[ID] = _id(_NODE_ID)
    canvas_id: Maybe[ID] = _id(_CANVAS_ID)
    sis_id: Maybe[str] = _id(_SIS_ID)


@strawberry.input(one_of=True, description="A term, by exactly one of its ids.")
class TermBy:
    id: Maybe[ID] = _id(_NODE_ID)
    canvas_id: Maybe[ID] = _id(_CANVAS_ID)
    sis_id: Maybe[str] = _id(_SIS_ID)


@strawberry.input(
    one_of=True,
    description="A course, by exactly one of its ids. An id that two courses have is refused.",
)
class CourseBy:
    id: Maybe[ID] = _id(_NODE_ID)
    canvas_id: Maybe[ID] = _id(_CANVAS_ID)
    sis_id: Maybe[str] = _id(_SIS_ID)
    integration_id: Maybe[str] = _id(_INTEGRATION_ID)
    lti_context_id: Maybe[str] = _id("The context id that LTI launches from this course carry.")


@strawberry.input(
    one_of=True,
    description="A section, by exactly one of its ids. An id that two sections have is refused.",
)
class SectionBy:
    id: Maybe[ID] = _id(_NODE_ID)
    canvas_id: Maybe[ID] = _id(_CANVAS_ID)
    sis_id: Maybe[str] = _id(_SIS_ID)
    integration_id: Maybe[str] = _id(_INTEGRATION_ID)


@strawberry.input(
    one_of=True,
    description="A person, by exactly one of their ids. An id that two people have is refused.",
)
class UserBy:
    id: Maybe[ID] = _id(_NODE_ID)
    canvas_id: Maybe[ID] = _id(_CANVAS_ID)
    sis_id: Maybe[str] = _id(_SIS_ID)
    integration_id: Maybe[str] = _id(_INTEGRATION_ID)
    login_id: Maybe[str] = _id(
        "What the person types to log in; upper and lower case are the same."
    )
    lti_sub: Maybe[str] = _id("The subject (`sub`) of LTI 1.3 launches and memberships.")
    lti11_user_id: Maybe[str] = _id("The `user_id` of LTI 1.1 launches.")
    uuid: Maybe[str] = _id("Canvas's UUID of the person.")


@strawberry.input(one_of=True, description="An enrollment, by exactly one of its ids.")
class EnrollmentBy:
    id: Maybe[ID] = _id(_NODE_ID)
    canvas_id: Maybe[ID] = _id(_CANVAS_ID)


AnyBy = AccountBy | TermBy | CourseBy | SectionBy | UserBy | EnrollmentBy


def given(by: AnyBy) -> By:
    """The one id that was given; GraphQL has already refused none and two."""
    for form in fields(by):
        if (some := getattr(by, form.name)) is not None:
            return By(type(by).__name__.removesuffix("By"), camel(form.name), str(some.value))
    raise AssertionError(by)


@strawberry.input(
    description="How old an answer may be, and where it may come from. What is left out is the institution's default."
)
class Freshness:
    max_age: timedelta | None = _described(
        "At most this old, counted from when the read of the source began. Older answers are marked `stale`."
    )
    allow_stale: bool | None = _described(
        "Answer at once with what is known, and refresh behind it."
    )
    sources: list[Source] | None = _described("Trust only these sources.")


@strawberry.input(description="Which enrollments are meant. All that is given must hold.")
class EnrollmentFilter:
    types: list[EnrollmentType] | None = _described("Only these types.")
    roles: list[str] | None = _described(
        "Only roles with these names, spelt as Canvas spells them: `StudentEnrollment`, or a custom role's name."
    )
    states: list[EnrollmentState] | None = _described(
        "Only these states. Removed enrollments are shown only where DELETED is among them."
    )
    sections: list[SectionBy] | None = _described(
        "Only in these sections; unknown ones match nothing."
    )
    users: list[UserBy] | None = _described("Only of these people; unknown ones match nothing.")
    search: str | None = _described(
        "Only people whose name holds each of these words, or whose login, e-mail address or SIS id begins so."
        " Upper and lower case and accents do not matter in names."
    )
    updated_since: datetime | None = _described(
        "Only what Canvas changed since; where no source says when it did, what the gateway read anew since."
    )


@strawberry.input(description="Which courses are meant. All that is given must hold.")
class CourseFilter:
    states: list[CourseState] | None = _described("Only these states. Omitted: all but DELETED.")
    term: TermBy | None = _described("Only in this term.")
    account: AccountBy | None = _described("Only in this account and the accounts below it.")
    canvas_ids: list[ID] | None = _described(_CANVAS_IDS)
    sis_ids: list[str] | None = _described(_SIS_IDS)
    search: str | None = _described(
        "Only courses whose name or code holds each of these words, whatever their case and accents."
    )


@strawberry.input(description="Which sections are meant. All that is given must hold.")
class SectionFilter:
    states: list[RecordState] | None = _described("Only these states. Omitted: all but DELETED.")
    canvas_ids: list[ID] | None = _described(_CANVAS_IDS)
    sis_ids: list[str] | None = _described(_SIS_IDS)


@strawberry.input(description="Which people are meant. All that is given must hold.")
class UserFilter:
    states: list[UserState] | None = _described("Only these states. Omitted: all but DELETED.")
    canvas_ids: list[ID] | None = _described(_CANVAS_IDS)
    sis_ids: list[str] | None = _described(_SIS_IDS)
    login_ids: list[str] | None = _described("Only those with one of these logins, in any case.")
    search: str | None = _described(
        "Only people whose name holds each of these words, or whose login, e-mail address or SIS id begins so."
        " Upper and lower case and accents do not matter in names."
    )


@strawberry.input(description="Which runs are meant. All that is given must hold.")
class SyncRunFilter:
    states: list[SyncRunState] | None = _described("Only runs in these states.")
    sources: list[Source] | None = _described("Only runs over these sources.")


@strawberry.input(description="Which changes are meant. All that is given must hold.")
class ChangeFilter:
    kinds: list[ChangeKind] | None = _described("Only changes of these kinds.")
    sources: list[Source] | None = _described("Only changes that these sources told of.")
    subject_types: list[str] | None = _described(
        "Only changes of things of these types, as in `Enrollment`."
    )
    subjects: list[ID] | None = _described("Only changes of these nodes.")
    courses: list[CourseBy] | None = _described(
        "Only changes in these courses; unknown ones match nothing."
    )


@strawberry.input(description="The order of courses. The id decides between equals.")
class CourseOrder:
    field: CourseOrderField = strawberry.field(
        default=CourseOrderField.ID, description="What to order by."
    )
    direction: Direction = strawberry.field(
        default=Direction.ASC, description="Which end comes first."
    )


@strawberry.input(description="The order of people. The id decides between equals.")
class UserOrder:
    field: UserOrderField = strawberry.field(
        default=UserOrderField.ID, description="What to order by."
    )
    direction: Direction = strawberry.field(
        default=Direction.ASC, description="Which end comes first."
    )


@strawberry.input(description="The order of enrollments. The id decides between equals.")
class EnrollmentOrder:
    field: EnrollmentOrderField = strawberry.field(
        default=EnrollmentOrderField.ID, description="What to order by."
    )
    direction: Direction = strawberry.field(
        default=Direction.ASC, description="Which end comes first."
    )
