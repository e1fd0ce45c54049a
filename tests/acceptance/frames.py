"""A browser with or without cookies for frames, and the frame that the twin's launches page opens in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import BrowserContext, FrameLocator, Page

from tests.acceptance.launching import Launching

BLOCK_IN_FRAMES: dict[str, Any] = {"profile": {"cookie_controls_mode": 1}}
# As browsers without partitioned cookies do in a frame: the tool's site keeps none at all.
NONE_FOR_THE_TOOL: dict[str, Any] = {
    "profile": {
        "cookie_controls_mode": 1,
        "content_settings": {"exceptions": {"cookies": {"http://localhost,*": {"setting": 2}}}},
    }
}
COOKIES: dict[str, dict[str, Any]] = {
    "with cookies": {},
    "third-party cookies blocked": BLOCK_IN_FRAMES,
    "no cookies for the tool": NONE_FOR_THE_TOOL,
}


@contextmanager
def launched(
    world: Launching, context: BrowserContext, person: str, place: str, tool: int
) -> Iterator[tuple[Page, FrameLocator]]:
    """The twin's launches page, a click on the course or account, and the tool's frame."""
    page = context.new_page()
    user, found = world.cast.people[person], world.cast.courses.get(place)
    kind, context_id = ("course", found.id) if found else ("account", world.cast.accounts[place].id)
    page.goto(f"{world.twin_url}/twin/launches?person={user.id}")
    page.select_option("select[name=tool]", str(tool))
    page.locator(f"button[value='{user.id}:{kind}_{context_id}']").click()
    yield page, page.frame_locator("iframe[name=tool_content]")
    page.close()
