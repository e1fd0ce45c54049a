"""The floor: one endpoint a question, written by hand with the bare driver and orjson, no GraphQL and no rights.

POST /q1, /q2 {"course": <our row id>} and POST /q3. The answers are the gateway's, to the byte of every value.
"""

import asyncio
import os
import sqlite3
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

INSTITUTION = 1
STATES = "('ACTIVE', 'INVITED', 'CREATION_PENDING')"
COURSE = "select id, name from course where institution_id = $1 and id = $2"
COLUMNS = "e.id, e.type, e.state, p.id, p.name, p.email, p.sis_id, s.id, s.name"
JOINS = (
    "join person p on p.institution_id = e.institution_id and p.id = e.person_id"
    " left join section s on s.institution_id = e.institution_id and s.id = e.section_id"
)
OF_COURSE = (
    f"select {COLUMNS} from enrollment e {JOINS} where e.institution_id = $1 and e.course_id = $2"
    f" and e.state in {STATES} and e.removed_at is null order by e.id limit $3"
)
COURSES = "select id, name from course where institution_id = $1 and removed_at is null order by id limit 50"
SECTIONS = {
    "postgres": "select course_id, id, name from section where institution_id = $1 and course_id = any($2::bigint[])"
    " and removed_at is null order by id",
    "sqlite": "select course_id, id, name from section where institution_id = $1 and course_id in"
    " (select value from json_each($2)) and removed_at is null order by id",
}
OF_SECTIONS = {
    "postgres": f"select {COLUMNS} from unnest($2::bigint[]) k(id) cross join lateral (select * from enrollment t where"
    f" t.institution_id = $1 and t.section_id = k.id and t.state in {STATES} and t.removed_at is null"
    f" order by t.id limit 20) e {JOINS} order by e.section_id, e.id",
    "sqlite": f"select {COLUMNS} from json_each($2) k join enrollment e on e.id in (select t.id from enrollment t where"
    f" t.institution_id = $1 and t.section_id = k.value and t.state in {STATES} and t.removed_at is null"
    f" order by t.id limit 20) {JOINS} order by e.section_id, e.id",
}

Rows = Sequence[Sequence[Any]]
Fetch = Callable[..., Awaitable[Rows]]


def node_id(kind: str, row_id: int) -> str:
    return b64encode(f"{kind}:{row_id}".encode()).decode()


def enrollment(row: Sequence[Any]) -> dict[str, Any]:
    eid, kind, state, pid, name, email, sis, sid, section = row
    return {
        "id": node_id("Enrollment", eid),
        "type": kind,
        "state": state,
        "user": {"id": node_id("User", pid), "name": name, "email": email, "sisId": sis},
        "section": None if sid is None else {"id": node_id("Section", sid), "name": section},
    }


def answer(data: object) -> Response:
    return Response(orjson.dumps({"data": data}), media_type="application/json")


async def one_course(request: Request) -> Response:
    fetch: Fetch = request.state.fetch
    course = orjson.loads(await request.body())["course"]
    head = (await fetch(COURSE, INSTITUTION, course))[0]
    rows = await fetch(OF_COURSE, INSTITUTION, course, 100 if request.url.path == "/q1" else 5000)
    nodes = [enrollment(row) for row in rows]
    return answer(
        {
            "course": {
                "id": node_id("Course", head[0]),
                "name": head[1],
                "enrollments": {"nodes": nodes},
            }
        }
    )


async def many_courses(request: Request) -> Response:
    fetch: Fetch = request.state.fetch
    dialect: str = request.state.dialect
    courses = await fetch(COURSES, INSTITUTION)
    sections = await fetch(SECTIONS[dialect], INSTITUTION, [row[0] for row in courses])
    rows = await fetch(OF_SECTIONS[dialect], INSTITUTION, [row[1] for row in sections])
    of_section: dict[int, list[dict[str, Any]]] = {row[1]: [] for row in sections}
    for row in rows:
        of_section[row[7]].append(enrollment(row))
    of_course: dict[int, list[dict[str, Any]]] = {row[0]: [] for row in courses}
    for course, section, name in sections:
        of_course[course].append(
            {
                "id": node_id("Section", section),
                "name": name,
                "enrollments": {"nodes": of_section[section]},
            }
        )
    nodes = [
        {"id": node_id("Course", row[0]), "name": row[1], "sections": {"nodes": of_course[row[0]]}}
        for row in courses
    ]
    return answer({"courses": {"nodes": nodes}})


@asynccontextmanager
async def postgres(url: str) -> AsyncIterator[Fetch]:
    free: asyncio.LifoQueue[Any] = asyncio.LifoQueue()
    for _ in range(8):
        free.put_nowait(await asyncpg.connect(url))

    async def fetch(sql: str, *values: object) -> Rows:
        connection = await free.get()
        try:
            rows: Rows = await connection.fetch(sql, *values)
            return rows
        finally:
            free.put_nowait(connection)

    yield fetch
    while not free.empty():
        await free.get_nowait().close()


@asynccontextmanager
async def sqlite(path: str) -> AsyncIterator[Fetch]:
    threads = ThreadPoolExecutor(2)
    connections: asyncio.LifoQueue[sqlite3.Connection] = asyncio.LifoQueue()
    for _ in range(2):
        connections.put_nowait(
            sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False)
        )

    async def fetch(sql: str, *values: object) -> Rows:
        numbered = sql.replace("$", "?")
        bound = [
            orjson.dumps(value).decode() if isinstance(value, list) else value for value in values
        ]
        connection = await connections.get()
        try:
            return await asyncio.get_running_loop().run_in_executor(
                threads, lambda: connection.execute(numbered, bound).fetchall()
            )
        finally:
            connections.put_nowait(connection)

    yield fetch
    threads.shutdown()
    while not connections.empty():
        connections.get_nowait().close()


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[dict[str, object]]:
    url = os.environ["BENCH_DATABASE"]
    dialect = "sqlite" if url.startswith("sqlite://") else "postgres"
    opened = sqlite(url.removeprefix("sqlite://")) if dialect == "sqlite" else postgres(url)
    async with opened as fetch:
        yield {"fetch": fetch, "dialect": dialect}


app = Starlette(
    routes=[
        Route("/q1", one_course, methods=["POST"]),
        Route("/q2", one_course, methods=["POST"]),
        Route("/q3", many_courses, methods=["POST"]),
    ],
    lifespan=lifespan,
)
