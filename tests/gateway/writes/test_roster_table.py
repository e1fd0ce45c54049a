"""Every wish for every kind of enrollment in every state, as rows of a change of many: what the twin has afterwards is what the sheets say."""

from collections.abc import AsyncIterator
from itertools import islice, product
from typing import Any, NamedTuple

import pytest

from gateway.change_paths import Path
from gateway.feed import Feed
from gateway.merge import Guard
from gateway.readpath import node_ids
from gateway.uow import Database
from models.roster import EnrollmentState
from resolvers.context import Context
from resolvers.schema import schema
from tests.gateway.writes.bulk import Bulk, bulk
from tests.gateway.writes.kinds import Kind, kinds
from tests.upstream import Upstream
from twin import making
from twin.records import User

# None: no such enrollment. A wish of None: on the roster.
BEFORE = (
    *(None, "active", "invited", "creation_pending"),
    *("inactive", "completed", "rejected", "deleted"),
)
WISHES = (None, "ACTIVE", "INVITED", "INACTIVE", "COMPLETED", "DELETED")
PLAN = """mutation ($input: RosterChangeInput!) { planRosterChange(input: $input) {
  plan { id removals } errors { code message } } }"""
APPLY = """mutation ($input: ApplyRosterChangeInput!) { applyRosterChange(input: $input) {
  rosterChange { id } errors { code message } } }"""
ROWS = """query ($id: ID!, $after: String) { rosterChange(id: $id) { state rows(first: 100, after: $after) {
  nodes { row outcome status enrollment { state type } } pageInfo { hasNextPage endCursor } } } }"""


class Case(NamedTuple):
    kind: Kind
    before: str | None
    wish: str | None


class Becomes(NamedTuple):
    """What the plan says, and the state in Canvas when it was carried out; None: still no enrollment."""

    outcome: str
    state: str | None


def expected(case: Case, path: Path) -> Becomes:
    """enrollments-api.md §4 to §7; sis-imports.md §5: a row of a file enrolls at once, and ends what is not there, too."""
    _, before, wish = case
    stands = before not in (None, "deleted")
    becomes = "active" if wish is None else wish.lower()
    if wish is None and before in ("active", "invited", "creation_pending"):
        becomes = before
    if becomes == "deleted":
        return Becomes("REMOVE", "deleted") if stands else Becomes("NOTHING", before)
    if becomes == before:
        return Becomes("NOTHING", before)
    if becomes == "invited" and before == "active":
        return Becomes("REFUSED", before)
    if becomes == "completed" and not stands and path is Path.SINGLE_CALLS:
        return Becomes("REFUSED", before)
    return Becomes("CHANGE" if stands else "ADD", becomes)


@pytest.fixture
async def many(twin: Upstream, database: Database) -> AsyncIterator[Bulk]:
    async with bulk(twin, database, guard=Guard()) as ready:
        yield ready


async def ask(many: Bulk, document: str, **variables: Any) -> Any:
    connections = many.office.planning.connections
    context = Context(
        viewer=many.viewer,
        connections=connections,
        feed=Feed(connections, interval=0.02),
        clock=many.twin.clock.now,
        roster_changes=many.changes,
    )
    result = await schema.execute(document, variable_values=variables, context_value=context)
    assert result.errors is None, result.errors
    [said] = (result.data or {}).values()
    assert not said.get("errors")
    return said


def person(many: Bulk, number: int) -> User:
    school = many.twin.school
    user = making.make_user(school, f"Nora Number {number}", workflow_state="registered")
    making.make_login(school, user, f"nora{number}@example.edu", sis_user_id=f"N-{number}")
    return user


async def known_to_canvas_and_us(many: Bulk, cases: list[Case]) -> list[User]:
    """Somebody for each case."""
    people = [person(many, number) for number in range(len(cases))]
    for (kind, before, _), user in zip(cases, people, strict=True):
        if before is not None:
            making.make_enrollment(
                many.twin.school, user, many.section, kind.type, kind.role_id, before
            )
    await many.readers.load()
    course = await many.readers.course(many.course)
    await many.readers.read(many.readers.need(course, states=frozenset(EnrollmentState)))
    return people


def as_row(many: Bulk, case: Case, user: User) -> dict[str, Any]:
    return {
        "user": {"canvasId": str(user.id)},
        "section": {"canvasId": str(many.section.id)},
        "state": case.wish,
        **case.kind.asked,
    }


async def rows_of(many: Bulk, change: str) -> list[dict[str, Any]]:
    after, rows = None, []
    while True:
        page = (await ask(many, ROWS, id=change, after=after))["rows"]
        rows += page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return rows
        after = page["pageInfo"]["endCursor"]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("path", list(Path))
async def test_what_becomes_of_a_row(many: Bulk, path: Path, proving: bool) -> None:
    every = [Case(*one) for one in product(kinds(many.twin.school), BEFORE, WISHES)]
    # each pair of state and wish at least once, in turn of other kinds
    cases = every if proving else list(islice(every, 0, None, 7))
    people = await known_to_canvas_and_us(many, cases)

    rows = [as_row(many, *one) for one in zip(cases, people, strict=True)]
    plan = (await ask(many, PLAN, input={"rows": rows, "path": path.value}))["plan"]
    await ask(many, APPLY, input={"rosterChange": plan["id"], "confirmRemovals": plan["removals"]})
    await many.work(node_ids.decode_as("RosterChange", plan["id"], None))

    assert (await ask(many, ROWS, id=plan["id"]))["state"] == "SUCCEEDED"
    found, wanted = {}, {}
    for case, user, row in zip(cases, people, await rows_of(many, plan["id"]), strict=True):
        of = (str(case.kind), case.before, case.wish)
        becomes = expected(case, path)
        changes = becomes.outcome not in ("NOTHING", "REFUSED")
        told = {"state": (becomes.state or "").upper()} if changes else None
        wanted[of] = (
            becomes.outcome,
            [] if becomes.state is None else [(case.kind.type, case.kind.role_id, becomes.state)],
            "DONE" if changes else "NONE",
            told,
        )
        in_canvas = [
            (one.type, one.role_id, one.workflow_state)
            for one in many.twin.school.enrollments_of_user.of(user.id)
        ]
        shown = row["enrollment"] and {"state": row["enrollment"]["state"]}
        found[of] = (row["outcome"], in_canvas, row["status"], shown if changes else None)
    assert wanted == found
