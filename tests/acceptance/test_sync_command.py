"""`roster sync` and `roster worker`, as processes beside a twin."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.settings import load
from tests.acceptance.conftest import database_of
from tests.acceptance.upstream import Twin, configured, filled, twin_served
from tests.conftest import ENGINES
from twin.faults import Kind

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def twin() -> Iterator[Twin]:
    with twin_served(report_queue_seconds=0.2) as running:
        yield running


@pytest.fixture(scope="module", params=ENGINES)
def file(
    request: pytest.FixtureRequest, twin: Twin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """A configuration whose database knows the school already."""
    folder = tmp_path_factory.mktemp("command")
    with database_of(request.param, folder) as url:
        configuration = configured(twin, url, folder)
        filled(twin, load(configuration), folder)
        yield configuration


def roster(*arguments: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "gateway", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_course_is_synced_where_nobody_does_background_work(file: Path, twin: Twin) -> None:
    said = roster("sync", "--config", file, "--course", twin.small.id)

    assert (0, "course by ENROLLMENTS_API: succeeded") == (
        said.returncode,
        said.stdout.split(",")[0],
    ), said.stderr
    assert "course by ENROLLMENTS_API: queued" in said.stderr


def test_everything_is_synced_and_what_fails_says_so(file: Path, twin: Twin) -> None:
    said = roster("sync", "--config", file)
    assert (0, "institution by REPORT: succeeded") == (said.returncode, said.stdout.split(",")[0])

    twin.break_(Kind.STATUS, "/reports", status=403)
    failed = roster("sync", "--config", file, "--source", "REPORT")
    twin.mend()

    assert failed.returncode == 1
    assert "failed" in failed.stderr


def test_a_course_that_nobody_knows_is_refused(file: Path) -> None:
    said = roster("sync", "--config", file, "--course", "99999")

    assert (1, "") == (said.returncode, said.stdout)
    assert "99999 is not known" in said.stderr


def test_a_worker_is_refused_beside_sqlite(twin: Twin, tmp_path: Path) -> None:
    said = roster("worker", "--config", configured(twin, f"sqlite://{tmp_path}/db", tmp_path))

    assert said.returncode == 2
    assert "one server process" in said.stderr
