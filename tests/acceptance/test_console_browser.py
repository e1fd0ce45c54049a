"""The console in a platform's frame, by a real browser: a class after a launch, an operator's desk, a stranger's page.

`pytest --screenshot` also saves the class as docs/console.png.
"""

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from playwright.sync_api import Playwright, expect

from gateway.settings import UnmatchedLaunch
from tests.acceptance.conftest import Open
from tests.acceptance.frames import COOKIES, NONE_FOR_THE_TOOL, launched
from tests.acceptance.launching import Launching, launching
from tests.acceptance.server_process import ROOT

SCREENSHOT = ROOT / "docs/console.png"

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, playwright: Playwright) -> Iterator[Launching]:
    """A school whose report was loaded, and no product of anybody's: launches lead to the console."""
    with launching(tmp_path_factory.mktemp("console"), with_report=True) as made:
        yield made


@pytest.fixture(scope="module")
def strange(
    tmp_path_factory: pytest.TempPathFactory, playwright: Playwright
) -> Iterator[Launching]:
    """A gateway that knows nobody yet, and asks."""
    folder = tmp_path_factory.mktemp("strange")
    with launching(folder, unmatched_launch=UnmatchedLaunch.ASK) as made:
        yield made


@pytest.mark.parametrize("preferences", COOKIES.values(), ids=COOKIES)
def test_a_teacher_sees_the_class_and_comes_back_to_it(
    world: Launching,
    open_browser: Open,
    preferences: dict[str, Any],
    request: pytest.FixtureRequest,
) -> None:
    teacher, course = "teacher", world.cast.courses["demo"]
    student = world.cast.people["student"].sortable_name
    with launched(world, open_browser(preferences), teacher, "demo", 1) as (page, frame):
        complaints: list[str] = []
        page.on("console", lambda line: complaints.append(line.text))
        expect(frame.locator("h1")).to_have_text(course.name)
        expect(frame.locator("#freshness")).to_contain_text(
            "a file that an administrator sent, read just now"
        )
        row = frame.locator("#class tr", has_text=student)
        expect(row).to_contain_text("Student")
        expect(frame.locator("#class tbody tr").nth(5)).to_be_visible()
        if request.config.getoption("--screenshot") and preferences is not NONE_FOR_THE_TOOL:
            page.screenshot(path=SCREENSHOT)

        if preferences is NONE_FOR_THE_TOOL:
            frame.get_by_role("button", name="Roster").click()
        else:
            frame.get_by_role("link", name="Roster").click()
        expect(frame.locator("#class tr", has_text=student)).to_be_visible()
        assert not [line for line in complaints if "Content Security Policy" in line]

        frame.get_by_role("button", name="Leave").click()
        expect(frame.locator("main")).to_contain_text("You have left.")


def test_a_student_sees_what_a_student_may_and_is_told_so(
    world: Launching, open_browser: Open
) -> None:
    with launched(world, open_browser({}), "student", "demo", 1) as (_, frame):
        student = world.cast.people["student"]
        expect(frame.locator("h1")).to_have_text(world.cast.courses["demo"].name)
        expect(frame.locator("#class tbody tr")).to_have_count(1)
        expect(frame.locator("#class tbody tr")).to_contain_text(student.sortable_name)
        expect(frame.locator(".gaps")).to_be_visible()
        expect(frame.locator("nav")).not_to_contain_text("Identity desk")


@pytest.mark.parametrize("preferences", COOKIES.values(), ids=COOKIES)
def test_the_schools_administrator_makes_a_token(
    world: Launching, open_browser: Open, preferences: dict[str, Any]
) -> None:
    role: Literal["button", "link"] = "button" if preferences is NONE_FOR_THE_TOOL else "link"
    with launched(world, open_browser(preferences), "admin", "root", 1) as (_, frame):
        frame.locator("nav").get_by_role(role, name="Connections").click()
        expect(frame.locator("#configured")).to_contain_text(world.twin_url)
        frame.locator("nav").get_by_role(role, name="Identity desk").click()
        expect(frame.locator("main")).to_contain_text("Nothing waits here.")
        frame.locator("nav").get_by_role(role, name="Tokens").click()
        frame.get_by_label("What it is for").fill("GraphiQL")
        frame.get_by_role("button", name="Make it").click()
        expect(frame.locator("#made pre")).to_contain_text("rst_")


def test_a_stranger_is_asked_and_sees_the_class_once_they_agree(
    strange: Launching, open_browser: Open
) -> None:
    with launched(strange, open_browser(NONE_FOR_THE_TOOL), "teacher", "demo", 1) as (_, frame):
        expect(frame.locator("h1")).to_have_text("Who are you?")
        frame.get_by_role("checkbox").check()
        frame.get_by_role("button", name="Make an account").click()

        expect(frame.locator("h1")).to_have_text(strange.cast.courses["demo"].name)
        teacher = strange.cast.people["teacher"]
        expect(frame.locator("#class")).to_contain_text(teacher.sortable_name)
