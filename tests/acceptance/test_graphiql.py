"""The page that explores the graph: its example queries, what it lets a browser load, and what it says without a build."""

import re
from pathlib import Path

import httpx
import pytest
from graphql import parse, validate
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from gateway.app import create_app
from gateway.graphiql import Page
from resolvers.schema import schema
from tests.acceptance.conftest import School, settings_for
from tests.acceptance.server_process import ROOT
from tests.acceptance.small_graph import make_graph

EXAMPLES = sorted((ROOT / "scripts/graphiql/examples").glob("*.graphql"))
BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
ELSEWHERE = re.compile(r"https?://")


def page(static: Path, *, token: str = "", query: str = "") -> httpx.Response:
    app = Starlette(routes=[Route("/graphql", Page(demo_token=token, static=static).__call__)])
    with TestClient(app) as client:
        answer: httpx.Response = client.get(f"/graphql{query}")
        return answer


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """The static files as they are where GraphiQL was built."""
    static = unbuilt_in(tmp_path)
    (static / "graphiql").mkdir()
    (static / "graphiql/graphiql.js").touch()
    return static


@pytest.fixture
def unbuilt(tmp_path: Path) -> Path:
    return unbuilt_in(tmp_path)


def unbuilt_in(folder: Path) -> Path:
    for file in (ROOT / "gateway/static").glob("*.*"):
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 5


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_valid_and_says_what_it_shows(path: Path) -> None:
    text = path.read_text()

    assert [] == validate(schema._schema, parse(text))
    assert text.startswith("# ")
    assert path.name in (ROOT / "scripts/graphiql/examples.js").read_text()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_is_answered_on_a_demo_school(school: School, path: Path) -> None:
    query = path.read_text()
    if "subscription" in query:
        query = "{ __typename }"
    answer = httpx.post(
        school.url, json={"query": query}, headers={"authorization": f"Bearer {school.token}"}
    ).json()

    assert "errors" not in answer
    assert None not in answer["data"].values()


def test_the_page_needs_no_credential_and_holds_none(anonymous: TestClient) -> None:
    answer = anonymous.get("/graphql", headers=BROWSER)

    assert 200 == answer.status_code
    assert answer.headers["content-type"].startswith("text/html")
    assert "rst_" not in answer.text.replace("rst_…", "")


def test_a_browser_without_graphiql_is_asked_for_a_credential(anonymous: TestClient) -> None:
    assert 401 == anonymous.get("/graphql", headers={"accept": "*/*"}).status_code


def test_only_a_demo_shows_its_token(built: Path) -> None:
    assert 'name="roster-token" content=""' in page(built).text
    assert 'name="roster-token" content="rst_demo"' in page(built, token="rst_demo").text


def test_the_built_page_may_ask_no_other_host(built: Path) -> None:
    answer = page(built)

    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "connect-src 'self';" in policy
    assert not ELSEWHERE.search(policy + answer.text)
    assert "nosniff" == answer.headers["x-content-type-options"]


def test_without_a_build_the_page_says_so_and_loads_nothing_from_elsewhere(unbuilt: Path) -> None:
    answer = page(unbuilt, token="rst_demo")

    assert "was not built" in answer.text
    assert 'href="/graphql?graphiql=cdn"' in answer.text
    assert not ELSEWHERE.search(answer.headers["content-security-policy"] + answer.text)


def test_only_who_asks_for_it_gets_the_form_from_a_cdn(unbuilt: Path) -> None:
    answer = page(unbuilt, token="rst_demo", query="?graphiql=cdn")

    addresses = re.findall(r'(?:src|href)="(https://[^"]+)" integrity="sha384-[^"]+"', answer.text)
    assert len(addresses) == len(re.findall("https://", answer.text))
    assert all(one.startswith("https://cdn.jsdelivr.net/npm/") for one in addresses)
    assert (
        "script-src 'self' https://cdn.jsdelivr.net;" in answer.headers["content-security-policy"]
    )
    assert "connect-src 'self';" in answer.headers["content-security-policy"]


def test_the_form_from_a_cdn_is_not_offered_where_it_was_built(built: Path) -> None:
    assert "cdn" not in page(built, query="?graphiql=cdn").text


def test_the_settings_can_switch_it_off(tmp_path: Path) -> None:
    settings = settings_for(f"sqlite://{tmp_path / 'roster.db'}")
    off = type(settings)(
        server=type(settings.server)(
            public_url=settings.server.public_url,
            database_url=settings.server.database_url,
            secret_key=settings.server.secret_key,
            graphiql=False,
        )
    )
    with TestClient(create_app(off, make_graph=make_graph)) as client:
        assert 401 == client.get("/graphql", headers=BROWSER).status_code


def test_files_outside_the_static_folder_are_not_served(anonymous: TestClient) -> None:
    assert 200 == anonymous.get("/static/favicon.svg").status_code
    assert 404 == anonymous.get("/static/../graphiql.py").status_code
    assert 404 == anonymous.get("/static/%2e%2e/graphiql.py").status_code


def test_the_lock_files_name_no_address_of_a_registry() -> None:
    for folder in ("scripts/graphiql", "tests/acceptance/node"):
        assert '"resolved"' not in (ROOT / folder / "package-lock.json").read_text()
