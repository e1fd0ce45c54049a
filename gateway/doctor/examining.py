"""`roster doctor`: every configured credential and permission of an institution tried against Canvas."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime

from gateway.cache import Cache
from gateway.canvas.buckets import LocalBuckets
from gateway.canvas.service_tokens import ServiceTokens
from gateway.doctor import people, platforms
from gateway.doctor.admin import Examination
from gateway.doctor.findings import Finding
from gateway.http.client import Client
from gateway.lti.launches import Launches
from gateway.prices import PriceBook
from gateway.settings import Institution, Settings
from gateway.store import canvas_tokens, institutions, tokens
from gateway.uow import Database
from gateway.upstreams import upstreams
from gateway.viewer import Scope


async def examined(
    settings: Settings,
    configured: Institution,
    database: Database,
    http: Client,
    clock: Callable[[], datetime],
) -> AsyncIterator[Finding]:
    """What was found, one after the other; the database is up to date and knows the institution."""
    institution = await institutions.by_slug(database, configured.slug)
    connected = await upstreams(settings, database, http, LocalBuckets(clock), clock)
    upstream = connected.get(institution.id) if institution else None
    if institution is not None and upstream is not None:
        admin = upstream.credentials.admin()
        if admin is not None:
            examination = Examination(
                canvas=upstream.canvas,
                credential=admin,
                account=configured.account_id,
                writes=await _some_service_writes(database, institution.id),
            )
            async for finding in examination.findings():
                yield finding
        if upstream.application is not None:
            async for finding in people.of_key(http, upstream.application):
                yield finding
            kept = await canvas_tokens.all_of(database, institution.id)
            for finding in people.of_tokens(kept, upstream.application.scopes):
                yield finding
    launches = Launches.build(settings, database, http, clock)
    services = ServiceTokens(
        http=http,
        sign=launches.own_keys.sign,
        prices=PriceBook(),
        cache=Cache(clock),  # its own: what it finds is to be true now
        clock=clock,
    )
    public_url = settings.server.public_url.rstrip("/")
    for platform in configured.lti13:
        async for finding in platforms.of_platform(http, services, platform, public_url):
            yield finding


async def _some_service_writes(database: Database, institution_id: int) -> bool:
    kept = await tokens.of_institution(database, institution_id)
    return any(Scope.ROSTER_WRITE in one.scopes and one.revoked_at is None for one in kept)
