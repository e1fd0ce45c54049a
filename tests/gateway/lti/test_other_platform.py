"""A platform nobody here wrote: `lti1p3platform` logs in at the tool, and signs what it launches."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from lti1p3platform.ltiplatform import LTI1P3PlatformConfAbstract
from lti1p3platform.message_launch import LTIAdvantageMessageLaunchAbstract
from lti1p3platform.oidc_login import OIDCLoginAbstract
from lti1p3platform.registration import Registration
from lti1p3platform.request import Request

from gateway.uow import Database
from tests.gateway.lti import platform
from tests.gateway.lti.conftest import Clock, Tool, registration, school, settings_of, tool_for
from tests.gateway.lti.platform import INSTRUCTOR, KEY, LEARNER

ISSUER = "https://open.example.org"


class Platform(LTI1P3PlatformConfAbstract):  # type: ignore[misc]  # not seen by mypy
    """It keeps one registration: ours."""

    def init_platform_config(self, **_: Any) -> None:
        self._registration = (
            Registration()
            .set_iss(ISSUER)
            .set_client_id("tool-7")
            .set_deployment_id("d-1")
            .set_launch_url(f"{platform.PUBLIC_URL}/lti/launch")
            .set_oidc_login_url(f"{platform.PUBLIC_URL}/lti/login")
            .set_platform_public_key(KEY.as_pem(private=False).decode())
            .set_platform_private_key(KEY.as_pem(private=True).decode())
        )

    def get_registration_by_params(self, **_: Any) -> Registration:
        return self._registration

    async def fetch(self, _url: str) -> tuple[bytes, timedelta | None]:
        """Its key set, for the tool."""
        return orjson.dumps(self.get_jwks()), None


class Login(OIDCLoginAbstract):  # type: ignore[misc]  # not seen by mypy
    def set_lti_message_hint(self, **hint: Any) -> None:
        self._lti_message_hint = hint["hint"]

    def get_redirect(self, url: str) -> str:
        return url


class Asked(Request):  # type: ignore[misc]  # not seen by mypy
    """What the tool asked of the platform's authorization endpoint."""

    def build_metadata(self, request: dict[str, str]) -> dict[str, Any]:
        return {"method": "GET", "form_data": {}, "get_data": request}


class Launch(LTIAdvantageMessageLaunchAbstract):  # type: ignore[misc]  # not seen by mypy
    def render_launch_form(self, launch_data: dict[str, Any], **_: Any) -> dict[str, Any]:
        return launch_data


@pytest.fixture
def clock() -> Clock:
    """It signs by the clock on the wall."""
    return Clock(datetime.now(UTC))  # noqa: TID251  the library knows no other


@pytest.fixture
async def other_tool(database: Database, clock: Clock) -> Tool:
    other = registration(
        issuer=ISSUER,
        client_id="tool-7",
        deployment_ids=("d-1",),
        auth_url=f"{ISSUER}/auth",
        token_url=f"{ISSUER}/token",
        jwks_url=f"{ISSUER}/jwks",
    )
    settings = settings_of(school(canvas_url=None, lti13=(other,), lti11=()))
    return await tool_for(database, clock, Platform(), settings)


@pytest.mark.parametrize(
    ("role", "types"), [(INSTRUCTOR, "TEACHER"), (LEARNER, "STUDENT"), ("Learner", "STUDENT")]
)
async def test_its_launch_is_let_in(other_tool: Tool, role: str, types: str) -> None:
    other = other_tool.platform
    login = Login(None, other)
    login.set_lti_message_hint(hint="resource 7")
    async with other_tool.browser() as browser:
        begun = await browser.client.get(login.initiate_login("user-1"))
        assert begun.status_code == 302, begun.text
        launch = Launch(Asked(dict(begun.next_request.url.params)), other)  # type: ignore[union-attr]  # a redirect
        launch.set_user_data("user-1", [role], full_name="Ada Open", email_address="a@open.example")
        launch.set_resource_link_claim("link-1", title="Week 1")
        launch.set_launch_context_claim(
            "course-9", [f"{platform.V2}/course#CourseOffering"], "Maths"
        )
        launch.set_nrps(f"{ISSUER}/courses/9/members")
        form = launch.lti_launch()
        answer = await browser.post(id_token=form["id_token"], state=form["state"])

    assert 303 == answer.status_code, answer.text
    assert form["launch_url"].endswith("/lti/launch")
    [session] = await other_tool.sessions()
    assert types == session["types"]
    assert ["Ada Open"] == [row["name"] for row in await other_tool.rows("person")]
    [context] = await other_tool.rows("lti_context")
    assert f"{ISSUER}/courses/9/members" == context["memberships_url"]


async def test_its_launch_for_another_deployment_is_refused(other_tool: Tool) -> None:
    other = other_tool.platform
    login = Login(None, other)
    login.set_lti_message_hint(hint="resource 7")
    async with other_tool.browser() as browser:
        begun = await browser.client.get(login.initiate_login("user-1"))
        other.get_registration().set_deployment_id("d-2")  # type: ignore[attr-defined]  # the library's
        launch = Launch(Asked(dict(begun.next_request.url.params)), other)  # type: ignore[union-attr]  # a redirect
        launch.set_user_data("user-1", [LEARNER])
        launch.set_resource_link_claim("link-1")
        form = launch.lti_launch()
        answer = await browser.post(id_token=form["id_token"], state=form["state"])

    assert 400 == answer.status_code
    assert "<pre>deployment_id ·" in answer.text
    assert [] == await other_tool.sessions()
