"""A launched person connects their own Canvas account from the console, and ends that there."""

from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace
from starlette.testclient import TestClient

from gateway.app import create_app, roster_graph
from gateway.config_file import Secret
from gateway.settings import Oauth
from gateway.store import canvas_tokens
from tests.factories import School
from tests.gateway.console.conftest import NOW, cookied, launched, settings_of, text_of
from tests.gateway.lti import platform

PAGE = "/console/account"


@pytest.fixture
def browser(school: School) -> Iterator[TestClient]:
    settings = settings_of(school.database)
    [demo] = settings.institutions
    oauth = Oauth(client_id="10000000000001", client_secret=Secret("hush"))
    settings = replace(settings, institutions=(replace(demo, oauth=oauth),))
    app = create_app(settings, make_graph=roster_graph)
    with TestClient(app, base_url=platform.PUBLIC_URL, follow_redirects=False) as client:
        client.headers["origin"] = platform.PUBLIC_URL
        yield client


async def grant(school: School, person: int) -> None:
    sealed = canvas_tokens.Value(access_sealed="x", refresh_sealed="y", expires_at=None)
    await canvas_tokens.keep(
        school.database,
        school.id,
        person,
        sealed,
        client_id="10000000000001",
        scopes=(),
        now=NOW - timedelta(days=1),
    )


async def test_the_way_to_connect_leads_to_canvas(school: School, browser: TestClient) -> None:
    person = await school.person(name="Tom Teach")
    cookie, _ = await launched(school, person)

    shown = browser.get(PAGE, headers=cookied(cookie))

    assert "It is not connected." in text_of(shown)
    [address] = [part for part in shown.text.split('"') if "/oauth/connect?ticket=" in part]
    begun = browser.get(address)  # in a window of its own, which has no cookie
    assert 303 == begun.status_code, begun.text
    assert "canvas.example.edu" == urlsplit(begun.headers["location"]).netloc


async def test_what_is_connected_says_so_and_can_be_ended(
    school: School, browser: TestClient
) -> None:
    person = await school.person(name="Tom Teach")
    cookie, _ = await launched(school, person)
    await grant(school, person)

    shown = browser.get(PAGE, headers=cookied(cookie))

    assert "It is connected since" in text_of(shown)
    [address] = [part for part in shown.text.split('"') if "/oauth/disconnect?ticket=" in part]
    assert 403 == browser.post(address, headers={"origin": "https://evil.example"}).status_code


async def test_where_no_account_can_be_connected_nothing_is_offered(
    school: School, browser: TestClient
) -> None:
    nobody, _ = await launched(school, None)

    answer = browser.get(PAGE, headers=cookied(nobody))

    assert 403 == answer.status_code
    assert "Canvas account" not in browser.get("/console", headers=cookied(nobody)).text
