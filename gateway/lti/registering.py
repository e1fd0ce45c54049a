"""Dynamic registration: a platform introduces itself, and is told who we are (fact sheet lti-launch.md §8).

It lets nobody in: the platform's administrator has to turn the tool on, and our operator to accept the installation. Whose
platform it is shows where it takes registrations: on an address that the configuration knows as an institution's.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson

from gateway.errors import LaunchRefused, OutboundError
from gateway.http.client import Client, Request, Response
from gateway.lti import configuration
from gateway.middleware import origin_of
from gateway.settings import Institution, Settings
from gateway.store import institutions, registrations
from gateway.store.registrations import Registration
from gateway.uow import Database

_PLATFORM = "https://purl.imsglobal.org/spec/lti-platform-configuration"
_ENDPOINTS = (
    "issuer",
    "authorization_endpoint",
    "registration_endpoint",
    "jwks_uri",
    "token_endpoint",
)
_MOST_BYTES = 1_000_000
# Anybody may name an address that is slow to answer, and the connections to platforms are all readers'.
_AT_ONCE = 2


class Registering:
    def __init__(
        self,
        settings: Settings,
        database: Database,
        client: Client,
        clock: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._database = database
        self._client = client
        self._clock = clock
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def register(self, fields: Mapping[str, str]) -> str:
        """The client id under which the platform knows us now."""
        async with self._turns:
            return await self._register(fields)

    async def _register(self, fields: Mapping[str, str]) -> str:
        url = fields.get("openid_configuration")
        if not url:
            raise LaunchRefused("openid_configuration", "The registration names no platform.")
        token = fields.get("registration_token")
        platform = _endpoints(await self._json(Request("GET", url, headers=_bearer(token))))
        institution = self._institution(url, platform)
        answer = await self._json(
            Request(
                "POST",
                platform["registration_endpoint"],
                headers=_bearer(token) | {"content-type": "application/json"},
                content=orjson.dumps(configuration.registration(self._settings.server.public_url)),
            )
        )
        client_id = answer.get("client_id")
        if not isinstance(client_id, str) or not 0 < len(client_id) <= 255:
            raise LaunchRefused("client_id", "The platform's answer has no client id.", status=502)
        row = await institutions.by_slug(self._database, institution.slug)
        if row is None:
            raise LaunchRefused("institution", "This institution is not set up yet.", status=503)
        await registrations.keep(
            self._database,
            Registration(
                institution_id=row.id,
                issuer=platform["issuer"],
                client_id=client_id,
                auth_url=platform["authorization_endpoint"],
                token_url=platform["token_endpoint"],
                jwks_url=platform["jwks_uri"],
                platform_guid=platform.get("guid"),
            ),
            self._clock(),
        )
        return client_id

    def _institution(self, url: str, platform: Mapping[str, str]) -> Institution:
        """Whose platform takes the registration; its other endpoints may be on Canvas's common hosts."""
        where = origin_of(platform["registration_endpoint"])
        for institution in self._settings.institutions:
            known = _origins(institution)
            if where in known:
                if origin_of(url) not in {origin_of(platform["issuer"]), *known}:
                    raise LaunchRefused(
                        "issuer", "The platform's configuration comes from elsewhere."
                    )
                return institution
        raise LaunchRefused(
            "registration_endpoint",
            f"{where} is no institution's platform: name it as canvas_url, or in nrps_hosts, in the configuration.",
            status=403,
        )

    async def _json(self, request: Request) -> dict[str, Any]:
        try:
            answer = await self._client.send(request, max_bytes=_MOST_BYTES, max_seconds=20)
        except OutboundError as error:
            raise LaunchRefused(
                "platform", f"The platform cannot be asked: {error}.", status=502
            ) from error
        return _object(answer)


def _object(answer: Response) -> dict[str, Any]:
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        body = None
    if answer.status not in (200, 201) or not isinstance(body, dict):
        said = answer.status if answer.status not in (200, 201) else "something else than JSON"
        raise LaunchRefused(
            "platform", f"The platform answered {said} to the registration.", status=502
        )
    return body


def _endpoints(body: Mapping[str, Any]) -> dict[str, str]:
    found = {name: value for name in _ENDPOINTS if isinstance(value := body.get(name), str)}
    missing = [name for name in _ENDPOINTS if origin_of(found.get(name, "")) is None]
    if missing:
        raise LaunchRefused("openid_configuration", f"The platform names no {missing[0]}.")
    if any(len(value) > 1024 for value in found.values()) or len(found["issuer"]) > 255:
        raise LaunchRefused("openid_configuration", "The platform's addresses are too long.")
    about = body.get(_PLATFORM)
    guid = about.get(f"{configuration.CANVAS}account_lti_guid") if isinstance(about, dict) else None
    return found | ({"guid": guid} if isinstance(guid, str) and len(guid) <= 255 else {})


def _bearer(token: str | None) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"} if token else {}


def _origins(institution: Institution) -> set[str | None]:
    known = [institution.canvas_url or "", *institution.nrps_hosts]
    return {origin_of(one) for one in known} - {None}
