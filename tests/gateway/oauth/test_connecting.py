"""Connecting a Canvas account, in a browser, against the twin over real sockets."""

from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from gateway.canvas.oauth2 import PURPOSE
from gateway.canvas.scopes import READING, WRITING
from gateway.seal import Seal
from gateway.store import sessions
from gateway.store.sessions import Kind
from tests.gateway.oauth.conftest import KEY, NOTEBOOK, NOW, Person, launched, state_of

CLASS = '{ course(by: {canvasId: "%s"}) { members { totalCount nodes { user { name } } } } }'


def owner(teacher: Person, access: str) -> httpx.Response:
    """Canvas's answer to whose token it is."""
    headers = {"authorization": f"Bearer {access}"}
    return httpx.get(f"{teacher.twin.url}/api/v1/users/self", headers=headers)


async def test_who_connects_sees_what_canvas_shows_them(teacher: Person) -> None:
    query = CLASS % teacher.twin.cast.courses["demo"].id
    before = teacher.query(query)
    assert before["data"]["course"]["members"]["totalCount"] is None
    [error] = before["errors"]
    assert error["extensions"]["code"] == "CONNECTION_NEEDED"
    address = error["extensions"]["connectUrl"]

    done = teacher.at_the_gateway(teacher.agreed(teacher.asked(address)))

    assert done.status_code == 200, done.text
    assert "connected" in done.text
    after = teacher.query(query)
    assert "errors" not in after
    names = [node["user"]["name"] for node in after["data"]["course"]["members"]["nodes"]]
    assert "Zoë Neil" in names


async def test_the_token_is_kept_sealed_with_what_was_asked_for(teacher: Person) -> None:
    teacher.connect()

    kept = await teacher.kept()
    assert kept is not None
    assert {*READING, *WRITING} == set(kept.scopes)
    access = Seal([KEY]).open(kept.access_sealed)
    assert owner(teacher, access).json()["name"] == "Theodora O'Neil"
    whole = b"".join(
        str(row).encode()
        for row in await teacher.school.database.rows(
            "select * from canvas_token where institution_id = $1", teacher.school.id
        )
    )
    assert access.encode() not in whole


async def test_the_request_is_as_canvas_wants_it(teacher: Person) -> None:
    asked = parse_qs(urlsplit(teacher.asked()).query)

    assert asked["response_type"] == ["code"]
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["code_challenge"][0]) == 43
    assert asked["scope"] == [" ".join((*READING, *WRITING))]
    assert asked["redirect_uri"] == ["http://127.0.0.1:8000/oauth/callback"]


async def test_an_answer_works_once(teacher: Person) -> None:
    back = teacher.agreed(teacher.asked())
    kept = dict(teacher.browser.cookies)
    assert teacher.at_the_gateway(back).status_code == 200
    teacher.browser.cookies.update(kept)

    again = teacher.at_the_gateway(back)

    assert again.status_code == 403
    assert "used already" in again.text


async def test_an_answer_of_another_browser_is_refused(teacher: Person) -> None:
    back = teacher.agreed(teacher.asked())
    teacher.browser.cookies.clear()

    answer = teacher.at_the_gateway(back)

    assert answer.status_code == 403
    assert "another browser" in answer.text
    assert await teacher.kept() is None


async def test_a_state_of_nobodys_is_refused(teacher: Person) -> None:
    query = urlencode({"code": "abc", "state": "made up"})
    assert teacher.at_the_gateway(f"/oauth/callback?{query}").status_code == 403
    assert teacher.at_the_gateway("/oauth/callback?code=abc").status_code == 403
    assert teacher.at_the_gateway("/oauth/callback").status_code == 403


async def test_somebody_elses_account_is_not_connected_and_given_back(teacher: Person) -> None:
    answer = teacher.at_the_gateway(teacher.agreed(teacher.asked(), login="zoneil"))

    assert answer.status_code == 403
    assert "somebody else" in answer.text
    assert await teacher.kept() is None
    zoe = teacher.twin.cast.people["student"].id
    granted = [one for one in teacher.twin.school.tokens.values() if one.purpose == PURPOSE]
    assert [(zoe, "deleted")] == [(one.user_id, one.workflow_state) for one in granted]


async def test_a_person_without_a_known_canvas_id_is_told_why(teacher: Person) -> None:
    await teacher.school.update("person", teacher.row, canvas_id=None)

    answer = teacher.connect()

    assert answer.status_code == 403
    assert "Canvas id is not known" in answer.text


async def test_who_does_not_agree_is_not_connected(teacher: Person) -> None:
    state = state_of(teacher.asked())

    answer = teacher.at_the_gateway(f"/oauth/callback?error=access_denied&state={state}")

    assert answer.status_code == 403
    assert "did not agree" in answer.text


async def test_a_code_that_canvas_does_not_know_is_refused(teacher: Person) -> None:
    state = state_of(teacher.asked())

    answer = teacher.at_the_gateway(f"/oauth/callback?code={'0' * 128}&state={state}")

    assert answer.status_code == 403
    assert "connect again" in answer.text


async def test_an_ended_session_connects_nobody(teacher: Person) -> None:
    opened = await sessions.find(teacher.school.database, teacher.cookie, Kind.COOKIE, now=NOW)
    assert opened is not None
    query = CLASS % teacher.twin.cast.courses["demo"].id
    address = teacher.query(query)["errors"][0]["extensions"]["connectUrl"]
    await sessions.end(teacher.school.database, opened.session, NOW)

    answer = teacher.at_the_gateway(address)

    assert answer.status_code == 401


@pytest.mark.parametrize("ticket", ["", "x", "gAAAAAB"])
async def test_a_made_up_ticket_is_none(teacher: Person, ticket: str) -> None:
    assert teacher.at_the_gateway(f"/oauth/connect?ticket={ticket}").status_code == 401


async def test_a_sealed_text_of_another_kind_is_no_ticket(teacher: Person) -> None:
    query = urlencode({"ticket": Seal([KEY]).close("[1, 1, 1, 99999999999]")})
    assert teacher.at_the_gateway(f"/oauth/connect?{query}").status_code == 401


async def test_afterwards_it_goes_on_to_a_host_product_and_nowhere_else(teacher: Person) -> None:
    back = teacher.agreed(teacher.asked(f"/oauth/connect?return_to={NOTEBOOK}/class"))
    answer = teacher.at_the_gateway(back)
    assert (303, f"{NOTEBOOK}/class") == (answer.status_code, answer.headers["location"])

    elsewhere = teacher.at_the_gateway("/oauth/connect?return_to=https://evil.example.com/")
    assert elsewhere.status_code == 403


async def test_in_a_frame_it_asks_for_a_window(teacher: Person) -> None:
    answer = teacher.at_the_gateway("/oauth/connect", headers={"sec-fetch-dest": "iframe"})

    assert answer.status_code == 200
    assert 'target="_blank"' in answer.text
    assert "ticket=" in answer.text


async def test_who_disconnects_is_disconnected_at_canvas_too(teacher: Person) -> None:
    teacher.connect()
    kept = await teacher.kept()
    assert kept is not None
    access = Seal([KEY]).open(kept.access_sealed)

    headers = {"cookie": f"roster_session={teacher.cookie}", "origin": "http://127.0.0.1:8000"}
    answer = teacher.browser.post("/oauth/disconnect", headers=headers)

    assert answer.status_code == 200
    assert await teacher.kept() is None
    assert owner(teacher, access).status_code == 401
    foreign = teacher.browser.post("/oauth/disconnect", headers=headers | {"origin": NOTEBOOK})
    assert foreign.status_code == 403


async def test_a_service_token_has_no_account_to_connect(teacher: Person) -> None:
    assert teacher.browser.get("/oauth/connect").status_code == 401
    other = await launched(teacher.school, teacher.row, teacher.course, person_id=None)
    answer = teacher.browser.get("/oauth/connect", headers={"cookie": f"roster_session={other}"})
    assert answer.status_code == 403
