"""A real browser opens GraphiQL: runs examples, follows a link in the docs, subscribes, and asks no other host.

`pytest --screenshot` also saves what it saw as docs/graphiql.png.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    expect,
    sync_playwright,
)

from tests.acceptance.conftest import School
from tests.acceptance.server_process import ROOT

BUILD = ROOT / "gateway/static/graphiql/graphiql.js"
SCREENSHOT = ROOT / "docs/graphiql.png"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no Chromium: install it (Debian: apt-get install chromium)")
    if not BUILD.is_file():
        pytest.skip("GraphiQL is not built: run scripts/graphiql/build, or `make test`")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield launched
        launched.close()


@dataclass
class Visit:
    """An open GraphiQL, whose docs are there: what it loaded from where, and what its console complained of."""

    page: Page
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def docs(self) -> Locator:
        return self.page.locator(".graphiql-doc-explorer")

    @property
    def answer(self) -> Locator:
        return self.page.locator(".result-window")

    def heard(self, line: ConsoleMessage) -> None:
        if line.type in ("error", "warning"):
            self.complaints.append(line.text)

    def run(self) -> None:
        self.page.get_by_role("button", name="Execute query").click()

    def write(self, name: str, query: str) -> None:
        """Put `query` into the editor; its tab is called by its name once GraphiQL has read it."""
        self.page.locator(".graphiql-query-editor .CodeMirror").click()
        self.page.keyboard.press("Control+A")
        self.page.keyboard.insert_text(query)
        expect(self.page.get_by_role("tab", name=name)).to_be_visible()


@pytest.fixture
def visit(browser: Browser, school: School) -> Iterator[Visit]:
    """A visit during which nothing came from elsewhere, and nothing was wrong."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    made = Visit(page)
    page.on("request", lambda request: made.asked.append(request.url))
    page.on("websocket", lambda socket: made.asked.append(socket.url))
    page.on("pageerror", lambda error: made.complaints.append(str(error)))
    page.on("console", made.heard)
    page.goto(school.url)
    page.get_by_label("Show Documentation Explorer").click()
    expect(made.docs).to_contain_text("Root Types")
    yield made
    page.close()
    hosts = {urlsplit(url).netloc for url in made.asked if not url.startswith(("data:", "blob:"))}
    assert {urlsplit(school.url).netloc} == hosts
    assert [] == made.complaints


def test_an_example_runs_and_a_link_of_the_docs_is_followed(
    visit: Visit, request: pytest.FixtureRequest
) -> None:
    visit.run()
    expect(visit.answer).to_contain_text('"totalCount": ')
    expect(visit.answer).to_contain_text("Biology 1")

    visit.page.get_by_role("tab", name="ClassList").click()
    visit.run()
    expect(visit.answer).to_contain_text('"members"')

    visit.docs.get_by_role("link", name="Query", exact=True).click()
    visit.docs.get_by_role("link", name="Course", exact=True).first.click()
    expect(visit.docs).to_contain_text("enrollmentCounts")
    if request.config.getoption("--screenshot"):
        visit.page.screenshot(path=SCREENSHOT)


def test_the_explorer_builds_a_query(visit: Visit) -> None:
    visit.write("Built", "query Built { __typename }")
    visit.page.get_by_label("Show GraphiQL Explorer").click()
    explorer = visit.page.locator(".graphiql-explorer-root")
    explorer.get_by_text("viewer", exact=True).click()
    explorer.get_by_text("scopes", exact=True).click()
    visit.run()

    expect(visit.answer).to_contain_text('"roster:read"')


def test_a_subscription_answers_over_a_websocket(visit: Visit) -> None:
    visit.write("Watch", 'subscription Watch { changes(after: "Y2hhbmdlOjA=") { kind } }')
    visit.run()

    expect(visit.answer).to_contain_text('"BASELINE"')
    assert any(url.startswith("ws:") for url in visit.asked)


def test_the_demos_token_is_filled_in_and_without_one_nothing_is_answered(
    visit: Visit, school: School
) -> None:
    token = visit.page.get_by_label("Service token")
    expect(token).to_have_value(school.token)

    token.fill("")
    expect(visit.page.get_by_text("nothing is answered without one")).to_be_visible()
    visit.run()
    expect(visit.answer).to_contain_text("UNAUTHENTICATED")
    assert all("401" in line for line in visit.complaints)
    visit.complaints.clear()
