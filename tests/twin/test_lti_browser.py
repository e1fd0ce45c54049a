"""A launch in Chromium: frames, cookies and platform storage as a browser has them (fact sheet lti-launch.md §7)."""

import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from html import escape
from urllib.parse import urlencode

import pytest
from playwright.async_api import Browser, Frame, Page, async_playwright
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tests.twin.serving import served
from twin.app import create_twin
from twin.options import Options
from twin.records import DeveloperKey

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]

# What a tool does with platform storage: ask the frame that forwards, wait for its answer.
ASK = """
<script>
const origin = %(origin)s, target = window.parent.frames[%(target)s];
function ask(message) {
  return new Promise((resolve) => {
    const message_id = crypto.randomUUID ? crypto.randomUUID() : String(Math.random());
    window.addEventListener("message", function listen(event) {
      if (event.origin !== origin || event.data.message_id !== message_id) return;
      window.removeEventListener("message", listen);
      resolve(event.data);
    });
    target.postMessage({...message, message_id}, origin);
  });
}
%(script)s
</script>
"""


def storage_script(base_url: str, target: str, script: str) -> str:
    return ASK % {"origin": f'"{base_url}"', "target": f'"{target}"', "script": script}


class StorageTool:
    """A tool of another site that trusts platform storage and no cookie."""

    def __init__(self) -> None:
        self.platform = ""
        self.url = ""
        self.app = Starlette(
            routes=[
                Route("/lti/login", self.login, methods=["POST"]),
                Route("/lti/launch", self.launch, methods=["POST"]),
            ]
        )

    async def login(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        query = urlencode(
            {
                "scope": "openid",
                "response_type": "id_token",
                "response_mode": "form_post",
                "prompt": "none",
                "client_id": form["client_id"],
                "redirect_uri": f"{self.url}/lti/launch",
                "state": "the-state",
                "nonce": "the-nonce",
                "login_hint": form["login_hint"],
                "lti_message_hint": form["lti_message_hint"],
            }
        )
        script = f"""
        ask({{subject: "lti.put_data", key: "state_the-state", value: "the-state"}}).then((put) => {{
          if (put.subject === "lti.put_data.response" && put.value === "the-state")
            window.location = "{self.platform}/api/lti/authorize_redirect?{query}";
        }});
        """
        page = HTMLResponse(storage_script(self.platform, form["lti_storage_target"], script))
        page.set_cookie("tool", "third-party", secure=True, samesite="none")
        return page

    async def launch(self, request: Request) -> Response:
        form = {name: str(value) for name, value in (await request.form()).items()}
        script = """
        ask({subject: "lti.get_data", key: "state_the-state"}).then((got) => {
          const found = document.createElement("p");
          found.id = "found";
          found.textContent = JSON.stringify(got.value);
          document.body.append(found);
        });
        """
        cookies = escape(",".join(request.cookies))
        return HTMLResponse(
            f'<body><p id="state">{escape(form["state"])}</p><p id="cookies">{cookies}</p>'
            f'<p id="token">{escape(form.get("id_token", ""))}</p>'
            + storage_script(self.platform, form["lti_storage_target"], script)
        )


@pytest.fixture(scope="module")
def tool() -> StorageTool:
    return StorageTool()


@pytest.fixture(scope="module")
def twin(tool: StorageTool) -> Iterator[Starlette]:
    """A twin on 127.0.0.1 and a tool on localhost, which to a browser is another site."""
    app = create_twin(Options(courses=14, users=60, big=60, enrollments=300, min_open_seconds=0.0))
    with served(app) as platform, served(tool.app) as address:
        tool.platform = platform
        app.state.school.options = replace(app.state.options, public_url=platform)
        settle(app, tool, address.replace("127.0.0.1", "localhost"))
        yield app


def settle(app: Starlette, tool: StorageTool, url: str) -> None:
    """Install the tool at this address."""
    tool.url = url
    installed = app.state.lti.tools[1]
    installed.url, installed.initiation_url = f"{url}/lti/launch", f"{url}/lti/login"
    key: DeveloperKey = app.state.school.developer_keys[installed.developer_key_id]
    app.state.school.update(key, redirect_uris=(installed.url,))


# Frames of two sites share a process here: Playwright now and then loses sight of one that moves.
ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-site-isolation-trials",
]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium without third-party cookies."""
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=[*ARGS, "--test-third-party-cookie-phaseout"]
        )
        yield running
        await running.close()


async def launched(twin: Starlette, tool: StorageTool, page: Page) -> Frame:
    """The tool's frame after a click on the launches page and all that follows by itself."""
    student, demo = twin.state.cast.people["student"], twin.state.cast.courses["demo"]
    await page.goto(f"{tool.platform}/twin/launches?person=zoneil")
    await page.click(f'button[value="{student.id}:course_{demo.id}"]')
    shown = await page.wait_for_selector("iframe.tool")
    frame = await shown.content_frame() if shown else None
    assert frame is not None
    await frame.wait_for_selector("#found", state="attached", timeout=10_000)
    return frame


async def test_launch_with_third_party_cookies_blocked(
    twin: Starlette, tool: StorageTool, browser: Browser
) -> None:
    frame = await launched(twin, tool, await browser.new_page())

    assert await frame.text_content("#found") == '"the-state"'
    assert await frame.text_content("#state") == "the-state"
    assert await frame.text_content("#cookies") == ""
    assert len((await frame.text_content("#token") or "").split(".")) == 3


async def test_cookie_of_a_tool_on_the_same_site_arrives(
    twin: Starlette, tool: StorageTool, browser: Browser
) -> None:
    """The control of the test above: what is blocked there is only what comes from another site."""
    elsewhere = tool.url
    settle(twin, tool, elsewhere.replace("localhost", "127.0.0.1"))
    frame = await launched(twin, tool, await browser.new_page())
    settle(twin, tool, elsewhere)

    assert "tool" in (await frame.text_content("#cookies") or "").split(",")


async def test_messages_of_the_page_and_of_the_forwarder(
    twin: Starlette, tool: StorageTool, browser: Browser
) -> None:
    frame = await launched(twin, tool, await browser.new_page())

    async def ask(message: dict[str, object]) -> dict[str, object]:
        answer: dict[str, object] = await frame.evaluate("(message) => ask(message)", message)
        answer.pop("message_id")
        return answer

    capabilities = await ask({"subject": "lti.capabilities"})
    assert capabilities["subject"] == "lti.capabilities.response"
    listed = capabilities["supported_messages"]
    assert isinstance(listed, list)
    assert {"subject": "lti.get_data", "frame": "post_message_forwarding"} in listed
    assert {"subject": "lti.frameResize"} in listed

    absent = await ask({"subject": "lti.get_data", "key": "nothing"})
    assert absent == {"subject": "lti.get_data.response", "key": "nothing", "value": None}
    deleted = await ask({"subject": "lti.put_data", "key": "state_the-state", "value": None})
    assert deleted == {"subject": "lti.put_data.response", "key": "state_the-state"}
    gone = await ask({"subject": "lti.get_data", "key": "state_the-state"})
    assert gone["value"] is None

    assert (await ask({"subject": "lti.get_data"}))["error"] == {
        "code": "bad_request",
        "message": "Missing required 'key' parameter",
    }
    odd = await ask({"subject": "lti.sing"})
    assert odd["error"] == {"code": "unsupported_subject", "message": "Unsupported subject"}
    too_long = await ask({"subject": "lti.put_data", "key": "k", "value": "x" * 5000})
    assert too_long["error"] == {"code": "storage_exhaustion", "message": "Reached storage limit"}


async def test_what_one_origin_keeps_another_does_not_see(
    twin: Starlette, tool: StorageTool, browser: Browser
) -> None:
    page = await browser.new_page()
    frame = await launched(twin, tool, page)
    stored = await page.evaluate("Object.keys(sessionStorage)")

    assert stored == [f"lti|platform_storage|{tool.url}|state_the-state"]
    own = await page.evaluate(
        """() => new Promise((resolve) => {
          window.addEventListener("message", (event) => {
            if (event.data.message_id === "own") resolve(event.data.value);
          });
          const target = window.frames["post_message_forwarding"];
          const other = document.createElement("iframe");
          other.srcdoc = "<script>onmessage = (e) => parent.postMessage(e.data, '*');" +
            "parent.frames['post_message_forwarding'].postMessage(" +
            "{subject: 'lti.get_data', message_id: 'own', key: 'state_the-state'}, '*');</script>";
          document.body.append(other);
        })"""
    )
    assert own is None
    assert await frame.text_content("#found") == '"the-state"'


async def test_tool_resizes_and_closes_itself(
    twin: Starlette, tool: StorageTool, browser: Browser
) -> None:
    page = await browser.new_page()
    frame = await launched(twin, tool, page)

    await frame.evaluate(
        "window.parent.postMessage({subject: 'lti.frameResize', height: 333}, '*')"
    )
    await page.wait_for_function("document.querySelector('iframe.tool').style.height === '333px'")
    await frame.evaluate("window.parent.postMessage({subject: 'org.imsglobal.lti.close'}, '*')")
    await page.wait_for_selector("text=The tool has closed.")

    assert await page.query_selector("iframe.tool") is None
