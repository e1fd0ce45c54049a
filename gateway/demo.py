"""`roster demo`: a school to look at, its report imported as an admin would send it, and the graph served."""

import asyncio
import io
import logging
import secrets
import sys
import zipfile
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path

from gateway import server, settings, terminal
from gateway.app import roster_graph
from gateway.settings import Settings
from gateway.store import institutions, schema, tokens
from gateway.sync.importer import import_report
from gateway.uow import Database
from gateway.viewer import Scope
from twin.clock import RealClock
from twin.generate import generate
from twin.options import Options
from twin.report_csv import FILES, PROVISIONING, TAG_FILES, columns, line
from twin.report_extract import Extract, Wanted
from twin.report_runs import ROWS
from twin.school import ROOT_ACCOUNT_ID, School

SLUG = "demo"
_EXTRA_COLUMNS = frozenset({"pronouns", "uuid"})
_CONFIGURATION = """\
# Written anew by each `roster demo`: copy it before you change it.
[server]
public_url   = "http://127.0.0.1:{port}"
database_url = "sqlite://{database}"
secret_key   = {{ file = "secret" }}

[[institution]]
slug = "{slug}"
"""


def run(options: Namespace) -> None:
    folder = Path(options.dir).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "secret").exists():
        _keep(folder / "secret", secrets.token_urlsafe(32))
    file = folder / "roster.toml"
    file.write_text(
        _CONFIGURATION.format(port=options.port, database=folder / "roster.db", slug=SLUG)
    )
    configured = settings.load(file)
    report = folder / "provisioning.zip"
    if not report.exists():
        write_report(report, generate(Options(), RealClock())[0])
    kept = folder / "token"
    token = asyncio.run(_prepared(configured, report, kept.read_text() if kept.exists() else ""))
    kept.unlink(missing_ok=True)
    _keep(kept, token)
    server.serve(
        configured,
        make_graph=roster_graph,
        host="127.0.0.1",
        port=options.port,
        demo_token=token,
        log_level=logging.WARNING,
        ready=lambda port: _greet(port, file, token),
    )


def write_report(path: Path, school: School) -> None:
    """The whole account's provisioning report, as Canvas would zip it."""
    now = school.clock.now()
    account = school.accounts[ROOT_ACCOUNT_ID]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in FILES:
            if name in TAG_FILES:
                continue
            header = columns(PROVISIONING, name, _EXTRA_COLUMNS)
            extract = Extract(school, account, Wanted(report=PROVISIONING), now)
            with io.TextIOWrapper(archive.open(f"{name}.csv", "w"), "utf-8", newline="") as text:
                text.write(line(header))
                for cells in ROWS[name](extract) if name in ROWS else ():
                    text.write(line([cells.get(column) for column in header]))


async def _prepared(configured: Settings, report: Path, old_token: str) -> str:
    """A token for the school, once it is in the database: the last start's, where the database knows it."""
    async with Database.open(configured.server.database_url) as database:
        await database.reach()
        await schema.make_current(database)
        demo = await institutions.ensure(database, slug=SLUG, canvas_url=None)
        progress = terminal.ProgressLine(sys.stderr)
        summary = await import_report(database, demo, report, clock=_now, progress=progress)
        progress.end()
        print("\n".join(terminal.described(summary)))
        if await tokens.find(database, old_token):
            return old_token
        return await tokens.create(
            database, institution_id=demo.id, name="demo", scopes=tuple(Scope), now=_now()
        )


def _keep(file: Path, text: str) -> None:
    """Write a secret, for its owner's eyes."""
    file.touch(mode=0o600)
    file.write_text(text)


def _greet(port: int, file: Path, token: str) -> None:
    print(
        f"\nGraphiQL       http://127.0.0.1:{port}/graphql   (its token is filled in)"
        f"\ntoken          {token}"
        f"\nconfiguration  {file}"
        "\n\nCtrl-C ends it.",
        flush=True,
    )


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  a command line has no other clock
