"""A gateway beside a twin that it may ask: the school's report is in its store, its token in its configuration."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette

from gateway.app import create_app, now, roster_graph
from gateway.settings import Settings, load
from gateway.store import institutions, schema, tokens
from gateway.sync.importer import import_report
from gateway.uow import Database
from gateway.viewer import Scope
from tests.acceptance.conftest import in_a_thread
from tests.twin.serving import listening, served
from twin.app import create_twin
from twin.clock import RealClock
from twin.faults import Fault, Kind
from twin.options import Options
from twin.records import Course
from twin.report_file import write_report
from twin.truth import course_truth

Client = httpx.AsyncClient  # noqa: TID251  the tests' own: nothing cancels it

MANY = httpx.Limits(max_connections=None)

SMALL: dict[str, Any] = {"courses": 12, "users": 80, "big": 40, "min_open_seconds": 0.0}
CONFIGURATION = """\
[server]
public_url    = "http://127.0.0.1:8000"
database_url  = "{database}"
cache_url     = "{cache}"
secret_key    = "not so secret"
query_timeout = "{timeout}"

[[institution]]
slug        = "demo"
canvas_url  = "{canvas}"
account_id  = "1"
admin_token = "{token}"
"""


@dataclass(frozen=True, kw_only=True)
class Twin:
    app: Starlette
    url: str

    @property
    def big(self) -> Course:
        rows = self.app.state.school.enrollments_of_course
        courses: list[Course] = list(self.app.state.school.courses.values())
        return max(courses, key=lambda course: len(list(rows.of(course.id))))

    @property
    def small(self) -> Course:
        """One whose list fits on a page, and that nobody was dropped from."""
        rows = self.app.state.school.enrollments_of_course
        courses: list[Course] = list(self.app.state.school.courses.values())
        return next(
            one
            for one in courses
            if one.workflow_state == "available" and 3 < len(list(rows.of(one.id))) < 40
        )

    def roster(self, course: Course) -> set[str]:
        """Canvas's ids of those who are on it."""
        rows = course_truth(self.app.state.school, course)["enrollments"]
        return {row["id"] for row in rows if row["on_default_roster"]}

    def lists(self) -> int:
        """Requests for lists of enrollments of a course so far."""
        bill = self.app.state.bill.json()["by_endpoint"]
        return sum(
            item["requests"]
            for endpoint, item in bill.items()
            if endpoint.endswith("/courses/{course_id}/enrollments")
        )

    def break_(self, kind: Kind, path: str = "", **fields: Any) -> Fault:
        fault: Fault = self.app.state.faults.add(Fault(kind=kind, path=path, **fields))
        return fault

    def mend(self) -> None:
        self.app.state.faults.clear()


@contextmanager
def twin_served(**options: Any) -> Iterator[Twin]:
    listener = listening()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app = create_twin(Options(**{**SMALL, **options, "public_url": url}), RealClock())
    with served(app, on=listener):
        yield Twin(app=app, url=url)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A gateway's address, and a token for it."""

    url: str
    token: str


def connected(url: str, token: str) -> Client:
    headers = {"authorization": f"Bearer {token}"}
    return Client(base_url=url, headers=headers, timeout=60, limits=MANY)


def configured(
    twin: Twin, database: str, folder: Path, *, cache: str = "memory://", timeout: str = "PT20S"
) -> Path:
    file = folder / "roster.toml"
    token = twin.app.state.cast.tokens["admin"]
    file.write_text(
        CONFIGURATION.format(
            database=database, cache=cache, canvas=twin.url, token=token, timeout=timeout
        )
    )
    return file


def filled(twin: Twin, settings: Settings, folder: Path, *, imported: bool = True) -> str:
    """The twin's report in the store, unless it is to stay empty; a token of everything."""
    write_report(folder / "report.zip", twin.app.state.school)

    async def fill() -> str:
        async with Database.open(settings.server.database_url) as database:
            await schema.migrate(database)
            demo = await institutions.ensure(database, slug="demo", canvas_url=twin.url)
            if imported:
                await import_report(database, demo, folder / "report.zip", clock=now)
            return await tokens.create(
                database, institution_id=demo.id, name="all", scopes=tuple(Scope), now=now()
            )

    return in_a_thread(fill())


@contextmanager
def gateway_served(settings: Settings, token: str) -> Iterator[Asked]:
    with served(create_app(settings, make_graph=roster_graph)) as url:
        yield Asked(url=url, token=token)


@contextmanager
def gateway_beside(twin: Twin, database: str, folder: Path, **options: str) -> Iterator[Asked]:
    settings = load(configured(twin, database, folder, **options))
    with gateway_served(settings, filled(twin, settings, folder)) as asked:
        yield asked


async def answers(
    client: Client,
    query: str,
    variables: dict[str, Any],
    *,
    times: int = 1,
    headers: dict[str, str] | None = None,
) -> list[httpx.Response]:
    body = {"query": query, "variables": variables}
    return await asyncio.gather(
        *(client.post("/graphql", json=body, headers=headers) for _ in range(times))
    )
