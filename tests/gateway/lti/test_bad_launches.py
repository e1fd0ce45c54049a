"""Bad launches, by the names of the certification suite: each refused by its own check, on its own page, with no session."""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.gateway.lti import platform
from tests.gateway.lti.conftest import Person, Tool, initiation
from tests.gateway.lti.platform import LTI, OTHER_KEY, Claims, course_claims, signed

Changes = dict[str, Any]


def seconds(tool: Tool, **by: float) -> int:
    return int((tool.clock() + timedelta(**by)).timestamp())


# A claim that is wrong, and the check that says so.
BAD_CLAIMS: dict[str, tuple[Callable[[Tool], Changes], str]] = {
    "wrong issuer": (lambda _: {"iss": "https://evil.example.org"}, "iss"),
    "issuer with a slash": (lambda _: {"iss": f"{platform.ISSUER}/"}, "iss"),
    "no issuer": (lambda _: {"iss": None}, "iss"),
    "wrong audience": (lambda _: {"aud": "another-client"}, "aud"),
    "audience of others": (lambda _: {"aud": ["one", "two"]}, "aud"),
    "no audience": (lambda _: {"aud": None}, "aud"),
    "wrong azp": (lambda _: {"azp": "another-client"}, "azp"),
    "several audiences, no azp": (lambda _: {"aud": [platform.CLIENT_ID, "x"], "azp": None}, "azp"),
    "expired": (lambda tool: {"exp": seconds(tool, minutes=-2)}, "exp"),
    "no expiry": (lambda _: {"exp": None}, "exp"),
    "expiry is no number": (lambda _: {"exp": "tomorrow"}, "exp"),
    "expiry beyond all years": (lambda _: {"exp": 10**30}, "exp"),
    "from the future": (lambda tool: {"iat": seconds(tool, minutes=2)}, "iat"),
    "issued long ago": (lambda tool: {"iat": seconds(tool, minutes=-11)}, "iat"),
    "no issue time": (lambda _: {"iat": None}, "iat"),
    "wrong nonce": (lambda _: {"nonce": "another"}, "nonce"),
    "no nonce": (lambda _: {"nonce": None}, "nonce"),
    "wrong message type": (
        lambda _: {f"{LTI}message_type": "LtiDeepLinkingRequest"},
        "message_type",
    ),
    "no message type": (lambda _: {f"{LTI}message_type": None}, "message_type"),
    "wrong version": (lambda _: {f"{LTI}version": "11.3"}, "version"),
    "no version": (lambda _: {f"{LTI}version": None}, "version"),
    "no deployment": (lambda _: {f"{LTI}deployment_id": None}, "deployment_id"),
    "another deployment than the login": (
        lambda _: {f"{LTI}deployment_id": "371:other"},
        "deployment_id",
    ),
    "empty sub": (lambda _: {"sub": ""}, "sub"),
    "sub is no text": (lambda _: {"sub": 7}, "sub"),
    "sub too long": (lambda _: {"sub": "x" * 256}, "sub"),
    "sub beyond ASCII": (lambda _: {"sub": "zoë"}, "sub"),
    "no resource link": (lambda _: {f"{LTI}resource_link": None}, "resource_link"),
    "resource link without id": (
        lambda _: {f"{LTI}resource_link": {"title": "x"}},
        "resource_link",
    ),
    "resource link is a text": (lambda _: {f"{LTI}resource_link": "x"}, "resource_link"),
    "roles are a text": (lambda _: {f"{LTI}roles": "Instructor"}, "roles"),
    "no target": (lambda _: {f"{LTI}target_link_uri": None}, "target_link_uri"),
}


@pytest.fixture
def engine() -> str:
    """One is enough to be refused on."""
    return "sqlite"


async def refused(
    tool: Tool, caplog: pytest.LogCaptureFixture, answer: Any, check: str, status: int = 400
) -> None:
    """By this check, on a page and in the log, and nothing was left behind."""
    assert status == answer.status_code, answer.text
    assert "The launch did not work" in answer.text
    assert f"<pre>{check} ·" in answer.text
    [line] = [record for record in caplog.records if record.getMessage() == "launch refused"]
    fields: dict[str, str] = line.__dict__["fields"]
    assert check == fields["check"]
    assert fields["reason"]
    assert "roster_session" not in answer.headers.get("set-cookie", "")
    for table in ("launch_session", "session_secret", "person", "course", "membership"):
        assert [] == await tool.rows(table)


@pytest.mark.parametrize(("changes", "check"), BAD_CLAIMS.values(), ids=BAD_CLAIMS)
async def test_a_bad_claim_is_refused(
    tool: Tool,
    person: Person,
    caplog: pytest.LogCaptureFixture,
    changes: Callable[[Tool], Changes],
    check: str,
) -> None:
    answer = await person.launch(**changes(tool))

    await refused(tool, caplog, answer, check)


async def test_the_pages_of_different_refusals_differ(person: Person) -> None:
    pages = [await person.launch(aud="x"), await person.launch(exp=1)]

    assert "another tool" in pages[0].text
    assert "expired" in pages[1].text


BAD_TOKENS: dict[str, tuple[Callable[[Claims], str], str]] = {
    "no kid": (lambda claims: signed(claims, kid=None), "no_kid"),
    "wrong kid": (lambda claims: signed(claims, kid="unknown"), "kid"),
    "another key under the platform's kid": (
        lambda claims: signed(claims, OTHER_KEY, kid=platform.KEY.kid),
        "signature",
    ),
    "alg none": (platform.unsigned, "alg"),
    "HS256 with the public key": (platform.signed_by_the_public_key, "alg"),
    "RS512": (lambda claims: signed(claims, alg="RS512"), "alg"),
    "a critical extension": (lambda claims: signed(claims, crit=["exp"], exp=1), "signature"),
    "its own key beside it": (
        lambda claims: signed(claims, OTHER_KEY, jwk=OTHER_KEY.as_dict(private=False)),
        "kid",
    ),
    "tampered": (lambda claims: tampered(signed(claims)), "signature"),
    "no token at all": (lambda _: "", "id_token"),
    "no JWT": (lambda _: "not.a.token", "id_token"),
    "half a token": (lambda claims: signed(claims).rpartition(".")[0], "id_token"),
    "not ASCII": (lambda _: "ä.ö.ü", "id_token"),
}


def tampered(token: str) -> str:
    """With a claim changed after it was signed."""
    header, payload, signature = token.split(".")
    flipped = payload[:40] + ("A" if payload[40] != "A" else "B") + payload[41:]
    return f"{header}.{flipped}.{signature}"


@pytest.mark.parametrize(("make", "check"), BAD_TOKENS.values(), ids=BAD_TOKENS)
async def test_a_bad_token_is_refused(
    tool: Tool,
    person: Person,
    caplog: pytest.LogCaptureFixture,
    make: Callable[[Claims], str],
    check: str,
) -> None:
    begun = await person.login()
    token = make(course_claims(tool.clock(), begun.nonce))

    answer = await person.post(id_token=token, state=begun.state)

    await refused(tool, caplog, answer, check)


async def test_tampered_custom_fields_are_refused(
    tool: Tool, person: Person, caplog: pytest.LogCaptureFixture
) -> None:
    begun = await person.login()
    honest = signed(course_claims(tool.clock(), begun.nonce))
    custom = {"canvas_user_id": "1"}
    forged = signed(course_claims(tool.clock(), begun.nonce, **{f"{LTI}custom": custom}), OTHER_KEY)
    mixed = ".".join((honest.split(".")[0], forged.split(".")[1], honest.split(".")[2]))

    answer = await person.post(id_token=mixed, state=begun.state)

    await refused(tool, caplog, answer, "signature")


async def test_a_state_that_was_never_begun_is_refused(
    tool: Tool, person: Person, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await person.post(id_token="x", state="made-up")

    await refused(tool, caplog, answer, "state")


async def test_no_state_is_refused(
    tool: Tool, person: Person, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await person.post(id_token="x")

    await refused(tool, caplog, answer, "state")


async def test_a_state_that_is_too_old_is_refused(
    tool: Tool, person: Person, caplog: pytest.LogCaptureFixture
) -> None:
    begun = await person.login()
    tool.clock.forward(minutes=10)
    token = signed(course_claims(tool.clock(), begun.nonce))

    answer = await person.post(id_token=token, state=begun.state)

    await refused(tool, caplog, answer, "state")


async def test_the_state_of_another_browser_is_refused(
    tool: Tool, person: Person, caplog: pytest.LogCaptureFixture
) -> None:
    begun = await person.login()
    token = signed(course_claims(tool.clock(), begun.nonce))
    async with tool.browser() as victim:
        answer = await victim.post(id_token=token, state=begun.state)

    await refused(tool, caplog, answer, "browser", status=403)


async def test_the_right_browser_can_still_go_on_after_another_tried(
    tool: Tool, person: Person
) -> None:
    begun = await person.login()
    token = signed(course_claims(tool.clock(), begun.nonce))
    async with tool.browser() as victim:
        await victim.post(id_token=token, state=begun.state)

    answer = await person.post(id_token=token, state=begun.state)

    assert 303 == answer.status_code


async def test_a_replayed_launch_is_refused_and_makes_no_second_session(
    tool: Tool, person: Person
) -> None:
    begun = await person.login()
    token = signed(course_claims(tool.clock(), begun.nonce))
    first = await person.post(id_token=token, state=begun.state)

    again = await person.post(id_token=token, state=begun.state)

    assert (303, 400) == (first.status_code, again.status_code)
    assert "<pre>state ·" in again.text
    assert 1 == len(await tool.sessions())


async def test_the_token_of_one_launch_does_not_do_for_another_login(
    tool: Tool, person: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """A replayed nonce under a fresh state."""
    first, second = await person.login(), await person.login()
    token = signed(course_claims(tool.clock(), first.nonce))

    answer = await person.post(id_token=token, state=second.state)

    await refused(tool, caplog, answer, "nonce")


async def test_two_launches_on_one_page_do_not_disturb_each_other(
    tool: Tool, person: Person
) -> None:
    begun = [await person.login(), await person.login()]

    answers = [
        await person.post(id_token=signed(course_claims(tool.clock(), one.nonce)), state=one.state)
        for one in begun
    ]

    assert [303, 303] == [answer.status_code for answer in answers]


async def test_what_the_platform_answers_instead_is_shown_and_uses_the_state_up(
    tool: Tool, person: Person, caplog: pytest.LogCaptureFixture
) -> None:
    begun = await person.login()

    answer = await person.post(
        error="login_required", error_description="<b>Log in</b>", state=begun.state
    )

    await refused(tool, caplog, answer, "platform_error")
    assert "login_required: &lt;b&gt;Log in" in answer.text
    assert [] == await tool.rows("lti_login")


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"state=a&state=b", "application/x-www-form-urlencoded", 400),
        (b"state=%ff", "application/x-www-form-urlencoded", 400),
        (b'{"state": "x"}', "application/json", 415),
        (b"state=" + b"x" * 300_000, "application/x-www-form-urlencoded", 413),
    ],
)
async def test_a_body_that_is_no_form_of_a_launch_is_refused(
    tool: Tool,
    person: Person,
    caplog: pytest.LogCaptureFixture,
    content: bytes,
    kind: str,
    status: int,
) -> None:
    answer = await person.client.post(
        "/lti/launch", content=content, headers={"content-type": kind}
    )

    await refused(tool, caplog, answer, "form", status)


BAD_LOGINS: dict[str, tuple[dict[str, str | None], str]] = {
    "unknown issuer": ({"iss": "https://evil.example.org"}, "issuer"),
    "no issuer": ({"iss": None}, "iss"),
    "unknown client": ({"client_id": "another"}, "client_id"),
    "no login hint": ({"login_hint": None}, "login_hint"),
}


@pytest.mark.parametrize(("changes", "check"), BAD_LOGINS.values(), ids=BAD_LOGINS)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_bad_login_is_not_redirected(
    tool: Tool,
    person: Person,
    caplog: pytest.LogCaptureFixture,
    changes: dict[str, str | None],
    check: str,
    method: str,
) -> None:
    fields = initiation(**changes)
    where = {"params": fields} if method == "GET" else {"data": fields}

    answer = await person.client.request(method, "/lti/login", **where)  # type: ignore[arg-type]  # a form or a query

    await refused(tool, caplog, answer, check)
    assert [] == await tool.rows("lti_login")


async def test_no_token_and_no_name_is_ever_logged(
    person: Person, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "gateway")

    await person.launch()
    await person.launch(aud="x")

    ours = [r for r in caplog.records if r.name.startswith("gateway")]
    text = " ".join(f"{r.getMessage()} {r.__dict__.get('fields')}" for r in ours)
    assert "launched" in text
    for secret in (platform.SUB, "O'Neil", "zoe+lms", "eyJ", platform.LEGACY):
        assert secret not in text
