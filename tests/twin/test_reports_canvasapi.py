"""Reports, SIS imports and faults over a real socket, with clients nobody here wrote."""

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from canvasapi import Canvas
from canvasapi.exceptions import ResourceDoesNotExist
from starlette.applications import Starlette

from tests.twin.conftest import SMALL
from tests.twin.sending_sis import HEADER
from tests.twin.serving import address, listening, served
from twin.app import create_twin
from twin.cast import Cast
from twin.options import Options


@dataclass
class Site:
    url: str
    app: Starlette
    account: Any

    @property
    def cast(self) -> Cast:
        cast: Cast = self.app.state.cast
        return cast

    def control(self, path: str, /, **body: Any) -> None:
        answer = httpx.post(f"{self.url}/control/{path}", json=body)
        answer.raise_for_status()

    def advance(self, seconds: float) -> None:
        self.control("clock", seconds=seconds)


@pytest.fixture
def site() -> Iterator[Site]:
    """A twin that knows its own address, seen by `canvasapi` as the admin."""
    listener = listening()
    sizes: dict[str, Any] = {**SMALL, "public_url": address(listener)}
    app = create_twin(Options(**sizes, control=True))
    with served(app, listener) as url:
        with pytest.warns(UserWarning, match="HTTP"):  # it would rather speak https
            canvas = Canvas(url, app.state.cast.tokens["admin"])
        yield Site(url, app, canvas.get_account(1))
        canvas._Canvas__requester._session.close()


def fetched(url: str) -> bytes:
    """By a session that would send its credentials wherever they are wanted."""
    with requests.Session() as session:
        response = session.get(url, timeout=10)
        assert [hop.status_code for hop in response.history] == [302, 302]
        assert response.url.startswith("http://localhost:")
        response.raise_for_status()
        return response.content


def test_canvasapi_starts_a_report_follows_it_and_fetches_the_file(site: Site) -> None:
    run = site.account.create_report(
        "provisioning_csv", parameters={"enrollments": True, "skip_message": True}
    )
    assert run.status == "created"
    assert run.parameters["enrollments"] == "true"

    site.advance(60)
    done = site.account.get_report("provisioning_csv", run.id)

    assert done.status == "complete"
    rows = list(csv.DictReader(io.StringIO(fetched(done.attachment["url"]).decode())))
    student = site.cast.people["student"]
    assert str(student.id) in {row["canvas_user_id"] for row in rows}
    assert done.current_line == len(rows)


def test_canvasapi_lists_types_and_runs_and_deletes_one(site: Site) -> None:
    types = {each.report for each in site.account.get_reports()}
    kept = site.account.create_report("sis_export_csv", parameters={"users": True})
    gone = site.account.create_report("sis_export_csv", parameters={"users": True})

    gone.delete_report()

    assert types == {"provisioning_csv", "sis_export_csv"}
    listed = [run.id for run in site.account.get_index_of_reports("sis_export_csv")]
    assert listed == [kept.id]
    with pytest.raises(ResourceDoesNotExist):
        site.account.get_report("sis_export_csv", gone.id)


def test_canvasapi_imports_by_multipart_and_reads_the_errors(site: Site, tmp_path: Path) -> None:
    section = site.cast.sections["demo_b"].sis_source_id
    course = site.cast.courses["demo"].sis_source_id
    file = tmp_path / "enrollments.csv"
    file.write_text(
        f"{HEADER}\n{course},{section},S-000077,student,active\n"
        f"{course},{section},NOBODY,student,active\n"
    )

    sent = site.account.create_sis_import(str(file))
    assert sent.workflow_state == "created"
    site.advance(60)
    ended = site.account.get_sis_import(sent.id)

    assert ended.workflow_state == "imported_with_messages"
    assert ended.data["counts"]["enrollments"] == 1
    assert ended.processing_warnings == [
        [
            "enrollments.csv",
            (
                "User not found for enrollment "
                f"(User ID: NOBODY, Course ID: {course}, Section ID: {section})"
            ),
        ]
    ]
    assert b"NOBODY" in fetched(ended.errors_attachment["url"])


def _whole(url: str, token: str) -> bytes:
    return httpx.get(url, headers={"Authorization": f"Bearer {token}"}).content


def _by_requests(url: str, token: str) -> bytes:
    with requests.Session() as session:
        headers = {"Authorization": f"Bearer {token}"}
        return session.get(url, headers=headers, timeout=10).content


@pytest.mark.parametrize(
    ("get", "broken"),
    [
        (_whole, httpx.RemoteProtocolError),
        (_by_requests, requests.exceptions.ChunkedEncodingError),
    ],
)
def test_a_cut_body_is_a_broken_connection_to_any_client(
    site: Site, get: Callable[[str, str], bytes], broken: type[Exception]
) -> None:
    site.control("faults", kind="cut_body", path="/enrollments", count=1)
    url = f"{site.url}/api/v1/courses/{site.cast.courses['demo'].id}/enrollments"
    token = site.cast.tokens["admin"]

    with pytest.raises(broken):
        get(url, token)

    assert get(url, token).startswith(b"[{")
