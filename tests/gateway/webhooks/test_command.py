"""`roster webhooks`, as an operator types it."""

import base64
from pathlib import Path

import pytest

from gateway.cli import main


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("webhooks")
    file = home / "roster.toml"
    file.write_text(
        f'[server]\npublic_url = "http://127.0.0.1:8000"\ndatabase_url = "sqlite://{home / "roster.db"}"\n'
        'secret_key = "x"\n[[institution]]\nslug = "demo"\n'
    )
    assert 0 == main(["migrate", "--config", str(file)])
    made = ["token", "create", "--name", "gradebook", "--scope", "changes:read"]
    assert 0 == main([*made, "--config", str(file)])
    return file


def roster(config: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    capsys.readouterr()
    assert 0 == main(["webhooks", *arguments, "--config", str(config)]), capsys.readouterr().err
    return capsys.readouterr().out


def test_a_webhook_from_its_making_to_its_end(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    added = roster(
        config,
        capsys,
        "add",
        "http://127.0.0.1:1/hook",
        "--client",
        "gradebook",
        "--kind",
        "REMOVED",
    )
    number, secret = added.split()
    listed = roster(config, capsys, "list")
    roster(config, capsys, "disable", number)
    off = roster(config, capsys, "list")
    roster(config, capsys, "enable", number)
    rotated = roster(config, capsys, "rotate", number, "--overlap-hours", "1")
    dead = roster(config, capsys, "dead", number)
    replayed = roster(config, capsys, "replay", number)
    roster(config, capsys, "remove", number)

    assert 32 == len(base64.b64decode(secret.removeprefix("whsec_")))
    assert f"{number}  gradebook  http://127.0.0.1:1/hook  up to 0  works\n" == listed
    assert "switched off by hand" in off
    assert rotated.strip().startswith("whsec_")
    assert rotated.strip() != secret
    assert dead == ""
    assert "0 to be tried anew\n" == replayed
    assert "" == roster(config, capsys, "list")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["add", "http://127.0.0.1/", "--client", "nobody"], "No service token is called 'nobody'"),
        (["add", "hook", "--client", "gradebook"], "not an http or https address"),
        (["dead", "7"], "there is no webhook 7"),
        (["remove", "7"], "There is no such webhook"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    config: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], why: str
) -> None:
    assert 1 == main(["webhooks", *arguments, "--config", str(config)])

    error = capsys.readouterr().err
    assert error.startswith("roster: ")
    assert why in error
