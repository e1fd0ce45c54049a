"""What is done unasked: each chore against a twin, with a clock of the test's, and the schedules that ask for them."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from gateway.background import Background
from gateway.canvas.credentials import Credentials
from gateway.config_file import CredentialUrl, Secret
from gateway.flights import Flights, OwnTurns
from gateway.http.client import Client
from gateway.job_definitions import Job
from gateway.needs import Scope, ScopeKind
from gateway.prices import PriceBook
from gateway.readpath.connections import open_connections
from gateway.reads import Connected, Reads
from gateway.settings import Institution, Server, Settings
from gateway.sources.enrollments import EnrollmentsSource
from gateway.sources.local import LocalSource
from gateway.store import due, institutions, queued_jobs
from gateway.tokens import AdminAndPeople
from gateway.uow import Database, Row
from gateway.upstreams import Upstream
from models.roster import SyncRunState
from tests.factories import School
from tests.gateway.at_once import AtOnce
from tests.gateway.dying import outlived
from tests.upstream import Upstream as Twin
from tests.upstream import upstream
from twin.faults import Kind


@dataclass(kw_only=True)
class House:
    twin: Twin
    database: Database
    institution: institutions.Institution
    background: Background
    keys_published: list[int]

    async def do(self, job: str) -> None:
        await (await self.job(job)).work(AtOnce(), self.institution.id, {})

    async def job(self, name: str) -> Job:
        jobs, _ = await self.background.jobs()
        (found,) = [one for one in jobs if one.name == name]
        return found

    async def runs(self) -> list[Row]:
        return await self.database.rows(
            "select * from sync_run where institution_id = $1 order by id", self.institution.id
        )

    @property
    def school(self) -> School:
        return School(self.database, self.institution.id)

    async def enrolled(self, course: int) -> int:
        rows = await self.database.rows(
            "select count(*) as n from enrollment where institution_id = $1 and course_id = $2",
            self.institution.id,
            course,
        )
        return int(rows[0]["n"])


@pytest.fixture(scope="module")
def twin() -> Iterator[Twin]:
    with upstream() as running:
        yield running


@pytest.fixture
async def house(database: Database, twin: Twin) -> AsyncIterator[House]:
    async with (
        Client(allows_private_networks=True) as http,
        open_connections(database.url) as connections,
    ):
        made = await institutions.ensure(database, slug="demo", canvas_url=twin.url)
        canvas, clock, keys = twin.canvas(http), twin.clock.now, list[int]()
        credentials: Credentials = AdminAndPeople(operators=twin.token(), people=None)
        source = EnrollmentsSource(
            institution_id=made.id,
            canvas=canvas,
            database=database,
            credentials=credentials,
            prices=PriceBook(None),
            clock=clock,
        )
        connected = Connected(local=LocalSource(connections), upstream=[source])

        async def publish() -> None:
            keys.append(1)

        background = Background(
            configured=configured(twin),
            database=database,
            http=http,
            upstreams={made.id: Upstream(canvas=canvas, credentials=credentials)},
            reads=Reads({made.id: connected}, Flights(OwnTurns(), clock), clock),
            publish_keys=publish,
            clock=clock,
        )
        yield House(
            twin=twin,
            database=database,
            institution=made,
            background=background,
            keys_published=keys,
        )


def configured(twin: Twin, **options: Any) -> Settings:
    return Settings(
        server=Server(
            public_url="http://127.0.0.1:8000",
            database_url=CredentialUrl("sqlite://unused.db"),
            secret_key=(Secret("not so secret"),),
        ),
        institutions=(Institution(slug="demo", canvas_url=twin.url, account_id="1", **options),),
    )


async def test_a_course_that_is_due_is_read(house: House) -> None:
    due_one, other = [
        await house.school.course(canvas=one.id)
        for one in list(house.twin.school.courses.values())[:2]
    ]
    await house.database.transact(
        lambda tx: due.mark(
            tx,
            house.institution.id,
            [Scope(kind=ScopeKind.COURSE, id=due_one)],
            since=house.twin.clock.now(),
            why="a test says so",
        )
    )

    await house.do("refresh")

    assert await house.enrolled(due_one) > 0
    assert await house.enrolled(other) == 0


async def test_a_course_that_is_used_is_read_once_in_a_while(house: House) -> None:
    course = await house.school.course(canvas=house.twin.big.id)
    now = house.twin.clock.now()
    await house.school.add(
        "launch_session",
        course_id=course,
        started_at=now - timedelta(hours=1),
        expires_at=now,
    )

    await house.do("refresh")
    asked = house.twin.billed()
    await house.do("refresh")

    assert await house.enrolled(course) > 0
    assert asked == house.twin.billed()


async def test_the_nightly_job_asks_for_everything_and_shares_what_is_under_way(
    house: House,
) -> None:
    await house.do("nightly")
    await house.do("nightly")

    (run,) = await house.runs()
    assert (SyncRunState.QUEUED, "institution", "REPORT") == (
        run["state"],
        run["scope_kind"],
        run["source"],
    )
    (job,) = await queued_jobs.waiting(house.database)
    assert ("sync", f"sync-{run['id']}") == (job.name, job.key)


@pytest.mark.parametrize(
    ("report_age", "imported_after", "asked"),
    [
        pytest.param(timedelta(hours=3), True, True, id="an import that the report cannot know"),
        pytest.param(timedelta(hours=3), False, False, id="nothing imported"),
        pytest.param(timedelta(minutes=20), True, False, id="not so soon after a report"),
        pytest.param(None, True, False, id="the first report is not its business"),
    ],
)
async def test_a_sis_import_is_followed_by_a_report(
    house: House, report_age: timedelta | None, imported_after: bool, asked: bool
) -> None:
    now = house.twin.clock.now()
    ended = now - timedelta(minutes=5) if imported_after else now - timedelta(days=2)
    if report_age is not None:
        at = now - report_age
        await house.school.add("coverage", subject="enrollment", began_at=at, ended_at=at)
    answers = {
        "sis_imports": [{"id": "1", "workflow_state": "imported", "ended_at": ended.isoformat()}]
    }
    fault = house.twin.break_(
        Kind.STATUS, "/sis_imports", status=200, body=orjson.dumps(answers).decode()
    )

    await house.do("watch")

    house.twin.mend()
    assert fault is not None
    assert asked == bool(await house.runs())


async def test_clean_drops_what_is_old_and_has_keys_ready(house: House) -> None:
    long_ago = house.twin.clock.now() - timedelta(days=500)
    await house.school.add("sync_run", started_at=long_ago, ended_at=long_ago)

    await house.do("clean")

    assert [] == await house.runs()
    assert [1] == house.keys_published


@pytest.mark.parametrize("chore", ["nightly", "refresh", "watch", "clean"])
async def test_a_chore_that_dies_at_every_step_is_done_once_in_the_end(
    house: House, chore: str
) -> None:
    now, database = house.twin.clock.now(), house.database
    long_ago, reported = now - timedelta(days=500), now - timedelta(hours=3)
    await house.school.add("sync_run", started_at=long_ago, ended_at=long_ago)
    await house.school.add("coverage", subject="enrollment", began_at=reported, ended_at=reported)
    course = await house.school.course(canvas=house.twin.big.id)
    scope = Scope(kind=ScopeKind.COURSE, id=course)
    await database.transact(
        lambda tx: due.mark(tx, house.institution.id, [scope], since=now, why="a test says so")
    )
    imported = {"id": "1", "workflow_state": "imported", "ended_at": now.isoformat()}
    fault = {"sis_imports": [imported]}
    house.twin.break_(Kind.STATUS, "/sis_imports", status=200, body=orjson.dumps(fault).decode())

    deaths = await outlived(await house.job(chore), house.institution.id, {})

    house.twin.mend()
    assert deaths >= 2
    new = [one for one in await house.runs() if one["state"] == SyncRunState.QUEUED]
    waiting = await queued_jobs.waiting(database)
    asked = 1 if chore in ("nightly", "watch") else 0
    assert (asked, asked) == (len(new), len(waiting))
    assert (chore == "refresh") == (await house.enrolled(course) > 0)
    assert (chore == "clean") == (len(await house.runs()) == len(new))
    assert (chore == "clean") == bool(house.keys_published)


async def test_schedules_are_as_configured(house: House) -> None:
    _, schedules = await house.background.jobs()
    assert {
        "demo-nightly": "0 3 * * *",
        "demo-refresh": "*/10 * * * *",
        "demo-watch": "*/10 * * * *",
        "demo-clean": "40 4 * * *",
    } == {one.name: one.cron for one in schedules}

    house.background = replace(
        house.background, configured=configured(house.twin, report_schedule=""), upstreams={}
    )
    _, schedules = await house.background.jobs()
    assert ["demo-clean"] == [one.name for one in schedules]
