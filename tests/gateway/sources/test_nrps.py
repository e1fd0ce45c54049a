"""Pulling membership lists from the twin into the store: who is in, who has left, and what proves nothing."""

from datetime import timedelta

import pytest

from gateway.canvas.client import Meter
from gateway.canvas.members import Roster
from gateway.errors import CutShort, SourceError, SourceRefused
from gateway.needs import Scope
from models.roster import FieldGroup, GapReason
from tests.gateway.sources.readers import Readers
from tests.upstream import Upstream
from twin.faults import Kind
from twin.records import Course

_MINUTE = timedelta(minutes=1)


def active(twin: Upstream, course: Course) -> set[str]:
    """Canvas ids of everybody whom the list should show."""
    return {
        row["user_id"]
        for row in twin.truth(course)
        if row["workflow_state"] == "active" and row["type"] != "StudentViewEnrollment"
    }


async def members(readers: Readers, scope: Scope) -> set[str]:
    """Canvas ids of everybody whose membership has not ended."""
    rows = await readers.database.rows(
        "select p.canvas_id from membership m join person p on p.institution_id = $1 and p.id = m.person_id"
        " where m.institution_id = $1 and m.course_id = $2 and m.ended_at is null",
        readers.school.id,
        scope.id,
    )
    return {str(row["canvas_id"] and row["canvas_id"] % 10**13) for row in rows}


async def test_a_course_is_pulled_as_it_is(readers: Readers, twin: Upstream) -> None:
    """The custom fields say who the unknown are."""
    demo = twin.cast.courses["demo"]
    scope = await readers.launched(demo)

    taken = await readers.pull(scope)

    assert taken.whole
    assert active(twin, demo) == await members(readers, scope)
    assert 0 == len(await readers.rows("enrollment"))


async def test_a_second_pull_is_plain_and_changes_nothing(readers: Readers, twin: Upstream) -> None:
    scope = await readers.launched(twin.cast.courses["demo"])
    await readers.pull(scope)
    twin.clock.advance(_MINUTE)
    meter = Meter()

    taken = await readers.pull(scope, meter=meter)

    assert 0 == taken.created + taken.updated
    assert 1 == meter.requests


async def test_pages_are_followed_to_the_end(readers: Readers, twin: Upstream) -> None:
    scope = await readers.launched(twin.big)

    await readers.pull(scope)

    assert len(active(twin, twin.big)) > 150
    assert active(twin, twin.big) == await members(readers, scope)


async def test_whoever_is_known_from_elsewhere_is_the_same_person(
    readers: Readers, twin: Upstream
) -> None:
    demo = twin.cast.courses["demo"]
    scope = await readers.launched(demo)
    await readers.read(readers.need(scope))
    people = len(await readers.rows("person"))

    taken = await readers.pull(scope)

    assert people == len(await readers.rows("person"))
    assert 0 == taken.conflicts
    names = {person["name_source"] for person in await readers.rows("person")}
    assert {"ENROLLMENTS_API"} == names


async def test_whoever_leaves_ends_and_is_still_somebody(readers: Readers, twin: Upstream) -> None:
    demo = twin.cast.courses["demo"]
    scope = await readers.launched(demo)
    await readers.read(readers.need(scope))
    await readers.pull(scope)
    before = active(twin, demo)
    twin.change("drop", user=str(twin.cast.people["student"].id), course=str(demo.id))
    twin.clock.advance(_MINUTE)

    taken = await readers.pull(scope)

    left = before - active(twin, demo)
    assert str(twin.cast.people["student"].id) in left
    assert len(left) == taken.contradicted
    assert active(twin, demo) == await members(readers, scope)
    enrollments = await readers.stored(demo)
    assert "ACTIVE" in {row["state"] for row in enrollments.values()}
    assert all(row["removed_at"] is None for row in enrollments.values())


async def test_whoever_comes_back_begins_again(readers: Readers, twin: Upstream) -> None:
    demo, student = twin.cast.courses["demo"], str(twin.cast.people["student"].id)
    scope = await readers.launched(demo)
    await readers.pull(scope)
    for change in (
        {"name": "drop", "course": str(demo.id)},
        {"name": "enrol", "course": str(demo.id)},
    ):
        twin.change(change.pop("name"), user=student, **change)
        twin.clock.advance(_MINUTE)
        await readers.pull(scope)

    assert active(twin, demo) == await members(readers, scope)


async def test_a_concluded_course_is_held(readers: Readers, twin: Upstream) -> None:
    """Nobody is left at once: that is a course that ended, or a list that lies."""
    demo = twin.cast.courses["demo"]
    scope = await readers.launched(demo)
    await readers.pull(scope)
    before = await members(readers, scope)
    twin.change("course", course=str(demo.id), to="concluded")
    twin.clock.advance(_MINUTE)

    taken = await readers.pull(scope)

    assert (len(before), False) == (taken.held, taken.whole)
    assert before == await members(readers, scope)
    [run] = await readers.rows("sync_run")
    assert ("HELD", "NRPS", scope.id) == (run["state"], run["source"], run["scope_id"])


async def test_a_merged_person_stays(readers: Readers, twin: Upstream) -> None:
    """After a merge the course shows one of the two `sub`s; the 1.1 id that comes along names the survivor."""
    demo = twin.cast.courses["demo"]
    scope = await readers.launched(demo)
    await readers.pull(scope)
    loser, survivor = twin.cast.people["twin_one"], twin.cast.people["unicode"]
    twin.change("merge", loser=str(loser.id), survivor=str(survivor.id))
    twin.clock.advance(_MINUTE)

    await readers.pull(scope)

    assert str(survivor.id) in await members(readers, scope)


FAULTS = {
    "no byte": (Kind.EMPTY, {}),
    "an empty list": (Kind.EMPTY_LIST, {}),
    "no links": (Kind.LINK_MISSING, {}),
    "a loop": (Kind.LINK_LOOP, {}),
    "a foreign link": (Kind.LINK_FOREIGN, {}),
    "no ids": (Kind.STRIP_IDS, {"keys": ("user_id",)}),
    "no members": (Kind.STRIP_IDS, {"keys": ("members",)}),
    "no JSON": (Kind.MALFORMED_JSON, {}),
    "half a body": (Kind.CUT_BODY, {}),
    "refused half-way": (Kind.STATUS, {"status": 403, "after": 1}),
    "down half-way": (Kind.STATUS, {"status": 502, "after": 1}),
    "gone": (Kind.STATUS, {"status": 404}),
}


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("kind", "more"), FAULTS.values(), ids=FAULTS)
async def test_no_fault_ends_anybody(
    readers: Readers, twin: Upstream, kind: Kind, more: dict[str, object]
) -> None:
    scope = await readers.launched(twin.big)
    await readers.pull(scope)
    twin.break_(kind, "/names_and_roles", **more)
    twin.clock.advance(_MINUTE)

    with pytest.raises(SourceError):
        await readers.pull(scope)

    assert active(twin, twin.big) == await members(readers, scope)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize("level", ["anonymous", "name_only", "email_only"])
async def test_what_privacy_withholds_is_unknown_and_blanks_nothing(
    level: str, readers: Readers, twin: Upstream
) -> None:
    demo = twin.cast.courses["demo"]
    scope = await readers.launched(demo)
    await readers.pull(scope)
    before = await readers.rows("person")
    [tool, *_] = twin.app.state.lti.tools.values()
    tool.privacy_level = level
    twin.clock.advance(_MINUTE)

    taken = await readers.pull(scope)

    shown = {"name_only": {FieldGroup.NAME}, "email_only": {FieldGroup.CONTACT}}
    assert shown.get(level, set()) == taken.groups & {FieldGroup.NAME, FieldGroup.CONTACT}
    kept = ("name", "email", "sis_id", "login_id")
    after = {row["id"]: row for row in await readers.rows("person")}
    assert [[row[c] for c in kept] for row in before] == [
        [after[row["id"]][c] for c in kept] for row in before
    ]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_a_roster_elsewhere_is_not_asked_for(readers: Readers, twin: Upstream) -> None:
    """A launch may name any address, and our token goes to none but the platform's own."""
    scope = await readers.launched(
        twin.cast.courses["demo"], url="https://elsewhere.example/roster"
    )
    need = readers.members(scope)

    [offer] = await readers.nrps.offers([need], readers.viewer, twin.clock.now())

    assert offer.obstacle is not None
    assert "nrps_hosts" in offer.obstacle
    assert GapReason.NOT_PERMITTED is offer.obstacle_kind
    with pytest.raises(SourceRefused, match="nrps_hosts"):
        await readers.nrps.fill(offer, [need], readers.viewer, Meter())


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_a_course_that_nobody_launched_is_not_offered(
    readers: Readers, twin: Upstream
) -> None:
    need = readers.members(await readers.course(twin.cast.courses["demo"]))

    assert [] == await readers.nrps.offers([need], readers.viewer, twin.clock.now())


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_one_token_serves_until_it_is_nearly_over(readers: Readers, twin: Upstream) -> None:
    scope = await readers.launched(twin.cast.courses["demo"])
    for _ in range(3):
        await readers.pull(scope)
    assert 1 == twin.billed()["POST /login/oauth{id}/token"]

    twin.clock.advance(timedelta(minutes=51))
    await readers.pull(scope)

    assert 2 == twin.billed()["POST /login/oauth{id}/token"]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_a_token_that_the_platform_has_forgotten_is_renewed(
    readers: Readers, twin: Upstream
) -> None:
    scope = await readers.launched(twin.cast.courses["demo"])
    await readers.pull(scope)
    twin.break_(
        Kind.STATUS,
        "/names_and_roles",
        count=1,
        status=401,
        body='{"errors": {"type": "unauthorized", "message": "Access token expired"}}',
    )

    assert (await readers.pull(scope)).whole
    assert 2 == twin.billed()["POST /login/oauth{id}/token"]


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_a_broken_registration_is_said_in_words(readers: Readers, twin: Upstream) -> None:
    scope = await readers.launched(twin.cast.courses["demo"])
    twin.break_(Kind.STATUS, "/login/oauth2/token", status=400, body='{"error": "invalid_request"}')

    with pytest.raises(SourceRefused, match="gives us no token"):
        await readers.pull(scope)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_a_list_of_another_course_is_not_believed(readers: Readers, twin: Upstream) -> None:
    scope = await readers.launched(twin.big, url=twin.memberships_url(twin.cast.courses["demo"]))

    with pytest.raises(CutShort, match="another course"):
        await readers.pull(scope)


@pytest.mark.parametrize(
    ("status", "stays"),
    [(None, True), ("Active", True), ("active", True), ("Pending", True), ("Deleted", False)],
)
def test_only_the_words_of_the_standard_say_that_somebody_left(
    status: str | None, stays: bool
) -> None:
    roster = Roster(scope="here", shard=1)
    roster.add({"members": [{"user_id": "1", "status": status, "roles": []}]})

    assert stays is ("1" in roster.memberships)


async def test_who_launched_stays_until_seen_and_gone(readers: Readers, twin: Upstream) -> None:
    """Somebody invited may launch, and the list shows active people only."""
    demo = twin.cast.courses["demo"]
    scope = await readers.launched(demo)
    guest = await readers.school.person(name="Guest")
    await readers.school.add(
        "membership", course_id=scope.id, person_id=guest, source="LAUNCH", as_of=twin.clock.now()
    )
    twin.clock.advance(_MINUTE)

    await readers.pull(scope)

    [membership] = await readers.rows("membership", f"person_id = {guest}")
    assert membership["ended_at"] is None
