"""`roster twin`: a Canvas on a port of its own, with its tokens printed once it answers."""

import argparse
import dataclasses
import gc
import socket
import sys
import typing
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import uvicorn
from starlette.applications import Starlette

from twin.app import create_twin
from twin.cast import Cast
from twin.lti.platform import Platform
from twin.options import Options

SHOWN_TOKENS = ("admin", "teacher", "student")
DEFAULTS = Options()
TYPES = typing.get_type_hints(Options)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9000, help="0: any free one")
    parser.add_argument("--public-url", help="what clients call it; default http://HOST:PORT")
    parser.add_argument("--seed", type=int, default=DEFAULTS.seed)
    parser.add_argument("--courses", type=int, default=DEFAULTS.courses)
    parser.add_argument("--users", type=int, default=DEFAULTS.users)
    parser.add_argument(
        "--big", type=int, default=DEFAULTS.big, help="enrollments of the one large course"
    )
    parser.add_argument(
        "--enrollments", type=int, help="all enrollments; default 25 for every 3 users"
    )
    parser.add_argument("--control", action="store_true", help="serve the control API")
    parser.add_argument(
        "--set",
        dest="switches",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="any switch of twin/options.py, as throttle_status=403; may be repeated",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted; what is wrong is said in one line."""
    try:
        listener = socket.create_server((args.host, args.port), backlog=2048)
    except OSError as problem:
        return _fail(f"cannot listen on {args.host}:{args.port}: {problem.strerror}", 1)
    with listener:
        host, port = listener.getsockname()[:2]
        try:
            options = _options(args, f"http://{host}:{port}")
        except ValueError as problem:
            return _fail(str(problem), 2)
        app = create_twin(options)
        gc.freeze()  # the school stays; the collector need not walk it
        server_for(app, lambda: sys.stdout.write(_greeting(app))).run(sockets=[listener])
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m twin", description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args(argv))


class AnnouncingServer(uvicorn.Server):
    """Calls `ready` once it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()
            sys.stdout.flush()


def server_for(app: Starlette, ready: Callable[[], object]) -> AnnouncingServer:
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
    return AnnouncingServer(config, ready)


def _options(args: argparse.Namespace, address: str) -> Options:
    values: dict[str, Any] = {
        name: getattr(args, name)
        for name in ("seed", "courses", "users", "big", "enrollments", "control")
    }
    values["public_url"] = (args.public_url or address).rstrip("/")
    for switch in args.switches:
        name, _, text = switch.partition("=")
        values[name] = _switch_value(name, text)
    return dataclasses.replace(DEFAULTS, **values)


def _switch_value(name: str, text: str) -> Any:
    if name not in TYPES:
        raise ValueError(f"no switch is called {name!r}; twin/options.py has them all")
    # From JSON first, so that `403` is a number and `[1,2]` a list; else it is text.
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        value = text
    try:
        return msgspec.convert(value, TYPES[name])
    except msgspec.ValidationError as problem:
        raise ValueError(f"--set {name}: {problem}") from problem


def _greeting(app: Starlette) -> str:
    cast: Cast = app.state.cast
    options: Options = app.state.options
    lines = [f"Canvas twin: {options.public_url}"]
    lines += [f"{person} token: {cast.tokens[person]}" for person in SHOWN_TOKENS]
    platform: Platform = app.state.lti
    for tool in platform.tools.values():
        client = tool.developer_key_id or tool.consumer_key
        lines.append(f"tool: {tool.url}, client {client}, deployment {tool.deployment_id}")
    lines.append(f"launches: {options.public_url}/twin/launches")
    return "\n".join(lines) + "\n"


def _fail(reason: str, status: int) -> int:
    sys.stderr.write(f"roster twin: {reason}\n")
    return status
