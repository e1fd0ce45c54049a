"""`python -m twin` as an operator starts it."""

import argparse
import re
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from twin.command import add_arguments, main, run

ROOT = Path(__file__).parents[2]
SMALL = ["--port", "0", "--users", "80", "--courses", "12", "--big", "20", "--enrollments", "99"]


def test_it_prints_its_address_and_tokens_once_it_answers() -> None:
    """The admin's token, a teacher's and a student's work at once."""
    command = [sys.executable, "-m", "twin", *SMALL]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(4)]
        url = lines[0].partition(": ")[2]
        tokens = dict(line.split(" token: ") for line in lines[1:])
        names = [
            httpx.get(f"{url}/api/v1/users/self", headers={"Authorization": f"Bearer {token}"})
            .raise_for_status()
            .json()["name"]
            for token in tokens.values()
        ]
        process.terminate()

    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
    assert ["admin", "teacher", "student"] == list(tokens)
    assert ["Ada Root", "Theodora O'Neil", "Zoë Neil"] == names


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--set", "nope=1"], "no switch is called 'nope'"),
        (["--set", "throttle_status=500"], "throttle_status"),
        (["--users", "5"], "at least"),
    ],
)
def test_wrong_options_are_said_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    """Exit 2 and no traceback."""
    status = main([*SMALL, *arguments])
    said = capsys.readouterr().err

    assert 2 == status
    assert reason in said
    assert 1 == said.count("\n")


def test_a_taken_port_is_said_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 1; the same through the function that `roster twin` calls."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status = run(parser.parse_args(["--port", str(port)]))

    assert 1 == status
    assert f"cannot listen on 127.0.0.1:{port}" in capsys.readouterr().err
