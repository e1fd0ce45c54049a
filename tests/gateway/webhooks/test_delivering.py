"""Webhooks deliver every change, in order, to a real receiver: signed, retried, given up, replayed."""

import asyncio
import json
from datetime import timedelta

import pytest

from gateway.access import Wanted
from gateway.errors import WriteRefused
from gateway.feed import ChangeFilter, cursor_of
from gateway.http.client import Client
from gateway.store import ageing, tokens
from gateway.webhooks import messages, retries
from gateway.webhooks.registering import Caller, Change, Webhooks
from models.roster import ChangeKind
from tests.gateway.webhooks.conftest import CLIENT, Sending


def told(**fields: str | None) -> str:
    return json.dumps([{"field": name, "value": value} for name, value in fields.items()])


async def test_a_receiver_verifies_what_it_is_sent(sending: Sending) -> None:
    school = sending.school
    course = await school.course(name="Botany")
    await sending.hook()
    position = await school.change(
        "Course",
        course,
        kind="UPDATED",
        course_id=course,
        before=told(name="Bot"),
        after=told(name="Botany"),
        sis_import_id=9,
    )

    assert 1 == await sending.deliver()

    [message] = sending.receiver.messages.values()
    assert messages.CHANGED == message["type"]
    assert message["data"]["cursor"] == cursor_of(position)
    [change] = message["data"]["changes"]
    assert change == {
        "cursor": cursor_of(position),
        "at": "2026-09-15T11:55:00Z",
        "kind": "UPDATED",
        "subjectType": "Course",
        "subjectId": school.reader().node_id("Course", course),
        "before": [{"field": "name", "value": "Bot"}],
        "after": [{"field": "name", "value": "Botany"}],
        "cause": {"source": "REPORT", "sisImportId": "9", "syncRunId": None, "actorId": None},
    }
    assert 0 == sending.receiver.refused


async def test_every_change_comes_once_and_in_order(sending: Sending) -> None:
    await sending.hook()
    for row in range(250):
        await sending.school.change("Course", row)

    assert 3 == await sending.deliver()

    subjects = [
        sending.school.reader().decode(one["subjectId"])[1] for one in sending.receiver.changes
    ]
    assert list(range(250)) == subjects
    assert 0 == await sending.deliver()


async def test_only_what_is_meant_is_sent(sending: Sending) -> None:
    hook = await sending.hook(ChangeFilter(kinds=(ChangeKind.REMOVED,)))
    await sending.school.change("Course", 1, kind="UPDATED")
    await sending.deliver()
    await sending.school.change("Course", 2, kind="REMOVED", before="[]")
    await sending.school.change("Course", 3, kind="UPDATED")
    await sending.deliver()

    assert ["REMOVED"] == [one["kind"] for one in sending.receiver.changes]
    assert 3 == (await sending.webhook(hook)).position


async def test_a_new_webhook_begins_now_unless_it_is_told_where(sending: Sending) -> None:
    await sending.school.change("Course", 1)
    await sending.hook(position=None)
    await sending.school.change("Course", 2)

    await sending.deliver()

    assert 1 == len(sending.receiver.changes)


async def test_what_a_client_may_not_see_is_not_sent(sending: Sending) -> None:
    school = sending.school
    person = await school.person(name="Zoe")
    await sending.token("changes:read", client="statistics")
    made = await sending.registered.create(
        sending.admin, client="statistics", url=sending.url, which=ChangeFilter(), position=0
    )
    sending.receiver.secret = made.secret or ""
    await school.change(
        "User", person, after=told(email="zoe@example.edu"), before=told(email=None)
    )
    await school.change("User", person, kind="CREATED", after=told(name="Zoe", state="ACTIVE"))

    await sending.deliver()

    [change] = sending.receiver.changes
    assert [{"field": "state", "value": "ACTIVE"}] == change["after"]
    assert school.reader().node_id("User", person) != change["subjectId"]


async def test_what_was_sent_of_people_is_in_the_access_log(sending: Sending) -> None:
    await sending.hook()
    await sending.school.change("User", 7, after=told(name="Zoe"), before=told(name="Zo"))
    await sending.school.change("Enrollment", 8, after=told(state="ACTIVE"), before="[]")
    await sending.school.change("Course", 9)
    await sending.deliver()

    wanted = Wanted(subject=None, person=None, since=None, before=None, limit=10)
    [access] = await sending.accesses.find(sending.school.id, wanted)

    assert ("service", "Feed", 2) == (access.credential, access.subject_kind, access.people)
    assert {"name", "email"} <= set(access.shown)


async def test_what_is_not_taken_is_tried_again_later_under_the_same_name(sending: Sending) -> None:
    hook = await sending.hook()
    await sending.school.change("Course", 1)
    sending.receiver.answers = [500, 503]

    assert 0 == await sending.deliver()
    assert 0 == await sending.deliver()  # it is not time yet
    [first] = await sending.sent(hook)
    assert (1, 500, "answered with HTTP 500") == (
        first.attempts,
        first.last_status,
        first.last_error,
    )
    assert (await sending.webhook(hook)).failing_since is not None
    sending.clock.ahead += timedelta(seconds=6)
    assert 0 == await sending.deliver()
    sending.clock.ahead += timedelta(seconds=31)
    assert 1 == await sending.deliver()

    [last] = await sending.sent(hook)
    assert (first.name, 3) == (last.name, last.attempts)
    assert [last.name] == list(sending.receiver.messages)
    assert (await sending.webhook(hook)).failing_since is None


async def test_a_receiver_says_how_long_to_wait(sending: Sending) -> None:
    hook = await sending.hook()
    await sending.school.change("Course", 1)
    sending.receiver.answers, sending.receiver.headers = [429], {"retry-after": "600"}

    await sending.deliver()

    [message] = await sending.sent(hook)
    assert timedelta(minutes=9) < message.next_at - sending.clock() <= timedelta(minutes=10)


async def test_what_comes_behind_waits_so_that_order_holds(sending: Sending) -> None:
    await sending.hook()
    await sending.school.change("Course", 1)
    sending.receiver.answers = [500]
    await sending.deliver()
    await sending.school.change("Course", 2)

    assert 0 == await sending.deliver()
    sending.clock.ahead += timedelta(seconds=6)
    assert 2 == await sending.deliver()

    decode = sending.school.reader().decode
    assert [1, 2] == [decode(one["subjectId"])[1] for one in sending.receiver.changes]


async def test_after_days_it_is_given_up_and_can_be_replayed(sending: Sending) -> None:
    hook = await sending.hook()
    await sending.school.change("Course", 1)
    began = sending.clock()
    for _ in range(len(retries.WAITS) + 1):
        sending.receiver.answers = [500]
        sending.receiver.requests = 0
        await sending.deliveries.step()
        sending.clock.ahead += retries.LONGEST + timedelta(hours=3)
    [dead] = await sending.sent(hook, dead=True)
    waited = sum(retries.WAITS, timedelta(0))
    assert timedelta(days=3) < waited < sending.clock() - began
    assert (len(retries.WAITS) + 1, 500) == (dead.attempts, dead.last_status)

    sending.receiver.answers = []
    sending.clock.ahead = timedelta(0)
    await sending.registered.change(sending.admin, hook, Change(enabled=True))
    await sending.school.change("Course", 2)
    assert 1 == await sending.deliver()  # the others go on
    await sending.registered.replay(sending.admin, hook)
    assert 1 == await sending.deliver()

    assert [] == await sending.sent(hook, dead=True)
    assert {dead.name} < set(sending.receiver.messages)
    assert 2 == len(sending.receiver.changes)


async def test_a_webhook_that_takes_nothing_for_ten_days_is_switched_off(sending: Sending) -> None:
    hook = await sending.hook()
    await sending.school.change("Course", 1)
    for _ in range(40):
        sending.receiver.answers = [500]
        await sending.deliveries.step()
        sending.clock.ahead += timedelta(hours=25)

    webhook = await sending.webhook(hook)
    assert webhook.disabled_at is not None
    assert "nothing was taken since" in (webhook.disabled_why or "")


async def test_a_receiver_that_is_gone_is_not_asked_again(sending: Sending) -> None:
    hook = await sending.hook()
    await sending.school.change("Course", 1)
    sending.receiver.answers = [410]
    await sending.deliver()
    sending.clock.ahead += timedelta(days=1)
    await sending.deliver()

    assert 1 == sending.receiver.requests
    assert "410" in ((await sending.webhook(hook)).disabled_why or "")


async def test_two_secrets_hold_while_one_follows_the_other(sending: Sending) -> None:
    hook = await sending.hook()
    former = sending.receiver.secret
    made = await sending.registered.rotate(sending.admin, hook, timedelta(minutes=1))
    await sending.school.change("Course", 1)
    await sending.deliver()
    sending.receiver.secret = made.secret or ""
    await sending.school.change("Course", 2)
    await sending.deliver()
    sending.receiver.secret = former
    sending.clock.ahead += timedelta(minutes=2)
    await sending.school.change("Course", 3)
    await sending.deliver()

    assert 2 == len(sending.receiver.messages)
    assert 1 == sending.receiver.refused


async def test_a_token_that_is_revoked_ends_what_its_client_is_sent(sending: Sending) -> None:
    hook = await sending.hook()
    await sending.school.change("Course", 1)
    [token] = await tokens.of_institution(sending.school.database, sending.school.id)
    await tokens.revoke(
        sending.school.database,
        institution_id=sending.school.id,
        token_id=token.id,
        now=sending.clock(),
    )

    await sending.deliver()

    assert 0 == sending.receiver.requests
    assert "no live token" in ((await sending.webhook(hook)).disabled_why or "")


async def test_one_that_slept_beyond_the_retention_is_told_to_read_anew(sending: Sending) -> None:
    school = sending.school
    await sending.hook()
    for row in range(3):
        await school.change("Course", row)
    now = sending.clock() + timedelta(days=500)
    await ageing.drop(school.database, school.id, keep=timedelta(days=400), now=now)
    await school.change("Course", 9)

    await sending.deliver()

    expired, changed = sending.receiver.messages.values()
    assert (messages.EXPIRED, []) == (expired["type"], expired["data"]["changes"])
    assert cursor_of(3) == expired["data"]["cursor"]
    assert 1 == len(changed["data"]["changes"])


async def test_processes_share_the_work_and_send_nothing_twice(sending: Sending) -> None:
    await sending.hook()
    for row in range(120):
        await sending.school.change("Course", row)
    workers = [sending.deliveries, sending.another(), sending.another()]

    async with asyncio.timeout(30):
        while len(sending.receiver.changes) < 120:
            await asyncio.gather(*(worker.step() for worker in workers))

    assert len(sending.receiver.messages) == sending.receiver.requests
    assert 120 == len(sending.receiver.changes)


async def test_more_is_meant_than_when_a_message_was_made(sending: Sending) -> None:
    hook = await sending.hook(ChangeFilter(kinds=(ChangeKind.REMOVED,)))
    for row in range(240):
        await sending.school.change("Course", row, kind="REMOVED" if row == 239 else "UPDATED")
    sending.receiver.answers = [500]
    await sending.deliver()
    await sending.registered.change(sending.admin, hook, Change(which=ChangeFilter()))
    sending.clock.ahead += timedelta(seconds=6)

    assert 3 == await sending.deliver()

    decode = sending.school.reader().decode
    assert list(range(240)) == [decode(one["subjectId"])[1] for one in sending.receiver.changes]


async def test_nothing_is_sent_into_a_private_network(sending: Sending) -> None:
    hook = await sending.hook()
    await sending.school.change("Course", 1)
    async with Client(allows_private_networks=False) as guarded:
        sending.deliveries._http = guarded
        await sending.deliver()

    [message] = await sending.sent(hook)
    assert 0 == sending.receiver.requests
    assert "private network" in (message.last_error or "")


@pytest.mark.parametrize(
    "url", ["http://example.edu/hook", "ftp://example.edu", "https://me:secret@example.edu/", "x"]
)
async def test_addresses_that_are_refused_at_once(sending: Sending, url: str) -> None:
    strict = Webhooks(sending.school.database, sending.registered._seal, sending.clock, plain=False)

    with pytest.raises(WriteRefused):
        await strict.create(
            sending.admin, client=CLIENT, url=url, which=ChangeFilter(), position=None
        )


async def test_a_client_manages_its_own_alone(sending: Sending) -> None:
    hook = await sending.hook()
    stranger = Caller(institution_id=sending.school.id, client="statistics")

    assert [] == await sending.registered.listed(stranger)
    with pytest.raises(WriteRefused, match="no such webhook"):
        await sending.registered.delete(stranger, hook)
    with pytest.raises(WriteRefused, match="another one"):
        await sending.registered.create(
            stranger, client=CLIENT, url=sending.url, which=ChangeFilter(), position=None
        )


def test_waits_grow_to_days_and_end() -> None:
    waits = [retries.wait_after(n, chance=0.5) for n in range(1, len(retries.WAITS) + 1)]

    assert list(retries.WAITS) == waits
    assert retries.wait_after(len(waits) + 1, chance=0.5) is None
    assert timedelta(days=3) < sum(retries.WAITS, timedelta(0)) < timedelta(days=5)
    assert retries.wait_after(1, chance=0.0) == timedelta(seconds=4.5)
    assert retries.wait_after(1, chance=1.0, asked=timedelta(days=9)) == retries.LONGEST
