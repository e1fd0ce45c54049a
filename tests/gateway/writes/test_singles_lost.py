"""Asked twice, answered never, killed between: a change is carried out once, and what came of it is found out by looking."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.gateway.writes.changer import Changer, broken, codes, made_writes
from twin.faults import Kind
from twin.records import Course, Enrollment

ROWS = "enrollments"
PERSON = "user { id name } errors { code message path }"

# Of each mutation: the state of the row before, the input, and the state when it was done.
CHANGES: dict[str, tuple[str, dict[str, Any], str]] = {
    "endEnrollment": ("active", {"task": "DELETE"}, "deleted"),
    "updateEnrollment": ("inactive", {"limitPrivilegesToCourseSection": True}, "inactive"),
    "reactivateEnrollment": ("inactive", {}, "active"),
    "createEnrollment": ("deleted", {"type": "STUDENT", "state": "ACTIVE"}, "active"),
}
# After Canvas did it: the answer breaks off, is no JSON, is empty.
EFFECT = (Kind.CUT_BODY, Kind.MALFORMED_JSON, Kind.EMPTY)


@pytest.fixture
def course(changer: Changer) -> Course:
    return changer.twin.cast.courses["demo"]


def asked_of(changer: Changer, mutation: str, row: Enrollment, **more: Any) -> dict[str, Any]:
    asked = {**CHANGES[mutation][1], **more}
    if mutation == "createEnrollment":
        course = changer.twin.school.courses[row.course_id]
        user = {"canvasId": str(row.user_id)}
        return {"user": user, "course": changer.by(course), **asked}
    return {"enrollment": changer.by(row), **asked}


def sent(changer: Changer) -> int:
    return len(changer.sent())


@pytest.mark.parametrize("mutation", CHANGES)
async def test_the_same_key_gives_the_same_answer(
    changer: Changer, course: Course, mutation: str
) -> None:
    before, _, after = CHANGES[mutation]
    row, other = changer.enroll(course, state=before), changer.enroll(course, state=before)
    await changer.read(course)
    asked = asked_of(changer, mutation, row, idempotencyKey="once")

    first = await changer.do(mutation, asked)
    changer.writes = await made_writes(
        changer.twin, changer.readers
    )  # the process was started anew
    changer.twin.clock.advance(timedelta(hours=23))
    again = await changer.do(mutation, asked)

    assert ([], after) == (first["errors"], row.workflow_state)
    assert (first["errors"], changer.row_of(first)) == (again["errors"], changer.row_of(again))
    assert 1 == sent(changer)
    elsewise = await changer.do(mutation, asked_of(changer, mutation, other, idempotencyKey="once"))
    assert ["IDEMPOTENCY_MISMATCH"] == codes(elsewise)
    assert before == other.workflow_state
    assert 1 == sent(changer)


async def test_a_key_belongs_to_its_caller(changer: Changer, course: Course) -> None:
    one, two = changer.enroll(course), changer.enroll(course)
    await changer.read(course)
    teacher = await changer.person_id(changer.twin.cast.people["teacher"])

    for viewer, row in ((changer.service, one), (changer.as_person(teacher), two)):
        asked = {"enrollment": changer.by(row), "task": "DELETE", "idempotencyKey": "mine"}
        assert [] == codes(await changer.do("endEnrollment", asked, viewer))

    assert ["deleted", "deleted"] == [one.workflow_state, two.workflow_state]


async def test_a_refusal_is_the_answer_too(changer: Changer, course: Course) -> None:
    row = changer.enroll(course)
    await changer.read(course)
    asked = {
        "enrollment": changer.by(row),
        "task": "DELETE",
        "expected": {"state": "INVITED"},
        "idempotencyKey": "once",
    }

    first = await changer.do("endEnrollment", asked)
    row.workflow_state = "invited"
    again = await changer.do("endEnrollment", asked)

    assert ["CONFLICT"] == codes(first)
    assert first["errors"] == again["errors"]


async def test_ten_at_once_with_one_key_are_one(changer: Changer, course: Course) -> None:
    row = changer.enroll(course, state="deleted")
    await changer.read(course)
    asked = asked_of(changer, "createEnrollment", row, idempotencyKey="once")

    payloads = await asyncio.gather(*(changer.do("createEnrollment", asked) for _ in range(10)))

    assert 1 == sent(changer)
    assert [([], "ACTIVE")] * 10 == [
        (payload["errors"], payload["enrollment"]["state"]) for payload in payloads
    ]


async def test_two_changes_of_one_row_do_not_undo_each_other(
    changer: Changer, course: Course
) -> None:
    """Each says all fields: the second has to be decided on what the first made of the row."""
    row = changer.enroll(course)
    await changer.read(course)
    by = changer.by(row)

    payloads = await asyncio.gather(
        changer.do("updateEnrollment", {"enrollment": by, "limitPrivilegesToCourseSection": True}),
        changer.do("updateEnrollment", {"enrollment": by, "endAt": "2026-06-01T00:00:00Z"}),
        changer.do("updateEnrollment", {"enrollment": by, "startAt": "2026-02-01T00:00:00Z"}),
    )

    done = [payload for payload in payloads if not payload["errors"]]
    assert len(done) == sum(
        (row.limit_privileges_to_course_section, row.end_at is not None, row.start_at is not None)
    )
    assert {"CONFLICT"} >= {code for payload in payloads for code in codes(payload)}
    assert done


@pytest.mark.parametrize("mutation", CHANGES)
@pytest.mark.parametrize("kind", EFFECT)
async def test_a_lost_answer_is_read_back(
    changer: Changer, course: Course, mutation: str, kind: Kind
) -> None:
    before, _, after = CHANGES[mutation]
    row = changer.enroll(course, state=before)
    await changer.read(course)

    with broken(changer.twin, kind, ROWS, method=METHODS[mutation], count=1) as fault:
        payload = await changer.do(mutation, asked_of(changer, mutation, row))

    assert 1 == fault.hits == sent(changer)
    assert ([], after.upper()) == (payload["errors"], payload["enrollment"]["state"])
    assert after == row.workflow_state
    assert after.upper() == (await changer.stored(row))["state"]
    [intent] = await changer.intents()
    assert ("DONE", 1, None) == (intent["state"], int(intent["read_back"]), intent["answer"])


METHODS = {
    "endEnrollment": "DELETE",
    "updateEnrollment": "POST",
    "reactivateEnrollment": "PUT",
    "createEnrollment": "POST",
}


@pytest.mark.parametrize("mutation", CHANGES)
async def test_what_canvas_did_not_do_is_not_told_again_blindly(
    changer: Changer, course: Course, mutation: str
) -> None:
    before, _, after = CHANGES[mutation]
    row = changer.enroll(course, state=before)
    await changer.read(course)
    asked = asked_of(changer, mutation, row, idempotencyKey="once")

    with broken(changer.twin, Kind.STATUS, ROWS, method=METHODS[mutation], status=502) as fault:
        first = await changer.do(mutation, asked)
        soon = await changer.do(mutation, asked)

        # it may still be on its way: nobody says yet that it was not done, and nobody else may change the row
        assert ["CANVAS_UNAVAILABLE"] == codes(first) == codes(soon)
        assert 1 == fault.hits
        assert ["TOLD"] == [one["state"] for one in await changer.intents()]
        other = await changer.do(mutation, asked_of(changer, mutation, row))
        assert ["CONFLICT"] == codes(other)
        assert (1, before) == (fault.hits, row.workflow_state)

    changer.twin.clock.advance(timedelta(minutes=2))
    again = await changer.do(mutation, asked)

    assert ([], after) == (again["errors"], row.workflow_state)


async def test_what_took_effect_late_is_found_by_itself(changer: Changer, course: Course) -> None:
    row = changer.enroll(course)
    await changer.read(course)
    asked = {"enrollment": changer.by(row), "task": "DELETE", "idempotencyKey": "once"}
    with broken(changer.twin, Kind.STATUS, ROWS, method="DELETE", status=504):
        first = await changer.do("endEnrollment", asked)
    assert ["CANVAS_UNAVAILABLE"] == codes(first)
    changer.twin.change("drop", enrollment=row.id)
    changer.twin.clock.advance(timedelta(minutes=5))

    await _looked(changer)

    assert ["DONE"] == [one["state"] for one in await changer.intents()]
    again = await changer.do("endEnrollment", asked)
    assert ([], "DELETED") == (again["errors"], again["enrollment"]["state"])
    assert "DELETED" == (await changer.stored(row))["state"]


@pytest.mark.parametrize("kind", EFFECT)
async def test_a_person_is_made_once(changer: Changer, kind: Kind) -> None:
    asked = {"loginId": "nan", "name": "Nan Noe", "sisId": "S-77", "idempotencyKey": "once"}

    with broken(changer.twin, kind, "/users", method="POST", count=1):
        payload = await changer.do("createUser", asked, row=PERSON)
    again = await changer.do("createUser", asked, row=PERSON)

    assert ([], "Nan Noe") == (payload["errors"], payload["user"]["name"])
    assert payload == again
    assert 1 == sent(changer)
    assert 1 == [user.name for user in changer.twin.school.users.values()].count("Nan Noe")


async def test_somebody_who_was_there_before_is_not_taken_for_the_new_one(changer: Changer) -> None:
    changer.person("Nan Noe").created_at -= timedelta(days=1)
    [login] = [
        one for one in changer.twin.school.pseudonyms.values() if one.unique_id.startswith("nora")
    ]
    with broken(changer.twin, Kind.STATUS, "/users", method="POST", status=500):
        payload = await changer.do("createUser", {"loginId": login.unique_id}, row=PERSON)

    assert ["CANVAS_UNAVAILABLE"] == codes(payload)
    assert payload["user"] is None


async def test_a_throttled_change_waits_its_turn(changer: Changer, course: Course) -> None:
    row = changer.enroll(course)
    await changer.read(course)

    with broken(changer.twin, Kind.THROTTLE, ROWS, method="DELETE", count=3) as fault:
        payload = await changer.do(
            "endEnrollment", {"enrollment": changer.by(row), "task": "DELETE"}
        )

    assert 3 == fault.hits
    assert ([], "deleted") == (payload["errors"], row.workflow_state)


@pytest.mark.parametrize("mutation", CHANGES)
async def test_what_the_throttle_alone_refused_is_throttled_and_goes_through_later(
    changer: Changer, course: Course, mutation: str
) -> None:
    """Nothing was done, and that is certain: nobody has to look, and nobody waits for it."""
    before, _, after = CHANGES[mutation]
    row = changer.enroll(course, state=before)
    await changer.read(course)
    asked = asked_of(changer, mutation, row, idempotencyKey="once")
    told = "enrollment { state } errors { code message retryAfter }"

    with broken(changer.twin, Kind.THROTTLE, ROWS, method=METHODS[mutation]) as fault:
        refused = await changer.do(mutation, asked, row=told)
        hits = fault.hits
        again = await changer.do(mutation, asked, row=told)

    assert ["THROTTLED"] == codes(refused) == codes(again)
    assert fault.hits > hits > 1  # it was patient, and asked anew
    # 13.7 units are left, and Canvas takes nobody in at 50
    assert "PT4S" == refused["errors"][0]["retryAfter"]
    assert before == row.workflow_state
    assert ["REFUSED"] == [one["state"] for one in await changer.intents()]
    other = await changer.do(mutation, asked_of(changer, mutation, row))
    assert ([], after) == (codes(other), row.workflow_state)  # its place is free


async def test_a_throttled_change_is_done_with_its_key_once_there_is_room(
    changer: Changer, course: Course
) -> None:
    row = changer.enroll(course)
    await changer.read(course)
    asked = asked_of(changer, "endEnrollment", row, idempotencyKey="once")
    with broken(changer.twin, Kind.THROTTLE, ROWS, method="DELETE"):
        assert ["THROTTLED"] == codes(await changer.do("endEnrollment", asked))

    done = await changer.do("endEnrollment", asked)
    same = await changer.do("endEnrollment", asked)

    assert ([], "DELETED") == (done["errors"], done["enrollment"]["state"])
    assert done == same
    assert ["DONE"] == [one["state"] for one in await changer.intents()]


async def test_a_throttled_look_is_throttled_too(changer: Changer, course: Course) -> None:
    row = changer.enroll(course)
    await changer.read(course)

    with broken(changer.twin, Kind.THROTTLE, ROWS, method="GET"):
        payload = await changer.do("endEnrollment", asked_of(changer, "endEnrollment", row))

    assert (["THROTTLED"], "active") == (codes(payload), row.workflow_state)


@pytest.mark.parametrize("state", ["ASKED", "TOLD"])
async def test_what_a_killed_process_left_is_gone_on_with(
    changer: Changer, course: Course, state: str
) -> None:
    """Killed before Canvas was told, and after it did it and before the answer came."""
    row = changer.enroll(course)
    await changer.read(course)
    asked = {"enrollment": changer.by(row), "task": "DELETE", "idempotencyKey": "once"}
    await changer.do("endEnrollment", asked)
    [intent] = await changer.intents()
    await changer.readers.school.update("intent", intent["id"], state=state, ended_at=None)
    if state == "ASKED":
        await changer.readers.school.update("intent", intent["id"], step=None, target=None)
        row.workflow_state = "active"
        await changer.read(course)
    told = sent(changer)
    changer.twin.clock.advance(timedelta(minutes=5))

    payload = await changer.do("endEnrollment", asked)

    assert ([], "DELETED") == (payload["errors"], payload["enrollment"]["state"])
    assert "deleted" == row.workflow_state
    assert told + (state == "ASKED") == sent(changer)


async def test_whoever_comes_late_tells_nothing(changer: Changer, course: Course) -> None:
    """A process that was held up so long that another went on in its place."""
    row = changer.enroll(course)
    await changer.read(course)
    asked = {"enrollment": changer.by(row), "task": "DELETE", "idempotencyKey": "once"}
    late_to_know = changer.twin.break_(
        Kind.LATE_ANSWER, "user_id=", method="GET", seconds=4.0, count=1
    )
    late = asyncio.create_task(changer.do("endEnrollment", asked))
    while not late_to_know.hits:  # noqa: ASYNC110  the twin counts in a thread of its own
        await asyncio.sleep(0.01)
    changer.writes = await made_writes(changer.twin, changer.readers)
    soon = await changer.do("endEnrollment", asked)
    changer.twin.clock.advance(timedelta(minutes=1))
    done = await changer.do("endEnrollment", asked)

    assert (["CONFLICT"], []) == (codes(soon), codes(done))
    assert ["CANVAS_UNAVAILABLE"] == codes(await late)
    assert 1 == sent(changer)
    assert ["DONE"] == [one["state"] for one in await changer.intents()]
    assert [] == codes(await changer.do("endEnrollment", asked))


async def test_what_canvas_was_never_told_is_given_up(changer: Changer, course: Course) -> None:
    row = changer.enroll(course)
    await changer.read(course)
    asked = {"enrollment": changer.by(row), "task": "DELETE", "idempotencyKey": "once"}
    with broken(changer.twin, Kind.STATUS, "user_id=", method="GET", status=404):
        await changer.do("endEnrollment", asked)
    [intent] = await changer.intents()
    left = {"state": "ASKED", "problem": None, "ended_at": None}
    await changer.readers.school.update("intent", intent["id"], **left)
    changer.twin.clock.advance(timedelta(minutes=10))

    await _looked(changer)

    [intent] = await changer.intents()
    assert "REFUSED" == intent["state"]
    assert "CANVAS_UNAVAILABLE" in intent["problem"]
    again = await changer.do("endEnrollment", asked)
    assert ([], "deleted", 1) == (again["errors"], row.workflow_state, sent(changer))


async def _looked(changer: Changer) -> None:
    """After a process has begun, and looked at what was left open."""
    looked = asyncio.Event()

    async def sleep(_seconds: float) -> None:
        """Until it is looked again: never."""
        looked.set()
        await asyncio.Event().wait()

    watched = await made_writes(changer.twin, changer.readers, sleep=sleep)
    async with watched.running():
        await asyncio.wait_for(looked.wait(), 10)
