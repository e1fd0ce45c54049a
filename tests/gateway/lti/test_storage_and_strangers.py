"""The state by the platform's storage, where a browser keeps no cookie; and launches held for somebody unknown."""

import re
from html import unescape

import httpx
import pytest

from gateway.errors import LaunchRefused
from gateway.settings import UnmatchedLaunch
from gateway.uow import Database
from tests.gateway.lti import platform
from tests.gateway.lti.conftest import (
    Clock,
    Person,
    Tool,
    initiation,
    school,
    settings_of,
    tool_for,
)
from tests.gateway.lti.platform import LTI, Platform, course_claims, signed

FRAME = "post_message_forwarding"
OWN = {"origin": platform.PUBLIC_URL}


def data(page: str) -> dict[str, str]:
    """What the page's script is told."""
    return {name: unescape(value) for name, value in re.findall(r"data-(\w+)='([^']*)'", page)}


def hidden(page: str) -> dict[str, str]:
    found = re.findall(r"<input type='hidden' name='([^']*)' value='([^']*)'>", page)
    return {name: unescape(value) for name, value in found}


async def begun(person: Person) -> dict[str, str]:
    page = await person.client.get("/lti/login", params=initiation(lti_storage_target=FRAME))
    assert 200 == page.status_code
    person.client.cookies.clear()  # the browser keeps none
    return data(page.text)


async def posted(person: Person, told: dict[str, str]) -> httpx.Response:
    """The platform's answer to the login, which our page is the answer to."""
    nonce = httpx.URL(told["next"]).params["nonce"]
    token = signed(course_claims(person.tool.clock(), nonce))
    return await person.post(id_token=token, state=told["value"])


async def test_the_login_page_gives_the_state_to_the_platform_and_to_no_other_page(
    person: Person,
) -> None:
    told = await begun(person)

    assert ("put", FRAME, "https://sso.canvaslms.com") == (
        told["task"],
        told["target"],
        told["origin"],
    )
    assert f"state_{told['value']}" == told["key"]
    assert told["next"].startswith(platform.AUTH_URL)


async def test_a_launch_without_a_cookie_asks_the_storage_and_shows_nothing_yet(
    tool: Tool, person: Person
) -> None:
    page = await posted(person, await begun(person))

    assert 200 == page.status_code
    assert "get" == data(page.text)["task"]
    assert "O'Neil" not in page.text
    assert "set-cookie" not in page.headers or "roster_session" not in page.headers["set-cookie"]
    assert [] == await tool.sessions()


async def test_what_the_storage_says_lets_the_launch_in(tool: Tool, person: Person) -> None:
    told = await begun(person)
    fields = hidden((await posted(person, told)).text)

    answer = await person.client.post(
        "/lti/launch", data={**fields, "storage_state": told["value"]}, headers=OWN
    )

    assert 303 == answer.status_code, answer.text
    assert 1 == len(await tool.sessions())


@pytest.mark.parametrize(
    ("said", "origin"),
    [
        pytest.param("", platform.PUBLIC_URL, id="storage is empty"),
        pytest.param("another", platform.PUBLIC_URL, id="another state"),
        pytest.param(None, "https://evil.example.org", id="posted by another site"),
        pytest.param(None, "null", id="posted by a sandboxed page"),
        pytest.param(None, None, id="posted without an origin"),
    ],
)
async def test_nothing_else_lets_it_in(
    tool: Tool, person: Person, said: str | None, origin: str | None
) -> None:
    told = await begun(person)
    fields = hidden((await posted(person, told)).text)

    answer = await person.client.post(
        "/lti/launch",
        data={**fields, "storage_state": told["value"] if said is None else said},
        headers={"origin": origin} if origin else {},
    )

    assert 403 == answer.status_code
    assert "<pre>browser ·" in answer.text
    assert [] == await tool.sessions()


async def test_pages_run_no_script_but_ours(person: Person) -> None:
    page = await person.client.get("/lti/login", params=initiation(lti_storage_target=FRAME))

    policy = page.headers["content-security-policy"]
    [nonce] = re.findall(r"script-src 'nonce-([^']+)'", policy)
    assert f"<script nonce='{nonce}'" in page.text
    assert "default-src 'none'" in policy
    assert "x-frame-options" not in page.headers


async def test_a_storage_target_is_text_in_the_page(person: Person) -> None:
    hostile = "'><script>alert(1)</script>"

    page = await person.client.get("/lti/login", params=initiation(lti_storage_target=hostile))

    assert hostile not in page.text
    assert "<script>alert" not in page.text


@pytest.fixture
async def asking(database: Database, clock: Clock, canvas: Platform) -> Tool:
    configured = settings_of(school(unmatched_launch=UnmatchedLaunch.ASK))
    return await tool_for(database, clock, canvas, configured)


async def test_somebody_unknown_is_asked_and_let_in_as_somebody_new(asking: Tool) -> None:
    async with asking.browser() as somebody:
        page = await somebody.launch()
    [stranger] = asking.strangers
    assert "Who are you?" == page.text
    assert ("Zoë O'Neil-Núñez", "zoe+lms@school.example.edu") == (stranger.name, stranger.email)
    assert [] == await asking.rows("person") + await asking.sessions()

    handed = await asking.launches.resume(stranger.held, person=None)

    assert handed.url.startswith(f"{platform.PUBLIC_URL}/console?code=")
    assert ["Zoë O'Neil-Núñez"] == [row["name"] for row in await asking.rows("person")]
    assert ["TEACHER"] == [row["types"] for row in await asking.rows("membership")]


async def test_somebody_unknown_is_linked_to_the_account_that_they_proved(asking: Tool) -> None:
    async with asking.browser() as somebody:
        await somebody.launch()
        await asking.launches.resume(asking.strangers[0].held, person=None)
        await somebody.launch(
            **{
                "sub": "another-sub",
                f"{LTI}lti11_legacy_user_id": "",
                f"{LTI}lti1p1": {},
                f"{LTI}custom": {},
                f"{LTI}lis": {},
            }
        )
    [known] = await asking.rows("person")
    stranger = asking.strangers[1]
    assert (known["id"],) == stranger.lookalikes

    await asking.launches.resume(stranger.held, person=known["id"])

    assert [known["id"]] * 2 == [row["person_id"] for row in await asking.sessions()]
    subs = [row["value"] for row in await asking.rows("identity") if row["kind"] == "lti13_sub"]
    assert [platform.SUB, "another-sub"] == subs


async def test_a_held_launch_is_good_for_half_an_hour_and_cannot_be_made_up(asking: Tool) -> None:
    async with asking.browser() as somebody:
        await somebody.launch()
    [stranger] = asking.strangers
    asking.clock.forward(minutes=30)

    for held in (stranger.held, "made up", stranger.held[:-3]):
        with pytest.raises(LaunchRefused, match="open the tool again"):
            await asking.launches.resume(held, person=None)
