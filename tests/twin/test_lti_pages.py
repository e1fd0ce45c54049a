"""The launches page, and the page that shows a tool."""

import re
import time

import httpx

from tests.twin.browser import log_in, tool11, tool13
from tests.twin.conftest import MakeTwin, Twin


async def page(twin: Twin, **params: str) -> str:
    response = await twin.client.get("/twin/launches", params=params)
    assert response.status_code == 200
    return response.text


def people_on(text: str) -> list[str]:
    return re.findall(r"<tr><td>(.*?)<br>", text)


async def test_front_page_leads_to_the_launches(twin: Twin) -> None:
    assert (await twin.client.get("/")).headers["location"] == "/twin/launches"


async def test_people_stand_with_their_courses_and_roles(twin: Twin) -> None:
    demo = twin.cast.courses["demo"]
    teacher = twin.cast.people["teacher"]

    text = await page(twin, person="toneil")

    assert people_on(text) == ["Theodora O&#x27;Neil"]
    button = f'value="{teacher.id}:course_{demo.id}">Computer Science 101 (Teacher)</button>'
    assert button in text


async def test_admins_stand_with_their_accounts(twin: Twin) -> None:
    text = await page(twin, person="Ada Root")

    assert ':account_1">Example School (Account Admin)</button>' in text


async def test_person_is_found_by_name_login_sis_id_and_number(twin: Twin) -> None:
    student = twin.cast.people["student"]

    for wanted in ("zoë", "ZONEIL", "000123", str(student.id)):
        assert "Zoë Neil" in people_on(await page(twin, person=wanted))
    assert people_on(await page(twin, person="nobody is called so")) == []


async def test_course_narrows_people_and_their_buttons(twin: Twin) -> None:
    demo = twin.cast.courses["demo"]
    text = await page(twin, course=demo.sis_source_id or "", person="zoneil")

    assert people_on(text) == ["Zoë Neil"]
    assert re.findall(r":course_(\d+)", text) == [str(demo.id)]
    assert "Dropped" not in people_on(await page(twin, course=str(demo.id)))


async def test_pages_follow_each_other_without_gap_or_repeat(twin: Twin) -> None:
    seen: list[str] = []
    number = 1
    text = await page(twin)
    while True:
        seen += re.findall(r'<span class="quiet">(\d+) ·', text)
        if ">Next</a>" not in text:
            break
        number += 1
        text = await page(twin, page=str(number))

    alive = [u.id for u in twin.school.users.values() if u.workflow_state != "deleted"]
    assert [str(user_id) for user_id in alive] == seen
    assert len(seen) > 50


async def test_names_are_escaped(twin: Twin) -> None:
    twin.school.update(twin.cast.people["student"], name="<script>alert(1)</script>")

    text = await page(twin, person="zoneil")

    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


async def test_launch_logs_in_and_frames_the_tool(twin: Twin) -> None:
    student, demo = twin.cast.people["student"], twin.cast.courses["demo"]

    response = await log_in(twin, student, demo, tool13(twin))

    assert response.url.path == f"/courses/{demo.id}/external_tools/1"
    assert 'name="post_message_forwarding" src="/post_message_forwarding" hidden' in response.text
    assert 'target="tool_content"' in response.text
    assert '<iframe class="tool" name="tool_content"' in response.text
    set_cookies = response.history[0].headers.get_list("set-cookie")
    assert any("SameSite=none" in cookie and "Secure" in cookie for cookie in set_cookies)
    assert all("HttpOnly" in cookie for cookie in set_cookies)


async def test_privacy_level_is_chosen_on_the_page(twin: Twin) -> None:
    student, demo = twin.cast.people["student"], twin.cast.courses["demo"]

    await log_in(twin, student, demo, tool11(twin), privacy="anonymous")
    assert tool11(twin).privacy_level == "anonymous"
    await log_in(twin, student, demo, tool11(twin), privacy="")
    assert tool11(twin).privacy_level == "anonymous"


async def test_nonsense_is_not_found(twin: Twin) -> None:
    async def launch(value: str, tool: str = "1") -> httpx.Response:
        return await twin.client.post("/twin/launches", data={"launch": value, "tool": tool})

    student = twin.cast.people["student"].id
    for response in (
        await launch("x"),
        await launch(f"{student}:planet_1"),
        await launch(f"{student}:course_1", "77"),
        await twin.client.get("/courses/987654/external_tools/1"),
        await twin.client.get("/courses/1/external_tools/77"),
        await twin.client.get("/planets/1/external_tools/1"),
        await twin.client.get("/twin/assets/secret.js"),
    ):
        assert response.status_code == 404


async def test_return_url_shows_what_the_tool_says(twin: Twin) -> None:
    demo = twin.cast.courses["demo"]

    response = await twin.client.get(
        f"/courses/{demo.id}/external_content/success/external_tool_redirect",
        params={"lti_msg": "All <done>"},
    )

    assert "All &lt;done&gt;" in response.text


async def test_page_of_sixty_thousand_people_is_quick(make_twin: MakeTwin) -> None:
    twin = make_twin(users=60_000, courses=200, enrollments=60_000, big=2_000)
    assert len(twin.school.users) >= 60_000
    begun = time.perf_counter()

    for params in ({}, {"page": "2000"}, {"person": "nobody at all"}, {"course": "a"}):
        await page(twin, **params)

    assert time.perf_counter() - begun < 4
