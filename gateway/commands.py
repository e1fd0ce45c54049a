"""What each command of `roster` does (`gateway.cli` has the words)."""

import asyncio
import sys
from argparse import Namespace
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from gateway import settings
from gateway.errors import RosterError, UsageError
from gateway.settings import Settings
from gateway.store import institutions, registrations, tokens
from gateway.store import schema as database_schema
from gateway.store.institutions import Institution
from gateway.uow import Database


def migrate(options: Namespace) -> None:
    configured = _settings(options)

    async def work() -> None:
        async with Database.open(configured.server.database_url) as database:
            await database.reach()
            missing = await database_schema.behind(database)
            await database_schema.migrate(database)
            print(f"applied {', '.join(missing)}" if missing else "already up to date")

    asyncio.run(work())


def serve(options: Namespace) -> None:
    from gateway import server  # noqa: PLC0415  the graph hangs on it, which other commands do without
    from gateway.app import roster_graph  # noqa: PLC0415  as above

    server.serve(
        _settings(options),
        make_graph=roster_graph,
        host=options.host,
        port=options.port,
        workers=options.workers,
        jobs=not options.no_jobs,
    )


def worker(options: Namespace) -> None:
    from gateway import server  # noqa: PLC0415  as above
    from gateway.app import roster_graph  # noqa: PLC0415  as above

    server.work(_settings(options), make_graph=roster_graph)


def sync(options: Namespace) -> None:
    from gateway import sync_command  # noqa: PLC0415  as above

    configured = _settings(options)
    sync_command.run(configured, _chosen(configured, options.institution), options)


def import_file(options: Namespace) -> None:
    from gateway import terminal  # noqa: PLC0415  polars hangs on it
    from gateway.merge import Guard  # noqa: PLC0415  as above
    from gateway.sync.importer import import_report  # noqa: PLC0415  as above

    configured = _chosen(_settings(options), options.institution)
    guard = Guard(share=configured.shrink_guard, least=configured.shrink_guard_min)

    async def work(database: Database, institution: Institution) -> None:
        line = terminal.ProgressLine(sys.stderr)
        try:
            summary = await import_report(
                database, institution, Path(options.file), clock=_now, guard=guard, progress=line
            )
        finally:
            line.end()
        print("\n".join(terminal.described(summary)))

    _for_institution(options, work)


def doctor(options: Namespace) -> None:
    from gateway.doctor.examining import examined  # noqa: PLC0415  everything that is tried hangs on it
    from gateway.http.client import Client  # noqa: PLC0415  as above

    configured = _settings(options)
    chosen = _chosen(configured, options.institution)
    missing = 0

    async def work(database: Database, _institution: Institution) -> None:
        nonlocal missing
        async with Client(
            allows_private_networks=configured.server.allows_private_networks
        ) as http:
            async for finding in examined(configured, chosen, database, http, _now):
                print(finding, flush=True)
                missing += not finding.works

    _for_institution(options, work)
    if missing:
        raise RosterError(f"{missing} thing{'s' if missing > 1 else ''} to mend, as told above")


def schema(_options: Namespace) -> None:
    from resolvers.schema import print_sdl  # noqa: PLC0415  the graph, which no other command needs

    print(print_sdl(), end="")


def token_create(options: Namespace) -> None:
    async def work(database: Database, institution: Institution) -> None:
        secret = await tokens.create(
            database,
            institution_id=institution.id,
            name=options.name,
            scopes=tuple(dict.fromkeys(options.scopes)),
            now=_now(),
        )
        print(secret)

    _for_institution(options, work)


def token_list(options: Namespace) -> None:
    async def work(database: Database, institution: Institution) -> None:
        for token in await tokens.of_institution(database, institution.id):
            ended = f", revoked {token.revoked_at:%Y-%m-%d}" if token.revoked_at else ""
            scopes = " ".join(token.scopes)
            print(f"{token.id}  {token.name}  {scopes}  made {token.created_at:%Y-%m-%d}{ended}")

    _for_institution(options, work)


def token_revoke(options: Namespace) -> None:
    async def work(database: Database, institution: Institution) -> None:
        if not await tokens.revoke(
            database, institution_id=institution.id, token_id=options.id, now=_now()
        ):
            raise RosterError(f"{institution.slug} has no live token {options.id}")

    _for_institution(options, work)


def deployment_list(options: Namespace) -> None:
    async def work(database: Database, institution: Institution) -> None:
        for one in await registrations.deployments(database, institution.id):
            state = f"accepted {one.accepted_at:%Y-%m-%d}" if one.accepted_at else "waits"
            print(
                f"{one.id}  {one.deployment_id}  client {one.client_id} of {one.issuer}"
                f"  {one.platform_name or 'unnamed'}  {state}  last launched {one.last_seen_at:%Y-%m-%d}"
            )

    _for_institution(options, work)


def deployment_accept(options: Namespace) -> None:
    async def work(database: Database, institution: Institution) -> None:
        if not await registrations.accept(database, institution.id, options.id, _now()):
            raise RosterError(f"{institution.slug} has no deployment {options.id} that waits")

    _for_institution(options, work)


def deployment_forget(options: Namespace) -> None:
    async def work(database: Database, institution: Institution) -> None:
        if not await registrations.forget(database, institution.id, options.id):
            raise RosterError(f"{institution.slug} has no deployment {options.id}")

    _for_institution(options, work)


def webhooks(options: Namespace) -> None:
    from gateway.seal import Seal  # noqa: PLC0415  only where something is sealed
    from gateway.webhooks import command  # noqa: PLC0415  only when it is asked for
    from gateway.webhooks.registering import Webhooks  # noqa: PLC0415  as above

    server = _settings(options).server
    seal = Seal([one.reveal() for one in server.secret_key])

    async def work(database: Database, institution: Institution) -> None:
        registered = Webhooks(database, seal, _now, plain=server.allows_private_networks)
        for line in await command.run(options, registered, institution.id):
            print(line)

    _for_institution(options, work)


def erase(options: Namespace) -> None:
    from gateway import forgetting  # noqa: PLC0415  only when it is asked for

    async def work(database: Database, institution: Institution) -> None:
        erased = await forgetting.erase(
            database, institution, options.user, even_if_listed=options.even_if_listed, now=_now()
        )
        print(f"erased {erased.name or 'a person without a name'}: {_counted(erased.gone)}")

    _for_institution(options, work)


def clean(options: Namespace) -> None:
    from gateway import forgetting  # noqa: PLC0415  as above

    configured = _chosen(_settings(options), options.institution)

    async def work(database: Database, institution: Institution) -> None:
        gone = await forgetting.clean(database, institution.id, configured.retention, now=_now())
        print(f"{institution.slug}: {_counted(gone)}")

    _for_institution(options, work)


def _counted(gone: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} of {table}" for table, count in sorted(gone.items())) or "nothing"


def _settings(options: Namespace) -> Settings:
    return settings.load(settings.chosen_file(options.config))


def _for_institution(
    options: Namespace, work: Callable[[Database, Institution], Awaitable[None]]
) -> None:
    """Do `work` for the institution that was named, or the only one there is."""
    configured = _settings(options)
    chosen = _chosen(configured, options.institution)

    async def do() -> None:
        async with _current_database(configured) as database:
            await work(
                database,
                await institutions.ensure(database, slug=chosen.slug, canvas_url=chosen.canvas_url),
            )

    asyncio.run(do())


def _chosen(configured: Settings, slug: str | None) -> settings.Institution:
    slugs = ", ".join(one.slug for one in configured.institutions) or "none"
    if slug is None and len(configured.institutions) != 1:
        raise UsageError(f"say which --institution: the configuration has {slugs}")
    chosen = configured.institution(slug) if slug else configured.institutions[0]
    if chosen is None:
        raise UsageError(f"no institution {slug!r}: the configuration has {slugs}")
    return chosen


@asynccontextmanager
async def _current_database(configured: Settings) -> AsyncIterator[Database]:
    async with Database.open(configured.server.database_url) as database:
        await database.reach()
        await database_schema.make_current(database)
        yield database


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251  a command line has no other clock
