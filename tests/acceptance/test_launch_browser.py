"""A real browser is launched in a frame: platform, tool and product on three sites, with and without cookies for frames.

The screenshot of each launch stays in pytest's folder; `pytest --screenshot` also saves one as docs/launch.png.
"""

import re
import shutil
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import (
    Playwright,
    expect,
)

from tests.acceptance.conftest import Open
from tests.acceptance.frames import BLOCK_IN_FRAMES, COOKIES, NONE_FOR_THE_TOOL, launched
from tests.acceptance.launching import Launching, launching, opened
from tests.acceptance.server_process import ROOT
from tests.twin.browser import posted_form

SCREENSHOT = ROOT / "docs/launch.png"

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, playwright: Playwright) -> Iterator[Launching]:
    """Playwright first: what it runs in the main thread would else be in the way of the servers' loops."""
    folder = tmp_path_factory.mktemp("launching")
    with launching(folder, with_notebook=True, with_report=True) as made:
        yield made


@pytest.mark.parametrize("tool", [1, 2], ids=["1.3", "1.1"])
@pytest.mark.parametrize("preferences", COOKIES.values(), ids=COOKIES)
def test_a_teachers_class_is_on_the_screen_of_the_product(
    world: Launching,
    open_browser: Open,
    preferences: dict[str, Any],
    tool: int,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    context = open_browser(preferences)

    with launched(world, context, "teacher", "demo", tool) as (page, frame):
        teacher, course = world.cast.people["teacher"], world.cast.courses["demo"]
        expect(frame.locator("h1")).to_have_text(f"{teacher.name} in {course.name}")
        expect(frame.get_by_text(f"{world.cast.people['student'].name} (")).to_be_visible()
        expect(frame.locator("li").nth(5)).to_be_visible()
        page.screenshot(path=tmp_path / "launch.png")
        if request.config.getoption("--screenshot") and preferences is BLOCK_IN_FRAMES:
            shutil.copy(tmp_path / "launch.png", SCREENSHOT)
        kept = {cookie["name"] for cookie in context.cookies(world.gateway_url)}
        if preferences is NONE_FOR_THE_TOOL:
            assert not kept
        else:
            assert "__Host-roster_session" in kept
        assert page.url.startswith(world.twin_url)


@pytest.mark.parametrize("preferences", COOKIES.values(), ids=COOKIES)
def test_a_victims_browser_is_not_logged_in_as_somebody_else(
    world: Launching, open_browser: Open, preferences: dict[str, Any]
) -> None:
    """A launch that its attacker began, posted by a page that the victim opened."""
    with httpx.Client() as attacker:
        form = opened(world, attacker, "student", "demo", 1)
        page = attacker.post(form.action, data=form.fields).text
        [url] = re.findall(r"data-next='([^']*)'", page)
        posted = posted_form(attacker.get(unescape(url), follow_redirects=True).text)
    fields = "".join(f'<input name="{n}" value="{v}">' for n, v in posted.fields.items())
    context = open_browser(preferences)
    victim = context.new_page()

    victim.goto(world.notebook_url)
    victim.set_content(f'<form method="post" action="{posted.action}">{fields}</form>')
    victim.evaluate("document.forms[0].submit()")

    expect(victim.locator("pre")).to_contain_text("browser ·")
    assert not [c for c in context.cookies() if "roster_session" in c.get("name", "")]
