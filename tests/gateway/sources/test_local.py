"""The store as a source: what the coverage ledger lets it offer."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from gateway.needs import Need, Scope, ScopeKind, Subject
from gateway.offers import Offer
from gateway.readpath.connections import Connections, open_connections
from gateway.sources.local import LocalSource
from gateway.uow import Database
from models.roster import ROSTER_STATES, EnrollmentState, FieldGroup, Source
from tests.factories import NOW, School

STANDING = frozenset({FieldGroup.STANDING})
STATES = ",".join(sorted(ROSTER_STATES))


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def of_course(course: int, **more: object) -> Need:
    given = {
        "scope": Scope(kind=ScopeKind.COURSE, id=course),
        "subject": Subject.ENROLLMENTS,
        "groups": STANDING,
        "states": frozenset(ROSTER_STATES),
        "max_age": timedelta(minutes=15),
    }
    return Need(**{**given, **more})  # type: ignore[arg-type]  # a need's own fields


class Ledger:
    """A school, what was read of it, and what the store offers because of it."""

    def __init__(self, school: School, connections: Connections) -> None:
        self.school = school
        self._local = LocalSource(connections)

    async def read(self, minutes_ago: float, *, course: int, **columns: object) -> None:
        given = {
            "scope_kind": "course",
            "scope_id": course,
            "source": "ENROLLMENTS_API",
            "authority": "admin",
            "groups": "standing",
            "states": STATES,
            "began_at": ago(minutes_ago),
        }
        await self.school.covered("enrollment", **{**given, **columns})

    async def offers(self, *needs: Need) -> list[Offer]:
        return await self._local.offers(needs, self.school.viewer(), NOW)

    async def offer(self, need: Need) -> Offer:
        (offer,) = await self.offers(need)
        return offer


@pytest.fixture
async def ledger(database: Database) -> AsyncIterator[Ledger]:
    school = await School.open(database)
    async with open_connections(database.url) as connections:
        yield Ledger(school, connections)


async def test_what_was_never_read_is_offered_as_that(ledger: Ledger) -> None:
    offer = await ledger.offer(of_course(await ledger.school.course()))

    assert offer.as_of is None
    assert frozenset() == offer.origins


async def test_the_newest_read_counts_with_when_it_began(ledger: Ledger) -> None:
    course = await ledger.school.course()
    await ledger.read(30, course=course)
    await ledger.read(5, course=course, source="REPORT", authority="report")

    offer = await ledger.offer(of_course(course))

    assert ago(5) == offer.as_of
    assert {Source.REPORT} == offer.origins
    assert STANDING == offer.groups


async def test_what_the_newest_lacks_comes_from_an_older_one(ledger: Ledger) -> None:
    course = await ledger.school.course()
    await ledger.read(30, course=course, groups="activity,standing")
    await ledger.read(5, course=course)

    offer = await ledger.offer(
        of_course(course, groups=frozenset({FieldGroup.STANDING, FieldGroup.ACTIVITY}))
    )

    assert ago(30) == offer.as_of
    assert {FieldGroup.STANDING, FieldGroup.ACTIVITY} == offer.groups


async def test_people_are_known_from_a_read_of_people(ledger: Ledger) -> None:
    course = await ledger.school.course()
    await ledger.read(5, course=course)
    await ledger.school.covered("person", groups="login,name", began_at=ago(10))

    offer = await ledger.offer(
        of_course(course, groups=frozenset({FieldGroup.STANDING, FieldGroup.NAME}))
    )

    assert ago(10) == offer.as_of
    assert FieldGroup.NAME in offer.groups


async def test_a_read_of_the_institution_covers_its_courses(ledger: Ledger) -> None:
    course = await ledger.school.course()
    await ledger.read(60, course=0, scope_kind="institution")

    assert ago(60) == (await ledger.offer(of_course(course))).as_of


async def test_a_read_of_the_course_covers_its_sections(ledger: Ledger) -> None:
    course = await ledger.school.course()
    section = await ledger.school.section(course)
    await ledger.read(5, course=course)
    scope = Scope(kind=ScopeKind.SECTION, id=section)

    alone = await ledger.offer(of_course(course, scope=scope))
    within = await ledger.offer(
        of_course(course, scope=scope, around=(Scope(kind=ScopeKind.COURSE, id=course),))
    )

    assert alone.as_of is None
    assert ago(5) == within.as_of


async def test_a_read_of_an_account_covers_no_whole_institution(ledger: Ledger) -> None:
    account = await ledger.school.add("account", name="Faculty", canvas_id=1)
    course = await ledger.school.course(account_id=account)
    await ledger.read(5, course=account, scope_kind="account")
    everywhere = Scope(kind=ScopeKind.INSTITUTION, id=0)

    assert (await ledger.offer(of_course(course))).whole
    assert not (await ledger.offer(of_course(course, scope=everywhere))).whole


async def test_a_broken_read_is_offered_as_cut_short(ledger: Ledger) -> None:
    course = await ledger.school.course()
    await ledger.read(5, course=course, whole=False)

    assert not (await ledger.offer(of_course(course))).whole


async def test_states_that_were_not_read_are_not_offered(ledger: Ledger) -> None:
    course = await ledger.school.course()
    await ledger.read(5, course=course, states="ACTIVE")

    offer = await ledger.offer(of_course(course))

    assert {EnrollmentState.ACTIVE} == offer.states
    assert offer.whole


async def test_only_the_sources_that_the_caller_trusts_count(ledger: Ledger) -> None:
    course = await ledger.school.course()
    await ledger.read(30, course=course)
    await ledger.read(5, course=course, source="REPORT", authority="report")
    api = frozenset({Source.ENROLLMENTS_API})

    assert ago(30) == (await ledger.offer(of_course(course, sources=api))).as_of
    whatever = frozenset({Source.LOCAL, Source.NRPS})
    assert ago(5) == (await ledger.offer(of_course(course, sources=whatever))).as_of


async def test_what_somebody_saw_is_offered_to_them_alone(ledger: Ledger) -> None:
    course = await ledger.school.course()
    await ledger.read(30, course=course)
    await ledger.read(5, course=course, authority="person:7")

    for_all, own = await ledger.offers(of_course(course, person=7))
    (others,) = await ledger.offers(of_course(course, person=8))

    assert (ago(30), None) == (for_all.as_of, for_all.eyes)
    assert (ago(5), 7) == (own.as_of, own.eyes)
    assert ago(30) == others.as_of


async def test_members_are_known_from_memberships_too(ledger: Ledger) -> None:
    course = await ledger.school.course()
    await ledger.school.covered(
        "membership",
        scope_kind="course",
        scope_id=course,
        source="NRPS",
        authority="platform",
        groups="name",
        states="ACTIVE",
        began_at=ago(5),
    )
    active = frozenset({EnrollmentState.ACTIVE})

    members, enrollments = await ledger.offers(
        of_course(course, subject=Subject.MEMBERS, groups=frozenset(), states=active),
        of_course(course, states=active),
    )

    assert ago(5) == members.as_of
    assert enrollments.as_of is None
