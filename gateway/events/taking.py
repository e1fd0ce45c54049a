"""An event into the store, once: the row that it is about, and the scopes that it makes due, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from gateway.changes import SubjectType
from gateway.events.envelope import Event
from gateway.events.meaning import Everything, Meaning, Told
from gateway.needs import Scope, ScopeKind
from gateway.store import due, merging
from gateway.store.live_events import first_time
from gateway.store.merging import Telling
from gateway.store.shapes import COURSE, ENROLLMENT, PERSON, SECTION, Shape
from gateway.uow import Database, Row, Transaction
from models import text
from models.roster import Source

_SHAPES: dict[SubjectType, Shape] = {
    SubjectType.COURSE: COURSE,
    SubjectType.SECTION: SECTION,
    SubjectType.USER: PERSON,
    SubjectType.ENROLLMENT: ENROLLMENT,
}
_WHY = "a Live Event told of a change"
_ALL = Scope(kind=ScopeKind.INSTITUTION, id=0)


@dataclass(frozen=True, kw_only=True)
class Taken:
    """`again`: it had come before. `changed`: of how many rows the feed tells; `due`: how many scopes are read anew."""

    again: bool = False
    changed: int = 0
    due: int = 0


async def take(
    database: Database, institution_id: int, event: Event, meaning: Meaning, *, now: datetime
) -> Taken:
    async def work(tx: Transaction) -> Taken:
        if not await first_time(tx, institution_id, event, now):
            return Taken(again=True)
        if meaning is None:
            return Taken()
        await merging.lock(tx, institution_id)
        if isinstance(meaning, Everything):
            await due.mark(tx, institution_id, [_ALL], since=now, why=meaning.why)
            return Taken(due=1)
        # Canvas's clock may be ahead of ours: a word from the future would stand against every read.
        at = None if event.at is None else min(event.at, now)
        return await _Taking(tx, institution_id, now, at).told(meaning)

    return await database.transact(work)


@dataclass(frozen=True)
class _Taking:
    tx: Transaction
    institution_id: int
    now: datetime
    at: datetime | None

    async def told(self, told: Told) -> Taken:
        row = await self._row(told.subject, told.canvas_id)
        fits = row is not None and await self._fits(told, row)
        changed = 0
        if row is not None and fits and told.columns and self.at is not None:
            changed = await self._merge(told, row, self.at)
        scopes: Sequence[Scope] = ()
        if told.reread or not fits or self.at is None:
            scopes = await self._scopes(told, row)
            await due.mark(
                self.tx, self.institution_id, scopes, since=self.at or self.now, why=_WHY
            )
        return Taken(changed=changed, due=len(scopes))

    async def _merge(self, told: Told, row: Row, at: datetime) -> int:
        columns = {**told.columns, **_keys(told, row)}
        frame = pl.DataFrame(
            {name: [value] for name, value in {"id": row["id"], **columns}.items()}
        )
        telling = Telling(
            institution_id=self.institution_id,
            source=Source.LIVE_EVENT,
            as_of=at,
            run_id=None,
            now=self.now,
            feed=True,
        )
        merged = await merging.merge(
            self.tx,
            _SHAPES[told.subject],
            frame.with_columns(row_hash=pl.lit(None, pl.Int64)),
            telling,
        )
        return merged.updated + merged.removed

    async def _row(self, subject: SubjectType, canvas_id: int) -> Row | None:
        rows = await self.tx.rows(
            f"select * from {_SHAPES[subject].table} where institution_id = $1 and canvas_id = $2",
            self.institution_id,
            canvas_id,
        )
        return rows[0] if rows else None

    async def _fits(self, told: Told, row: Row) -> bool:
        """Whether all else that the event says of the row is as it is kept."""
        if any(row[name] != value for name, value in (told.same or {}).items()):
            return False
        for column, (subject, canvas_id) in (told.refers or {}).items():
            other = await self._row(subject, canvas_id)
            if other is None or row[column] != _itself(other):
                return False
        return True

    async def _scopes(self, told: Told, row: Row | None) -> Sequence[Scope]:
        """What is to be read: the course that the event names, the one where the row is kept, the person."""
        courses = set()
        if row is not None and "course_id" in row:
            courses.add(int(row["course_id"]))
        if told.course is not None and (course := await self._row(SubjectType.COURSE, told.course)):
            courses.add(int(course["id"]))
        scopes = [Scope(kind=ScopeKind.COURSE, id=course) for course in sorted(courses)]
        if told.subject is SubjectType.USER and row is not None:
            scopes.append(Scope(kind=ScopeKind.PERSON, id=_itself(row)))
        return scopes


def _itself(row: Row) -> int:
    """A merged person's id leads to the one who stayed."""
    return int(row.get("merged_into_id") or row["id"])


def _keys(told: Told, row: Row) -> dict[str, object]:
    """What the row is ordered and searched by, where its name changes."""
    if "name" not in told.columns or told.subject not in (SubjectType.COURSE, SubjectType.USER):
        return {}
    name = str(told.columns["name"])
    if told.subject is SubjectType.COURSE:
        code = row["course_code"]
        return {"sort_key": text.sort_key(name, code), "search_key": text.search_key(name, code)}
    short = told.columns.get("short_name", row["short_name"])
    sortable = row["sortable_name"]
    return {
        "sort_key": text.sort_key(sortable, name),
        "search_key": text.search_key(name, sortable, None if short is None else str(short)),
    }
