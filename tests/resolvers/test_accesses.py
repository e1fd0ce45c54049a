"""Who read whose data: what is noted of an answer, how it is kept, and who may read it."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.access import Access, Accesses, Wanted
from gateway.store.access_log import access_log
from gateway.uow import Database
from gateway.viewer import PERSONAL, Launched, Rights, Scope, Service, Viewer
from models.roster import EnrollmentType
from resolvers.context import Context
from resolvers.schema import schema
from tests.factories import NOW, School
from tests.resolvers.conftest import Graph

LAUNCHED = Launched(
    session_id=7,
    course_id=None,
    account_canvas_id=None,
    types=frozenset({EnrollmentType.TEACHER}),
    administrator=False,
    shown=frozenset(),
    real_user="99",
)
ADMIN = (Scope.ROSTER_READ, Scope.ADMIN, Scope.PII_READ)


class Asking:
    """The graph with an access log, as several viewers ask it."""

    def __init__(self, graph: Graph, accesses: Accesses) -> None:
        self.graph, self.accesses = graph, accesses

    def viewer(self, **changes: Any) -> Viewer:
        viewer = self.graph.school.viewer(*ADMIN)
        fields = {**vars(viewer), "service": Service(token_id=3, name="product"), **changes}
        return Viewer(**fields)

    async def ask(self, query: str, viewer: Viewer | None = None, **variables: Any) -> Any:
        context = Context(
            viewer=viewer or self.viewer(),
            connections=self.graph.connections,
            feed=self.graph.feed,
            clock=lambda: NOW,
            accesses=self.accesses,
        )
        result = await schema.execute(query, variable_values=variables, context_value=context)
        assert result.errors is None, result.errors
        return result.data

    async def noted(self, **wanted: Any) -> list[Access]:
        return await self.accesses.find(self.graph.school.id, Wanted(**wanted))


@pytest.fixture
def asking(graph: Graph) -> Asking:
    return Asking(graph, Accesses(access_log(graph.school.database), lambda: NOW))


@pytest.fixture
async def botany(school: School) -> int:
    course = await school.course(canvas=412)
    for number in range(3):
        person = await school.person(canvas=2000 + number, name=f"Person {number}")
        await school.enroll(person, None, course)
    return course


async def test_a_class_list_is_noted_with_what_was_shown_of_whom_and_to_whom(
    asking: Asking, botany: int, school: School
) -> None:
    teacher = await school.person(canvas=9, name="Tom Teacher")
    viewer = asking.viewer(service=None, launched=LAUNCHED, user_id=teacher)

    await asking.ask(
        '{ course(by: {canvasId: "412"}) { members { nodes { user { id name email } } } } }', viewer
    )

    [one] = await asking.noted()
    assert ("session", 7, teacher, "99") == (
        one.credential,
        one.credential_id,
        one.person_id,
        one.real_user,
    )
    assert ("Course", botany, 3, ("email", "name")) == (
        one.subject_kind,
        one.subject_id,
        one.people,
        one.shown,
    )
    assert one.at == NOW


@pytest.mark.parametrize(
    ("query", "subject", "people"),
    [
        ('{ user(by: {canvasId: "2000"}) { name } }', "User", 1),
        ('{ user(by: {canvasId: "2000"}) { identities { value } } }', "User", 1),
        ("{ users { nodes { name } } }", "Institution", 3),
        (
            '{ course(by: {canvasId: "412"}) { enrollments { nodes { user { email } } } } }',
            "Course",
            3,
        ),
        (
            '{ user(by: {canvasId: "2000"}) { enrollments { nodes { user { email } } } } }',
            "User",
            1,
        ),
    ],
)
async def test_every_way_to_people_is_noted(
    asking: Asking, botany: int, query: str, subject: str, people: int
) -> None:
    await asking.ask(query)

    noted = await asking.noted()
    assert (subject, people) in [(one.subject_kind, one.people) for one in noted]
    assert {("service", 3, None)} == {
        (one.credential, one.credential_id, one.person_id) for one in noted
    }


@pytest.mark.parametrize(
    "query",
    [
        '{ course(by: {canvasId: "412"}) { name } }',
        '{ course(by: {canvasId: "412"}) { enrollmentCounts { totalCount } } }',
        '{ user(by: {canvasId: "1"}) { name } }',
    ],
)
async def test_what_shows_nobody_is_not_noted(
    asking: Asking, botany: int, school: School, query: str
) -> None:
    await school.covered("person")

    await asking.ask(query)

    assert [] == await asking.noted()


async def test_what_is_hidden_is_not_said_to_have_been_shown(asking: Asking, botany: int) -> None:
    viewer = asking.viewer(rights=Rights(hidden=PERSONAL))

    await asking.ask("{ users { nodes { id name } } }", viewer)

    [one] = await asking.noted()
    assert one.shown == ()


async def test_admins_read_it_by_person_course_and_time(
    asking: Asking, botany: int, school: School
) -> None:
    teacher = await school.person(canvas=9, name="Tom Teacher")
    launched = asking.viewer(service=None, launched=LAUNCHED, user_id=teacher)
    await asking.ask(
        '{ course(by: {canvasId: "412"}) { members { nodes { user { name } } } } }', launched
    )
    await asking.ask('{ user(by: {canvasId: "2001"}) { email } }')
    query = """query($filter: AccessFilter) { accessLog(filter: $filter) { nodes {
        credential person { name } realUser subjectType subject { __typename } people fields } } }"""

    async def found(**which: Any) -> list[Any]:
        data = await asking.ask(query, filter=which)
        return [
            one for one in data["accessLog"]["nodes"] if one["person"] or one["fields"] == ["email"]
        ]

    [by_person] = await found(person={"canvasId": "9"})
    assert by_person == {
        "credential": "session",
        "person": {"name": "Tom Teacher"},
        "realUser": "99",
        "subjectType": "Course",
        "subject": {"__typename": "Course"},
        "people": 3,
        "fields": ["name"],
    }
    assert [by_person] == await found(course={"canvasId": "412"})
    [at_person] = await found(subject={"canvasId": "2001"})
    assert ("service", None, ["email"]) == (
        at_person["credential"],
        at_person["person"],
        at_person["fields"],
    )
    assert [] == await found(since=(NOW + timedelta(seconds=1)).isoformat())


async def test_nobody_else_reads_it(graph: Graph) -> None:
    query = "{ accessLog { nodes { at } } }"
    assert ("FORBIDDEN", "This credential lacks the scope admin; make a token that has it.") == (
        await graph.refusal(query, None, Scope.ROSTER_READ, Scope.PII_READ)
    )


async def test_it_is_read_page_by_page(asking: Asking, botany: int) -> None:
    for number in range(3):
        await asking.ask(f'{{ user(by: {{canvasId: "{2000 + number}"}}) {{ name }} }}')
    query = """query($after: String) { accessLog(first: 2, after: $after) {
        nodes { subject { ... on User { canvasId } } } pageInfo { hasNextPage endCursor } } }"""

    first = (await asking.ask(query))["accessLog"]
    # Reading the log is itself a look at the people whom it names: the page behind it does not move.
    second = (await asking.ask(query, after=first["pageInfo"]["endCursor"]))["accessLog"]

    assert ["2002", "2001"] == [one["subject"]["canvasId"] for one in first["nodes"]]
    assert ["2000"] == [one["subject"]["canvasId"] for one in second["nodes"]]
    assert (True, False) == (
        first["pageInfo"]["hasNextPage"],
        second["pageInfo"]["hasNextPage"],
    )


def has_own_file(database: Database) -> bool:
    return Path(f"{database.url.removeprefix('sqlite://')}.access").exists()


async def test_beside_sqlite_it_stands_in_a_file_of_its_own(
    asking: Asking, botany: int, engine: str, database: Database
) -> None:
    await asking.ask("{ users { nodes { name } } }")
    assert len(await asking.noted()) == 1

    rows = await database.rows(
        "select id from access_record where institution_id = $1", asking.graph.school.id
    )

    assert (engine == "sqlite") == has_own_file(database)
    assert len(rows) == (0 if engine == "sqlite" else 1)


def look(school: School, **changes: Any) -> Access:
    fields: dict[str, Any] = {
        "institution_id": school.id,
        "at": NOW,
        "credential": "service",
        "credential_id": 1,
        "person_id": None,
        "real_user": None,
        "subject_kind": "User",
        "subject_id": 5,
        "people": 1,
        "shown": ("name",),
        "request_id": "abc",
    }
    return Access(**fields | changes)


async def test_what_is_older_than_the_school_keeps_it_is_purged(school: School) -> None:
    log = access_log(school.database)
    await log.keep([look(school, at=NOW - timedelta(days=401)), look(school)])
    accesses = Accesses(log, lambda: NOW, {school.id: timedelta(days=400)})

    async with accesses.running():
        accesses.note(school.viewer(), ("User", 6), 1, ("name",))
        await accesses.step()

    assert {NOW} == {one.at for one in await log.find(school.id, Wanted())}


async def test_nothing_names_a_person_who_was_forgotten(school: School) -> None:
    log = access_log(school.database)
    await log.keep(
        [look(school), look(school, subject_id=6, person_id=5), look(school, subject_id=6)]
    )

    assert 2 == await log.forget(school.id, 5)

    assert [6] == [one.subject_id for one in await log.find(school.id, Wanted())]


class Failing:
    """A log that cannot be written for a while."""

    def __init__(self) -> None:
        self.broken = True
        self.kept: list[Access] = []

    async def keep(self, accesses: Sequence[Access]) -> None:
        if self.broken:
            raise OSError("the disk is full")
        self.kept += accesses

    async def find(self, institution_id: int, wanted: Wanted) -> list[Access]:
        return self.kept

    async def purge(self, institution_id: int, before: Any) -> int:
        return 0

    async def forget(self, institution_id: int, person_id: int) -> int:
        return 0


async def test_what_cannot_be_written_waits_and_costs_no_answer(school: School) -> None:
    log = Failing()
    accesses = Accesses(log, lambda: NOW)
    accesses.note(school.viewer(), ("User", 6), 1, ("name",))
    await accesses.step()
    assert log.kept == []

    log.broken = False
    await accesses.step()

    assert [6] == [one.subject_id for one in log.kept]


async def test_the_end_of_the_server_writes_what_waits(school: School) -> None:
    log = Failing()
    log.broken = False
    accesses = Accesses(log, lambda: NOW)

    async with accesses.running():
        accesses.note(school.viewer(), ("User", 6), 1, ("name",))

    assert [6] == [one.subject_id for one in log.kept]
