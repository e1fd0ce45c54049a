"""The compiled read against the ordinary resolvers: the same query, the same viewer, the same answer."""

import re
from collections import Counter
from random import Random
from typing import Any

import orjson
import pytest

from gateway.readpath import node_ids
from gateway.viewer import Scope
from models.roster import EnrollmentState
from resolvers.compiled import Compiled, Way
from resolvers.context import Context
from resolvers.documents import Documents, Operation, Refused
from resolvers.limits import Limits
from resolvers.schema import schema
from tests.factories import School
from tests.resolvers import eyes, mixed_school
from tests.resolvers.conftest import Graph
from tests.resolvers.eyes import Eyes
from tests.resolvers.mixed_school import MixedSchool
from tests.resolvers.random_queries import Query

SAMPLE, ALL = 60, 5_000  # on each database
ELSEWHERE = {
    "webhooks",
    "rosterChange",
}  # what this graph has no room for, or what is there by chance alone
DOCUMENTS = Documents(schema, Limits())
COMPILED = Compiled(schema)


@pytest.fixture
async def mixed(school: School) -> MixedSchool:
    """A school with rows of every table that the graph shows."""
    made = await mixed_school.build(school)
    await eyes.with_limits(made)
    for subject in ("course", "section", "person", "enrollment"):
        await school.covered(subject)
    await school.covered("enrollment", scope_kind="course", scope_id=made.courses[0]["id"])
    for number, person in enumerate(made.people[:6]):
        course = made.courses[number % 3]["id"]
        await school.add("membership", person_id=person["id"], course_id=course)
    run = await school.add("sync_run", label="a run")
    for number, row in enumerate(made.enrollments[:12]):
        value = '[{"field": "state", "value": "ACTIVE"}, {"field": "user", "value": "3"}]'
        await school.change(
            "Enrollment",
            row["id"],
            kind="CREATED" if number % 3 else "REMOVED",
            after=value,
            sync_run_id=run,
        )
    return made


def known_ids(mixed: MixedSchool, viewer: Eyes, random: Random) -> Any:
    """What a query may name: rows of the school, and some that are not there."""
    rows: dict[str, list[Any]] = {
        "Account": mixed.accounts,
        "Term": mixed.terms,
        "Course": mixed.courses,
        "Section": mixed.sections,
        "User": mixed.people,
        "Enrollment": mixed.enrollments,
    }

    def node_id(type_name: str) -> Any:
        row = random.choice(rows[type_name])
        return node_ids.encode(type_name, row["id"], viewer.rights.pseudonyms)

    def column(type_name: str, name: str) -> Any:
        value = random.choice(rows[type_name]).get(name)
        return "99999" if value is None else str(value)

    found: dict[tuple[str, str], Any] = {}
    for type_name in rows:
        by = f"{type_name}By"
        found[by, "id"] = lambda name=type_name: node_id(name)
        found[by, "canvasId"] = lambda name=type_name: column(name, "canvas")
        for form, of in (("sisId", "sis_id"), ("integrationId", "integration_id"),
                         ("ltiContextId", "lti_context_id"), ("loginId", "login_id")):  # fmt: skip
            found[by, form] = lambda name=type_name, of=of: column(name, of)
        for form in ("ltiSub", "lti11UserId", "uuid"):
            found[by, form] = lambda form=form: f"{form}-{random.randrange(40)}"
    found["syncRun", "id"] = lambda: node_ids.encode("SyncRun", random.choice([1, 1, 2]))
    found["node", "id"] = lambda: node_id(random.choice(list(rows)))
    found["nodes", "ids"] = lambda: [node_id(random.choice(list(rows))) for _ in range(4)]
    found["ChangeFilter", "subjects"] = lambda: [node_id("Enrollment")]
    found["ChangeFilter", "subjectTypes"] = lambda: ["Enrollment"]
    found["EnrollmentFilter", "states"] = lambda: random.sample(
        [str(s) for s in EnrollmentState], 3
    )
    return found


class Pair:
    """A query answered in both ways."""

    def __init__(self, way: Way, compiled: Any, ordinary: Any) -> None:
        self.way, self.compiled, self.ordinary = way, compiled, ordinary

    @property
    def same(self) -> bool:
        if self.ordinary.errors:
            return self.way in (Way.REFUSED, Way.ORDINARY)
        if self.way is Way.COMPILED:
            return bool(_in_order(self.compiled) == _in_order(self.ordinary.data))
        return self.way is Way.ORDINARY

    def __str__(self) -> str:
        compiled, ordinary = (
            orjson.dumps(data).decode() for data in (self.compiled, self.ordinary.data)
        )
        return f"\n{self.way}: {compiled}\nordinary: {ordinary}\n{self.ordinary.errors}"


def _in_order(data: Any) -> bytes:
    return orjson.dumps(orjson.loads(orjson.dumps(data)))


async def both(graph: Graph, operation: Operation, viewer: Eyes) -> Pair:
    def context() -> Context:
        return graph.context(*Scope, rights=viewer.rights)

    way, compiled = await COMPILED.read(operation, context())
    ordinary = await schema.execute(
        operation.document.text,
        variable_values=operation.variables,
        context_value=context(),
    )
    return Pair(way, compiled, ordinary)


# The ordinary executor cancels the siblings of a field that failed, some before they have begun.
@pytest.mark.filterwarnings("ignore:.*_async_resolver.*:pytest.PytestUnraisableExceptionWarning")
async def test_random_queries_have_one_answer(
    graph: Graph, mixed: MixedSchool, proving: bool
) -> None:
    random = Random(20)  # noqa: S311  made-up queries, no secrets
    viewers, ways, cursors = eyes.viewers(mixed), Counter[Way](), list[str]()
    while ways.total() < (ALL if proving else SAMPLE):
        viewer = random.choice(viewers)
        query = Query(schema._schema, random, known_ids(mixed, viewer, random), cursors, ELSEWHERE)
        try:
            operation = DOCUMENTS.operation(query.text, None, query.variables)
        except Refused:  # as for two fields of one name that differ
            continue
        pair = await both(graph, operation, viewer)
        ways[pair.way] += 1
        graph.connections.statements.clear()
        assert pair.same, f"{viewer.name}: {query.text} {query.variables} {pair}"
        cursors += re.findall(
            r'[cC]ursor": ?"([\w=-]{20,})"', str(orjson.dumps(pair.ordinary.data))
        )
        del cursors[:-40]

    assert (
        ways[Way.COMPILED] > ways.total() / 3
    )  # many ask for what they may not, or by ids of nobody
