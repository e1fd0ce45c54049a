"""The npm clients graphql-ws and graphql-sse follow the feed while its server is killed, started, stopped and started again."""

import json
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.feed import cursor_of
from gateway.store import tokens
from gateway.uow import Database
from tests.acceptance.conftest import NOON
from tests.acceptance.server_process import ServerProcess, serving
from tests.factories import School

NODE = Path(__file__).parent / "node"
SCRIPT = NODE / "following.mjs"

pytestmark = pytest.mark.node


@pytest.fixture
def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("no Node.js: install it to try real clients")
    if not (NODE / "node_modules").is_dir():
        pytest.skip("no npm packages: run `npm ci` in tests/acceptance/node")
    return found


@contextmanager
def started(database: Database, folder: Path, port: int) -> Iterator[ServerProcess]:
    with serving(database.url, folder / f"{port}.log", graph="roster", port=port) as server:
        yield server


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
async def test_nothing_is_lost_and_nothing_comes_twice(
    database: Database, tmp_path: Path, node: str
) -> None:
    school = await School.open(database)
    token = await tokens.create(
        database, institution_id=school.id, name="follower", scopes=("changes:read",), now=NOON
    )
    port = free_port()

    async def happen(count: int) -> None:
        for row in range(count):
            await school.change("Course", row)

    with started(database, tmp_path, port) as server:
        command = [node, str(SCRIPT), f"{server.url}/graphql", token, "100", cursor_of(0)]
        following = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220  nothing else waits here
        assert following.stdout is not None
        await happen(20)
        assert "following\n" == following.stdout.readline()
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    await happen(20)  # while nobody serves
    with started(database, tmp_path, port) as server:
        await happen(20)
        server.process.send_signal(signal.SIGTERM)
        await happen(20)  # while it stops
        assert 0 == server.process.wait()
    with started(database, tmp_path, port):
        await happen(20)
        told, _ = following.communicate(timeout=60)

    seen = json.loads(told)
    every = [cursor_of(position) for position in range(1, 101)]
    assert every == seen["ws"]["cursors"]
    assert every == seen["sse"]["cursors"]
    assert seen["ws"]["interrupted"] >= 2
    assert seen["sse"]["interrupted"] >= 2
