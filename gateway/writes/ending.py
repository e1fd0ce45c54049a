"""What came of a change, as whoever asked for it is told."""

from dataclasses import dataclass

from gateway.errors import WriteRefused
from gateway.store.intended import Intent, Problem, State, Subjects
from models.roster import MutationErrorCode


@dataclass(frozen=True, kw_only=True)
class Ended:
    """What came of it. A `problem` of something that is `done`: it is not quite as it was asked to be.

    `certain`: it is known whether it was done. `wants_connection`: it would be, had the person connected their Canvas account.
    """

    done: bool
    certain: bool = True
    wants_connection: bool = False
    subjects: Subjects = Subjects()  # noqa: RUF009  frozen
    problem: Problem | None = None


def problem_of(refused: WriteRefused) -> Problem:
    return Problem(
        code=refused.code,
        message=str(refused),
        path=tuple(refused.path),
        retry_after=refused.retry_after,
    )


def being_carried_out() -> WriteRefused:
    return WriteRefused(
        MutationErrorCode.CONFLICT,
        "This change is being carried out just now; ask again in a moment.",
        "idempotencyKey",
    )


def ended_of(intent: Intent) -> Ended:
    return Ended(done=intent.state is State.DONE, subjects=intent.subjects, problem=intent.problem)


UNCERTAIN = Ended(
    done=False,
    certain=False,
    problem=Problem(
        code=MutationErrorCode.CANVAS_UNAVAILABLE,
        message="Canvas did not say whether it was done, and does not show it so far. It is looked at again by itself;"
        " ask again with the same idempotencyKey to learn what came of it.",
    ),
)
LEFT = Problem(
    code=MutationErrorCode.CANVAS_UNAVAILABLE,
    message="The gateway was ended before it told Canvas; nothing was changed.",
)
