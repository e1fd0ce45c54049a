"""The command line as a person uses it: in processes of its own, on both databases."""

import asyncio
import json
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from gateway.cli import main
from gateway.store import institutions, registrations, tokens
from gateway.uow import Database
from resolvers.schema import print_sdl
from twin.clock import FixedClock
from twin.generate import generate
from twin.options import Options
from twin.report_file import write_report

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)

ROOT = Path(__file__).parents[2]


class Answer(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


Roster = Callable[..., Answer]

# What `--help` has to do without: each costs more than the answer.
HEAVY = (
    "asyncio",
    "asyncpg",
    "httpx",
    "msgspec",
    "polars",
    "starlette",
    "strawberry",
    "tortoise",
    "twin",
    "uvicorn",
)
PROBE = f"""
import sys
from gateway.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    print("status", end.code)
print("heavy", [name for name in {HEAVY} if name in sys.modules])
"""


@pytest.fixture
def config(database_url: str, tmp_path: Path) -> Path:
    return configured(tmp_path / "roster.toml", database_url, "demo")


@pytest.fixture
def ready(database: Database, tmp_path: Path) -> Path:
    """The configuration of a database that is up to date."""
    return configured(tmp_path / "roster.toml", database.url, "demo")


def configured(file: Path, database_url: str, *slugs: str) -> Path:
    institutions = "".join(f'[[institution]]\nslug = "{slug}"\n' for slug in slugs)
    file.write_text(
        f'[server]\npublic_url = "http://127.0.0.1:8000"\ndatabase_url = "{database_url}"\n'
        f'secret_key = "x"\n{institutions}'
    )
    return file


@pytest.fixture
def roster(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Roster:
    """Run `roster` with these arguments in this process."""

    def run(*arguments: str | Path, **environment: str) -> Answer:
        monkeypatch.delenv("ROSTER_CONFIG", raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = int(end.code or 0)
        captured = capsys.readouterr()
        return Answer(status, captured.out, captured.err)

    return run


def roster_process(*arguments: str | Path, **environment: str) -> Answer:
    """Run `roster` in a process and an environment of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "gateway", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=environment,
        timeout=60,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def told(answer: Answer) -> str:
    """The one line of an error."""
    assert "" == answer.stdout
    assert re.fullmatch(r"roster: [^\n]+\n", answer.stderr), answer.stderr
    return answer.stderr.removeprefix("roster: ").strip()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["serve", "--help"],
        ["token", "create", "--help"],
        ["demo", "--help"],
    ],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, check=True
    )

    assert answer.stdout.endswith("status 0\nheavy []\n")


def test_only_what_is_built_is_offered(roster: Roster) -> None:
    offered = re.findall(r"^    (\w+) ", roster("--help").stdout, re.MULTILINE)

    assert [
        "serve",
        "worker",
        "sync",
        "import",
        "token",
        "deployment",
        "webhooks",
        "erase",
        "clean",
        "doctor",
        "migrate",
        "schema",
        "demo",
        "twin",
    ] == offered


async def test_a_token_is_made_used_listed_and_revoked(ready: Path, database: Database) -> None:
    made = roster_process(
        "token", "create", "--config", ready, "--institution", "demo", "--name", "my notebook",
        "--scope", "roster:read", "--scope", "act-as", "--scope", "roster:read",
    )  # fmt: skip

    assert (0, "") == (made.returncode, made.stderr)
    assert re.fullmatch(r"rst_[\w-]{43}\n", made.stdout)
    token = await tokens.find(database, made.stdout.strip())
    assert token is not None
    assert ("my notebook", ("roster:read", "act-as")) == (token.name, token.scopes)

    listed = roster_process("token", "list", "--config", ready)
    assert re.fullmatch(
        r"1  my notebook  roster:read act-as  made \d{4}-\d\d-\d\d\n", listed.stdout
    )
    assert 0 == roster_process("token", "revoke", "1", "--config", ready).returncode

    assert await tokens.find(database, made.stdout.strip()) is None
    assert ", revoked " in roster_process("token", "list", "--config", ready).stdout
    again = roster_process("token", "revoke", "1", "--config", ready)
    assert (1, "demo has no live token 1") == (again.returncode, told(again))


async def test_a_deployment_that_waits_is_listed_accepted_and_forgotten(
    roster: Roster, ready: Path, database: Database
) -> None:
    demo = await institutions.ensure(database, slug="demo", canvas_url=None)
    await registrations.note(
        database,
        [demo.id],
        issuer="https://canvas.instructure.com",
        client_id="10000000000002",
        deployment_id="1:abc",
        platform_guid=None,
        platform_name="Example School",
        now=NOON,
    )

    listed = await asyncio.to_thread(roster, "deployment", "list", "--config", ready)
    number = listed.stdout.split()[0]
    accepted, again, forgotten, gone = [
        await asyncio.to_thread(roster, "deployment", action, number, "--config", ready)
        for action in ("accept", "accept", "forget", "forget")
    ]

    assert "1:abc  client 10000000000002 of https://canvas.instructure.com" in listed.stdout
    assert "Example School  waits" in listed.stdout
    assert [0, 1, 0, 1] == [one.returncode for one in (accepted, again, forgotten, gone)]
    assert f"demo has no deployment {number} that waits" == told(again)
    assert [] == await registrations.deployments(database, demo.id)


def test_the_configuration_may_stand_anywhere(roster: Roster, config: Path) -> None:
    first = roster("--config", config, "migrate")
    after = roster("migrate", "--config", config)
    from_environment = roster("migrate", ROSTER_CONFIG=str(config))
    nested = roster("--config", config, "token", "list")

    assert (0, 0, 0, 0) == (
        first.returncode,
        after.returncode,
        from_environment.returncode,
        nested.returncode,
    )
    assert first.stdout.startswith("applied 0001_initial")
    assert "already up to date\n" == after.stdout == from_environment.stdout


def test_no_configuration_is_wrong_usage(roster: Roster) -> None:
    answer = roster("migrate")

    assert 2 == answer.returncode
    assert "no configuration: give --config FILE or set ROSTER_CONFIG" == told(answer)


def test_a_bad_configuration_is_told_in_a_line_for_each_mistake(
    roster: Roster, tmp_path: Path
) -> None:
    file = configured(tmp_path / "roster.toml", "mysql://x", "Demo")
    answer = roster("migrate", "--config", file)

    assert (1, "") == (answer.returncode, answer.stdout)
    assert [
        f"roster: {file}:3: server.database_url",
        f"roster: {file}:6: institution[0].slug",
    ] == [line.rpartition(": ")[0] for line in answer.stderr.splitlines()]


def test_a_database_that_is_not_there_is_told_in_one_line(roster: Roster, tmp_path: Path) -> None:
    file = configured(tmp_path / "roster.toml", "postgres://127.0.0.1:1/roster", "demo")
    answer = roster("token", "list", "--config", file)

    assert 1 == answer.returncode
    assert told(answer).startswith("the database postgres://127.0.0.1:1/roster cannot be opened")


@pytest.mark.parametrize(
    ("slugs", "arguments", "said"),
    [
        pytest.param([], [], "say which --institution: the configuration has none", id="none"),
        pytest.param(
            ["a", "b"], [], "say which --institution: the configuration has a, b", id="two"
        ),
        pytest.param(
            ["a"],
            ["--institution", "b"],
            "no institution 'b': the configuration has a",
            id="another",
        ),
    ],
)
def test_the_institution_has_to_be_a_configured_one(
    roster: Roster, tmp_path: Path, slugs: list[str], arguments: list[str], said: str
) -> None:
    file = configured(tmp_path / "roster.toml", f"sqlite://{tmp_path / 'roster.db'}", *slugs)
    answer = roster("token", "list", "--config", file, *arguments)

    assert (2, said) == (answer.returncode, told(answer))


def test_an_unknown_scope_is_refused_with_the_known_ones(roster: Roster) -> None:
    answer = roster("token", "create", "--name", "x", "--scope", "everything")

    assert 2 == answer.returncode
    for scope in ("roster:read", "roster:write", "changes:read", "pii:read", "act-as", "admin"):
        assert f"'{scope}'" in answer.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("serve", "--port", "99999"), "'99999' is no port"),
        (("serve", "--port", "-1"), "'-1' is no port"),
        (("demo", "--twin-port", "http"), "'http' is no port"),
        (("token", "create", "--scope", "roster:read", "--name", " "), "is not blank"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(
    roster: Roster, arguments: tuple[str, ...], says: str
) -> None:
    answer = roster(*arguments)

    assert 2 == answer.returncode
    assert says in answer.stderr


def test_sqlite_takes_one_server_process(roster: Roster, tmp_path: Path) -> None:
    file = configured(tmp_path / "roster.toml", f"sqlite://{tmp_path / 'roster.db'}", "demo")
    answer = roster("serve", "--config", file, "--port", "0", "--workers", "2")

    assert 2 == answer.returncode
    assert told(answer).startswith("SQLite takes one server process")


def test_nobody_else_on_the_machine_reads_what_is_kept(tmp_path: Path) -> None:
    file = configured(tmp_path / "roster.toml", f"sqlite://{tmp_path / 'roster.db'}", "demo")

    answer = roster_process("migrate", "--config", file)

    assert 0 == answer.returncode, answer.stderr
    kept = [path for path in tmp_path.iterdir() if path.name.startswith("roster.db")]
    assert kept
    assert {0} == {path.stat().st_mode & 0o007 for path in kept}


@pytest.mark.postgres
@pytest.mark.parametrize("engine", ["postgres"], indirect=True)
def test_postgres_is_not_migrated_unasked(roster: Roster, config: Path) -> None:
    answer = roster("token", "list", "--config", config)

    assert 1 == answer.returncode
    assert "run `roster migrate` first" in told(answer)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small school's provisioning report."""
    path = tmp_path_factory.mktemp("report") / "provisioning.zip"
    school, _ = generate(Options(courses=10, users=60, big=20, seed=3), FixedClock(NOON))
    write_report(path, school)
    return path


def totals(answer: Answer) -> list[int]:
    """Rows, created, updated, removed, unchanged, set aside, held: the last line of the summary's table."""
    found = re.search(r"^total((?: +[\d,]+){7})$", answer.stdout, re.MULTILINE)
    assert found, answer.stdout + answer.stderr
    return [int(number.replace(",", "")) for number in found[1].split()]


def test_a_report_is_imported_once(roster: Roster, ready: Path, report: Path) -> None:
    first = roster("import", report, "--institution", "demo", "--config", ready)
    again = roster("import", report, "--institution", "demo", "--config", ready)

    assert (0, 0) == (first.returncode, again.returncode)
    assert re.search(r"^reading users\.csv \d+ %$", first.stderr, re.MULTILINE)
    assert re.search(r"^writing enrollments\.csv \d+ %$", first.stderr, re.MULTILINE)
    rows, created, *_ = totals(first)
    assert 100 < created <= rows
    assert [0, 0, 0] == totals(again)[1:4]


async def test_an_unusable_report_changes_nothing(
    ready: Path, report: Path, tmp_path: Path, database: Database
) -> None:
    roster_process("import", report, "--config", ready)
    broken = tmp_path / "users.csv"
    broken.write_text("canvas_user_id,login_id,status\n1,a,active\nseven,b,active\n")
    before = await database.rows("select * from person order by id")

    answer = roster_process("import", broken, "--config", ready)

    assert 1 == answer.returncode
    said = [line for line in answer.stderr.splitlines() if line.startswith("roster: ")]
    assert 1 == len(said)
    assert "users.csv, line 3" in said[0]
    assert "canvas_user_id" in said[0]
    assert before == await database.rows("select * from person order by id")


def test_a_file_that_is_not_there_is_told_in_one_line(
    roster: Roster, ready: Path, tmp_path: Path
) -> None:
    answer = roster("import", tmp_path / "nowhere.zip", "--config", ready)

    assert 1 == answer.returncode
    assert "nowhere.zip" in told(answer)


@contextmanager
def running(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A `roster` that goes on until the end of the block, and ends well."""
    command = [sys.executable, "-m", "gateway", *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()
    assert 0 == process.returncode


def ask(url: str, token: str, query: str) -> Any:
    request = urllib.request.Request(
        url,
        json.dumps({"query": query}).encode(),
        {"authorization": f"Bearer {token}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def until_it_answers(url: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    pytest.fail(f"{url} does not answer")


def test_an_import_beside_a_server_is_seen_by_it(roster: Roster, ready: Path, report: Path) -> None:
    port = free_port()
    query = "{ courses(first: 100) { nodes { name } } }"
    with running("serve", "--config", ready, "--port", str(port)):
        until_it_answers(f"http://127.0.0.1:{port}/readyz")
        made = roster("token", "create", "--config", ready, "--name", "x", "--scope", "roster:read")
        url, token = f"http://127.0.0.1:{port}/graphql", made.stdout.strip()
        assert [] == ask(url, token, query)["data"]["courses"]["nodes"]

        assert 0 == roster("import", report, "--config", ready).returncode

        assert 5 < len(ask(url, token, query)["data"]["courses"]["nodes"])


def test_the_demo_shows_a_school_and_keeps_it(tmp_path: Path) -> None:
    port, twin_port, tokens_seen = free_port(), free_port(), []
    ports = ["--port", str(port), "--twin-port", str(twin_port)]
    for _ in range(2):
        with running("demo", "--dir", tmp_path, *ports) as demo:
            assert demo.stdout is not None
            lines = iter(demo.stdout.readline, "")
            token = next(line.split()[1] for line in lines if line.startswith("token"))
            tokens_seen.append(token)
            answer = ask(
                f"http://127.0.0.1:{port}/graphql",
                token,
                "{ courses(first: 1) { totalCount nodes { members(first: 1) { nodes { user { name } } } } } }",
            )
            courses = answer["data"]["courses"]
            assert 20 < courses["totalCount"]
            assert courses["nodes"][0]["members"]["nodes"][0]["user"]["name"]

    assert tokens_seen[0] == tokens_seen[1]
    for secret in ("secret", "token", "lti11-secret", "canvas-admin-token"):
        assert 0o600 == (tmp_path / secret).stat().st_mode & 0o777


def test_the_schema_is_printed(roster: Roster) -> None:
    answer = roster("schema")

    assert (0, "") == (answer.returncode, answer.stderr)
    assert print_sdl() == answer.stdout


def test_the_twin_is_started_by_the_same_command() -> None:
    command = [sys.executable, "-m", "gateway", "twin", "--port", "0"]
    small = ["--courses", "10", "--users", "60", "--big", "20"]
    with subprocess.Popen([*command, *small], stdout=subprocess.PIPE, text=True) as twin:
        assert twin.stdout is not None
        try:
            assert any(re.match(r"admin token: \S+\n", line) for line in twin.stdout)
        finally:
            twin.terminate()
