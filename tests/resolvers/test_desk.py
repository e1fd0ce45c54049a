"""The identity desk: who may sit at it, what each decision does, and that every one can be taken back."""

from typing import Any

import pytest

from gateway.identity import Alias, Evidence, Trust
from gateway.store import people
from gateway.store.people import Recognised
from gateway.store.rows import Word
from gateway.uow import Row
from gateway.viewer import Rights, Scope
from models.roster import IdentityKind, Source
from tests.factories import NOW, School
from tests.resolvers.conftest import Graph

OPERATOR = (Scope.ADMIN, Scope.ROSTER_READ)
SIS, SUB, LEGACY, LOGIN, MAIL = (
    IdentityKind.SIS_USER_ID,
    IdentityKind.LTI13_SUB,
    IdentityKind.LTI11_USER_ID,
    IdentityKind.LOGIN_ID,
    IdentityKind.EMAIL,
)
LIST = """
query ($filter: IdentityConflictFilter) {
  identityConflicts(filter: $filter) {
    nodes {
      id kind value why source foundAt proposal advice resolution resolvedAt
      person { name } otherPerson { name } resolvedBy { name }
    }
  }
}
"""
SETTLE = """
mutation ($conflict: ID!, $task: ResolveTask!, $key: String) {
  resolveIdentity(input: {conflict: $conflict, task: $task, idempotencyKey: $key}) {
    user { id name }
    errors { code message path __typename }
  }
}
"""
TABLES = ("person", "identity", "enrollment", "membership", "launch_session")


class Desk:
    """An operator at the desk of one school."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.school = graph.school

    async def conflict(self, kind: IdentityKind, value: str, **columns: Any) -> str:
        row_id = await self.school.add("identity_conflict", kind=kind.value, value=value, **columns)
        return self.graph.node_id("IdentityConflict", row_id)

    async def shown(self, **which: Any) -> list[dict[str, Any]]:
        result = await self.graph.execute(LIST, {"filter": which or None}, *OPERATOR)
        assert result.errors is None, result.errors
        nodes: list[dict[str, Any]] = result.data["identityConflicts"]["nodes"]
        return nodes

    async def settle(self, conflict: str, task: str, key: str | None = None) -> dict[str, Any]:
        variables = {"conflict": conflict, "task": task, "key": key}
        result = await self.graph.execute(SETTLE, variables, *OPERATOR)
        assert result.errors is None, result.errors
        payload: dict[str, Any] = result.data["resolveIdentity"]
        return payload

    async def done(self, conflict: str, task: str) -> dict[str, Any]:
        payload = await self.settle(conflict, task)
        assert [] == payload["errors"]
        user: dict[str, Any] = payload["user"]
        return user

    async def state(self) -> dict[str, list[Row]]:
        """All rows of the people and of what is theirs."""
        database = self.school.database
        return {
            table: await database.rows(f"select * from {table} order by id") for table in TABLES
        }

    async def who_has(self, kind: IdentityKind, value: str) -> int | None:
        rows = await self.school.database.rows(
            "select person_id from identity where institution_id = $1 and kind = $2 and value = $3"
            " and ended_at is null",
            self.school.id,
            kind.value,
            value,
        )
        return rows[0]["person_id"] if rows else None


@pytest.fixture
def desk(graph: Graph) -> Desk:
    return Desk(graph)


@pytest.fixture
async def zoe(school: School) -> int:
    return await school.person(
        name="Zoe", canvas=1, sis_id="S-1", aliases={SUB: "sub-1", LEGACY: "legacy-1"}
    )


@pytest.fixture
async def twin(school: School) -> int:
    """Somebody whom only launches have told of."""
    return await school.person(name="Zoë Neil", aliases={SUB: "sub-2", LEGACY: "legacy-2"})


async def test_what_waits_is_shown_to_an_operator(desk: Desk, zoe: int, twin: int) -> None:
    await desk.conflict(SIS, "S-1", person_id=twin, other_person_id=zoe, proposal="move it")

    [conflict] = await desk.shown()

    assert ("SIS_USER_ID", "S-1", "they differ") == (
        conflict["kind"],
        conflict["value"],
        conflict["why"],
    )
    assert ("Zoë Neil", "Zoe") == (conflict["person"]["name"], conflict["otherPerson"]["name"])
    assert ("MOVE", "move it", None) == (
        conflict["proposal"],
        conflict["advice"],
        conflict["resolution"],
    )


@pytest.mark.parametrize("scope", [Scope.ROSTER_READ, Scope.ROSTER_WRITE, Scope.PII_READ])
async def test_nobody_else_sits_at_the_desk(
    desk: Desk, graph: Graph, zoe: int, twin: int, scope: Scope
) -> None:
    conflict = await desk.conflict(SIS, "S-1", person_id=twin, other_person_id=zoe)
    before = await desk.state()

    refusals = [
        await graph.refusal(LIST, None, Scope.ROSTER_READ, scope),
        await graph.refusal(
            SETTLE, {"conflict": conflict, "task": "MERGE"}, Scope.ROSTER_READ, scope
        ),
        await graph.refusal(
            "query ($id: ID!) { node(id: $id) { id } }", {"id": conflict}, Scope.ROSTER_READ, scope
        ),
    ]

    assert {"FORBIDDEN"} == {code for code, _ in refusals}
    assert before == await desk.state()


async def test_another_schools_conflict_is_not_there(desk: Desk, school: School) -> None:
    other = await School.open(school.database, slug="other")
    one, two = await other.person(name="A"), await other.person(name="B")
    row_id = await other.add(
        "identity_conflict", kind=SIS.value, value="S-9", person_id=one, other_person_id=two
    )

    payload = await desk.settle(desk.graph.node_id("IdentityConflict", row_id), "MERGE")

    assert [] == await desk.shown()
    assert "NOT_FOUND" == payload["errors"][0]["code"]


async def test_merged_people_are_one_for_everybody_and_parted_again_as_they_were(
    desk: Desk, graph: Graph, school: School, zoe: int, twin: int
) -> None:
    botany, zoology = await school.course(), await school.course(name="Zoology")
    enrollment = await school.enroll(twin, None, botany)
    observer = await school.person(name="Mum")
    watching = await school.enroll(observer, None, botany, associated_person_id=twin)
    await school.add("membership", course_id=botany, person_id=twin)
    await school.add("membership", course_id=zoology, person_id=twin)
    await school.add("membership", course_id=zoology, person_id=zoe)
    conflict = await desk.conflict(LEGACY, "legacy-2", person_id=twin, other_person_id=zoe)
    before = await desk.state()

    user = await desk.done(conflict, "CONFIRM")

    assert "Zoe" == user["name"]
    merged = await graph.ask(
        "query ($a: ID!, $e: ID!, $w: ID!) { node(id: $a) { ... on User { id name identities { value } } }"
        ' user(by: {ltiSub: "sub-2"}) { name } users { nodes { name } }'
        " e: enrollment(by: {id: $e}) { user { name } } w: enrollment(by: {id: $w}) { associatedUser { name } } }",
        {
            "a": graph.node_id("User", twin),
            "e": graph.node_id("Enrollment", enrollment),
            "w": graph.node_id("Enrollment", watching),
        },
    )
    assert user["id"] == merged["node"]["id"]
    assert {"S-1", "sub-1", "legacy-1", "sub-2", "legacy-2"} == {
        one["value"] for one in merged["node"]["identities"]
    }
    assert "Zoe" == merged["user"]["name"]
    assert ["Zoe", "Mum"] == [one["name"] for one in merged["users"]["nodes"]]
    assert "Zoe" == merged["e"]["user"]["name"]
    assert "Zoe" == merged["w"]["associatedUser"]["name"]
    live = [
        (row["course_id"], row["person_id"])
        for row in (await desk.state())["membership"]
        if row["ended_at"] is None
    ]
    assert [(botany, zoe), (zoology, zoe)] == live
    assert [] == await desk.shown()

    await desk.settle(conflict, "UNDO")

    assert before == await desk.state()
    [again] = await desk.shown()
    assert conflict == again["id"]


async def test_a_merge_is_told_to_the_feed(
    desk: Desk, graph: Graph, school: School, zoe: int, twin: int
) -> None:
    enrollment = await school.enroll(twin, None, await school.course())
    conflict = await desk.conflict(LEGACY, "legacy-2", person_id=twin, other_person_id=zoe)

    await desk.done(conflict, "MERGE")

    told = await graph.ask(
        "{ changes { nodes { kind subjectId cause { source } after { field value } } } }"
    )
    assert [
        ("UPDATED", graph.node_id("Enrollment", enrollment)),
        ("REMOVED", graph.node_id("User", twin)),
    ] == [(one["kind"], one["subjectId"]) for one in told["changes"]["nodes"]]
    assert [{"field": "user", "value": graph.node_id("User", zoe)}] == told["changes"]["nodes"][0][
        "after"
    ]
    assert {"MUTATION"} == {one["cause"]["source"] for one in told["changes"]["nodes"]}


@pytest.mark.parametrize("holder_is_gone", [False, True])
async def test_whom_canvas_still_knows_stays(
    desk: Desk, school: School, zoe: int, twin: int, holder_is_gone: bool
) -> None:
    if holder_is_gone:
        await school.update("person", zoe, removed_at=NOW, state="DELETED")
    conflict = await desk.conflict(MAIL, "z@example.edu", person_id=twin, other_person_id=zoe)

    user = await desk.done(conflict, "MERGE")

    assert ("Zoë Neil" if holder_is_gone else "Zoe") == user["name"]


async def test_a_launch_of_somebody_merged_is_the_one_who_stayed(
    desk: Desk, school: School, zoe: int, twin: int
) -> None:
    conflict = await desk.conflict(LEGACY, "legacy-2", person_id=twin, other_person_id=zoe)
    await desk.done(conflict, "MERGE")
    word = Word(institution_id=school.id, source=Source.LAUNCH, as_of=NOW, now=NOW)
    evidence = Evidence(aliases=frozenset({Alias(kind=SUB, value="sub-2")}))

    found = await school.database.transact(
        lambda tx: people.recognise(tx, evidence, {}, word, trust=Trust(), create=True)
    )

    assert Recognised(person=zoe) == found


async def test_a_moved_identifier_is_the_claimants_and_goes_back(
    desk: Desk, graph: Graph, zoe: int, twin: int
) -> None:
    conflict = await desk.conflict(SIS, "S-1", person_id=twin, other_person_id=zoe)
    before = await desk.state()

    user = await desk.done(conflict, "CONFIRM")

    assert "Zoë Neil" == user["name"]
    assert twin == await desk.who_has(SIS, "S-1")
    shown = await graph.ask('{ user(by: {sisId: "S-1"}) { name sisId } }')
    assert {"name": "Zoë Neil", "sisId": "S-1"} == shown["user"]
    history = [row for row in (await desk.state())["identity"] if row["value"] == "S-1"]
    assert [(zoe, False), (twin, True)] == [
        (row["person_id"], row["ended_at"] is None) for row in history
    ]

    await desk.settle(conflict, "UNDO")

    after = await desk.state()
    assert zoe == await desk.who_has(SIS, "S-1")
    assert before["person"] == after["person"]
    assert before["identity"] == [row for row in after["identity"] if row["person_id"] != twin or row["value"] != "S-1"]  # fmt: skip


async def test_an_identifier_whose_claimant_is_unknown_only_ends(desk: Desk, zoe: int) -> None:
    conflict = await desk.conflict(SIS, "S-1", person_id=None, other_person_id=zoe)
    [shown] = await desk.shown()

    await desk.done(conflict, "MOVE")

    assert "KEEP" == shown["proposal"]
    assert await desk.who_has(SIS, "S-1") is None
    await desk.settle(conflict, "UNDO")
    assert zoe == await desk.who_has(SIS, "S-1")


async def test_what_somebody_else_has_meanwhile_does_not_go_back(
    desk: Desk, school: School, zoe: int
) -> None:
    conflict = await desk.conflict(SIS, "S-1", person_id=None, other_person_id=zoe)
    await desk.done(conflict, "MOVE")
    await school.person(name="New", sis_id="S-1")

    payload = await desk.settle(conflict, "UNDO")

    assert "CONFLICT" == payload["errors"][0]["code"]
    assert [conflict] == [one["id"] for one in await desk.shown(settled=True)]


async def test_what_was_kept_is_not_shown_again(
    desk: Desk, school: School, zoe: int, twin: int
) -> None:
    word = Word(institution_id=school.id, source=Source.LAUNCH, as_of=NOW, now=NOW)
    aliases = {Alias(kind=SUB, value="sub-2"), Alias(kind=LEGACY, value="legacy-1")}

    async def launch() -> None:
        evidence = Evidence(aliases=frozenset(aliases))
        await school.database.transact(
            lambda tx: people.recognise(tx, evidence, {}, word, trust=Trust(), create=True)
        )

    await launch()
    [conflict] = await desk.shown()
    await desk.done(conflict["id"], "KEEP")
    await launch()

    assert [] == await desk.shown()
    [settled] = await desk.shown(settled=True)
    assert ("KEEP", True) == (settled["resolution"], settled["resolvedAt"] is not None)
    await desk.settle(conflict["id"], "UNDO")
    assert [conflict["id"]] == [one["id"] for one in await desk.shown()]


async def test_somebody_new_with_a_known_address_is_proposed_and_not_joined(
    desk: Desk, school: School
) -> None:
    old = await school.person(name="Old", email="z@example.edu")
    word = Word(institution_id=school.id, source=Source.LAUNCH, as_of=NOW, now=NOW)
    evidence = Evidence(
        aliases=frozenset({Alias(kind=SUB, value="sub-9"), Alias(kind=MAIL, value="z@example.edu")})
    )

    found = await school.database.transact(
        lambda tx: people.recognise(tx, evidence, {"name": "New"}, word, trust=Trust(), create=True)
    )

    assert isinstance(found, Recognised)
    assert found.created
    assert old != found.person
    [conflict] = await desk.shown()
    assert ("EMAIL", "MERGE", "New", "Old") == (
        conflict["kind"],
        conflict["proposal"],
        conflict["person"]["name"],
        conflict["otherPerson"]["name"],
    )


REFUSED = {
    "settled twice": (SIS, "S-1", ["KEEP", "MERGE"], "CONFLICT"),
    "undone and not settled": (SIS, "S-1", ["UNDO"], "CONFLICT"),
    "an address cannot move": (MAIL, "z@example.edu", ["MOVE"], "INVALID"),
    "nor a Canvas id": (IdentityKind.CANVAS_GLOBAL_ID, "10000000000001", ["MOVE"], "INVALID"),
    "nobody has it any more": (LOGIN, "gone", ["MOVE"], "CONFLICT"),
}


@pytest.mark.parametrize(("kind", "value", "tasks", "code"), REFUSED.values(), ids=REFUSED)
async def test_what_cannot_be_done_is_refused_and_changes_nothing(
    desk: Desk, zoe: int, twin: int, kind: IdentityKind, value: str, tasks: list[str], code: str
) -> None:
    conflict = await desk.conflict(kind, value, person_id=twin, other_person_id=zoe)
    *first, last = tasks
    for task in first:
        await desk.done(conflict, task)
    before = await desk.state()

    payload = await desk.settle(conflict, last)

    assert payload["user"] is None
    [error] = payload["errors"]
    assert (code, "InputError") == (error["code"], error["__typename"])
    assert before == await desk.state()


async def test_nobody_can_be_merged_with_nobody(desk: Desk, zoe: int) -> None:
    conflict = await desk.conflict(SIS, "S-1", person_id=None, other_person_id=zoe)

    payload = await desk.settle(conflict, "MERGE")

    assert ("INVALID", ["task"]) == (payload["errors"][0]["code"], payload["errors"][0]["path"])


async def test_the_same_key_gets_the_first_answer_again(desk: Desk, zoe: int, twin: int) -> None:
    conflict = await desk.conflict(SIS, "S-1", person_id=twin, other_person_id=zoe)

    first = await desk.settle(conflict, "KEEP", key="k-1")
    again = await desk.settle(conflict, "KEEP", key="k-1")
    refused = await desk.settle(conflict, "KEEP", key="k-2")
    refused_again = await desk.settle(conflict, "KEEP", key="k-2")
    other_input = await desk.settle(conflict, "UNDO", key="k-1")

    assert [] == first["errors"]
    assert first == again
    assert "CONFLICT" == refused["errors"][0]["code"]
    assert refused == refused_again
    assert "IDEMPOTENCY_MISMATCH" == other_input["errors"][0]["code"]


async def test_an_identifier_that_may_not_be_seen_is_not_shown(
    desk: Desk, graph: Graph, zoe: int, twin: int
) -> None:
    await desk.conflict(SIS, "S-1", person_id=twin, other_person_id=zoe)
    result = await graph.execute(
        LIST, None, *OPERATOR, rights=Rights(hidden=frozenset({"User.sisId", "User.name"}))
    )

    assert result.errors is None
    [conflict] = result.data["identityConflicts"]["nodes"]
    assert (None, None) == (conflict["value"], conflict["person"]["name"])
