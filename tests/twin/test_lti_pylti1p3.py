"""A client nobody here wrote: pylti1p3 logs in, accepts the launch and pulls the roster, over a socket."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from joserfc.jwk import RSAKey
from pylti1p3.cookie import CookieService
from pylti1p3.exception import LtiException
from pylti1p3.message_launch import MessageLaunch
from pylti1p3.oidc_login import OIDCLogin
from pylti1p3.redirect import Redirect
from pylti1p3.request import Request
from pylti1p3.session import SessionService
from pylti1p3.tool_config import ToolConfDict
from starlette.applications import Starlette

from tests.twin.browser import Form, posted_form
from tests.twin.serving import served
from twin.app import create_twin
from twin.cast import Cast
from twin.options import Options
from twin.records import DeveloperKey
from twin.school import School

ISSUER = "https://canvas.instructure.com"
LAUNCH_URL = "http://127.0.0.1:8000/lti/launch"
CUSTOM = "https://purl.imsglobal.org/spec/lti/claim/custom"


class ToolRequest(Request):  # type: ignore[misc]  # not seen by mypy
    """One form post to the tool, with the tool's session."""

    def __init__(self, fields: dict[str, str], session: dict[str, Any]) -> None:
        self.fields = fields
        self._session = session

    @property
    def session(self) -> dict[str, Any]:
        return self._session

    def get_param(self, key: str) -> str | None:
        return self.fields.get(key)

    def is_secure(self) -> bool:
        return False


class Cookies(CookieService):  # type: ignore[misc]  # not seen by mypy
    def __init__(self, kept: dict[str, str]) -> None:
        self.kept = kept

    def get_cookie(self, name: str) -> str | None:
        return self.kept.get(name)

    def set_cookie(self, name: str, value: str, exp: int | None = 3600) -> None:
        self.kept[name] = value


class Address(Redirect):  # type: ignore[misc]  # not seen by mypy
    """A redirect that is followed by the test's browser."""

    def __init__(self, url: str) -> None:
        self.url = url

    def do_redirect(self) -> str:
        return self.url


class Login(OIDCLogin):  # type: ignore[misc]  # not seen by mypy
    def get_redirect(self, url: str) -> Address:
        return Address(url)


class Launch(MessageLaunch):  # type: ignore[misc]  # not seen by mypy
    def _get_request_param(self, key: str) -> str | None:
        value: str | None = self._request.get_param(key)
        return value


class Tool:
    """What a tool built on pylti1p3 keeps between its two requests."""

    def __init__(self, base_url: str, deployment_id: str, client_id: str, private_key: str) -> None:
        self.session: dict[str, Any] = {}
        self.cookies = Cookies({})
        self.config = ToolConfDict(
            {
                ISSUER: {
                    "client_id": client_id,
                    "auth_login_url": f"{base_url}/api/lti/authorize_redirect",
                    "auth_token_url": f"{base_url}/login/oauth2/token",
                    "key_set_url": f"{base_url}/api/lti/security/jwks",
                    "deployment_ids": [deployment_id],
                }
            }
        )
        self.config.set_private_key(ISSUER, private_key)

    def login(self, fields: dict[str, str]) -> str:
        request = ToolRequest(fields, self.session)
        login = Login(request, self.config, SessionService(request), self.cookies)
        url: str = login.redirect(LAUNCH_URL)
        return url

    def launch(self, fields: dict[str, str]) -> Launch:
        request = ToolRequest(fields, self.session)
        launch = Launch(request, self.config, SessionService(request), self.cookies)
        launch.validate()
        return launch


@pytest.fixture(scope="module")
def app() -> Starlette:
    return create_twin(
        Options(courses=14, users=400, big=400, enrollments=1500, min_open_seconds=0.0)
    )


@pytest.fixture(scope="module")
def base_url(app: Starlette) -> Iterator[str]:
    with served(app) as url:
        app.state.school.options = replace(app.state.options, public_url=url)
        yield url


@pytest.fixture
def tool(app: Starlette, base_url: str) -> Tool:
    school: School = app.state.school
    key: DeveloperKey = school.developer_keys[10_000_000_000_002]
    pair = RSAKey.generate_key(2048)
    school.update(key, public_jwk=pair.as_dict(private=False), public_jwk_url=None)
    installed = app.state.lti.tools[1]
    pem = pair.as_pem(private=True).decode()
    return Tool(base_url, installed.deployment_id, str(key.id), pem)


@pytest.fixture
def browser(base_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=base_url, follow_redirects=True) as client:
        yield client


def launched_by(app: Starlette, browser: httpx.Client, tool: Tool, person: str) -> Form:
    """Through the launches page, the tool's login and Canvas: what is posted to the tool at last."""
    cast: Cast = app.state.cast
    user, course = cast.people[person], cast.courses["demo"]
    page = browser.post(
        "/twin/launches", data={"launch": f"{user.id}:course_{course.id}", "tool": "1"}
    )
    return posted_form(browser.get(tool.login(posted_form(page.text).fields)).text)


def test_accepts_a_launch(app: Starlette, browser: httpx.Client, tool: Tool) -> None:
    launch = tool.launch(launched_by(app, browser, tool, "ta").fields)

    data = launch.get_launch_data()
    assert data["sub"] == app.state.cast.people["ta"].lti_id
    assert data[CUSTOM]["canvas_user_login_id"] == "tassad"
    assert launch.is_resource_launch()
    assert launch.has_nrps()
    assert launch.check_teaching_assistant_access()


def test_refuses_the_launch_of_another_deployment(
    app: Starlette, browser: httpx.Client, tool: Tool
) -> None:
    tool.config._config[ISSUER]["deployment_ids"] = ["1:somewhere else"]
    fields = launched_by(app, browser, tool, "student").fields

    with pytest.raises(LtiException, match="deployment"):
        tool.launch(fields)


@pytest.mark.parametrize("with_message", [False, True])
def test_pulls_a_whole_roster(
    app: Starlette, browser: httpx.Client, tool: Tool, base_url: str, *, with_message: bool
) -> None:
    school: School = app.state.school
    big = max(school.courses.values(), key=lambda c: len(school.enrollments_of_course.of(c.id)))
    launch = tool.launch(launched_by(app, browser, tool, "teacher").fields)
    roster = launch.get_nrps()
    roster._service_data["context_memberships_url"] = urljoin(
        base_url, f"/api/lti/courses/{big.id}/names_and_roles"
    )

    members = roster.get_members(big.lti_context_id if with_message else None)

    expected = {
        school.users[row.user_id].lti_id
        for row in school.enrollments_of_course.of(big.id)
        if row.workflow_state == "active"
    }
    assert len(expected) > 100
    assert {member["user_id"] for member in members} == expected
    assert len(members) == len(expected)
    assert all(("message" in member) == with_message for member in members)
