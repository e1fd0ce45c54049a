"""What an event means for the roster (pure): what it tells of known rows, and which scopes have to be read anew.

An event lacks roles, SIS ids and dates, comes in any order, twice, or never (live-events.md §3, §6). So it changes only what
it says whole of a row that is known, and its silence proves nothing: deletions by SIS import make no event at all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.changes import SubjectType
from gateway.events.envelope import Event
from models.canvas_ids import to_global
from models.roster import CourseState, EnrollmentState, RecordState

Columns = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Told:
    """Of the row with this Canvas id: `columns` become so; where it is not known, or `same` is not as it is, `course` is due.

    `same`: column to Canvas id of what it refers to, or to a plain value. `course`: the Canvas id of the course, where the
    event names one. `reread`: the row's own scope is due in any case, for the event tells only some of what may have changed.
    """

    subject: SubjectType
    canvas_id: int
    columns: Columns
    course: int | None = None
    refers: Mapping[str, tuple[SubjectType, int]] | None = None
    same: Columns | None = None
    reread: bool = False


@dataclass(frozen=True, kw_only=True)
class Everything:
    """Anything may have changed: a SIS import is over."""

    why: str


Meaning = Told | Everything | None

_ENROLLMENT_STATES = {state.value.lower(): state for state in EnrollmentState}
_COURSE_STATES = {
    "created": CourseState.UNPUBLISHED,
    "claimed": CourseState.UNPUBLISHED,
    "available": CourseState.AVAILABLE,
    "completed": CourseState.COMPLETED,
    "deleted": CourseState.DELETED,
}
_TYPES = {
    "StudentEnrollment": "STUDENT",
    "TeacherEnrollment": "TEACHER",
    "TaEnrollment": "TA",
    "DesignerEnrollment": "DESIGNER",
    "ObserverEnrollment": "OBSERVER",
    "StudentViewEnrollment": "TEST_STUDENT",
}
# What a SIS import is in while it still works (sis-imports.md); every other word is its last one.
_RUNNING = frozenset({"initializing", "created", "importing", "cleanup_batch", "restoring"})


def meaning_of(event: Event, shard: int) -> Meaning:
    """None: nothing that the roster keeps. ValueError, KeyError where the body lacks what every such event has."""
    read = _READERS.get(event.name)
    return None if read is None else read(event.body, shard)


def _enrollment(body: Mapping[str, Any], shard: int) -> Meaning:
    columns: dict[str, object] = {}
    state = _ENROLLMENT_STATES.get(str(body.get("workflow_state")))
    if state is not None:
        columns["state"] = state.value
    limited = body.get("limit_privileges_to_course_section")
    if isinstance(limited, bool):
        columns["limit_to_section"] = limited
    return Told(
        subject=SubjectType.ENROLLMENT,
        canvas_id=to_global(body["enrollment_id"], shard),
        columns=columns,
        course=to_global(body["course_id"], shard),
        refers={
            "course_id": (SubjectType.COURSE, to_global(body["course_id"], shard)),
            "section_id": (SubjectType.SECTION, to_global(body["course_section_id"], shard)),
            "person_id": (SubjectType.USER, to_global(body["user_id"], shard)),
        },
        same={"type": _TYPES.get(str(body.get("type")))},
    )


def _course(body: Mapping[str, Any], shard: int) -> Meaning:
    columns: dict[str, object] = {}
    if isinstance(body.get("name"), str):
        columns["name"] = body["name"]
    state = _COURSE_STATES.get(str(body.get("workflow_state")))
    if state is not None:
        columns["state"] = state.value
    number = to_global(body["course_id"], shard)
    return Told(subject=SubjectType.COURSE, canvas_id=number, columns=columns, course=number)


def _section(body: Mapping[str, Any], shard: int) -> Meaning:
    """Its dates and its course are read anew: a date that is not there may be none, or not told."""
    columns: dict[str, object] = {}
    if isinstance(body.get("name"), str):
        columns["name"] = body["name"]
    if body.get("workflow_state") in ("active", "deleted"):
        columns["state"] = RecordState(str(body["workflow_state"]).upper()).value
    course = to_global(body["course_id"], shard)
    return Told(
        subject=SubjectType.SECTION,
        canvas_id=to_global(body["course_section_id"], shard),
        columns=columns,
        course=course,
        refers={"course_id": (SubjectType.COURSE, course)},
        reread=True,
    )


def _user(body: Mapping[str, Any], shard: int) -> Meaning:
    columns: dict[str, object] = {
        name: body[name] for name in ("name", "short_name") if isinstance(body.get(name), str)
    }
    return Told(
        subject=SubjectType.USER,
        canvas_id=to_global(body["user_id"], shard),
        columns=columns,
        reread=True,
    )


def _sis_batch(body: Mapping[str, Any], _shard: int) -> Meaning:
    """An import's deletions make no event: whatever it could touch is read anew (live-events.md §3.1)."""
    if str(body.get("workflow_state")) in _RUNNING:
        return None
    return Everything(why="a SIS import is over")


_Reader = Callable[[Mapping[str, Any], int], Meaning]
_READERS: Mapping[str, _Reader] = {
    "enrollment_created": _enrollment,
    "enrollment_updated": _enrollment,
    "course_created": _course,
    "course_updated": _course,
    "course_section_created": _section,
    "course_section_updated": _section,
    "user_created": _user,
    "user_updated": _user,
    "sis_batch_updated": _sis_batch,
    # Left alone knowingly: `enrollment_state_*` tells what follows from states and dates, which are kept; a user's
    # association with an account and `logged_in` change no roster.
}
