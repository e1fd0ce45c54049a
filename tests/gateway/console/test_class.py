"""What a launched person sees: their class, whence and how fresh it is, in a frame of their platform and of no other."""

from datetime import timedelta

import pytest
from starlette.testclient import TestClient

from gateway.readpath import node_ids
from tests.factories import School
from tests.gateway.console.conftest import (
    NOW,
    cookied,
    hidden,
    launched,
    text_of,
)


@pytest.fixture
async def botany(school: School) -> int:
    """A course with a teacher and a student, read whole."""
    course = await school.course(name="Botany <1>", course_code="BOT-1")
    section = await school.section(course, name="Morning")
    await school.enroll(
        await school.person(name="Zoe Neil", sortable_name="Neil, Zoe", email="zoe@example.edu"),
        section,
        course,
    )
    await school.covered(
        "enrollment", scope_kind="course", scope_id=course, began_at=NOW - timedelta(hours=5)
    )
    return course


@pytest.fixture
async def teacher(school: School, botany: int) -> int:
    person = await school.person(name="Tom Teach", sortable_name="Teach, Tom")
    await school.enroll(
        person, None, botany, type="TEACHER", role="TeacherEnrollment", limit_to_section=False
    )
    return person


async def test_a_launched_teacher_sees_the_class_and_whence_it_is(
    school: School, browser: TestClient, botany: int, teacher: int
) -> None:
    cookie, _ = await launched(school, teacher, botany)

    answer = browser.get("/console", headers=cookied(cookie))

    assert 200 == answer.status_code, answer.text
    said = text_of(answer)
    assert "Botany <1>" in said
    assert "Neil, Zoe zoe@example.edu Student Morning" in said
    assert "Teach, Tom" in said
    assert "2 people" in said
    assert "From the school's provisioning report, read 5 hours ago." in said
    assert "Everybody who should be in it is in it." in said
    assert "Identity desk" not in said


async def test_only_the_platform_and_the_school_may_frame_it(
    school: School, browser: TestClient, botany: int, teacher: int
) -> None:
    cookie, _ = await launched(school, teacher, botany)

    policy = browser.get("/console", headers=cookied(cookie)).headers["content-security-policy"]

    assert "default-src 'none'" in policy
    ancestors = policy.partition("frame-ancestors ")[2].split()
    assert [
        "'self'",
        "https://canvas.example.edu",
        "https://school.instructure.com",
        "https://sso.canvaslms.com",
    ] == ancestors
    for_nobody = browser.get("/console").headers["content-security-policy"]
    assert for_nobody.endswith("frame-ancestors 'self'")


async def test_in_a_frame_nobody_is_told_so_and_asked_for_nothing(browser: TestClient) -> None:
    answer = browser.get("/console", headers={"sec-fetch-dest": "iframe"})

    assert 401 == answer.status_code
    assert "Open the tool again from your course." in text_of(answer)
    assert "<input" not in answer.text
    assert "frame-ancestors" not in answer.headers["content-security-policy"]


async def test_the_codes_address_is_left_at_once_where_the_cookie_came_along(
    school: School, browser: TestClient, botany: int, teacher: int
) -> None:
    cookie, code = await launched(school, teacher, botany)

    answer = browser.get("/console", params={"code": code}, headers=cookied(cookie))

    assert (303, "/console") == (answer.status_code, answer.headers["location"])
    assert 401 == browser.get("/console", params={"code": code}).status_code


async def test_without_a_cookie_the_visitor_goes_on_by_forms(
    school: School, browser: TestClient, botany: int, teacher: int
) -> None:
    _, code = await launched(school, teacher, botany)

    first = browser.get("/console", params={"code": code})
    second = browser.post("/console", data={"token": hidden(first, "token")})

    assert "Neil, Zoe" in text_of(first)
    assert "Neil, Zoe" in text_of(second)
    assert hidden(first, "token") != hidden(second, "token")
    assert "rss_" not in str(first.url) + str(second.url)
    left = browser.post("/console/leave", data={"token": hidden(second, "token")})
    assert 401 == left.status_code
    assert 401 == browser.post("/console", data={"token": hidden(second, "token")}).status_code


async def test_another_sites_form_does_nothing(
    school: School, browser: TestClient, botany: int, teacher: int
) -> None:
    cookie, _ = await launched(school, teacher, botany)

    for origin in ("https://evil.example", "null", ""):
        answer = browser.post("/console/leave", headers={"origin": origin, **cookied(cookie)})
        assert 403 == answer.status_code
    assert 200 == browser.get("/console", headers=cookied(cookie)).status_code


async def test_who_was_launched_elsewhere_sees_the_courses_that_are_theirs(
    school: School, browser: TestClient, botany: int, teacher: int
) -> None:
    await school.course(name="Zoology")
    cookie, _ = await launched(school, teacher)

    said = text_of(browser.get("/console", headers=cookied(cookie)))

    assert "Botany <1>" in said
    assert "Zoology" not in said


async def test_a_course_that_nothing_was_read_of_says_so(
    school: School, browser: TestClient, teacher: int
) -> None:
    course = await school.course(name="Empty")
    cookie, _ = await launched(school, teacher, course)

    said = text_of(browser.get("/console", headers=cookied(cookie)))

    assert "Nothing was ever read that could tell who is in it." in said


@pytest.mark.parametrize("what", ["nobody", "a stranger's cookie", "a used code"])
async def test_nobody_sees_nothing(browser: TestClient, what: str) -> None:
    headers = cookied("unknown") if what == "a stranger's cookie" else {}
    params = {"code": "used"} if what == "a used code" else {}

    answer = browser.get("/console", params=params, headers=headers)

    assert 401 == answer.status_code
    assert "A service token with the scope admin" in text_of(answer)


async def test_who_acts_as_somebody_is_told_so(
    school: School, browser: TestClient, botany: int, teacher: int
) -> None:
    cookie, _ = await launched(school, teacher, botany, real_user="99")

    said = text_of(browser.get("/console", headers=cookied(cookie)))

    assert "You act as somebody else: Canvas user 99" in said


async def test_a_course_of_another_school_is_not_there(
    school: School, browser: TestClient, botany: int, teacher: int
) -> None:
    other = await School.open(school.database, slug="other")
    elsewhere = await other.course(name="Secret")
    cookie, _ = await launched(school, teacher, botany)

    answer = browser.get(
        "/console/class",
        params={"course": node_ids.encode("Course", elsewhere)},
        headers=cookied(cookie),
    )

    assert 400 == answer.status_code
    assert "Secret" not in answer.text
