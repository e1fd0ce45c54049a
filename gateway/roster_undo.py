"""How a step of a change of many is taken back, and why some cannot be (pure)."""

from dataclasses import replace

from gateway.change_paths import Names, carried
from gateway.roster_change import Key, Outcome, Present, Step, Wanted, steps
from models.roster import EnrollmentState

State = EnrollmentState
# Canvas gives a new enrollment its id; that there is one by then is all that counts here.
_SOME_ID = 1


def inverse(step: Step) -> list[Wanted]:
    """What takes a step back that was carried out, to be planned against the roster as it is then."""
    return [
        _as_it_was(step.row or 0, step.course, step.key, step.before),
        *(
            [_as_it_was(step.row or 0, step.course, step.leaves.key, step.leaves)]
            if step.leaves
            else []
        ),
    ]


def _as_it_was(row: int, course: int, key: Key, before: Present | None) -> Wanted:
    if before is None or before.state is State.DELETED:
        return Wanted(row=row, course=course, key=key, state=State.DELETED)
    return Wanted(
        row=row,
        course=course,
        key=key,
        state=before.state,
        start_at=before.fields.start_at,
        end_at=before.fields.end_at,
        limited=before.fields.limited or False,
    )


def objection(step: Step, names: Names) -> str | None:
    """Why nothing will take it back once it is carried out; None where something will."""
    if not step.is_change:
        return None
    stood = step.before
    after = [
        Present(
            id=_SOME_ID if stood is None else stood.id,
            canvas_id=_SOME_ID if stood is None else stood.canvas_id,
            course=step.course,
            key=step.key,
            state=step.state,
            fields=step.fields,
        )
    ]
    if step.leaves is not None:
        after.append(replace(step.leaves, state=State.DELETED))
    back = [carried(one, names).step for one in steps(inverse(step), after)]
    return next((one.reason for one in back if one.outcome is Outcome.REFUSED), None)
