"""Removals that a membership list held: a person lets just those go whom they saw, while nothing newer has been read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from gateway.canvas.client import Meter
from gateway.errors import WriteRefused
from gateway.feed import Feed
from gateway.needs import Scope
from gateway.readpath import node_ids
from gateway.readpath.connections import open_connections
from gateway.store import queued_runs
from gateway.syncs import Syncs
from gateway.viewer import Scope as Allowed
from models.roster import MutationErrorCode, Source
from resolvers.context import Context
from resolvers.schema import schema
from tests.gateway.sources.readers import Readers
from tests.gateway.sources.test_nrps import members
from tests.upstream import Upstream
from twin.changes import set_enrollment_state
from twin.records import Course

_MINUTE = timedelta(minutes=1)
CONFIRM = """mutation ($id: ID!, $removals: Int) { confirmHeld(id: $id, removals: $removals) {
    syncRun { state held removed } errors { code message path } } }"""
MEMBERS = """query { course(by: {canvasId: "%s"}) { members(first: 500, freshness: {sources: [LOCAL]}) {
    totalCount nodes { user { canvasId } } provenance { completeness gaps { reason message } } } } }"""


@dataclass(frozen=True)
class Desk:
    """A course of which nobody is left on its list, as an operator finds it."""

    readers: Readers
    course: Course
    scope: Scope

    async def run(self) -> dict[str, Any]:
        """The run that waits."""
        [run] = await self.readers.rows("sync_run", "state = 'HELD'")
        return run

    async def pull(self) -> int:
        """How many a new list holds."""
        self.readers.twin.clock.advance(_MINUTE)
        return (await self.readers.pull(self.scope)).held

    async def confirm(self, run: int, removals: int | None = None) -> None:
        syncs = Syncs(self.readers.database, self.readers.twin.clock.now, lambda _: True)
        await syncs.confirm(self.readers.school.viewer(Allowed.ROSTER_WRITE), run, removals)

    async def refused(self, run: int, removals: int | None = None) -> str:
        before = await self.readers.rows("membership")
        with pytest.raises(WriteRefused) as refusal:
            await self.confirm(run, removals)
        assert refusal.value.code is MutationErrorCode.CONFLICT
        assert before == await self.readers.rows("membership")
        return str(refusal.value)

    async def people(self) -> set[str]:
        return await members(self.readers, self.scope)

    def reopen(self) -> None:
        """The course, with everybody in it."""
        self.readers.twin.change("course", course=str(self.course.id), to="unconcluded")
        school = self.readers.twin.app.state.school
        for row in school.enrollments.values():
            if row.course_id == self.course.id and row.workflow_state == "completed":
                set_enrollment_state(school, row, "active")

    async def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        async with open_connections(self.readers.database.url) as connections:
            clock = self.readers.twin.clock.now
            context = Context(
                viewer=self.readers.school.viewer(Allowed.ROSTER_READ, Allowed.ADMIN),
                connections=connections,
                feed=Feed(connections),
                clock=clock,
                syncs=Syncs(self.readers.database, clock, lambda _: True),
            )
            answer = await schema.execute(document, variables, context_value=context)
        assert answer.errors is None, answer.errors
        assert answer.data is not None
        return answer.data


@pytest.fixture
async def desk(readers: Readers, twin: Upstream) -> Desk:
    course = twin.cast.courses["demo"]
    scope = await readers.launched(course)
    await readers.read(readers.need(scope))
    await readers.pull(scope)
    twin.change("course", course=str(course.id), to="concluded")
    found = Desk(readers, course, scope)
    assert await found.pull() == len(await found.people())
    return found


async def test_just_those_who_were_held_go(desk: Desk) -> None:
    run = await desk.run()

    await desk.confirm(run["id"], run["held"])

    [done] = await desk.readers.rows("sync_run", f"id = {run['id']}")
    assert ("SUCCEEDED", 0, run["held"]) == (done["state"], done["held"], done["removed"])
    assert set() == await desk.people()
    assert [] == await desk.readers.rows("held_removal")
    assert all(
        row["removed_at"] is None for row in (await desk.readers.stored(desk.course)).values()
    )
    [due] = await desk.readers.rows("due_scope")
    assert ("course", desk.scope.id) == (due["scope_kind"], due["scope_id"])


async def test_the_list_that_was_confirmed_is_believed_from_then_on(desk: Desk) -> None:
    run = await desk.run()
    await desk.confirm(run["id"])

    covers = await desk.readers.rows("coverage", "source = 'NRPS' and whole = true")

    assert run["read_began_at"] in {cover["began_at"] for cover in covers}
    assert 0 == await desk.pull()
    assert [] == await desk.readers.rows("sync_run", "state = 'HELD'")


async def test_the_same_people_are_held_by_one_run_however_often_the_list_is_read(
    desk: Desk,
) -> None:
    run = await desk.run()

    await desk.pull()
    await desk.pull()

    again = await desk.run()
    assert (run["id"], run["held"]) == (again["id"], again["held"])
    assert again["read_began_at"] > run["read_began_at"]
    await desk.confirm(run["id"])
    assert set() == await desk.people()


async def test_a_list_that_lacks_others_is_another_run_and_the_first_says_nothing_more(
    desk: Desk, twin: Upstream
) -> None:
    first = await desk.run()
    desk.reopen()
    twin.change("drop", user=str(twin.cast.people["student"].id), course=str(desk.course.id))
    assert 0 == await desk.pull()

    assert "Nothing waits" in await desk.refused(first["id"])
    twin.change("course", course=str(desk.course.id), to="concluded")
    held = await desk.pull()
    second = await desk.run()
    assert first["id"] != second["id"]
    assert len(await desk.people()) == second["held"] == held
    assert "not 1" in await desk.refused(second["id"], 1)
    await desk.confirm(second["id"], held)
    assert set() == await desk.people()


async def test_nobody_goes_when_one_of_them_was_seen_since(desk: Desk, twin: Upstream) -> None:
    run = await desk.run()
    person = (await desk.readers.rows("held_removal"))[0]["person_id"]
    [row] = await desk.readers.rows("membership", f"person_id = {person}")
    await desk.readers.school.update(
        "membership", row["id"], source="LAUNCH", as_of=twin.clock.now() + _MINUTE
    )

    assert "1 of them were seen" in await desk.refused(run["id"])
    assert run["held"] == len(await desk.people())


async def test_nobody_goes_when_the_course_was_read_by_another_source_since(
    desk: Desk, twin: Upstream
) -> None:
    run = await desk.run()
    twin.clock.advance(_MINUTE)
    await desk.readers.read(desk.readers.need(desk.scope))

    assert "Nothing waits" in await desk.refused(run["id"])
    assert [] == await desk.readers.rows("held_removal")


async def test_nobody_goes_when_a_report_was_loaded_since(desk: Desk, twin: Upstream) -> None:
    """One that left every row as it was has written into none of them."""
    run = await desk.run()
    await desk.readers.school.covered(
        "enrollment", began_at=twin.clock.now() + _MINUTE, ended_at=twin.clock.now() + _MINUTE
    )

    assert "read again since" in await desk.refused(run["id"])
    assert run["held"] == len(await desk.people())


async def test_somebody_who_was_merged_meanwhile_is_in_nobodys_way(desk: Desk) -> None:
    run = await desk.run()
    person = (await desk.readers.rows("held_removal"))[0]["person_id"]
    for table in ("membership", "enrollment"):
        for row in await desk.readers.rows(table, f"person_id = {person}"):
            await desk.readers.school.delete(table, row["id"])

    await desk.confirm(run["id"])

    [done] = await desk.readers.rows("sync_run", f"id = {run['id']}")
    assert run["held"] - 1 == done["removed"]
    assert set() == await desk.people()


async def test_a_sync_that_a_job_carries_holds_by_its_own_run(desk: Desk, twin: Upstream) -> None:
    readers = desk.readers
    first = await desk.run()
    twin.clock.advance(_MINUTE)
    now = twin.clock.now()
    run, _ = await readers.database.transact(
        lambda tx: queued_runs.ask(
            tx, readers.school.id, source=Source.NRPS, scope=desk.scope, label="course", now=now
        )
    )
    need = readers.members(desk.scope)
    [offer] = await readers.nrps.offers([need], readers.viewer, now)
    await readers.nrps.fill(offer, [need], readers.viewer, Meter(), run_id=run.id)

    rows = await readers.rows("held_removal")
    assert {run.id} == {row["sync_run_id"] for row in rows}
    [own] = await readers.rows("sync_run", f"id = {run.id}")
    assert own["read_began_at"] is not None
    assert "Nothing waits" in await desk.refused(first["id"])


async def test_the_graph_says_who_waits_and_lets_them_go(desk: Desk) -> None:
    run = await desk.run()
    node = node_ids.encode("SyncRun", run["id"])

    async def shown() -> dict[str, Any]:
        data = await desk.ask(MEMBERS % desk.course.id)
        found: dict[str, Any] = data["course"]["members"]
        return found

    before = await shown()
    wrong = await desk.ask(CONFIRM, id=node, removals=run["held"] + 1)
    right = await desk.ask(CONFIRM, id=node, removals=run["held"])

    assert _held(before["provenance"]["gaps"]) == [run["held"]]
    assert [("CONFLICT", ["removals"])] == [
        (error["code"], error["path"]) for error in wrong["confirmHeld"]["errors"]
    ]
    assert [] == right["confirmHeld"]["errors"]
    assert {"state": "SUCCEEDED", "held": 0, "removed": run["held"]} == right["confirmHeld"][
        "syncRun"
    ]
    assert run["held"] == before["totalCount"] - (await shown())["totalCount"]


def _held(gaps: Sequence[dict[str, Any]]) -> list[int]:
    return [int(gap["message"].split()[0]) for gap in gaps if gap["reason"] == "HELD"]
