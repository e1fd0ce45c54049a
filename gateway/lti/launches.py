"""What login and launch do, from the fields that a browser brings to where it is sent with which session."""

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.requests import Request

from gateway.errors import LaunchRefused
from gateway.http.client import Client
from gateway.identity import Nobody
from gateway.lti import addresses, claims, form, id_tokens, oauth1
from gateway.lti.arrivals import Arrived, arrive
from gateway.lti.keys import OwnKeys, PlatformKeys, fetch_by
from gateway.lti.launch import Launch
from gateway.lti.platforms import Platforms, Registration, Tenant
from gateway.lti.registering import Registering
from gateway.middleware import origin_of
from gateway.seal import Seal
from gateway.settings import Settings, UnmatchedLaunch
from gateway.store import logins
from gateway.store.logins import Login
from gateway.store.people import Recognised, Undecided, Unmatched
from gateway.store.places import Context
from gateway.uow import Database

_log = logging.getLogger(__name__)

LOGIN_LIFE = timedelta(minutes=10)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A login on its way: where the browser goes, and what it has to come back with."""

    url: str
    state: str
    platform_origin: str
    storage_target: str | None
    seconds: int


@dataclass(frozen=True, kw_only=True)
class Storage:
    """The platform's frame that keeps the state."""

    target: str
    platform_origin: str


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
    platform_keys: PlatformKeys
    registering: Registering
    clock: Callable[[], datetime]

    @classmethod
    def build(
        cls, settings: Settings, database: Database, client: Client, clock: Callable[[], datetime]
    ) -> "Launches":
        seal = Seal([one.reveal() for one in settings.server.secret_key])
        return cls(
            settings=settings,
            database=database,
            platforms=Platforms(settings, database, clock),
            own_keys=OwnKeys(database, seal, clock),
            platform_keys=PlatformKeys(fetch_by(client), clock),
            registering=Registering(settings, database, client, clock),
            clock=clock,
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

    async def login(self, fields: Mapping[str, str]) -> Asked:
        """`fields`: the platform's initiation of a login (1EdTech Security Framework 1.0, section 5.1.1.1)."""
        for name in ("iss", "login_hint"):
            if not fields.get(name):
                raise LaunchRefused(name, f"The login lacks {name}: it is no LTI 1.3 login.")
        deployment = fields.get("lti_deployment_id") or fields.get("deployment_id")
        registration = await self.platforms.for_login(
            fields["iss"], fields.get("client_id"), deployment
        )
        state, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
        now = self.clock()
        storage = fields.get("lti_storage_target") or None
        login = Login(
            nonce=nonce,
            issuer=registration.issuer,
            client_id=registration.client_id,
            jwks_url=registration.jwks_url,
            deployment_id=deployment,
            target=addresses.own(fields.get("target_link_uri"), self.public_url),
            storage_target=storage if storage and len(storage) <= 255 else None,
        )
        await logins.begin(self.database, state, login, expires_at=now + LOGIN_LIFE, now=now)
        return Asked(
            url=self._authentication_request(registration, fields, state, nonce),
            state=state,
            platform_origin=addresses.origin(registration.auth_url),
            storage_target=login.storage_target,
            seconds=int(LOGIN_LIFE.total_seconds()),
        )

    def _authentication_request(
        self, registration: Registration, fields: Mapping[str, str], state: str, nonce: str
    ) -> str:
        asked = {
            "scope": "openid",
            "response_type": "id_token",
            "response_mode": "form_post",
            "prompt": "none",
            "client_id": registration.client_id,
            "redirect_uri": f"{self.public_url}/lti/launch",
            "state": state,
            "nonce": nonce,
            "login_hint": fields["login_hint"],
        }
        if "lti_message_hint" in fields:
            asked["lti_message_hint"] = fields["lti_message_hint"]
        return addresses.with_query(registration.auth_url, asked)

    async def storage_of(self, state: str, target: str | None) -> Storage | None:
        """Where the state of a login may be asked for, if its platform offers that."""
        login = await logins.find(self.database, state, self.clock())
        if login is None or not (target or login.storage_target):
            return None
        registration = await self._registration(login)
        return Storage(
            target=target or login.storage_target or "",
            platform_origin=addresses.origin(registration.auth_url),
        )

    async def launch(self, fields: Mapping[str, str], *, bound: bool) -> Handed:
        """`bound`: this browser began the login (1EdTech Security Framework 1.0, section 5.1.1.3)."""
        now, state = self.clock(), fields.get("state", "")
        if "error" in fields:
            await logins.take(self.database, state, now)
            said = f"{fields['error']}: {fields.get('error_description', '')}"[:300]
            raise LaunchRefused("platform_error", f"The platform answered {said}")
        if not bound and await logins.find(self.database, state, now) is not None:
            raise LaunchRefused(
                "browser",
                "This browser did not begin the launch, or keeps no cookie for the tool. Allow its cookies, or open the"
                " tool in a new tab.",
                status=403,
            )
        login = await logins.take(self.database, state, now)
        if login is None:
            raise LaunchRefused(
                "state", "This launch is over: it was used already, or took more than 10 minutes."
            )
        registration = await self._registration(login)
        signed = await self._verified(fields.get("id_token", ""), registration, login, now)
        tenant = await self._tenant(registration, signed)
        launch = claims.launch_from(
            signed,
            scope=registration.scope,
            shard=tenant.institution.shard,
            consumer_secrets=tenant.consumer_secrets,
        )
        context = _context(registration, claims.deployment_of(signed), launch)
        return await self._let_in(tenant, launch, context, launch.target or login.target)

    async def _verified(
        self, token: str, registration: Registration, login: Login, now: datetime
    ) -> claims.SignedClaims:
        if not token:
            raise LaunchRefused("id_token", "The launch brings no token.")

        signed = await id_tokens.verify(
            token, lambda kid: self.platform_keys.key(registration.jwks_url, kid)
        )
        expected = claims.Expected(
            issuer=login.issuer,
            client_id=login.client_id,
            nonce=login.nonce,
            deployment_id=login.deployment_id,
            now=now,
        )
        claims.check(signed, expected)
        until = claims.expiry_of(signed) + claims.CLOCK_SKEW
        if not await logins.use_nonce(
            self.database, registration.scope, login.nonce, until=until, now=now
        ):
            raise LaunchRefused("nonce", "This launch was used already.")
        return signed

    async def _tenant(self, registration: Registration, signed: claims.SignedClaims) -> Tenant:
        platform = signed.nested("tool_platform")
        guid, name = platform.get("guid"), platform.get("name")
        return await self.platforms.tenant(
            registration,
            claims.deployment_of(signed),
            platform_guid=guid if isinstance(guid, str) else None,
            platform_name=name if isinstance(name, str) else None,
        )

    async def _registration(self, login: Login) -> Registration:
        return await self.platforms.of_login(login.issuer, login.client_id, login.jwks_url)

    async def launch11(self, path: str, query: str, body: Sequence[tuple[str, str]]) -> Handed:
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
        if not await logins.use_nonce(self.database, consumer_key, nonce, until=until, now=now):
            raise LaunchRefused("nonce", "This launch was used already: it cannot be reloaded.")
        return await self._let_in(tenant, launch, None, url)

    async def _let_in(
        self, tenant: Tenant, launch: Launch, context: Context | None, target: str | None
    ) -> Handed:
        host = addresses.host_of(target, self.settings)
        now = self.clock()
        arrived = await arrive(
            self.database,
            tenant,
            launch,
            context=context,
            host=host.name if host else addresses.CONSOLE,
            now=now,
        )
        if not isinstance(arrived, Arrived):
            raise _not_let_in(tenant, arrived)
        fields = {
            "institution": tenant.institution.slug,
            "version": launch.version,
            "place": launch.place.value,
            "acting": launch.real_user is not None,
        }
        _log.info("launched", extra={"fields": fields})
        url = host.launch_url if host else f"{self.public_url}/console"
        return Handed(
            url=addresses.with_query(url, {"code": arrived.code.text}),
            cookie=arrived.cookie.text,
            seconds=int((arrived.session.expires_at - now).total_seconds()),
        )


def _not_let_in(
    tenant: Tenant, outcome: Recognised | Unmatched | Undecided | Nobody
) -> LaunchRefused:
    if isinstance(outcome, Undecided):
        return LaunchRefused(
            "undecided",
            "The gateway cannot tell who you are: two records claim your account. An operator can decide it now.",
            status=403,
        )
    asks = tenant.configured.unmatched_launch is UnmatchedLaunch.ASK
    what = "has to be linked first" if asks else "has to be made by the school first"
    return LaunchRefused("unmatched", f"Nobody here has your account: it {what}.", status=403)


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
