"""The command line as a person uses it: in processes of its own, on both databases."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.store import tokens
from gateway.uow import Database
from resolvers.schema import print_sdl

Roster = Callable[..., subprocess.CompletedProcess[str]]

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


def configured(file: Path, database_url: str, *slugs: str) -> Path:
    institutions = "".join(f'[[institution]]\nslug = "{slug}"\n' for slug in slugs)
    file.write_text(
        f'[server]\npublic_url = "http://127.0.0.1:8000"\ndatabase_url = "{database_url}"\n'
        f'secret_key = "x"\n{institutions}'
    )
    return file


@pytest.fixture
def roster(tmp_path: Path) -> Roster:
    """Run `roster` with these arguments, in an environment of its own."""

    def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "gateway", *map(str, arguments)],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parents[2],
            env=environment,
            timeout=60,
        )

    return run


def told(answer: subprocess.CompletedProcess[str]) -> str:
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

    assert ["serve", "import", "token", "migrate", "schema", "demo", "twin"] == offered
    for unbuilt in ("sync", "doctor", "worker"):
        answer = roster(unbuilt)
        assert 2 == answer.returncode
        assert "invalid choice" in answer.stderr


async def test_a_token_is_made_used_listed_and_revoked(
    roster: Roster, config: Path, database_url: str
) -> None:
    assert 0 == roster("migrate", "--config", config).returncode
    made = roster(
        "token", "create", "--config", config, "--institution", "demo", "--name", "my notebook",
        "--scope", "roster:read", "--scope", "act-as", "--scope", "roster:read",
    )  # fmt: skip

    assert (0, "") == (made.returncode, made.stderr)
    assert re.fullmatch(r"rst_[\w-]{43}\n", made.stdout)
    async with Database.open(database_url) as database:
        token = await tokens.find(database, made.stdout.strip())
        assert token is not None
        assert ("my notebook", ("roster:read", "act-as")) == (token.name, token.scopes)

        listed = roster("token", "list", "--config", config)
        assert re.fullmatch(
            r"1  my notebook  roster:read act-as  made \d{4}-\d\d-\d\d\n", listed.stdout
        )
        assert 0 == roster("token", "revoke", "1", "--config", config).returncode

        assert await tokens.find(database, made.stdout.strip()) is None
        assert ", revoked " in roster("token", "list", "--config", config).stdout
        again = roster("token", "revoke", "1", "--config", config)
        assert (1, "demo has no live token 1") == (again.returncode, told(again))


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


def test_sqlite_takes_one_server_process(roster: Roster, tmp_path: Path) -> None:
    file = configured(tmp_path / "roster.toml", f"sqlite://{tmp_path / 'roster.db'}", "demo")
    answer = roster("serve", "--config", file, "--port", "0", "--workers", "2")

    assert 2 == answer.returncode
    assert told(answer).startswith("SQLite takes one server process")


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_postgres_is_not_migrated_unasked(roster: Roster, config: Path) -> None:
    answer = roster("token", "list", "--config", config)

    assert 1 == answer.returncode
    assert "run `roster migrate` first" in told(answer)


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
