"""The planner and the rules of merging are tried on every branch by their own tables of cases."""

import subprocess
import sys
from pathlib import Path

import pytest

PROVED_BY = {
    "test_planner.py": ("covering", "needs", "offers", "planner", "verdicts"),
    "test_merge.py": ("merge",),
}


@pytest.mark.parametrize("table", PROVED_BY)
def test_every_branch_is_tried(table: str, tmp_path: Path) -> None:
    modules = ",".join(f"gateway.{name}" for name in PROVED_BY[table])
    coverage = [sys.executable, "-m", "coverage"]
    data = f"--data-file={tmp_path / 'coverage'}"
    pytest_ = ["-m", "pytest", "-q", "-p", "no:cacheprovider", str(Path(__file__).with_name(table))]

    tried = [*coverage, "run", "--branch", f"--source={modules}", data, *pytest_]
    subprocess.run(tried, check=True, capture_output=True)
    report = subprocess.run(
        [*coverage, "report", "--show-missing", "--fail-under=100", data],
        check=False,
        capture_output=True,
        text=True,
    )

    assert report.returncode == 0, report.stdout
