"""Good launches, by the names of the certification suite: who may be launched, and what is known of them afterwards."""

from typing import Any

import orjson
import pytest

from tests.gateway.lti import platform
from tests.gateway.lti.conftest import Person, Tool
from tests.gateway.lti.platform import (
    ADMINISTRATOR,
    INSTRUCTOR,
    LEARNER,
    LTI,
    TA,
    TEST_USER,
    USER,
    account_claims,
)

GOOD: dict[str, tuple[dict[str, Any], str]] = {
    "instructor": ({}, "TEACHER"),
    "student": ({f"{LTI}roles": [LEARNER, USER]}, "STUDENT"),
    "TA": ({f"{LTI}roles": [TA, INSTRUCTOR, USER]}, "TA"),
    "several roles": (
        {f"{LTI}roles": [LEARNER, f"{platform.V2}/membership#Mentor"]},
        "STUDENT OBSERVER",
    ),
    "short role name": ({f"{LTI}roles": ["Learner"]}, "STUDENT"),
    "unknown roles": ({f"{LTI}roles": ["http://example.edu/roles#Wizard"]}, ""),
    "empty roles": ({f"{LTI}roles": []}, ""),
    "no roles": ({f"{LTI}roles": None}, ""),
    "administrator who is nobody in the course": ({f"{LTI}roles": [ADMINISTRATOR, USER]}, ""),
    "no name": ({"name": None, "given_name": None, "family_name": None}, "TEACHER"),
    "no e-mail": ({"email": None}, "TEACHER"),
    "no personal data": (
        dict.fromkeys(("name", "given_name", "family_name", "email", "picture")),
        "TEACHER",
    ),
    "audience in a list": ({"aud": [platform.CLIENT_ID]}, "TEACHER"),
    "several audiences": ({"aud": [platform.CLIENT_ID, "another"]}, "TEACHER"),
    "no azp": ({"azp": None}, "TEACHER"),
    "no context": ({f"{LTI}context": None}, ""),
}


@pytest.mark.parametrize(("changes", "types"), GOOD.values(), ids=GOOD)
async def test_a_good_launch_is_let_in(
    tool: Tool, person: Person, changes: dict[str, Any], types: str
) -> None:
    if f"{LTI}roles" in changes:  # Canvas's own names for them are not there either
        changes = {f"{LTI}custom": {}, **changes}

    answer = await person.launch(**changes)

    assert 303 == answer.status_code, answer.text
    assert answer.headers["location"].startswith(
        "https://notebook.example.edu/launch?from=roster&code="
    )
    [session] = await tool.sessions()
    assert types == session["types"]
    assert "__Host-roster_session" in answer.headers["set-cookie"]
    assert "SameSite=None; Partitioned" in answer.headers["set-cookie"]


async def test_what_a_launch_tells_is_written_down(tool: Tool, person: Person) -> None:
    await person.launch()

    [known] = await tool.rows("person")
    expected = {
        "name": "Zoë O'Neil-Núñez",
        "sortable_name": "O'Neil-Núñez, Zoë",
        "email": "zoe+lms@school.example.edu",
        "sis_id": "S-000123",
        "login_id": "zoneil",
        "canvas_id": 170000000002231,
        "name_source": "LAUNCH",
    }
    assert expected == {name: known[name] for name in expected}
    [course] = await tool.rows("course")
    assert (170000000000412, "2025FA-CS101", "CS-101", platform.COURSE_CONTEXT, "AVAILABLE") == (
        course["canvas_id"],
        course["sis_id"],
        course["course_code"],
        course["lti_context_id"],
        course["state"],
    )
    [membership] = await tool.rows("membership")
    assert ("TEACHER", "ACTIVE", "LAUNCH") == (
        membership["types"],
        membership["state"],
        membership["source"],
    )
    assert INSTRUCTOR in orjson.loads(membership["roles"])
    [context] = await tool.rows("lti_context")
    assert context["memberships_url"].endswith("/api/lti/courses/412/names_and_roles")
    assert [] == await tool.rows("enrollment")
    feed = [(row["subject_type"], row["kind"], row["source"]) for row in await tool.rows("change")]
    told = [(subject, "CREATED", "LAUNCH") for subject in ("User", "Course", "Membership")]
    assert told == feed


async def test_aliases_of_every_kind_are_kept_with_their_scope(tool: Tool, person: Person) -> None:
    await person.launch()

    kept = {(row["kind"], row["scope"], row["value"]) for row in await tool.rows("identity")}
    scope = f"{platform.ISSUER} {platform.CLIENT_ID}"
    assert {
        ("lti13_sub", scope, platform.SUB),
        ("lti11_user_id", "", platform.LEGACY),
        ("canvas_global_id", "", "170000000002231"),
        ("canvas_uuid", "", "Vq7rTz2bXk9LmP4sNd8wJy3hGf6cRa1eUo5iQt0Z"),
        ("sis_user_id", "", "S-000123"),
        ("login_id", "", "zoneil"),
        ("email", "", "zoe+lms@school.example.edu"),
    } == kept


async def test_the_second_launch_of_somebody_adds_nothing(tool: Tool, person: Person) -> None:
    await person.launch()
    before = [await tool.rows(table) for table in ("identity", "change", "lti_context")]
    tool.clock.forward(minutes=5)

    await person.launch()

    assert 1 == len(await tool.rows("person"))
    assert 2 == len(await tool.sessions())
    after = [await tool.rows(table) for table in ("identity", "change", "lti_context")]
    assert [len(rows) for rows in before] == [len(rows) for rows in after]


async def test_an_account_launch_makes_no_course_and_believes_no_variable(
    tool: Tool, person: Person
) -> None:
    begun = await person.login()
    claims = account_claims(tool.clock(), begun.nonce)

    answer = await person.post(id_token=platform.signed(claims), state=begun.state)

    assert 303 == answer.status_code, answer.text
    [session] = await tool.sessions()
    assert (None, 170000000000001, "") == (
        session["course_id"],
        session["account_canvas_id"],
        session["types"],
    )
    assert [] == await tool.rows("course") + await tool.rows("membership")
    assert not [row for row in await tool.rows("identity") if row["value"].startswith("$")]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"sub": None, f"{LTI}lti11_legacy_user_id": ""}, id="anonymous"),
        pytest.param({f"{LTI}roles": [LEARNER, TEST_USER]}, id="test student"),
    ],
)
async def test_who_is_nobody_gets_a_session_and_becomes_no_person(
    tool: Tool, person: Person, changes: dict[str, Any]
) -> None:
    answer = await person.launch(**changes)

    assert 303 == answer.status_code
    [session] = await tool.sessions()
    assert (None, "") == (session["person_id"], session["types"])
    assert [] == await tool.rows("person") + await tool.rows("membership")


async def test_who_acts_for_somebody_is_written_down_beside_them(
    tool: Tool, person: Person
) -> None:
    custom = platform.course_claims(tool.clock(), "")[f"{LTI}custom"]

    await person.launch(**{f"{LTI}custom": {**custom, "canvas_masquerading_user_id": "17"}})

    [session] = await tool.sessions()
    assert "17" == session["real_user"]


async def test_custom_fields_of_a_link_make_nobody_somebody_else(
    tool: Tool, person: Person
) -> None:
    """Whoever makes a link may write custom fields into it, and have others or themselves open it."""
    await person.launch()
    forged = {
        f"{LTI}resource_link": {"id": "a-link-in-a-module"},
        "https://www.instructure.com/placement": None,
        "sub": "another-sub",
        f"{LTI}lti11_legacy_user_id": "another",
        f"{LTI}lti1p1": {},
        f"{LTI}lis": {},
        "email": "mallory@school.example.edu",
    }

    await person.launch(**forged)

    first, second = await tool.sessions()
    assert first["person_id"] != second["person_id"]
    assert first["course_id"] == second["course_id"]


async def test_the_page_that_may_frame_ours_is_the_platforms(tool: Tool, person: Person) -> None:
    await person.launch()

    [session] = await tool.sessions()
    assert "https://school.instructure.com" == session["platform_origin"]


@pytest.mark.parametrize(
    ("target", "where"),
    [
        ("/lti/launch?host=slides", "https://slides.example.edu/?code="),
        ("/lti/launch?host=console", "https://roster.example.edu/console?code="),
        ("/lti/launch?host=unknown", "https://notebook.example.edu/launch?from=roster&code="),
        ("/lti/launch", "https://notebook.example.edu/launch?from=roster&code="),
    ],
)
async def test_the_target_says_which_product_a_launch_is_for(
    person: Person, target: str, where: str
) -> None:
    answer = await person.launch(**{f"{LTI}target_link_uri": platform.PUBLIC_URL + target})

    assert answer.headers["location"].startswith(where)


async def test_a_target_elsewhere_is_not_followed(person: Person) -> None:
    answer = await person.launch(
        **{f"{LTI}target_link_uri": "https://evil.example.org/?host=slides"}
    )

    assert answer.headers["location"].startswith("https://notebook.example.edu/")
