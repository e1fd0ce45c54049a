"""Live Events out (fact sheet live-events.md)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.twin.conftest import READY_KEYS, MakeTwin, Twin
from tests.twin.sending_sis import enrollments
from twin import changes
from twin.live_events import MAX_FAILURES, LiveEvents, Subscription
from twin.lti.keys import KeyRing
from twin.making import make_admin, make_course, make_enrollment, make_login, make_user
from twin.outgoing import Outgoing
from twin.records import Enrollment
from twin.roles import built_in_role_id, role_id

URL = "http://gateway.test/events/canvas"
Event = dict[str, Any]


class Subscriber:
    """An HTTPS endpoint that keeps what it is sent."""

    def __init__(self, twin: Twin, *, signed: bool = False, events: str = "") -> None:
        self.twin = twin
        self.requests: list[httpx.Request] = []
        self.status = 200
        self.error: type[httpx.HTTPError] | None = None
        live_events: LiveEvents = twin.app.state.live_events
        live_events.keys = KeyRing(twin.clock.now, make=READY_KEYS.__next__)
        live_events._outgoing = Outgoing(httpx.MockTransport(self._answer))
        self.live_events = live_events
        names = frozenset(events.split()) if events else None
        self.stream: Subscription = live_events.subscribe(URL, signed=signed, events=names)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.error:
            raise self.error("broken")
        return httpx.Response(self.status)

    async def received(self) -> list[Event]:
        """All that came since this was last asked."""
        await self.live_events.deliver()
        events = [orjson.loads(request.content) for request in self.requests]
        self.requests.clear()
        return events

    async def names(self) -> list[str]:
        return [event["metadata"]["event_name"] for event in await self.received()]


def enrolled(twin: Twin, person: str = "no_sis", section: str = "demo_b") -> Enrollment:
    kind = "StudentEnrollment"
    return make_enrollment(
        twin.school,
        twin.cast.people[person],
        twin.cast.sections[section],
        kind,
        built_in_role_id(twin.school, kind),
    )


async def test_enrollment_created(twin: Twin) -> None:
    subscriber = Subscriber(twin)
    row = enrolled(twin)
    course, root = twin.cast.courses["demo"], twin.school.root

    created, state = await subscriber.received()

    assert created["metadata"] == {
        "event_name": "enrollment_created",
        "event_time": "2026-03-02T10:00:00.000Z",
        "producer": "canvas",
        "root_account_id": "10000000000001",
        "root_account_uuid": root.uuid,
        "root_account_lti_guid": root.lti_guid,
    }
    assert created["body"] == {
        "enrollment_id": str(10**13 + row.id),
        "course_id": str(10**13 + course.id),
        "course_uuid": course.uuid,
        "course_section_id": str(10**13 + row.section_id),
        "user_id": str(10**13 + row.user_id),
        "user_uuid": twin.cast.people["no_sis"].uuid,
        "user_name": "Nosis Guest",
        "type": "StudentEnrollment",
        "workflow_state": "active",
        "limit_privileges_to_course_section": False,
        "created_at": "2026-03-02T10:00:00Z",
        "updated_at": "2026-03-02T10:00:00Z",
    }
    assert state["metadata"]["event_name"] == "enrollment_state_created"
    assert (state["body"]["state"], state["body"]["restricted_access"]) == ("active", False)


async def test_only_observers_have_an_associated_user(twin: Twin) -> None:
    subscriber = Subscriber(twin, events="enrollment_updated")
    people, school = twin.cast.people, twin.school
    for person in ("observer", "loose_observer", "student"):
        for row in school.enrollments_of_user.of(people[person].id):
            if row.course_id == twin.cast.courses["demo"].id:
                school.update(row, limit_privileges_to_course_section=True)

    watching, loose, student = [event["body"] for event in await subscriber.received()]

    assert watching["associated_user_id"] == str(10**13 + people["student"].id)
    assert loose["associated_user_id"] is None
    assert "associated_user_id" not in student


async def test_updates_fire_only_for_fields_of_the_body(twin: Twin) -> None:
    subscriber = Subscriber(twin)
    school, demo = twin.school, twin.cast.courses["demo"]
    student = twin.cast.people["student"]
    login = school.pseudonyms_of_user.of(student.id)[0]
    row = enrolled(twin)
    await subscriber.received()

    school.update(row, last_activity_at=twin.clock.now(), total_activity_time=5)
    school.update(student, pronouns="she/her", locale="de")
    school.update(login, unique_id="renamed")
    school.update(demo, sis_source_id="other")
    assert await subscriber.names() == []

    school.update(student, name="Zoë Neil-Park")
    school.update(demo, name="CS 101")
    school.update(row, workflow_state="completed")
    assert await subscriber.names() == [
        "user_updated",
        "course_updated",
        "enrollment_updated",
        "enrollment_state_updated",
    ]


async def test_deletion_is_an_update(twin: Twin) -> None:
    subscriber = Subscriber(twin, events="enrollment_updated enrollment_deleted")
    row = enrolled(twin)
    await subscriber.received()

    response = await twin.send(
        "DELETE",
        f"/api/v1/courses/{row.course_id}/enrollments/{row.id}",
        params={"task": "delete"},
    )

    assert response.status_code == 200
    (event,) = await subscriber.received()
    assert event["metadata"]["event_name"] == "enrollment_updated"
    assert event["body"]["workflow_state"] == "deleted"
    admin = twin.cast.people["admin"]
    actor = event["metadata"]
    assert (actor["user_id"], actor["user_login"]) == (str(10**13 + admin.id), "admin")
    assert actor["http_method"] == "DELETE"


async def test_url_of_the_metadata_can_show_an_access_token(twin: Twin) -> None:
    subscriber = Subscriber(twin, events="enrollment_updated")
    row = enrolled(twin)
    token = twin.cast.tokens["admin"]

    await twin.client.delete(
        f"/api/v1/courses/{row.course_id}/enrollments/{row.id}",
        params={"task": "conclude", "access_token": token},
    )

    (event,) = await subscriber.received()
    assert "access_token=" in event["metadata"]["url"]


async def test_people_and_places(twin: Twin) -> None:
    subscriber = Subscriber(twin)
    school = twin.school
    person = make_user(school, "New Person")
    make_login(school, person, "newperson")
    make_login(school, person, "newperson2")
    make_admin(school, person, school.root, role_id(school, "AccountAdmin"))
    make_course(school, "New Course", twin.cast.accounts["arts"])

    events = await subscriber.received()

    assert [event["metadata"]["event_name"] for event in events] == [
        "user_created",
        "user_account_association_created",
        "user_account_association_created",
        "course_created",
    ]
    assert events[0]["body"]["workflow_state"] == "registered"
    assert [event["body"]["is_admin"] for event in events[1:3]] == [False, True]


async def test_section_events_have_local_ids(make_twin: MakeTwin) -> None:
    twin = make_twin(foreign_shard=1745, foreign="all")
    subscriber = Subscriber(twin, events="course_section_updated")
    section, demo = twin.cast.sections["crosslisted"], twin.cast.courses["demo"]

    twin.school.update(section, name="Moved")

    (event,) = await subscriber.received()
    body = event["body"]
    assert body["course_section_id"] == str(section.id - 1745 * 10**13)
    assert body["course_id"] == str(demo.id - 1745 * 10**13)
    assert body["nonxlist_course_id"] == str(twin.cast.courses["evening"].id - 1745 * 10**13)
    assert body["can_manually_enroll"] is None


async def test_sis_import_makes_events_for_what_is_new_and_none_for_deletions(twin: Twin) -> None:
    subscriber = Subscriber(twin)
    demo = twin.cast.courses["demo"].sis_source_id
    new, gone = "S-000214", "S-000204"

    await enrollments(
        twin,
        f"{demo},,{gone},student,deleted",
        f"{demo},,{new},student,active",
    )

    events = await subscriber.received()
    names = [event["metadata"]["event_name"] for event in events]
    assert [name for name in names if name.startswith("sis_batch")] == [
        "sis_batch_created",
        "sis_batch_updated",
        "sis_batch_updated",
    ]
    batch = [event["body"] for event in events if "sis_batch" in event["metadata"]["event_name"]]
    assert [body["workflow_state"] for body in batch] == ["created", "importing", "imported"]
    assert set(batch[0]) == {"sis_batch_id", "account_id", "workflow_state"}
    changed = [event for event in events if "enrollment" in event["metadata"]["event_name"]]
    assert {event["body"].get("workflow_state", "active") for event in changed} == {"active"}
    assert changed
    for event in changed:
        assert event["metadata"]["job_tag"] == "SIS::CSV::ImportRefactored#run_parallel_importer"
    dropped = twin.cast.people["twin_one"]
    states = {
        row.workflow_state
        for row in twin.school.enrollments_of_user.of(dropped.id)
        if row.course_id == twin.cast.courses["demo"].id
    }
    assert states == {"deleted"}


async def test_batch_mode_cleanup_makes_no_event(twin: Twin) -> None:
    subscriber = Subscriber(twin, events="enrollment_updated enrollment_state_updated")
    term = twin.cast.terms["current"]
    demo = twin.cast.courses["demo"].sis_source_id

    await enrollments(
        twin,
        f"{demo},,000123,student,active",
        batch_mode=True,
        batch_mode_term_id=term.id,
    )

    assert await subscriber.received() == []
    gone = [
        row
        for row in twin.school.enrollments_of_course.of(twin.cast.courses["demo"].id)
        if row.workflow_state == "deleted"
    ]
    assert len(gone) > 5


async def test_clock_alone_changes_states(twin: Twin) -> None:
    subscriber = Subscriber(twin)
    future = twin.cast.courses["future"]
    student = twin.cast.people["student"]
    rows = {
        row.id
        for row in twin.school.enrollments_of_user.of(student.id)
        if row.course_id == future.id
    }
    start = twin.school.terms[future.term_id].start_at
    assert start is not None

    twin.clock.advance(start - twin.clock.now() - timedelta(seconds=1))
    await twin.client.get("/twin/live_events")
    before = [
        e
        for e in await subscriber.received()
        if e["metadata"]["event_name"] != "enrollment_state_updated"
    ]
    assert before == []
    twin.clock.advance(timedelta(seconds=1))
    await twin.client.get("/twin/live_events")

    begun = {e["body"]["enrollment_id"]: e for e in await subscriber.received()}
    assert {str(10**13 + row_id) for row_id in rows} <= set(begun)
    event = begun[str(10**13 + next(iter(rows)))]
    assert event["metadata"]["event_name"] == "enrollment_state_updated"
    assert event["metadata"]["job_tag"] == "EnrollmentState.process_account_states_in_ranges"
    assert event["body"]["state"] == "active"
    await twin.client.get("/twin/live_events")
    assert await subscriber.received() == []


async def test_end_of_a_course_is_seen_one_moment_after_it(twin: Twin) -> None:
    subscriber = Subscriber(twin, events="enrollment_state_updated")
    demo, at = twin.cast.courses["demo"], twin.clock.now() + timedelta(hours=1)
    twin.school.update(demo, end_at=at, restrict_enrollments_to_course_dates=True)

    twin.clock.advance(timedelta(hours=1))
    await twin.client.get("/twin/live_events")
    assert await subscriber.received() == []
    twin.clock.advance(timedelta(seconds=1))
    await twin.client.get("/twin/live_events")

    states = {event["body"]["state"] for event in await subscriber.received()}
    assert states == {"completed"}


async def test_signed_payload_is_a_jwt_whose_claims_are_the_event(twin: Twin) -> None:
    subscriber = Subscriber(twin, signed=True, events="enrollment_created")
    enrolled(twin)

    await subscriber.live_events.deliver()

    (request,) = subscriber.requests
    jwks = (await twin.client.get("/twin/live_events/jwks")).json()
    token = jwt.decode(request.content, KeySet.import_key_set(jwks), algorithms=["RS256"])
    assert set(token.claims) == {"metadata", "body"}
    assert token.header["kid"] in [key["kid"] for key in jwks["keys"]]
    assert len(jwks["keys"]) == 3
    lti = (await twin.client.get("/api/lti/security/jwks")).json()
    assert not {key["kid"] for key in lti["keys"]} & {key["kid"] for key in jwks["keys"]}


async def test_log_in_is_told(twin: Twin) -> None:
    subscriber = Subscriber(twin)

    await twin.client.post("/login/canvas", data={"unique_id": "toneil"})

    (event,) = await subscriber.received()
    assert event["metadata"]["event_name"] == "logged_in"
    assert event["body"] == {"redirect_url": "/"}
    assert event["metadata"]["user_login"] == "toneil"


async def ids_received(
    twin: Twin, subscriber: Subscriber, count: int
) -> tuple[list[str], list[str]]:
    """What was made and what arrived, in order."""
    made = [str(10**13 + enrolled(twin).id) for _ in range(count)]
    return made, [event["body"]["enrollment_id"] for event in await subscriber.received()]


async def test_switches_are_off_by_default(twin: Twin) -> None:
    made, came = await ids_received(twin, Subscriber(twin, events="enrollment_created"), 100)

    assert made == came


async def test_some_events_are_lost(make_twin: MakeTwin) -> None:
    twin = make_twin(live_events_drop=0.3)

    made, came = await ids_received(twin, Subscriber(twin, events="enrollment_created"), 200)

    assert 100 < len(came) < 180
    assert came == [each for each in made if each in came]


async def test_some_events_come_twice(make_twin: MakeTwin) -> None:
    twin = make_twin(live_events_duplicate=0.3)

    made, came = await ids_received(twin, Subscriber(twin, events="enrollment_created"), 200)

    assert list(dict.fromkeys(came)) == made
    assert 230 < len(came) < 290


async def test_some_events_are_overtaken(make_twin: MakeTwin) -> None:
    twin = make_twin(live_events_reorder=0.3)
    subscriber = Subscriber(twin, events="enrollment_created")

    made, came = await ids_received(twin, subscriber, 200)
    twin.clock.advance(timedelta(seconds=30))
    came += [event["body"]["enrollment_id"] for event in await subscriber.received()]

    assert sorted(made) == sorted(came)
    assert made != came


async def test_same_seed_loses_the_same_events(make_twin: MakeTwin) -> None:
    async def lost() -> list[int]:
        twin = make_twin(live_events_drop=0.5)
        made, came = await ids_received(twin, Subscriber(twin, events="enrollment_created"), 50)
        return [position for position, each in enumerate(made) if each not in came]

    assert await lost() == await lost()


async def test_failed_delivery_is_tried_three_times_more(twin: Twin) -> None:
    subscriber = Subscriber(twin, events="enrollment_created")
    subscriber.status = 500
    enrolled(twin)
    tries = len(await subscriber.received())
    for _ in range(30):
        assert await subscriber.received() == []
        twin.clock.advance(timedelta(minutes=1))
        tries += len(await subscriber.received())

    assert tries == 4
    assert len(subscriber.stream.failures) == 4


async def test_delivery_recovers_and_time_outs_are_counted_apart(twin: Twin) -> None:
    subscriber = Subscriber(twin, events="enrollment_created")
    subscriber.error = httpx.ReadTimeout
    enrolled(twin)
    assert len(await subscriber.received()) == 1
    subscriber.error = None
    twin.clock.advance(timedelta(minutes=2))

    assert len(await subscriber.received()) == 1
    twin.clock.advance(timedelta(minutes=30))
    assert await subscriber.received() == []
    assert (len(subscriber.stream.timeouts), len(subscriber.stream.failures)) == (1, 0)


async def test_stream_that_fails_all_day_is_switched_off(twin: Twin) -> None:
    subscriber = Subscriber(twin, events="enrollment_created")
    subscriber.error = httpx.ConnectError
    now = twin.clock.now()
    subscriber.stream.failures.extend([now - timedelta(hours=25)] * 5)
    subscriber.stream.failures.extend([now] * (MAX_FAILURES - 2))
    enrolled(twin)
    await subscriber.received()
    before = subscriber.stream.active
    enrolled(twin)
    await subscriber.received()

    assert (True, False) == (before, subscriber.stream.active)
    enrolled(twin)
    assert await subscriber.received() == []


async def test_merge_and_crosslisting_are_seen_row_by_row(twin: Twin) -> None:
    subscriber = Subscriber(twin, events="enrollment_updated course_section_updated user_updated")
    changes.crosslist(twin.school, twin.cast.sections["open"], twin.cast.courses["demo"])

    names = await subscriber.names()

    assert names[0] == "course_section_updated"
    assert set(names[1:]) == {"enrollment_updated"}


async def test_subscription_is_made_on_the_page(twin: Twin) -> None:
    page = await twin.client.get("/twin/live_events")
    assert "http://127.0.0.1:8000/events/canvas" in page.text

    bad = await twin.client.post("/twin/live_events", data={"url": "ftp://x"})
    assert bad.status_code == 400
    await twin.client.post("/twin/live_events", data={"url": URL, "events": "user_created"})

    (stream,) = twin.app.state.live_events.subscriptions
    assert (stream.url, stream.signed, stream.events) == (URL, False, frozenset({"user_created"}))


@pytest.fixture
async def running(twin: Twin) -> AsyncIterator[Twin]:
    """A twin whose lifespan has begun, so that it sends by itself."""
    async with twin.app.router.lifespan_context(twin.app):
        yield twin


async def test_sends_by_itself_while_it_runs(running: Twin) -> None:
    subscriber = Subscriber(running, events="enrollment_created")
    arrived = asyncio.Event()
    answer = subscriber._answer

    def answer_and_tell(request: httpx.Request) -> httpx.Response:
        arrived.set()
        return answer(request)

    subscriber.live_events._outgoing = Outgoing(httpx.MockTransport(answer_and_tell))
    enrolled(running)

    await asyncio.wait_for(arrived.wait(), 5)
    assert len(subscriber.requests) == 1
