"""A real browser opens GraphiQL: runs examples, follows a link in the docs, subscribes, and asks no other host.

`pytest --screenshot` also saves what it saw as docs/graphiql.png.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

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


@pytest.fixture
def page(browser: Browser, school: School) -> Iterator[Page]:
    """An open GraphiQL; nothing that it loads may come from elsewhere, and nothing may be wrong on its console."""
    opened = browser.new_page(viewport={"width": 1440, "height": 900})
    asked, complaints = [school.url], []
    opened.on("request", lambda request: asked.append(request.url))
    opened.on("websocket", lambda socket: asked.append(socket.url))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on(
        "console",
        lambda line: complaints.append(line.text) if line.type in ("error", "warning") else None,
    )
    opened.goto(school.url)
    yield opened
    opened.close()
    hosts = {urlsplit(url).netloc for url in asked if not url.startswith(("data:", "blob:"))}
    assert {urlsplit(school.url).netloc} == hosts
    assert [] == complaints


def run(page: Page) -> None:
    page.get_by_role("button", name="Execute query").click()


def write(page: Page, query: str) -> None:
    editor = page.locator(".graphiql-query-editor .CodeMirror")
    editor.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(query)
    expect(editor).to_contain_text(query.split()[0])


def test_an_example_runs_and_the_docs_are_explored(
    page: Page, request: pytest.FixtureRequest
) -> None:
    answer = page.locator(".result-window")
    expect(page.get_by_role("tab", name="Courses")).to_be_visible()
    run(page)
    expect(answer).to_contain_text('"totalCount": ')
    expect(answer).to_contain_text("Computer Science")

    page.get_by_role("tab", name="ClassList").click()
    run(page)
    expect(answer).to_contain_text('"members"')

    page.get_by_label("Show Documentation Explorer").click()
    docs = page.locator(".graphiql-doc-explorer")
    docs.get_by_role("link", name="Query", exact=True).click()
    docs.get_by_role("link", name="Course", exact=True).first.click()
    expect(docs).to_contain_text("enrollmentCounts")
    if request.config.getoption("--screenshot"):
        page.screenshot(path=SCREENSHOT)


def test_the_explorer_builds_a_query(page: Page) -> None:
    write(page, "query Built { __typename }")
    page.get_by_label("Show GraphiQL Explorer").click()
    explorer = page.locator(".graphiql-explorer-root")
    explorer.get_by_text("viewer", exact=True).click()
    explorer.get_by_text("scopes", exact=True).click()
    run(page)

    expect(page.locator(".result-window")).to_contain_text('"roster:read"')


def test_a_subscription_answers_over_a_websocket(page: Page) -> None:
    write(page, 'subscription { changes(after: "Y2hhbmdlOjA=") { kind } }')
    run(page)

    expect(page.locator(".result-window")).to_contain_text('"BASELINE"')


def test_without_a_token_the_page_says_what_is_missing(page: Page) -> None:
    token = page.get_by_label("Service token")
    expect(token).to_have_value(page.locator('meta[name="roster-token"]').get_attribute("content") or "")
    token.fill("")

    expect(page.get_by_text("nothing is answered without one")).to_be_visible()


def test_the_screenshot_is_where_the_readme_shows_it() -> None:
    assert SCREENSHOT.read_bytes().startswith(b"\x89PNG")
    assert f"docs/{SCREENSHOT.name}" in (ROOT / "README.md").read_text()


