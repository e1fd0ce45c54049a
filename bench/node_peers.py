"""q1-q3 asked of GraphQL servers of Node.js, each set up as its documentation advises (bench/peers)."""

import asyncio
import shutil
import statistics
import sys
from contextlib import ExitStack
from pathlib import Path

from bench import charts, loaded, reads, servers
from bench.reads import Run
from bench.servers import Server

FOLDER = Path(__file__).parent / "peers"
PICTURE = Path(__file__).parent.parent / "docs" / "peers.png"
SAME = ("mercurius", "yoga")  # their graph has our shape

_ENROLLMENT = "id: rowId type state user: userByUserId { id: rowId name email sisId } section: sectionBySectionId { id: rowId name }"
_OF_COURSE = (
    "query($course: BigInt!) { course: courseByRowId(rowId: $course) { id: rowId name"
    f" enrollments: enrollmentsByCourseId(first: %s) {{ nodes {{ {_ENROLLMENT} }} }} }} }}"
)
POSTGRAPHILE = {
    "q1": _OF_COURSE % 100,
    "q2": _OF_COURSE % 5000,
    "q3": "query { courses: allCourses(first: 50) { nodes { id: rowId name"
    " sections: sectionsByCourseId(first: 50) { nodes { id: rowId name"
    f" enrollments: enrollmentsBySectionId(first: 20) {{ nodes {{ {_ENROLLMENT} }} }} }} }} }} }} }}",
}


def run(folder: Path, postgres: str, quick: bool) -> str:  # noqa: FBT001  as every suite is called
    _install()
    report = loaded.report(folder, loaded.QUICK_SIZE if quick else loaded.SIZE)
    with loaded.postgres_database(postgres) as url, ExitStack() as stack:
        school = loaded.load(url, folder, report)
        asyncio.run(loaded.run(url, (FOLDER / "peers.sql").read_text()))
        environment = {
            "BENCH_DATABASE": url,
            "NODE_ENV": "production",
            "GRAPHILE_ENV": "production",
        }
        running = [
            stack.enter_context(servers.gateway(folder, school.config, school.token)),
            stack.enter_context(servers.baseline("handwritten", folder, url)),
            *(
                stack.enter_context(
                    servers.program(
                        name,
                        ["node", FOLDER / f"{name}.mjs"],
                        folder,
                        environment,
                        {} if name in SAME else POSTGRAPHILE,
                    )
                )
                for name in (*SAME, "postgraphile")
            ),
        ]
        servers.same_answers(running, canvas_id=school.canvas_id, row_id=school.row_id)
        runs = reads.measure(
            running,
            folder,
            canvas_id=school.canvas_id,
            row_id=school.row_id,
            rounds=1 if quick else 3,
            seconds=3 if quick else 6,
            connections=16,
        )
        tables = table(running, runs)
        if quick:
            return tables
        _draw(runs)
        return f"![Requests a second, by server and question]({PICTURE.name})\n\n{tables}"


def _install() -> None:
    if shutil.which("npm") is None:
        sys.exit("the peers need Node.js and npm: apt-get install nodejs npm")
    installed = FOLDER / "node_modules" / ".package-lock.json"
    lock = FOLDER / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        words = "npm ci --ignore-scripts --no-progress --no-audit --no-fund --loglevel=error"
        loaded.call(*words.split(), folder=FOLDER)
        installed.touch()


def table(running: list[Server], runs: dict[str, dict[str, list[Run]]]) -> str:
    """Markdown: medians, and how many times as many requests the gateway answers."""
    lines = [
        "| question | server | req/s | the gateway answers | p50 ms | p99 ms |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for question, of_server in runs.items():
        ours = _rate(of_server["gateway"])
        for name, measured in of_server.items():
            rate = _rate(measured)
            p50, p99 = (
                statistics.median(getattr(one, q) for one in measured) for q in ("p50", "p99")
            )
            times = f"{ours / rate:.1f} x" if rate else "none of these ended in time"
            lines.append(f"| {question} | {name} | {rate:.1f} | {times} | {p50:.1f} | {p99:.1f} |")
    peaks = ", ".join(f"{one.name} {servers.peak_memory(one) / 1e6:.0f} MB" for one in running)
    return "\n".join([*lines, "", f"Peak memory: {peaks}."])


def _rate(measured: list[Run]) -> float:
    return statistics.median(run.requests_per_second for run in measured)


def _draw(runs: dict[str, dict[str, list[Run]]]) -> None:
    shown = {
        question: {name: _rate(measured) for name, measured in of_server.items()}
        for question, of_server in runs.items()
    }
    charts.photograph(PICTURE, charts.bars("Requests a second, c=16, one process each", shown))
