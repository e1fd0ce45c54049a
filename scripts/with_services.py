"""Run a command with a PostgreSQL and a Redis of its own: `python scripts/with_services.py -- pytest`.

Servers that ROSTER_TEST_POSTGRES and ROSTER_TEST_REDIS already name are used as they are. Otherwise the programs found on
this machine are started on free ports with their data in a temporary folder, and stopped afterwards. What is not to be
had is said loudly, with the way to get it; with --require-all that is an error.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

POSTGRES = "ROSTER_TEST_POSTGRES"
REDIS = "ROSTER_TEST_REDIS"
UNSAFE = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
HOW = {
    POSTGRES: "PostgreSQL 15 or newer: apt-get install postgresql, or point ROSTER_TEST_POSTGRES at a server",
    REDIS: "Redis or Valkey: apt-get install redis-server, or point ROSTER_TEST_REDIS at a server",
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--require-all", action="store_true", help="a missing server is an error")
    parser.add_argument(
        "--durable", action="store_true", help="PostgreSQL as in production, for benchmarks"
    )
    parser.add_argument("command", nargs="+", help="after --, the command to run")
    options = parser.parse_args()
    with ExitStack() as stack:
        environment = dict(os.environ)
        for name, start in ((POSTGRES, partial(postgres, durable=options.durable)), (REDIS, redis)):
            if name not in environment:
                url = stack.enter_context(start())
                if url is not None:
                    environment[name] = url
        missing = [how for name, how in HOW.items() if name not in environment]
        for how in missing:
            print(f"*** LEFT OUT, not on this machine: {how}", file=sys.stderr)
        if missing and options.require_all:
            return 1
        return subprocess.run(options.command, env=environment, check=False).returncode


@contextmanager
def postgres(*, durable: bool = False) -> Iterator[str | None]:
    """A server of our own. Tests make and drop databases all the time: unless `durable`, nothing is forced to disk."""
    programs = _postgres_programs()
    if programs is None:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="roster-postgres-") as folder:
        user = _unprivileged(folder)
        data, port = f"{folder}/data", free_port()
        _run(
            user,
            f"{programs}/initdb",
            "-D",
            data,
            "-A",
            "trust",
            "-U",
            "postgres",
            "--no-sync",
            "-E",
            "UTF8",
        )
        unsafe = "" if durable else f" {UNSAFE}"
        settings = f"-h 127.0.0.1 -p {port} -k {folder} -c shared_buffers=256MB -c max_connections=200{unsafe}"
        _run(
            user,
            f"{programs}/pg_ctl",
            "-D",
            data,
            "-w",
            "-l",
            f"{folder}/log",
            "-o",
            settings,
            "start",
        )
        try:
            yield f"postgres://postgres@127.0.0.1:{port}/postgres"
        finally:
            _run(user, f"{programs}/pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")


@contextmanager
def redis() -> Iterator[str | None]:
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        yield None
        return
    port = free_port()
    arguments = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    server = subprocess.Popen([program, *arguments], stdout=subprocess.DEVNULL)
    try:
        _wait_until_open(port, server)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait()


def _wait_until_open(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if server.poll() is not None:
            sys.exit(f"redis-server ended at once, with exit code {server.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit("redis-server does not answer")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _postgres_programs() -> str | None:
    """The folder of initdb and pg_ctl: Debian keeps them off the PATH."""
    found = shutil.which("initdb")
    if found:
        return str(Path(found).parent)
    debian = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    return str(debian[-1].parent) if debian else None


def _unprivileged(folder: str) -> str | None:
    """PostgreSQL refuses to run as root: then the user that its package made owns `folder` and runs it."""
    if os.geteuid() != 0:
        return None
    shutil.chown(folder, "postgres")
    return "postgres"


def _run(user: str | None, *command: str) -> None:
    prefix = ["runuser", "-u", user, "--"] if user else []
    done = subprocess.run([*prefix, *command], capture_output=True, text=True, check=False, cwd="/")
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    sys.exit(main())
