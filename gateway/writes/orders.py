"""What Canvas is told for a change of one enrollment, where to look whether it was done, and how things are then (pure)."""

from datetime import datetime

from msgspec import UNSET, Struct, UnsetType

from gateway.batch import Enrollment, Time
from gateway.canvas.enrollment_writes import TYPE_NAMES, Instruction, Posted
from gateway.errors import WriteRefused
from models.roster import EnrollmentState, EnrollmentType, MutationErrorCode

LIVING = frozenset(EnrollmentState) - {EnrollmentState.DELETED}


class Sought(Struct, frozen=True, kw_only=True, tag=True, tag_field="kind"):
    """Where to look whether it was done, when Canvas's answer was lost. `section` None: any of the course."""

    course: int
    person: int
    enrollment: int | None = None
    section: int | None = None
    type: EnrollmentType | None = None
    role: str | None = None
    associated: int | None = None

    def is_row(self, row: Enrollment) -> bool:
        if self.enrollment is not None:
            return row.canvas_id == self.enrollment
        return (
            self.section in (None, row.section)
            and self.type in (None, row.type)
            and self.role in (None, row.role)
            and (None if self.associated is None else str(self.associated)) == row.associated
        )


class Outcome(Struct, frozen=True, kw_only=True):
    """How the enrollment is when it was done. What is unset may be as it likes."""

    states: frozenset[EnrollmentState]
    limit_to_section: bool | UnsetType = UNSET
    start_at: Time = UNSET
    end_at: Time = UNSET

    def met_by(self, row: Enrollment) -> bool:
        return (
            row.state in self.states
            and self.limit_to_section in (UNSET, row.limit_to_section)
            and same_time(self.start_at, row.start_at)
            and same_time(self.end_at, row.end_at)
        )


class SoughtPerson(Struct, frozen=True, kw_only=True, tag=True, tag_field="kind"):
    """A new person: by the SIS id where there is one, else by the login."""

    login_id: str
    sis_id: str | None
    integration_id: str | None


class Order(Struct, frozen=True, kw_only=True):
    """`target`: what no other change may touch meanwhile."""

    instruction: Instruction
    target: str
    sought: Sought | SoughtPerson
    outcome: Outcome = Outcome(states=LIVING)


def posted_again(row: Enrollment, **changed: object) -> Posted:
    """The row as it is, said whole, but for what is changed."""
    said: dict[str, object] = {
        "limit_to_section": row.limit_to_section,
        "start_at": known(row.start_at),
        "end_at": known(row.end_at),
    }
    return Posted(
        course=row.course,
        person=int(row.person),
        type=row.type,
        section=row.section,
        role=row.role,
        role_id=row.role_id,
        associated=None if row.associated is None else int(row.associated),
        **(said | changed),  # type: ignore[arg-type]  # by the names of its fields
    )


def sought_by(posted: Posted) -> Sought:
    """A built-in role is called as its type is."""
    role = posted.role
    if role is None and posted.type is not None and posted.role_id is None:
        role = TYPE_NAMES[posted.type]
    return Sought(
        course=posted.course,
        person=posted.person,
        section=posted.section,
        type=posted.type,
        role=role,
        associated=posted.associated,
    )


def target_of(course: int, person: int) -> str:
    """A person in a course: which row a POST finds there is Canvas's to say."""
    return f"{course}/{person}"


def known(value: Time) -> datetime | None:
    if value is UNSET:
        words = "Its dates were not shown, and a change would clear them."
        raise WriteRefused(MutationErrorCode.NOT_SUPPORTED, words)
    return value


def same_time(wanted: Time, found: Time) -> bool:
    """To the second, as Canvas tells times."""
    if wanted is UNSET:
        return True
    if wanted is None or found is None or found is UNSET:
        return wanted is None and not isinstance(found, datetime)
    return abs((wanted - found).total_seconds()) < 1
