"""Memberships, written: what a write changes of those of a course or a person is told to the feed, in its transaction.

They have no tombstones: one that ended keeps its row with `ended_at`. Whoever writes holds the institution's lock.
"""

from collections.abc import Awaitable, Collection, Mapping
from typing import Any, TypeVar

import orjson

from gateway.changes import FIELDS, SubjectType
from gateway.store import merging
from gateway.store.merging import Telling
from gateway.store.rows import Word
from gateway.uow import Row, Transaction
from models.moments import moment_text
from models.roster import ChangeKind

T = TypeVar("T")

_FIELDS = FIELDS[SubjectType.MEMBERSHIP]


async def told(
    tx: Transaction,
    telling: Telling,
    write: Awaitable[T],
    *,
    courses: Collection[int] = (),
    people: Collection[int] = (),
) -> T:
    """What comes of `write`, which changes memberships of these courses and people alone; what it changed is told.

    `courses`, `people`: none given means all of them.
    """
    before = await _known(tx, telling.institution_id, courses, people)
    result = await write
    after = await _known(tx, telling.institution_id, courses, people)
    entries = [
        entry
        for row_id, row in after.items()
        if (entry := _entry(before.get(row_id), row)) is not None
        and (telling.made or row_id in before)
    ]
    if not entries:
        return result
    first = await merging.take_positions(tx, telling.institution_id, len(entries))
    await tx.many(
        "insert into change (institution_id, position, at, kind, subject_type, subject_id, course_id, before, after, source,"
        " sync_run_id, actor_id) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        [
            (
                telling.institution_id,
                position,
                telling.now,
                kind.value,
                SubjectType.MEMBERSHIP.value,
                row["id"],
                row["course_id"],
                None if was is None else orjson.dumps(was).decode(),
                orjson.dumps(becomes).decode(),
                telling.source.value,
                telling.run_id,
                telling.actor_id,
            )
            for position, (kind, row, was, becomes) in enumerate(entries, first)
        ],
    )
    return result


def telling_of(word: Word) -> Telling:
    return Telling(
        institution_id=word.institution_id,
        source=word.source,
        as_of=word.as_of,
        run_id=None,
        now=word.now,
        feed=True,
        actor_id=word.actor_id,
    )


async def _known(
    tx: Transaction, institution_id: int, courses: Collection[int], people: Collection[int]
) -> dict[int, Row]:
    where = "".join(
        f" and {column} in ({', '.join(f'{one:d}' for one in ids)})"
        for column, ids in (("course_id", courses), ("person_id", people))
        if ids
    )
    rows = await tx.rows(
        f"select id, {', '.join(_FIELDS)} from membership where institution_id = $1{where} order by id",
        institution_id,
    )
    return {int(row["id"]): row for row in rows}


_Values = list[dict[str, str | None]]


def _entry(
    before: Row | None, after: Row
) -> tuple[ChangeKind, Row, _Values | None, _Values] | None:
    changed = [name for name in _FIELDS if (before or {}).get(name) != after[name]]
    if not changed:
        return None
    kind = ChangeKind.UPDATED
    if before is None:
        kind = ChangeKind.CREATED if after["ended_at"] is None else ChangeKind.REMOVED
    elif "ended_at" in changed:
        kind = ChangeKind.RESTORED if after["ended_at"] is None else ChangeKind.REMOVED
    was = None if before is None else _values(before, changed)
    return kind, after, was, _values(after, changed)


def _values(row: Mapping[str, object], names: list[str]) -> _Values:
    return [{"field": _FIELDS[name], "value": _text(name, row[name])} for name in names]


def _text(name: str, value: Any) -> str | None:
    if value is None:
        return None
    return moment_text(value) if name == "ended_at" else str(value)
