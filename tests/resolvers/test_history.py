"""`asOf`: what was known at a moment is answered again, word for word, after whatever has happened since."""

import random
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.readpath.connections import open_connections
from gateway.store import ageing, institutions
from gateway.sync.importer import import_report
from gateway.uow import Database
from gateway.viewer import Rights, Scope
from models.roster import IdentityKind
from resolvers.compiled import Compiled, Way
from resolvers.documents import Documents
from resolvers.limits import Limits
from resolvers.schema import schema
from tests.factories import NOW, School
from tests.resolvers.conftest import Graph, Watched
from tests.resolvers.test_changes import values
from twin.changes import crosslist, set_enrollment_state
from twin.clock import FixedClock
from twin.generate import generate
from twin.options import Options
from twin.report_file import write_report
from twin.school import School as Twin

FIELDS = """id type role state section { id name state } user { id name sortableName loginId sisId email state }
    course { id name courseCode state }"""
LISTS = {
    "courses": """query($asOf: DateTime) { courses(filter: {states: [AVAILABLE, COMPLETED, UNPUBLISHED, DELETED]},
        first: 500, asOf: $asOf) { totalCount nodes { id name courseCode state term { name } } } }""",
    "users": """query($asOf: DateTime) { users(first: 500, asOf: $asOf) {
        nodes { id name shortName loginId sisId state } } }""",
    "enrollments": f"""query($asOf: DateTime) {{ courses(first: 100) {{ nodes {{ id sections(first: 50, asOf: $asOf) {{
        nodes {{ id name }} }} enrollments(first: 1000, filter: {{states: [ACTIVE, INVITED, INACTIVE, COMPLETED, DELETED]}},
        asOf: $asOf) {{ nodes {{ {FIELDS} }} }} }} }} }}""",
    "members": """query($asOf: DateTime) { courses(first: 20) { nodes { members(first: 500, asOf: $asOf) { totalCount nodes {
        user { id name sortableName } types state roles sections { name } } } } } }""",
    "counts": """query($asOf: DateTime) { courses(first: 20) { nodes { enrollmentCounts(asOf: $asOf) {
        totalCount counts { type role state section { name } count } } } } }""",
    "one course": f"""query($asOf: DateTime) {{ course(by: {{canvasId: "1"}}) {{
        enrollments(first: 1000, asOf: $asOf) {{ totalCount nodes {{ {FIELDS} }} }} }} }}""",
}


SINGLES = """query($asOf: DateTime, $course: ID!, $section: ID!, $enrollment: ID!, $login: String!, $sis: String!, $node: ID!) {
    course(by: {canvasId: $course}, asOf: $asOf) { id name courseCode state term { name } account { name } }
    section(by: {canvasId: $section}, asOf: $asOf) { id name state course { id name } originCourse { id name } }
    byLogin: user(by: {loginId: $login}, asOf: $asOf) { id name state }
    bySis: user(by: {sisId: $sis}, asOf: $asOf) { id name sortableName loginId }
    enrollment(by: {canvasId: $enrollment}, asOf: $asOf) { id state type section { name } user { name } course { name } }
    node(id: $node, asOf: $asOf) { id ... on User { name sortableName } }
    nodes(ids: [$node], asOf: $asOf) { ... on User { sortableName } }
    account(asOf: $asOf) { id name }
}"""
DOCUMENTS = Documents(schema, Limits())


class Grown:
    """A school that was imported again and again, and what the graph said each time."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.said: list[tuple[Any, dict[str, Any]]] = []
        self.named: list[dict[str, str]] = []

    async def say(self, as_of: Any = None) -> dict[str, Any]:
        moment = None if as_of is None else as_of.isoformat()
        said = {
            name: in_order(await self.graph.ask(query, {"asOf": moment}))
            for name, query in LISTS.items()
        }
        return said | {"singles": [await self._single(named, moment) for named in self.named]}

    async def _single(self, named: dict[str, str], moment: str | None) -> dict[str, Any]:
        result = await self.graph.execute(SINGLES, {**named, "asOf": moment})
        assert result.data is not None
        return {key: value for key, value in result.data.items() if value is not None}

    def name(self, twin: Twin, chance: random.Random) -> None:
        """Things to be looked up one by one, by ids that they have from the first day on."""
        rows = chance.sample(list(twin.enrollments.values()), 25)
        for row in rows:
            login = next(one for one in twin.pseudonyms.values() if one.user_id == row.user_id)
            self.named.append(
                {
                    "course": str(row.course_id),
                    "section": str(row.section_id),
                    "enrollment": str(row.id),
                    "login": login.unique_id,
                    "sis": login.sis_user_id or "none",
                    "node": self.graph.node_id("User", 1 + len(self.named)),
                }
            )


def in_order(answer: dict[str, Any]) -> dict[str, Any]:
    """Members stand by today's names, so that their order is not what was said."""
    for course in answer.get("courses", {}).get("nodes", ()):
        if "members" in course:
            course["members"]["nodes"].sort(key=lambda one: one["user"]["id"])
    return answer


@pytest.fixture
async def grown(database: Database, tmp_path: Path) -> AsyncIterator[Grown]:
    clock = FixedClock(NOW - timedelta(days=10))
    small = Options(courses=14, users=60, big=15, enrollments=250)
    twin = generate(small, clock)[0]
    chance = random.Random(3)  # noqa: S311  any mess will do
    made = await institutions.ensure(database, slug="demo", canvas_url=None)
    async with open_connections(database.url) as connections:
        graph = Graph(School(database, made.id), Watched(connections))
        school = Grown(graph)
        school.name(twin, chance)
        for day in range(4):
            path = tmp_path / f"{day}.zip"
            write_report(path, twin)
            await import_report(database, made, path, clock=clock.now, as_of=clock.now())
            clock.advance(timedelta(hours=1))
            school.said.append((clock.now(), await school.say()))
            clock.advance(timedelta(days=1))
            for user in chance.sample(list(twin.users.values()), 12):
                twin.update(user, name=f"{user.name} {day}", sortable_name=f"{day} {user.name}")
            for row in chance.sample(list(twin.enrollments.values()), 40):
                states = ("deleted", "completed", "inactive", "active")
                set_enrollment_state(twin, row, chance.choice(states))
            for course in chance.sample(list(twin.courses.values()), 3):
                twin.update(course, name=f"{course.name} {day}")
            section = chance.choice(list(twin.sections.values()))
            target = chance.choice([c for c in twin.courses.values() if c.id != section.course_id])
            crosslist(twin, section, target)
        yield school


async def test_what_was_said_then_is_said_again(grown: Grown) -> None:
    for moment, said in grown.said:
        again = await grown.say(moment)
        for name, answer in said.items():
            assert answer == again[name], (name, moment)


async def test_a_compiled_read_says_the_same(grown: Grown) -> None:
    moment, said = grown.said[1]
    for name, query in LISTS.items():
        operation = DOCUMENTS.operation(query, None, {"asOf": moment.isoformat()})
        context = grown.graph.context()
        context.operation = operation
        way, data = await Compiled(schema).read(operation, context)

        assert way is Way.COMPILED
        assert said[name] == in_order(orjson.loads(orjson.dumps(data))), name
    for named, answer in zip(grown.named, said["singles"], strict=True):
        operation = DOCUMENTS.operation(SINGLES, None, {**named, "asOf": moment.isoformat()})
        context = grown.graph.context()
        context.operation = operation
        way, data = await Compiled(schema).read(operation, context)

        assert way is Way.COMPILED
        found = orjson.loads(orjson.dumps(data))
        assert answer == {key: value for key, value in found.items() if value is not None}


async def test_the_states_of_different_days_differ(grown: Grown) -> None:
    said = [str(answer["enrollments"]) for _, answer in grown.said]

    assert len(said) == len(set(said))


async def test_before_the_school_was_loaded_nobody_was_known(grown: Grown) -> None:
    moment = NOW - timedelta(days=20)

    users = await grown.graph.ask(LISTS["users"], {"asOf": moment.isoformat()})

    assert {"users": {"nodes": []}} == users


async def test_the_future_and_what_is_not_kept_are_refused(grown: Grown) -> None:
    later = NOW + timedelta(days=1)
    ask = grown.graph.refusal

    assert "BAD_USER_INPUT" == (await ask(LISTS["users"], {"asOf": later.isoformat()}))[0]
    school = grown.graph.school
    await ageing.drop(school.database, school.id, keep=timedelta(days=8), now=NOW)
    first = grown.said[0][0]
    code, message = await ask(LISTS["users"], {"asOf": first.isoformat()})
    assert "BAD_USER_INPUT" == code
    assert "retention" in message
    assert (await grown.say(grown.said[-1][0]))["users"] == grown.said[-1][1]["users"]


async def test_what_the_feed_does_not_tell_is_a_gap(graph: Graph, school: School) -> None:
    course = await school.course(canvas=1)
    zoe = await school.person(name="Zoe", avatar_url="https://x.example.edu/zoe.png")
    await school.enroll(zoe, None, course, updated_at=NOW)
    await school.change("Institution", school.id, kind="BASELINE", at=NOW - timedelta(days=3))
    await school.covered("enrollment", began_at=NOW - timedelta(days=3))

    data = await graph.ask(
        """query($asOf: DateTime) { course(by: {canvasId: "1"}) { enrollments(asOf: $asOf) {
            nodes { updatedAt user { name avatarUrl } } provenance { asOf completeness gaps { field reason } } } } }""",
        {"asOf": (NOW - timedelta(days=1)).isoformat()},
        rights=Rights(),
    )

    shown = data["course"]["enrollments"]
    assert [{"updatedAt": None, "user": {"name": "Zoe", "avatarUrl": None}}] == shown["nodes"]
    gap = {"reason": "NOT_CARRIED_BY_SOURCE"}
    assert [{"field": "updatedAt", **gap}, {"field": "user.avatarUrl", **gap}] == shown[
        "provenance"
    ]["gaps"]
    assert "COMPLETE" == shown["provenance"]["completeness"]
    assert "2026-09-12T12:00:00Z" == shown["provenance"]["asOf"]


async def test_somebody_who_came_later_was_not_known(graph: Graph, school: School) -> None:
    course = await school.course(canvas=1)
    zoe = await school.person(name="Zoe")
    row = await school.enroll(zoe, None, course)
    await school.change("Institution", school.id, kind="BASELINE", at=NOW - timedelta(days=3))
    await school.change(
        "Enrollment", row, kind="CREATED", course_id=course, at=NOW - timedelta(hours=2), after="[]"
    )
    await school.change(
        "Enrollment",
        row,
        kind="UPDATED",
        course_id=course,
        at=NOW - timedelta(hours=1),
        before=values(state="INVITED"),
        after=values(state="ACTIVE"),
    )
    query = """query($asOf: DateTime) { course(by: {canvasId: "1"}) { enrollments(asOf: $asOf) {
        nodes { state } } } }"""

    async def then(**ago: float) -> list[str]:
        data = await graph.ask(query, {"asOf": (NOW - timedelta(**ago)).isoformat()})
        return [one["state"] for one in data["course"]["enrollments"]["nodes"]]

    assert [] == await then(hours=3)
    assert ["INVITED"] == await then(minutes=90)
    assert ["ACTIVE"] == await then(minutes=1)


async def test_a_course_that_was_read_alone_is_known_from_then_on(
    graph: Graph, school: School
) -> None:
    course = await school.course(canvas=1)
    zoe = await school.person(name="Zoe")
    await school.alias(zoe, IdentityKind.CANVAS_UUID, "z", first_seen_at=NOW - timedelta(days=2))
    await school.enroll(zoe, None, course)
    at = NOW - timedelta(days=2)
    await school.change("Course", course, kind="BASELINE", course_id=course, at=at)

    async def then(**ago: float) -> int:
        data = await graph.ask(
            """query($asOf: DateTime) { course(by: {canvasId: "1"}) { enrollments(asOf: $asOf) {
                nodes { user { name } } } } }""",
            {"asOf": (NOW - timedelta(**ago)).isoformat()},
        )
        return len(data["course"]["enrollments"]["nodes"])

    assert 0 == await then(days=3)
    assert 1 == await then(days=1)


async def test_one_thing_is_found_by_the_id_that_it_had(graph: Graph, school: School) -> None:
    at = NOW - timedelta(hours=2)
    course = await school.course(canvas=1, sis_id="NEW", name="Botany II")
    await school.change("Institution", school.id, kind="BASELINE", at=NOW - timedelta(days=3))
    changed = {"before": values(sisId="OLD", name="Botany"), "after": values(sisId="NEW")}
    await school.change("Course", course, kind="UPDATED", course_id=course, at=at, **changed)
    query = """query($sis: String!, $asOf: DateTime) { course(by: {sisId: $sis}, asOf: $asOf) { name } }"""

    async def then(sis: str, **ago: float) -> Any:
        moment = (NOW - timedelta(**ago)).isoformat()
        return (await graph.ask(query, {"sis": sis, "asOf": moment}))["course"]

    assert {"name": "Botany"} == await then("OLD", hours=3)
    assert await then("NEW", hours=3) is None
    assert {"name": "Botany II"} == await then("NEW", hours=1)
    assert await then("OLD", hours=1) is None


async def test_a_merged_person_was_somebody_until_then(graph: Graph, school: School) -> None:
    kept, gone = await school.person(name="Kim"), await school.person(name="Kim L")
    await school.change("Institution", school.id, kind="BASELINE", at=NOW - timedelta(days=3))
    await school.update("person", gone, merged_into_id=kept, removed_at=NOW - timedelta(hours=2))
    await school.change("User", gone, kind="REMOVED", at=NOW - timedelta(hours=2))
    query = (
        "query($id: ID!, $asOf: DateTime) { node(id: $id, asOf: $asOf) { ... on User { name } } }"
    )

    async def then(**ago: float) -> Any:
        asked = {"id": graph.node_id("User", gone), "asOf": (NOW - timedelta(**ago)).isoformat()}
        return (await graph.ask(query, asked))["node"]

    assert {"name": "Kim L"} == await then(hours=3)
    assert {"name": "Kim"} == await then(hours=1)


@pytest.mark.parametrize(
    ("field", "why"),
    [
        ('course(by: {canvasId: "1"}, asOf: $asOf) { timeZone }', "timeZone"),
        ('node(id: "U3luY1J1bjox", asOf: $asOf) { id }', "no history of SyncRun"),
    ],
)
async def test_of_one_thing_alone_what_no_history_tells_is_refused(
    graph: Graph, school: School, field: str, why: str
) -> None:
    await school.course(canvas=1)
    await school.add("sync_run")

    code, message = await graph.refusal(
        f"query($asOf: DateTime) {{ {field} }}", {"asOf": NOW.isoformat()}
    )

    assert "BAD_USER_INPUT" == code
    assert why in message


async def test_the_past_needs_the_same_rights(graph: Graph) -> None:
    result = await graph.execute(LISTS["users"], {"asOf": NOW.isoformat()}, Scope.CHANGES_READ)
    assert result.errors is not None
    assert {"code": "FORBIDDEN"} == result.errors[0].extensions
