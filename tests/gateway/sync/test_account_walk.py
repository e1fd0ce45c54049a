"""An account that is read course by course: the used ones first, and from wherever it was when its process died."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest

from gateway import syncs
from gateway.background import EVERYTHING, Background
from gateway.canvas.credentials import Credentials
from gateway.flights import Flights, OwnTurns
from gateway.http.client import Client
from gateway.prices import PriceBook
from gateway.readpath.connections import open_connections
from gateway.reads import Connected, Reads
from gateway.sources.enrollments import EnrollmentsSource
from gateway.sources.local import LocalSource
from gateway.store import institutions
from gateway.syncs import Order
from gateway.tokens import AdminAndPeople
from gateway.uow import Database
from gateway.upstreams import Upstream
from models.roster import ROSTER_STATES, Source
from tests.factories import School
from tests.gateway.dying import outlived
from tests.gateway.test_background import configured
from tests.upstream import Upstream as Twin
from tests.upstream import upstream


@pytest.fixture
def twin() -> Iterator[Twin]:
    with upstream() as running:
        yield running


@pytest.fixture
async def background(database: Database, twin: Twin) -> AsyncIterator[Background]:
    async with (
        Client(allows_private_networks=True) as http,
        open_connections(database.url) as connections,
    ):
        made = await institutions.ensure(database, slug="demo", canvas_url=twin.url)
        canvas, clock = twin.canvas(http), twin.clock.now
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

        async def no_keys() -> None:
            raise AssertionError

        yield Background(
            configured=configured(twin),
            database=database,
            http=http,
            upstreams={made.id: Upstream(canvas=canvas, credentials=credentials)},
            reads=Reads({made.id: connected}, Flights(OwnTurns(), clock), clock),
            publish_keys=no_keys,
            clock=clock,
        )


async def test_one_that_dies_at_every_step_reads_everything_the_used_course_first(
    background: Background, database: Database, twin: Twin
) -> None:
    made = await institutions.by_slug(database, "demo")
    assert made is not None
    school, now = School(database, made.id), twin.clock.now()
    used = await school.course(canvas=twin.big.id)
    await school.add(
        "launch_session", course_id=used, started_at=now - timedelta(hours=1), expires_at=now
    )
    order = Order(scope=EVERYTHING, source=Source.ENROLLMENTS_API)
    run = await database.transact(lambda tx: syncs.ask(tx, made.id, order, anyhow=False, now=now))
    (job,) = [one for one in (await background.jobs())[0] if one.name == syncs.JOB]

    deaths = await outlived(job, made.id, {"run": run, "anyhow": False})

    assert deaths >= 10
    [ended] = await database.rows("select * from sync_run where institution_id = $1", made.id)
    assert ("SUCCEEDED", None) == (ended["state"], ended["message"])
    covers = await database.rows(
        "select scope_id from coverage where institution_id = $1 and scope_kind = 'course' order by id",
        made.id,
    )
    assert used == covers[0]["scope_id"]
    for course in twin.school.courses.values():
        if course.workflow_state != "deleted":
            assert await stored(database, made.id, course.id) == {
                row["id"] for row in twin.truth(course) if row["on_default_roster"]
            }, course.name


async def stored(database: Database, institution_id: int, course: int) -> set[str]:
    words = ", ".join(f"'{state}'" for state in ROSTER_STATES)
    rows = await database.rows(
        "select e.canvas_id from enrollment e join course c on c.id = e.course_id and c.institution_id = $1"
        f" where e.institution_id = $1 and c.canvas_id = $2 and e.removed_at is null and e.state in ({words})",
        institution_id,
        10**13 + course,
    )
    return {str(row["canvas_id"] % 10**13) for row in rows}
