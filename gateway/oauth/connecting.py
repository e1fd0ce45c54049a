"""Who may connect a Canvas account, and by which address: the person of a launched session, for a while."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

import orjson

from gateway.errors import ConfigurationError, Unauthenticated
from gateway.http.client import Client
from gateway.seal import Seal
from gateway.settings import Settings
from gateway.uow import Database
from gateway.upstreams import Upstream
from gateway.viewer import Viewer

CONNECT = "/oauth/connect"
DISCONNECT = "/oauth/disconnect"
TICKET_LIFE = timedelta(minutes=30)


@dataclass(frozen=True, kw_only=True)
class Connecting:
    """All that connecting needs; built once."""

    settings: Settings
    database: Database
    http: Client
    seal: Seal
    upstreams: Mapping[int, Upstream]
    authenticate: Callable[[Mapping[str, str]], Awaitable[Viewer]]
    clock: Callable[[], datetime]

    @property
    def is_secure(self) -> bool:
        return self.settings.server.public_url.startswith("https:")

    def url_for(self, viewer: Viewer, to: str = CONNECT) -> str | None:
        """Where this launched person can connect their account (or `to` do what), in a window of its own; None where nobody can.

        The address knows them for a while, because a window of its own may lack the cookie of the frame.
        """
        upstream = self.upstreams.get(viewer.institution_id)
        if viewer.launched is None or viewer.user_id is None:
            return None
        if upstream is None or upstream.application is None:
            return None
        return self.address(
            Ticket(
                institution_id=viewer.institution_id,
                person_id=viewer.user_id,
                session_id=viewer.launched.session_id,
            ),
            to,
        )

    def address(self, ticket: "Ticket", to: str = CONNECT) -> str:
        until = (self.clock() + TICKET_LIFE).timestamp()
        sealed = replace(ticket, until=until).sealed(self.seal)
        base = self.settings.server.public_url.rstrip("/")
        return f"{base}{to}?{urlencode({'ticket': sealed})}"


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """Who may connect: a person, by a launched session of theirs."""

    institution_id: int
    person_id: int
    session_id: int
    until: float = float("inf")

    def sealed(self, seal: Seal) -> str:
        said = [self.institution_id, self.person_id, self.session_id, self.until]
        return seal.close(f"connect {orjson.dumps(said).decode()}")

    @classmethod
    def opened(cls, text: str, seal: Seal, now: datetime) -> "Ticket":
        refusal = Unauthenticated("This address is too old: open the tool again from your course.")
        try:
            kind, _, said = seal.open(text).partition(" ")
        except ConfigurationError as error:
            raise refusal from error
        if kind != "connect":
            raise refusal
        institution, person, session, until = orjson.loads(said)
        if now.timestamp() > until:
            raise refusal
        return cls(institution_id=institution, person_id=person, session_id=session, until=until)
