"""Every statement of compiled reads, as the planner of either database would run it: none reads a large table whole."""

import asyncio
import re
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import orjson
import pytest

from gateway.readpath.connections import open_connections
from gateway.sight import AccountSight, CourseSight, Right, Sight
from gateway.uow import Database
from gateway.viewer import Rights, Scope
from resolvers.compiled import Compiled, Way
from resolvers.documents import Documents
from resolvers.limits import Limits
from resolvers.schema import schema
from tests.conftest import ENGINES, POSTGRES
from tests.factories import School
from tests.resolvers.conftest import Graph, Watched
from tests.resolvers.large_school import LARGE, fill, scanned
from tests.resolvers.list_queries import queries

SAMPLE = 6  # one in so many
DOCUMENTS = Documents(schema, Limits())
COMPILED = Compiled(schema)

_ALL = frozenset(Right)
_STUDENT = frozenset({Right.READ, Right.READ_ROSTER, Right.NAMES})
_WATCHES = CourseSight(course_id=7, rights=frozenset({Right.READ}), observed=frozenset({88}))
_SECTION = CourseSight(course_id=7, rights=_ALL, sections=frozenset({7, 4007}))
SIGHTS = {
    "a service": None,
    "a teacher": Sight(person_id=77, courses=(CourseSight(course_id=7, rights=_ALL),)),
    "a student of many courses": Sight(
        person_id=77,
        courses=tuple(CourseSight(course_id=number, rights=_STUDENT) for number in range(5, 45)),
    ),
    "a TA of one section": Sight(person_id=77, courses=(_SECTION,)),
    "an observer": Sight(person_id=77, courses=(_WATCHES,)),
    "an admin": Sight(person_id=77, accounts=(AccountSight(accounts=None, rights=_ALL),)),
    "an admin of two accounts": Sight(
        person_id=77, accounts=(AccountSight(accounts=frozenset({3, 4}), rights=_ALL),)
    ),
}

# Orders that no index keeps: all courses or people of the institution are sorted.
_SORTED = r"query[^{]*{ (courses|users)\(.*field: (COURSE_CODE|SIS_ID|START_AT|END_AT|LOGIN_ID),"
# A search of twenty rosters at once meets so many people that joining all of these is as cheap, in a school of this size.
_SEARCHED = r"query { courses\(first: 20\).*search: "
# Whoever wants to know how many there are in the institution has them counted.
_COUNTED = "select 0, "


@pytest.fixture(scope="module", params=ENGINES)
def large(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The URL of a database with a large school, made once and only read."""
    if request.param == "postgres" and POSTGRES is None:
        pytest.skip("no PostgreSQL: set ROSTER_TEST_POSTGRES, or run `make test`, which starts one")
    template = request.getfixturevalue(f"{request.param}_template")
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("large") / "roster.db"
        shutil.copy(template, path)
        asyncio.run(_filled(f"sqlite://{path}"))
        yield f"sqlite://{path}"
        return
    name = f"roster_large_{secrets.token_hex(6)}"
    asyncio.run(_run(f"create database {name} template {template}"))
    url = urlunsplit(urlsplit(POSTGRES or "")._replace(path=f"/{name}"))
    asyncio.run(_filled(url))
    yield url
    asyncio.run(_run(f"drop database {name} with (force)"))


async def _filled(url: str) -> None:
    async with Database.open(url) as database:
        await database.reach()
        await fill(await School.open(database))


async def _run(sql: str) -> None:
    connection = await asyncpg.connect(POSTGRES)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


@pytest.fixture
async def graph(large: str) -> AsyncIterator[Graph]:
    async with Database.open(large) as database, open_connections(large) as connections:
        yield Graph(School(database, 1), Watched(connections))


@pytest.mark.parametrize("viewer", SIGHTS)
async def test_no_statement_reads_a_large_table_whole(
    graph: Graph, viewer: str, proving: bool
) -> None:
    rights = Rights(sight=SIGHTS[viewer])
    first = 0 if proving else list(SIGHTS).index(viewer) % SAMPLE
    explained = set[str]()
    for texts in list(queries())[first :: 1 if proving else SAMPLE]:
        if re.match(f"{_SORTED}|{_SEARCHED}", texts[0]):
            continue
        end = None
        for text in texts:
            end = await _read(graph, rights, text, end)
            for sql, values in graph.connections.statements:
                if sql in explained or re.match(_COUNTED, sql):
                    continue
                explained.add(sql)
                found = await scanned(graph.connections.unwatched, sql, values)
                assert not found & LARGE, f"{text}\n{sql}"
    assert len(explained) > 10


async def _read(graph: Graph, rights: Rights, text: str, end: str | None) -> str | None:
    """The end of the page that `text` reads; its statements are then in the graph's connections."""
    variables = {"at": end} if "$at" in text else {}
    operation = DOCUMENTS.operation(text, None, variables)
    graph.connections.statements.clear()
    way, data = await COMPILED.read(operation, graph.context(*Scope, rights=rights))
    assert way in (Way.COMPILED, Way.REFUSED), (
        text
    )  # not everybody may find and order by everything
    found = re.search(rb'"endCursor":"([^"]+)"', orjson.dumps(data))
    return found[1].decode() if found else end


async def test_the_check_sees_a_scan(graph: Graph) -> None:
    sql = "select t.id from person t where t.pronouns = $1"
    assert await scanned(graph.connections.unwatched, sql, ["x"]) == {"person"}
