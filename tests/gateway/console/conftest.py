"""A gateway with a small school, and its console as a browser sees it."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from gateway.app import create_app, roster_graph
from gateway.config_file import CredentialUrl, Secret
from gateway.settings import Institution, Lti13, Server, Settings
from gateway.store import sessions, tokens
from gateway.store.sessions import Issue, Kind, Session
from gateway.uow import Database, Transaction
from gateway.viewer import Scope
from models.roster import EnrollmentType
from tests.factories import School
from tests.gateway.lti import platform

CANVAS = "https://canvas.example.edu"
NOW = datetime.now(UTC)  # noqa: TID251  the application's own clock is the real one


def settings_of(database: Database) -> Settings:
    return Settings(
        server=Server(
            public_url=platform.PUBLIC_URL,
            database_url=CredentialUrl(database.url),
            secret_key=(Secret("not so secret"),),
        ),
        institutions=(
            Institution(
                slug="demo",
                canvas_url=CANVAS,
                lti13=(
                    Lti13(
                        issuer=platform.ISSUER,
                        client_id=platform.CLIENT_ID,
                        auth_url=platform.AUTH_URL,
                        token_url=platform.TOKEN_URL,
                        jwks_url=platform.JWKS_URL,
                    ),
                ),
            ),
        ),
    )


@pytest.fixture
async def school(database: Database) -> School:
    return await School.open(database)


@pytest.fixture
def browser(school: School) -> Iterator[TestClient]:
    app = create_app(settings_of(school.database), make_graph=roster_graph)
    with TestClient(app, base_url=platform.PUBLIC_URL, follow_redirects=False) as client:
        client.headers["origin"] = platform.PUBLIC_URL
        yield client


async def launched(
    school: School, person: int | None, course: int | None = None, **columns: Any
) -> tuple[str, str]:
    """The cookie and the console's code of a launch."""
    fields: dict[str, Any] = {
        "institution_id": school.id,
        "person_id": person,
        "course_id": course,
        "account_canvas_id": None,
        "types": (EnrollmentType.TEACHER,),
        "roles": (platform.INSTRUCTOR,),
        "shown": ("name", "email", "picture", "sis"),
        "real_user": None,
        "platform_origin": "https://school.instructure.com",
        "started_at": NOW,
        "expires_at": NOW + timedelta(hours=8),
    }
    cookie = Issue(kind=Kind.COOKIE, expires_at=NOW + timedelta(hours=8))
    code = Issue(kind=Kind.CODE, expires_at=NOW + timedelta(minutes=10), host="console")
    session = Session(**fields | columns)

    async def work(tx: Transaction) -> int:
        return await sessions.start(tx, session, cookie, code)

    await school.database.transact(work)
    return cookie.text, code.text


def cookied(secret: str) -> dict[str, str]:
    """The header with which a browser brings the cookie of a launch."""
    return {"cookie": f"__Host-roster_session={secret}"}


async def operator_token(school: School, *scopes: Scope) -> str:
    return await tokens.create(
        school.database,
        institution_id=school.id,
        name="operator",
        scopes=scopes or (Scope.ADMIN, Scope.ROSTER_READ, Scope.PII_READ),
        now=NOW,
    )


def text_of(answer: httpx.Response) -> str:
    """What the page says, without its tags and its style."""
    reader = _Text()
    reader.feed(answer.text)
    return re.sub(r"\s+", " ", " ".join(reader.found)).strip()


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._silent = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._silent = False

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.found.append(data)


def hidden(answer: httpx.Response, name: str) -> str:
    """The value of the page's first hidden field of that name."""
    found = re.search(rf'type="hidden" name="{name}" value="([^"]*)"', answer.text)
    assert found, f"no hidden field {name}: {answer.text}"
    return found[1]
