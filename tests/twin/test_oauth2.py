"""Authorization pages, codes, refresh, scopes and the end of a token (fact sheet oauth2.md)."""

import base64
import hashlib
import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.twin.conftest import MakeTwin, Twin
from twin import developer_keys
from twin.developer_keys import API_KEY, LTI_KEY, key_id
from twin.records import DeveloperKey

REDIRECT = "http://127.0.0.1:8000/oauth/callback"
ENROLLMENTS = "url:GET|/api/v1/courses/:course_id/enrollments"
SECRET = "twin-oauth-secret"


def api_key(twin: Twin) -> DeveloperKey:
    return twin.school.developer_keys[key_id(twin.school, API_KEY)]


def asking(twin: Twin, **changes: str | None) -> dict[str, str]:
    wanted: dict[str, str | None] = {
        "client_id": str(api_key(twin).id),
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "state": "s&t=1",
        "unique_id": "toneil",
    }
    return {name: value for name, value in {**wanted, **changes}.items() if value is not None}


async def authorize(twin: Twin, **changes: str | None) -> httpx.Response:
    return await twin.client.get("/login/oauth2/auth", params=asking(twin, **changes))


def answered(response: httpx.Response) -> dict[str, str]:
    """The query with which the browser comes back to the client."""
    assert response.status_code == 302
    assert response.headers["location"].startswith(REDIRECT)
    query = parse_qs(urlsplit(response.headers["location"]).query)
    return {name: values[0] for name, values in query.items()}


async def token(twin: Twin, **fields: str) -> httpx.Response:
    client = {"client_id": str(api_key(twin).id), "client_secret": SECRET}
    return await twin.client.post("/login/oauth2/token", data={**client, **fields})


async def exchange(twin: Twin, code: str, **fields: str) -> httpx.Response:
    return await token(
        twin, grant_type="authorization_code", code=code, redirect_uri=REDIRECT, **fields
    )


async def granted(twin: Twin, **changes: str | None) -> dict[str, Any]:
    response = await exchange(twin, answered(await authorize(twin, **changes))["code"])
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


async def works(twin: Twin, access_token: str, path: str = "/login/session_token") -> bool:
    """Whether the token is alive; asked where no other module has to answer."""
    headers = {"Authorization": f"Bearer {access_token}"}
    return (await twin.client.get(path, headers=headers)).status_code == 200


@pytest.fixture
def quick(make_twin: MakeTwin) -> Twin:
    """A twin that agrees at once to what the login named by `unique_id` is asked."""
    return make_twin(auto_approve=True)


async def test_person_logs_in_agrees_and_client_gets_a_code(twin: Twin) -> None:
    page = await twin.client.get("/login/oauth2/auth", params=asking(twin), follow_redirects=True)
    number = re.search(r'name="request" value="([^"]+)"', page.text)
    assert number is not None
    login = {"request": number[1], "unique_id": "TONEIL", "password": "x"}
    confirm = await twin.client.post("/login/canvas", data=login, follow_redirects=True)

    assert "Theodora O&#x27;Neil" in confirm.text
    accepted = await twin.client.post("/login/oauth2/accept", data={"request": number[1]})
    assert answered(accepted)["state"] == "s&t=1"
    assert re.fullmatch(r"[0-9a-f]{128}", answered(accepted)["code"])


async def test_cancel_comes_back_as_access_denied(twin: Twin) -> None:
    location = (await authorize(twin)).headers["location"]
    number = parse_qs(urlsplit(location).query)["request"][0]

    denied = await twin.client.get("/login/oauth2/deny", params={"request": number})

    assert answered(denied) == {"error": "access_denied", "state": "s&t=1"}


async def test_accept_without_a_session_gives_no_code(twin: Twin) -> None:
    location = (await authorize(twin)).headers["location"]
    number = parse_qs(urlsplit(location).query)["request"][0]

    assert (
        await twin.client.post("/login/oauth2/accept", data={"request": number})
    ).status_code == 400


@pytest.mark.parametrize(
    ("changes", "status", "body"),
    [
        (
            {"client_id": "777"},
            401,
            {"error": "invalid_client", "error_description": "unknown client"},
        ),
        (
            {"client_id": "abc"},
            401,
            {"error": "invalid_client", "error_description": "unknown client"},
        ),
        (
            {"redirect_uri": f"{REDIRECT}/more"},
            400,
            {
                "error": "invalid_request",
                "error_description": "redirect_uri does not match client settings",
            },
        ),
    ],
    ids=["unknown client", "no number", "redirect_uri of somebody else"],
)
async def test_error_without_redirect(
    twin: Twin, changes: dict[str, str], status: int, body: dict[str, str]
) -> None:
    response = await authorize(twin, **changes)

    assert (status, body) == (response.status_code, response.json())
    if status == 401:
        assert response.headers["www-authenticate"] == "Canvas OAuth 2.0"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": None}, "unsupported_response_type"),
        ({"prompt": "login"}, "unsupported_prompt_type"),
        ({"prompt": "none"}, "login_required"),
        ({"code_challenge": "x", "code_challenge_method": "plain"}, "invalid_request"),
    ],
)
async def test_error_by_redirect_keeps_state(
    twin: Twin, changes: dict[str, str | None], error: str
) -> None:
    answer = answered(await authorize(twin, **changes))

    assert (error, "s&t=1") == (answer["error"], answer["state"])


async def test_key_that_is_off_is_unauthorized_and_one_that_is_inactive_unknown(twin: Twin) -> None:
    twin.school.update(api_key(twin), on=False)
    assert answered(await authorize(twin))["error"] == "unauthorized_client"

    twin.school.update(api_key(twin), workflow_state="inactive")
    assert (await authorize(twin)).json()["error"] == "invalid_client"


async def test_prompt_none_needs_consent_given_before(quick: Twin, twin: Twin) -> None:
    assert "code" in answered(await authorize(quick, prompt="none"))

    await twin.client.post("/login/canvas", data={"unique_id": "toneil"})
    assert answered(await authorize(twin, prompt="none"))["error"] == "interaction_required"


async def test_old_key_takes_its_domain_and_subdomains(quick: Twin) -> None:
    quick.school.update(api_key(quick), redirect_uri="https://tool.example.edu/old")

    for uri, status in (
        ("https://tool.example.edu/new", 302),
        ("https://a.tool.example.edu/new", 302),
        ("http://tool.example.edu/new", 400),
        ("https://eviltool.example.edu/new", 400),
    ):
        assert (await authorize(quick, redirect_uri=uri)).status_code == status, uri


async def test_answer_for_a_code(quick: Twin) -> None:
    teacher = quick.cast.people["teacher"]

    body = await granted(quick)

    assert body == {
        "access_token": body["access_token"],
        "refresh_token": body["refresh_token"],
        "token_type": "Bearer",
        "expires_in": 3600,
        "canvas_region": "unknown",
        "user": {
            "id": teacher.id,
            "name": "Theodora O'Neil",
            "global_id": str(10**13 + teacher.id),
            "effective_locale": "en",
        },
    }
    assert await works(quick, body["access_token"])


async def test_code_works_once_and_ten_minutes(quick: Twin) -> None:
    code = answered(await authorize(quick))["code"]
    assert (await exchange(quick, code)).status_code == 200
    gone = {"error": "invalid_grant", "error_description": "authorization_code not found"}
    assert (await exchange(quick, code)).json() == gone

    late = answered(await authorize(quick))["code"]
    quick.clock.advance(timedelta(minutes=10))
    assert (await exchange(quick, late)).json() == gone


@pytest.mark.parametrize(
    ("fields", "status", "error", "description"),
    [
        ({"client_id": "5", "code": "x"}, 401, "invalid_client", "unknown client"),
        ({"client_secret": "wrong", "code": "x"}, 401, "invalid_client", "invalid client"),
        (
            {"grant_type": "password"},
            400,
            "unsupported_grant_type",
            "The grant_type you requested is not currently supported",
        ),
        (
            {"grant_type": "authorization_code"},
            400,
            "invalid_request",
            "You must provide the code parameter when using the authorization_code grant type",
        ),
        (
            {"grant_type": "refresh_token"},
            400,
            "invalid_request",
            "You must provide the refresh_token parameter when using the refresh_token grant type",
        ),
        (
            {"grant_type": "refresh_token", "refresh_token": "1~no"},
            400,
            "invalid_request",
            "refresh_token not found",
        ),
        (
            {"grant_type": "client_credentials"},
            400,
            "invalid_request",
            "assertion method not supported for this grant_type",
        ),
    ],
)
async def test_token_errors(
    twin: Twin, fields: dict[str, str], status: int, error: str, description: str
) -> None:
    response = await token(twin, **fields)

    assert {"error": error, "error_description": description} == response.json()
    assert status == response.status_code
    assert ("www-authenticate" in response.headers) == (status == 401)


async def test_built_in_key_without_a_secret_is_no_client(twin: Twin) -> None:
    response = await token(
        twin,
        client_id=str(key_id(twin.school, developer_keys.BUILT_IN_KEY)),
        client_secret="",
        code="x",
    )

    assert response.status_code == 401


async def test_client_may_come_as_http_basic_and_parameters_as_json(quick: Twin) -> None:
    code = answered(await authorize(quick))["code"]

    response = await quick.client.post(
        "/login/oauth2/token",
        json={"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT},
        auth=(str(api_key(quick).id), SECRET),
    )

    assert response.status_code == 200


async def test_code_of_another_key_is_refused(quick: Twin) -> None:
    other = DeveloperKey(
        id=10**13 + 5,
        account_id=1,
        name="Other",
        secret="other",
        redirect_uris=(REDIRECT,),
        created_at=quick.clock.now(),
        updated_at=quick.clock.now(),
    )
    quick.school.add(other)
    code = answered(await authorize(quick))["code"]
    refresh = (await granted(quick))["refresh_token"]
    client = {"client_id": str(other.id), "client_secret": "other"}

    for fields in (
        {"code": code, "redirect_uri": REDIRECT},
        {"grant_type": "refresh_token", "refresh_token": refresh},
    ):
        response = await quick.client.post("/login/oauth2/token", data={**client, **fields})
        assert response.json() == {
            "error": "invalid_grant",
            "error_description": "incorrect client",
        }


async def test_token_step_compares_redirect_uri_unless_switched_off(make_twin: MakeTwin) -> None:
    for compared, status in ((True, 400), (False, 200)):
        twin = make_twin(auto_approve=True, token_redirect_uri_compared=compared)
        code = answered(await authorize(twin))["code"]
        response = await token(twin, grant_type="authorization_code", code=code)
        assert response.status_code == status


async def test_older_canvas_answers_token_errors_by_redirect(make_twin: MakeTwin) -> None:
    twin = make_twin(token_errors_redirect=True)

    response = await token(twin, code="x", redirect_uri=REDIRECT)

    assert answered(response)["error"] == "invalid_grant"


async def test_refresh_replaces_the_access_token_and_keeps_the_refresh_token(quick: Twin) -> None:
    first = await granted(quick)

    second = await token(quick, grant_type="refresh_token", refresh_token=first["refresh_token"])
    third = await token(quick, grant_type="refresh_token", refresh_token=first["refresh_token"])

    assert "refresh_token" not in second.json()
    assert not await works(quick, first["access_token"])
    assert not await works(quick, second.json()["access_token"])
    assert await works(quick, third.json()["access_token"])


async def test_access_token_lives_an_hour(quick: Twin) -> None:
    body = await granted(quick)
    quick.clock.advance(timedelta(minutes=59))
    assert await works(quick, body["access_token"])

    quick.clock.advance(timedelta(minutes=1))
    assert not await works(quick, body["access_token"])


async def test_public_client_uses_pkce_and_its_refresh_token_changes(quick: Twin) -> None:
    quick.school.update(api_key(quick), public_client=True)
    verifier = "v" * 50
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode()
    pkce: dict[str, str | None] = {
        "code_challenge": challenge.rstrip("="),
        "code_challenge_method": "S256",
    }
    assert answered(await authorize(quick))["error"] == "invalid_request"
    code = answered(await authorize(quick, **pkce))["code"]
    client = {"client_id": str(api_key(quick).id)}

    async def post(**fields: str) -> httpx.Response:
        return await quick.client.post("/login/oauth2/token", data={**client, **fields})

    wrong = await post(code=code, redirect_uri=REDIRECT, code_verifier="other")
    assert wrong.json()["error"] == "invalid_grant"
    first = (await post(code=code, redirect_uri=REDIRECT, code_verifier=verifier)).json()
    second = (await post(grant_type="refresh_token", refresh_token=first["refresh_token"])).json()
    assert second["refresh_token"] != first["refresh_token"]
    stale = await post(grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert stale.json()["error_description"] == "refresh_token not found"

    quick.clock.advance(timedelta(hours=2))
    idle = await post(grant_type="refresh_token", refresh_token=second["refresh_token"])
    assert idle.json()["error_description"] == "refresh_token not found"


async def test_scoped_key_grants_only_what_it_has(quick: Twin) -> None:
    developer_keys.change_scopes(
        quick.school, api_key(quick), require_scopes=True, scopes=(ENROLLMENTS,)
    )

    for scope in (None, "url:GET|/api/v1/courses/:id/enrollments"):
        refused = answered(await authorize(quick, scope=scope))
        assert refused["error"] == "invalid_scope"
        assert refused["error_description"].startswith(
            "A requested scope is invalid, unknown, malformed, or exceeds the scope granted by "
            "the resource owner."
        )
        assert "state" not in refused

    body = await granted(quick, scope=ENROLLMENTS)
    outside = await quick.client.get(
        "/api/v1/login/session_token", headers={"Authorization": f"Bearer {body['access_token']}"}
    )
    assert outside.json() == {"errors": [{"message": "Insufficient scopes on access token."}]}
    assert "www-authenticate" not in outside.headers


async def test_a_scope_that_goes_ends_tokens_and_one_that_comes_does_not(quick: Twin) -> None:
    key, school = api_key(quick), quick.school
    sections = "url:GET|/api/v1/courses/:course_id/sections"
    developer_keys.change_scopes(school, key, require_scopes=True, scopes=(ENROLLMENTS,))
    token_row = school.tokens[max(school.tokens)]
    body = await granted(quick, scope=ENROLLMENTS)
    token_row = school.tokens[max(school.tokens)]

    developer_keys.change_scopes(school, key, require_scopes=True, scopes=(ENROLLMENTS, sections))
    assert (token_row.workflow_state, token_row.scopes) == ("active", (ENROLLMENTS,))
    developer_keys.change_scopes(school, key, require_scopes=False, scopes=(ENROLLMENTS, sections))
    assert await works(quick, body["access_token"])

    developer_keys.change_scopes(school, key, require_scopes=True, scopes=(ENROLLMENTS, sections))
    assert token_row.workflow_state == "deleted"


async def test_userinfo_alone_gives_no_token(quick: Twin) -> None:
    body = await granted(quick, scope="/auth/userinfo")

    assert body["access_token"] is None
    assert "refresh_token" not in body
    assert body["user"]["name"] == "Theodora O'Neil"


async def test_replace_tokens_ends_the_others_of_this_person_and_key(quick: Twin) -> None:
    first, other = await granted(quick), await granted(quick, unique_id="zoneil")
    code = answered(await authorize(quick))["code"]

    second = (await exchange(quick, code, replace_tokens="1")).json()

    assert not await works(quick, first["access_token"])
    assert await works(quick, second["access_token"])
    assert await works(quick, other["access_token"])


async def test_force_token_reuse_hands_out_the_same_token(quick: Twin) -> None:
    quick.school.update(api_key(quick), force_token_reuse=True)

    assert (await granted(quick))["access_token"] == (await granted(quick))["access_token"]


async def test_key_without_expiry_says_no_expires_in(quick: Twin) -> None:
    quick.school.update(api_key(quick), auto_expire_tokens=False)

    assert "expires_in" not in await granted(quick)


async def test_lti_key_is_no_client_of_the_code_flow(quick: Twin) -> None:
    lti = str(key_id(quick.school, LTI_KEY))

    response = await token(quick, client_id=lti, client_secret="", code="x")

    assert response.json()["error_description"] == "unknown client"


async def test_delete_ends_the_token_and_needs_one(quick: Twin) -> None:
    body = await granted(quick)
    headers = {"Authorization": f"Bearer {body['access_token']}"}

    bare = await quick.client.delete("/login/oauth2/token")
    assert (bare.status_code, bare.json()) == (
        400,
        {"message": "can't delete OAuth access token when not using an OAuth access token"},
    )
    ended = await quick.client.delete("/login/oauth2/token", headers=headers)
    assert (ended.status_code, ended.json()) == (200, {})
    assert not await works(quick, body["access_token"])
    gone = await token(quick, grant_type="refresh_token", refresh_token=body["refresh_token"])
    assert gone.json()["error_description"] == "refresh_token not found"


async def test_out_of_band_code_is_shown_on_a_page(quick: Twin) -> None:
    response = await authorize(quick, redirect_uri="urn:ietf:wg:oauth:2.0:oob")
    location = response.headers["location"]

    assert location.startswith("/login/oauth2/auth?code=")
    code = parse_qs(urlsplit(location).query)["code"][0]
    assert code in (await quick.client.get(location)).text


async def test_success_costs_two_hundred_and_a_refusal_next_to_nothing(quick: Twin) -> None:
    code = answered(await authorize(quick))["code"]

    success, refusal = await exchange(quick, code), await exchange(quick, code)

    assert float(success.headers["x-request-cost"]) > 200
    assert float(refusal.headers["x-request-cost"]) < 5


async def test_session_token_logs_a_browser_in_on_this_host_only(quick: Twin) -> None:
    headers = {"Authorization": f"Bearer {(await granted(quick))['access_token']}"}
    quick.client.cookies.clear()

    async def ask(return_to: str) -> httpx.Response:
        return await quick.client.get(
            "/login/session_token", params={"return_to": return_to}, headers=headers
        )

    assert (await ask("https://elsewhere.example.edu/")).status_code == 401
    assert (await ask("http://[broken")).json() == {"error": "Invalid redirect URL"}
    url = (await ask("http://canvas.test/login/canvas")).json()["session_url"]
    opened = await quick.client.get(url)
    assert (opened.status_code, opened.headers["location"]) == (
        302,
        "http://canvas.test/login/canvas",
    )
    assert quick.client.cookies["_legacy_normandy_session"]
    assert (await quick.client.get(url)).status_code == 401


async def test_inst_access_token_is_opaque(quick: Twin) -> None:
    response = await quick.send("POST", "/api/v1/inst_access_tokens", "teacher")

    assert response.status_code == 201
    assert len(response.json()["token"].split(".")) == 5


async def test_token_authorised_while_acting_names_both_and_cannot_change(quick: Twin) -> None:
    people = quick.cast.people
    await quick.client.post(
        "/twin/launches",
        data={
            "launch": f"{people['teacher'].id}:course_{quick.cast.courses['demo'].id}",
            "tool": "1",
            "real_user": str(people["admin"].id),
        },
    )

    body = await granted(quick, unique_id=None)

    assert body["user"]["name"] == "Theodora O'Neil"
    assert body["real_user"] == {
        "id": people["admin"].id,
        "name": "Ada Root",
        "global_id": str(10**13 + people["admin"].id),
    }
    headers = {"Authorization": f"Bearer {body['access_token']}"}
    own = await quick.client.get("/api/v1/users/self", headers=headers)
    assert own.json()["id"] == people["teacher"].id
    other = await quick.client.get(
        "/api/v1/users/self", params={"as_user_id": str(people["student"].id)}, headers=headers
    )
    assert other.json() == {"errors": "Cannot change masquerade"}


async def test_scopes_are_listed_for_those_who_manage_keys(twin: Twin) -> None:
    path = "/api/v1/accounts/self/scopes"

    rows = await twin.pages(path, per_page=100)

    assert (await twin.get(path, "teacher")).status_code == 401
    assert len(rows) == len({row["scope"] for row in rows}) > 85
    assert {
        "verb": "GET",
        "path": "/api/v1/courses/:course_id/enrollments",
        "scope": ENROLLMENTS,
    }.items() <= next(row for row in rows if row["scope"] == ENROLLMENTS).items()


async def test_scoped_token_opens_its_route_in_every_id_form_and_drops_includes(
    quick: Twin,
) -> None:
    developer_keys.change_scopes(
        quick.school, api_key(quick), require_scopes=True, scopes=(ENROLLMENTS,)
    )
    quick.school.update(api_key(quick), allow_includes=False)
    demo = quick.cast.courses["demo"]
    headers = {
        "Authorization": f"Bearer {(await granted(quick, scope=ENROLLMENTS))['access_token']}"
    }
    escaped = (demo.sis_source_id or "").replace("%", "%25").replace("/", "%2F").replace("+", "%2B")

    for course in (str(demo.id), f"sis_course_id:{escaped}"):
        response = await quick.client.get(
            f"/api/v1/courses/{course}/enrollments",
            params={"include[]": "avatar_url"},
            headers=headers,
        )
        assert response.status_code == 200, course
        assert "avatar_url" not in response.json()[0]["user"]
    sections = await quick.client.get(f"/api/v1/courses/{demo.id}/sections", headers=headers)
    assert sections.json() == {"errors": [{"message": "Insufficient scopes on access token."}]}
