"""Things that the store does not know, asked of the twin by every form of id."""

import asyncio
from datetime import timedelta

import pytest

from gateway.cache import Cache
from gateway.errors import BadRequest, PublicError, SourceUnavailable
from gateway.readpath.lookups import By
from gateway.sources.lookups import MISSES_KEPT_FOR, Lookups
from tests.acceptance.dropping import FAULTS
from tests.gateway.sources.readers import Readers
from tests.upstream import Upstream
from twin.faults import Kind

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@pytest.fixture
def lookups(readers: Readers, twin: Upstream) -> Lookups:
    return Lookups(
        institution_id=readers.school.id,
        canvas=twin.canvas(readers.http),
        database=readers.database,
        credentials=readers.tokens,
        clock=twin.clock.now,
        cache=Cache(twin.clock.now),
    )


def forms(twin: Upstream) -> dict[str, tuple[By, str, int]]:
    """An id of each form, and the table and Canvas id of what it names."""
    demo, section = twin.cast.courses["demo"], twin.cast.sections["demo_b"]
    student = twin.cast.people["student"]
    login = next(iter(twin.school.pseudonyms_of_user.of(student.id)))
    row = next(iter(twin.school.enrollments_of_user.of(student.id)))
    return {
        "a course": (By("Course", "canvasId", str(demo.id)), "course", demo.id),
        "a course by SIS id": (By("Course", "sisId", demo.sis_source_id or ""), "course", demo.id),
        "a course by LTI": (By("Course", "ltiContextId", demo.lti_context_id), "course", demo.id),
        "a section": (By("Section", "canvasId", str(section.id)), "section", section.id),
        "a section by SIS id": (
            By("Section", "sisId", section.sis_source_id or ""),
            "section",
            section.id,
        ),
        "a user": (By("User", "canvasId", str(student.id)), "person", student.id),
        "a user by SIS id": (By("User", "sisId", login.sis_user_id or ""), "person", student.id),
        "a user by login": (By("User", "loginId", login.unique_id), "person", student.id),
        "a user by sub": (By("User", "ltiSub", student.lti_id), "person", student.id),
        "a user by uuid": (By("User", "uuid", student.uuid), "person", student.id),
        "an enrollment": (By("Enrollment", "canvasId", str(row.id)), "enrollment", row.id),
    }


async def test_every_form_of_id_is_asked_for(
    lookups: Lookups, readers: Readers, twin: Upstream
) -> None:
    for name, (by, table, canvas_id) in forms(twin).items():
        assert lookups.answers(by), name

        found = await lookups.ask(by)

        [row] = await readers.rows(table, f"canvas_id = {10**13 + canvas_id}")
        assert found == row["id"], name
        await readers.forget_everything()


async def test_an_enrollment_comes_with_its_person_and_places(
    lookups: Lookups, readers: Readers, twin: Upstream
) -> None:
    by, _, _ = forms(twin)["an enrollment"]
    await lookups.ask(by)

    [person] = await readers.rows("person")
    assert twin.cast.people["student"].name == person["name"]
    assert 1 == len(await readers.rows("course"))
    assert 1 == len(await readers.rows("section"))
    assert [] == await readers.rows("coverage")


async def test_what_is_not_there_is_remembered(
    lookups: Lookups, readers: Readers, twin: Upstream
) -> None:
    by = By("User", "sisId", "nobody's")
    for _ in range(3):
        assert await lookups.ask(by) is None
    once = sum(twin.billed().values())

    twin.clock.advance(MISSES_KEPT_FOR + timedelta(seconds=1))
    assert await lookups.ask(by) is None

    assert (1, 2) == (once, sum(twin.billed().values()))


async def test_could_not_ask_is_no_no(lookups: Lookups, readers: Readers, twin: Upstream) -> None:
    by, _, _ = forms(twin)["a user"]
    twin.break_(Kind.STATUS, "/users", status=503)
    with pytest.raises(SourceUnavailable, match="could not be asked"):
        await lookups.ask(by)

    twin.mend()

    assert await lookups.ask(by) is not None


async def test_a_refusal_is_no_no_either(
    lookups: Lookups, readers: Readers, twin: Upstream
) -> None:
    """A token without the scope for it would be told so of anybody."""
    by, _, _ = forms(twin)["a user"]
    lacking = '{"errors":[{"message":"Insufficient scopes on access token."}]}'
    twin.break_(Kind.STATUS, "/users", status=401, body=lacking)
    with pytest.raises(SourceUnavailable, match="Insufficient scopes"):
        await lookups.ask(by)


async def test_without_a_token_nothing_can_be_asked(
    lookups: Lookups, readers: Readers, twin: Upstream
) -> None:
    readers.tokens.configured = None

    with pytest.raises(SourceUnavailable, match="no token"):
        await lookups.ask(By("User", "canvasId", "1"))


async def test_equal_questions_at_one_time_are_one(
    lookups: Lookups, readers: Readers, twin: Upstream
) -> None:
    by, _, _ = forms(twin)["a user"]
    found = await asyncio.gather(*(lookups.ask(by) for _ in range(20)))

    assert 1 == len(set(found))
    assert 1 == sum(twin.billed().values())


async def test_a_merged_person_answers_as_the_survivor(
    lookups: Lookups, readers: Readers, twin: Upstream
) -> None:
    loser, survivor = twin.cast.people["twin_one"], twin.cast.people["unicode"]
    twin.change("merge", loser=str(loser.id), survivor=str(survivor.id))

    found = await lookups.ask(By("User", "canvasId", str(loser.id)))

    [person] = await readers.rows("person")
    assert (found, 10**13 + survivor.id) == (person["id"], person["canvas_id"])


async def test_what_is_no_id_is_a_mistake(lookups: Lookups, readers: Readers) -> None:
    with pytest.raises(BadRequest):
        await lookups.ask(By("Course", "canvasId", "botany"))


def test_other_things_are_not_asked_for(lookups: Lookups) -> None:
    assert not lookups.answers(By("SyncRun", "id", "1"))
    assert not lookups.answers(By("Account", "sisId", "x"))


async def test_no_fault_makes_somebody_unknown(
    lookups: Lookups, readers: Readers, twin: Upstream
) -> None:
    """But Canvas's own word that there is no such thing."""
    for fault, (kind, more) in FAULTS.items():
        if more.get("status") == 404:
            continue
        for name, (by, _, _) in forms(twin).items():
            twin.break_(kind, **more)
            try:
                found = await lookups.ask(by)
            except PublicError:
                found = 0
            twin.mend()

            assert found is not None, f"{name}, {fault}"
            twin.clock.advance(timedelta(hours=1))
            assert await lookups.ask(by) is not None, f"{name}, after {fault}"
