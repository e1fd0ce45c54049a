"""What a change of one enrollment means for the row as Canvas shows it: the order, or why it is refused beforehand (pure).

A POST never changes the state of a row that is active now, and may demote one that is not: which of both it is, its dates
decide (enrollments-api.md §4, §6). So nothing is sent whose outcome would hang on that, and every field is said again.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from msgspec import UNSET, UnsetType

from gateway.batch import Enrollment, Time
from gateway.canvas import enrollment_writes
from gateway.canvas.enrollment_writes import STATE_AFTER, NewPerson, Posted, Task
from gateway.errors import WriteRefused
from gateway.writes.orders import (
    LIVING,
    Order,
    Outcome,
    Sought,
    SoughtPerson,
    known,
    posted_again,
    same_time,
    sought_by,
    target_of,
)
from models.roster import EnrollmentState, EnrollmentType, MutationErrorCode

Code = MutationErrorCode
State = EnrollmentState
_TO_CREATE = (State.ACTIVE, State.INVITED, State.INACTIVE)
# In a course that is not published, Canvas makes these of an invitation.
_INVITED = frozenset({State.INVITED, State.CREATION_PENDING})


@dataclass(frozen=True, kw_only=True)
class Update:
    """What is unset stays as it is; a date of None is cleared."""

    state: EnrollmentState | UnsetType = UNSET
    limit_to_section: bool | UnsetType = UNSET
    start_at: Time = UNSET
    end_at: Time = UNSET


@dataclass(frozen=True, kw_only=True)
class Expected:
    """As whoever asks has last seen it."""

    state: EnrollmentState | None = None
    updated_at: datetime | None = None


def create(posted: Posted, there: Iterable[Enrollment], shard: int) -> Order:
    """`there`: the person's rows in the course. A deleted one of the same kind comes back."""
    if posted.type is None and posted.role is None:
        raise WriteRefused(Code.INVALID, "Say a type or a role.", "type")
    if posted.type is EnrollmentType.TEST_STUDENT:
        raise WriteRefused(Code.NOT_SUPPORTED, "Canvas alone makes test students.", "type")
    if posted.state not in _TO_CREATE:
        words = "An enrollment begins ACTIVE, INVITED or INACTIVE."
        raise WriteRefused(Code.INVALID, words, "state")
    if posted.associated is not None and posted.type not in (None, EnrollmentType.OBSERVER):
        words = "Only an observer observes somebody."
        raise WriteRefused(Code.INVALID, words, "associatedUser")
    sought = sought_by(posted)
    for row in there:
        if sought.is_row(row) and row.state in LIVING:
            raise AlreadyThere(row)
    return Order(
        instruction=enrollment_writes.posting(posted, shard),
        target=target_of(posted.course, posted.person),
        sought=sought,
        outcome=_posted_outcome(posted),
    )


class AlreadyThere(WriteRefused):
    """`row`: the enrollment that is there already; a POST would have reset its fields."""

    def __init__(self, row: Enrollment) -> None:
        super().__init__(
            Code.ALREADY_EXISTS,
            f"This person has such an enrollment already, and it is {row.state}."
            " updateEnrollment changes it, reactivateEnrollment brings back one that ended; name a section for another.",
        )
        self.row = row


def update(row: Enrollment, update: Update, shard: int) -> Order | None:
    """None: it is like that already, and Canvas need not be told."""
    _refuse_test_student(row)
    if row.state is State.DELETED:
        raise WriteRefused(Code.NOT_FOUND, "It is deleted; reactivateEnrollment brings it back.")
    state = _state_to_send(row, update.state)
    posted = posted_again(
        row,
        state=state,
        limit_to_section=row.limit_to_section
        if update.limit_to_section is UNSET
        else update.limit_to_section,
        start_at=known(row.start_at) if update.start_at is UNSET else update.start_at,
        end_at=known(row.end_at) if update.end_at is UNSET else update.end_at,
    )
    order = _reposted(row, posted, shard)
    return None if order.outcome.met_by(row) else order


def end(row: Enrollment, task: Task, shard: int) -> Order | None:
    """None: it has ended so already."""
    if row.state is STATE_AFTER[task]:
        return None
    if row.state is State.DELETED:
        words = "It is deleted, and Canvas finds it no more; reactivateEnrollment brings it back."
        raise WriteRefused(Code.NOT_FOUND, words)
    return Order(
        instruction=enrollment_writes.ending(row.course, row.canvas_id, task, shard),
        target=target_of(row.course, int(row.person)),
        sought=_sought_row(row),
        outcome=Outcome(states=frozenset({STATE_AFTER[task]})),
    )


def reactivate(row: Enrollment, shard: int) -> Order:
    if row.state is State.ACTIVE:
        raise WriteRefused(Code.CONFLICT, "It is active.")
    if row.state in _INVITED:
        words = "It has not ended: updateEnrollment with the state ACTIVE accepts for the person."
        raise WriteRefused(Code.CONFLICT, words)
    if row.state is State.INACTIVE:  # Canvas keeps every other field of it
        return Order(
            instruction=enrollment_writes.reactivating(row.course, row.canvas_id, shard),
            target=target_of(row.course, int(row.person)),
            sought=_sought_row(row),
            outcome=Outcome(states=frozenset({State.ACTIVE})),
        )
    _refuse_test_student(row)
    return _reposted(row, posted_again(row, state=State.ACTIVE), shard)


def make_person(person: NewPerson) -> Order:
    return Order(
        instruction=enrollment_writes.making_person(person),
        target=f"login:{person.login_id.casefold()}"[:128],
        sought=SoughtPerson(
            login_id=person.login_id, sis_id=person.sis_id, integration_id=person.integration_id
        ),
    )


def check(row: Enrollment, expected: Expected) -> None:
    """Refuse a change by somebody who has not seen how it is now."""
    if expected.state is not None and row.state is not expected.state:
        words = f"It is {row.state} now, not {expected.state}."
        raise WriteRefused(Code.CONFLICT, words, "expected", "state")
    if expected.updated_at is None:
        return
    if not isinstance(row.updated_at, datetime):
        words = "Canvas does not show these eyes when it was last changed; expect a state instead."
        raise WriteRefused(Code.NOT_SUPPORTED, words, "expected", "updatedAt")
    if not same_time(expected.updated_at, row.updated_at):
        words = f"It was changed at {row.updated_at.isoformat()}."
        raise WriteRefused(Code.CONFLICT, words, "expected", "updatedAt")


def _reposted(row: Enrollment, posted: Posted, shard: int) -> Order:
    return Order(
        instruction=enrollment_writes.posting(posted, shard),
        target=target_of(row.course, int(row.person)),
        sought=_sought_row(row),
        outcome=_posted_outcome(posted),
    )


def _posted_outcome(posted: Posted) -> Outcome:
    state = posted.state or State.INVITED
    return Outcome(
        states=_INVITED if state is State.INVITED else frozenset({state}),
        limit_to_section=posted.limit_to_section,
        start_at=posted.start_at,
        end_at=posted.end_at,
    )


def _sought_row(row: Enrollment) -> Sought:
    return Sought(course=row.course, person=int(row.person), enrollment=row.canvas_id)


def _state_to_send(row: Enrollment, wished: EnrollmentState | UnsetType) -> EnrollmentState:
    """Such that the row is in the state that is wished for, or in the one it has, whatever its dates say."""
    if wished is UNSET:
        if row.state in (State.COMPLETED, State.REJECTED):
            words = f"It is {row.state}, and Canvas would revive it to change a field; say a state, or reactivate it first."
            raise WriteRefused(Code.NOT_SUPPORTED, words)
        return State.INVITED if row.state in _INVITED else row.state
    if wished not in _TO_CREATE:
        words = f"To make it {wished} is not an update: endEnrollment ends it."
        raise WriteRefused(Code.INVALID, words, "state")
    if row.state is State.ACTIVE and wished is State.INACTIVE:
        words = "Canvas does not change the state of an active enrollment so: endEnrollment with the task DEACTIVATE does."
        raise WriteRefused(Code.NOT_SUPPORTED, words, "state")
    if wished is State.INVITED and row.state in (State.ACTIVE, State.CREATION_PENDING):
        words = "Canvas takes no active enrollment back to an invitation, and invites to a course as it is published."
        raise WriteRefused(Code.NOT_SUPPORTED, words, "state")
    return wished


def _refuse_test_student(row: Enrollment) -> None:
    if row.type is EnrollmentType.TEST_STUDENT:
        words = "A test student is Canvas's own; it can only be ended, or be reactivated when it is inactive."
        raise WriteRefused(Code.NOT_SUPPORTED, words)
