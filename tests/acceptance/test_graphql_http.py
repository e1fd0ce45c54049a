"""The standards' own judges: the `graphql-http` audit, and the clients of graphql-ws and graphql-sse, from npm."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import School

NODE = Path(__file__).parent / "node"
AUDITS = 61

pytestmark = pytest.mark.node


@pytest.fixture(scope="module", autouse=True)
def packages() -> None:
    if shutil.which("node") is None:
        pytest.skip("no Node.js: install it (Debian: apt-get install nodejs npm)")
    if not (NODE / "node_modules").is_dir():
        pytest.skip("no npm packages: run `npm ci` in tests/acceptance/node, or `make test`")


def run(script: str, *arguments: str) -> str:
    done = subprocess.run(
        ["node", NODE / script, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    assert not done.stderr
    return done.stdout


def test_every_audit_of_graphql_over_http_passes(school: School) -> None:
    results = [json.loads(line) for line in run("audit.mjs", school.url, school.token).splitlines()]

    assert [] == [one for one in results if one["status"] != "ok"]
    assert AUDITS == len(results)


def test_the_javascript_clients_are_answered(school: School) -> None:
    told: dict[str, Any] = json.loads(
        run(
            "clients.mjs",
            school.url,
            school.token,
            "{ viewer { institution { slug } } }",
            'subscription { changes(after: "Y2hhbmdlOjA=") { kind } }',
        )
    )

    answer = {"data": {"viewer": {"institution": {"slug": "demo"}}}, "extensions": {"cost": 2}}
    assert [answer] == told["wsQuery"] == told["sseQuery"]
    baseline = {"data": {"changes": {"kind": "BASELINE"}}, "extensions": {"cost": 1}}
    assert baseline == told["wsChange"] == told["sseChange"]
    assert 4403 == told["wsUnauthenticated"] == told["wsWrongToken"]
