"""Single enrollments changed and people made through the graph: the inputs, what they mean, and what came of it."""

from collections.abc import Awaitable, Callable
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Annotated, Any

import orjson
import strawberry
from msgspec import UNSET
from strawberry import Maybe, Some

from gateway.errors import PublicError, WriteRefused
from gateway.readpath.registry import camel
from gateway.viewer import Scope
from gateway.writes import singles
from gateway.writes.deciding import Expected, Update
from gateway.writes.singles import Change, Changed, Creation, Request
from models.roster import EnrollmentState, EnrollmentType, MutationErrorCode
from resolvers import inputs, mutation_errors, nodes
from resolvers.context import Info
from resolvers.enums import EndTask
from resolvers.mutation_errors import KEY, MutationError
from resolvers.provenance import described
from resolvers.types import Enrollment, resolved

_INPUT = strawberry.argument(name="input", description="What is asked for.")


def _optional(text: str) -> Any:
    return strawberry.field(default=None, description=text)


def _maybe(text: str) -> Any:
    return strawberry.field(description=text)


@strawberry.input(
    description="How the enrollment is taken to be; where it is not, nothing is changed."
)
class ExpectedEnrollment:
    state: EnrollmentState | None = _optional("The state that it is in.")
    updated_at: datetime | None = _optional("When Canvas last changed it.")


@strawberry.input(
    description="An enrollment to be made. An enrollment that was deleted comes back."
)
class CreateEnrollmentInput:
    user: inputs.UserBy = strawberry.field(description="Who is enrolled.")
    course: inputs.CourseBy | None = _optional(
        "Where; without a section it is the course's default section."
    )
    section: inputs.SectionBy | None = _optional("In which section; it decides the course.")
    type: EnrollmentType | None = _optional("As what; a role says it too.")
    role: str | None = _optional(
        "The name of the role, spelt as Canvas spells it; a custom role knows its type."
    )
    state: EnrollmentState | None = _optional("ACTIVE, INVITED or INACTIVE; omitted: INVITED.")
    associated_user: inputs.UserBy | None = _optional("Whom an observer observes.")
    limit_privileges_to_course_section: bool | None = _optional(
        "Whether the person may only deal with their own section; omitted: no."
    )
    start_at: datetime | None = _optional("From when on; it counts only with an end.")
    end_at: datetime | None = _optional("Until when; it counts only with a start.")
    notify: bool | None = _optional("Whether Canvas mails an invitation; omitted: no.")
    idempotency_key: str | None = _optional(KEY)


@strawberry.input(
    description="What is to change of an enrollment. What is left out stays as it is."
)
class UpdateEnrollmentInput:
    enrollment: inputs.EnrollmentBy = strawberry.field(description="Which one.")
    state: EnrollmentState | None = _optional(
        "ACTIVE, INVITED or INACTIVE, of one that is not active; `endEnrollment` ends an active one."
    )
    limit_privileges_to_course_section: Maybe[bool | None] = _maybe(
        "Whether the person may only deal with their own section; null: no."
    )
    start_at: Maybe[datetime | None] = _maybe("From when on; null clears it.")
    end_at: Maybe[datetime | None] = _maybe("Until when; null clears it.")
    expected: ExpectedEnrollment | None = _optional("How it is taken to be.")
    idempotency_key: str | None = _optional(KEY)


@strawberry.input(description="An enrollment that is to end.")
class EndEnrollmentInput:
    enrollment: inputs.EnrollmentBy = strawberry.field(description="Which one.")
    task: EndTask = strawberry.field(description="How it is to end.")
    expected: ExpectedEnrollment | None = _optional("How it is taken to be.")
    idempotency_key: str | None = _optional(KEY)


@strawberry.input(description="An enrollment that ended and is to be active again.")
class ReactivateEnrollmentInput:
    enrollment: inputs.EnrollmentBy = strawberry.field(description="Which one.")
    expected: ExpectedEnrollment | None = _optional("How it is taken to be.")
    idempotency_key: str | None = _optional(KEY)


@strawberry.input(
    description="A person to be made, with a login, in the institution's root account."
)
class CreateUserInput:
    login_id: str = strawberry.field(description="What the person will type to log in.")
    name: str | None = _optional("The full name; omitted: the login.")
    short_name: str | None = _optional("The name shown in discussions and messages.")
    sortable_name: str | None = _optional("The name in lists, as in `Neil, Zoe`.")
    sis_id: str | None = _optional("SIS id; setting it takes the right to manage SIS data.")
    integration_id: str | None = _optional("Integration id; the same right.")
    email: str | None = _optional("Where mail goes; omitted: the login, where that is an address.")
    notify: bool | None = _optional(
        "Whether Canvas mails an invitation to register; omitted: no, and the person is registered at once."
    )
    idempotency_key: str | None = _optional(KEY)


@strawberry.type(description="An enrollment, after a mutation.")
class EnrollmentPayload:
    errors: list[MutationError] = described(
        "Why it was not done, or what is not as it was asked for; empty where all is."
    )

    enrollment: Enrollment | None = resolved(
        nodes.link("Enrollment", "enrollment_id"),
        "The enrollment as it is now; null where there is none, or the credential may not read the roster.",
    )


async def create(info: Info, asked: Annotated[CreateEnrollmentInput, _INPUT]) -> Any:
    unseen: list[str] = []

    async def find() -> Change:
        return Creation(
            person_id=await _row_id(info, asked.user, "user", unseen),
            course_id=await _row_id_or_none(info, asked.course, "course"),
            section_id=await _row_id_or_none(info, asked.section, "section"),
            type=asked.type,
            role=asked.role,
            state=asked.state or EnrollmentState.INVITED,
            associated_id=await _row_id_or_none(
                info, asked.associated_user, "associatedUser", unseen
            ),
            limit_to_section=bool(asked.limit_privileges_to_course_section),
            start_at=asked.start_at,
            end_at=asked.end_at,
            notify=bool(asked.notify),
        )

    return await _carried_out(info, "createEnrollment", asked, find, unseen)


async def update(info: Info, asked: Annotated[UpdateEnrollmentInput, _INPUT]) -> Any:
    limit = asked.limit_privileges_to_course_section
    return await _changed(
        info,
        "updateEnrollment",
        asked,
        update=Update(
            state=asked.state or UNSET,
            limit_to_section=UNSET if limit is None else bool(limit.value),
            start_at=UNSET if asked.start_at is None else asked.start_at.value,
            end_at=UNSET if asked.end_at is None else asked.end_at.value,
        ),
    )


async def end(info: Info, asked: Annotated[EndEnrollmentInput, _INPUT]) -> Any:
    return await _changed(info, "endEnrollment", asked, task=asked.task.name)


async def reactivate(info: Info, asked: Annotated[ReactivateEnrollmentInput, _INPUT]) -> Any:
    return await _changed(info, "reactivateEnrollment", asked)


async def create_user(info: Info, asked: Annotated[CreateUserInput, _INPUT]) -> Any:
    async def find() -> Change:
        return singles.new_person(
            login_id=asked.login_id,
            name=asked.name,
            short_name=asked.short_name,
            sortable_name=asked.sortable_name,
            sis_id=asked.sis_id,
            integration_id=asked.integration_id,
            email=asked.email,
            notify=bool(asked.notify),
        )

    return await _carried_out(info, "createUser", asked, find)


async def _changed(
    info: Info,
    operation: str,
    asked: UpdateEnrollmentInput | EndEnrollmentInput | ReactivateEnrollmentInput,
    **change: Any,
) -> Any:
    expected = Expected()
    if asked.expected is not None:
        expected = Expected(state=asked.expected.state, updated_at=asked.expected.updated_at)

    async def find() -> Change:
        row_id = await _row_id(info, asked.enrollment, "enrollment")
        return Changed(enrollment_id=row_id, expected=expected, **change)

    return await _carried_out(info, operation, asked, find)


async def _carried_out(
    info: Info,
    operation: str,
    asked: Any,
    find: Callable[[], Awaitable[Change]],
    unseen: list[str] | None = None,
) -> Any:
    context = info.context
    key = mutation_errors.checked_key(asked.idempotency_key)
    request = Request(operation=operation, said=_said(asked), key=key, find=find)
    ended = await context.changes_into_canvas().carry_out(context.viewer, request)
    context.feed.nudge()
    context.renew()  # what was loaded before may have changed
    problem = ended.problem
    errors = []
    if problem is not None:
        if ended.wants_connection:
            context.invite(problem.message)
        code = problem.code
        if unseen and code is MutationErrorCode.NOT_PERMITTED:
            # whether there is such a person is not for them to know, who may neither see nor enroll them
            errors = [_not_found(unseen[0])]
        else:
            errors = [
                mutation_errors.row_of(code, problem.message, problem.path, problem.retry_after)
            ]
    reads = Scope.ROSTER_READ in context.viewer.scopes
    return {
        "enrollment_id": ended.subjects.enrollment_id if reads else None,
        "user_id": ended.subjects.person_id if reads and ended.done else None,
        "errors": errors,
    }


def _not_found(place: str) -> Any:
    words = f"There is no such {place}, or it may not be seen."
    return mutation_errors.row_of(MutationErrorCode.NOT_FOUND, words, (place,))


async def _row_id(info: Info, by: inputs.AnyBy, place: str, unseen: list[str] | None = None) -> int:
    """Our id of what `by` names. With `unseen`, also of people whom the viewer does not see: Canvas judges who may be enrolled."""
    try:
        found, seen = await nodes.known_id(info, inputs.given(by), beyond=unseen is not None)
    except PublicError as error:
        raise WriteRefused(
            _CODES.get(error.code, MutationErrorCode.INVALID), str(error), place
        ) from error
    if found is None:
        words = f"There is no such {place}, or it may not be seen."
        raise WriteRefused(MutationErrorCode.NOT_FOUND, words, place)
    if unseen is not None and not seen:
        unseen.append(place)
    return found


async def _row_id_or_none(
    info: Info, by: inputs.AnyBy | None, place: str, unseen: list[str] | None = None
) -> int | None:
    return None if by is None else await _row_id(info, by, place, unseen)


_CODES = {
    "SOURCE_UNAVAILABLE": MutationErrorCode.CANVAS_UNAVAILABLE,
    "THROTTLED": MutationErrorCode.THROTTLED,
    "FORBIDDEN": MutationErrorCode.NOT_PERMITTED,
}


def _said(asked: object) -> str:
    """The input as JSON, but for its key: what the audit shows, and what makes two questions the same."""
    said = _plain(asked)
    said.pop("idempotencyKey", None)
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, Some):
        return _plain(value.value)
    if is_dataclass(value):
        said = {camel(one.name): getattr(value, one.name) for one in fields(value)}
        return {name: _plain(inner) for name, inner in said.items() if inner is not None}
    return value
