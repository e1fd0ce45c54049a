"""The command line `roster`: what may be typed. What it does is imported only then, so that `--help` is quick."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import Any

from gateway.errors import RosterError, UsageError
from gateway.viewer import Scope
from models.roster import ChangeKind

_OF_OTHERS = 0o007  # who else works on this machine reads no database, log or report of ours
_LAST_PORT = 65535


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0, 1 for an error that a person can read, 2 for wrong usage."""
    options = parser().parse_args(arguments)
    os.umask(os.umask(0) | _OF_OTHERS)
    try:
        status: int | None = options.run(options)
    except RosterError as error:
        for line in str(error).splitlines():
            print(f"roster: {line}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except KeyboardInterrupt:
        return 130
    return status or 0


class _Command(argparse.ArgumentParser):
    """A parser that may learn its arguments, which another package knows, only when it is chosen."""

    learn: Callable[[argparse.ArgumentParser], None] | None = None

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        learn, self.learn = self.learn, None
        if learn is not None:
            learn(self)
        return super().parse_known_args(args, namespace)


def parser() -> argparse.ArgumentParser:
    root = _Command(
        prog="roster",
        description="Canvas rosters as one GraphQL graph.",
        epilog="`roster COMMAND --help` tells more about each.",
    )
    root.add_argument("--version", action="version", version=version("roster-gateway"))
    root.add_argument("--config", metavar="FILE", help="the configuration; else ROSTER_CONFIG")
    commands = root.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_serve(_command(commands, "serve", "run the gateway", "serve"))
    _command(commands, "worker", "do background work alone, for more machines", "worker")
    _add_sync(_command(commands, "sync", "read from Canvas now, and wait for it", "sync"))
    _add_import(_command(commands, "import", "load a report that an admin sent", "import_file"))
    _add_token(commands.add_parser("token", help="make, list and revoke service tokens"))
    _add_deployment(
        commands.add_parser("deployment", help="list, accept and forget installations of the tool")
    )
    _add_webhooks(
        commands.add_parser(
            "webhooks", help="manage the addresses that clients are sent changes at"
        )
    )
    _add_erase(_command(commands, "erase", "erase a person, on their request", "erase"))
    _add_institution(_command(commands, "clean", "drop what is older than `retention`", "clean"))
    _add_institution(_command(commands, "doctor", "try every credential and permission", "doctor"))
    _command(commands, "migrate", "make the database or bring it up to date", "migrate")
    _command(commands, "schema", "print the graph's SDL", "schema", configured=False)
    _add_demo(_described(commands, "demo", "show a demo school in GraphiQL"))
    twin: _Command = commands.add_parser("twin", help="a Canvas to try things on")
    twin.learn = _learn_twin
    return root


def _command(
    commands: Any, name: str, help_text: str, function: str, *, configured: bool = True
) -> argparse.ArgumentParser:
    """The subcommand `name`, carried out by a function of `gateway.commands`."""
    made = _described(commands, name, help_text)
    if configured:  # given before the subcommand it is there already, and must not be overwritten
        made.add_argument(
            "--config",
            metavar="FILE",
            default=argparse.SUPPRESS,
            help="the configuration; else ROSTER_CONFIG",
        )
    made.set_defaults(run=_run, function=function)
    return made


def _described(commands: Any, name: str, help_text: str) -> argparse.ArgumentParser:
    sentence = f"{help_text[0].upper()}{help_text[1:]}."
    made: argparse.ArgumentParser = commands.add_parser(name, help=help_text, description=sentence)
    return made


def _add_serve(serve: argparse.ArgumentParser) -> None:
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    serve.add_argument("--port", type=_port, default=8000, help="port to listen on (8000)")
    serve.add_argument("--workers", type=_positive, default=1, help="processes (1; SQLite has one)")
    serve.add_argument("--no-jobs", action="store_true", help="leave background work to others")


def _add_sync(sync: argparse.ArgumentParser) -> None:
    scope = sync.add_mutually_exclusive_group()
    scope.add_argument("--course", metavar="ID", help="one course, by its id in Canvas")
    scope.add_argument("--account", metavar="ID", help="one account, by its id in Canvas")
    sync.add_argument(
        "--source",
        choices=["REPORT", "ENROLLMENTS_API", "NRPS"],
        help="by which source; else the best that is possible",
    )
    _add_institution(sync)


def _add_import(imported: argparse.ArgumentParser) -> None:
    imported.add_argument(
        "file", metavar="FILE", help="provisioning report or SIS export, csv or zip"
    )
    _add_institution(imported)


def _add_token(token: argparse.ArgumentParser) -> None:
    actions = token.add_subparsers(title="actions", metavar="ACTION", required=True)
    create = _command(actions, "create", "make a token and print it, this once", "token_create")
    _add_institution(create)
    create.add_argument("--name", type=_name, required=True, help="what it is for")
    create.add_argument(
        "--scope",
        action="append",
        required=True,
        choices=[str(scope) for scope in Scope],
        dest="scopes",
        help="what it may do; may be repeated",
    )
    _add_institution(_command(actions, "list", "list an institution's tokens", "token_list"))
    revoke = _command(actions, "revoke", "end a token", "token_revoke")
    revoke.add_argument("id", type=_positive, help="its number in `roster token list`")
    _add_institution(revoke)


def _add_deployment(deployment: argparse.ArgumentParser) -> None:
    """Installations that launched over LTI 1.3 without being configured; their launches are refused meanwhile."""
    actions = deployment.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_institution(
        _command(actions, "list", "list those that wait, and the accepted ones", "deployment_list")
    )
    for action, what in (("accept", "let its launches in"), ("forget", "refuse its launches")):
        command = _command(actions, action, what, f"deployment_{action}")
        command.add_argument("id", type=_positive, help="its number in `roster deployment list`")
        _add_institution(command)


def _add_webhooks(webhooks: argparse.ArgumentParser) -> None:
    actions = webhooks.add_subparsers(title="actions", metavar="ACTION", required=True)

    def action(name: str, help_text: str, *, of_one: bool = True) -> argparse.ArgumentParser:
        made = _command(actions, name, help_text, "webhooks")
        made.set_defaults(action=name)
        if of_one:
            made.add_argument("id", type=_positive, help="its number in `roster webhooks list`")
        _add_institution(made)
        return made

    action("list", "list them, and how they do", of_one=False)
    add = action("add", "make one; prints its number and, this once, its secret", of_one=False)
    add.add_argument("url", metavar="URL", help="where the messages go")
    add.add_argument("--client", required=True, help="whose: the name of its service token")
    add.add_argument(
        "--kind",
        action="append",
        dest="kinds",
        choices=[str(kind) for kind in ChangeKind],
        help="only changes of this kind; may be repeated",
    )
    add.add_argument("--after", metavar="CURSOR", help="from behind this cursor; else from now on")
    rotate = action("rotate", "give one a new secret and print it, this once")
    rotate.add_argument(
        "--overlap-hours", type=_positive, default=24, help="how long the former one signs too (24)"
    )
    action("dead", "list messages that were given up")
    action("replay", "try anew what was given up")
    action("enable", "send again, from where it stopped")
    action("disable", "send nothing until it is enabled")
    action("remove", "send nothing there any more, and forget it")


def _add_erase(erase: argparse.ArgumentParser) -> None:
    erase.add_argument(
        "user", metavar="USER", help="their `id` in the graph, or their id in Canvas"
    )
    erase.add_argument(
        "--even-if-listed",
        action="store_true",
        help="also while Canvas still lists them, and would bring them back with the next sync",
    )
    _add_institution(erase)


def _add_demo(demo: argparse.ArgumentParser) -> None:
    demo.add_argument("--dir", default=".run", help="where the demo keeps its files (.run)")
    demo.add_argument("--port", type=_port, default=8000, help="port of the gateway (8000)")
    demo.add_argument(
        "--twin-port", type=_port, default=9000, help="port of the Canvas twin (9000)"
    )
    demo.set_defaults(run=_run_demo)


def _add_institution(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--institution", metavar="SLUG", help="which one; may be left out where there is one"
    )


def _learn_twin(twin: argparse.ArgumentParser) -> None:
    from twin import command  # noqa: PLC0415  only when it is asked for

    command.add_arguments(twin)
    twin.set_defaults(run=command.run)


def _run(options: argparse.Namespace) -> None:
    from gateway import commands  # noqa: PLC0415  the database and the server hang on it

    getattr(commands, options.function)(options)


def _run_demo(options: argparse.Namespace) -> None:
    from gateway import demo  # noqa: PLC0415  as above, and the twin

    demo.run(options)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= _LAST_PORT):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no port: 0 to {_LAST_PORT}, 0 for a free one"
        )
    return int(text)


def _name(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("a name says what it is for, and is not blank")
    return text.strip()
