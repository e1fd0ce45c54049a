"""Pins: enrollments that no change of many may touch, one by one or all of a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.errors import WriteRefused
from gateway.store.rows import time
from gateway.uow import Database, Row, Transaction
from models.roster import MutationErrorCode


@dataclass(frozen=True, kw_only=True)
class Pin:
    """`enrollment_id` None: all enrollments of the person, later ones too."""

    id: int
    person_id: int
    enrollment_id: int | None
    why: str | None
    pinned_by_id: int | None
    pinned_at: datetime


@dataclass(frozen=True, kw_only=True)
class New:
    """What is to be pinned: an enrollment, or a person."""

    institution_id: int
    person_id: int | None = None
    enrollment_id: int | None = None
    why: str | None = None
    pinned_by_id: int | None = None
    pinned_at: datetime


async def add(tx: Transaction, new: New) -> Pin:
    """The pin; one that is there already stays as it is."""
    if new.enrollment_id is not None:
        found = await tx.rows(
            "select person_id from enrollment where institution_id = $1 and id = $2",
            new.institution_id,
            new.enrollment_id,
        )
    else:
        found = await tx.rows(
            "select id as person_id from person where institution_id = $1 and id = $2",
            new.institution_id,
            new.person_id,
        )
    if not found:
        raise WriteRefused(MutationErrorCode.NOT_FOUND, "There is nothing by this id to pin.")
    person = int(found[0]["person_id"])
    await tx.run(
        "insert into pin (institution_id, person_id, enrollment_id, why, pinned_by_id, pinned_at)"
        " select $1, $2, $3, $4, $5, $6 where not exists (select 1 from pin where institution_id = $1 and person_id = $2"
        " and coalesce(enrollment_id, 0) = $7)",
        new.institution_id,
        person,
        new.enrollment_id,
        new.why,
        new.pinned_by_id,
        new.pinned_at,
        new.enrollment_id or 0,
    )
    rows = await tx.rows(
        f"{_SELECT} and person_id = $2 and coalesce(enrollment_id, 0) = $3",
        new.institution_id,
        person,
        new.enrollment_id or 0,
    )
    return _pin(rows[0])


async def protects(database: Database, institution_id: int, enrollments: Sequence[int]) -> bool:
    """Whether one of these is pinned, by itself or as its person's."""
    if not enrollments:
        return False
    rows = await database.rows(
        "select 1 as found from enrollment e join pin p on p.institution_id = $1 and p.person_id = e.person_id"
        " and (p.enrollment_id is null or p.enrollment_id = e.id) where e.institution_id = $1"
        f" and e.id in ({', '.join(map(str, enrollments))}) limit 1",
        institution_id,
    )
    return bool(rows)


async def remove(tx: Transaction, institution_id: int, pin_id: int) -> Pin:
    rows = await tx.rows(f"{_SELECT} and id = $2", institution_id, pin_id)
    if not rows:
        raise WriteRefused(MutationErrorCode.NOT_FOUND, "There is no such pin.", "pin")
    await tx.run("delete from pin where institution_id = $1 and id = $2", institution_id, pin_id)
    return _pin(rows[0])


async def find(
    database: Database, institution_id: int, *, before: int | None, limit: int
) -> Sequence[Pin]:
    """Newest first."""
    rows = await database.rows(
        f"{_SELECT} and id < $2 order by id desc limit {int(limit)}",
        institution_id,
        before or 2**62,
    )
    return [_pin(row) for row in rows]


_SELECT = "select id, person_id, enrollment_id, why, pinned_by_id, pinned_at from pin where institution_id = $1"


def _pin(row: Row) -> Pin:
    return Pin(
        id=int(row["id"]),
        person_id=int(row["person_id"]),
        enrollment_id=row["enrollment_id"],
        why=row["why"],
        pinned_by_id=row["pinned_by_id"],
        pinned_at=time(row["pinned_at"]),
    )
