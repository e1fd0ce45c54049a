"""Changes of many on the twin: planned, carried out by either path, read back, and taken back."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest

from gateway.canvas.client import Fixed
from gateway.change_paths import Path
from gateway.errors import WriteRefused
from gateway.merge import Guard
from gateway.readpath import node_ids
from gateway.readpath.lookups import By
from gateway.roster_change import Outcome
from gateway.store import change_requests, pins
from gateway.store.change_requests import Wanted as Requests
from gateway.store.intended import Authority
from gateway.store.roster_changes import State, Status
from gateway.uow import Database, Transaction
from gateway.writes import csv_rows
from gateway.writes.roster_changes import Wanted
from gateway.writes.roster_planning import ExactlyThese
from models.roster import EnrollmentState, EnrollmentType
from tests.gateway.writes.bulk import Bulk, bulk
from tests.upstream import Upstream
from twin.faults import Kind

S = EnrollmentState
ON_SQLITE = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
BOTH = pytest.mark.parametrize("path", list(Path))


@pytest.fixture
async def many(twin: Upstream, database: Database) -> AsyncIterator[Bulk]:
    async with bulk(twin, database, guard=Guard(share=0.2, least=25)) as ready:
        yield ready


@BOTH
async def test_people_come_go_and_change_and_all_of_it_is_read_back(many: Bulk, path: Path) -> None:
    first, second, third = many.strangers(3)
    change = await many.plan([many.said(one) for one in (first, second, third)], path)
    assert await many.outcomes(change) == [(Outcome.ADD, Status.WAITING)] * 3
    assert many.in_canvas(first) == []

    done = await many.apply(change)
    assert (done.state, done.message) == (State.SUCCEEDED, None)
    assert await many.outcomes(change) == [(Outcome.ADD, Status.DONE)] * 3
    for user in (first, second, third):
        assert many.in_canvas(user) == ["active"]
        assert await many.in_store(user) == ["ACTIVE"]

    rows = [many.said(first, S.DELETED), many.said(second, S.INACTIVE), many.said(third)]
    change = await many.plan(rows, path)
    done = await many.apply(change)
    assert done.state is State.SUCCEEDED
    assert await many.outcomes(change) == [
        (Outcome.REMOVE, Status.DONE),
        (Outcome.CHANGE, Status.DONE),
        (Outcome.NOTHING, Status.NONE),
    ]
    assert [many.in_canvas(one) for one in (first, second, third)] == [
        ["deleted"],
        ["inactive"],
        ["active"],
    ]
    assert await many.in_store(first) == ["DELETED"]
    assert done.requests > 0


@ON_SQLITE
async def test_ids_that_name_nobody_are_misses_of_their_rows(many: Bulk) -> None:
    [user] = many.strangers(1)
    rows = [
        replace(many.said(user), user=By("User", "sisId", "nobody")),
        many.said(user),
        many.said(user, section=By("Section", "canvasId", "999999")),
        many.said(user, type=None, role="Nobody's role"),
    ]
    change = await many.plan(rows)
    found = await many.rows(change)
    assert [row.outcome for row in found] == [
        Outcome.REFUSED,
        Outcome.ADD,
        Outcome.REFUSED,
        Outcome.REFUSED,
    ]
    assert found[0].reason == "there is no User with sisId 'nobody'"
    assert "999999" in (found[2].reason or "")
    done = await many.apply(change)
    assert done.state is State.SUCCEEDED
    assert many.in_canvas(user) == ["active"]


@ON_SQLITE
async def test_a_csv_of_any_form_means_the_same(many: Bulk) -> None:
    [user] = many.strangers(1)
    sis = str(next(p.sis_user_id for p in many.twin.school.pseudonyms_of_user.of(user.id)))
    section, course = many.section.sis_source_id, many.course.sis_source_id
    forms = [
        f"sis_user_id,sis_section_id,type\n{sis},{section},student\n",
        f"course_id,section_id,user_id,role,status\n{course},{section},{sis},student,active\n",
        f"sourcedId,status,classSourcedId,userSourcedId,role\n1,active,{section},{sis},student\n",
    ]
    for text in forms:
        wanted = Wanted(rows=tuple(csv_rows.read(text)))
        change = await many.changes.plan(many.viewer, many.reader, wanted)
        [row] = await many.rows(change)
        assert (row.outcome, row.row, row.said) == (Outcome.ADD, 2, text.splitlines()[1])


@ON_SQLITE
async def test_exactly_these_people_and_the_shrink_guard(many: Bulk) -> None:
    section = By("Section", "canvasId", str(many.section.id))
    exactly = ExactlyThese(sections=(section,), types=frozenset({EnrollmentType.STUDENT}))
    [user] = many.strangers(1)
    there = many.students()
    change = await many.plan([many.said(user)], exactly=exactly)
    kept = await many.change(change)
    assert kept.removals == len(there) > 5
    strict = many.guarded(Guard(share=0.0, least=1))
    change = await strict.plan([many.said(user)], exactly=exactly)
    held = await strict.change(change)
    assert held.held
    with pytest.raises(WriteRefused, match="confirm the number"):
        await strict.apply(change)
    with pytest.raises(WriteRefused, match="confirm the number"):
        await strict.apply(change, confirmed=held.removals - 1)
    done = await strict.apply(change, confirmed=held.removals)
    assert done.state is State.SUCCEEDED
    assert many.students() == [user.id]


@ON_SQLITE
@BOTH
@pytest.mark.parametrize("who", ["stays and is dropped", "comes", "is to go and is gone"])
async def test_exactly_these_people_or_nothing_where_the_roster_moved(
    many: Bulk, path: Path, who: str
) -> None:
    section = By("Section", "canvasId", str(many.section.id))
    exactly = ExactlyThese(sections=(section,), types=frozenset({EnrollmentType.STUDENT}))
    new, other = many.strangers(2)
    many.twin.clock.advance(timedelta(hours=1))  # of some a report says nothing
    school = many.twin.school
    *staying, going = (school.users[one] for one in many.students())
    change = await many.plan([many.said(new), *map(many.said, staying)], path, exactly=exactly)
    assert (await many.change(change)).removals
    if who == "comes":
        many.twin.change("enrol", user=str(other.id), section=str(many.section.id))
    else:
        gone = going if "go " in who else staying[0]
        many.twin.change("drop", enrollment=many.row_of(gone).id, state="deleted")
    there = many.students()

    done = await many.apply(change)

    assert done.state is State.FAILED
    assert (done.message or "").startswith("the roster moved: ")
    assert many.students() == there
    assert many.in_canvas(new) == []
    change = await many.plan([many.said(new), *map(many.said, staying)], path, exactly=exactly)
    assert (await many.apply(change)).state is State.SUCCEEDED
    assert set(many.students()) == {new.id, *(one.id for one in staying)}


@ON_SQLITE
async def test_a_type_alone_means_the_enrollment_that_is_there_whatever_its_role(
    many: Bulk,
) -> None:
    section = By("Section", "canvasId", str(many.section.id))
    exactly = ExactlyThese(sections=(section,), types=frozenset({EnrollmentType.STUDENT}))
    roles = {
        row.user_id: many.twin.school.roles[row.role_id].name
        for row in many.twin.school.enrollments_of_course.of(many.course.id)
        if row.section_id == many.section.id and row.user_id in many.students()
    }
    assert len(set(roles.values())) > 1
    everybody = [many.twin.school.users[one] for one in roles]

    change = await many.plan([many.said(one) for one in everybody], exactly=exactly)

    rows = await many.rows(change)
    assert {row.outcome for row in rows} == {Outcome.NOTHING}
    assert [row.step.key.role for row in rows] == list(roles.values())


@ON_SQLITE
async def test_nobody_goes_for_a_row_that_cannot_be_read(many: Bulk) -> None:
    section = By("Section", "canvasId", str(many.section.id))
    exactly = ExactlyThese(sections=(section,), types=frozenset({EnrollmentType.STUDENT}))
    many.twin.clock.advance(timedelta(hours=1))
    first, *others = (many.twin.school.users[one] for one in many.students())
    rows = [many.said(first), *(many.said(one) for one in others[1:])]

    mistyped = replace(many.said(first), user=By("User", "sisId", "mistyped"))

    change = await many.plan([*rows, mistyped], exactly=exactly)

    unnamed = [row for row in await many.rows(change) if row.row is None]
    assert {(row.outcome, row.reason) for row in unnamed} == {
        (Outcome.REFUSED, "1 rows do not say whom or what they mean, and this may be it")
    }
    assert (await many.change(change)).removals == 0
    change = await many.plan(rows, exactly=exactly)
    unnamed = [row for row in await many.rows(change) if row.row is None]
    assert {row.outcome for row in unnamed} == {Outcome.REMOVE}


@BOTH
async def test_what_canvas_was_told_of_each_row_and_what_it_answered_is_kept(
    many: Bulk, path: Path
) -> None:
    users = many.strangers(3)
    change = await many.plan([many.said(one) for one in users], path)
    url = f"/courses/{many.course.id}/enrollments"
    if path is Path.SINGLE_CALLS:
        many.twin.break_(Kind.MALFORMED_JSON, f"{url}$", method="POST", count=1)
    for login in many.twin.school.pseudonyms_of_user.of(users[1].id):
        many.twin.school.update(login, sis_user_id="changed meanwhile")

    await many.apply(change)

    rows = await many.rows(change)
    kept = await many.changes.exchanges(many.viewer, change, [row.place for row in rows])
    told = [[orjson.loads(one.told) for one in kept[row.place]] for row in rows]
    answers = [[orjson.loads(one.answer or "null") for one in kept[row.place]] for row in rows]
    assert {one.authority for row in rows for one in kept[row.place]} == {Authority.SERVICE}
    assert [len(one) for one in told] == [1, 1, 1]
    if path is Path.SINGLE_CALLS:
        assert [(one["method"], one["path"]) for [one] in told] == [("POST", url)] * 3
        named = [dict(one["fields"])["enrollment[user_id]"] for [one] in told]
        assert named == [str(user.id) for user in users]
        assert "error" in answers[0][0]
        assert [one["id"] for [one] in answers[1:]] == [
            str(many.row_of(one).id) for one in users[1:]
        ]
        return
    assert [one["line"] for [one] in told] == [2, 3, 4]
    assert {row["section_id"] for [one] in told for row in one["rows"]} == {
        many.section.sis_source_id
    }
    assert {one["sis_import"] for [one] in answers} == {(await many.change(change)).import_id}
    assert [(one["message"] or "")[:14] for [one] in answers] == ["", "User not found", ""]


@ON_SQLITE
@BOTH
async def test_a_change_is_taken_back_by_its_inverse(many: Bulk, path: Path) -> None:
    new, other = many.strangers(2)
    there = many.students()
    old = many.twin.school.users[there[0]]
    change = await many.plan([many.said(new), many.said(old, S.DELETED)], path)
    assert (await many.apply(change, confirmed=1)).state is State.SUCCEEDED
    undo = await many.changes.undo(many.viewer, change)
    assert (await many.change(undo)).undoes_id == change
    assert [row.outcome for row in await many.rows(undo)] == [Outcome.REMOVE, Outcome.ADD]
    assert (await many.apply(undo, confirmed=1)).state is State.SUCCEEDED
    assert (many.in_canvas(new), many.in_canvas(old)) == (["deleted"], ["active"])
    with pytest.raises(WriteRefused, match="cancelled first"):
        await many.changes.undo(many.viewer, await many.plan([many.said(other)]))


@ON_SQLITE
async def test_what_cannot_be_taken_back_says_so_beforehand(many: Bulk) -> None:
    [user] = many.strangers(1)
    await many.apply(await many.plan([many.said(user, S.INVITED)]))
    [other] = many.strangers(1)
    change = await many.plan([many.said(user, S.ACTIVE), many.said(other)])
    why = "Canvas does not make an active enrollment an invitation again; delete it first"
    foretold = [row.carried.by_undo for row in await many.rows(change) if row.carried]
    assert foretold == [why, None]
    assert (await many.apply(change)).state is State.SUCCEEDED
    back, gone = await many.rows(await many.changes.undo(many.viewer, change))
    assert (back.outcome, back.reason) == (Outcome.REFUSED, why)
    assert gone.outcome is Outcome.REMOVE


@ON_SQLITE
async def test_canvas_judges_what_a_person_may_change(many: Bulk) -> None:
    """A student may enroll nobody: every row is told so, and nothing is changed."""
    [user] = many.strangers(1)
    [student] = await many.database.rows(
        "select id from person where institution_id = $1 and canvas_id = $2",
        many.institution_id,
        10**13 + many.students()[0],
    )
    asking = replace(many.viewer, user_id=student["id"], acts_for_id=student["id"])
    own = replace(many, viewer=asking)
    change = await own.plan([own.said(user)] * 60)
    assert (await own.change(change)).path is Path.SINGLE_CALLS
    done = await own.apply(change)
    assert (done.state, done.person_id) == (State.FAILED, student["id"])
    [row, *repeated] = await own.rows(change)
    assert row.status is Status.FAILED
    assert "not authorized" in (row.message or "")
    assert {one.outcome for one in repeated} == {Outcome.REFUSED}
    await many.told_is_true_of(row, user)
    with pytest.raises(WriteRefused, match="no such change"):  # it is theirs alone
        await many.apply(change)


@ON_SQLITE
async def test_a_roster_that_moved_is_not_changed(many: Bulk) -> None:
    first, second = many.strangers(2)
    change = await many.plan([many.said(first), many.said(second)])
    many.twin.change("enrol", user=str(second.id), section=str(many.section.id))
    done = await many.apply(change)
    assert done.state is State.FAILED
    assert "1 rows are not as they were planned on" in (done.message or "")
    assert await many.outcomes(change) == [(Outcome.ADD, Status.LEFT)] * 2
    assert many.in_canvas(first) == []
    # where the store has read it meanwhile, the change is refused before it begins
    change = await many.plan([many.said(second, S.DELETED)])
    many.twin.change("drop", enrollment=many.row_of(second).id, state="inactive")
    many.twin.clock.advance(timedelta(hours=1))
    await many.plan([many.said(second)])
    with pytest.raises(WriteRefused, match="The roster moved: row 1"):
        await many.apply(change, confirmed=1)


@ON_SQLITE
async def test_it_pauses_and_goes_on_and_can_be_cancelled(many: Bulk) -> None:
    users = many.strangers(3)
    change = await many.plan([many.said(one) for one in users], Path.SINGLE_CALLS)
    await many.changes.apply(many.viewer, change, confirmed=None, key=None)
    await many.changes.pause(many.viewer, change)
    await many.work(change)
    assert (await many.change(change)).state is State.PAUSED
    assert many.in_canvas(users[0]) == []
    many.twin.change("enrol", user=str(users[2].id), section=str(many.section.id))
    assert (await many.apply(change)).state is State.FAILED  # it moved during the pause
    change = await many.plan([many.said(one) for one in users], Path.SINGLE_CALLS)
    assert (await many.apply(change)).state is State.SUCCEEDED

    change = await many.plan([many.said(one, S.DELETED) for one in users], Path.SINGLE_CALLS)
    await many.changes.apply(many.viewer, change, confirmed=3, key=None)
    await many.changes.cancel(many.viewer, change)
    await many.work(change)
    assert (await many.change(change)).state is State.CANCELLED
    assert await many.outcomes(change) == [(Outcome.REMOVE, Status.LEFT)] * 3
    assert many.in_canvas(users[0]) == ["active"]

    change = await many.plan([many.said(one, S.DELETED) for one in users], Path.SINGLE_CALLS)
    await many.changes.cancel(many.viewer, change)
    assert (await many.change(change)).state is State.CANCELLED  # it was never begun


@ON_SQLITE
async def test_an_import_that_waits_is_cancelled_with_its_change(many: Bulk) -> None:
    users = many.strangers(2)
    change = await many.plan([many.said(one) for one in users], Path.SIS_IMPORT)
    await many.changes.apply(many.viewer, change, confirmed=None, key=None)
    imports = many.twin.app.state.sis_imports
    imports._freed_at = many.twin.clock.now() + timedelta(hours=1)

    async def cancel(seconds: float) -> None:
        if (await many.change(change)).wish is None:
            await many.changes.cancel(many.viewer, change)
        await many.twin.wait(seconds)

    await many.sleeping(cancel).work(change)
    [batch] = imports.batches.values()
    assert batch.workflow_state == "aborted"
    done = await many.change(change)
    assert (done.state, done.message) == (State.FAILED, "2 rows failed")
    await many.told_is_true(change, users)


@ON_SQLITE
async def test_a_change_that_pauses_can_be_cancelled(many: Bulk) -> None:
    users = many.strangers(2)
    change = await many.plan([many.said(one) for one in users], Path.SINGLE_CALLS)
    await many.changes.apply(many.viewer, change, confirmed=None, key=None)
    await many.changes.pause(many.viewer, change)
    await many.work(change)
    await many.changes.cancel(many.viewer, change)
    await many.work(change)
    assert (await many.change(change)).state is State.CANCELLED
    assert [row.status for row in await many.rows(change)] == [Status.LEFT] * 2
    with pytest.raises(WriteRefused, match="It is CANCELLED"):
        await many.changes.pause(many.viewer, change)
    with pytest.raises(WriteRefused, match="changed nothing"):
        await many.changes.undo(many.viewer, change)


@ON_SQLITE
async def test_who_may_not_import_is_told_so_of_every_row(many: Bulk) -> None:
    users = many.strangers(2)
    change = await many.plan([many.said(one) for one in users], Path.SIS_IMPORT)
    many.twin.break_(
        Kind.STATUS,
        "/sis_imports",
        method="POST",
        status=403,
        body='{"errors": ["SIS imports are not enabled for this account"]}',
    )
    done = await many.apply(change)
    assert (done.state, done.import_state) == (State.FAILED, "refused")
    rows = await many.rows(change)
    assert all("SIS imports are not enabled" in (row.message or "") for row in rows)
    await many.told_is_true(change, users)


@ON_SQLITE
async def test_the_same_key_begins_it_once(many: Bulk) -> None:
    [user] = many.strangers(1)
    change = await many.plan([many.said(user)])
    for _ in range(2):
        await many.changes.apply(many.viewer, change, confirmed=None, key="mine")
    with pytest.raises(WriteRefused, match="another input"):
        await many.changes.apply(many.viewer, change, confirmed=1, key="mine")
    with pytest.raises(WriteRefused, match="applied once"):
        await many.changes.apply(many.viewer, change, confirmed=None, key=None)
    queued = await many.database.rows(
        "select name from queued_job where institution_id = $1", many.institution_id
    )
    assert [row["name"] for row in queued] == ["roster change"]
    noted = await change_requests.find(many.database, many.institution_id, Requests(limit=5))
    assert [(one.operation, one.service) for one in noted] == [("applyRosterChange", "registrar")]
    assert orjson.loads(noted[0].asked)["rosterChange"] == node_ids.encode("RosterChange", change)


@ON_SQLITE
async def test_who_is_pinned_is_not_touched(many: Bulk) -> None:
    first, second = (many.twin.school.users[one] for one in many.students()[:2])
    rows = [many.said(first, S.DELETED), many.said(second, S.DELETED)]
    found = await many.rows(await many.plan(rows))

    async def pin(tx: Transaction) -> None:
        new = pins.New(
            institution_id=many.institution_id,
            person_id=found[0].step.key.person,
            pinned_at=many.twin.clock.now(),
        )
        await pins.add(tx, new)

    await many.database.transact(pin)
    kept, gone = await many.rows(await many.plan(rows))
    assert (kept.outcome, gone.outcome) == (Outcome.REFUSED, Outcome.REMOVE)
    assert kept.reason == "the enrollment is protected from changes of many"


@ON_SQLITE
async def test_who_is_pinned_while_it_runs_is_not_touched_either(many: Bulk) -> None:
    first, second = (many.twin.school.users[one] for one in many.students()[:2])
    change = await many.plan(
        [many.said(first, S.DELETED), many.said(second, S.DELETED)], Path.SINGLE_CALLS
    )
    [_, row] = await many.rows(change)
    await many.changes.apply(many.viewer, change, confirmed=2, key=None)
    many.twin.break_(Kind.LATE_ANSWER, "/enrollments/", method="DELETE", count=1, seconds=0.5)
    working = asyncio.create_task(many.work(change))
    while many.in_canvas(first) != ["deleted"]:  # and Canvas has not answered yet
        assert not working.done()
        await asyncio.sleep(0.01)

    async def pin(tx: Transaction) -> None:
        person = row.step.key.person
        new = pins.New(
            institution_id=many.institution_id, person_id=person, pinned_at=many.twin.clock.now()
        )
        await pins.add(tx, new)

    await many.database.transact(pin)
    await working
    assert many.in_canvas(second) == ["active"]
    gone, kept = await many.rows(change)
    assert (gone.status, kept.status) == (Status.DONE, Status.FAILED)
    assert kept.message == "it was protected from changes of many meanwhile"


@ON_SQLITE
async def test_who_was_erased_since_the_plan_is_left_out(many: Bulk) -> None:
    first, second = many.strangers(2)
    change = await many.plan([many.said(first), many.said(second)])

    async def erase(tx: Transaction) -> None:  # as `gateway.store.erasing` leaves the row
        await tx.run(
            "update roster_change_row set step = null, said = null where institution_id = $1 and place = 1",
            many.institution_id,
        )

    await many.database.transact(erase)
    assert (await many.apply(change)).state is State.SUCCEEDED
    assert (many.in_canvas(first), many.in_canvas(second)) == ([], ["active"])


@ON_SQLITE
async def test_while_canvas_is_down_it_pauses_and_goes_on_later(many: Bulk) -> None:
    users = many.strangers(3)
    change = await many.plan([many.said(one) for one in users], Path.SINGLE_CALLS)
    await many.changes.apply(many.viewer, change, confirmed=None, key=None)
    many.twin.break_(Kind.STATUS, status=503, path="/enrollments", after=3)
    assert await many.work(change, last=False) is not None
    assert (await many.change(change)).state is State.RUNNING
    assert await many.work(change) is not None
    paused = await many.change(change)
    assert paused.state is State.PAUSED
    assert "apply it to go on" in (paused.message or "")
    many.twin.mend()
    assert (await many.apply(change)).state is State.SUCCEEDED
    await many.told_is_true(change, users)


@ON_SQLITE
@BOTH
async def test_a_token_that_is_not_good_any_more_pauses_it(many: Bulk, path: Path) -> None:
    users = many.strangers(2)
    change = await many.plan([many.said(one) for one in users], path)
    await many.changes.apply(many.viewer, change, confirmed=None, key=None)
    good = many.readers.tokens.configured
    many.readers.tokens.configured = Fixed(secret="revoked")
    assert await many.work(change) is not None
    assert (await many.change(change)).state is State.PAUSED
    many.readers.tokens.configured = None
    await many.changes.apply(many.viewer, change, confirmed=None, key=None)
    assert await many.work(change) is None
    assert "no admin_token" in ((await many.change(change)).message or "")
    many.readers.tokens.configured = good
    assert (await many.apply(change)).state is State.SUCCEEDED
    await many.told_is_true(change, users)


@ON_SQLITE
async def test_warnings_of_a_file_come_to_their_rows_with_a_fix(many: Bulk) -> None:
    users = many.strangers(3)
    change = await many.plan([many.said(one) for one in users], Path.SIS_IMPORT)
    for login in many.twin.school.pseudonyms_of_user.of(users[1].id):
        many.twin.school.update(login, sis_user_id="changed meanwhile")
    done = await many.apply(change)
    assert (done.state, done.message) == (State.PARTLY, "1 rows failed")
    assert done.import_state == "imported_with_messages"
    rows = await many.rows(change)
    assert [row.status for row in rows] == [Status.DONE, Status.FAILED, Status.DONE]
    assert (rows[1].message or "").startswith("User not found")
    assert "login" in (rows[1].advice or "")
    await many.told_is_true(change, users)


@ON_SQLITE
async def test_an_import_that_is_stuck_pauses_it_and_is_not_sent_again(many: Bulk) -> None:
    users = many.strangers(2)
    change = await many.plan([many.said(one) for one in users], Path.SIS_IMPORT)
    await many.changes.apply(many.viewer, change, confirmed=None, key=None)
    imports = many.twin.app.state.sis_imports
    imports._freed_at = many.twin.clock.now() + timedelta(hours=5)
    assert "is still created after" in (await many.work(change) or "")
    assert (await many.change(change)).state is State.PAUSED
    assert {row.status for row in await many.rows(change)} == {Status.SENDING}
    assert await many.in_store(users[0]) == []
    imports._freed_at = many.twin.clock.now()
    assert (await many.apply(change)).state is State.SUCCEEDED
    assert len(imports.batches) == 1
    await many.told_is_true(change, users)


@ON_SQLITE
async def test_an_import_that_is_aborted_is_told_row_by_row(many: Bulk) -> None:
    users = many.strangers(2)
    change = await many.plan([many.said(one) for one in users], Path.SIS_IMPORT)
    await many.changes.apply(many.viewer, change, confirmed=None, key=None)
    imports = many.twin.app.state.sis_imports

    async def abort(seconds: float) -> None:
        for batch in imports.batches.values():
            if not batch.ended:
                imports.abort(batch)
        await many.twin.wait(seconds)

    await many.sleeping(abort).work(change)
    done = await many.change(change)
    assert (done.state, done.import_state) == (State.FAILED, "aborted")
    rows = await many.rows(change)
    assert {row.status for row in rows} == {Status.FAILED}
    assert all("ended as aborted" in (row.message or "") for row in rows)
    await many.told_is_true(change, users)
