"""Tokens, scopes and what is refused before any endpoint: oauth2.md 5 to 7, transport.md 5 and 6."""

import pytest

from tests.twin.conftest import MakeTwin, Twin
from twin.scopes import API_SCOPES

NO_ROUTE = {"errors": [{"message": "An error occurred.", "error_code": "not_found"}]}


def people_path(twin: Twin) -> str:
    return f"/api/v1/courses/{twin.cast.courses['demo'].id}/users"


async def test_token_problems_carry_a_challenge(twin: Twin) -> None:
    """None at all, unknown, expired, suspended, key off: 401 with WWW-Authenticate."""
    challenge = 'Bearer realm="canvas-lms"'
    none = await twin.client.get("/api/v1/courses")
    unknown = await twin.client.get("/api/v1/courses", headers={"Authorization": "Bearer 1~x"})
    suspended = await twin.get("/api/v1/courses", "suspended")
    token = twin.school.tokens_of_user.of(twin.cast.people["student"].id)[0]
    twin.school.update(token, expires_at=twin.clock.now())
    expired = await twin.get("/api/v1/courses", "student")
    key = twin.school.developer_keys[token.developer_key_id]
    twin.school.update(key, workflow_state="inactive")
    off = await twin.get("/api/v1/courses")

    assert {
        "status": "unauthenticated",
        "errors": [{"message": "user authorization required"}],
    } == none.json()
    for response in (unknown, suspended, expired, off):
        assert {"errors": [{"message": "Invalid access token."}]} == response.json()
    for response in (none, unknown, suspended, expired, off):
        assert (401, challenge) == (response.status_code, response.headers["WWW-Authenticate"])


async def test_scopes_are_enforced_when_the_key_says_so(twin: Twin) -> None:
    """By verb and route; a scoped key also loses its includes but `uuid`."""
    token = twin.school.tokens_of_user.of(twin.cast.people["teacher"].id)[0]
    key = twin.school.developer_keys[token.developer_key_id]
    twin.school.update(key, require_scopes=True, allow_includes=False)
    twin.school.update(token, scopes=("url:GET|/api/v1/courses/:course_id/users",))
    allowed = await twin.get(people_path(twin), "teacher", include=["enrollments", "uuid"])
    other = await twin.get("/api/v1/courses", "teacher")

    assert 200 == allowed.status_code
    assert {"email", "uuid"} <= allowed.json()[0].keys()
    assert "enrollments" not in allowed.json()[0]
    assert 401 == other.status_code
    assert {"errors": [{"message": "Insufficient scopes on access token."}]} == other.json()
    assert "WWW-Authenticate" not in other.headers


async def test_unknown_routes_and_methods_are_not_found(twin: Twin) -> None:
    """With the framework's body."""
    route = await twin.get("/api/v1/nothing")
    method = await twin.send("PUT", "/api/v1/courses")

    assert (404, NO_ROUTE) == (route.status_code, route.json())
    assert (404, NO_ROUTE) == (method.status_code, method.json())


async def test_no_user_agent_no_answer(make_twin: MakeTwin) -> None:
    """Hosted Canvas refuses before anything else; others do not care."""
    strict, lenient = make_twin(), make_twin(require_user_agent=False)
    refused = await strict.get("/api/v1/courses", headers={"User-Agent": ""})
    served = await lenient.get("/api/v1/courses", headers={"User-Agent": ""})

    assert (403, "Forbidden") == (refused.status_code, refused.json()["error"])
    assert 200 == served.status_code


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "courses/0/enrollments"),
        ("DELETE", "courses/0/enrollments/0"),
        ("PUT", "courses/0/enrollments/0/reactivate"),
        ("POST", "accounts/0/users"),
        ("POST", "accounts/0/sis_imports"),
        ("PUT", "accounts/0/sis_imports/0/abort"),
        ("POST", "accounts/0/reports/provisioning_csv"),
        ("DELETE", "accounts/0/reports/provisioning_csv/0"),
        ("GET", "files/0/public_url"),
    ],
)
async def test_scopes_are_looked_at_before_what_is_asked_for(
    twin: Twin, method: str, path: str
) -> None:
    """By `load_user`, before any action: nothing is found where the scope is there, and nothing looked for where it is not."""
    token = twin.school.tokens_of_user.of(twin.cast.people["admin"].id)[0]
    key = twin.school.developer_keys[token.developer_key_id]
    twin.school.update(key, require_scopes=True)
    twin.school.update(token, scopes=("url:GET|/api/v1/courses",))
    without = await twin.send(method, f"/api/v1/{path}")
    twin.school.update(token, scopes=API_SCOPES)
    version = twin.school.version
    with_it = await twin.send(method, f"/api/v1/{path}")

    assert 401 == without.status_code
    assert {"errors": [{"message": "Insufficient scopes on access token."}]} == without.json()
    assert (404, version) == (with_it.status_code, twin.school.version)
