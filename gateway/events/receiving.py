"""Live Events received: whose they are, whether Canvas sent them, and what they change."""

import hmac
import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

import orjson

from gateway.errors import EventRefused, LaunchRefused
from gateway.events import taking
from gateway.events.envelope import Event, event_in
from gateway.events.meaning import Meaning, meaning_of
from gateway.lti import id_tokens
from gateway.lti.keys import PlatformKeys
from gateway.settings import Institution as Configured
from gateway.settings import LiveEvents as Stream
from gateway.settings import Settings
from gateway.store import institutions
from gateway.uow import Database

_log = logging.getLogger(__name__)


class Receiving:
    """Of all institutions that have a stream. `nudge`: tells those who follow the feed that there is news."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        keys: PlatformKeys,
        clock: Callable[[], datetime],
    ) -> None:
        self._streams = [
            (one, one.live_events) for one in settings.institutions if one.live_events is not None
        ]
        self._database = database
        self._keys = keys
        self._clock = clock

    async def receive(self, raw: bytes, unverified_secret: str | None) -> None:
        """EventRefused, with the status to answer, where it is not taken."""
        if not self._streams:
            raise EventRefused("no institution takes Live Events", status=404)
        event, configured = await self._verified(raw, unverified_secret)
        institution = await institutions.by_slug(self._database, configured.slug)
        if institution is None:
            raise EventRefused("the institution is not there yet", status=503)
        meaning = _meaning(event, institution.shard)
        taken = await taking.take(self._database, institution.id, event, meaning, now=self._clock())
        fields = {"institution": configured.slug, "name": event.name, **vars(taken)}
        _log.info("a Live Event", extra={"fields": fields})

    async def _verified(
        self, raw: bytes, unverified_secret: str | None
    ) -> tuple[Event, Configured]:
        """Everybody's Canvas signs with the same keys: the event says whose it is, and only a signed one is believed."""
        if raw.lstrip()[:1] == b"{":
            event = event_in(_json(raw))
            configured, stream = self._stream_of(event)
            if stream.signed:
                raise EventRefused("the event is not signed, and has to be", status=401)
        else:
            event, configured, stream = await self._signed(raw)
        secret = stream.secret
        if secret is not None and not hmac.compare_digest(
            (unverified_secret or "").encode(), secret.reveal().encode()
        ):
            raise EventRefused("the address lacks its secret", status=401)
        return event, configured

    async def _signed(self, raw: bytes) -> tuple[Event, Configured, Stream]:
        refusal: LaunchRefused | None = None
        for url in dict.fromkeys(stream.jwks_url for _, stream in self._streams):
            try:
                claims = await id_tokens.verify(
                    raw.decode("ascii", "replace").strip(), partial(self._keys.key, url)
                )
            except LaunchRefused as refused:
                refusal = refused
                continue
            event = event_in(claims.members)
            configured, stream = self._stream_of(event)
            if stream.jwks_url == url:
                return event, configured, stream
        status = 503 if refusal is not None and refusal.status == 503 else 401
        raise EventRefused("the event's signature does not stand", status=status)

    def _stream_of(self, event: Event) -> tuple[Configured, Stream]:
        for configured, stream in self._streams:
            if stream.root_account in event.roots:
                return configured, stream
        raise EventRefused("the event is of another school", status=403)


def _meaning(event: Event, shard: int) -> Meaning:
    try:
        return meaning_of(event, shard)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise EventRefused(f"{event.name} lacks what it is about", status=400) from error


def _json(raw: bytes) -> Mapping[str, object]:
    try:
        found: Mapping[str, object] = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise EventRefused("this is no JSON", status=400) from error
    return found
