"""A first load goes by chunks: others come in between, and what they write meanwhile is met."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from bench.generate_report import School as Generated
from bench.generate_report import write_zip
from gateway.store import first_load, institutions, merging
from gateway.store.columns import indexes_of
from gateway.store.first_load import FirstLoad
from gateway.sync.report_files import Limits
from gateway.uow import Database, T, Transaction, Work
from models.canvas_ids import SHARD_SIZE
from tests.gateway.sync.conftest import School
from tests.gateway.sync.copies import indexes

CHUNK = 20
LIMITS = Limits(block_bytes=2048, chunk_rows=CHUNK)
SIZE = {"courses": 4, "users": 60, "enrollments": 200}
FIRST_ENROLLMENT, FIRST_USER = 300_001, 9_001  # as they are generated
FILLED = ("person", "identity", "enrollment")
PATIENCE = 30.0  # who is kept out by a transaction that waits for them waits for ever


Others = Callable[[], Awaitable[None]]


class Watched(Database):
    """Lets others in during each chunk, before it is committed, and between any two transactions of an import."""

    during: Others | None = None
    between: Others | None = None
    largest = 0

    async def transact(self, work: Work[T]) -> T:
        async def measured(tx: Transaction) -> T:
            before = await _rows(tx)
            done = await work(tx)
            written = await _rows(tx) - before
            self.largest = max(self.largest, written)
            if written and self.during is not None:
                await self.during()
            return done

        result = await super().transact(measured)
        if self.between is not None:
            await self.between()
        return result


async def _rows(tx: Transaction) -> int:
    """Of the tables that are filled."""
    counts = [(await tx.rows(f"select count(*) as n from {table}"))[0]["n"] for table in FILLED]
    return sum(counts)


@pytest.fixture
async def watched(database: Database) -> AsyncIterator[School]:
    async with Watched.open(database.url) as opened:
        made = await institutions.ensure(opened, slug="demo", canvas_url=None)
        yield School(database=opened, institution=made)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_zip(tmp_path / "first.zip", Generated(**SIZE))
    return tmp_path / "first.zip"


async def test_readers_wait_for_nothing_and_writers_for_one_chunk(
    watched: School, database: Database, path: Path
) -> None:
    importing, institution_id = watched.database, watched.institution.id
    assert isinstance(importing, Watched)
    others = School(database=database, institution=watched.institution)
    seen: list[int] = []

    async def read() -> None:
        """As live reads do, in the middle of a chunk."""
        async with asyncio.timeout(PATIENCE):
            seen.append(sum([len(await others.rows(table)) for table in FILLED]))

    async def write() -> None:
        """As launches and mutations do, under the institution's lock."""
        async with asyncio.timeout(PATIENCE):
            await database.transact(lambda tx: merging.lock(tx, institution_id))

    importing.during, importing.between = read, write
    await watched.take_in(path, limits=LIMITS)

    assert len(seen) > SIZE["enrollments"] // CHUNK
    assert seen == sorted(seen)
    assert 0 < seen[len(seen) // 2] < seen[-1]  # what is there, they see
    # four people and their five or six aliases each, or so many enrollments
    assert 0 < importing.largest <= CHUNK // 5 * 7


async def test_the_indexes_are_there_afterwards(school: School, path: Path) -> None:
    before = await indexes(school.database)

    await school.take_in(path, limits=LIMITS)

    assert before == await indexes(school.database)


async def test_indexes_that_a_crash_left_out_are_made_by_the_next_import(
    school: School, path: Path
) -> None:
    before = await indexes(school.database)
    crashed = FirstLoad(school.institution.id, *first_load.TABLES).without_indexes(school.database)
    assert await crashed.__aenter__()
    missing = {name for table in first_load.TABLES for name in indexes_of(table)}
    assert missing == before - await indexes(school.database)

    await school.take_in(path, limits=LIMITS)

    assert before == await indexes(school.database)


async def test_what_somebody_else_wrote_meanwhile_is_met(
    watched: School, database: Database, path: Path
) -> None:
    """The last enrollment and the last person of the file are told by somebody else while others are loaded."""
    person = SHARD_SIZE + FIRST_USER + SIZE["users"] - 1
    enrollment = SHARD_SIZE + FIRST_ENROLLMENT + SIZE["enrollments"] - 1
    statements = {
        "users.csv": "insert into person (institution_id, canvas_id, sort_key, search_key)"
        " values ($1, $2, '', '') returning id",
        "enrollments.csv": "insert into enrollment (institution_id, canvas_id, course_id, person_id, type, state,"
        " standing_source, standing_as_of) select $1, $2, 1, 1, 'STUDENT', 'ACTIVE', 'ENROLLMENTS_API', as_of"
        " from course where institution_id = $1 and canvas_id is not null order by id limit 1 returning id",
    }
    canvas_ids = {"users.csv": person, "enrollments.csv": enrollment}
    made: dict[str, int] = {}
    importing = watched.database
    assert isinstance(importing, Watched)

    async def told(file: str) -> int:
        async def work(tx: Transaction) -> int:
            await merging.lock(tx, watched.institution.id)
            rows = await tx.rows(statements[file], watched.institution.id, canvas_ids[file])
            return int(rows[0]["id"])

        return await database.transact(work)

    async def come_in() -> None:
        """Once the first chunk of a table is there."""
        for file, table in (("users.csv", "person"), ("enrollments.csv", "enrollment")):
            if file not in made and await watched.rows(table):
                made[file] = await told(file)

    importing.between = come_in
    await watched.take_in(path, limits=LIMITS)

    enrollments = {row["canvas_id"]: row for row in await watched.rows("enrollment")}
    assert SIZE["enrollments"] == len(enrollments) == len(await watched.rows("enrollment"))
    people = {row["canvas_id"]: row for row in await watched.rows("person")}
    assert SIZE["users"] == len(people) == len(await watched.rows("person"))
    assert made == {
        "users.csv": people[person]["id"],
        "enrollments.csv": enrollments[enrollment]["id"],
    }
    assert people[person]["name"] is not None
    aliases = await watched.rows("identity", where=f"person_id = {people[person]['id']}")
    assert len(aliases) > 3
    assert enrollments[enrollment]["person_id"] in {row["id"] for row in people.values()}
    assert enrollments[enrollment]["standing_source"] == "UPLOAD"
