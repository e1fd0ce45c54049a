"""Intents in the store: written before Canvas is told, found again by their keys, gone on with by one at a time."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson

from gateway.errors import WriteRefused
from gateway.store import merging
from gateway.store.intended import (
    Asked,
    Authority,
    Intent,
    Problem,
    State,
    Subjects,
    problem_of,
)
from gateway.store.rows import time
from gateway.uow import Database, Dialect, Row, Transaction
from models.roster import MutationErrorCode

_LEFT_AFTER = timedelta(minutes=5)


async def open_(
    tx: Transaction, institution_id: int, asked: Asked, *, now: datetime, busy_until: datetime
) -> tuple[Intent, bool]:
    """The intent of this key, and whether it is new. WriteRefused where the key was used for another question."""
    made = await tx.rows(
        "insert into intent (institution_id, operation, caller, key, digest, asked, service, actor_id, real_user, state,"
        f" read_back, asked_at, busy_until) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, '{State.ASKED}', false, $10, $11)"
        " on conflict (institution_id, caller, key) do nothing returning id",
        institution_id,
        asked.operation,
        asked.caller,
        asked.key,
        asked.digest,
        asked.said,
        asked.service,
        asked.actor_id,
        asked.real_user,
        now,
        busy_until,
    )
    if made:
        return await get(tx, institution_id, int(made[0]["id"])), True
    rows = await tx.rows(
        f"{_SELECT} and caller = $2 and key = $3",
        institution_id,
        asked.caller,
        asked.key,
    )
    intent = _intent(rows[0])
    if intent.digest != asked.digest:
        raise WriteRefused(
            MutationErrorCode.IDEMPOTENCY_MISMATCH,
            "This idempotencyKey was used with another input.",
            "idempotencyKey",
        )
    return intent, False


async def get(tx: Transaction, institution_id: int, intent_id: int) -> Intent:
    found = f"{_SELECT} and id = $2"
    return _intent((await tx.rows(found, institution_id, intent_id))[0])


async def take_over(
    tx: Transaction, intent: Intent, *, now: datetime, busy_until: datetime
) -> bool:
    """Begin it anew, nothing having been done; False where somebody else may be at it."""
    free = "state = 'REFUSED' and asked_at <= $4"
    if not intent.passing:
        free = "state = 'ASKED' and busy_until <= $4"
    return bool(
        await tx.run(
            f"update intent set state = 'ASKED', problem = null, ended_at = null, busy_until = $3"
            f" where institution_id = $1 and id = $2 and {free}",
            intent.institution_id,
            intent.id,
            busy_until,
            now,
        )
    )


async def reserve(tx: Transaction, intent: Intent, target: str, now: datetime) -> Intent | None:
    """Be the only one who changes `target`; else whoever does, or may have done it. An intent may reserve again."""
    await merging.lock(tx, intent.institution_id)
    rows = await tx.rows(
        f"{_SELECT} and id <> $2 and target = $3 and (state = 'TOLD' or (state = 'ASKED'"
        " and busy_until > $4)) order by id limit 1",
        intent.institution_id,
        intent.id,
        target,
        now,
    )
    if rows:
        return _intent(rows[0])
    await tx.run(
        "update intent set target = $3 where institution_id = $1 and id = $2",
        intent.institution_id,
        intent.id,
        target,
    )
    return None


@dataclass(frozen=True, kw_only=True)
class Telling:
    """What Canvas is about to be told: `step` is the order as JSON."""

    step: str
    authority: Authority
    subjects: Subjects


async def tell(
    tx: Transaction, intent: Intent, telling: Telling, *, now: datetime, busy_until: datetime
) -> bool:
    """False where somebody else has gone on with it meanwhile."""
    touched = await tx.run(
        "update intent set state = $3, step = $4, authority = $5, person_id = $6, course_id = $7, enrollment_id = $8,"
        " told_at = $9, busy_until = $10 where institution_id = $1 and id = $2 and state = 'ASKED' and busy_until = $11",
        intent.institution_id,
        intent.id,
        State.TOLD.value,
        telling.step,
        telling.authority.value,
        telling.subjects.person_id,
        telling.subjects.course_id,
        telling.subjects.enrollment_id,
        now,
        busy_until,
        intent.busy_until,
    )
    return bool(touched)


@dataclass(frozen=True, kw_only=True)
class Ending:
    """`answer`: what Canvas said, as JSON; `read_back`: it was lost, and looked up."""

    state: State
    subjects: Subjects = Subjects()  # noqa: RUF009  frozen
    problem: Problem | None = None
    answer: str | None = None
    read_back: bool = False


async def end(tx: Transaction, intent: Intent, ending: Ending, *, now: datetime) -> None:
    """What is not said of its subjects stays. Somebody who was overtaken before Canvas was told ends nothing."""
    problem = ending.problem
    said = None if problem is None else [problem.code, problem.message, problem.path]
    await tx.run(
        "update intent set state = $3, problem = $4, answer = $5, read_back = $6, person_id = coalesce($7, person_id),"
        " course_id = coalesce($8, course_id), enrollment_id = coalesce($9, enrollment_id), ended_at = $10"
        " where institution_id = $1 and id = $2 and (state = 'TOLD' or busy_until = $11)",
        intent.institution_id,
        intent.id,
        ending.state.value,
        None if said is None else orjson.dumps(said).decode(),
        ending.answer,
        ending.read_back,
        ending.subjects.person_id,
        ending.subjects.course_id,
        ending.subjects.enrollment_id,
        now,
        intent.busy_until,
    )


async def wait_until(tx: Transaction, intent: Intent, busy_until: datetime) -> None:
    """Nobody decides before then that it was not done."""
    await tx.run(
        "update intent set busy_until = $3 where institution_id = $1 and id = $2",
        intent.institution_id,
        intent.id,
        busy_until,
    )


async def left_open(database: Database, institution_id: int, now: datetime) -> list[Intent]:
    """Those that nobody can be at any more and of which it is not known whether they were done."""
    rows = await database.rows(
        f"{_SELECT} and state = $2 and busy_until <= $3 order by id",
        institution_id,
        State.TOLD.value,
        now,
    )
    return [_intent(row) for row in rows]


async def give_up(database: Database, institution_id: int, why: Problem, *, now: datetime) -> None:
    """End those that whoever asked has left, and of which Canvas was never told. Asked again, they are carried out."""

    async def work(tx: Transaction) -> None:
        await tx.run(
            "update intent set state = 'REFUSED', problem = $2, ended_at = $3 where institution_id = $1"
            " and state = 'ASKED' and busy_until <= $4",
            institution_id,
            orjson.dumps([why.code, why.message, why.path]).decode(),
            now,
            now - _LEFT_AFTER,
        )

    await database.transact(work)


async def after_restart(database: Database, institution_id: int, now: datetime) -> None:
    """On SQLite one process writes: whatever was begun before it started, nobody is at."""
    if database.dialect is not Dialect.SQLITE:
        return

    async def work(tx: Transaction) -> None:
        await tx.run(
            "update intent set busy_until = $2 where institution_id = $1 and busy_until > $2"
            f" and state in ('{State.ASKED}', '{State.TOLD}')",
            institution_id,
            now,
        )

    await database.transact(work)


_SELECT = (
    "select id, institution_id, operation, digest, state, step, problem, person_id, course_id, enrollment_id, actor_id,"
    " told_at, busy_until from intent where institution_id = $1"
)


def _intent(row: Row) -> Intent:
    return Intent(
        id=int(row["id"]),
        institution_id=int(row["institution_id"]),
        operation=row["operation"],
        digest=row["digest"],
        state=State(row["state"]),
        step=row["step"],
        problem=problem_of(row["problem"]),
        subjects=Subjects(
            person_id=row["person_id"],
            course_id=row["course_id"],
            enrollment_id=row["enrollment_id"],
        ),
        actor_id=row["actor_id"],
        told_at=None if row["told_at"] is None else time(row["told_at"]),
        busy_until=time(row["busy_until"]),
    )
