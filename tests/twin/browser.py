"""A browser as far as launches need one: forms that post themselves, and the cookies of each host."""

from dataclasses import dataclass
from html.parser import HTMLParser

import httpx

from tests.twin.conftest import Twin
from twin.lti.tools import Tool
from twin.records import Account, Course, User


@dataclass
class Form:
    action: str
    fields: dict[str, str]


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form" and values.get("id") == "posted":
            self.found.append(Form(values["action"], {}))
        elif tag == "input" and self.found:
            self.found[-1].fields[values["name"]] = values.get("value", "")


def posted_form(page: str) -> Form:
    """The form that the page posts by itself."""
    forms = _Forms()
    forms.feed(page)
    (form,) = forms.found
    return form


def tool13(twin: Twin) -> Tool:
    tool: Tool = twin.app.state.lti.tools[1]
    return tool


def tool11(twin: Twin) -> Tool:
    tool: Tool = twin.app.state.lti.tools[2]
    return tool


async def log_in(
    twin: Twin, user: User, context: Course | Account, tool: Tool, **fields: str
) -> httpx.Response:
    """The button of the launches page: a session as the person, and on to the tool's page."""
    kind = "course" if isinstance(context, Course) else "account"
    data = {"launch": f"{user.id}:{kind}_{context.id}", "tool": str(tool.id), **fields}
    return await twin.client.post("/twin/launches", data=data, follow_redirects=True)


async def opened(
    twin: Twin, user: User, context: Course | Account, tool: Tool, **fields: str
) -> Form:
    """What the tool's frame is sent when the person opens the tool."""
    page = await log_in(twin, user, context, tool, **fields)
    assert page.status_code == 200, page.text
    return posted_form(page.text)


REDIRECT_URI = "http://127.0.0.1:8000/lti/launch"


def authentication_request(initiation: Form, **changes: str | None) -> dict[str, str]:
    """What a tool sends to the authorization endpoint after this login initiation."""
    wanted: dict[str, str | None] = {
        "scope": "openid",
        "response_type": "id_token",
        "response_mode": "form_post",
        "prompt": "none",
        "client_id": initiation.fields["client_id"],
        "redirect_uri": REDIRECT_URI,
        "state": "state-1",
        "nonce": "nonce-1",
        "login_hint": initiation.fields["login_hint"],
        "lti_message_hint": initiation.fields["lti_message_hint"],
    }
    return {name: value for name, value in {**wanted, **changes}.items() if value is not None}


async def authorized(twin: Twin, initiation: Form, **changes: str | None) -> httpx.Response:
    """The page with which Canvas answers an authentication request."""
    return await twin.client.get(
        "/api/lti/authorize_redirect",
        params=authentication_request(initiation, **changes),
        follow_redirects=True,
    )
