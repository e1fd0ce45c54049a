"""What Canvas is told for one step of a change of many, call by call or line by line, and whether it has come true (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.canvas.enrollment_writes import (
    Instruction,
    Posted,
    Task,
    ending,
    posting,
    reactivating,
)
from gateway.canvas.sis_files import Line
from gateway.change_paths import Named, Names, not_by_sis
from gateway.roster_change import Fields, Key, Outcome, Present, Step
from gateway.writes.orders import same_time
from models.roster import EnrollmentState

State = EnrollmentState
_TASKS = {
    State.COMPLETED: Task.CONCLUDE,
    State.INACTIVE: Task.DEACTIVATE,
    State.DELETED: Task.DELETE,
}
# In a course that is not published Canvas makes the one of the other.
_INVITED = frozenset({State.INVITED, State.CREATION_PENDING})


@dataclass(frozen=True, kw_only=True)
class Part:
    """One enrollment that a step changes: as it is to be, and as it was."""

    step: Step
    key: Key
    state: State
    before: Present | None
    fields: Fields

    def is_done(self, now: Present | None) -> bool:
        """Whether the enrollment is as planned. What is not there is as good as deleted."""
        if self.state is State.DELETED:
            return now is None or now.state is State.DELETED
        return now is not None and _alike(now.state, self.state) and _same(self.fields, now.fields)

    def has_moved(self, now: Present | None) -> bool:
        """Whether it is not as it was when the change was planned."""
        before = self.before
        if before is None or before.state is State.DELETED:
            return now is not None and now.state is not State.DELETED
        if now is None:
            return True
        return not (_alike(now.state, before.state) and _same(before.fields, now.fields))


def _alike(state: State, other: State) -> bool:
    return state is other or {state, other} <= _INVITED


def _same(fields: Fields, other: Fields) -> bool:
    """A limit that was never told is none."""
    return (
        (fields.limited or False) == (other.limited or False)
        and same_time(fields.start_at, other.start_at)
        and same_time(fields.end_at, other.end_at)
    )


def parts(step: Step) -> list[Part]:
    """Who moves comes first and goes then: in between they are in both sections, never in none."""
    comes = Part(step=step, key=step.key, state=step.state, before=step.before, fields=step.fields)
    if step.leaves is None:
        return [comes]
    old = step.leaves
    goes = Part(step=step, key=old.key, state=State.DELETED, before=old, fields=old.fields)
    return [comes, goes]


def instruction(part: Part, now: Present | None, names: Names, shard: int) -> Instruction:
    """The call that makes it so, from how it is `now`; every field is said again, or a POST would reset it."""
    course = _canvas_id(names.courses, part.step.course)
    known = None if now is None or now.state is State.DELETED else now.canvas_id
    if known is not None and part.state in _TASKS:
        return ending(course, known, _TASKS[part.state], shard)
    fields = part.fields
    revived = now is not None and now.state is State.INACTIVE and part.state is State.ACTIVE
    if revived and known is not None and now is not None and now.fields == fields:
        return reactivating(course, known, shard)
    posted = Posted(
        course=course,
        person=_canvas_id(names.people, part.key.person),
        type=part.key.type,
        section=_canvas_id(names.sections, part.key.section),
        role=part.key.role,
        state=State.INVITED if part.state is State.CREATION_PENDING else part.state,
        associated=None
        if part.key.associated is None
        else _canvas_id(names.people, part.key.associated),
        limit_to_section=bool(fields.limited),
        start_at=fields.start_at,
        end_at=fields.end_at,
    )
    return posting(posted, shard)


def lines(step: Step, names: Names) -> list[Line]:
    """Of the SIS file. Dates are said again, or they would be cleared."""
    found = []
    for part in parts(step):
        start, end = part.fields.start_at, part.fields.end_at
        found.append(
            Line(
                course=_sis_id(names.courses, step.course),
                section=_sis_id(names.sections, part.key.section),
                user=_sis_id(names.people, part.key.person),
                type=part.key.type,
                role=part.key.role,
                state=part.state,
                associated=None
                if part.key.associated is None
                else _sis_id(names.people, part.key.associated),
                limited=part.fields.limited,
                dates=(start, end) if start and end else None,
            )
        )
    return found


def standing_line(present: Present, names: Names) -> Line | None:
    """How an enrollment stands, as a SIS file would say it; None where it cannot."""
    stays = Step(
        row=None,
        outcome=Outcome.NOTHING,
        course=present.course,
        key=present.key,
        state=present.state,
        fields=present.fields,
        before=present,
    )
    if present.state is State.REJECTED or not_by_sis(stays, names) is not None:
        return None
    [line] = lines(stays, names)
    return line


def _canvas_id(of: Mapping[int, Named], row_id: int) -> int:
    named = of[row_id].canvas_id
    assert named is not None  # noqa: S101  a step that lacks it is not carried out by calls
    return named


def _sis_id(of: Mapping[int, Named], row_id: int) -> str:
    named = of[row_id].sis_id
    assert named is not None  # noqa: S101  a step that lacks it goes into no file
    return named
