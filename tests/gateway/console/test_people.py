"""The identity desk as a page: what waits is shown, settled by a button, and taken back by another."""

import re

import pytest
from starlette.testclient import TestClient

from models.roster import IdentityKind
from tests.factories import School
from tests.gateway.console.conftest import hidden, launched, operator_token, text_of
from tests.gateway.console.test_connections import signed_in


@pytest.fixture
async def conflict(school: School) -> int:
    holder = await school.person(name="Zoe <old>", sis_id="S-1")
    claimant = await school.person(name="Zoë new")
    return await school.add(
        "identity_conflict",
        kind=IdentityKind.SIS_USER_ID.value,
        value="S-1",
        person_id=claimant,
        other_person_id=holder,
        evidence="the same SIS id, but another Canvas id",
        proposal="move it if the school has given it to somebody else",
    )


async def resolution(school: School) -> str | None:
    [row] = await school.database.rows("select resolution from identity_conflict")
    found: str | None = row["resolution"]
    return found


async def test_what_waits_is_shown_with_both_sides_and_a_proposal(
    school: School, browser: TestClient, conflict: int
) -> None:
    signed_in(browser, await operator_token(school))

    answer = browser.get("/console/people")

    said = text_of(answer)
    assert "SIS id S-1 the same SIS id, but another Canvas id" in said
    assert "Claimed by Zoë new" in said
    assert "Held by Zoe <old> S-1" in said
    assert "Proposed It is the claimant's: move it: move it if the school has given it" in said
    assert {"CONFIRM", "MERGE", "KEEP"} == set(
        re.findall(r'name="task" value="(\w+)"', answer.text)
    )


async def test_a_button_settles_it_and_another_takes_it_back(
    school: School, browser: TestClient, conflict: int
) -> None:
    signed_in(browser, await operator_token(school))
    node = hidden(browser.get("/console/people"), "conflict")

    settled = browser.post("/console/people/settle", data={"conflict": node, "task": "CONFIRM"})

    assert "MOVE" == await resolution(school)
    assert "Nothing waits here." in text_of(settled)
    assert "SIS id S-1: Zoë new S-1 , Zoe <old> It is the claimant's: move it" in text_of(settled)

    undone = browser.post("/console/people/settle", data={"conflict": node, "task": "UNDO"})

    assert await resolution(school) is None
    assert "Claimed by Zoë new" in text_of(undone)


async def test_what_cannot_be_done_is_said(
    school: School, browser: TestClient, conflict: int
) -> None:
    signed_in(browser, await operator_token(school))
    node = hidden(browser.get("/console/people"), "conflict")

    for data, words in (
        ({"conflict": node, "task": "UNDO"}, "This conflict is not settled."),
        ({"conflict": node, "task": "BURN"}, "'BURN'"),
        ({"conflict": "nonsense", "task": "KEEP"}, "is not a node id"),
    ):
        assert words in text_of(browser.post("/console/people/settle", data=data))
    assert await resolution(school) is None


async def test_an_operator_without_cookies_settles_by_forms(
    school: School, browser: TestClient, conflict: int
) -> None:
    token = await operator_token(school)
    page = browser.post("/console/people", data={"token": token})
    data = {"token": token, "conflict": hidden(page, "conflict"), "task": "KEEP"}

    browser.post("/console/people/settle", data=data)

    assert "KEEP" == await resolution(school)


async def test_another_sites_form_settles_nothing(
    school: School, browser: TestClient, conflict: int
) -> None:
    signed_in(browser, await operator_token(school))
    node = hidden(browser.get("/console/people"), "conflict")

    answer = browser.post(
        "/console/people/settle",
        data={"conflict": node, "task": "MERGE"},
        headers={"origin": "https://evil.example"},
    )

    assert 403 == answer.status_code
    assert await resolution(school) is None


async def test_a_teacher_settles_nothing(
    school: School, browser: TestClient, conflict: int
) -> None:
    cookie, _ = await launched(school, await school.person(name="Tom"))

    answer = browser.post(
        "/console/people/settle",
        data={"conflict": "x", "task": "MERGE"},
        headers={"cookie": f"__Host-roster_session={cookie}"},
    )

    assert 403 == answer.status_code
