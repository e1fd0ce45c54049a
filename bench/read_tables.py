"""Fill both databases with one school of 500,000 enrollments, start every server on each, and measure q1-q3."""

from contextlib import ExitStack
from pathlib import Path

from bench import loaded, reads, servers


def run(folder: Path, postgres: str, quick: bool) -> str:  # noqa: FBT001  one signature for all suites
    report = loaded.report(folder, loaded.QUICK_SIZE if quick else loaded.SIZE)
    with loaded.postgres_database(postgres) as url:
        urls = {"PostgreSQL": url, "SQLite": f"sqlite://{folder / 'roster.db'}"}
        tables = [_on(engine, one, folder, report, quick=quick) for engine, one in urls.items()]
    return "\n\n".join(tables)


def _on(engine: str, url: str, folder: Path, report: Path, *, quick: bool) -> str:
    school = loaded.load(url, folder, report)
    with ExitStack() as stack:
        running = [
            stack.enter_context(servers.gateway(folder, school.config, school.token)),
            stack.enter_context(servers.baseline("handwritten", folder, url)),
            stack.enter_context(servers.baseline("plain", folder, url)),
        ]
        servers.same_answers(running, canvas_id=school.canvas_id, row_id=school.row_id)
        runs = reads.measure(
            running,
            folder,
            canvas_id=school.canvas_id,
            row_id=school.row_id,
            rounds=1 if quick else 2,
            seconds=2 if quick else 4,
            connections=16,
        )
        return reads.table(engine, running, runs)
