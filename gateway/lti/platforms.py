"""Which platform asks, and which institution a launch is for: found from issuer, client and deployment, never from a URL."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway import settings
from gateway.errors import ConfigurationError, LaunchRefused
from gateway.settings import Settings
from gateway.store import institutions, registrations
from gateway.store.institutions import Institution
from gateway.uow import Database


@dataclass(frozen=True, kw_only=True)
class Registration:
    """Us on a platform. Two installs of Canvas may share issuer and client id: the key set tells them apart."""

    issuer: str
    client_id: str
    auth_url: str
    token_url: str
    jwks_url: str

    @property
    def scope(self) -> str:
        """What a `sub` is unique in."""
        return f"{self.issuer} {self.client_id}"


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """The institution that a launch is for, and how it is configured."""

    institution: Institution
    configured: settings.Institution

    @property
    def consumer_secrets(self) -> Mapping[str, str]:
        return {one.consumer_key: one.secret.reveal() for one in self.configured.lti11}


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """A registration of one institution. `platform_guid`: as the platform said when it registered us."""

    slug: str
    registration: Registration
    deployments: frozenset[str] = frozenset()
    platform_guid: str | None = None


class Platforms:
    def __init__(
        self, configured: Settings, database: Database, clock: Callable[[], datetime]
    ) -> None:
        self._configured = configured
        self._database = database
        self._clock = clock

    async def for_login(
        self, issuer: str, client_id: str | None, deployment_id: str | None
    ) -> Registration:
        """The registration that a login names; LaunchRefused for none, and for more than one."""
        of_issuer = await self._entries(issuer)
        if not of_issuer:
            raise LaunchRefused("issuer", f"The platform {issuer} is not known here.")
        entries = [e for e in of_issuer if client_id in (None, e.registration.client_id)]
        if not entries:
            raise LaunchRefused("client_id", f"The client id {client_id} is not known here.")
        if len({entry.registration for entry in entries}) > 1 and deployment_id:
            entries = await self._with_deployment(entries, deployment_id) or entries
        distinct = {entry.registration for entry in entries}
        if len(distinct) > 1:
            raise LaunchRefused(
                "client_id", "The login does not say which of several registrations it is for."
            )
        return distinct.pop()

    async def tenant(
        self,
        registration: Registration,
        deployment_id: str,
        *,
        platform_guid: str | None = None,
        platform_name: str | None = None,
    ) -> Tenant:
        """Whose deployment it is. One that nobody configured is shown to operators, and its launch is refused."""
        entries = [
            entry
            for entry in await self._entries(registration.issuer)
            if entry.registration == registration
        ]
        matching = await self._with_deployment(entries, deployment_id)
        slugs = {entry.slug for entry in matching}
        if len(slugs) > 1:
            raise LaunchRefused("deployment", "This deployment belongs to several institutions.")
        if not slugs:
            ids = [(await self._institution(entry.slug)).id for entry in entries]
            await registrations.note(
                self._database,
                sorted(set(ids)),
                issuer=registration.issuer,
                client_id=registration.client_id,
                deployment_id=deployment_id,
                platform_guid=platform_guid,
                platform_name=platform_name,
                now=self._clock(),
            )
            raise LaunchRefused(
                "deployment",
                f"This installation of the tool (deployment {deployment_id}) is not accepted yet. The gateway's operator"
                " sees it now and can accept it; then launch again.",
                status=403,
            )
        guids = {entry.platform_guid for entry in matching if entry.platform_guid}
        if guids and platform_guid not in guids:
            raise LaunchRefused(
                "platform_guid",
                "This launch comes from another school than the one that registered the tool.",
                status=403,
            )
        return await self.named(slugs.pop())

    async def of_login(self, issuer: str, client_id: str, jwks_url: str) -> Registration:
        """The registration that a login was begun with; LaunchRefused where it is gone meanwhile."""
        for entry in await self._entries(issuer):
            found = entry.registration
            if (found.client_id, found.jwks_url) == (client_id, jwks_url):
                return found
        raise LaunchRefused("issuer", f"The platform {issuer} is not known here any more.")

    async def registered(self, slug: str, issuer: str, client_id: str) -> Registration | None:
        """Us on a platform of that institution, for its services; None where nothing says which one is meant."""
        found = {
            entry.registration
            for entry in await self._entries(issuer)
            if entry.slug == slug and entry.registration.client_id == client_id
        }
        return found.pop() if len(found) == 1 else None

    async def of_consumer(self, consumer_key: str) -> Tenant:
        for institution in self._configured.institutions:
            if any(one.consumer_key == consumer_key for one in institution.lti11):
                return await self.named(institution.slug)
        raise LaunchRefused("consumer_key", "The launch has a consumer key that is not known here.")

    @property
    def consumer_secrets(self) -> Mapping[str, str]:
        """Of every institution: a consumer key names its one."""
        return {
            one.consumer_key: one.secret.reveal()
            for institution in self._configured.institutions
            for one in institution.lti11
        }

    async def _entries(self, issuer: str) -> Sequence[_Entry]:
        found = [
            _Entry(
                slug=institution.slug,
                registration=_of_settings(one),
                deployments=frozenset(one.deployment_ids),
            )
            for institution in self._configured.institutions
            for one in institution.lti13
            if one.issuer == issuer
        ]
        for row in await registrations.of_issuer(self._database, issuer):
            institution = await institutions.by_id(self._database, row.institution_id)
            if institution is not None and self._configured.institution(institution.slug):
                registration = Registration(
                    issuer=row.issuer,
                    client_id=row.client_id,
                    auth_url=row.auth_url,
                    token_url=row.token_url,
                    jwks_url=row.jwks_url,
                )
                found.append(
                    _Entry(
                        slug=institution.slug,
                        registration=registration,
                        platform_guid=row.platform_guid,
                    )
                )
        return found

    async def _with_deployment(self, entries: Sequence[_Entry], deployment_id: str) -> list[_Entry]:
        """Those whose configuration lists the deployment, or whose operator accepted it."""
        accepted: set[tuple[str, int]] = set()
        for client_id in {entry.registration.client_id for entry in entries}:
            issuer = entries[0].registration.issuer
            ids = await registrations.accepted(self._database, issuer, client_id, deployment_id)
            accepted |= {(client_id, institution_id) for institution_id in ids}
        return [
            entry
            for entry in entries
            if deployment_id in entry.deployments
            or (entry.registration.client_id, (await self._institution(entry.slug)).id) in accepted
        ]

    async def named(self, slug: str) -> Tenant:
        configured = self._configured.institution(slug)
        institution = await self._institution(slug)
        if configured is None:
            raise ConfigurationError(f"the configuration has no institution {slug!r}")
        return Tenant(institution=institution, configured=configured)

    async def _institution(self, slug: str) -> Institution:
        institution = await institutions.by_slug(self._database, slug)
        if institution is None:
            raise ConfigurationError(f"the database has no institution {slug!r}")
        return institution


def _of_settings(one: settings.Lti13) -> Registration:
    return Registration(
        issuer=one.issuer,
        client_id=one.client_id,
        auth_url=one.auth_url,
        token_url=one.token_url,
        jwks_url=one.jwks_url,
    )
