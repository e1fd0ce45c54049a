"""From a launch to a host product: a code, once; a token, short; the end, for all of them."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from gateway.lti.handing_on import TOKEN_LIFE
from tests.gateway.lti.conftest import Person, Tool

NOTEBOOK = {"origin": "https://notebook.example.edu"}
SLIDES = {"origin": "https://slides.example.edu"}


def code_in(answer: httpx.Response) -> str:
    [code] = parse_qs(urlsplit(answer.headers["location"]).query)["code"]
    return code


async def exchange(
    person: Person, code: object, headers: dict[str, str] | None = None
) -> httpx.Response:
    return await person.client.post("/session/exchange", json={"code": code}, headers=headers or {})


async def with_token(person: Person, path: str, token: str) -> httpx.Response:
    return await person.client.post(path, headers={"authorization": f"Bearer {token}"})


async def token_of(person: Person) -> str:
    answer = await exchange(person, code_in(await person.launch()))
    token: str = answer.json()["token"]
    return token


async def test_a_code_becomes_a_token_that_says_who_and_where(tool: Tool, person: Person) -> None:
    answer = await exchange(person, code_in(await person.launch()), NOTEBOOK)

    assert 200 == answer.status_code, answer.text
    body: dict[str, Any] = answer.json()
    assert body["token"].startswith("rss_")
    assert f"{tool.clock() + TOKEN_LIFE:%Y-%m-%dT%H:%M:%SZ}" == body["expiresAt"]
    assert "demo" == body["viewer"]["institution"]["slug"]
    assert ["TEACHER"] == body["viewer"]["types"]
    assert body["viewer"]["user"]["id"]
    assert body["viewer"]["course"]["id"]
    assert "no-store" == answer.headers["cache-control"]


async def test_a_code_is_good_once(person: Person) -> None:
    code = code_in(await person.launch())

    answers = [(await exchange(person, code)).status_code for _ in range(2)]

    assert [200, 401] == answers


async def test_a_code_is_good_for_a_minute(tool: Tool, person: Person) -> None:
    code = code_in(await person.launch())
    tool.clock.forward(seconds=60)

    answer = await exchange(person, code)

    assert 401 == answer.status_code
    assert "UNAUTHENTICATED" == answer.json()["error"]["code"]


async def test_a_code_is_worth_nothing_to_another_product(person: Person) -> None:
    code = code_in(await person.launch())

    stolen = await exchange(person, code, SLIDES)
    rightful = await exchange(person, code, NOTEBOOK)

    assert (403, 200) == (stolen.status_code, rightful.status_code)


@pytest.mark.parametrize("code", ["", "made-up", None, 7, ["x"]])
async def test_what_is_no_code_is_refused(person: Person, code: object) -> None:
    assert 401 == (await exchange(person, code)).status_code


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"code=x", "application/x-www-form-urlencoded"),
        (b'{"code": "x"}', "text/plain"),
        (b"{", "application/json"),
        (b"[]", "application/json"),
    ],
)
async def test_only_json_is_read(person: Person, content: bytes, kind: str) -> None:
    answer = await person.client.post(
        "/session/exchange", content=content, headers={"content-type": kind}
    )

    assert 401 == answer.status_code


async def test_a_cookie_or_a_code_is_no_token(person: Person) -> None:
    code = code_in(await person.launch())
    cookie = person.client.cookies["__Host-roster_session"]

    for secret in (code, cookie, f"rss_{code}"):
        assert 401 == (await with_token(person, "/session/refresh", secret)).status_code


async def test_a_token_is_renewed_while_it_is_good(tool: Tool, person: Person) -> None:
    token = await token_of(person)
    tool.clock.forward(minutes=14)

    answer = await with_token(person, "/session/refresh", token)
    tool.clock.forward(minutes=2)

    renewed = answer.json()["token"]
    assert 200 == (await with_token(person, "/session/refresh", renewed)).status_code
    assert 401 == (await with_token(person, "/session/refresh", token)).status_code


async def test_no_token_outlives_the_session(tool: Tool, person: Person) -> None:
    token = await token_of(person)
    for _ in range(8 * 60 // 10 - 1):
        tool.clock.forward(minutes=10)
        token = (await with_token(person, "/session/refresh", token)).json()["token"]

    answer = (await with_token(person, "/session/refresh", token)).json()
    tool.clock.forward(minutes=10)

    assert "2026-03-02T20:00:00Z" == answer["expiresAt"]
    assert 401 == (await with_token(person, "/session/refresh", answer["token"])).status_code


async def test_the_end_is_the_end_of_every_secret(tool: Tool, person: Person) -> None:
    token = await token_of(person)
    again = (await with_token(person, "/session/refresh", token)).json()["token"]

    answer = await with_token(person, "/session/end", token)

    assert 204 == answer.status_code
    for secret in (token, again):
        assert 401 == (await with_token(person, "/session/refresh", secret)).status_code
    assert 401 == (await person.client.post("/session/end")).status_code
    assert [] == await tool.rows("session_secret")
    [session] = await tool.sessions()
    assert session["ended_at"] is not None


async def test_the_cookie_ends_a_session_too(tool: Tool, person: Person) -> None:
    await person.launch()

    answer = await person.client.post("/session/end")

    assert 204 == answer.status_code
    assert "__Host-roster_session=; Path=/; HttpOnly; Max-Age=0" in answer.headers["set-cookie"]
    assert [] == await tool.rows("session_secret")


async def test_secrets_are_kept_as_digests(tool: Tool, person: Person) -> None:
    token = await token_of(person)
    cookie = person.client.cookies["__Host-roster_session"]

    kept = str(await tool.rows("session_secret"))

    assert token not in kept
    assert cookie not in kept
