"""A launch of either version, from the fields that a browser brings to where it is sent with which session."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from gateway.errors import LaunchRefused
from gateway.http.client import Client
from gateway.lti import addresses, claims, form, oauth1, strangers
from gateway.lti.arrivals import Arrived, arrive, link
from gateway.lti.keys import OwnKeys, PlatformKeys, fetch_by
from gateway.lti.launch import Launch, said
from gateway.lti.logins import Logins
from gateway.lti.platforms import Platforms, Registration, Tenant
from gateway.lti.registering import Registering
from gateway.lti.strangers import Ask, Held, Stranger
from gateway.middleware import origin_of
from gateway.seal import Seal
from gateway.settings import Settings, UnmatchedLaunch
from gateway.store.logins import use_nonce
from gateway.store.people import Outcome, Undecided, Unmatched
from gateway.store.places import Context
from gateway.store.sessions import Session
from gateway.uow import Database

_log = logging.getLogger(__name__)


Bring = Callable[[Session], Awaitable[None]]
"""Brings in what the page of a session will show (`gateway.lti.bringing`)."""


@dataclass(frozen=True, kw_only=True)
class Handed:
    """A launch that was let in: where it is handed on to, and the cookie that opens its session."""

    url: str
    cookie: str
    seconds: int


@dataclass(frozen=True, kw_only=True)
class Launches:
    """All that the endpoints need; built once."""

    settings: Settings
    database: Database
    platforms: Platforms
    own_keys: OwnKeys
    logins: Logins
    registering: Registering
    seal: Seal
    clock: Callable[[], datetime]
    ask: Ask | None = None
    bring: Bring | None = None

    @classmethod
    def build(
        cls,
        settings: Settings,
        database: Database,
        client: Client,
        clock: Callable[[], datetime],
        ask: Ask | None = None,
    ) -> "Launches":
        """`ask`: the page for somebody unknown, where an institution has one asked who they are."""
        seal = Seal([one.reveal() for one in settings.server.secret_key])
        platforms, keys = (
            Platforms(settings, database, clock),
            PlatformKeys(fetch_by(client), clock),
        )
        return cls(
            settings=settings,
            database=database,
            platforms=platforms,
            own_keys=OwnKeys(database, seal, clock),
            logins=Logins(settings.server.public_url, database, platforms, keys, clock),
            registering=Registering(settings, database, client, clock),
            seal=seal,
            clock=clock,
            ask=ask,
        )

    @property
    def public_url(self) -> str:
        return self.settings.server.public_url

    @property
    def is_secure(self) -> bool:
        return self.public_url.startswith("https:")

    def is_own_page(self, request: Request) -> bool:
        """Whether the request comes from a page of ours, as its browser vouches."""
        origin = origin_of(request.headers.get("origin", ""))
        own = {
            origin_of(self.public_url),
            origin_of(f"{request.url.scheme}://{request.url.netloc}"),
        }
        return origin is not None and origin in own

    async def launch(self, fields: Mapping[str, str], *, bound: bool) -> Handed | Stranger:
        """LTI 1.3. `bound`: this browser began the login."""
        verified = await self.logins.verify(fields, bound=bound)
        registration, signed = verified.registration, verified.claims
        platform, deployment = signed.nested("tool_platform"), claims.deployment_of(signed)
        tenant = await self.platforms.tenant(
            registration,
            deployment,
            platform_guid=said(platform.get("guid"), longest=255),
            platform_name=said(platform.get("name")),
        )
        launch = claims.launch_from(
            signed,
            scope=registration.scope,
            shard=tenant.institution.shard,
            consumer_secrets=tenant.consumer_secrets,
        )
        context = _context(registration, deployment, launch)
        return await self._let_in(tenant, launch, context, launch.target or verified.target)

    async def launch11(
        self, path: str, query: str, body: Sequence[tuple[str, str]]
    ) -> Handed | Stranger:
        """`path` and `query`: as they were asked for. The origin is the public one, which is what a platform signs."""
        now = self.clock()
        url = f"{self.public_url}{path}" + (f"?{query}" if query else "")
        nonce = oauth1.verify(url, body, self.platforms.consumer_secrets, now)
        consumer_key = dict(oauth1.signed_pairs(url, body))["oauth_consumer_key"]
        tenant = await self.platforms.of_consumer(consumer_key)
        launch = form.launch_from(
            oauth1.own_fields(url, body),
            scope=consumer_key,
            shard=tenant.institution.shard,
            now=now,
        )
        until = now + oauth1.NONCE_KEPT
        if not await use_nonce(self.database, consumer_key, nonce, until=until, now=now):
            raise LaunchRefused("nonce", "This launch was used already: it cannot be reloaded.")
        return await self._let_in(tenant, launch, None, url)

    async def _let_in(
        self, tenant: Tenant, launch: Launch, context: Context | None, target: str | None
    ) -> Handed | Stranger:
        host, now = addresses.host_of(target, self.settings), self.clock()
        held = Held(
            institution=tenant.institution.slug,
            launch=launch,
            context=context,
            host=host.name if host else addresses.CONSOLE,
            until=now + strangers.LIFE,
        )
        arrived = await arrive(
            self.database, tenant, launch, context=context, host=held.host, now=now
        )
        asks = tenant.configured.unmatched_launch is UnmatchedLaunch.ASK
        if isinstance(arrived, Unmatched) and asks:
            return Stranger(
                institution_id=tenant.institution.id,
                institution_slug=tenant.institution.slug,
                held=strangers.hold(self.seal, held),
                name=_text(launch.person.get("name")),
                email=_text(launch.person.get("email")),
                lookalikes=arrived.lookalikes,
                platform_page=launch.return_url,
            )
        return await self._handed(held, arrived)

    async def asked(self, request: Request, stranger: Stranger) -> Response:
        if self.ask is None:
            raise _not_let_in(Unmatched())
        return await self.ask(request, stranger)

    async def resume(
        self, unverified_held: str, *, person: int | None, landing: str | None = None
    ) -> Handed:
        """Let a held launch in: as `person`, who has proved to be the one, or as somebody new; first to `landing`, if given."""
        now = self.clock()
        held = strangers.let_go(self.seal, unverified_held, now)
        tenant = await self.platforms.named(held.institution)
        if person is not None:
            await link(self.database, tenant, held.launch, person, now)
        arrived = await arrive(
            self.database,
            tenant,
            held.launch,
            context=held.context,
            host=held.host,
            now=now,
            create=person is None,
        )
        return await self._handed(held, arrived, landing)

    async def _handed(
        self, held: Held, arrived: Arrived | Outcome, landing: str | None = None
    ) -> Handed:
        if not isinstance(arrived, Arrived):
            raise _not_let_in(arrived)
        launch = held.launch
        fields = {
            "institution": held.institution,
            "version": launch.version,
            "place": launch.place.value,
            "acting": launch.real_user is not None,
        }
        _log.info("launched", extra={"fields": fields})
        if self.bring is not None:
            await self.bring(arrived.session)
        host = next((one for one in self.settings.hosts if one.name == held.host), None)
        url = landing or (host.launch_url if host else f"{self.public_url}/console")
        return Handed(
            url=addresses.with_query(url, {"code": arrived.code.text}),
            cookie=arrived.cookie.text,
            seconds=int((arrived.session.expires_at - arrived.session.started_at).total_seconds()),
        )


def _not_let_in(outcome: Outcome) -> LaunchRefused:
    if isinstance(outcome, Undecided):
        return LaunchRefused(
            "undecided",
            "The gateway cannot tell who you are: two records claim your account. An operator can decide it now.",
            status=403,
        )
    return LaunchRefused(
        "unmatched",
        "Nobody here has your account: the school has to make or to link it first.",
        status=403,
    )


def _text(value: str | int | None) -> str | None:
    return None if value is None else str(value)


def _context(registration: Registration, deployment_id: str, launch: Launch) -> Context | None:
    if launch.context_id is None:
        return None
    return Context(
        issuer=registration.issuer,
        client_id=registration.client_id,
        context_id=launch.context_id,
        deployment_id=deployment_id,
        memberships_url=launch.memberships_url,
        resource_link_id=launch.resource_link_id,
    )
