"""Syncs through the whole stack: a gateway that does its background work, beside a twin whose school moves."""

import csv
import io
import json
import zipfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.app import create_app, now, roster_graph
from gateway.settings import load
from tests.acceptance.conftest import database_of
from tests.acceptance.upstream import (
    Asked,
    Client,
    Twin,
    configured,
    connected,
    filled,
    twin_served,
)
from tests.conftest import ENGINES
from tests.twin.serving import served
from twin.faults import Kind
from twin.report_file import write_report

START = """mutation ($input: StartSyncInput!) { startSync(input: $input) {
  syncRun { id state source label } errors { code message path } } }"""
CANCEL = "mutation ($id: ID!) { cancelSync(id: $id) { syncRun { id state } errors { code message path } } }"
CONFIRM = "mutation ($id: ID!) { confirmHeld(id: $id) { syncRun { id state held removed } errors { code message path } } }"
IMPORT = """mutation ($input: ImportReportInput!) { importReport(input: $input) {
  syncRun { id state source label } errors { code message path } } }"""
PROGRESS = """subscription ($id: ID!) { syncProgress(id: $id) {
  id state source progress rowsRead expectedEndAt created updated removed unchanged held requests message } }"""


@dataclass(frozen=True, kw_only=True)
class Gateway:
    twin: Twin
    client: Client

    async def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        answer = await self.client.post(
            "/graphql", json={"query": document, "variables": variables}
        )
        said = answer.json()
        assert "errors" not in said, said
        data: dict[str, Any] = said["data"]
        return next(iter(data.values()))

    async def started(self, scope: dict[str, Any], **more: Any) -> str:
        payload = await self.ask(START, input={"scope": scope, **more})
        assert [] == payload["errors"]
        run: str = payload["syncRun"]["id"]
        return run

    async def followed(self, run: str) -> list[dict[str, Any]]:
        """All that a subscription tells of the run."""
        body = {"query": PROGRESS, "variables": {"id": run}}
        accept = {"accept": "text/event-stream"}
        async with self.client.stream("POST", "/graphql", json=body, headers=accept) as answer:
            return [
                json.loads(line.removeprefix("data: "))["data"]["syncProgress"]
                async for line in answer.aiter_lines()
                if line.startswith("data: {")
            ]

    async def synced(self, scope: dict[str, Any], **more: Any) -> dict[str, Any]:
        return (await self.followed(await self.started(scope, **more)))[-1]

    async def caused(self, after: str | None) -> dict[str, Any]:
        """The changes behind a cursor, each with why it came."""
        document = """query ($after: String) { changes(first: 5000, after: $after) {
          nodes { subjectType kind cause { source syncRun { id } } } pageInfo { endCursor } } }"""
        return await self.ask(document, after=after)

    async def roster(self, canvas_id: int) -> set[str]:
        """Canvas's ids of a course's enrollments, as the store has them."""
        document = """query ($id: ID!) { course(by: {canvasId: $id}) {
          enrollments(first: 5000, filter: {states: [ACTIVE, INVITED, CREATION_PENDING]}, freshness: {sources: [LOCAL], maxAge: "P99D"}) {
            nodes { canvasId } } } }"""
        course = await self.ask(document, id=str(canvas_id))
        return {node["canvasId"] for node in course["enrollments"]["nodes"]}


@pytest.fixture(scope="module")
def twin() -> Iterator[Twin]:
    with twin_served(report_queue_seconds=0.2) as running:
        yield running


@pytest.fixture(autouse=True)
def _mended(twin: Twin) -> Iterator[None]:
    yield
    twin.mend()


@pytest.fixture(scope="module", params=ENGINES)
def served_gateway(
    request: pytest.FixtureRequest, twin: Twin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Asked]:
    """One for all tests, which find each other's work in it; the first of them finds nobody."""
    folder = tmp_path_factory.mktemp("gateway")
    with database_of(request.param, folder) as url:
        settings = load(configured(twin, url, folder))
        token = filled(twin, settings, folder, imported=False)
        with served(create_app(settings, make_graph=roster_graph, jobs=True)) as address:
            yield Asked(url=address, token=token)


@pytest.fixture
async def gateway(twin: Twin, served_gateway: Asked) -> AsyncIterator[Gateway]:
    async with connected(served_gateway.url, served_gateway.token) as client:
        yield Gateway(twin=twin, client=client)


@pytest.fixture
def report(twin: Twin, tmp_path: Path) -> Path:
    """Of the school as it is now."""
    path = tmp_path / "report.zip"
    write_report(path, twin.app.state.school)
    return path


async def test_everything_is_synced_by_the_report_of_the_account(
    gateway: Gateway, report: Path
) -> None:
    told = await gateway.followed(await gateway.started({"everything": True}))

    assert ("SUCCEEDED", "REPORT") == (told[-1]["state"], told[-1]["source"])
    for name in ("progress", "rowsRead"):
        shown = [one[name] for one in told]
        assert shown == sorted(shown), name
    assert told[-1]["expectedEndAt"] is None
    for course in gateway.twin.app.state.school.courses.values():
        if course.workflow_state == "available":
            assert await gateway.roster(course.id) == listed(report, course.id)


async def test_a_course_is_synced(gateway: Gateway) -> None:
    course = gateway.twin.small
    await gateway.synced({"course": {"canvasId": str(course.id)}})
    gone = next(iter(gateway.twin.roster(course)))
    gateway.twin.app.state.school.enrollments[int(gone)].workflow_state = "deleted"

    run = await gateway.synced({"course": {"canvasId": str(course.id)}})

    assert ("SUCCEEDED", "ENROLLMENTS_API", 1.0) == (run["state"], run["source"], run["progress"])
    assert run["removed"] == 1
    assert run["requests"] >= 1
    assert await gateway.roster(course.id) == gateway.twin.roster(course)


async def test_every_change_says_by_which_run_it_came(gateway: Gateway) -> None:
    """A course's list, a person's, and a walk through all courses: each is the cause of what it changed."""
    school, course = gateway.twin.app.state.school, gateway.twin.small
    await gateway.synced({"course": {"canvasId": str(course.id)}})
    (first, second, third, *_) = sorted(gateway.twin.roster(course))
    scopes = (
        (first, {"course": {"canvasId": str(course.id)}}),
        (second, {"user": {"canvasId": str(school.enrollments[int(second)].user_id)}}),
        (third, {"everything": True}),
    )
    for gone, scope in scopes:
        told = await gateway.caused(None)
        school.enrollments[int(gone)].workflow_state = "deleted"

        run = await gateway.started(scope, source="ENROLLMENTS_API")
        assert (await gateway.followed(run))[-1]["state"] == "SUCCEEDED"

        caused = await gateway.caused(told["pageInfo"]["endCursor"])
        assert ("Enrollment", "REMOVED") in {
            (one["subjectType"], one["kind"]) for one in caused["nodes"]
        }
        assert {("ENROLLMENTS_API", run)} == {
            (one["cause"]["source"], (one["cause"]["syncRun"] or {}).get("id"))
            for one in caused["nodes"]
        }


async def test_where_reports_are_refused_an_account_is_read_course_by_course(
    gateway: Gateway,
) -> None:
    gateway.twin.break_(Kind.STATUS, "/reports", status=403)

    run = await gateway.synced({"everything": True})

    assert ("SUCCEEDED", None) == (run["state"], run["message"])
    for course in gateway.twin.app.state.school.courses.values():
        if course.workflow_state != "deleted":
            assert await gateway.roster(course.id) == gateway.twin.roster(course)


async def test_a_sync_of_the_same_scope_is_shared(gateway: Gateway) -> None:
    first = await gateway.started({"everything": True})
    second = await gateway.started({"account": {"canvasId": "1"}})

    assert first == second
    assert (await gateway.followed(first))[-1]["state"] == "SUCCEEDED"
    assert await gateway.started({"everything": True}) != first


async def test_the_same_key_is_answered_with_the_same_run(gateway: Gateway) -> None:
    scope = {"course": {"canvasId": str(gateway.twin.small.id)}}
    first = await gateway.started(scope, idempotencyKey="k")
    await gateway.followed(first)

    assert first == await gateway.started(scope, idempotencyKey="k")
    other = await gateway.ask(START, input={"scope": {"everything": True}, "idempotencyKey": "k"})
    assert ["IDEMPOTENCY_MISMATCH"] == [error["code"] for error in other["errors"]]


async def test_what_cannot_be_synced_is_refused(gateway: Gateway) -> None:
    course = {"course": {"canvasId": str(gateway.twin.small.id)}}
    cases = {
        "INVALID": {"scope": course, "source": "REPORT"},
        "NOT_FOUND": {"scope": {"course": {"canvasId": "999999"}}},
    }
    for code, asked in cases.items():
        payload = await gateway.ask(START, input=asked)
        assert payload["syncRun"] is None
        assert [code] == [error["code"] for error in payload["errors"]]


async def test_a_sync_is_cancelled(gateway: Gateway) -> None:
    gateway.twin.break_(Kind.LATENCY, "/reports", seconds=30)
    run = await gateway.started({"everything": True})

    cancelled = await gateway.ask(CANCEL, id=run)
    told = await gateway.followed(run)
    again = await gateway.ask(CANCEL, id=run)

    assert (run, "CANCELLED") == (cancelled["syncRun"]["id"], cancelled["syncRun"]["state"])
    assert told[-1]["state"] == "CANCELLED"
    assert ["CONFLICT"] == [error["code"] for error in again["errors"]]


async def test_a_report_that_an_admin_sent_is_loaded(gateway: Gateway, report: Path) -> None:
    payload = await uploaded(gateway, report.read_bytes())  # noqa: ASYNC240  a small file
    run = (await gateway.followed(payload["syncRun"]["id"]))[-1]

    assert [] == payload["errors"]
    assert ("UPLOAD", "report.zip") == (payload["syncRun"]["source"], payload["syncRun"]["label"])
    assert ("SUCCEEDED", 0) == (run["state"], run["held"])
    assert run["rowsRead"] > 100


async def test_a_file_that_is_no_report_fails_and_says_why(gateway: Gateway) -> None:
    payload = await uploaded(gateway, b"no,report\n1,2\n")
    run = (await gateway.followed(payload["syncRun"]["id"]))[-1]

    assert run["state"] == "FAILED"
    assert "report" in run["message"]


async def test_held_removals_are_let_through(gateway: Gateway, report: Path) -> None:
    course = gateway.twin.big
    fewer, kept = halved(report, course.id)
    before = await gateway.roster(course.id)
    payload = await uploaded(gateway, fewer)
    run = (await gateway.followed(payload["syncRun"]["id"]))[-1]
    assert run["state"] == "HELD"
    assert before == await gateway.roster(course.id)

    confirmed = await gateway.ask(CONFIRM, id=run["id"])
    again = await gateway.ask(CONFIRM, id=run["id"])

    assert [] == confirmed["errors"]
    assert ("SUCCEEDED", 0) == (confirmed["syncRun"]["state"], confirmed["syncRun"]["held"])
    assert await gateway.roster(course.id) == before & kept
    assert ["CONFLICT"] == [error["code"] for error in again["errors"]]


async def uploaded(gateway: Gateway, content: bytes) -> dict[str, Any]:
    operations = {"query": IMPORT, "variables": {"input": {"file": None}}}
    form = {"operations": json.dumps(operations), "map": '{"0": ["variables.input.file"]}'}
    answer = await gateway.client.post(
        "/graphql", data=form, files={"0": ("report.zip", content, "application/zip")}
    )
    said = answer.json()
    assert "errors" not in said, said
    payload: dict[str, Any] = said["data"]["importReport"]
    return payload


def listed(report: Path, course: int) -> set[str]:
    """Canvas's ids of the enrollments that a report shows of a course."""
    with zipfile.ZipFile(report) as archive:
        rows = csv.DictReader(io.StringIO(archive.read("enrollments.csv").decode()))
        return {
            row["canvas_enrollment_id"]
            for row in rows
            if row["canvas_course_id"] == str(course) and row["status"] in ("active", "invited")
        }


def halved(report: Path, course: int) -> tuple[bytes, set[str]]:
    """The report without every other enrollment of the course, and the ids of those that it still shows there."""
    out, kept = io.BytesIO(), set()
    soon = (now() + timedelta(seconds=4)).timetuple()[:6]  # a zip counts in steps of two seconds
    with zipfile.ZipFile(report) as archive, zipfile.ZipFile(out, "w") as fewer:
        for name in archive.namelist():
            text = archive.read(name).decode()
            if name == "enrollments.csv":
                rows = list(csv.DictReader(io.StringIO(text)))
                told = io.StringIO()
                writer = csv.DictWriter(told, rows[0].keys())
                writer.writeheader()
                for number, row in enumerate(rows):
                    if row["canvas_course_id"] == str(course):
                        if number % 2:
                            continue
                        kept.add(row["canvas_enrollment_id"])
                    writer.writerow(row)
                text = told.getvalue()
            fewer.writestr(zipfile.ZipInfo(name, date_time=soon), text)
    return out.getvalue(), kept
