"""What a launch brings in: waited for a little, never a reason to refuse it, and known to be under way."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.errors import Unauthenticated
from gateway.judgement import AccountFacts, Answer, Facts, sight
from gateway.lti.bringing import Bringing
from gateway.needs import Need, ScopeKind, Subject
from gateway.outcomes import Asking
from gateway.sight import Right
from gateway.store import queued_jobs, sessions
from gateway.store.sessions import Session
from gateway.uow import Database
from gateway.viewer import Launched, Rights, Viewer
from tests.gateway.at_once import AtOnce

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
VIEWER = Viewer(
    institution_id=1,
    institution_slug="demo",
    canvas_url=None,
    shard=1,
    scopes=frozenset(),
    user_id=3,
    launched=Launched(
        session_id=1,
        course_id=7,
        account_canvas_id=None,
        types=frozenset(),
        administrator=False,
        shown=frozenset(),
        real_user=None,
    ),
    rights=Rights(sight=sight(Facts(person_id=3), None, NOON)),
)
SESSION = Session(
    institution_id=1,
    person_id=3,
    course_id=7,
    account_canvas_id=None,
    types=(),
    roles=(),
    shown=(),
    real_user=None,
    platform_origin=None,
    started_at=NOON,
    expires_at=NOON + timedelta(hours=8),
)


class Graph:
    """Answers once it is let; `asked` has the documents' names."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.begun, self.let = asyncio.Event(), asyncio.Event()
        self.error: Exception | None = None

    async def ask(self, _viewer: Viewer, document: str, _variables: dict[str, Any]) -> None:
        self.asked.append(document.split()[1].partition("(")[0])
        self.begun.set()
        await self.let.wait()
        if self.error is not None:
            raise self.error


class Reads:
    def __init__(self) -> None:
        self.needs: list[Need] = []

    async def ensure(self, needs: Sequence[Need], _asking: Asking) -> list[Any]:
        self.needs += needs
        return []


class World:
    """`behind`: the graph as those ask it for whom nobody waits."""

    def __init__(self, database: Database, viewer: Viewer = VIEWER) -> None:
        self.graph, self.behind, self.reads, self.viewer = Graph(), Graph(), Reads(), viewer
        self.database = database
        self.bringing = Bringing(
            database=database,
            find_viewer=self._viewer,
            ask=self.graph.ask,
            ask_behind=self.behind.ask,
            reads=self.reads,
            max_age=lambda _slug: timedelta(minutes=15),
            clock=lambda: NOON,
            patience=timedelta(seconds=0.05),
        )

    async def _viewer(self, _session: Session) -> Viewer:
        return self.viewer

    async def bring(self, session: Session = SESSION) -> None:
        await self.bringing.bring(session)

    async def kept(self, session: Session = SESSION) -> Session:
        """As a launch leaves it."""
        made = await self.database.transact(lambda tx: sessions.start(tx, session))
        return replace(session, id=made)

    async def carry(self) -> None:
        """What was asked of the jobs, done."""
        job = self.bringing.job()
        for asked in await queued_jobs.waiting(self.database):
            assert asked.name == job.name
            await job.work(AtOnce(), asked.institution_id, asked.arguments)


async def test_what_is_soon_here_is_waited_for(database: Database) -> None:
    world = World(database)
    world.graph.let.set()

    await world.bring()

    assert ["LaunchedClass"] == world.graph.asked
    assert not world.bringing.is_under_way(1, 7)
    assert [] == await queued_jobs.waiting(database)


async def test_what_takes_longer_goes_on_and_is_known_to(database: Database) -> None:
    world = World(database)

    await world.bring()

    assert world.bringing.is_under_way(1, 7)
    assert not world.bringing.is_under_way(1, None)
    assert not world.bringing.is_under_way(2, 7)
    world.graph.let.set()
    await world.bring()
    assert not world.bringing.is_under_way(1, 7)


async def test_it_is_under_way_until_the_last_who_asked_is_answered(database: Database) -> None:
    world = World(database)
    await world.bring()
    await world.bring()

    await world.bringing.close()

    assert not world.bringing.is_under_way(1, 7)


@pytest.mark.parametrize("error", [Unauthenticated("over"), ValueError("ours")])
async def test_no_launch_fails_for_it(
    database: Database, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(database)
    world.graph.error = error
    world.graph.let.set()

    with caplog.at_level("INFO"):
        await world.bring()

    assert not world.bringing.is_under_way(1, 7)
    [line] = [one for one in caplog.records if one.name == "gateway.lti.bringing"]
    assert ("ERROR" if isinstance(error, ValueError) else "INFO") == line.levelname


async def test_who_administers_an_account_brings_its_courses_however_long_that_takes(
    database: Database,
) -> None:
    answer = Answer(rights=frozenset({Right.READ_COURSE_LIST}), asked_at=NOON)
    facts = Facts(person_id=3, accounts=(AccountFacts(below=None, answer=answer),))
    assert VIEWER.launched is not None
    world = World(
        database,
        replace(
            VIEWER,
            rights=Rights(sight=sight(facts, None, NOON)),
            launched=replace(VIEWER.launched, course_id=None, account_canvas_id=1),
        ),
    )

    await world.bring(replace(SESSION, course_id=None))

    [need] = world.reads.needs
    assert (Subject.COURSES, ScopeKind.INSTITUTION) == (need.subject, need.scope.kind)
    assert need.deadline > timedelta(minutes=10)
    assert [] == world.graph.asked


async def test_elsewhere_somebodys_own_courses_come_and_nobodys_nothing(database: Database) -> None:
    assert VIEWER.launched is not None
    elsewhere = replace(VIEWER, launched=replace(VIEWER.launched, course_id=None))
    somebody, nobody = World(database, elsewhere), World(database, replace(elsewhere, user_id=None))
    somebody.graph.let.set()

    await somebody.bring(replace(SESSION, course_id=None))
    await nobody.bring(replace(SESSION, course_id=None))

    assert (["LaunchedCourses"], []) == (somebody.graph.asked, nobody.graph.asked)


async def test_what_takes_longer_is_seen_through_by_a_job(database: Database) -> None:
    world = World(database)
    world.behind.let.set()

    await world.bring(await world.kept())
    await world.bringing.close()  # as if the process had died
    await world.carry()

    assert ["LaunchedClass"] == world.behind.asked


async def test_a_job_for_a_session_that_is_over_asks_for_nothing(database: Database) -> None:
    world = World(database)
    session = await world.kept()
    await world.bring(session)
    await world.bringing.close()

    await sessions.end(database, session, NOON)
    await world.carry()

    assert [] == world.behind.asked


async def test_a_page_knows_of_what_a_job_reads(database: Database) -> None:
    world = World(database)
    await world.bring(await world.kept())
    await world.bringing.close()

    job = asyncio.create_task(world.carry())
    await world.behind.begun.wait()
    assert world.bringing.is_under_way(1, 7)
    world.behind.let.set()
    await job

    assert not world.bringing.is_under_way(1, 7)
