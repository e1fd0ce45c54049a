"""A gateway in a process of its own: `python -m tests.acceptance.server_process DATABASE_URL [OPTION=VALUE …]`."""

import logging
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.app import roster_graph
from gateway.config_file import CredentialUrl, Secret
from gateway.server import serve
from gateway.settings import Server, Settings, load
from tests.acceptance.small_graph import make_graph as small_graph

ROOT = Path(__file__).parents[2]
GRAPHS = {"small": small_graph, "roster": roster_graph}


@dataclass(frozen=True)
class ServerProcess:
    process: subprocess.Popen[str]
    port: int
    log_file: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self.log_file.read_text()


@contextmanager
def serving(database_url: str, log_file: Path, **options: object) -> Iterator[ServerProcess]:
    """A running server of that database; killed at the end, unless it has ended."""
    command = [sys.executable, "-m", "tests.acceptance.server_process", database_url]
    with (
        log_file.open("w") as log,
        subprocess.Popen(
            [*command, *(f"{name}={value}" for name, value in options.items())],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            port = process.stdout.readline()
            if not port:
                pytest.fail(log_file.read_text())
            yield ServerProcess(process, int(port), log_file)
        finally:
            process.kill()


def main(database_url: str, *options: str) -> None:
    chosen = dict(option.split("=", 1) for option in options)
    server = Server(
        public_url="http://127.0.0.1:8000",
        database_url=CredentialUrl(database_url),
        secret_key=(Secret("not so secret"),),
        query_timeout=timedelta(seconds=20),
    )
    serve(
        load(Path(chosen["config"])) if "config" in chosen else Settings(server=server),
        make_graph=GRAPHS[chosen.get("graph", "small")],
        host="127.0.0.1",
        port=int(chosen.get("port", "0")),
        workers=int(chosen.get("workers", "1")),
        demo_token=chosen.get("demo_token"),
        jobs=chosen.get("jobs") == "True",
        log_level=logging.INFO,
        ready=lambda port: print(port, flush=True),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
