"""Reading lists of enrollments from the twin into the store: what is told, what has ended, and what proves nothing."""

from datetime import timedelta

import pytest

from gateway.canvas.client import Meter
from gateway.errors import CutShort, SourceDown, SourceError, SourceRefused
from gateway.needs import Scope, Subject
from models.roster import EnrollmentState, FieldGroup, Source
from tests.gateway.sources.readers import Readers
from tests.upstream import Upstream
from twin.faults import Kind

EVERY_STATE = frozenset(EnrollmentState)
_MINUTE = timedelta(minutes=1)


async def test_a_course_is_read_as_it_is(readers: Readers, twin: Upstream) -> None:
    demo = twin.cast.courses["demo"]
    taken = await readers.read(readers.need(await readers.course(demo)))

    assert taken.whole
    assert frozenset(FieldGroup) == taken.groups
    assert await readers.same_as_truth(demo)


async def test_a_course_of_many_pages_is_read_to_its_end(readers: Readers, twin: Upstream) -> None:
    taken = await readers.read(readers.need(await readers.course(twin.big)))

    assert taken.created > 200
    assert await readers.same_as_truth(twin.big)


async def test_every_state_is_read_when_asked_for(readers: Readers, twin: Upstream) -> None:
    demo = twin.cast.courses["demo"]
    await readers.read(readers.need(await readers.course(demo), states=EVERY_STATE))

    rows = await readers.rows("enrollment")
    truth = {row["id"]: row["workflow_state"].upper() for row in twin.truth(demo)}
    assert truth == {str(row["canvas_id"] % 10**13): row["state"] for row in rows}
    assert {"DELETED"} == {row["state"] for row in rows if row["removed_at"]}


async def test_people_come_with_their_names_logins_and_addresses(
    readers: Readers, twin: Upstream
) -> None:
    await readers.read(readers.need(await readers.course(twin.cast.courses["demo"])))

    [zoe] = await readers.rows("person", f"canvas_id = {10**13 + twin.cast.people['student'].id}")
    assert twin.cast.people["student"].name == zoe["name"]
    assert zoe["email"]
    assert zoe["login_id"]
    assert zoe["sis_id"]
    assert zoe["uuid"]
    assert zoe["avatar_url"]
    assert {"ENROLLMENTS_API"} == {zoe[f"{group}_source"] for group in ("name", "login", "contact")}
    kinds = {row["kind"] for row in await readers.rows("identity", f"person_id = {zoe['id']}")}
    assert {"canvas_global_id", "canvas_uuid", "sis_user_id", "login_id", "email"} <= kinds


async def test_what_was_not_asked_for_is_not_told(readers: Readers, twin: Upstream) -> None:
    names = frozenset({FieldGroup.STANDING, FieldGroup.NAME})
    taken = await readers.read(
        readers.need(await readers.course(twin.cast.courses["demo"]), groups=names)
    )

    assert FieldGroup.CONTACT not in taken.groups
    people = await readers.rows("person")
    assert {None} == {person["contact_source"] for person in people}


async def test_a_second_reading_of_the_same_changes_nothing(
    readers: Readers, twin: Upstream
) -> None:
    need = readers.need(await readers.course(twin.cast.courses["demo"]))
    await readers.read(need)
    before = len(await readers.rows("change"))

    taken = await readers.read(need)

    assert 0 == taken.created + taken.updated + taken.removed
    assert before == len(await readers.rows("change"))


async def test_a_first_load_is_one_baseline(readers: Readers, twin: Upstream) -> None:
    scope = await readers.course(twin.cast.courses["demo"])
    await readers.read(readers.need(scope))

    [entry] = await readers.rows("change", "kind <> 'UPDATED'")
    assert ("BASELINE", "Course", scope.id) == tuple(
        entry[name] for name in ("kind", "subject_type", "subject_id")
    )


@pytest.mark.parametrize("state", ["deleted", "completed", "inactive", "rejected"])
async def test_whoever_leaves_has_the_state_they_left_in(
    readers: Readers, twin: Upstream, state: str
) -> None:
    demo = twin.cast.courses["demo"]
    need = readers.need(await readers.course(demo))
    await readers.read(need)
    user = str(twin.cast.people["student"].id)
    [dropped] = twin.change("drop", user=user, course=str(demo.id), state=state)["enrollments"]
    twin.clock.advance(_MINUTE)

    await readers.read(need)

    [row] = await readers.rows("enrollment", f"canvas_id = {10**13 + dropped}")
    assert state.upper() == row["state"]
    assert (state == "deleted") == (row["removed_at"] is not None)
    assert await readers.same_as_truth(demo)
    [entry] = await readers.rows(
        "change", f"subject_id = {row['id']} and subject_type = 'Enrollment'"
    )
    assert ("REMOVED" if state == "deleted" else "UPDATED") == entry["kind"]


async def test_many_who_leave_at_once_are_read_in_one_list(
    readers: Readers, twin: Upstream
) -> None:
    """A concluded course completes everybody: no mass drop, and no question for each."""
    need = readers.need(await readers.course(twin.big))
    await readers.read(need)
    twin.change("course", course=str(twin.big.id), to="concluded")
    twin.clock.advance(_MINUTE)
    meter = Meter()

    taken = await readers.read(need, meter=meter)

    assert 0 == taken.removed
    assert {"COMPLETED"} <= {row["state"] for row in await readers.rows("enrollment")}
    assert await readers.same_as_truth(twin.big)
    assert meter.requests < 15


async def test_a_section_that_moves_takes_its_people_along(
    readers: Readers, twin: Upstream
) -> None:
    """Canvas's list of the old course leaves them out in every state."""
    demo, evening = twin.cast.courses["demo"], twin.cast.courses["evening"]
    need = readers.need(await readers.course(demo))
    await readers.read(need)
    twin.change(
        "move_section", section=str(twin.cast.sections["demo_b"].id), course=str(evening.id)
    )
    twin.clock.advance(_MINUTE)

    taken = await readers.read(need)

    assert 0 == taken.removed
    assert await readers.same_as_truth(demo)
    moved = {row["id"] for row in twin.truth(evening)} & set(await readers.stored(evening))
    assert len(moved) > 3


async def test_a_person_comes_back_under_the_same_id(readers: Readers, twin: Upstream) -> None:
    demo, student = twin.cast.courses["demo"], str(twin.cast.people["student"].id)
    need = readers.need(await readers.course(demo))
    await readers.read(need)
    before = await readers.stored(demo)
    twin.change("drop", user=student, course=str(demo.id))
    twin.clock.advance(_MINUTE)
    await readers.read(need)
    twin.change("enrol", user=student, section=str(twin.cast.sections["demo"].id))
    twin.clock.advance(_MINUTE)

    await readers.read(need)

    after = await readers.stored(demo)
    assert {k: row["id"] for k, row in before.items()} == {k: row["id"] for k, row in after.items()}
    assert "RESTORED" in {row["kind"] for row in await readers.rows("change")}


async def test_a_section_is_read_alone(readers: Readers, twin: Upstream) -> None:
    demo = twin.cast.courses["demo"]
    await readers.read(readers.need(await readers.course(demo)))
    section = await readers.section(twin.cast.sections["demo_b"])
    student = str(twin.cast.people["unicode"].id)
    twin.change("drop", user=student, course=str(demo.id))
    twin.clock.advance(_MINUTE)

    taken = await readers.read(readers.need(section))

    assert (1, True) == (taken.removed, taken.whole)
    assert await readers.same_as_truth(demo)


async def test_a_person_is_read_with_all_courses(readers: Readers, twin: Upstream) -> None:
    student = twin.cast.people["student"]
    scope = await readers.person(student)

    taken = await readers.read(readers.need(scope))

    rows = await readers.rows("enrollment", f"person_id = {scope.id}")
    current = {
        str(row.id)
        for row in twin.school.enrollments_of_user.of(student.id)
        if row.workflow_state in ("active", "invited", "creation_pending")
    }
    assert taken.whole
    assert current == {str(row["canvas_id"] % 10**13) for row in rows}


async def test_the_ledger_knows_what_was_read(readers: Readers, twin: Upstream) -> None:
    scope = await readers.course(twin.cast.courses["demo"])
    for _ in range(2):
        await readers.read(readers.need(scope))
        twin.clock.advance(_MINUTE)

    [cover] = await readers.rows("coverage")
    assert ("course", scope.id, "enrollment", "ENROLLMENTS_API", "admin") == tuple(
        cover[name] for name in ("scope_kind", "scope_id", "subject", "source", "authority")
    )
    assert cover["whole"]
    assert "ACTIVE,CREATION_PENDING,INVITED" == cover["states"]
    assert cover["requests"] >= 1
    assert cover["quota"] > 0


FAULTS = {
    "a page cut, at first": (Kind.CUT_PAGE, {"count": 1}),
    "every page cut": (Kind.CUT_PAGE, {}),
    "the second page cut": (Kind.CUT_PAGE, {"after": 1, "count": 1}),
    "no byte": (Kind.EMPTY, {}),
    "an empty list": (Kind.EMPTY_LIST, {}),
    "an empty list once": (Kind.EMPTY_LIST, {"count": 1}),
    "no links": (Kind.LINK_MISSING, {}),
    "a loop": (Kind.LINK_LOOP, {}),
    "a foreign link": (Kind.LINK_FOREIGN, {}),
    "no ids": (Kind.STRIP_IDS, {}),
    "no people": (Kind.STRIP_IDS, {"keys": ("user_id",)}),
    "no sections": (Kind.STRIP_IDS, {"keys": ("course_section_id",)}),
    "no JSON": (Kind.MALFORMED_JSON, {}),
    "half a body": (Kind.CUT_BODY, {}),
    "refused half-way": (Kind.STATUS, {"status": 403, "after": 1}),
    "down half-way": (Kind.STATUS, {"status": 502, "after": 1}),
    "unauthorized": (Kind.STATUS, {"status": 401}),
    "gone": (Kind.STATUS, {"status": 404}),
}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("kind", "more"), FAULTS.values(), ids=FAULTS)
async def test_no_fault_removes_anybody(
    readers: Readers, twin: Upstream, kind: Kind, more: dict[str, object]
) -> None:
    need = readers.need(await readers.course(twin.big))
    await readers.read(need)
    twin.break_(kind, f"/courses/{twin.big.id}/enrollments", **more)
    twin.clock.advance(_MINUTE)

    whole = await _whole(readers, need)

    assert await readers.same_as_truth(twin.big)
    twin.mend()
    assert whole or await _whole(readers, need)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("kind", "more"), FAULTS.values(), ids=FAULTS)
async def test_no_fault_makes_a_first_reading_look_whole(
    readers: Readers, twin: Upstream, kind: Kind, more: dict[str, object]
) -> None:
    need = readers.need(await readers.course(twin.big))
    twin.break_(kind, f"/courses/{twin.big.id}/enrollments", **more)

    whole = await _whole(readers, need)

    assert not whole or await readers.same_as_truth(twin.big)


async def _whole(readers: Readers, need: object) -> bool:
    try:
        return (await readers.read(need)).whole  # type: ignore[arg-type]
    except SourceError:
        return False


async def test_an_administrator_in_one_section_proves_nothing(
    readers: Readers, twin: Upstream
) -> None:
    """Canvas cuts the list of the token's owner without a sign."""
    demo = twin.cast.courses["demo"]
    need = readers.need(await readers.course(demo))
    await readers.read(need)
    admin, section = twin.cast.people["admin"], twin.cast.sections["demo_b"]
    for role in ("TeacherEnrollment", "StudentEnrollment"):
        twin.change("enrol", user=str(admin.id), section=str(section.id), role=role, limited=True)
        twin.clock.advance(_MINUTE)

        with pytest.raises(SourceRefused, match="one section only"):
            await readers.read(need)

    twin.change("drop", user=str(admin.id), course=str(demo.id))
    twin.clock.advance(_MINUTE)
    await readers.read(need)
    assert await readers.same_as_truth(demo)


async def test_a_viewers_own_token_comes_before_the_admins(
    readers: Readers, twin: Upstream
) -> None:
    demo, teacher = twin.cast.courses["demo"], twin.cast.people["teacher"]
    scope, person = await readers.course(demo), (await readers.person(teacher)).id
    readers.tokens.own[person] = twin.token("teacher")

    taken = await readers.read(readers.need(scope, person=person), eyes=person)

    assert await readers.same_as_truth(demo)
    assert taken.whole
    assert [] == list(twin.app.state.masquerades)
    [cover] = await readers.rows("coverage")
    assert f"person:{person}" == cover["authority"]


async def test_the_admin_stands_in_for_a_viewer_without_a_token(
    readers: Readers, twin: Upstream
) -> None:
    """What the limited teacher sees is told, and what they do not see stays as it was."""
    demo, teacher = twin.cast.courses["demo"], twin.cast.people["limited_teacher"]
    scope, person = await readers.course(demo), (await readers.person(teacher)).id
    await readers.read(readers.need(scope))
    dropped = str(twin.cast.people["unicode"].id)
    twin.change("drop", user=dropped, course=str(demo.id))
    twin.clock.advance(_MINUTE)

    taken = await readers.read(readers.need(scope, person=person), eyes=person)

    assert 1 == taken.removed
    assert await readers.same_as_truth(demo)


async def test_nobody_is_asked_without_a_credential(readers: Readers, twin: Upstream) -> None:
    readers.tokens.configured = None
    need = readers.need(await readers.course(twin.cast.courses["demo"]))

    assert [] == await readers.enrollments.offers([need], readers.viewer, twin.clock.now())


async def test_a_school_that_is_down_is_down(readers: Readers, twin: Upstream) -> None:
    need = readers.need(await readers.course(twin.cast.courses["demo"]))
    twin.break_(Kind.STATUS, "", status=503)

    with pytest.raises(SourceDown):
        await readers.read(need)


async def test_a_scope_that_canvas_does_not_know_is_not_offered(readers: Readers) -> None:
    course = await readers.school.course()
    need = readers.need(Scope(kind="course", id=course), subject=Subject.MEMBERS)  # type: ignore[arg-type]

    assert [] == await readers.enrollments.offers([need], readers.viewer, readers.twin.clock.now())


async def test_a_short_page_inside_a_list_is_compared_with_the_count(
    readers: Readers, twin: Upstream
) -> None:
    """The second of two readings is whole again, so the list is read twice and believed."""
    need = readers.need(await readers.course(twin.big))
    await readers.read(need)
    twin.break_(Kind.CUT_PAGE, "/enrollments", count=1)
    twin.clock.advance(_MINUTE)

    taken = await readers.read(need)

    assert taken.whole
    assert await readers.same_as_truth(twin.big)


async def test_a_list_that_leaves_out_somebody_is_not_believed(
    readers: Readers, twin: Upstream
) -> None:
    demo = twin.cast.courses["demo"]
    need = readers.need(await readers.course(demo))
    await readers.read(need)
    twin.break_(Kind.CUT_PAGE, f"/courses/{demo.id}/enrollments")
    twin.clock.advance(_MINUTE)

    with pytest.raises(CutShort, match="left out"):
        await readers.read(need)


def test_it_is_the_enrollments_api(readers: Readers) -> None:
    assert Source.ENROLLMENTS_API is readers.enrollments.source
