"""Live Events in: whose word counts, what it changes, what it only makes due, in any order and however often."""

from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from gateway.errors import ConfigurationError, EventRefused
from gateway.events.envelope import event_in
from gateway.events.meaning import Everything, meaning_of
from gateway.settings import load
from gateway.uow import Transaction
from twin import causes
from twin.causes import JobCause
from twin.changes import crosslist, set_enrollment_state
from twin.making import make_enrollment
from twin.records import Enrollment
from twin.roles import built_in_role_id
from twin.school import School

Listen = Any


def active(school: School) -> list[Enrollment]:
    return [one for one in school.enrollments.values() if one.workflow_state == "active"]


async def test_a_state_that_an_event_tells_is_kept_at_once(listen: Listen) -> None:
    async with listen() as here:
        row = active(here.twin.school)[0]
        set_enrollment_state(here.twin.school, row, "deleted")

        assert {204} == set(await here.deliver())

        assert "DELETED" == (await here.states())[row.id]
        [change] = await here.changes()
        assert ("REMOVED", "Enrollment") == (change["kind"], change["subject_type"])
        assert '{"field":"state","value":"DELETED"}' in change["after"].replace(" ", "")
        assert set() == await here.due()


async def test_who_is_new_makes_their_course_due_and_nothing_more(listen: Listen) -> None:
    async with listen() as here:
        school, cast = here.twin.school, here.twin.cast
        before = await here.states()
        kind = "StudentEnrollment"
        section = cast.sections["demo_b"]
        role = built_in_role_id(school, kind)
        make_enrollment(school, cast.people["no_sis"], section, kind, role)

        await here.deliver()

        assert before == await here.states()
        course = await here.id_of("course", section.course_id)
        assert {("course", course)} == await here.due()


async def test_doubled_and_disordered_events_end_as_the_school_is(listen: Listen) -> None:
    async with listen(live_events_duplicate=0.3, live_events_reorder=0.4) as here:
        school, random = here.twin.school, Random(7)  # noqa: S311  a shuffle
        moved = random.sample(active(school), 25)
        for round_ in ("inactive", "completed", "active", "deleted"):
            for row in moved:
                if random.random() < 0.6:
                    here.twin.clock.advance(timedelta(milliseconds=20))
                    set_enrollment_state(school, row, round_)
        here.twin.clock.advance(timedelta(minutes=1))

        answers = await here.deliver()

        assert {204} == set(answers)
        kept = await here.states()
        truth = {row.id: row.workflow_state.upper() for row in moved}
        assert truth == {number: kept[number] for number in truth}
        once = await here.rows("select count(*) as n from live_event where institution_id = $1")
        assert once[0]["n"] < len(answers)


async def test_lost_events_and_silent_deletions_remove_nobody(listen: Listen) -> None:
    async with listen(live_events_drop=1.0) as here:
        before = await here.states()
        for row in active(here.twin.school)[:5]:
            set_enrollment_state(here.twin.school, row, "deleted")

        await here.deliver()

        assert before == await here.states()


async def test_an_older_event_does_not_undo_a_newer_read(listen: Listen) -> None:
    async with listen() as here:
        row = active(here.twin.school)[0]
        set_enrollment_state(here.twin.school, row, "inactive")
        later = here.twin.clock.now() + timedelta(seconds=5)

        async def read_since(tx: Transaction) -> None:
            await tx.run(
                "update enrollment set standing_as_of = $3 where institution_id = $1 and canvas_id = $2",
                here.institution,
                10**13 + row.id,
                later,
            )

        await here.database.transact(read_since)
        here.twin.clock.advance(timedelta(minutes=1))
        await here.deliver()

        assert "ACTIVE" == (await here.states())[row.id]


async def test_courses_and_people_are_renamed(listen: Listen) -> None:
    async with listen() as here:
        school, cast = here.twin.school, here.twin.cast
        course, person = cast.courses["demo"], cast.people["student"]
        school.update(course, name="Botany for All")
        school.update(person, name="Zoe Renamed")

        await here.deliver()

        courses = await here.rows(
            f"select name, sort_key from course where institution_id = $1 and canvas_id = {10**13 + course.id}"
        )
        people = await here.rows(
            f"select name, search_key from person where institution_id = $1 and canvas_id = {10**13 + person.id}"
        )
        assert [{"name": "Botany for All", "sort_key": "botany for all"}] == courses
        assert "Zoe Renamed" == people[0]["name"]
        assert "zoe renamed" in people[0]["search_key"]
        assert {("person", await here.id_of("person", person.id))} == await here.due()


async def test_a_section_that_moves_makes_both_courses_due(listen: Listen) -> None:
    async with listen() as here:
        school, cast = here.twin.school, here.twin.cast
        section = cast.sections["demo_b"]
        former = section.course_id
        target = next(one for one in school.courses.values() if one.id != former)
        crosslist(school, section, target)

        assert {204} == set(await here.deliver())

        wanted = {("course", await here.id_of("course", one)) for one in (former, target.id)}
        assert wanted <= await here.due()


async def test_the_end_of_a_sis_import_makes_everything_due(listen: Listen) -> None:
    body = {"sis_batch_id": "7", "account_id": "1", "workflow_state": "imported"}
    event = event_in({"metadata": {"event_name": "sis_batch_updated"}, "body": body})

    assert isinstance(meaning_of(event, 1), Everything)
    running = event_in(
        {
            "metadata": {"event_name": "sis_batch_updated"},
            "body": body | {"workflow_state": "importing"},
        }
    )
    assert meaning_of(running, 1) is None
    async with listen() as here:
        with causes.because_of(JobCause(causes.SIS_IMPORT)):
            here.stream.emit("sis_batch_updated", body)
        await here.deliver()

        assert {("institution", 0)} == await here.due()


async def test_what_changes_no_roster_is_taken_and_left_alone(listen: Listen) -> None:
    async with listen() as here:
        here.stream.emit("logged_in", {"redirect_url": "https://x?access_token=secret"})
        here.stream.emit("quiz_submitted", {"anything": 1})

        assert [204, 204] == await here.deliver()

        assert set() == await here.due()
        assert [] == await here.changes()


async def test_an_unsigned_event_is_refused_where_signing_is_agreed(listen: Listen) -> None:
    async with listen() as here:
        for stream in here.stream.subscriptions:
            stream.signed = False
        set_enrollment_state(here.twin.school, active(here.twin.school)[0], "deleted")

        assert {401} == set(await here.deliver())
        assert [] == await here.changes()


async def test_a_stranger_signs_in_vain(listen: Listen) -> None:
    async with listen() as here:
        signing = here.stream.keys
        row = active(here.twin.school)[0]
        set_enrollment_state(here.twin.school, row, "deleted")
        await here.deliver()
        own = signing.jwks
        here.stream.keys = type(signing)(here.twin.clock.now)
        here.stream.keys.jwks = own
        set_enrollment_state(here.twin.school, row, "active")

        assert {401} == set(await here.deliver())
        assert "DELETED" == (await here.states())[row.id]


async def test_another_school_s_events_are_refused(listen: Listen) -> None:
    async with listen() as here:
        here.twin.school.root.uuid = "another"
        set_enrollment_state(here.twin.school, active(here.twin.school)[0], "deleted")

        assert {403} == set(await here.deliver())


@pytest.mark.parametrize(("query", "status"), [("?secret=s", 204), ("?secret=t", 401), ("", 401)])
async def test_an_unsigned_stream_brings_its_secret(
    listen: Listen, query: str, status: int
) -> None:
    async with listen(signed=False, query=query) as here:
        set_enrollment_state(here.twin.school, active(here.twin.school)[0], "deleted")

        assert {status} == set(await here.deliver())


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        {},
        {"metadata": {}, "body": {}},
        {"metadata": {"event_name": 7}, "body": {}},
        {"metadata": {"event_name": "x"}, "body": []},
    ],
)
def test_what_is_no_event_is_refused(wrong: object) -> None:
    with pytest.raises(EventRefused):
        event_in(wrong)


def test_the_same_event_has_one_digest_and_another_has_another() -> None:
    def made(**body: str) -> str:
        return event_in({"metadata": {"event_name": "x"}, "body": body}).digest

    assert made(a="1", b="2") == made(b="2", a="1")
    assert made(a="1") != made(a="2")


@pytest.mark.parametrize(
    ("stream", "mistake"),
    [
        ('{ root_account = "u", signed = false }', "an unsigned stream needs a secret"),
        ("{ signed = true }", "root_account: is missing"),
        ('{ root_account = "u", jwks_url = "keys" }', "not a URL"),
    ],
)
def test_a_stream_that_cannot_be_believed_is_refused_at_start(
    tmp_path: Path, stream: str, mistake: str
) -> None:
    file = tmp_path / "roster.toml"
    file.write_text(
        '[server]\npublic_url = "http://127.0.0.1"\ndatabase_url = "sqlite://x.db"\nsecret_key = "x"\n'
        f'[[institution]]\nslug = "demo"\nlive_events = {stream}\n'
    )

    with pytest.raises(ConfigurationError, match=mistake):
        load(file, {})
