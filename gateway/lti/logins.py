"""An LTI 1.3 login: what is asked of a platform, and whether what comes back answers it (fact sheet lti-launch.md §6)."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.errors import LaunchRefused
from gateway.lti import addresses, claims, id_tokens
from gateway.lti.claims import SignedClaims
from gateway.lti.keys import PlatformKeys
from gateway.lti.platforms import Platforms, Registration
from gateway.store import logins
from gateway.store.logins import Login
from gateway.uow import Database

LIFE = timedelta(minutes=10)


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
class Verified:
    """`target`: where the login wanted to go."""

    registration: Registration
    claims: SignedClaims
    target: str | None


class Logins:
    def __init__(
        self,
        public_url: str,
        database: Database,
        platforms: Platforms,
        platform_keys: PlatformKeys,
        clock: Callable[[], datetime],
    ) -> None:
        self._public_url = public_url
        self._database = database
        self._platforms = platforms
        self._platform_keys = platform_keys
        self._clock = clock

    async def begin(self, fields: Mapping[str, str]) -> Asked:
        """`fields`: the platform's initiation of a login (1EdTech Security Framework 1.0, section 5.1.1.1)."""
        for name in ("iss", "login_hint"):
            if not fields.get(name):
                raise LaunchRefused(name, f"The login lacks {name}: it is no LTI 1.3 login.")
        deployment = fields.get("lti_deployment_id") or fields.get("deployment_id")
        registration = await self._platforms.for_login(
            fields["iss"], fields.get("client_id"), deployment
        )
        state, nonce = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
        now = self._clock()
        storage = fields.get("lti_storage_target") or None
        login = Login(
            nonce=nonce,
            issuer=registration.issuer,
            client_id=registration.client_id,
            jwks_url=registration.jwks_url,
            deployment_id=deployment,
            target=addresses.own(fields.get("target_link_uri"), self._public_url),
            storage_target=storage if storage and len(storage) <= 255 else None,
        )
        await logins.begin(self._database, state, login, expires_at=now + LIFE, now=now)
        return Asked(
            url=self._authentication_request(registration, fields, state, nonce),
            state=state,
            platform_origin=addresses.origin(registration.auth_url),
            storage_target=login.storage_target,
            seconds=int(LIFE.total_seconds()),
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
            "redirect_uri": f"{self._public_url}/lti/launch",
            "state": state,
            "nonce": nonce,
            "login_hint": fields["login_hint"],
        }
        if "lti_message_hint" in fields:
            asked["lti_message_hint"] = fields["lti_message_hint"]
        return addresses.with_query(registration.auth_url, asked)

    async def storage_of(self, state: str, target: str | None) -> Storage | None:
        """Where the state of a login may be asked for, if its platform offers that."""
        login = await logins.find(self._database, state, self._clock())
        if login is None or not (target or login.storage_target):
            return None
        registration = await self._registration(login)
        return Storage(
            target=target or login.storage_target or "",
            platform_origin=addresses.origin(registration.auth_url),
        )

    async def verify(self, fields: Mapping[str, str], *, bound: bool) -> Verified:
        """`bound`: this browser began the login (1EdTech Security Framework 1.0, section 5.1.1.3)."""
        now = self._clock()
        login = await self._taken(fields, bound=bound, now=now)
        registration = await self._registration(login)
        signed = await self._verified(fields.get("id_token", ""), registration, login, now)
        return Verified(registration=registration, claims=signed, target=login.target)

    async def _taken(self, fields: Mapping[str, str], *, bound: bool, now: datetime) -> Login:
        """The login that this answers; nobody can answer it again."""
        state = fields.get("state", "")
        if "error" in fields:
            await logins.take(self._database, state, now)
            said = f"{fields['error']}: {fields.get('error_description', '')}"[:300]
            raise LaunchRefused("platform_error", f"The platform answered {said}")
        if not bound and await logins.find(self._database, state, now) is not None:
            raise LaunchRefused(
                "browser",
                "This browser did not begin the launch, or keeps no cookie for the tool. Allow its cookies, or open the"
                " tool in a new tab.",
                status=403,
            )
        login = await logins.take(self._database, state, now)
        if login is None:
            raise LaunchRefused(
                "state", "This launch is over: it was used already, or took more than 10 minutes."
            )
        return login

    async def _verified(
        self, token: str, registration: Registration, login: Login, now: datetime
    ) -> claims.SignedClaims:
        if not token:
            raise LaunchRefused("id_token", "The launch brings no token.")

        signed = await id_tokens.verify(
            token, lambda kid: self._platform_keys.key(registration.jwks_url, kid)
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
            self._database, registration.scope, login.nonce, until=until, now=now
        ):
            raise LaunchRefused("nonce", "This launch was used already.")
        return signed

    async def _registration(self, login: Login) -> Registration:
        return await self._platforms.of_login(login.issuer, login.client_id, login.jwks_url)
