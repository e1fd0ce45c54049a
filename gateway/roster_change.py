"""What a change of many enrollments means: wanted rows against a roster, one step for each (pure).

A step is what has to happen for one row, with what stood there before, so that it can be refused when that has moved, and
taken back. Ids are ours.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from msgspec import UNSET, UnsetType

from models.roster import ROSTER_STATES, EnrollmentState, EnrollmentType

State = EnrollmentState
Date = datetime | UnsetType | None

# Canvas keeps these in step with something else: a test student with the course, a linked observer with whom they observe.
_KEPT_BY_CANVAS = frozenset({EnrollmentType.TEST_STUDENT, EnrollmentType.OBSERVER})
_WANTED_STATES = frozenset(State) - {State.CREATION_PENDING, State.REJECTED}
ENDED_STATES = frozenset({State.COMPLETED, State.INACTIVE, State.DELETED})


class Outcome(StrEnum):
    """What happens to a row."""

    ADD = "ADD"
    CHANGE = "CHANGE"
    MOVE = "MOVE"
    REMOVE = "REMOVE"
    NOTHING = "NOTHING"
    REFUSED = "REFUSED"


@dataclass(frozen=True, kw_only=True)
class Key:
    """What Canvas finds an enrollment by, in REST and in SIS files alike. `role`: its name, the type's for a built-in one."""

    section: int
    person: int
    type: EnrollmentType
    role: str
    associated: int | None = None


@dataclass(frozen=True, kw_only=True)
class Fields:
    """What else an enrollment has that a change may say, or must say again so that it is not lost."""

    start_at: datetime | None = None
    end_at: datetime | None = None
    limited: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Present:
    """An enrollment of the roster. `pinned`: no change of many may touch it."""

    id: int
    canvas_id: int | None
    course: int
    key: Key
    state: State
    fields: Fields = Fields()
    pinned: bool = False


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A row of what is asked for. `state` None: on the roster, in whatever state that is; new ones ACTIVE."""

    row: int
    course: int
    key: Key
    state: State | None = None
    start_at: Date = UNSET
    end_at: Date = UNSET
    limited: bool | UnsetType = UNSET

    def fields(self, known: Fields) -> Fields:
        """As they are to be: what is not said stays."""
        return Fields(
            start_at=known.start_at if self.start_at is UNSET else self.start_at,
            end_at=known.end_at if self.end_at is UNSET else self.end_at,
            limited=known.limited if self.limited is UNSET else self.limited,
        )


@dataclass(frozen=True, kw_only=True)
class Exactly:
    """Whoever is enrolled in these sections in these types, and not wanted, goes.

    `unread`: of so many wanted rows it is not known whom or what they mean. They are not to go for that, so nobody does.
    """

    sections: frozenset[int]
    types: frozenset[EnrollmentType]
    drop: State = State.DELETED
    unread: int = 0

    def covers(self, one: Present) -> bool:
        """Whether it stands where nobody is to be but who is wanted."""
        return (
            one.key.section in self.sections
            and one.key.type in self.types - _KEPT_BY_CANVAS
            and one.state in ROSTER_STATES
        )


@dataclass(frozen=True, kw_only=True)
class Step:
    """`row`: of the input; None for somebody who goes because no row names them.

    `state`, `fields`: how the enrollment `key` is to be; `before`: how it is, None where there is none; `leaves`: of a move,
    the enrollment that ends.
    """

    row: int | None
    outcome: Outcome
    course: int
    key: Key
    state: State
    fields: Fields = Fields()
    before: Present | None = None
    leaves: Present | None = None
    reason: str | None = None

    @property
    def is_change(self) -> bool:
        return self.outcome not in (Outcome.NOTHING, Outcome.REFUSED)

    @property
    def takes_away(self) -> bool:
        """Whether somebody on the roster is not there any more afterwards."""
        return (
            self.is_change
            and self.before is not None
            and self.before.state in ROSTER_STATES
            and self.state in ENDED_STATES
        )


def steps(
    wanted: Sequence[Wanted], present: Iterable[Present], exactly: Exactly | None = None
) -> list[Step]:
    """One step for each wanted row, in their order, then one for each enrollment that goes without a row."""
    known = standing(present)
    seen: set[Key] = set()
    found = []
    for one in wanted:
        found.append(_repeated(one) if one.key in seen else _step(one, known.get(one.key)))
        seen.add(one.key)
    if exactly is not None:
        found += _leaving(exactly, known.values(), seen)
    return _with_moves(found)


def standing(present: Iterable[Present]) -> dict[Key, Present]:
    """By key. Two rows of one key are one enrollment to Canvas: the living one, else the newer."""
    known: dict[Key, Present] = {}
    for one in present:
        other = known.get(one.key)
        if other is None or _counts_more(one, other):
            known[one.key] = one
    return known


def _counts_more(one: Present, other: Present) -> bool:
    return (one.state is not State.DELETED, one.id) > (other.state is not State.DELETED, other.id)


def _repeated(one: Wanted) -> Step:
    return _refused(one, None, "an earlier row is about the same enrollment")


def _refused(one: Wanted, before: Present | None, reason: str) -> Step:
    return Step(
        row=one.row,
        outcome=Outcome.REFUSED,
        course=one.course,
        key=one.key,
        state=one.state or State.ACTIVE,
        before=before,
        reason=reason,
    )


def _step(one: Wanted, before: Present | None) -> Step:
    if reason := _objection(one, before):
        return _refused(one, before, reason)
    state = _state_after(one, before)
    known = before.fields if before is not None else Fields()
    return Step(
        row=one.row,
        outcome=_outcome(one, before, state),
        course=one.course,
        key=one.key,
        state=state,
        fields=one.fields(known),
        before=before,
    )


def _objection(one: Wanted, before: Present | None) -> str | None:
    if one.key.type is EnrollmentType.TEST_STUDENT:
        return "a test student comes and goes with its course"
    if one.state is not None and one.state not in _WANTED_STATES:
        return f"nobody can be made {one.state}: Canvas gives that state by itself"
    if one.key.associated is not None and one.key.type is not EnrollmentType.OBSERVER:
        return "only observers observe somebody"
    if before is None:
        return None
    state = _state_after(one, before)
    if state is State.INVITED and before.state is State.ACTIVE:
        return "Canvas does not make an active enrollment an invitation again; delete it first"
    if before.pinned and _outcome(one, before, state) is not Outcome.NOTHING:
        return "the enrollment is protected from changes of many"
    return None


def _state_after(one: Wanted, before: Present | None) -> State:
    if one.state is not None:
        return one.state
    return before.state if before is not None and before.state in ROSTER_STATES else State.ACTIVE


def _outcome(one: Wanted, before: Present | None, state: State) -> Outcome:
    """A row that is not there is not made only to be deleted: a SIS file would do that without a warning."""
    if before is None or before.state is State.DELETED:
        return Outcome.NOTHING if state is State.DELETED else Outcome.ADD
    if state is State.DELETED:
        return Outcome.REMOVE
    if state is before.state and one.fields(before.fields) == before.fields:
        return Outcome.NOTHING
    return Outcome.CHANGE


def _leaving(exactly: Exactly, known: Iterable[Present], named: Collection[Key]) -> Iterable[Step]:
    for one in sorted(known, key=lambda present: present.id):
        if one.key in named or not exactly.covers(one):
            continue
        goes = Step(
            row=None,
            outcome=Outcome.REMOVE,
            course=one.course,
            key=one.key,
            state=exactly.drop,
            fields=one.fields,
            before=one,
        )
        if one.pinned:
            reason = "the enrollment is protected from changes of many"
            goes = replace(goes, outcome=Outcome.REFUSED, reason=reason)
        elif exactly.unread:
            reason = f"{exactly.unread} rows do not say whom or what they mean, and this may be it"
            goes = replace(goes, outcome=Outcome.REFUSED, reason=reason)
        yield goes


def _with_moves(found: Sequence[Step]) -> list[Step]:
    """Who comes into one section of a course and goes from another, in the same role, moves."""
    leaving: dict[tuple[object, ...], Step] = {}
    for step in found:
        if step.outcome is Outcome.REMOVE and step.takes_away:
            leaving.setdefault(_person_in_role(step), step)
    moves: dict[Key, Step] = {}  # by what is left
    coming: dict[Key, Step] = {}
    for step in found:
        leaves = leaving.get(_person_in_role(step))
        if (
            leaves is not None
            and step.outcome is Outcome.ADD
            and step.state in ROSTER_STATES
            and leaves.key not in moves
        ):
            moves[leaves.key] = coming[step.key] = replace(
                step, outcome=Outcome.MOVE, leaves=leaves.before
            )
    return [
        _told_as_move(step, moves) if step.key in moves else _coming(step, coming)
        for step in found
        if step.row is not None or step.key not in moves
    ]


def _coming(step: Step, coming: Mapping[Key, Step]) -> Step:
    return coming[step.key] if step.outcome is Outcome.ADD and step.key in coming else step


def _told_as_move(step: Step, moves: Mapping[Key, Step]) -> Step:
    """The row that says where somebody goes from is carried out with the one that says where to."""
    if step.outcome is not Outcome.REMOVE:
        return step
    reason = f"row {moves[step.key].row} moves it"
    return replace(step, outcome=Outcome.NOTHING, reason=reason)


def _person_in_role(step: Step) -> tuple[object, ...]:
    key = step.key
    return (step.course, key.person, key.type, key.role, key.associated)
