"""From Canvas into the graph: launches of both versions by the twin, over sockets, and what the launched person may ask."""

from collections.abc import Iterator
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.acceptance.launching import Launching, launch11, launch13, launching, opened
from tests.twin.browser import posted_form

VIEWER = "{ viewer { user { name identities { kind value } } institution { slug } } }"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Launching]:
    folder = tmp_path_factory.mktemp("launching")
    with launching(folder, with_notebook=True, with_report=True) as made:
        yield made


@pytest.fixture
def browser() -> Iterator[httpx.Client]:
    with httpx.Client() as client:
        yield client


LAUNCHES = pytest.mark.parametrize("launch", [launch13, launch11], ids=["1.3", "1.1"])


@LAUNCHES
@pytest.mark.parametrize(
    ("person", "types"),
    [
        ("teacher", ["TEACHER"]),
        ("ta", ["TA"]),
        ("student", ["STUDENT"]),
        ("designer", ["DESIGNER"]),
        ("observer", ["OBSERVER"]),
    ],
)
def test_everybody_of_a_course_arrives_as_themselves(
    world: Launching, browser: httpx.Client, launch: Any, person: str, types: list[str]
) -> None:
    answer = launch(world, browser, person)

    assert answer.status_code == 303, answer.text
    [code] = parse_qs(urlsplit(answer.headers["location"]).query)["code"]
    exchanged = browser.post(
        f"{world.gateway_url}/session/exchange",
        json={"code": code},
        headers={"origin": world.notebook_url},
    )
    body = exchanged.json()
    assert types == body["viewer"]["types"]
    asked = httpx.post(
        f"{world.gateway_url}/graphql",
        json={"query": VIEWER},
        headers={"authorization": f"Bearer {body['token']}"},
    ).json()
    assert "errors" not in asked
    user = world.cast.people[person]
    assert user.name == asked["data"]["viewer"]["user"]["name"]
    assert "demo" == asked["data"]["viewer"]["institution"]["slug"]


@LAUNCHES
def test_the_cookie_of_a_launch_asks_the_graph(
    world: Launching, browser: httpx.Client, launch: Any
) -> None:
    launch(world, browser, "teacher")

    asked = browser.post(f"{world.gateway_url}/graphql", json={"query": VIEWER})

    assert 200 == asked.status_code, asked.text
    assert world.cast.people["teacher"].name == asked.json()["data"]["viewer"]["user"]["name"]


@LAUNCHES
def test_a_launch_finds_the_person_and_the_course_that_the_report_brought(
    world: Launching, browser: httpx.Client, launch: Any
) -> None:
    """By Canvas id: nobody is there twice, and the class is the report's."""
    launch(world, browser, "teacher")
    teacher, course = world.cast.people["teacher"], world.cast.courses["demo"]
    query = """query ($course: ID!) {
      viewer { user { canvasId } }
      course(by: {canvasId: $course}) {
        name ltiContextId members(first: 500) { nodes { user { canvasId } } }
      }
    }"""
    asking = {"query": query, "variables": {"course": str(course.id)}}

    asked = browser.post(f"{world.gateway_url}/graphql", json=asking).json()

    assert "errors" not in asked
    viewer, found = asked["data"]["viewer"]["user"], asked["data"]["course"]
    assert str(teacher.id) == viewer["canvasId"]
    assert (course.name, course.lti_context_id) == (found["name"], found["ltiContextId"])
    members = [node["user"]["canvasId"] for node in found["members"]["nodes"]]
    assert len(members) == len(set(members)) > 5


def test_an_admin_is_launched_from_an_account(world: Launching, browser: httpx.Client) -> None:
    answer = launch13(world, browser, "admin", "root")

    assert answer.status_code == 303, answer.text
    asked = browser.post(f"{world.gateway_url}/graphql", json={"query": VIEWER}).json()
    assert world.cast.people["admin"].name == asked["data"]["viewer"]["user"]["name"]


def test_an_ended_session_asks_nothing_any_more(world: Launching, browser: httpx.Client) -> None:
    launch13(world, browser, "teacher")
    kept = dict(browser.cookies)

    ended = browser.post(f"{world.gateway_url}/session/end")

    assert 204 == ended.status_code
    again = httpx.post(f"{world.gateway_url}/graphql", json={"query": VIEWER}, cookies=kept)
    assert 401 == again.status_code


def test_a_reloaded_launch_is_refused_by_the_platform_and_by_us(
    world: Launching, browser: httpx.Client
) -> None:
    form = opened(world, browser, "student", "demo", 1)
    del form.fields["lti_storage_target"]
    login = browser.post(form.action, data=form.fields)
    page = browser.get(login.headers["location"], follow_redirects=True).text
    browser.post(posted_form(page).action, data=posted_form(page).fields)

    again = browser.post(posted_form(page).action, data=posted_form(page).fields)
    afresh = browser.post(form.action, data=form.fields)
    refused = posted_form(browser.get(afresh.headers["location"], follow_redirects=True).text)
    shown = browser.post(refused.action, data=refused.fields)

    assert (400, 400) == (again.status_code, shown.status_code)
    assert "<pre>state ·" in again.text
    assert "launch_no_longer_valid" in unescape(shown.text)


def test_another_sites_page_may_not_use_the_session(
    world: Launching, browser: httpx.Client
) -> None:
    launch13(world, browser, "teacher")

    asked = browser.post(
        f"{world.gateway_url}/graphql",
        json={"query": VIEWER},
        headers={"origin": "https://evil.example.org"},
    )

    assert 403 == asked.status_code


def test_the_platform_registers_the_tool_by_itself(world: Launching, browser: httpx.Client) -> None:
    """Refused until the school's administrator turns it on, and until our operator accepts it; said in words."""
    page = browser.get(
        f"{world.twin_url}/api/lti/register",
        params={"registration_url": f"{world.gateway_url}/lti/register"},
    ).text
    source = unescape(page.partition('src="')[2].partition('"')[0])

    answer = browser.get(source)

    assert 200 == answer.status_code, answer.text
    assert "org.imsglobal.lti.close" in answer.text
    lti = world.twin.state.lti
    [(number, registration)] = lti.registrations.items()
    assert str(registration.developer_key_id) in answer.text
    browser.post(f"{world.twin_url}/twin/registrations/{number}")
    tool = max(lti.tools)
    form = opened(world, browser, "teacher", "demo", tool)
    del form.fields["lti_storage_target"]
    login = browser.post(form.action, data=form.fields)
    posted = posted_form(browser.get(login.headers["location"], follow_redirects=True).text)
    launched = browser.post(posted.action, data=posted.fields)
    assert 403 == launched.status_code
    assert lti.tools[tool].deployment_id in launched.text


@pytest.mark.parametrize(
    ("query", "check"),
    [
        ({}, "openid_configuration"),
        ({"openid_configuration": "ftp://x"}, "platform"),
    ],
)
def test_a_registration_that_names_no_platform_is_refused(
    world: Launching, browser: httpx.Client, query: dict[str, str], check: str
) -> None:
    answer = browser.get(f"{world.gateway_url}/lti/register", params=query)

    assert answer.status_code in (400, 502)
    assert f"<pre>{check} ·" in answer.text
    assert "The registration did not work" in answer.text


def test_what_an_administrator_pastes_is_what_the_tool_answers_to(
    world: Launching, browser: httpx.Client
) -> None:
    key = browser.get(f"{world.gateway_url}/lti/config.json").json()

    assert f"{world.gateway_url}/lti/login" == key["oidc_initiation_url"]
    assert 200 == browser.get(key["public_jwk_url"]).status_code
    [extension] = key["extensions"]
    placements = {one["placement"] for one in extension["settings"]["placements"]}
    assert {"course_navigation", "account_navigation"} == placements
    assert "$Canvas.user.globalId" == key["custom_fields"]["canvas_user_global_id"]
    cartridge = browser.get(f"{world.gateway_url}/lti/1.1/config.xml")
    assert cartridge.headers["content-type"].startswith("application/xml")
    assert (
        f"<blti:launch_url>{world.gateway_url}/lti/1.1/launch</blti:launch_url>" in cartridge.text
    )
