"""Members, who come and go by lists and launches: the feed tells each change once, and `asOf` says again who was there."""

import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.batch import Batch, Membership, Person
from gateway.changes import SubjectType
from gateway.feed import ChangeFilter
from gateway.identity import Alias
from gateway.merge import Guard, Reading
from gateway.needs import Scope, ScopeKind, Subject
from gateway.sight import CourseSight, Right, Sight
from gateway.store import joining, merging, places, taking
from gateway.store.rows import Word
from gateway.uow import Transaction
from gateway.viewer import Rights
from models.roster import EnrollmentState, EnrollmentType, IdentityKind, Source
from tests.factories import NOW, School
from tests.resolvers.conftest import Graph

MEMBERS = """query($id: ID!, $asOf: DateTime) { course(by: {id: $id}) { members(first: 500, asOf: $asOf) {
    totalCount nodes { user { id name } types state roles } } } }"""
_TYPES = (EnrollmentType.STUDENT, EnrollmentType.TA, EnrollmentType.TEACHER)
_BEGAN = NOW - timedelta(days=5)
_LENIENT = Guard(share=1.0, least=1_000)


class Class:
    """A course of a platform that tells of its people by lists and launches alone."""

    def __init__(self, graph: Graph, course: int, seed: int) -> None:
        self.graph = graph
        self.school = graph.school
        self.course = course
        self.chance = random.Random(seed)  # noqa: S311  any mess will do
        self.at = _BEGAN

    def pick(self, most: int = 2) -> tuple[EnrollmentType, ...]:
        kinds = self.chance.sample(_TYPES, self.chance.randint(1, most))
        return tuple(sorted(kinds, key=_TYPES.index))

    async def listed(self) -> None:
        people = self.chance.sample(range(14), self.chance.randint(5, 14))
        batch = Batch(
            institution_id=self.school.id,
            source=Source.NRPS,
            reading=Reading.NRPS,
            authority="platform",
            began_at=self.at,
            ended_at=self.at,
            scope=Scope(kind=ScopeKind.COURSE, id=self.course),
            subject=Subject.MEMBERS,
            states=frozenset({EnrollmentState.ACTIVE}),
            whole=True,
            full=True,
            people=tuple(
                Person(key=str(n), aliases=frozenset({_sub(n)}), name=f"Person {n}") for n in people
            ),
            memberships=tuple(
                Membership(person=str(n), types=self.pick(), roles=("Learner",)) for n in people
            ),
        )
        await taking.take(self.school.database, batch, now=self.at, guard=_LENIENT)

    async def launched(self) -> None:
        person = self.chance.choice(await self.people())

        async def work(tx: Transaction) -> None:
            await merging.lock(tx, self.school.id)
            await places.membership(
                tx,
                self.course,
                person,
                types=self.pick(1),
                roles=("Instructor",),
                state=EnrollmentState.ACTIVE,
                word=self.word(Source.LAUNCH),
            )

        await self.school.database.transact(work)

    async def joined(self) -> None:
        """Two who are one, and now and then two again."""
        first, second = self.chance.sample(await self.people(), 2)
        word = self.word(Source.MUTATION)

        async def work(tx: Transaction) -> None:
            await merging.lock(tx, self.school.id)
            done = await joining.join(tx, first, second, word)
            if self.chance.random() < 0.5:
                await joining.part(tx, done, word)

        await self.school.database.transact(work)

    def word(self, source: Source) -> Word:
        return Word(institution_id=self.school.id, source=source, as_of=self.at, now=self.at)

    async def people(self) -> list[int]:
        rows = await self.school.database.rows(
            "select id from person where institution_id = $1 and merged_into_id is null order by id",
            self.school.id,
        )
        return [int(row["id"]) for row in rows]

    async def said(self, moment: datetime | None = None) -> dict[str, Any]:
        variables = {
            "id": self.graph.node_id("Course", self.course),
            "asOf": moment and moment.isoformat(),
        }
        members = (await self.graph.ask(MEMBERS, variables))["course"]["members"]
        members["nodes"].sort(key=lambda one: one["user"]["id"])
        shown: dict[str, Any] = members
        return shown

    async def followed(self) -> set[int]:
        """Who is there for somebody who has heard nothing but the feed, from the first list on."""
        reader = self.school.reader()
        there: dict[int, bool] = {}
        entries = await self.graph.feed.entries(
            reader,
            ChangeFilter(subject_types=(SubjectType.MEMBERSHIP,), courses=(self.course,)),
            after=0,
            limit=100_000,
        )
        for entry in entries:
            live = there.setdefault(entry.subject_id, entry.kind == "CREATED")
            there[entry.subject_id] = {"REMOVED": False, "RESTORED": True}.get(entry.kind, live)
        return {row_id for row_id, live in there.items() if live}

    async def live(self) -> set[int]:
        rows = await self.school.database.rows(
            "select id from membership where institution_id = $1 and ended_at is null",
            self.school.id,
        )
        return {int(row["id"]) for row in rows}


def _sub(n: int) -> Alias:
    return Alias(kind=IdentityKind.LTI13_SUB, value=f"sub-{n}", scope="platform")


@pytest.mark.parametrize("seed", range(3))
async def test_who_was_there_is_said_again_after_whatever_has_happened_since(
    graph: Graph, school: School, seed: int
) -> None:
    course = await school.course(lti_context_id="ctx")
    # that the institution was read before, so that the first list is told one by one
    await school.change("Institution", school.id, kind="BASELINE", at=_BEGAN - timedelta(days=1))
    await school.covered("person", began_at=_BEGAN - timedelta(days=1))
    there = Class(graph, course, seed)
    acts: list[Callable[[], Awaitable[None]]] = [there.listed, there.launched, there.joined]
    snapshots: list[tuple[datetime, dict[str, Any]]] = [(_BEGAN, await there.said())]
    for step in range(30):
        there.at += timedelta(hours=1)
        await (there.listed if step < 2 else there.chance.choice(acts))()
        there.at += timedelta(hours=1)
        snapshots.append((there.at, await there.said()))

    assert len({str(said["nodes"]) for _, said in snapshots}) > 10
    for moment, said in snapshots:
        assert said["nodes"] == (await there.said(moment))["nodes"], moment
    assert await there.live() == await there.followed()


async def test_a_list_that_says_the_same_again_tells_nothing(graph: Graph, school: School) -> None:
    course = await school.course(lti_context_id="ctx")
    await school.covered("person")
    there = Class(graph, course, 1)
    for _ in range(3):
        there.at += timedelta(hours=1)
        there.chance.seed(4)
        await there.listed()
    entries = await graph.feed.entries(
        school.reader(),
        ChangeFilter(subject_types=(SubjectType.MEMBERSHIP,)),
        after=0,
        limit=100,
    )

    assert len(await there.live()) == len(entries)
    assert {("CREATED", "NRPS")} == {(one.kind, one.source) for one in entries}


async def test_nobody_is_told_of_the_membership_of_somebody_whom_they_do_not_see(
    graph: Graph, school: School
) -> None:
    course = await school.course(lti_context_id="ctx")
    await school.covered("person")
    there = Class(graph, course, 1)
    await there.listed()
    own = (await there.people())[0]
    seen = CourseSight(course_id=course, rights=frozenset({Right.READ}))
    rights = Rights(sight=Sight(person_id=own, courses=(seen,)))

    async def told(rights: Rights | None) -> set[int]:
        entries = await graph.feed.entries(
            school.reader(rights),
            ChangeFilter(subject_types=(SubjectType.MEMBERSHIP,)),
            after=0,
            limit=100,
        )
        return {one.subject_id for one in entries}

    [row] = await school.database.rows(
        "select id from membership where institution_id = $1 and person_id = $2", school.id, own
    )
    assert {row["id"]} == await told(rights)
    assert len(await told(None)) > 1
