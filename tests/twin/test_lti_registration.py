"""Dynamic registration, from the page an administrator opens to the first launch (fact sheet lti-launch.md §8)."""

import copy
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.twin.browser import opened
from tests.twin.conftest import MakeTwin, Twin
from twin.lti.configuration import privacy_level
from twin.lti.registration import registration_url
from twin.scopes import NRPS

CONFIGURATION = "https://purl.imsglobal.org/spec/lti-tool-configuration"
CANVAS = "https://canvas.instructure.com/lti/"
TOOL = "https://roster.example.edu"
REQUEST: dict[str, Any] = {
    "application_type": "web",
    "client_name": "Roster Gateway",
    "client_uri": TOOL,
    "grant_types": ["client_credentials", "implicit"],
    "response_types": ["id_token"],
    "initiate_login_uri": f"{TOOL}/lti/login",
    "redirect_uris": [f"{TOOL}/lti/launch", f"{TOOL}/lti/launch/account"],
    "jwks_uri": f"{TOOL}/.well-known/jwks.json",
    "token_endpoint_auth_method": "private_key_jwt",
    "scope": NRPS,
    CONFIGURATION: {
        "domain": "roster.example.edu",
        "target_link_uri": f"{TOOL}/lti/launch",
        "claims": ["iss", "sub", "name", "email"],
        "custom_parameters": {"canvas_user_id": "$Canvas.user.id"},
        f"{CANVAS}privacy_level": "name_only",
        "messages": [
            {
                "type": "LtiResourceLinkRequest",
                "label": "Roster",
                "target_link_uri": f"{TOOL}/lti/launch?from=course",
                "placements": ["course_navigation"],
                "custom_parameters": {"from": "course"},
                f"{CANVAS}visibility": "admins",
            },
            {
                "type": "LtiResourceLinkRequest",
                "placements": [f"{CANVAS}account_navigation", "RichTextEditor"],
            },
            {"type": "LtiResourceLinkRequest"},
        ],
    },
}


class Opened:
    """The registration page of a tool, as Canvas opened it."""

    def __init__(self, twin: Twin) -> None:
        url = registration_url(twin.app.state.lti, f"{TOOL}/lti/register?x=1")
        self.query = {name: v[0] for name, v in parse_qs(urlsplit(url).query).items()}
        self.twin = twin
        self.bearer = {"Authorization": f"Bearer {self.query['registration_token']}"}

    async def configuration(self) -> httpx.Response:
        return await self.twin.client.get(self.query["openid_configuration"])

    async def register(self, body: Any, **headers: str) -> httpx.Response:
        return await self.twin.client.post(
            "/api/lti/registrations", json=body, headers={**self.bearer, **headers}
        )


def changed(**changes: Any) -> dict[str, Any]:
    return {name: v for name, v in {**REQUEST, **changes}.items() if v is not None}


def tool_changed(**changes: Any) -> dict[str, Any]:
    tool = {name: v for name, v in {**REQUEST[CONFIGURATION], **changes}.items() if v is not None}
    return changed(**{CONFIGURATION: tool})


async def test_openid_configuration(twin: Twin) -> None:
    page = Opened(twin)

    assert page.query["x"] == "1"
    assert "registration_token=" in page.query["openid_configuration"]
    body = (await page.configuration()).json()
    platform = body.pop("https://purl.imsglobal.org/spec/lti-platform-configuration")
    assert body.pop("scopes_supported")[0] == "openid"
    assert "email" in body.pop("claims_supported")
    assert body == {
        "issuer": "https://canvas.instructure.com",
        "authorization_endpoint": "http://canvas.test/api/lti/authorize_redirect",
        "registration_endpoint": "http://canvas.test/api/lti/registrations",
        "jwks_uri": "http://canvas.test/api/lti/security/jwks",
        "token_endpoint": "http://canvas.test/login/oauth2/token",
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["id_token"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "subject_types_supported": ["public"],
        "authorization_server": "canvas.test",
    }
    assert platform["product_family_code"] == "canvas"
    assert platform[f"{CANVAS}account_lti_guid"] == twin.school.root.lti_guid
    assert "Canvas.course.sectionIds" in platform["variables"]


async def test_registration_answers_with_a_client_id_and_no_deployment(twin: Twin) -> None:
    response = await Opened(twin).register(REQUEST)

    assert response.status_code == 200
    body = response.json()
    assert body["client_id"] == "10000000000100"
    assert f"{CANVAS}registration_config_url" in body[CONFIGURATION]
    assert "deployment_id" not in response.text
    assert body["redirect_uris"] == REQUEST["redirect_uris"]


async def test_key_is_off_until_an_administrator_says_yes(twin: Twin) -> None:
    await Opened(twin).register(REQUEST)
    key = twin.school.developer_keys[10_000_000_000_100]
    platform = twin.app.state.lti
    assert (key.on, len(platform.tools)) == (False, 2)

    page = await twin.client.get("/twin/registrations")
    assert "Enable" in page.text
    await twin.client.post("/twin/registrations/100")
    await twin.client.post("/twin/registrations/100")

    tool = platform.tools[3]
    assert (key.on, len(platform.tools)) == (True, 3)
    assert (key.scopes, key.require_scopes) == ((NRPS,), True)
    assert tool.privacy_level == "name_only"
    assert set(tool.placements) == {
        "course_navigation",
        "account_navigation",
        "editor_button",
        "link_selection",
    }
    form = await opened(twin, twin.cast.people["teacher"], twin.cast.courses["demo"], tool)
    assert form.action == f"{TOOL}/lti/login"
    assert form.fields["target_link_uri"] == f"{TOOL}/lti/launch?from=course"
    assert form.fields["deployment_id"] == f"3:{twin.school.root.lti_context_id}"


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (changed(application_type="native"), "application_type is invalid"),
        (changed(grant_types=["implicit"]), "grant_types is invalid"),
        (changed(response_types=["code"]), "response_types is invalid"),
        (changed(token_endpoint_auth_method="none"), "token_endpoint_auth_method is invalid"),
        (changed(redirect_uris=None), "redirect_uris is missing"),
        (changed(initiate_login_uri=None), "initiate_login_uri is missing"),
        (changed(client_name=None), "client_name is missing"),
        (changed(jwks_uri=None), "jwks_uri is missing"),
        (changed(scope=None), "scope is missing"),
        (changed(scope=f"{NRPS} sing"), "scope sing is unknown"),
        (changed(**{CONFIGURATION: None}), f"{CONFIGURATION} is missing"),
        (tool_changed(domain=None), "domain is missing"),
        (tool_changed(target_link_uri=None), "target_link_uri is missing"),
        (tool_changed(messages=None), "messages is missing"),
        (tool_changed(claims=None), "claims is missing"),
        (tool_changed(messages=["course_navigation"]), "messages is invalid"),
    ],
)
async def test_refused_registration(twin: Twin, body: dict[str, Any], fault: str) -> None:
    response = await Opened(twin).register(body)

    assert response.status_code == 422
    assert {"message": fault} in response.json()["errors"]
    assert twin.app.state.lti.registrations == {}


async def test_token_is_wanted_everywhere_and_lives_an_hour(twin: Twin) -> None:
    page = Opened(twin)
    stranger = {"Authorization": "Bearer a.b.c"}

    assert (await page.register(REQUEST, **stranger)).status_code == 401
    bare = await twin.client.get("/api/lti/security/openid-configuration")
    assert bare.status_code == 401
    assert (await page.register([])).status_code == 400
    twin.clock.advance(timedelta(hours=1))
    assert (await page.configuration()).status_code == 401
    assert (await page.register(REQUEST)).status_code == 401


async def test_message_hint_is_no_registration_token(twin: Twin) -> None:
    tool = twin.app.state.lti.tools[1]
    form = await opened(twin, twin.cast.people["admin"], twin.school.root, tool)
    hint = {"Authorization": f"Bearer {form.fields['lti_message_hint']}"}

    assert (await Opened(twin).register(REQUEST, **hint)).status_code == 401


@pytest.mark.parametrize(
    ("claims", "level"),
    [
        (["sub", "picture"], "public"),
        (["name", "email"], "public"),
        (["given_name"], "name_only"),
        (["https://purl.imsglobal.org/spec/lti/claim/lis"], "name_only"),
        (["email"], "email_only"),
        (["iss", "sub", "locale"], "anonymous"),
    ],
)
def test_privacy_level_is_inferred_from_the_claims(claims: list[str], level: str) -> None:
    body = copy.deepcopy(REQUEST)
    del body[CONFIGURATION][f"{CANVAS}privacy_level"]
    body[CONFIGURATION]["claims"] = claims

    assert privacy_level(body) == level


async def test_administrator_opens_the_tools_page_in_a_frame(make_twin: MakeTwin) -> None:
    twin = make_twin(lti_issuer="http://canvas.test")

    page = await twin.client.get(
        "/api/lti/register", params={"registration_url": f"{TOOL}/lti/register"}
    )

    assert f'src="{TOOL}/lti/register?openid_configuration=http%3A%2F%2Fcanvas.test' in page.text
    odd = await twin.client.get("/api/lti/register", params={"registration_url": "javascript:1"})
    assert odd.status_code == 400
    body = (await Opened(twin).configuration()).json()
    assert body["issuer"] == "http://canvas.test"
