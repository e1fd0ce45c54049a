"""A batch into the store, in one transaction: people recognised, rows merged, endings, the ledger, the feed.

What is missing from a batch ends only as `gateway.merge` says: an enrollment by a whole read of eyes that see everything,
a membership by a whole pull; a part of an answer ends nothing.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import polars as pl

from gateway.batch import Batch, Enrollment, Person, Taken
from gateway.changes import SubjectType
from gateway.identity import Trust
from gateway.merge import Guard, Silence, silence_of
from gateway.needs import ScopeKind, Subject
from gateway.store import (
    due,
    held_members,
    identities,
    ledger,
    matching,
    membership_changes,
    memberships,
    merging,
    placing,
    told,
)
from gateway.store.identities import Held
from gateway.store.ledger import Cover
from gateway.store.memberships import Ended
from gateway.store.merging import Merged, Telling
from gateway.store.placing import Places
from gateway.store.shapes import ENROLLMENT, PERSON
from gateway.store.told import Columns, alike, merged_in, our_ids
from gateway.uow import Database, Transaction
from models import text
from models.roster import ChangeKind, EnrollmentState

# A person's list is compared with nothing, so its silence is no proof.
_SCOPE_COLUMNS = {ScopeKind.COURSE: "course_id", ScopeKind.SECTION: "section_id"}
_SUBJECTS = {
    Subject.ENROLLMENTS: "enrollment",
    Subject.MEMBERS: "membership",
    Subject.COURSES: "course",
}


async def take(
    database: Database,
    batch: Batch,
    *,
    now: datetime,
    trust: Trust = Trust(),  # noqa: B008  frozen
    guard: Guard = Guard(),  # noqa: B008  frozen
    run_id: int | None = None,
) -> Taken:
    """All of the batch, or nothing of it. `run_id`: the sync run that brings it."""

    async def work(tx: Transaction) -> Taken:
        return await take_in(tx, batch, now=now, trust=trust, guard=guard, run_id=run_id)

    return await database.transact(work)


async def take_in(
    tx: Transaction,
    batch: Batch,
    *,
    now: datetime,
    trust: Trust = Trust(),  # noqa: B008  frozen
    guard: Guard = Guard(),  # noqa: B008  frozen
    actor_id: int | None = None,
    run_id: int | None = None,
) -> Taken:
    """The same inside a transaction that does more. `actor_id`: the person whose doing it is."""
    await merging.lock(tx, batch.institution_id)
    first = await _first_load(tx, batch)
    telling = Telling(
        institution_id=batch.institution_id,
        source=batch.source,
        as_of=batch.began_at,
        run_id=run_id,
        now=now,
        feed=True,
        made=first is None,
        actor_id=actor_id,
    )
    taking = _Taking(tx=tx, batch=batch, now=now, trust=trust, guard=guard, telling=telling)
    return await taking.take(first)


async def _first_load(tx: Transaction, batch: Batch) -> int | None:
    """The course of which this is the first whole read: its new rows are told as one BASELINE."""
    scope = batch.scope
    if scope is None or scope.kind is not ScopeKind.COURSE or not batch.whole:
        return None
    rows = await tx.rows(
        "select 1 as one from coverage where institution_id = $1 and scope_kind in ('institution', 'account')"
        " union all select 1 from coverage where institution_id = $1 and scope_kind = 'course' and scope_id = $2 limit 1",
        batch.institution_id,
        scope.id,
    )
    return None if rows else scope.id


@dataclass(kw_only=True)
class _Taking:
    tx: Transaction
    batch: Batch
    now: datetime
    trust: Trust
    guard: Guard
    telling: Telling
    merged: Merged = field(default_factory=Merged)

    async def take(self, first: int | None) -> Taken:
        """`first`: the course whose first load this is."""
        batch = self.batch
        places = await placing.place(self.tx, batch, self.telling)
        self.merged += places.merged
        people, doubts = await self._people()
        await self._enrollments(places, people)
        # Somebody else's identifier in the list means them too, until the desk has decided.
        present = set(people.values()) | {one.holder for one in doubts if one.holder is not None}
        ended = await self._memberships(people, present)
        if first is not None:
            await self._tell_baseline(first)
        whole = batch.whole and not ended.held
        await self._cover(whole=whole)
        await self._settle(ended, whole=whole)
        return Taken(
            source=batch.source,
            scope=batch.scope,
            as_of=batch.began_at,
            whole=whole,
            groups=batch.groups,
            states=batch.states,
            held=ended.held,
            conflicts=len(doubts),
            contradicted=ended.contradicted,
            ids=people,
            **vars(self.merged),
        )

    async def _people(self) -> tuple[dict[str, int], list[Held]]:
        """Our ids by the batch's keys, and what went to the desk."""
        batch, tx = self.batch, self.tx
        scope = batch.scope
        course = scope.id if scope is not None and scope.kind is ScopeKind.COURSE else None
        found = await matching.recognise(
            tx, batch.institution_id, batch.people, course=course, trust=self.trust
        )
        known_people = {key: who.person for key, who in found.people.items()}
        ids = {key: who for key, who in known_people.items() if who is not None}
        # Two of the batch may be one person, of whom the first tells.
        telling = {who: key for key, who in reversed(ids.items())}
        people = [
            one for one in batch.people if telling.get(ids.get(one.key, 0), one.key) == one.key
        ]

        def columns(person: Person) -> Columns:
            known = told.columns(person)
            known["id"] = known_people[person.key]
            for name in ("key", "aliases", "test_student"):
                del known[name]
            if "name" in known or "sortable_name" in known:
                known |= _person_keys(person)
            return known

        for told_people, frame in alike(people, columns):
            await merging.stage(tx, PERSON, frame, self.telling, match=False)
            self.merged += await merging.settle(tx, PERSON, frame.columns, self.telling)
            staged = await tx.rows("select n, id from staged")
            of_row = {int(row["n"]): int(row["id"]) for row in staged}
            ids |= {person.key: of_row[n] for n, person in enumerate(told_people, 1)}
        await identities.end(tx, self.telling, found.ends)
        await matching.open_aliases(tx, self.telling, found, ids, course)
        doubts = [(replace(held, claimant=ids[key]), why) for key, held, why in found.doubts]
        await identities.record_conflicts(tx, self.telling, doubts)
        return ids, [held for held, _ in doubts]

    async def _enrollments(self, places: Places, people: Mapping[str, int]) -> None:
        def columns(row: Enrollment) -> Columns:
            known = told.columns(row)
            known["course_id"] = places.courses[known.pop("course")]
            known["section_id"] = places.sections[known.pop("section")]
            known["person_id"] = people[known.pop("person")]
            associated = known.pop("associated")
            known["associated_person_id"] = None if associated is None else people.get(associated)
            return known

        merged, seen = await merged_in(
            self.tx, ENROLLMENT, self.batch.enrollments, columns, self.telling
        )
        self.merged += merged
        ended = [*await self._gone(), *await self._silent(seen)]
        if ended:
            frame = pl.DataFrame(
                {"id": ended, "state": [EnrollmentState.DELETED.value] * len(ended)},
                schema={"id": pl.Int64, "state": pl.String},
            ).with_columns(row_hash=pl.lit(None, pl.Int64))
            self.merged += await merging.merge(self.tx, ENROLLMENT, frame, self.telling)

    async def _gone(self) -> list[int]:
        ids = await our_ids(self.tx, self.batch.institution_id, "enrollment", self.batch.gone)
        return sorted(ids.values())

    async def _silent(self, seen: Collection[int]) -> list[int]:
        """Rows without a Canvas id that a whole list should have shown: of its rows, and of these people, Canvas was asked."""
        batch = self.batch
        scope = batch.scope
        means = silence_of(batch.reading, whole=batch.whole, visible=batch.full, has_sis_ids=False)
        if scope is None or means is not Silence.REMOVED or scope.kind not in _SCOPE_COLUMNS:
            return []
        states = ", ".join(f"'{state}'" for state in sorted(batch.states))
        rows = await self.tx.rows(
            f"select id from enrollment where institution_id = $1 and {_SCOPE_COLUMNS[scope.kind]} = $2"
            f" and canvas_id is null and removed_at is null and standing_as_of <= $3 and state in ({states})",
            batch.institution_id,
            scope.id,
            batch.began_at,
        )
        return [int(row["id"]) for row in rows if int(row["id"]) not in seen]

    async def _memberships(self, people: Mapping[str, int], present: set[int]) -> Ended:
        batch = self.batch
        if batch.scope is None or batch.subject is not Subject.MEMBERS:
            return Ended()
        course = batch.scope.id

        async def work() -> Ended:
            await memberships.write(self.tx, batch, course, people)
            return await memberships.end_missing(
                self.tx,
                batch,
                course,
                frozenset(present),
                now=self.now,
                guard=self.guard,
                run_id=self.telling.run_id,
            )

        return await membership_changes.told(self.tx, self.telling, work(), courses=[course])

    async def _cover(self, *, whole: bool) -> None:
        batch = self.batch
        if batch.scope is None or batch.subject is None:
            return
        cover = Cover(
            scope_kind=batch.scope.kind,
            scope_id=batch.scope.id,
            subject=_SUBJECTS[batch.subject],
            source=batch.source,
            authority=batch.authority,
            groups=batch.groups,
            states=batch.states,
            began_at=batch.began_at,
            ended_at=batch.ended_at,
            whole=whole,
            rows=len(batch.enrollments) or len(batch.memberships) or len(batch.courses),
            requests=batch.requests,
            quota=batch.quota,
        )
        await ledger.replace(self.tx, batch.institution_id, cover)

    async def _settle(self, ended: Ended, *, whole: bool) -> None:
        """A list that contradicts what is known of enrollments leaves it to one that tells of enrollments."""
        batch = self.batch
        if batch.scope is None:
            return
        if ended.contradicted:
            why = f"{ended.contradicted} enrolled there are not on its membership list any more"
            await due.mark(
                self.tx, batch.institution_id, [batch.scope], since=batch.began_at, why=why
            )
        elif whole and batch.full and batch.subject is Subject.ENROLLMENTS:
            await due.settle(self.tx, batch.institution_id, batch.scope, began_at=batch.began_at)
            if batch.scope.kind is ScopeKind.COURSE:
                await held_members.settle(self.tx, batch.institution_id, batch.scope.id)

    async def _tell_baseline(self, course: int) -> None:
        """One entry in the place of one for each row: take a snapshot of the course here, and follow."""
        batch = self.batch
        await self.tx.run(
            "insert into change (institution_id, position, at, kind, subject_type, subject_id, course_id, source,"
            " sync_run_id) values ($1, $2, $3, $4, $5, $6, $6, $7, $8)",
            batch.institution_id,
            await merging.take_positions(self.tx, batch.institution_id, 1),
            self.now,
            ChangeKind.BASELINE.value,
            SubjectType.COURSE.value,
            course,
            batch.source.value,
            self.telling.run_id,
        )


def _person_keys(person: Person) -> Columns:
    """What people are ordered and searched by."""
    names = [
        name if isinstance(name, str) else None
        for name in (person.sortable_name, person.name, person.short_name)
    ]
    return {
        "sort_key": text.sort_key(*names[:2]),
        "search_key": text.search_key(names[1], names[0], names[2]),
    }
