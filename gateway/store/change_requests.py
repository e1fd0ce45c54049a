"""The audit of single changes: intents as whoever looks after them reads them, newest first."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.store.intended import Authority, Problem, State, Subjects, problem_of
from gateway.store.rows import time
from gateway.uow import Database, Row


@dataclass(frozen=True, kw_only=True)
class ChangeRequest:
    """`asked`, `step` and `answer` are JSON: the input, the order that Canvas was told, and what it said."""

    id: int
    operation: str
    state: State
    asked: str
    service: str | None
    actor_id: int | None
    real_user: str | None
    authority: Authority | None
    step: str | None
    answer: str | None
    read_back: bool
    problem: Problem | None
    subjects: Subjects
    asked_at: datetime
    told_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which ones; all that is given must hold. `before`: older than this one."""

    states: tuple[str, ...] | None = None
    person_id: int | None = None
    course_id: int | None = None
    actor_id: int | None = None
    since: datetime | None = None
    before: int | None = None
    limit: int


async def find(database: Database, institution_id: int, wanted: Wanted) -> list[ChangeRequest]:
    values: list[object] = [institution_id]
    terms = ["institution_id = $1"]
    for term, value in (
        ("person_id =", wanted.person_id),
        ("course_id =", wanted.course_id),
        ("actor_id =", wanted.actor_id),
        ("asked_at >=", wanted.since),
        ("id <", wanted.before),
    ):
        if value is not None:
            values.append(value)
            terms.append(f"{term} ${len(values)}")
    if wanted.states is not None:
        words = ", ".join(f"'{State(state)}'" for state in wanted.states) or "null"
        terms.append(f"state in ({words})")
    rows = await database.rows(
        "select id, operation, state, asked, service, actor_id, real_user, authority, step, answer, read_back, problem,"
        " person_id, course_id, enrollment_id, asked_at, told_at, ended_at from intent"
        f" where {' and '.join(terms)} order by id desc limit {int(wanted.limit)}",
        *values,
    )
    return [_request(row) for row in rows]


def _request(row: Row) -> ChangeRequest:
    known: Any = row["authority"]
    return ChangeRequest(
        **{name: row[name] for name in _AS_THEY_ARE},
        state=State(row["state"]),
        authority=None if known is None else Authority(known),
        read_back=bool(row["read_back"]),
        problem=problem_of(row["problem"]),
        subjects=Subjects(
            person_id=row["person_id"],
            course_id=row["course_id"],
            enrollment_id=row["enrollment_id"],
        ),
        asked_at=time(row["asked_at"]),
        told_at=None if row["told_at"] is None else time(row["told_at"]),
        ended_at=None if row["ended_at"] is None else time(row["ended_at"]),
    )


_AS_THEY_ARE = ("id", "operation", "asked", "service", "actor_id", "real_user", "step", "answer")
