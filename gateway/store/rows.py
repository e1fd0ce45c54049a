"""One row at a time, told to the feed: what a launch, an event or an operator changes, as `merging` does for whole sets."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson

from gateway.changes import FIELDS, SubjectType
from gateway.store.merging import take_positions
from gateway.uow import Row, Transaction
from models.roster import ChangeKind, Source

Columns = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Word:
    """Who says it, as of when; `now` dates the entry of the feed. `actor_id`: the person who did it through the graph."""

    institution_id: int
    source: Source
    as_of: datetime
    now: datetime
    actor_id: int | None = None


async def create(
    tx: Transaction, subject: SubjectType, columns: Columns, word: Word, *, of_course: bool = False
) -> int:
    """The new row's id. `of_course`: it is the course of its own change."""
    names, marks = list(columns), [f"${number}" for number in range(2, len(columns) + 2)]
    rows = await tx.rows(
        f"insert into {_TABLES[subject]} (institution_id, {', '.join(names)}) values ($1, {', '.join(marks)}) returning id",
        word.institution_id,
        *columns.values(),
    )
    row_id = int(rows[0]["id"])
    after = _told(subject, columns)
    await tell(
        tx, word, ChangeKind.CREATED, subject, row_id, None, after, row_id if of_course else None
    )
    return row_id


async def update(
    tx: Transaction,
    subject: SubjectType,
    row: Row,
    columns: Columns,
    word: Word,
    *,
    of_course: bool = False,
) -> bool:
    """Write what differs from `row`, which has an id and every column that is written. Whether the graph shows a change."""
    changed = {name: value for name, value in columns.items() if row[name] != value}
    if not changed:
        return False
    sets = ", ".join(f"{name} = ${number}" for number, name in enumerate(changed, 3))
    await tx.run(
        f"update {_TABLES[subject]} set {sets} where institution_id = $1 and id = $2",
        word.institution_id,
        row["id"],
        *changed.values(),
    )
    before = _told(subject, {name: row[name] for name in changed})
    if not before:
        return False
    after = _told(subject, changed)
    course = row["id"] if of_course else row.get("course_id")
    await tell(tx, word, ChangeKind.UPDATED, subject, row["id"], before, after, course)
    return True


async def tell(
    tx: Transaction,
    word: Word,
    kind: ChangeKind,
    subject: SubjectType,
    subject_id: int,
    before: list[dict[str, object]] | None = None,
    after: list[dict[str, object]] | None = None,
    course_id: int | None = None,
) -> None:
    """An entry of the feed."""
    await tx.run(
        "insert into change (institution_id, position, at, kind, subject_type, subject_id, course_id, before, after, source,"
        " actor_id) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        word.institution_id,
        await take_positions(tx, word.institution_id, 1),
        word.now,
        kind.value,
        subject.value,
        subject_id,
        course_id,
        None if before is None else orjson.dumps(before).decode(),
        None if after is None else orjson.dumps(after).decode(),
        word.source.value,
        word.actor_id,
    )


_TABLES = {
    SubjectType.USER: "person",
    SubjectType.COURSE: "course",
    SubjectType.ENROLLMENT: "enrollment",
}


def _told(subject: SubjectType, columns: Columns) -> list[dict[str, object]]:
    """The fields that the feed shows, as `gateway.changes` spells them."""
    return [
        {"field": FIELDS[subject][name], "value": None if value is None else str(value)}
        for name, value in columns.items()
        if name in FIELDS[subject]
    ]


def time(value: datetime | str) -> datetime:
    """SQLite hands a time over as the text that it keeps."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value
