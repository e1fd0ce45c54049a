"""Single changes through the graph: what Canvas is told, what it is not, and what everybody sees afterwards."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.canvas.client import Fixed, Meter
from gateway.prices import PRIORS, Endpoint, PriceBooks
from gateway.store import taking
from gateway.viewer import Scope
from tests.gateway.writes.changer import ON_ONE_DATABASE, WRITER, Changer, codes, made_writes
from twin.records import Course, Enrollment, User

START, END = datetime(2026, 2, 1, 8, tzinfo=UTC), datetime(2026, 6, 1, 8, tzinfo=UTC)


@pytest.fixture
def course(changer: Changer) -> Course:
    return changer.twin.cast.courses["demo"]


async def newcomer(changer: Changer) -> User:
    """Somebody whom the store knows and the course does not."""
    user = changer.person()
    await changer.readers.person(user)
    return user


def row_of(changer: Changer, user: User, course: Course) -> Enrollment:
    [row] = [
        one
        for one in changer.twin.school.enrollments_of_user.of(user.id)
        if one.course_id == course.id
    ]
    return row


async def test_an_enrollment_is_made_and_everybody_sees_it(
    changer: Changer, course: Course
) -> None:
    await changer.read(course)
    user = await newcomer(changer)
    section = changer.twin.cast.sections["demo_b"]

    payload = await changer.do(
        "createEnrollment",
        {
            "user": changer.by(user),
            "section": changer.by(section),
            "role": "Auditor",
            "state": "ACTIVE",
            "limitPrivilegesToCourseSection": True,
            "startAt": START.isoformat(),
            "endAt": END.isoformat(),
        },
    )

    assert [] == payload["errors"]
    row = row_of(changer, user, course)
    assert ("active", True, START, END, section.id) == (
        row.workflow_state,
        row.limit_privileges_to_course_section,
        row.start_at,
        row.end_at,
        row.section_id,
    )
    shown = payload["enrollment"]
    assert ("ACTIVE", "STUDENT", "Auditor") == (shown["state"], shown["type"], shown["role"])
    stored = await changer.stored(row)
    assert ("MUTATION", None) == (stored["standing_source"], stored["removed_at"])
    change = (await changer.told())[-1]
    assert ("CREATED", "Enrollment", stored["id"], "MUTATION") == (
        change["kind"],
        change["subject_type"],
        change["subject_id"],
        change["source"],
    )


@ON_ONE_DATABASE
@pytest.mark.parametrize("key", ["demo", "unpublished", "bare"])
async def test_the_state_that_a_new_enrollment_has(changer: Changer, key: str) -> None:
    """enrollments-api.md §4: what is asked for, but that nobody learns in a course that is not published."""
    course = changer.twin.cast.courses[key]
    published = key == "demo"
    await changer.readers.course(course)
    found, expected = {}, {}
    for type_name in ("STUDENT", "TEACHER", "TA", "DESIGNER", "OBSERVER"):
        for state in (None, "ACTIVE", "INVITED", "INACTIVE"):
            user = await newcomer(changer)
            payload = await changer.do(
                "createEnrollment",
                {
                    "user": changer.by(user),
                    "course": changer.by(course),
                    "type": type_name,
                    "state": state,
                },
            )
            assert [] == payload["errors"]
            found[type_name, state] = (
                row_of(changer, user, course).workflow_state.upper(),
                payload["enrollment"]["state"],
            )
            waits = not published and type_name in ("STUDENT", "OBSERVER")
            pending = "CREATION_PENDING" if waits else "INVITED"
            becomes = state if state in ("ACTIVE", "INACTIVE") else pending
            expected[type_name, state] = (becomes, becomes)

    assert expected == found


@ON_ONE_DATABASE
@pytest.mark.parametrize("state", ["active", "invited", "inactive", "completed", "rejected"])
async def test_whoever_is_enrolled_already_is_not_reset(
    changer: Changer, course: Course, state: str
) -> None:
    row = changer.enroll(
        course,
        state=state,
        start_at=START,
        end_at=END,
        limit_privileges_to_course_section=True,
    )
    await changer.read(course)

    payload = await changer.do(
        "createEnrollment",
        {
            "user": {"canvasId": str(row.user_id)},
            "course": changer.by(course),
            "type": "STUDENT",
        },
    )

    assert ["ALREADY_EXISTS"] == codes(payload)
    assert (await changer.stored(row))["id"] == changer.row_of(payload)
    assert (state, START, END, True) == (
        row.workflow_state,
        row.start_at,
        row.end_at,
        row.limit_privileges_to_course_section,
    )


async def test_a_deleted_enrollment_comes_back_under_its_id(
    changer: Changer, course: Course
) -> None:
    row = changer.enroll(course, state="deleted")
    await changer.read(course)
    before = await changer.stored(row)

    payload = await changer.do(
        "createEnrollment",
        {"user": {"canvasId": str(row.user_id)}, "course": changer.by(course), "type": "STUDENT"},
    )

    assert [] == payload["errors"]
    assert "invited" == row.workflow_state
    assert before["id"] == changer.row_of(payload)
    assert "RESTORED" == (await changer.told())[-1]["kind"]


async def test_an_update_leaves_alone_what_it_does_not_name(
    changer: Changer, course: Course
) -> None:
    watched = changer.person()
    row = changer.enroll(
        course,
        type_name="ObserverEnrollment",
        associated_user_id=watched.id,
        start_at=START,
        end_at=END,
        limit_privileges_to_course_section=True,
    )
    await changer.read(course)
    later = END + timedelta(days=7)

    payload = await changer.do(
        "updateEnrollment", {"enrollment": changer.by(row), "endAt": later.isoformat()}
    )

    assert [] == payload["errors"]
    assert ("active", True, START, later, watched.id) == (
        row.workflow_state,
        row.limit_privileges_to_course_section,
        row.start_at,
        row.end_at,
        row.associated_user_id,
    )

    payload = await changer.do(
        "updateEnrollment", {"enrollment": changer.by(row), "startAt": None, "endAt": None}
    )

    assert [] == payload["errors"]
    assert (None, None, True) == (
        row.start_at,
        row.end_at,
        row.limit_privileges_to_course_section,
    )
    stored = await changer.stored(row)
    assert (None, None) == (stored["start_at"], stored["end_at"])


@ON_ONE_DATABASE
@pytest.mark.parametrize("key", ["past", "future"])
async def test_an_active_row_whose_dates_say_otherwise_stays_active(
    changer: Changer, key: str
) -> None:
    """A POST without a state would demote it (enrollments-api.md §6)."""
    course = changer.twin.cast.courses["open"]
    course.restrict_enrollments_to_course_dates = True
    month = timedelta(days=30)
    now = changer.twin.clock.now()
    course.start_at, course.end_at = (
        (now - 2 * month, now + month) if key == "past" else (now + month, now + 2 * month)
    )
    row = changer.enroll(course, start_at=now - 2 * month, end_at=now - month)
    if key == "future":
        row.start_at, row.end_at = now + month, now + 2 * month
    await changer.read(course)

    payload = await changer.do(
        "updateEnrollment",
        {"enrollment": changer.by(row), "limitPrivilegesToCourseSection": True},
    )

    assert [] == payload["errors"]
    assert ("active", True) == (row.workflow_state, row.limit_privileges_to_course_section)


async def test_what_is_so_already_is_not_told(changer: Changer, course: Course) -> None:
    row = changer.enroll(course, state="inactive", start_at=START, end_at=END)
    await changer.read(course)

    for mutation, asked in (
        ("endEnrollment", {"task": "DEACTIVATE"}),
        ("updateEnrollment", {"startAt": START.isoformat(), "state": "INACTIVE"}),
    ):
        payload = await changer.do(mutation, {"enrollment": changer.by(row), **asked})
        assert ([], "INACTIVE") == (payload["errors"], payload["enrollment"]["state"])

    assert [] == changer.sent()
    assert ["DONE", "DONE"] == [one["state"] for one in await changer.intents()]


@pytest.mark.parametrize(
    ("expected", "refusal"),
    [
        ({"state": "ACTIVE"}, None),
        ({"state": "INVITED"}, (["CONFLICT"], ["expected", "state"])),
        ({"updatedAt": "seen"}, None),
        ({"updatedAt": "2020-01-01T00:00:00Z"}, (["CONFLICT"], ["expected", "updatedAt"])),
    ],
)
async def test_nobody_overwrites_what_they_have_not_seen(
    changer: Changer, course: Course, expected: dict[str, Any], refusal: Any
) -> None:
    row = changer.enroll(course)
    await changer.read(course)
    if expected.get("updatedAt") == "seen":
        expected = {"updatedAt": row.updated_at.isoformat()}

    payload = await changer.do(
        "endEnrollment",
        {"enrollment": changer.by(row), "task": "DELETE", "expected": expected},
    )

    if refusal is None:
        assert [] == payload["errors"]
        assert "deleted" == row.workflow_state
    else:
        assert refusal == (codes(payload), payload["errors"][0]["path"])
        assert "active" == row.workflow_state


async def test_a_read_that_began_before_does_not_undo_it(changer: Changer, course: Course) -> None:
    leaving, staying = changer.enroll(course), changer.enroll(course, state="inactive")
    need = await changer.read(course)
    changer.twin.clock.advance(timedelta(seconds=1))
    source = changer.readers.enrollments
    task = await source._task(need, None)
    call = await source._call(task, Meter(), background=False)
    before = await source._lists.read(task, call)
    changer.twin.clock.advance(timedelta(seconds=1))

    await changer.do("endEnrollment", {"enrollment": changer.by(leaving), "task": "DELETE"})
    await changer.do("reactivateEnrollment", {"enrollment": changer.by(staying)})
    user = await newcomer(changer)
    await changer.do(
        "createEnrollment",
        {"user": changer.by(user), "course": changer.by(course), "type": "STUDENT"},
    )
    await taking.take(changer.readers.database, before, now=changer.twin.clock.now())

    states = [
        (await changer.stored(row))["state"]
        for row in (leaving, staying, row_of(changer, user, course))
    ]
    assert ["DELETED", "ACTIVE", "INVITED"] == states
    assert await changer.readers.same_as_truth(course)


# Whose rights


async def test_a_service_needs_the_scope(changer: Changer, course: Course) -> None:
    row = changer.enroll(course)
    await changer.read(course)
    reader = replace(changer.service, scopes=frozenset({Scope.ROSTER_READ}))

    payload = await changer.do(
        "endEnrollment", {"enrollment": changer.by(row), "task": "DELETE"}, reader
    )

    assert ["NOT_PERMITTED"] == codes(payload)
    assert "active" == row.workflow_state
    assert [] == await changer.intents()


@ON_ONE_DATABASE
@pytest.mark.parametrize(
    ("key", "may"), [("teacher", True), ("ta", True), ("student", False), ("sub_admin", True)]
)
async def test_canvas_judges_whom_the_service_acts_for(
    changer: Changer, course: Course, key: str, may: bool
) -> None:
    row = changer.enroll(course)
    await changer.read(course)
    user = changer.twin.cast.people[key]
    await changer.readers.person(user)
    person = await changer.person_id(user)

    payload = await changer.do(
        "endEnrollment",
        {"enrollment": changer.by(row), "task": "DELETE"},
        changer.as_person(person),
    )

    assert ([] if may else ["NOT_PERMITTED"]) == codes(payload)
    assert ("deleted" if may else "active") == row.workflow_state
    [intent] = await changer.intents()
    assert ("DONE" if may else "REFUSED", person) == (intent["state"], intent["actor_id"])
    if may:
        assert "MASQUERADE" == intent["authority"]
        assert person == (await changer.told())[-1]["actor_id"]


async def test_a_launched_person_needs_no_scope(changer: Changer, course: Course) -> None:
    row, other = changer.enroll(course), changer.enroll(course)
    await changer.read(course)
    teacher = await changer.person_id(changer.twin.cast.people["teacher"])
    launched = replace(changer.readers.school.viewer(), user_id=teacher)
    stranger = replace(launched, user_id=None)

    done = await changer.do(
        "endEnrollment", {"enrollment": changer.by(row), "task": "DELETE"}, launched
    )
    refused = await changer.do(
        "endEnrollment", {"enrollment": changer.by(other), "task": "DELETE"}, stranger
    )

    assert ([], "deleted") == (done["errors"], row.workflow_state)
    assert (["NOT_PERMITTED"], "active") == (codes(refused), other.workflow_state)


async def test_a_persons_own_token_comes_first(changer: Changer, course: Course) -> None:
    row = changer.enroll(course)
    await changer.read(course)
    teacher = changer.twin.cast.people["teacher"]
    person = await changer.person_id(teacher)
    changer.readers.tokens.own[person] = changer.twin.token("teacher")
    changer.readers.tokens.configured = Fixed(secret="of no use")

    payload = await changer.do(
        "endEnrollment",
        {"enrollment": changer.by(row), "task": "CONCLUDE"},
        changer.as_person(person),
    )

    assert [] == payload["errors"]
    assert "completed" == row.workflow_state
    assert ["OWN_TOKEN"] == [one["authority"] for one in await changer.intents()]


async def test_whoever_may_not_read_is_shown_nothing(changer: Changer, course: Course) -> None:
    row = changer.enroll(course)
    await changer.read(course)
    writer = replace(changer.service, scopes=frozenset({Scope.ROSTER_WRITE}))

    payload = await changer.do(
        "endEnrollment", {"enrollment": changer.by(row), "task": "DELETE"}, writer
    )

    assert ([], None) == (payload["errors"], payload["enrollment"])
    assert "deleted" == row.workflow_state


# What is refused, by whom and why


@ON_ONE_DATABASE
@pytest.mark.parametrize(
    ("asked", "code", "path"),
    [
        ({"course": "concluded", "type": "STUDENT"}, "CANVAS_REFUSED", None),
        ({"course": "demo", "role": "No such role"}, "INVALID", ["role"]),
        ({"course": "demo", "role": "Auditor", "type": "TEACHER"}, "INVALID", ["role"]),
        ({"course": "demo"}, "INVALID", ["type"]),
        ({"type": "STUDENT"}, "INVALID", ["course"]),
        ({"course": "demo", "section": "evening", "type": "STUDENT"}, "INVALID", ["section"]),
        ({"course": "demo", "type": "TEST_STUDENT"}, "NOT_SUPPORTED", ["type"]),
        ({"course": "demo", "type": "STUDENT", "state": "COMPLETED"}, "INVALID", ["state"]),
        (
            {"course": "demo", "type": "OBSERVER", "associatedUser": "self"},
            "INVALID",
            ["associatedUser"],
        ),
        (
            {"course": "demo", "type": "STUDENT", "associatedUser": "self"},
            "INVALID",
            ["associatedUser"],
        ),
        ({"course": "deleted", "type": "STUDENT"}, "NOT_FOUND", None),
        (
            {"course": "demo", "type": "STUDENT", "user": {"id": "VXNlcjo5OTk5OTk="}},
            "NOT_FOUND",
            ["user"],
        ),
    ],
)
async def test_what_makes_no_sense_is_refused(
    changer: Changer, asked: dict[str, Any], code: str, path: list[str] | None
) -> None:
    user = await newcomer(changer)
    cast = changer.twin.cast
    for course in cast.courses.values():
        await changer.readers.course(course)
    evening = await changer.readers.course(cast.courses["evening"])
    await changer.readers.school.section(evening.id, canvas=cast.sections["evening"].id)
    given: dict[str, Any] = {"user": changer.by(user)} | asked
    if "course" in asked:
        given["course"] = changer.by(cast.courses[asked["course"]])
    if "section" in asked:
        given["section"] = changer.by(cast.sections[asked["section"]])
    if "associatedUser" in asked:
        given["associatedUser"] = changer.by(user)

    payload = await changer.do("createEnrollment", given)

    assert [(code, path)] == [(one["code"], one["path"]) for one in payload["errors"]]
    assert payload["enrollment"] is None
    assert [] == list(changer.twin.school.enrollments_of_user.of(user.id))


# New people

PERSON = "user { id name loginId sisId } errors { code message path }"


async def test_a_person_is_made_and_can_be_enrolled(changer: Changer, course: Course) -> None:
    payload = await changer.do(
        "createUser",
        {"loginId": "nan", "name": "Nan Noe", "sisId": "S-77", "email": "nan@example.edu"},
        row=PERSON,
    )

    assert [] == payload["errors"]
    assert {"name": "Nan Noe", "loginId": "nan", "sisId": "S-77"}.items() <= payload["user"].items()
    [user] = [one for one in changer.twin.school.users.values() if one.name == "Nan Noe"]
    assert "registered" == user.workflow_state
    await changer.readers.course(course)
    enrolled = await changer.do(
        "createEnrollment",
        {"user": {"sisId": "S-77"}, "course": changer.by(course), "type": "STUDENT"},
    )
    assert [] == enrolled["errors"]
    assert "invited" == row_of(changer, user, course).workflow_state


@ON_ONE_DATABASE
@pytest.mark.parametrize(
    ("asked", "code", "path"),
    [
        ({"loginId": "toneil"}, "ALREADY_EXISTS", ["loginId"]),
        ({"loginId": "fresh", "sisId": "000123"}, "ALREADY_EXISTS", ["sisId"]),
        ({"loginId": "no<good>"}, "INVALID", ["loginId"]),
        ({"loginId": " "}, "INVALID", ["loginId"]),
    ],
)
async def test_a_person_who_cannot_be_made(
    changer: Changer, asked: dict[str, Any], code: str, path: list[str]
) -> None:
    before = len(changer.twin.school.users)

    payload = await changer.do("createUser", asked, row=PERSON)

    assert [(code, path)] == [(one["code"], one["path"]) for one in payload["errors"]]
    assert payload["user"] is None
    assert before == len(changer.twin.school.users)


async def test_a_teacher_makes_nobody(changer: Changer, course: Course) -> None:
    await changer.read(course)
    teacher = await changer.person_id(changer.twin.cast.people["teacher"])

    payload = await changer.do(
        "createUser", {"loginId": "nan"}, changer.as_person(teacher, *WRITER), row=PERSON
    )

    assert ["NOT_PERMITTED"] == codes(payload)


@ON_ONE_DATABASE
async def test_what_changes_cost_is_learned_from_them(changer: Changer, course: Course) -> None:
    row = changer.enroll(course)
    await changer.read(course)
    books = PriceBooks()
    changer.writes = await made_writes(changer.twin, changer.readers, books=books)
    book, by = books.of(changer.readers.school.id), changer.by(row)

    await changer.do("endEnrollment", {"enrollment": by, "task": "DEACTIVATE"})
    assert [Endpoint.ENROLLMENT_TASK] == list(book.news())
    await changer.do("updateEnrollment", {"enrollment": by, "limitPrivilegesToCourseSection": True})
    [(endpoint, learned)] = book.news().items()

    bill = changer.twin.app.state.bill.json()["by_endpoint"]
    [units] = [item["units"] for name, item in bill.items() if name.startswith("POST ")]
    expected = PRIORS[Endpoint.ENROLLMENT_WRITE].taught(quota=units, seconds=learned.seconds)
    assert Endpoint.ENROLLMENT_WRITE == endpoint
    assert expected.quota == pytest.approx(learned.quota)
    await changer.do("endEnrollment", {"enrollment": by, "task": "DEACTIVATE"})  # it is so already
    assert {} == book.news()
