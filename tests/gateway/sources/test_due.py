"""Who was told to be gone and is not removed for it makes their course due: the next question has it read, once."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from gateway.needs import Need, Scope
from gateway.offers import Offer
from gateway.readpath.connections import Connections, open_connections
from gateway.sources.local import LocalSource
from models.roster import EnrollmentState, FieldGroup
from tests.gateway.sources.readers import Readers
from tests.upstream import Upstream

_HOUR = timedelta(hours=1)
STANDING = frozenset({FieldGroup.STANDING})


@pytest.fixture
async def connections(readers: Readers) -> AsyncIterator[Connections]:
    async with open_connections(readers.database.url) as opened:
        yield opened


async def kept(readers: Readers, connections: Connections, need: Need) -> Offer:
    """What the store offers."""
    local = LocalSource(connections)
    (offer,) = await local.offers([need], readers.viewer, readers.twin.clock.now())
    return offer


def active(readers: Readers, scope: Scope) -> Need:
    return readers.need(scope, groups=STANDING, states=frozenset({EnrollmentState.ACTIVE}))


async def drop(readers: Readers, twin: Upstream) -> None:
    student = str(twin.cast.people["student"].id)
    twin.change("drop", user=student, course=str(twin.cast.courses["demo"].id))
    twin.clock.advance(_HOUR)


async def test_a_membership_list_that_contradicts_makes_its_course_due(
    readers: Readers, twin: Upstream, connections: Connections
) -> None:
    scope = await readers.launched(twin.cast.courses["demo"])
    await readers.read(readers.need(scope))
    await readers.pull(scope)
    assert (await kept(readers, connections, active(readers, scope))).overtaken is None
    await drop(readers, twin)

    taken = await readers.pull(scope)

    overtaken = (await kept(readers, connections, active(readers, scope))).overtaken
    assert (
        f"{taken.contradicted} enrolled there are not on its membership list any more" == overtaken
    )
    members = readers.members(scope)
    assert (await kept(readers, connections, members)).overtaken is None  # the list itself is new

    twin.clock.advance(_HOUR)
    await readers.read(readers.need(scope))

    assert (await kept(readers, connections, active(readers, scope))).overtaken is None
    assert [] == await readers.rows("due_scope")


async def test_a_report_that_no_longer_shows_somebody_makes_their_course_due_once(
    readers: Readers, twin: Upstream, connections: Connections
) -> None:
    await readers.load()
    await drop(readers, twin)

    await readers.load()

    [due] = await readers.rows("due_scope")
    scope = await readers.course(twin.cast.courses["demo"])
    assert ("course", scope.id) == (due["scope_kind"], due["scope_id"])
    assert (await kept(readers, connections, active(readers, scope))).overtaken == due["why"]

    twin.clock.advance(_HOUR)
    await readers.load()
    assert [due] == await readers.rows("due_scope")

    await readers.read(readers.need(scope))
    assert [] == await readers.rows("due_scope")


async def test_a_list_through_eyes_that_see_less_settles_nothing(
    readers: Readers, twin: Upstream, connections: Connections
) -> None:
    await readers.load()
    await drop(readers, twin)
    await readers.load()
    scope = await readers.course(twin.cast.courses["demo"])
    teacher = (await readers.person(twin.cast.people["teacher"])).id

    twin.clock.advance(_HOUR)
    await readers.read(readers.need(scope, person=teacher), eyes=teacher)

    assert 1 == len(await readers.rows("due_scope"))
