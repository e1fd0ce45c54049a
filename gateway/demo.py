"""`roster demo`: a Canvas to look at (the twin), a gateway that is connected to it in every way, and its school read."""

import asyncio
import logging
import secrets
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gateway import server, settings, terminal
from gateway.app import roster_graph
from gateway.canvas.buckets import LocalBuckets
from gateway.canvas.client import Call, Canvas, Fixed, Meter
from gateway.canvas.reports import Reports
from gateway.errors import ConfigurationError
from gateway.http.client import Client
from gateway.settings import Settings
from gateway.store import institutions, schema, tokens
from gateway.sync.importer import import_report
from gateway.uow import Database
from gateway.viewer import Scope
from models.roster import Source

SLUG = "demo"
_ACCOUNT = "1"
_ROOT = "10000000000001"  # the same account, as Live Events name it
_LTI11_KEY, _LTI13_CLIENT, _OAUTH_CLIENT = "demo-key", "10000000000002", "10000000000001"
_CONFIGURATION = """\
# Written anew by each `roster demo`: copy it before you change it.
[server]
public_url   = "http://127.0.0.1:{port}"
database_url = "sqlite://{database}"
secret_key   = {{ file = "secret" }}

[[institution]]
slug        = "{slug}"
canvas_url  = "{canvas}"
account_id  = "{account}"
admin_token = {{ file = "canvas-admin-token" }}
oauth       = {{ client_id = "{oauth}", client_secret = {{ file = "oauth-secret" }} }}
live_events = {{ root_account = "{root}", jwks_url = "{canvas}/twin/live_events/jwks" }}

  [[institution.lti13]]
  issuer         = "{canvas}"
  client_id      = "{client}"
  deployment_ids = ["{deployment}"]
  auth_url       = "{canvas}/api/lti/authorize_redirect"
  token_url      = "{canvas}/login/oauth2/token"
  jwks_url       = "{canvas}/api/lti/security/jwks"

  [[institution.lti11]]
  consumer_key   = "{key}"
  secret         = {{ file = "lti11-secret" }}
"""


@dataclass(frozen=True, kw_only=True)
class _Twin:
    url: str
    admin_token: str
    deployment: str
    launches: str


def run(options: Namespace) -> None:
    folder = Path(options.dir).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("secret", "lti11-secret", "oauth-secret"):
        if not (folder / name).exists():
            _keep(folder / name, secrets.token_urlsafe(32))
    with _twin(options, folder) as twin:
        _keep(folder / "canvas-admin-token", twin.admin_token)
        file = folder / "roster.toml"
        file.write_text(
            _CONFIGURATION.format(
                port=options.port,
                database=folder / "roster.db",
                slug=SLUG,
                canvas=twin.url,
                account=_ACCOUNT,
                root=_ROOT,
                client=_LTI13_CLIENT,
                deployment=twin.deployment,
                key=_LTI11_KEY,
                oauth=_OAUTH_CLIENT,
            )
        )
        configured = settings.load(file)
        kept = folder / "token"
        token = asyncio.run(_prepared(configured, twin, kept.read_text() if kept.exists() else ""))
        _keep(kept, token)
        server.serve(
            configured,
            make_graph=roster_graph,
            host="127.0.0.1",
            port=options.port,
            demo_token=token,
            log_level=logging.WARNING,
            jobs=True,
            ready=lambda port: _greet(port, file, token, twin),
        )


@contextmanager
def _twin(options: Namespace, folder: Path) -> Iterator[_Twin]:
    """The twin in a process of its own, until the block ends. `folder`: where the secrets are that it shares with us."""
    port = options.twin_port
    url = f"http://127.0.0.1:{port}"
    switches = {
        "tool_url": f"http://127.0.0.1:{options.port}",
        "live_events_url": f"http://127.0.0.1:{options.port}/events/canvas",
        "lti_issuer": url,
        "lti11_consumer_key": _LTI11_KEY,
        "lti11_secret": (folder / "lti11-secret").read_text(),
        "oauth_client_secret": (folder / "oauth-secret").read_text(),
        "oauth_redirect_uris": f'["http://127.0.0.1:{options.port}/oauth/callback"]',
    }
    command = [sys.executable, "-m", "twin", "--port", str(port)]
    for name, value in switches.items():
        command += ["--set", f"{name}={value}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  our own module
        try:
            yield _introduced(process, url)
        finally:
            process.terminate()


def _introduced(process: "subprocess.Popen[str]", url: str) -> _Twin:
    """What the twin says of itself once it answers."""
    said: dict[str, str] = {}
    for line in process.stdout or ():
        name, _, value = line.strip().partition(": ")
        if name == "tool":  # one line for each version of LTI
            address, client, deployment = value.split(", ")
            said[client] = deployment.removeprefix("deployment ")
            said[f"{client} at"] = address
        said[name] = value
        if name == "launches":
            return _Twin(
                url=url,
                admin_token=said["admin token"],
                deployment=said[f"client {_LTI13_CLIENT}"],
                launches=value,
            )
    raise ConfigurationError("the twin did not start; give it a free port with --twin-port")


async def _prepared(configured: Settings, twin: _Twin, old_token: str) -> str:
    """A token for the school, once its latest report is in the database: the last start's, where the database knows it."""
    async with Database.open(configured.server.database_url) as database:
        await database.reach()
        await schema.make_current(database)
        demo = await institutions.ensure(database, slug=SLUG, canvas_url=twin.url)
        progress = terminal.ProgressLine(sys.stderr)
        with tempfile.TemporaryDirectory(prefix="roster-demo-") as folder:
            path = Path(folder) / "report"
            print("Canvas makes a provisioning report …", file=sys.stderr, flush=True)
            as_of = await _report(configured, twin, path)
            summary = await import_report(
                database,
                demo,
                path,
                clock=_now,
                as_of=as_of,
                source=Source.REPORT,
                progress=progress,
            )
        progress.end()
        print("\n".join(terminal.described(summary)))
        if await tokens.find(database, old_token):
            return old_token
        return await tokens.create(
            database, institution_id=demo.id, name="demo", scopes=tuple(Scope), now=_now()
        )


async def _report(configured: Settings, twin: _Twin, into: Path) -> datetime:
    """The whole account's report, asked for and fetched as of any Canvas; when it was begun."""
    async with Client(allows_private_networks=configured.server.allows_private_networks) as http:
        canvas = Canvas(http=http, base_url=twin.url, buckets=LocalBuckets(_now))
        reports = Reports(canvas=canvas, http=http, account=_ACCOUNT, sleep=asyncio.sleep)
        call = Call(credential=Fixed(secret=twin.admin_token), meter=Meter())
        started = await reports.start(call, not_before=_now() - timedelta(minutes=5))
        ended = await reports.ended(call, started, within=timedelta(minutes=5))
        await reports.fetch(call, ended, into)
        return ended.began_at


def _keep(file: Path, text: str) -> None:
    """Write a secret, for its owner's eyes."""
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text(text)


def _greet(port: int, file: Path, token: str, twin: _Twin) -> None:
    here = f"http://127.0.0.1:{port}"
    print(
        f"\nGraphiQL       {here}/graphql   (its token is filled in)"
        f"\nconsole        {here}/console   (after a launch, or with the token)"
        f"\nlaunch page    {twin.launches}   (launch as anybody of the school)"
        f"\ntoken          {token}"
        f"\nconfiguration  {file}"
        "\n\nCtrl-C ends it.",
        flush=True,
    )


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  a command line has no other clock
