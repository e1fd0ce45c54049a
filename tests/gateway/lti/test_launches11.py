"""LTI 1.1 launches, signed by oauthlib as other platforms are: which are let in, and how each bad one is refused."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from oauthlib.oauth1 import SIGNATURE_HMAC_SHA256, SIGNATURE_TYPE_BODY
from oauthlib.oauth1 import Client as Signer

from gateway.errors import LaunchRefused
from gateway.lti import oauth1
from tests.gateway.lti import platform
from tests.gateway.lti.conftest import CONSUMER_KEY, CONSUMER_SECRET, Person, Tool

PATH = "/lti/1.1/launch"
URL = platform.PUBLIC_URL + PATH
FORM = {"content-type": "application/x-www-form-urlencoded"}

# A course-navigation launch at privacy level `public` (fact sheet lti-launch.md §1.4).
PARAMETERS = {
    "lti_message_type": "basic-lti-launch-request",
    "lti_version": "LTI-1p0",
    "resource_link_id": platform.COURSE_CONTEXT,
    "resource_link_title": "Roster Gateway",
    "user_id": platform.LEGACY,
    "user_image": "https://school.instructure.com/images/thumbnails/77/q%20r",
    "roles": "Instructor,urn:lti:role:ims/lis/TeachingAssistant",
    "custom_canvas_enrollment_state": "active",
    "lis_person_name_given": "Zoë",
    "lis_person_name_family": "O'Neil-Núñez",
    "lis_person_name_full": "Zoë O'Neil-Núñez",
    "lis_person_contact_email_primary": "zoe+lms@school.example.edu",
    "lis_person_sourcedid": "S-000123",
    "custom_canvas_user_id": "2231",
    "custom_canvas_user_login_id": "zoneil",
    "custom_canvas_course_id": "412",
    "custom_canvas_workflow_state": "available",
    "lis_course_offering_sourcedid": "2025FA-CS101",
    "custom_canvas_api_domain": "school.instructure.com",
    "custom_section_sis_ids": "",
    "context_id": platform.COURSE_CONTEXT,
    "context_title": "Computer Science 101 & Lab",
    "context_label": "CS-101",
    "launch_presentation_return_url": "https://school.instructure.com/courses/412/x",
    "tool_consumer_instance_guid": "Hq3sWmT9xLr2VbN8cKdP5gYf1JzQa7uE0oRi4tXy:canvas-lms",
    "tool_consumer_info_product_family_code": "canvas",
}
PRIVATE = ("custom_", "lis_", "user_image")


@pytest.fixture
def engine() -> str:
    """One is enough for signatures."""
    return "sqlite"


def oauthlib_body(
    tool: Tool,
    parameters: dict[str, str] | list[tuple[str, str]],
    *,
    url: str = URL,
    key: str = CONSUMER_KEY,
    secret: str = CONSUMER_SECRET,
    nonce: str = "Zt8vQ2mXc4LrN7bK1pHd6sWyGq3uEoA9iJfVxB0TzM",
    at: datetime | None = None,
    method: str = "HMAC-SHA1",
) -> str:
    signer = Signer(
        key,
        client_secret=secret,
        signature_method=method,
        signature_type=SIGNATURE_TYPE_BODY,
        nonce=nonce,
        timestamp=str(int((at or tool.clock()).timestamp())),
    )
    _, _, body = signer.sign(url, "POST", urlencode(parameters), FORM)
    signed: str = body
    return signed


async def post(person: Person, body: str, path: str = PATH) -> httpx.Response:
    return await person.client.post(path, content=body.encode(), headers=FORM)


async def test_a_launch_signed_by_oauthlib_is_let_in(tool: Tool, person: Person) -> None:
    answer = await post(person, oauthlib_body(tool, PARAMETERS))

    assert 303 == answer.status_code, answer.text
    assert "__Host-roster_session" in answer.headers["set-cookie"]
    [session] = await tool.sessions()
    assert "TEACHER TA" == session["types"]
    [known] = await tool.rows("person")
    assert ("Zoë O'Neil-Núñez", "S-000123", 10000000002231) == (
        known["name"],
        known["sis_id"],
        known["canvas_id"],
    )
    [course] = await tool.rows("course")
    assert (10000000000412, platform.COURSE_CONTEXT) == (
        course["canvas_id"],
        course["lti_context_id"],
    )
    assert ["TEACHER,TA"] == [row["types"] for row in await tool.rows("membership")]
    assert [] == await tool.rows("enrollment")


async def test_somebody_known_by_lti_11_is_the_same_by_lti_13(tool: Tool, person: Person) -> None:
    """The migration bridge: the 1.1 user id comes with every 1.3 launch of Canvas."""
    anonymous = {n: v for n, v in PARAMETERS.items() if not n.startswith(PRIVATE)}
    await post(person, oauthlib_body(tool, anonymous))

    await person.launch(**{f"{platform.LTI}custom": {}})

    assert 1 == len(await tool.rows("person"))
    kinds = [row["kind"] for row in await tool.rows("identity")]
    assert {"lti11_user_id", "lti13_sub"} <= set(kinds)


GOOD: dict[str, dict[str, str]] = {
    "student": {"roles": "Learner"},
    "no roles": {"roles": ""},
    "unknown roles": {"roles": "Wizard,urn:lti:role:ims/lis/Wizard"},
    "Unicode and line breaks": {"context_title": "数学 😀\r\nand more"},
    "a plus and an ampersand": {"context_title": "a+b & c=d %20"},
    "a tilde": {"resource_link_title": "~tilde~ *star* (paren)"},
}


@pytest.mark.parametrize("changes", GOOD.values(), ids=GOOD)
async def test_good_launches(tool: Tool, person: Person, changes: dict[str, str]) -> None:
    answer = await post(person, oauthlib_body(tool, {**PARAMETERS, **changes}))

    assert 303 == answer.status_code, answer.text


async def test_a_repeated_custom_parameter_is_signed_twice_and_let_in(
    tool: Tool, person: Person
) -> None:
    pairs = [*PARAMETERS.items(), ("custom_tag", "b"), ("custom_tag", "a")]

    answer = await post(person, oauthlib_body(tool, pairs))

    assert 303 == answer.status_code, answer.text


async def test_a_launch_of_moodle_is_let_in(tool: Tool, person: Person) -> None:
    """Nothing that only Canvas has is needed, and a teacher's own parameters make nobody somebody."""
    moodle = {
        "lti_message_type": "basic-lti-launch-request",
        "lti_version": "LTI-1p0",
        "resource_link_id": "7",
        "user_id": "3",
        "roles": "Instructor,urn:lti:sysrole:ims/lis/Administrator",
        "context_id": "2",
        "context_type": "CourseSection",
        "context_title": "Maths",
        "lis_person_name_full": "Ada Moodle",
        "lis_course_section_sourcedid": "MATH-1",
        "custom_canvas_user_id": "2231",
        "tool_consumer_info_product_family_code": "moodle",
    }

    answer = await post(person, oauthlib_body(tool, moodle))

    assert 303 == answer.status_code, answer.text
    [known] = await tool.rows("person")
    assert ("Ada Moodle", None) == (known["name"], known["canvas_id"])
    [course] = await tool.rows("course")
    assert ("Maths", "MATH-1") == (course["name"], course["sis_id"])


async def test_the_query_counts_as_the_rfc_has_it(tool: Tool, person: Person) -> None:
    url = f"{URL}?tenant=demo&v=2"
    body = oauthlib_body(tool, PARAMETERS, url=url)

    answer = await post(person, body, f"{PATH}?tenant=demo&v=2")

    assert 303 == answer.status_code, answer.text


async def test_the_query_counts_as_canvas_has_it(tool: Tool, person: Person) -> None:
    """Copied into the body, signed once, and posted to the URL with it all the same."""
    body = oauthlib_body(tool, {**PARAMETERS, "tenant": "demo", "v": "2"})

    answer = await post(person, body, f"{PATH}?tenant=demo&v=2")

    assert 303 == answer.status_code, answer.text


async def test_what_a_link_says_in_its_url_makes_nobody_somebody_else(
    tool: Tool, person: Person
) -> None:
    """Canvas copies the URL's parameters into the body and signs them: a link's author may write any there."""
    await post(person, oauthlib_body(tool, PARAMETERS))
    bare = {n: v for n, v in PARAMETERS.items() if not n.startswith(PRIVATE)}
    forged = {"custom_canvas_user_id": "2231", "lis_person_sourcedid": "S-000123"}
    mallory = {**bare, **forged, "user_id": "m" * 40, "roles": "Learner"}

    answer = await post(
        person,
        oauthlib_body(tool, mallory, nonce="another-nonce"),
        f"{PATH}?{urlencode(forged)}",
    )

    assert 303 == answer.status_code, answer.text
    first, second = await tool.sessions()
    assert first["person_id"] != second["person_id"]


Signed = Callable[[Tool], tuple[str, str]]  # the body, and the path with its query


def _with(**changes: Any) -> Signed:
    return lambda tool: (oauthlib_body(tool, PARAMETERS, **changes), PATH)


def _parameters(**changes: str | None) -> Signed:
    kept = {n: v for n, v in {**PARAMETERS, **changes}.items() if v is not None}
    return lambda tool: (oauthlib_body(tool, kept), PATH)


def _edited(old: str, new: str) -> Signed:
    return lambda tool: (oauthlib_body(tool, PARAMETERS).replace(old, new), PATH)


def _old(seconds: int) -> Signed:
    return lambda tool: (
        oauthlib_body(
            tool,
            PARAMETERS,
            at=datetime.fromtimestamp(tool.clock().timestamp() + seconds, UTC),
        ),
        PATH,
    )


BAD: dict[str, tuple[Signed, str]] = {
    "unknown consumer": (_with(key="another"), "consumer_key"),
    "wrong secret": (_with(secret="guess"), "signature"),
    "signed for http": (_with(url=URL.replace("https", "http")), "signature"),
    "signed for another host": (_with(url=f"https://other.example.edu{PATH}"), "signature"),
    "signed for another path": (_with(url=f"{URL}/"), "signature"),
    "a blank parameter dropped": (_edited("&custom_section_sis_ids=", ""), "signature"),
    "tampered role": (_edited("roles=Instructor", "roles=Administrator"), "signature"),
    "tampered custom field": (_edited("user_id=2231", "user_id=1"), "signature"),
    "a parameter added": (
        lambda tool: (oauthlib_body(tool, PARAMETERS) + "&x=1", PATH),
        "signature",
    ),
    "a query added": (lambda tool: (oauthlib_body(tool, PARAMETERS), f"{PATH}?x=1"), "signature"),
    "HMAC-SHA256": (_with(method=SIGNATURE_HMAC_SHA256), "signature_method"),
    "PLAINTEXT": (_with(method="PLAINTEXT"), "signature_method"),
    "too old": (_old(-301), "timestamp"),
    "from the future": (_old(301), "timestamp"),
    "a timestamp that is none": (_edited("oauth_timestamp=1", "oauth_timestamp=x1"), "timestamp"),
    "nonce too short": (_with(nonce="short"), "nonce"),
    "no signature": (lambda _: (urlencode(PARAMETERS), PATH), "oauth_consumer_key"),
    "wrong message type": (_parameters(lti_message_type="ContentItemSelection"), "message_type"),
    "wrong version": (_parameters(lti_version="LTI-2p0"), "version"),
    "no resource link": (_parameters(resource_link_id=None), "resource_link"),
    "two user ids": (
        lambda tool: (oauthlib_body(tool, [*PARAMETERS.items(), ("user_id", "x")]), PATH),
        "user_id",
    ),
    "two signatures": (
        lambda tool: (oauthlib_body(tool, PARAMETERS) + "&oauth_signature=x", PATH),
        "oauth_signature",
    ),
    "no form": (lambda _: ("%ff=%ff", PATH), "form"),
}


@pytest.mark.parametrize(("make", "check"), BAD.values(), ids=BAD)
async def test_a_bad_launch_is_refused(
    tool: Tool,
    person: Person,
    caplog: pytest.LogCaptureFixture,
    make: Signed,
    check: str,
) -> None:
    body, path = make(tool)

    answer = await post(person, body, path)

    assert 400 == answer.status_code, answer.text
    assert f"<pre>{check} ·" in answer.text
    [line] = [record for record in caplog.records if record.getMessage() == "launch refused"]
    assert check == line.__dict__["fields"]["check"]
    assert "set-cookie" not in answer.headers
    assert [] == await tool.sessions() + await tool.rows("person") + await tool.rows("lti_nonce")


async def test_a_launch_cannot_be_posted_twice(tool: Tool, person: Person) -> None:
    body = oauthlib_body(tool, PARAMETERS)
    await post(person, body)

    answer = await post(person, body)

    assert 400 == answer.status_code
    assert "used already" in answer.text
    assert 1 == len(await tool.sessions())


async def test_a_nonce_may_come_again_when_no_timestamp_of_its_time_would_pass(
    tool: Tool, person: Person
) -> None:
    await post(person, oauthlib_body(tool, PARAMETERS))
    tool.clock.forward(seconds=601)

    answer = await post(person, oauthlib_body(tool, PARAMETERS))

    assert 303 == answer.status_code


# The worked examples of the fact sheet, lti-launch.md §1.4 and §1.5, which oauthlib was checked with.
WORKED = {
    **PARAMETERS,
    "ext_roles": "urn:lti:instrole:ims/lis/Instructor,urn:lti:role:ims/lis/Instructor,"
    "urn:lti:role:ims/lis/TeachingAssistant,urn:lti:sysrole:ims/lis/User",
    "custom_section_ids": "918,921",
    "launch_presentation_locale": "en",
    "launch_presentation_document_target": "iframe",
    "launch_presentation_width": "800",
    "launch_presentation_height": "400",
    "launch_presentation_return_url": "https://school.instructure.com/courses/412/external_content/success/external_tool_redirect",
    "tool_consumer_instance_name": "Example School",
    "tool_consumer_instance_contact_email": "notifications@instructure.com",
    "tool_consumer_info_version": "cloud",
    "oauth_nonce": "Zt8vQ2mXc4LrN7bK1pHd6sWyGq3uEoA9iJfVxB0TzM",
    "oauth_timestamp": "1760000000",
    "oauth_version": "1.0",
    "oauth_signature_method": "HMAC-SHA1",
    "oauth_consumer_key": "roster-demo-key",
    "oauth_callback": "about:blank",
}
AT = datetime.fromtimestamp(1760000000, UTC)
BASE = "https://roster.example.edu/lti/1p1/launch"
PLAIN, WITH_QUERY = "byRz5kmCWVFY6e8RaR16wFsRzZU=", "PQoGUdM7TM11z1e3zweRzUTY1/E="
COPIED = {**WORKED, "tenant": "demo", "v": "2"}


@pytest.mark.parametrize(
    ("url", "body", "signature", "stands"),
    [
        pytest.param(BASE, WORKED, PLAIN, True, id="no query"),
        pytest.param(f"{BASE}?tenant=demo&v=2", COPIED, WITH_QUERY, True, id="copied"),
        pytest.param(f"{BASE}?tenant=demo&v=2", WORKED, WITH_QUERY, True, id="left in the URL"),
        pytest.param(BASE.replace("https", "http"), WORKED, PLAIN, False, id="http"),
        pytest.param(BASE.replace(".edu", ".edu:443"), WORKED, PLAIN, True, id=":443"),
        pytest.param(BASE.replace(".edu", ".edu:8443"), WORKED, PLAIN, False, id=":8443"),
        pytest.param(BASE.replace("roster.", "ROSTER."), WORKED, PLAIN, True, id="upper case"),
    ],
)
def test_worked_examples(url: str, body: dict[str, str], signature: str, *, stands: bool) -> None:
    pairs = [*body.items(), ("oauth_signature", signature)]
    secrets = {CONSUMER_KEY: CONSUMER_SECRET}

    if stands:
        assert body["oauth_nonce"] == oauth1.verify(url, pairs, secrets, AT)
    else:
        with pytest.raises(LaunchRefused, match="signature"):
            oauth1.verify(url, pairs, secrets, AT)
