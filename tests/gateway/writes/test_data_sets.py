"""SIS files that a school wishes to be compared with one another: only differences are applied, and nobody is falsely dropped."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.change_paths import Path
from gateway.merge import Guard
from gateway.readpath.lookups import By
from gateway.store import pins, sis_data_sets
from gateway.store.roster_changes import Change, State, Status
from gateway.uow import Database, Transaction
from gateway.writes.roster_planning import ExactlyThese
from models.roster import EnrollmentState, EnrollmentType, SisSending
from tests.gateway.writes.bulk import Bulk, bulk
from tests.upstream import Upstream
from twin.faults import Kind
from twin.records import User
from twin.sis_batch import SisBatch

S = EnrollmentState
ON_SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@dataclass(kw_only=True)
class Registrar:
    """Says who is to be in the section, again and again. `people`: those who were named last."""

    many: Bulk
    people: list[User]

    @property
    def batches(self) -> list[SisBatch]:
        return list(self.many.twin.app.state.sis_imports.batches.values())

    def states(self, users: list[User]) -> list[list[str]]:
        return [self.many.in_canvas(user) for user in users]

    async def plan(self, people: list[User], **more: Any) -> int:
        section = By("Section", "canvasId", str(self.many.section.id))
        exactly = ExactlyThese(sections=(section,), types=frozenset({EnrollmentType.STUDENT}))
        self.many.twin.clock.advance(timedelta(hours=1))  # the plan reads anew
        rows = [self.many.said(user, **more) for user in people]
        return await self.many.plan(rows, Path.SIS_IMPORT, exactly)

    async def exactly(self, people: list[User]) -> Change:
        """Planned, confirmed and carried out."""
        plan = await self.plan(people)
        removals = (await self.many.change(plan)).removals
        return await self.many.apply(plan, confirmed=removals)

    async def baseline(self) -> sis_data_sets.Sent | None:
        rows = await self.many.database.rows(
            "select distinct scope from sis_data_set where institution_id = $1",
            self.many.institution_id,
        )
        if not rows:
            return None
        return await sis_data_sets.imported(
            self.many.database, self.many.institution_id, rows[0]["scope"]
        )


@pytest.fixture
async def registrar(twin: Upstream, database: Database) -> AsyncIterator[Registrar]:
    """A school that asks for diffing; six people are in the section, by one import."""
    async with bulk(twin, database, guard=Guard(share=0.2, least=25)) as ready:
        planning = replace(ready.office.planning, diffs=True)
        many = ready._with(replace(ready.office, planning=planning))
        registrar = Registrar(many=many, people=many.strangers(8)[:6])
        first = await registrar.exactly(registrar.people)
        assert (first.state, first.sent_as) == (State.SUCCEEDED, SisSending.WHOLE)
        assert first.sent_because == "there is no import yet that it could be compared with"
        yield registrar


async def test_only_what_differs_is_applied(registrar: Registrar) -> None:
    many, people = registrar.many, registrar.people
    [first] = registrar.batches
    assert first.options.diffing_remaster
    assert first.options.change_threshold == 1
    new = many.strangers(2)[0]

    done = await registrar.exactly([*people[1:], new])

    second = registrar.batches[-1]
    assert (done.state, done.sent_as, done.sent_because) == (
        State.SUCCEEDED,
        SisSending.DIFFERENCE,
        None,
    )
    assert second.data["diffed_against_sis_batch_id"] == first.id
    assert second.counts["enrollments"] == 2  # one comes, one goes
    assert {change.new for change in second.state_changes} >= {"active", "deleted"}
    assert second.options.diffing_drop_status == "deleted"
    assert not second.options.batch_mode
    assert (second.options.diff_row_count_threshold, second.threshold_exceeded) == (2, False)
    assert registrar.states([people[0], people[1], new]) == [["deleted"], ["active"], ["active"]]

    third = await registrar.exactly(people)  # whoever went comes back, the other goes
    assert third.sent_as is SisSending.DIFFERENCE
    assert registrar.batches[-1].counts["enrollments"] == 2
    assert registrar.states([people[0], new]) == [["active"], ["deleted"]]


@ON_SQLITE
async def test_who_goes_goes_as_the_drop_policy_says(registrar: Registrar) -> None:
    many, people = registrar.many, registrar.people
    registrar.many = many._with(replace(many.office, drop=S.INACTIVE))

    done = await registrar.exactly(people[1:])

    assert (done.state, done.sent_as) == (State.SUCCEEDED, SisSending.DIFFERENCE)
    assert registrar.batches[-1].options.diffing_drop_status == "inactive"
    assert registrar.states(people) == [["inactive"], *[["active"]] * 5]
    back = await registrar.exactly(people)
    assert (back.state, back.sent_as) == (State.SUCCEEDED, SisSending.DIFFERENCE)
    assert registrar.states(people) == [["active"]] * 6


CHANGES_BY_HAND = ("removed", "concluded", "dates", "another came", "renamed")


@ON_SQLITE
@pytest.mark.parametrize("by_hand", CHANGES_BY_HAND)
async def test_what_was_changed_in_canvas_meanwhile_drops_nobody(
    registrar: Registrar, by_hand: str
) -> None:
    """Canvas compares files, and would neither see nor mend it: so the file goes whole, or what was done is part of the plan."""
    many, people = registrar.many, registrar.people
    touched, new = people[0], many.strangers(2)[0]
    row, wanted = many.row_of(touched), [*people, new]
    if by_hand == "removed":
        many.twin.change("drop", enrollment=row.id)
    elif by_hand == "concluded":
        many.twin.change("drop", enrollment=row.id, state="completed")
    elif by_hand == "dates":
        now = many.twin.clock.now()
        many.twin.school.update(row, start_at=now, end_at=now + timedelta(days=30))
    elif by_hand == "renamed":
        for login in many.twin.school.pseudonyms_of_user.of(touched.id):
            many.twin.school.update(login, sis_user_id="renamed")
        await many.readers.load()
    else:
        many.twin.change("enrol", user=str(new.id), section=str(many.section.id))
        wanted = [*people, new, many.strangers(2)[1]]

    done = await registrar.exactly(wanted)

    assert done.state is State.SUCCEEDED
    assert registrar.states(wanted) == [["active"]] * len(wanted)
    if by_hand == "another came":
        assert done.sent_as is SisSending.DIFFERENCE
        assert registrar.batches[-1].counts["enrollments"] == 2  # they are said for the first time
        return
    assert done.sent_as is SisSending.WHOLE
    assert "Canvas shows 1 of" in (done.sent_because or "")
    assert registrar.batches[-1].counts["enrollments"] == len(wanted)
    again = await registrar.exactly(wanted[1:])  # from now on it is compared again
    assert again.sent_as is SisSending.DIFFERENCE
    assert registrar.batches[-1].counts["enrollments"] == 1


@ON_SQLITE
async def test_an_enrollment_that_is_protected_is_left_out_and_not_dropped(
    registrar: Registrar,
) -> None:
    many, people = registrar.many, registrar.people
    plan = await registrar.plan(people[1:])
    [gone] = [row for row in await many.rows(plan) if row.row is None]

    async def pin(tx: Transaction) -> None:
        new = pins.New(
            institution_id=many.institution_id,
            person_id=gone.step.key.person,
            pinned_at=many.twin.clock.now(),
        )
        await pins.add(tx, new)

    await many.database.transact(pin)
    refused = await many.apply(plan, confirmed=1)  # protected since it was planned
    assert (refused.state, "moved" in (refused.message or "")) == (State.FAILED, True)

    done = await registrar.exactly([*people[1:], many.strangers(2)[0]])

    assert (done.state, done.sent_as) == (State.SUCCEEDED, SisSending.WHOLE)
    assert "1 of its enrollments are protected now" in (done.sent_because or "")
    assert registrar.states([people[0]]) == [["active"]]
    assert many.row_of(people[0]).sis_batch_id != registrar.batches[-1].id  # nor touched


@ON_SQLITE
async def test_who_left_between_plan_and_application_is_not_brought_back(
    registrar: Registrar,
) -> None:
    many, people = registrar.many, registrar.people
    plan = await registrar.plan([*people, many.strangers(2)[0]])
    many.twin.change("drop", enrollment=many.row_of(people[0]).id)

    done = await many.apply(plan)

    assert done.state is State.FAILED
    assert "the roster moved: 1 rows" in (done.message or "")
    assert registrar.states([people[0]]) == [["deleted"]]


@ON_SQLITE
@pytest.mark.parametrize("half_way", [False, True])
async def test_after_an_import_that_was_aborted_the_one_before_counts(
    registrar: Registrar, half_way: bool
) -> None:
    many, people = registrar.many, registrar.people
    new = many.strangers(2)
    known = await registrar.baseline()
    plan = await registrar.plan([*people[1:], new[0]])
    await many.changes.apply(many.viewer, plan, confirmed=1, key=None)

    async def abort(seconds: float) -> None:
        [*_, batch] = registrar.batches
        if not batch.ended:
            if half_way:
                many.twin.school.update(many.row_of(people[0]), workflow_state="deleted")
            many.twin.app.state.sis_imports.abort(batch)
        await many.twin.wait(seconds)

    await many.sleeping(abort).work(plan)
    assert (await many.change(plan)).import_state == "aborted"
    assert await registrar.baseline() == known

    done = await registrar.exactly([*people[1:], *new])

    assert done.state is State.SUCCEEDED
    assert done.sent_as is (SisSending.WHOLE if half_way else SisSending.DIFFERENCE)
    assert registrar.states([people[0], *people[1:], *new]) == [["deleted"], *[["active"]] * 7]


@ON_SQLITE
async def test_a_row_that_canvas_rejects_is_told_of_by_its_own_row(registrar: Registrar) -> None:
    """Of a difference Canvas numbers the rows of that, not those of the file."""
    many, people = registrar.many, registrar.people
    new = many.strangers(2)
    plan = await registrar.plan([*people[1:], *new])
    await many.changes.apply(many.viewer, plan, confirmed=1, key=None)

    async def rename(seconds: float) -> None:
        for login in many.twin.school.pseudonyms_of_user.of(new[1].id):
            many.twin.school.update(login, sis_user_id="renamed")
        await many.twin.wait(seconds)

    await many.sleeping(rename).work(plan)

    done = await many.change(plan)
    assert (done.state, done.sent_as) == (State.PARTLY, SisSending.DIFFERENCE)
    [failed] = [row for row in await many.rows(plan) if row.status is Status.FAILED]
    assert failed.said == new[1].name
    assert (failed.message or "").startswith("User not found")
    assert "login" in (failed.advice or "")
    await many.readers.load()
    mended = await registrar.exactly(
        [*people[1:], *new]
    )  # the file said them, and Canvas has not got them
    assert (mended.state, mended.sent_as) == (State.SUCCEEDED, SisSending.WHOLE)
    assert registrar.states(new) == [["active"], ["active"]]


@ON_SQLITE
async def test_a_file_of_somebody_else_in_between_is_noticed(registrar: Registrar) -> None:
    """A gateway that was restored from a backup, say: Canvas would compare with what is not known here."""
    many, people = registrar.many, registrar.people
    new = many.strangers(2)
    known = await registrar.baseline()
    assert known is not None
    await registrar.exactly([*people, new[0]])
    await many.database.transact(
        lambda tx: tx.run(
            "update sis_data_set set import_id = $2, file = $3 where institution_id = $1",
            many.institution_id,
            known.import_id,
            known.file,
        )
    )

    done = await registrar.exactly([*people, *new])

    assert (done.state, done.sent_as) == (State.SUCCEEDED, SisSending.WHOLE)
    assert registrar.states([*people, *new]) == [["active"]] * 8


@ON_SQLITE
async def test_a_threshold_that_is_exceeded_drops_nobody_and_begins_anew(
    registrar: Registrar,
) -> None:
    """Canvas has another base than it told of: it applies all of the file, which says the same."""
    many, people = registrar.many, registrar.people
    new = many.strangers(2)
    plan = await registrar.plan([*people[1:], new[0]])
    [first] = registrar.batches
    assert first.upload is not None
    first.upload.files[0].rows = first.upload.files[0].rows[:2]

    done = await many.apply(plan, confirmed=1)

    assert registrar.batches[-1].threshold_exceeded
    assert done.state is State.SUCCEEDED
    assert "applied all of it" in (done.sent_because or "")
    assert registrar.states([people[0], *people[1:], new[0]]) == [["deleted"], *[["active"]] * 6]
    assert await registrar.baseline() is None
    again = await registrar.exactly([*people[1:], *new])
    assert (again.state, again.sent_as) == (State.SUCCEEDED, SisSending.WHOLE)
    names = {one.options.diffing_data_set_identifier for one in registrar.batches}
    assert len(names) == 2  # a data set of its own


@ON_SQLITE
async def test_two_changes_of_one_roster_are_never_compared_with_each_other(
    registrar: Registrar,
) -> None:
    """The second would lack what the first brings, and Canvas would drop it: it goes row by row."""
    many, people = registrar.many, registrar.people
    new = many.strangers(2)
    one = await registrar.plan([*people, new[0]])
    two = await registrar.plan([*people, new[1]])
    await many.changes.apply(many.viewer, one, confirmed=None, key=None)
    await many.changes.apply(many.viewer, two, confirmed=None, key=None)
    began = False

    async def meanwhile(seconds: float) -> None:
        nonlocal began
        if not began:
            began = True
            await many.work(two)
        await many.twin.wait(seconds)

    await many.sleeping(meanwhile).work(one)

    first, second = await many.change(one), await many.change(two)
    assert (first.state, first.sent_as) == (State.SUCCEEDED, SisSending.DIFFERENCE)
    assert (second.state, second.sent_as) == (State.SUCCEEDED, SisSending.ROWS)
    assert second.sent_because == "another change of the same enrollments is being imported"
    assert registrar.states(new) == [["active"], ["active"]]


@ON_SQLITE
async def test_a_file_whose_answer_was_lost_is_compared_once(registrar: Registrar) -> None:
    many, people = registrar.many, registrar.people
    new = many.strangers(2)[0]
    plan = await registrar.plan([*people[1:], new])
    many.twin.break_(Kind.CUT_BODY, "/sis_imports", method="POST", count=1)

    done = await many.apply(plan, confirmed=1)

    assert (done.state, done.sent_as) == (State.SUCCEEDED, SisSending.DIFFERENCE)
    assert len(registrar.batches) == 2
    again = await registrar.exactly([*people, new])
    assert again.sent_as is SisSending.DIFFERENCE
    assert registrar.states([*people, new]) == [["active"]] * 7


@ON_SQLITE
async def test_rows_alone_and_rosters_that_reach_further_are_no_data_set(
    registrar: Registrar,
) -> None:
    many, people = registrar.many, registrar.people
    change = await many.plan([many.said(people[0], S.DELETED)], Path.SIS_IMPORT)
    done = await many.apply(change, confirmed=1)
    assert (done.state, done.sent_as, done.data_set) == (State.SUCCEEDED, SisSending.ROWS, None)
    assert registrar.batches[-1].options.diffing_data_set_identifier is None
    other = next(
        section
        for section in many.twin.school.sections.values()
        if section.sis_source_id
        and section.id != many.section.id
        and section.course_id != many.course.id
        and many.twin.school.courses[section.course_id].sis_source_id
    )
    there = replace(
        many.said(many.strangers(2)[0]), section=By("Section", "canvasId", str(other.id))
    )
    section = By("Section", "canvasId", str(many.section.id))
    exactly = ExactlyThese(sections=(section,), types=frozenset({EnrollmentType.STUDENT}))
    rows = [*(many.said(user) for user in people), there]
    assert (await many.change(await many.plan(rows, Path.SIS_IMPORT, exactly))).data_set is None
