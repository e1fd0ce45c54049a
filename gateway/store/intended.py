"""Changes that were asked for, as they are kept: who asked for what, how far it has come, and what it was about.

An intent is ASKED until Canvas is told, then TOLD, which means that it may have been done, until it is DONE or REFUSED.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

import orjson

from models.roster import MutationErrorCode


class State(StrEnum):
    ASKED = "ASKED"
    TOLD = "TOLD"
    DONE = "DONE"
    REFUSED = "REFUSED"


_PASSING = (MutationErrorCode.CANVAS_UNAVAILABLE, MutationErrorCode.THROTTLED)


class Authority(StrEnum):
    """On whose rights Canvas was told: the institution's token, that token standing in for a person, a person's own."""

    SERVICE = "SERVICE"
    MASQUERADE = "MASQUERADE"
    OWN_TOKEN = "OWN_TOKEN"  # noqa: S105  no password


@dataclass(frozen=True, kw_only=True)
class Subjects:
    """Our ids of what it was about, as far as they are known."""

    person_id: int | None = None
    course_id: int | None = None
    enrollment_id: int | None = None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What somebody asked for. `caller`: whose `key` it is; `said`: the input, as JSON, and `digest` of it.

    `actor_id`: the person who asked, or for whom the service called `service` did; `real_user`: who acted as them in Canvas.
    """

    operation: str
    caller: str
    key: str | None
    digest: str
    said: str
    service: str | None = None
    actor_id: int | None = None
    real_user: str | None = None


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why it was not done, or not as asked. `path`: the field of the input that it is about.

    `retry_after`: when it may go through, where that is known.
    """

    code: MutationErrorCode
    message: str
    path: tuple[str, ...] = ()
    retry_after: timedelta | None = None


@dataclass(frozen=True, kw_only=True)
class Intent:
    """`step`: what Canvas is or was told, as JSON. `busy_until`: somebody may be at it until then."""

    id: int
    institution_id: int
    operation: str
    digest: str
    state: State
    step: str | None
    problem: Problem | None
    subjects: Subjects
    actor_id: int | None
    told_at: datetime | None
    busy_until: datetime

    @property
    def ended(self) -> bool:
        return self.state in (State.DONE, State.REFUSED)

    @property
    def passing(self) -> bool:
        """Refused for what may be over by now, with nothing done: it may be tried again."""
        return (
            self.state is State.REFUSED
            and self.problem is not None
            and self.problem.code in _PASSING
        )


def problem_of(kept: str | None) -> Problem | None:
    if kept is None:
        return None
    code, message, path = orjson.loads(kept)
    return Problem(code=MutationErrorCode(code), message=message, path=tuple(path))
