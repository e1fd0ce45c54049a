"""q1-q3 through the full HTTP stack, against a hand-written endpoint and plain Strawberry, in one interleaved run."""

import json
import re
import shutil
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.queries import QUESTIONS, Question
from bench.servers import Server, drain, peak_memory

SLOW = {
    "plain": (1, 20)
}  # connections and seconds in which q2 and q3 finish at all: 16 at once would each wait for all


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of the load generator; latencies in milliseconds."""

    requests_per_second: float
    p50: float
    p99: float


def measure(
    servers: list[Server],
    folder: Path,
    *,
    canvas_id: str,
    row_id: int,
    rounds: int,
    seconds: int,
    connections: int,
) -> dict[str, dict[str, list[Run]]]:
    """Runs by question and server, servers taking turns within each round."""
    if shutil.which("wrk") is None:
        sys.exit("the benchmarks need wrk: apt-get install wrk")
    runs: dict[str, dict[str, list[Run]]] = defaultdict(lambda: defaultdict(list))
    for question in QUESTIONS:
        for turn in range(rounds + 1):
            for server in servers:
                drain(servers)
                script = _script(folder, server, question, canvas_id=canvas_id, row_id=row_id)
                at_once, lasting = connections, seconds
                if question.name != "q1":
                    at_once, lasting = SLOW.get(server.name, (connections, seconds))
                run = _wrk(server, question, script, lasting if turn else 2, at_once)
                if turn:  # the first warms up
                    runs[question.name][server.name].append(run)
    return runs


def table(title: str, servers: Iterable[Server], runs: dict[str, dict[str, list[Run]]]) -> str:
    """Markdown: medians, and each server's requests per second as a ratio to the hand-written endpoint's."""
    lines = [
        f"### {title}",
        "",
        "| question | server | req/s | of hand-written | p50 ms | p99 ms |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for question, of_server in runs.items():
        floor = _median(run.requests_per_second for run in of_server["handwritten"])
        for name, measured in of_server.items():
            rate = _median(run.requests_per_second for run in measured)
            p50, p99 = _median(run.p50 for run in measured), _median(run.p99 for run in measured)
            lines.append(
                f"| {question} | {name} | {rate:.1f} | {rate / floor:.2f} | {p50:.1f} | {p99:.1f} |"
            )
    lines += [
        "",
        "Peak memory: "
        + ", ".join(f"{s.name} {peak_memory(s) / 1e6:.0f} MB" for s in servers)
        + ".",
    ]
    return "\n".join(lines)


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)


def _script(
    folder: Path, server: Server, question: Question, *, canvas_id: str, row_id: int
) -> Path:
    body = json.dumps(server.body(question, canvas_id=canvas_id, row_id=row_id))
    lines = [
        'wrk.method = "POST"',
        f"wrk.body = {json.dumps(body)}",
        'wrk.headers["content-type"] = "application/json"',
    ]
    lines += [f'wrk.headers["{name}"] = "{value}"' for name, value in server.headers.items()]
    path = folder / f"{server.name}-{question.name}.lua"
    path.write_text("\n".join(lines))
    return path


def _wrk(server: Server, question: Question, script: Path, seconds: int, connections: int) -> Run:
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "60s"]
    done = subprocess.run(
        [*command, "-s", str(script), server.address(question)],
        capture_output=True,
        text=True,
        check=True,
    )
    if "Non-2xx" in done.stdout:
        sys.exit(f"{server.name} refuses {question.name} under load:\n{done.stdout}")
    return Run(
        requests_per_second=float(_found(r"Requests/sec:\s+([\d.]+)", done.stdout)),
        p50=_milliseconds(_found(r"(?m)^\s+50%\s+(\S+)", done.stdout)),
        p99=_milliseconds(_found(r"(?m)^\s+99%\s+(\S+)", done.stdout)),
    )


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        sys.exit(f"wrk printed no {pattern}:\n{text}")
    return match[1]


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()  # type: ignore[union-attr]  # wrk's own format
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000, "m": 60_000}[unit]
