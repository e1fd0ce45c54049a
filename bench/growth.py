"""How an answer's cost grows: with its rows, its levels, its courses, and with the institutions beside its own.

python -m bench.growth --institutions 1000 --write
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx

from bench import charts, loaded, servers
from bench.loaded import Loaded
from bench.page import put
from bench.servers import Server

PICTURE = Path(__file__).parent.parent / "docs" / "growth.png"
INSTITUTIONS = 100  # of SIZE, which makes a million enrollments
SIZE = ["--courses", "200", "--users", "5000", "--enrollments", "10000", "--big", "5000"]
QUICK_SIZE = ["--courses", "60", "--users", "1000", "--enrollments", "3000", "--big", "500"]

_ENROLLMENT = "id type state user { id name email sisId } section { id name }"
_ROWS = "query($course: ID!) { course(by: {canvasId: $course}) { enrollments(first: %d) { nodes { %s } } } }"
_COURSES = "{ courses(first: %d) { nodes { name enrollments(first: 20) { nodes { id state user { name } } } } } }"
_LEVELS = (
    "courses(first: 1) { nodes { name %s } }",
    "sections(first: 1) { nodes { name %s } }",
    "enrollments(first: 1) { nodes { state %s } }",
    "user { enrollments(first: 1) { nodes { state %s } } }",
    "course { sections(first: 1) { nodes { name %s } } }",
)

# Columns that name a row of an institution's own.
_NAMES = {
    *("id", "parent_id", "account_id", "term_id", "course_id", "origin_course_id", "section_id", "person_id"),
    *("associated_person_id", "merged_into_id", "context_course_id", "sync_run_id"),
}  # fmt: skip
_TABLES = (
    *("account", "term", "course", "section", "person", "identity", "enrollment"),
    *("coverage", "sync_run"),
)
_APART = 10_000_000  # row ids of one institution from those of the next

Points = list[tuple[int, float]]


@dataclass(frozen=True, kw_only=True)
class Growth:
    """Milliseconds at each size, by engine. `bend`: from where on an answer takes twice as long as the smallest."""

    name: str
    points: dict[str, Points]

    def bend(self, engine: str) -> str:
        (_, least), *rest = self.points[engine]
        return next((f"{size:,}" for size, ms in rest if ms >= 2 * least), "not reached")


def run(folder: Path, postgres: str, quick: bool) -> str:  # noqa: FBT001  as every suite is called
    return measured(folder, postgres, quick=quick, institutions=5 if quick else INSTITUTIONS)


def measured(folder: Path, postgres: str, *, quick: bool, institutions: int) -> str:
    report = loaded.report(folder, QUICK_SIZE if quick else SIZE)
    found: list[Growth] = []
    with loaded.postgres_database(postgres) as url, ExitStack() as stack:
        schools = {
            "PostgreSQL": loaded.load(url, folder, report),
            "SQLite": loaded.load(f"sqlite://{folder / 'roster.db'}", folder, report),
        }
        running = {
            engine: stack.enter_context(servers.gateway(folder, one.config, one.token))
            for engine, one in schools.items()
        }
        for name, sizes, document in _questions(quick=quick):
            points = {
                engine: [
                    (size, milliseconds(running[engine], school, document(size))) for size in sizes
                ]
                for engine, school in schools.items()
            }
            found.append(Growth(name=name, points=points))
        crowd = list(_crowd(running["PostgreSQL"], schools["PostgreSQL"], institutions))
        found.append(Growth(name="institutions", points={"PostgreSQL": crowd}))
    tables = "\n\n".join(table(one) for one in found)
    if quick:
        return tables
    charts.photograph(PICTURE, [_curve(one) for one in found])
    return f"![Milliseconds by rows, levels, courses and institutions]({PICTURE.name})\n\n{tables}"


def _questions(*, quick: bool) -> Iterable[tuple[str, Sequence[int], Callable[[int], str]]]:
    most_rows, most_courses = (500, 50) if quick else (5000, 200)
    rows = [size for size in (10, 30, 100, 300, 1000, 3000, 5000) if size <= most_rows]
    courses = [size for size in (1, 5, 20, 50, 100, 200) if size <= most_courses]
    yield "rows", rows, lambda size: _ROWS % (size, _ENROLLMENT)
    yield "levels", range(1, len(_LEVELS) + 1), _nested
    yield "courses of 20 rows", courses, lambda size: _COURSES % size


def _nested(levels: int) -> str:
    text = ""
    for level in reversed(_LEVELS[:levels]):
        text = level % text
    return f"{{ {text} }}"


def milliseconds(server: Server, school: Loaded, document: str, *, seconds: float = 1.0) -> float:
    """What nine in ten of one caller's requests take at least: what else the machine does is no part of the cost."""
    variables = {"course": school.canvas_id} if "$course" in document else {}
    body = {"query": document, "variables": variables}
    taken: list[float] = []
    with httpx.Client(headers=server.headers, timeout=120) as client:
        ends = time.perf_counter() + seconds
        while len(taken) < 8 or time.perf_counter() < ends:
            began = time.perf_counter()
            reply = client.post(f"{server.url}/graphql", json=body)
            taken.append((time.perf_counter() - began) * 1000)
            if "errors" in reply.json():
                sys.exit(f"{document}: {reply.json()['errors']}")
    return sorted(taken)[len(taken) // 10]


def _crowd(server: Server, school: Loaded, most: int) -> Iterable[tuple[int, float]]:
    """q1 of the first institution, while more and more like it come to stand beside it."""
    there = 1
    for count in (size for size in (1, 10, 100, 1000) if size <= most):
        asyncio.run(_multiply(school.url, there + 1, count))
        there = count
        yield count, milliseconds(server, school, _ROWS % (100, _ENROLLMENT))


async def _multiply(url: str, first: int, last: int) -> None:
    """Institutions `first` to `last`, each a copy of the first with row ids of its own, made in the server."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(
            "insert into institution (id, slug, shard, feed_position)"
            " select n, 'bench-' || n, 1, 0 from generate_series($1::bigint, $2) n",
            first,
            last,
        )
        for name in _TABLES:
            await connection.execute(await _copying(connection, name), first, last)
        await connection.execute("vacuum (analyze)")  # as a server left alone does by itself
    finally:
        await connection.close()


async def _copying(connection: asyncpg.Connection, table_name: str) -> str:
    """One institution's rows after the other's, so that every index grows at its end."""
    named = await connection.fetch(
        "select column_name from information_schema.columns where table_name = $1 and table_schema = 'public'",
        table_name,
    )
    columns = [row["column_name"] for row in named]
    shift = f"(n - 1) * {_APART}"
    values = [f"t.{name} + {shift}" if name in _NAMES else f"t.{name}" for name in columns]
    values[columns.index("institution_id")] = "n"
    return (
        f"insert into {table_name} ({', '.join(columns)}) select {', '.join(values)}"
        f" from generate_series($1::bigint, $2) n cross join lateral"
        f" (select * from {table_name} where institution_id = 1 and n > 1 order by id) t"
    )


def table(growth: Growth) -> str:
    engines = list(growth.points)
    lines = [
        f"| {growth.name} | {' | '.join(f'{engine}, ms' for engine in engines)} |",
        f"| ---: | {' | '.join('---:' for _ in engines)} |",
    ]
    for number, (size, _) in enumerate(growth.points[engines[0]]):
        shown = (f"{growth.points[engine][number][1]:.2f}" for engine in engines)
        lines.append(f"| {size:,} | {' | '.join(shown)} |")
    bends = " | ".join(growth.bend(engine) for engine in engines)
    return "\n".join([*lines, f"| *twice the smallest at* | {bends} |"])


def _curve(growth: Growth) -> str:
    return charts.curve(f"Milliseconds by {growth.name}", growth.name, growth.points)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--institutions", type=int, default=INSTITUTIONS)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--write", action="store_true", help="into docs/benchmarks.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="roster-bench-") as folder:
        tables = measured(
            Path(folder),
            os.environ["ROSTER_TEST_POSTGRES"],
            quick=options.quick,
            institutions=options.institutions,
        )
    print(tables)
    if options.write:
        put("growth", tables)


if __name__ == "__main__":
    main()
