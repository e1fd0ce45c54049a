"""Changes of enrollments and new people, as Canvas is told of them, and what its answers and refusals mean.

There is no PUT of an enrollment: a POST of the same identity finds the row again and resets every field that it leaves out, so
an instruction always says all of them (canvas-lms: app/controllers/enrollments_api_controller.rb, app/models/course.rb).
Nothing here decides whether to ask; every call is one request, sent once. Ids are global Canvas ids.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum

from msgspec import Struct

from gateway.batch import Enrollment, Person
from gateway.canvas import rows
from gateway.canvas.client import Call, Canvas, Params
from gateway.canvas.throttle import refills_in
from gateway.errors import (
    AddressRefused,
    CredentialSpent,
    GrantRefused,
    NotSent,
    NotThere,
    RequestRefused,
    SourceDown,
    SourceError,
    SourceRefused,
    SourceThrottled,
    WriteRefused,
)
from gateway.prices import Endpoint
from models.canvas_ids import to_rest
from models.roles import CANVAS_TYPES
from models.roster import EnrollmentState, EnrollmentType, MutationErrorCode

TYPE_NAMES: Mapping[EnrollmentType, str] = {theirs: name for name, theirs in CANVAS_TYPES.items()}


class Task(StrEnum):
    """How Canvas ends an enrollment. An unknown word would conclude it, so it is always one of these."""

    CONCLUDE = "conclude"
    DEACTIVATE = "inactivate"
    DELETE = "delete"


STATE_AFTER: Mapping[Task, EnrollmentState] = {
    Task.CONCLUDE: EnrollmentState.COMPLETED,
    Task.DEACTIVATE: EnrollmentState.INACTIVE,
    Task.DELETE: EnrollmentState.DELETED,
}


class Instruction(Struct, frozen=True, kw_only=True):
    """One request that changes something."""

    method: str
    path: str
    fields: tuple[tuple[str, str], ...] = ()


class Posted(Struct, frozen=True, kw_only=True):
    """All that a POST of an enrollment says; what is empty here is reset there.

    `section` None: the course's default section. The role goes by `role_id` where it is known, else by `role`, its name,
    else by `type`; a custom role knows its type.
    """

    course: int
    person: int
    type: EnrollmentType | None = None
    section: int | None = None
    role: str | None = None
    role_id: int | None = None
    state: EnrollmentState | None = None
    associated: int | None = None
    limit_to_section: bool = False
    start_at: datetime | None = None
    end_at: datetime | None = None
    notify: bool = False


class NewPerson(Struct, frozen=True, kw_only=True):
    """`login_id`: what they will type to log in. `notify`: Canvas invites them by mail to set a password."""

    login_id: str
    name: str | None = None
    short_name: str | None = None
    sortable_name: str | None = None
    sis_id: str | None = None
    integration_id: str | None = None
    email: str | None = None
    notify: bool = False


def posting(posted: Posted, shard: int) -> Instruction:
    said = {
        "user_id": to_rest(posted.person, shard),
        "type": None if posted.type is None else TYPE_NAMES[posted.type],
        "role_id": None if posted.role_id is None else str(posted.role_id),
        "role": posted.role if posted.role_id is None else None,
        "course_section_id": None if posted.section is None else to_rest(posted.section, shard),
        "enrollment_state": None if posted.state is None else posted.state.lower(),
        "associated_user_id": None
        if posted.associated is None
        else to_rest(posted.associated, shard),
        "limit_privileges_to_course_section": _flag(posted.limit_to_section),
        "start_at": _time(posted.start_at),
        "end_at": _time(posted.end_at),
        "notify": _flag(posted.notify),
    }
    return Instruction(
        method="POST",
        path=f"/courses/{to_rest(posted.course, shard)}/enrollments",
        fields=_grouped("enrollment", said),
    )


def ending(course: int, enrollment: int, task: Task, shard: int) -> Instruction:
    return Instruction(
        method="DELETE",
        path=f"/courses/{to_rest(course, shard)}/enrollments/{to_rest(enrollment, shard)}",
        fields=(("task", task.value),),
    )


def reactivating(course: int, enrollment: int, shard: int) -> Instruction:
    """Of an inactive one: every other field stays."""
    path = f"/courses/{to_rest(course, shard)}/enrollments/{to_rest(enrollment, shard)}/reactivate"
    return Instruction(method="PUT", path=path)


_PEOPLE = "/accounts/self/users"


def making_person(person: NewPerson) -> Instruction:
    """In the root account, whatever account is named (canvas-lms: app/controllers/users_controller.rb)."""
    user = {
        "name": person.name,
        "short_name": person.short_name,
        "sortable_name": person.sortable_name,
        "skip_registration": _flag(not person.notify),
    }
    pseudonym = {
        "unique_id": person.login_id,
        "sis_user_id": person.sis_id,
        "integration_id": person.integration_id,
        "send_confirmation": _flag(person.notify),
    }
    channel: dict[str, str | None] = {}
    if person.email is not None:
        channel = {"address": person.email, "skip_confirmation": _flag(not person.notify)}
    return Instruction(
        method="POST",
        path=_PEOPLE,
        fields=(
            *_grouped("user", user),
            *_grouped("pseudonym", pseudonym),
            *_grouped("communication_channel", channel),
        ),
    )


def priced_as(instruction: Instruction) -> Endpoint:
    """What it costs as much as."""
    if instruction.path == _PEOPLE:
        return Endpoint.USER_WRITE
    return Endpoint.ENROLLMENT_WRITE if instruction.method == "POST" else Endpoint.ENROLLMENT_TASK


async def carry_out(
    canvas: Canvas,
    call: Call,
    instruction: Instruction,
    *,
    patient: Callable[[], bool] = lambda: True,
) -> rows.Json:
    """What Canvas answers. A SourceError of which `refusal` makes nothing leaves open whether it was done."""
    return await canvas.write(
        call, instruction.method, instruction.path, instruction.fields, patient=patient
    )


class Shown(Struct, frozen=True, kw_only=True):
    """Somebody's enrollments in one course as Canvas shows them, ended ones too, and the people whom they name."""

    enrollments: tuple[Enrollment, ...] = ()
    people: tuple[Person, ...] = ()

    def row(self, canvas_id: int) -> Enrollment | None:
        return next((one for one in self.enrollments if one.canvas_id == canvas_id), None)


# The caller's own list knows states by date, and refuses the word for deleted ones.
_STATES = tuple(state.lower() for state in EnrollmentState)
_OWN_STATES = (
    *(state for state in _STATES if state != EnrollmentState.DELETED.lower()),
    "pending_active",
    "pending_invited",
)


async def shown(canvas: Canvas, call: Call, course: int, person: int, shard: int) -> Shown:
    """One request; two where the person is whoever the call is made as, whose deleted rows are not shown then."""
    try:
        return await _shown(canvas, call, course, person, shard, _STATES)
    except RequestRefused:
        return await _shown(canvas, call, course, person, shard, _OWN_STATES)


async def _shown(
    canvas: Canvas, call: Call, course: int, person: int, shard: int, states: tuple[str, ...]
) -> Shown:
    path = f"/courses/{to_rest(course, shard)}/enrollments"
    params: Params = [("user_id", to_rest(person, shard)), *(("state[]", one) for one in states)]
    enrollments, people = [], {}
    async for page in canvas.pages(call, path, params):
        for row in page:
            one = rows.enrollment(row, shard)
            enrollments.append(one)
            user = row.get("user")
            if isinstance(user, dict):
                people[one.person] = rows.person(user, shard)
    return Shown(enrollments=tuple(enrollments), people=tuple(people.values()))


def refusal(error: SourceError | AddressRefused) -> WriteRefused | None:
    """What the error says to whoever asked, where it is certain that nothing was done; None where that is not certain."""
    says = str(error)
    match error:
        case RequestRefused():
            return _of_body(error.body, says)
        case NotThere():
            return WriteRefused(MutationErrorCode.NOT_FOUND, says)
        case SourceRefused() | CredentialSpent() | GrantRefused():
            return WriteRefused(MutationErrorCode.NOT_PERMITTED, says)
        case SourceThrottled():
            known = None if error.remaining is None else refills_in(error.remaining)
            return WriteRefused(MutationErrorCode.THROTTLED, says, retry_after=known)
        case AddressRefused():
            return WriteRefused(MutationErrorCode.CANVAS_UNAVAILABLE, says)
        case SourceDown() if isinstance(error.__cause__, NotSent):
            return WriteRefused(MutationErrorCode.CANVAS_UNAVAILABLE, says)
        case _:
            return None


# Parameter errors come as text alone, in the caller's language; these are the English ones.
_PARAMETERS = {
    "Invalid type": "type",
    "Invalid role": "role",
    "Cannot create an enrollment with this role because it is inactive.": "role",
    "The specified type must match the base type for the role": "role",
    "No parameters given": "user",
}
_ATTRIBUTES = {
    "associated_user_id": "associatedUser",
    "course_id": "course",
    "course_section_id": "section",
    "user_id": "user",
    "role_id": "role",
    "unique_id": "loginId",
    "sis_user_id": "sisId",
    "integration_id": "integrationId",
}


def _of_body(body: object, says: str) -> WriteRefused:
    told = body if isinstance(body, dict) else {}
    for words, place in _PARAMETERS.items():
        if words in str(told.get("message", "")):
            return WriteRefused(MutationErrorCode.INVALID, says, place)
    if "error" in told:  # of a reactivation: it is not inactive, and was when it was read
        return WriteRefused(MutationErrorCode.CONFLICT, says)
    errors = told.get("errors")
    if isinstance(errors, dict):
        faults = errors.get("pseudonym") or errors.get("user") or errors
        for attribute, found in faults.items():
            if isinstance(found, list) and found:
                taken = any(isinstance(one, dict) and one.get("type") == "taken" for one in found)
                code = MutationErrorCode.ALREADY_EXISTS if taken else MutationErrorCode.INVALID
                places = [_ATTRIBUTES[attribute]] if attribute in _ATTRIBUTES else []
                return WriteRefused(code, says, *places)
    return WriteRefused(MutationErrorCode.CANVAS_REFUSED, says)


def _grouped(group: str, said: Mapping[str, str | None]) -> tuple[tuple[str, str], ...]:
    return tuple((f"{group}[{name}]", value) for name, value in said.items() if value is not None)


def _flag(value: bool) -> str:  # noqa: FBT001  what it spells
    return "true" if value else "false"


def _time(value: datetime | None) -> str | None:
    """To the second and with its zone: a time that Canvas cannot read becomes none, without an error."""
    return None if value is None else f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
