"""The Canvas of each institution, and whose rights there are to ask it: one a process, from the configuration."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gateway.canvas import scopes
from gateway.canvas.buckets import Buckets
from gateway.canvas.client import Canvas, Fixed
from gateway.canvas.credentials import Credentials
from gateway.canvas.oauth2 import Application, TokenEndpoint
from gateway.http.client import Client
from gateway.seal import Seal
from gateway.settings import Institution, Settings
from gateway.store import institutions
from gateway.tokens import AdminAndPeople, PeoplesTokens
from gateway.uow import Database

CALLBACK = "/oauth/callback"


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """`application` and `people`: where the institution has a developer key for people to connect by."""

    canvas: Canvas
    credentials: Credentials
    application: Application | None = None
    people: PeoplesTokens | None = None


async def upstreams(
    settings: Settings,
    database: Database,
    http: Client,
    buckets: Buckets,
    clock: Callable[[], datetime],
) -> dict[int, Upstream]:
    """By institution; those that are known through LTI alone have none."""
    seal = Seal([one.reveal() for one in settings.server.secret_key])
    found: dict[int, Upstream] = {}
    for configured in settings.institutions:
        institution = await institutions.by_slug(database, configured.slug)
        if institution is None or configured.canvas_url is None:
            continue
        application = _application(configured, settings.server.public_url)
        people = None
        if application is not None:
            people = PeoplesTokens(
                institution_id=institution.id,
                database=database,
                seal=seal,
                endpoint=TokenEndpoint(http, application),
                clock=clock,
            )
        admin = configured.admin_token
        found[institution.id] = Upstream(
            canvas=Canvas(http=http, base_url=configured.canvas_url, buckets=buckets),
            credentials=AdminAndPeople(
                operators=None if admin is None else Fixed(secret=admin.reveal()),
                people=people,
                asked=frozenset() if application is None else frozenset(application.scopes),
            ),
            application=application,
            people=people,
        )
    return found


def _application(configured: Institution, public_url: str) -> Application | None:
    if configured.oauth is None or configured.canvas_url is None:
        return None
    return Application(
        canvas_url=configured.canvas_url,
        client_id=configured.oauth.client_id,
        client_secret=configured.oauth.client_secret.reveal(),
        redirect_uri=f"{public_url.rstrip('/')}{CALLBACK}",
        scopes=scopes.of_people(writing=configured.oauth.writes),
    )
