"""The servers under test, one process each, and how they are asked."""

import base64
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from bench.queries import QUESTIONS, Question
from scripts.with_services import free_port

UVICORN = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]


@dataclass(frozen=True, kw_only=True)
class Server:
    """`documents`: what a server with a graph of its own shape is asked instead, with our row id for the course's."""

    name: str
    process: psutil.Popen
    url: str
    headers: Mapping[str, str]
    speaks_graphql: bool
    documents: Mapping[str, str] = field(default_factory=dict)

    def address(self, question: Question) -> str:
        return f"{self.url}/graphql" if self.speaks_graphql else f"{self.url}/{question.name}"

    def body(self, question: Question, *, canvas_id: str, row_id: int) -> dict[str, object]:
        if not self.speaks_graphql:
            return {"course": row_id}
        document = self.documents.get(question.name, question.document)
        course = str(row_id) if self.documents else canvas_id
        variables = {"course": course} if "$course" in document else {}
        return {"query": document, "variables": variables}


@contextmanager
def gateway(folder: Path, config: Path, token: str) -> Iterator[Server]:
    port = free_port()
    roster = str(Path(sys.executable).with_name("roster"))
    command = [roster, "serve", "--no-jobs", "--config", str(config), "--port", str(port)]
    with _running("gateway", command, port, folder, {}) as process:
        headers = {"authorization": f"Bearer {token}"}
        yield Server(
            name="gateway", process=process, url=_url(port), headers=headers, speaks_graphql=True
        )


@contextmanager
def program(
    name: str,
    command: Sequence[str | Path],
    folder: Path,
    environment: dict[str, str],
    documents: Mapping[str, str],
) -> Iterator[Server]:
    """A server of another kind, whose last argument is its port."""
    port = free_port()
    with _running(name, [*command, str(port)], port, folder, environment) as process:
        yield Server(
            name=name,
            process=process,
            url=_url(port),
            headers={},
            speaks_graphql=True,
            documents=documents,
        )


@contextmanager
def baseline(name: str, folder: Path, database_url: str) -> Iterator[Server]:
    """`name`: a module of `bench.baselines`."""
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "uvicorn",
        f"bench.baselines.{name}:app",
        "--port",
        str(port),
        *UVICORN,
    ]
    with _running(name, command, port, folder, {"BENCH_DATABASE": database_url}) as process:
        yield Server(
            name=name,
            process=process,
            url=_url(port),
            headers={},
            speaks_graphql=name != "handwritten",
        )


def same_answers(servers: list[Server], *, canvas_id: str, row_id: int) -> None:
    """Every server gives the same data to every question, or the benchmark says nothing."""
    for question in QUESTIONS:
        answers = []
        for server in servers:
            body = server.body(question, canvas_id=canvas_id, row_id=row_id)
            reply = httpx.post(
                server.address(question), json=body, headers=server.headers, timeout=120
            ).json()
            if "errors" in reply:
                sys.exit(f"{server.name} answers {question.name} with {reply['errors']}")
            answers.append(_with_row_ids(reply["data"]))
        if any(answer != answers[0] for answer in answers):
            sys.exit(f"the servers do not agree on {question.name}")


def _with_row_ids(data: Any) -> Any:
    """`data` with row ids for global ones, which are not every server's."""
    if isinstance(data, list):
        return [_with_row_ids(one) for one in data]
    if isinstance(data, dict):
        shown = {name: _with_row_ids(value) for name, value in data.items()}
        if isinstance(row_id := data.get("id"), str) and not row_id.isdecimal():
            shown["id"] = base64.b64decode(row_id).decode().partition(":")[2]
        return shown
    return data


def drain(servers: list[Server]) -> None:
    """Wait until no server computes: what one run abandoned must not be charged to the next."""
    while True:
        before = sum(_cpu(server) for server in servers)
        time.sleep(0.25)
        if sum(_cpu(server) for server in servers) - before <= 0.02 * len(servers):
            return


def peak_memory(server: Server) -> int:
    """Bytes: the most that the process has held."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def _cpu(server: Server) -> float:
    times = server.process.cpu_times()
    return float(times.user + times.system)


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


@contextmanager
def _running(
    name: str, command: Sequence[str | Path], port: int, folder: Path, environment: dict[str, str]
) -> Iterator[psutil.Popen]:
    with ExitStack() as stack:
        log = stack.enter_context((folder / f"{name}-{port}.log").open("w"))
        process = psutil.Popen(
            [str(part) for part in command],
            env=os.environ | environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_open(name, process, port, Path(log.name))
            yield process
        finally:
            process.terminate()
            process.wait()


def _wait_until_open(name: str, process: psutil.Popen, port: int, log: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            sys.exit(f"{name} ended at once:\n{log.read_text()}")
        try:
            httpx.get(_url(port), timeout=5)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    sys.exit(f"{name} does not answer:\n{log.read_text()}")
