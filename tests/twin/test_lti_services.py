"""Service tokens by client_credentials, and every check on the way (fact sheet nrps.md §1 and §8)."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from tests.twin.conftest import MakeTwin, Twin
from tests.twin.tool import ASSERTION_TYPE, CLIENT_ID, FakeTool
from twin.scopes import NRPS


@pytest.fixture
def tool(twin: Twin) -> FakeTool:
    return FakeTool().serve(twin)


def lti_key(twin: Twin) -> Any:
    return twin.school.developer_keys[int(CLIENT_ID)]


async def roster(twin: Twin, token: str | None, **headers: str) -> httpx.Response:
    course = twin.cast.courses["demo"].id
    bearer = {"Authorization": f"Bearer {token}"} if token else {}
    return await twin.client.get(
        f"/api/lti/courses/{course}/names_and_roles", headers={**bearer, **headers}
    )


async def test_answer(twin: Twin, tool: FakeTool) -> None:
    response = await tool.ask(twin)

    body = response.json()
    assert (body["token_type"], body["expires_in"], body["scope"]) == ("Bearer", 3600, NRPS)
    assert {"access_token", "token_type", "expires_in", "scope"} == set(body)
    assert tool.fetched == ["http://127.0.0.1:8000/lti/jwks.json"]
    assert float(response.headers["x-request-cost"]) > 200


async def test_each_request_fetches_the_tools_keys_anew(twin: Twin, tool: FakeTool) -> None:
    await tool.token(twin)
    tool.key = tool.other_key()
    tool.published.append(tool.key)
    await tool.token(twin)

    assert len(tool.fetched) == 2


@pytest.mark.parametrize("missing", ["sub", "iss", "aud", "exp", "iat", "jti"])
async def test_missing_assertion_is_named(twin: Twin, tool: FakeTool, missing: str) -> None:
    changes: dict[str, Any] = {missing: None}
    response = await tool.ask(twin, **changes)

    assert response.status_code == 400
    assert response.json() == {
        "error": "invalid_request",
        "error_description": f"the following assertions are missing: {missing}",
    }


@pytest.mark.parametrize(
    ("changes", "error", "part"),
    [
        ({"aud": "https://sso.canvaslms.com/login/oauth2/token"}, "invalid_request", "'aud'"),
        ({"aud": "http://canvas.test/login/oauth2/token/"}, "invalid_request", "'aud'"),
        ({"exp": 1}, "invalid_request", "expired"),
        ({"iat": "now"}, "invalid_request", "number"),
        ({"scope": "openid"}, "invalid_scope", "A requested scope is invalid"),
        ({"scope": ""}, "invalid_scope", "A requested scope is invalid"),
        ({"scope": f"{NRPS} url:GET|/api/v1/courses"}, "invalid_scope", "url:GET"),
    ],
)
async def test_refused_request(
    twin: Twin, tool: FakeTool, changes: dict[str, Any], error: str, part: str
) -> None:
    response = await tool.ask(twin, **changes)

    assert (response.status_code, response.json()["error"]) == (400, error)
    assert part in response.json()["error_description"]


@pytest.mark.parametrize(("seconds", "status"), [(-301, 400), (-300, 200), (30, 200), (31, 400)])
async def test_clock_of_the_tool(twin: Twin, tool: FakeTool, seconds: int, status: int) -> None:
    now = int(twin.clock.now().timestamp())

    assert (await tool.ask(twin, iat=now + seconds)).status_code == status


async def test_issuer_is_not_compared_and_jti_not_remembered(twin: Twin, tool: FakeTool) -> None:
    assert (await tool.ask(twin, iss="anything", jti="same")).status_code == 200
    assert (await tool.ask(twin, iss="anything", jti="same")).status_code == 200


async def test_unknown_client_and_inactive_key(twin: Twin, tool: FakeTool) -> None:
    unknown = await tool.ask(twin, sub="10000000000077")
    twin.school.update(lti_key(twin), workflow_state="inactive")
    inactive = await tool.ask(twin)

    for response in (unknown, inactive):
        assert response.status_code == 401
        assert response.json() == {
            "error": "invalid_client",
            "error_description": "unknown client",
        }
        assert response.headers["www-authenticate"] == "Canvas OAuth 2.0"


async def test_wrong_key_and_unreachable_keys(twin: Twin, tool: FakeTool) -> None:
    stranger = tool.other_key()
    assert (await tool.ask(twin, key=stranger)).json()["error_description"].startswith("JWK Error:")
    impostor = FakeTool().key
    assert (await tool.ask(twin, key=impostor)).json()[
        "error_description"
    ] == "JWS signature invalid."

    tool.down = True
    down = await tool.ask(twin)
    assert down.json()["error_description"] == "JWK Error: nobody listens"


async def test_key_with_a_jwk_of_its_own_needs_no_fetch(twin: Twin, tool: FakeTool) -> None:
    jwk = tool.key.as_dict(private=False)
    twin.school.update(lti_key(twin), public_jwk_url=None, public_jwk=jwk)

    assert (await tool.ask(twin)).status_code == 200
    assert tool.fetched == []


async def test_hmac_and_nonsense_are_no_assertions(twin: Twin, tool: FakeTool) -> None:
    secret = OctKey.import_key("0123456789abcdef0123456789abcdef")
    hmac = jwt.encode({"alg": "HS256", "kid": "one"}, tool.claims(twin), secret)

    for assertion in (hmac, "nonsense", ""):
        response = await twin.client.post(
            "/login/oauth2/token",
            data={
                "grant_type": "client_credentials",
                "client_assertion_type": ASSERTION_TYPE,
                "client_assertion": assertion,
                "scope": NRPS,
            },
        )
        assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


async def test_token_opens_the_service_and_no_rest(twin: Twin, tool: FakeTool) -> None:
    token = await tool.token(twin)

    assert (await roster(twin, token)).status_code == 200
    rest = await twin.client.get("/api/v1/courses", headers={"Authorization": f"Bearer {token}"})
    assert rest.json() == {"errors": [{"message": "Invalid access token."}]}


def refusal(response: httpx.Response) -> tuple[int, str, str]:
    errors = response.json()["errors"]
    return response.status_code, errors["type"], errors["message"]


async def test_refusals_of_a_service(twin: Twin, tool: FakeTool) -> None:
    token = await tool.token(twin)
    head, body, signature = token.split(".")
    unsigned = jwt.encode({"alg": "HS256"}, {"sub": CLIENT_ID}, OctKey.generate_key(256))
    foreign = jwt.encode({"alg": "RS256", "kid": "one"}, {"sub": CLIENT_ID}, tool.key)

    for given, message in (
        (None, "Missing access token"),
        ("nonsense", "Invalid access token format"),
        ("a.b.c", "Invalid access token format"),
        (foreign, "Access token signature algorithm not allowed"),
        (unsigned, "Access token invalid - signature likely incorrect"),
        (
            f"{head}.{body}.{signature[:-4]}AAAA",
            "Access token invalid - signature likely incorrect",
        ),
    ):
        assert refusal(await roster(twin, given)) == (401, "unauthorized", message)


async def test_order_of_the_checks(twin: Twin, tool: FakeTool) -> None:
    """Token, key active, scope, key on in the account, context, tool: the first one speaks."""
    key, demo = lti_key(twin), twin.cast.courses["demo"]
    grades = "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem"
    twin.school.update(key, scopes=(NRPS, grades))
    token = await tool.token(twin, scope=grades)
    twin.app.state.lti.tools[1].workflow_state = "deleted"
    twin.school.update(demo, workflow_state="deleted")
    twin.school.update(key, on=False)
    twin.school.update(key, workflow_state="inactive")

    async def said(value: str) -> str:
        return refusal(await roster(twin, value))[2]

    assert await said(token) == "Unknown or inactive Developer Key"
    twin.school.update(key, workflow_state="active")
    assert await said(token) == "Insufficient permissions"
    token = await tool.token(twin)
    assert await said(token) == "Invalid Developer Key"
    twin.school.update(key, on=True)
    assert refusal(await roster(twin, token)) == (
        404,
        "not_found",
        "Context is deleted or not found",
    )
    twin.school.update(demo, workflow_state="available")
    assert await said(token) == "Access Token not linked to a Tool associated with this Context"
    twin.clock.advance(timedelta(hours=1))
    assert await said(token) == "Access token expired"


async def test_audience_is_the_token_host_or_a_universal_one(make_twin: MakeTwin) -> None:
    for hosts, status in ((("sso.canvaslms.com",), 200), ((), 401)):
        twin = make_twin(lti_grant_hosts=hosts)
        tool = FakeTool().serve(twin)
        aud = "http://sso.canvaslms.com/login/oauth2/token"
        token = await tool.token(twin, url=aud, aud=aud)
        response = await roster(twin, token)
        assert response.status_code == status
        if status == 401:
            assert refusal(response)[2] == "Invalid access token field/s: the 'aud' is invalid"


async def test_one_bucket_for_all_tokens_of_a_key(twin: Twin, tool: FakeTool) -> None:
    first, second = await tool.token(twin), await tool.token(twin)

    before = float((await roster(twin, first)).headers["x-rate-limit-remaining"])
    after = float((await roster(twin, second)).headers["x-rate-limit-remaining"])

    assert after < before
