"""What it costs to read a class again into a large school, or to launch somebody: their own rows are looked up, and no table is gone through."""

import json
import re
from collections.abc import Sequence
from datetime import timedelta

import pytest

from gateway.batch import Batch
from gateway.identity import Alias, Evidence, Trust
from gateway.store.memberships import nameable
from gateway.store.people import Outcome, Recognised, recognise
from gateway.store.rows import Word
from gateway.store.taking import take_in
from gateway.uow import Database, Dialect, Row, Transaction
from models.roster import EnrollmentState, IdentityKind, Source
from tests.factories import NOW, School
from tests.gateway.store.test_taking import SHARD, Store, lti, row, sis
from tests.resolvers.large_school import (
    COURSES,
    ENROLLMENTS,
    LARGE,
    PEOPLE,
    SECTIONS,
    fill,
    sequential,
)

COURSE = 412
_ALIASED = re.compile(r"\b(?:from|join|update|into) (\w+)(?: as)? (\w+)\b")
# SQLite makes a Bloom filter of every row of a table, for what it takes to be many lookups; an index that is searched by
# the institution alone yields all of it too.
_WHOLE = re.compile(r"(?:SCAN|BLOOM FILTER ON) (\w+)|SEARCH (\w+) .*\(institution_id=\?\)$")


class Explained(Transaction):
    """Notes the statements that would go through a large table, each before it is run."""

    def __init__(self, tx: Transaction) -> None:
        super().__init__(tx.client, tx.dialect)
        self.explained = 0
        self.whole: list[str] = []

    async def rows(self, sql: str, *values: object) -> list[Row]:
        await self._explain(sql, values)
        return await super().rows(sql, *values)

    async def run(self, sql: str, *values: object) -> int:
        await self._explain(sql, values)
        return await super().run(sql, *values)

    async def _explain(self, sql: str, values: Sequence[object]) -> None:
        if re.match("select|insert|update|delete", sql):
            self.explained += 1
            if found := await self._gone_through(sql, values) & LARGE:
                self.whole.append(f"{', '.join(sorted(found))}: {sql}")

    async def _gone_through(self, sql: str, values: Sequence[object]) -> set[str]:
        if self.dialect is Dialect.SQLITE:
            plan = await super().rows(f"explain query plan {sql}", *values)
            tables = {alias: table for table, alias in _ALIASED.findall(sql)}
            found = [
                str(match[1] or match[2])
                for step in plan
                if (match := _WHOLE.match(step["detail"]))
            ]
            return {tables.get(name, name) for name in found}
        [[text]] = [
            list(one.values())
            for one in await super().rows(f"explain (format json) {sql}", *values)
        ]
        return set(sequential(json.loads(text)[0]["Plan"]))


@pytest.fixture
async def store(database: Database) -> Store:
    school = await School.open(database)
    await fill(school)
    return Store(school, COURSE)


async def test_a_class_of_the_api_is_merged_by_lookups(store: Store) -> None:
    """The first is gone, the last is new, everybody between is called otherwise and inactive."""
    first, *others = range(COURSE - 1, ENROLLMENTS + 1, COURSES)
    rows = [row(ENROLLMENTS + 1, PEOPLE + 1)]
    for number in others:
        person, section = 1 + number * 7919 % PEOPLE, SHARD + 1 + number % SECTIONS
        rows.append(row(number, person, section=section, state=EnrollmentState.INACTIVE))
    batch = store.batch(*rows, gone=frozenset({SHARD + first}), at=NOW + timedelta(days=400))

    explained = await _explained(store, batch)

    assert explained.whole == []
    assert explained.explained > 20
    [gone] = await store.rows("enrollment", f"canvas_id = {SHARD + first}")
    assert gone["removed_at"] is not None


async def test_a_class_of_nrps_is_merged_by_lookups(store: Store) -> None:
    members = await store.rows("membership", f"course_id = {COURSE}")
    numbers = [int(one["person_id"]) for one in members]
    people = [lti(f"sub{number}", sis(f"S{number}")) for number in numbers[1:]] + [lti("another")]
    batch = store.members(*people, at=NOW + timedelta(days=400))

    explained = await _explained(store, batch)

    assert explained.whole == []
    assert explained.explained > 20
    assert len(people) == len(
        await store.rows("membership", f"course_id = {COURSE} and ended_at is null")
    )
    [gone] = await store.rows("membership", f"course_id = {COURSE} and ended_at is not null")
    assert numbers[0] == gone["person_id"]


async def test_who_is_asked_about_when_a_list_tells_its_differences_is_looked_up(
    store: Store,
) -> None:
    async def work(tx: Transaction) -> tuple[Explained, dict[int, set[str]]]:
        explained = Explained(tx)
        return explained, await nameable(explained, store.school.id, COURSE, scope="")

    explained, named = await store.database.transact(work)

    assert explained.whole == []
    members = await store.rows("membership", f"course_id = {COURSE}")
    enrolled = await store.rows("enrollment", f"course_id = {COURSE} and state = 'ACTIVE'")
    assert {one["person_id"] for one in members + enrolled} == set(named)
    assert all(f"sub{person}" in names for person, names in named.items())


async def test_somebody_who_is_launched_is_looked_up(store: Store) -> None:
    """One of two who were merged, so that the aliases of both say who it is."""
    merged, into = 40, 41
    word = Word(institution_id=store.school.id, source=Source.LAUNCH, as_of=NOW, now=NOW)
    evidence = Evidence(
        aliases=frozenset(
            {
                Alias(kind=IdentityKind.SIS_USER_ID, value=f"S{merged}"),
                Alias(kind=IdentityKind.CANVAS_GLOBAL_ID, value=str(SHARD + merged)),
            }
        ),
        course=COURSE,
    )

    async def work(tx: Transaction) -> tuple[Explained, Outcome]:
        await tx.run(
            "update person set merged_into_id = $2 where institution_id = $1 and id = $3",
            store.school.id,
            into,
            merged,
        )
        explained = Explained(tx)
        return explained, await recognise(
            explained, evidence, {"name": "Called so"}, word, trust=Trust(), create=True
        )

    explained, found = await store.database.transact(work)

    assert explained.whole == []
    assert Recognised(person=into) == found


async def _explained(store: Store, batch: Batch) -> Explained:
    async def work(tx: Transaction) -> Explained:
        explained = Explained(tx)
        await take_in(explained, batch, now=batch.ended_at)
        return explained

    return await store.database.transact(work)
