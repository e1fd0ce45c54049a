"""1.3 launches from login initiation to the id_token (fact sheet lti-launch.md §2 and §3)."""

import base64
import hashlib
import hmac
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.twin.browser import (
    REDIRECT_URI,
    Form,
    authorized,
    log_in,
    opened,
    posted_form,
    tool11,
    tool13,
)
from tests.twin.conftest import MakeTwin, Twin
from twin.lti.claims import consumer_key_sign
from twin.lti.tools import Assignment, Placement, PrivacyLevel, ResourceLink
from twin.making import make_email
from twin.scopes import NRPS

LTI = "https://purl.imsglobal.org/spec/lti/claim/"
V2 = "http://purl.imsglobal.org/vocab/lis/v2"
TEST_USER = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"


async def claims_of(twin: Twin, form: Form) -> dict[str, Any]:
    """The verified claims of the id_token in the form that Canvas posts to the tool."""
    keys = KeySet.import_key_set((await twin.client.get("/api/lti/security/jwks")).json())
    token = jwt.decode(form.fields["id_token"], keys, algorithms=["RS256"])
    assert token.header["kid"] in {key.kid for key in keys}
    return token.claims


async def launched(twin: Twin, person: str, course: str = "demo", **fields: str) -> dict[str, Any]:
    form = await opened(
        twin, twin.cast.people[person], twin.cast.courses[course], tool13(twin), **fields
    )
    return await claims_of(twin, posted_form((await authorized(twin, form)).text))


def claim(claims: dict[str, Any], name: str) -> Any:
    value = claims[f"{LTI}{name}"]
    if isinstance(value, dict):
        return {
            key: item for key, item in value.items() if key not in {"errors", "validation_context"}
        }
    return value


async def test_login_initiation_has_every_parameter(twin: Twin) -> None:
    student, demo = twin.cast.people["student"], twin.cast.courses["demo"]

    form = await opened(twin, student, demo, tool13(twin))

    hint = form.fields.pop("lti_message_hint")
    assert form.action == "http://127.0.0.1:8000/lti/login"
    assert form.fields == {
        "iss": "https://canvas.instructure.com",
        "login_hint": student.lti_context_id,
        "client_id": "10000000000002",
        "deployment_id": f"1:{twin.school.root.lti_context_id}",
        "target_link_uri": REDIRECT_URI,
        "canvas_region": "not_configured",
        "canvas_environment": "prod",
        "lti_storage_target": "post_message_forwarding",
    }
    assert len(hint.split(".")) == 3


async def test_teacher_in_a_course_at_privacy_public(twin: Twin) -> None:
    teacher, demo = twin.cast.people["teacher"], twin.cast.courses["demo"]
    root, now = twin.school.root, int(twin.clock.now().timestamp())

    claims = await launched(twin, "teacher")

    assert (claims["iss"], claims["aud"], claims["azp"]) == (
        "https://canvas.instructure.com",
        "10000000000002",
        "10000000000002",
    )
    assert (claims["iat"], claims["exp"], claims["nonce"]) == (now, now + 3600, "nonce-1")
    assert claims["sub"] == teacher.lti_id
    assert claim(claims, "message_type") == "LtiResourceLinkRequest"
    assert claim(claims, "version") == "1.3.0"
    assert claim(claims, "deployment_id") == f"1:{root.lti_context_id}"
    assert claim(claims, "target_link_uri") == REDIRECT_URI
    assert claim(claims, "resource_link") == {
        "id": demo.lti_context_id,
        "title": demo.name,
        "description": None,
    }
    assert claim(claims, "context") == {
        "id": demo.lti_context_id,
        "label": demo.course_code,
        "title": demo.name,
        "type": ["http://purl.imsglobal.org/vocab/lis/v2/course#CourseOffering"],
    }
    assert claim(claims, "roles") == [
        f"{V2}/institution/person#Instructor",
        f"{V2}/membership#Instructor",
        f"{V2}/system/person#User",
    ]
    assert claim(claims, "lis") == {
        "person_sourcedid": "STAFF/01+7%",
        "course_offering_sourcedid": demo.sis_source_id,
    }
    assert claim(claims, "tool_platform") == {
        "guid": root.lti_guid,
        "name": "Example School",
        "version": "cloud",
        "product_family_code": "canvas",
    }
    assert re.fullmatch(r"\w{40}:canvas-lms", root.lti_guid)
    assert claim(claims, "launch_presentation") == {
        "document_target": "iframe",
        "locale": "en",
        "return_url": (
            f"http://canvas.test/courses/{demo.id}/external_content/success/external_tool_redirect"
        ),
        "width": 800,
        "height": 400,
    }
    assert claim(claims, "lti11_legacy_user_id") == teacher.lti_context_id
    assert claim(claims, "lti1p1") == {"user_id": teacher.lti_context_id}
    assert claims["https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"] == {
        "context_memberships_url": f"http://canvas.test/api/lti/courses/{demo.id}/names_and_roles",
        "service_versions": ["2.0"],
    }
    assert (claims["name"], claims["given_name"], claims["family_name"]) == (
        "Theodora O'Neil",
        "Theodora",
        "O'Neil",
    )
    assert claims["email"] == "toneil@school.example.edu"
    assert claims["picture"].startswith("http://canvas.test/images/")
    assert claims["locale"] == "en"
    assert claims["https://www.instructure.com/placement"] == "course_navigation"
    assert claim(claims, "custom")["canvas_course_id"] == str(demo.id)
    assert claim(claims, "custom")["canvas_masquerading_user_id"] == "$Canvas.masqueradingUser.id"


async def test_stray_members_can_be_switched_off(make_twin: MakeTwin) -> None:
    stray, clean = make_twin(), make_twin(lti_stray_members=False)

    assert {"errors", "validation_context"} <= set(await launched(stray, "student"))
    claims = await launched(clean, "student")
    assert not {"errors", "validation_context"} & set(claims)
    assert "errors" not in claims[f"{LTI}context"]


@pytest.mark.parametrize(
    ("person", "expected"),
    [
        ("student", [f"{V2}/institution/person#Student", f"{V2}/membership#Learner"]),
        (
            "ta",
            [f"{V2}/membership#Instructor", f"{V2}/membership/Instructor#TeachingAssistant"],
        ),
        ("designer", [f"{V2}/membership#ContentDeveloper"]),
        ("loose_observer", [f"{V2}/membership#Mentor"]),
        ("admin", [f"{V2}/institution/person#Administrator"]),
        ("invited", [f"{V2}/membership#Learner"]),
    ],
)
async def test_roles_of_a_launch(twin: Twin, person: str, expected: list[str]) -> None:
    claims = await launched(twin, person)

    assert sorted([*expected, f"{V2}/system/person#User"]) == claim(claims, "roles")


async def test_test_student_is_a_learner_and_a_test_user(twin: Twin) -> None:
    claims = await launched(twin, "test_student")

    assert {f"{V2}/membership#Learner", TEST_USER} <= set(claim(claims, "roles"))


@pytest.mark.parametrize(
    ("level", "present"),
    [
        ("anonymous", set()),
        ("name_only", {"name", "given_name", "family_name", f"{LTI}lis"}),
        ("email_only", {"email"}),
        ("public", {"name", "given_name", "family_name", "email", "picture", f"{LTI}lis"}),
    ],
)
async def test_privacy_levels(twin: Twin, level: PrivacyLevel, present: set[str]) -> None:
    guarded = {"name", "given_name", "family_name", "email", "picture", f"{LTI}lis"}

    claims = await launched(twin, "student", privacy=level)

    assert guarded & set(claims) == present
    assert claims["sub"] == twin.cast.people["student"].lti_id
    assert claim(claims, "custom")["canvas_user_sis_id"] == "000123"


async def test_observer_mentors_only_at_public(twin: Twin) -> None:
    student = twin.cast.people["student"]

    public = await launched(twin, "observer", privacy="public")
    named = await launched(twin, "observer", privacy="name_only")

    assert public[f"{LTI}role_scope_mentor"] == [student.lti_id]
    assert f"{LTI}role_scope_mentor" not in named


async def test_account_launch(twin: Twin) -> None:
    admin, root = twin.cast.people["admin"], twin.school.root
    form = await opened(twin, admin, root, tool13(twin))

    claims = await claims_of(twin, posted_form((await authorized(twin, form)).text))

    assert claim(claims, "context") == {
        "id": root.lti_context_id,
        "title": "Example School",
        "type": ["Account"],
    }
    assert claim(claims, "resource_link")["id"] == root.lti_context_id
    assert not any("membership#" in role for role in claim(claims, "roles"))
    assert claim(claims, "lis")["course_offering_sourcedid"] == "$CourseSection.sourcedId"
    assert not any("namesroleservice" in name for name in claims)
    custom = claim(claims, "custom")
    literal = {name for name, value in custom.items() if str(value).startswith("$")}
    assert literal == {
        "canvas_course_id",
        "canvas_course_sis_id",
        "canvas_course_workflow_state",
        "canvas_section_ids",
        "canvas_section_restricted",
        "canvas_section_sis_ids",
        "canvas_section_names",
        "canvas_enrollment_state",
        "canvas_term_id",
        "canvas_term_name",
        "canvas_masquerading_user_id",
    }
    assert custom["canvas_membership_roles"] == "Account Admin"
    assert custom["canvas_account_id"] == str(root.id)
    assert claims["https://www.instructure.com/placement"] == "account_navigation"


async def test_account_navigation_is_for_admins_of_that_account(twin: Twin) -> None:
    people, accounts = twin.cast.people, twin.cast.accounts

    refused = await log_in(twin, people["student"], accounts["root"], tool13(twin))
    below = await log_in(twin, people["sub_admin"], accounts["engineering"], tool13(twin))
    above = await log_in(twin, people["sub_admin"], accounts["root"], tool13(twin))

    assert (401, 200, 401) == (refused.status_code, below.status_code, above.status_code)
    shown = tool13(twin).placements["account_navigation"]
    tool13(twin).placements["account_navigation"] = Placement(
        name=shown.name, root_account_only=True
    )
    cut = await log_in(twin, people["sub_admin"], accounts["engineering"], tool13(twin))
    assert cut.status_code == 401


async def test_person_outside_the_course_gets_no_launch(twin: Twin) -> None:
    outsider = twin.cast.people["no_sis"]

    refused = await log_in(twin, outsider, twin.cast.courses["evening"], tool13(twin))

    assert refused.status_code == 401


async def test_placement_for_admins_is_closed_to_students(twin: Twin) -> None:
    people, demo = twin.cast.people, twin.cast.courses["demo"]
    tool13(twin).placements["course_navigation"] = Placement(
        name="course_navigation", visibility="admins"
    )

    for person, status in (("student", 401), ("ta", 200), ("admin", 200)):
        response = await log_in(twin, people[person], demo, tool13(twin))
        assert response.status_code == status, person


async def test_merged_person_shows_old_ids_where_the_other_was_a_member(twin: Twin) -> None:
    survivor, gone = twin.cast.people["survivor"], twin.cast.people["merged_away"]

    here = await launched(twin, "survivor", "demo")
    elsewhere = await launched(twin, "survivor", "open")

    assert (here["sub"], elsewhere["sub"]) == (gone.lti_id, survivor.lti_id)
    assert claim(here, "custom")["canvas_user_uuid"] == gone.uuid
    for claims in (here, elsewhere):
        assert claim(claims, "lti11_legacy_user_id") == survivor.lti_context_id
        assert claim(claims, "lti1p1") == {"user_id": survivor.lti_context_id}
        assert claim(claims, "custom")["canvas_user_id"] == str(survivor.id)


async def test_acting_as_names_the_person_and_the_real_one(twin: Twin) -> None:
    admin, student = twin.cast.people["admin"], twin.cast.people["student"]

    claims = await launched(twin, "student", real_user=str(admin.id))

    assert claims["sub"] == student.lti_id
    assert claim(claims, "custom")["canvas_masquerading_user_id"] == str(admin.id)


async def test_anonymous_visitor_of_a_public_course_has_no_sub(twin: Twin) -> None:
    course = twin.cast.courses["open"]
    tool13(twin).placements["course_navigation"] = Placement(name="course_navigation")
    page = await twin.client.get(f"/courses/{course.id}/external_tools/1")
    form = posted_form(page.text)

    claims = await claims_of(twin, posted_form((await authorized(twin, form)).text))

    assert "sub" not in claims
    assert claim(claims, "roles") == [f"{V2}/system/person#None"]
    assert claim(claims, "lti11_legacy_user_id") == ""
    assert f"{LTI}lti1p1" not in claims
    closed = await twin.client.get(f"/courses/{twin.cast.courses['demo'].id}/external_tools/1")
    assert closed.status_code == 401


async def test_resource_link_launch_has_its_own_id_and_custom_fields(twin: Twin) -> None:
    demo, student = twin.cast.courses["demo"], twin.cast.people["student"]
    link = ResourceLink(
        uuid="f3d9a1de-28d3-4f53-8f7e-0d6f9d1f4a77",
        lti11_id="a" * 40,
        course_id=demo.id,
        tool_id=1,
        title="Week 1",
        custom_fields={"week": "1", "canvas_course_id": "overridden"},
        assignment=Assignment(id=5, course_id=demo.id, title="Week 1"),
    )
    twin.app.state.lti.links[link.uuid] = link
    await log_in(twin, student, demo, tool13(twin))
    page = await twin.client.get(
        f"/courses/{demo.id}/external_tools/retrieve",
        params={"resource_link_lookup_uuid": link.uuid},
    )

    claims = await claims_of(
        twin, posted_form((await authorized(twin, posted_form(page.text))).text)
    )

    assert claim(claims, "resource_link") == {
        "id": link.uuid,
        "title": "Week 1",
        "description": None,
    }
    assert claim(claims, "context")["id"] == demo.lti_context_id
    assert claim(claims, "lti1p1")["resource_link_id"] == "a" * 40
    assert claim(claims, "custom")["week"] == "1"
    assert claim(claims, "custom")["canvas_course_id"] == "overridden"
    assert claims["https://www.instructure.com/placement"] is None


async def test_student_card_names_the_student(twin: Twin) -> None:
    demo, student = twin.cast.courses["demo"], twin.cast.people["student"]
    tool13(twin).placements["student_context_card"] = Placement(name="student_context_card")
    await log_in(twin, twin.cast.people["teacher"], demo, tool13(twin))
    page = await twin.client.get(
        f"/courses/{demo.id}/external_tools/1",
        params={"placement": "student_context_card", "student_id": str(student.id)},
    )

    claims = await claims_of(
        twin, posted_form((await authorized(twin, posted_form(page.text))).text)
    )

    assert claims["https://www.instructure.com/lti_student_id"] == str(student.id)


async def test_services_appear_with_their_scopes(twin: Twin) -> None:
    key = twin.school.developer_keys[10_000_000_000_002]
    grades = "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem"
    demo = twin.cast.courses["demo"]

    twin.school.update(key, scopes=(grades,))
    claims = await launched(twin, "teacher")

    assert not any("namesroleservice" in name for name in claims)
    assert claims["https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"] == {
        "scope": [grades],
        "lineitems": f"http://canvas.test/api/lti/courses/{demo.id}/line_items",
    }
    twin.school.update(key, scopes=(NRPS,))
    assert any("namesroleservice" in name for name in await launched(twin, "teacher"))


async def test_consumer_key_claim_proves_itself(make_twin: MakeTwin) -> None:
    twin = make_twin(lti_consumer_key_claim=True)

    claims = await launched(twin, "student")

    signed = "&".join(
        (
            "demo-key",
            claims[f"{LTI}deployment_id"],
            claims["iss"],
            claims["aud"],
            str(claims["exp"]),
            claims["nonce"],
        )
    )
    digest = hmac.new(b"demo-secret", signed.encode(), hashlib.sha256).digest()
    assert claim(claims, "lti1p1") == {
        "user_id": twin.cast.people["student"].lti_context_id,
        "oauth_consumer_key": tool11(twin).consumer_key,
        "oauth_consumer_key_sign": base64.b64encode(digest).decode(),
    }


@pytest.mark.parametrize(
    ("claims", "key", "secret", "sign"),
    [
        (
            {
                f"{LTI}deployment_id": "371:70eaae54eb9fa679315c63f7f7d2e116adf27458",
                "iss": "https://canvas.instructure.com",
                "aud": "170000000000417",
                "exp": 1760003600,
                "nonce": "3u9cZrG0aPq7",
            },
            "roster-demo-key",
            "s3cret&with/odd+chars",
            "pIvrc3ZzwLIdtSdN76quOi2s+meY7vM+NPyUh3mlcuk=",
        ),
        (
            {
                f"{LTI}deployment_id": "689302",
                "iss": "https://lmsvendor.com",
                "aud": "PM48OJSfGDTAzAo",
                "exp": 1551290856,
                "nonce": "172we8671fd8z",
            },
            "179248902",
            "my-lti11-secret",
            "lWd54kFo5qU7xshAna6v8BwoBm6tmUjc6GTax6+12ps=",
        ),
    ],
    ids=["fact sheet", "migration guide"],
)
def test_worked_consumer_key_signs(
    claims: dict[str, Any], key: str, secret: str, sign: str
) -> None:
    assert consumer_key_sign(claims, key, secret) == sign


async def test_claims_are_made_at_login_initiation(twin: Twin) -> None:
    student, demo = twin.cast.people["student"], twin.cast.courses["demo"]
    form = await opened(twin, student, demo, tool13(twin))
    begun = int(twin.clock.now().timestamp())
    twin.clock.advance(timedelta(minutes=4, seconds=59))
    twin.school.update(student, name="Changed Since")

    claims = await claims_of(twin, posted_form((await authorized(twin, form)).text))

    assert (claims["iat"], claims["name"]) == (begun, "Zoë Neil")


async def posted_error(twin: Twin, form: Form, **changes: str | None) -> dict[str, str]:
    response = await authorized(twin, form, **changes)
    answer = posted_form(response.text)
    assert answer.action == REDIRECT_URI
    assert "id_token" not in answer.fields
    assert answer.fields.pop("state") == "state-1"
    answer.fields.pop("error_description")
    return answer.fields


async def test_launch_works_once_and_five_minutes(twin: Twin) -> None:
    student, demo = twin.cast.people["student"], twin.cast.courses["demo"]
    form = await opened(twin, student, demo, tool13(twin))
    answer = posted_form((await authorized(twin, form)).text)
    assert answer.action == REDIRECT_URI
    assert answer.fields["state"] == "state-1"
    assert answer.fields["lti_storage_target"] == "post_message_forwarding"

    assert await posted_error(twin, form) == {"error": "launch_no_longer_valid"}

    late = await opened(twin, student, demo, tool13(twin))
    twin.clock.advance(timedelta(minutes=5))
    expired = await authorized(twin, late)
    assert expired.status_code == 400
    assert "lti_message_hint" in expired.text


@pytest.mark.parametrize(
    "missing",
    ["nonce", "prompt", "response_mode", "response_type", "scope", "login_hint"],
)
async def test_missing_parameter_is_told_to_the_tool(twin: Twin, missing: str) -> None:
    student, demo = twin.cast.people["student"], twin.cast.courses["demo"]
    form = await opened(twin, student, demo, tool13(twin))

    assert await posted_error(twin, form, **{missing: None}) == {"error": "invalid_request_object"}
    again = posted_form((await authorized(twin, form)).text)
    assert "id_token" in again.fields


async def test_only_scope_is_compared_by_value(twin: Twin) -> None:
    student, demo = twin.cast.people["student"], twin.cast.courses["demo"]
    form = await opened(twin, student, demo, tool13(twin))

    assert await posted_error(twin, form, scope="openid email") == {
        "error": "invalid_request_object"
    }
    odd = await authorized(twin, form, prompt="login", response_mode="query")
    assert "id_token" in posted_form(odd.text).fields


@pytest.mark.parametrize(
    "changes",
    [
        {"redirect_uri": f"{REDIRECT_URI}/"},
        {"redirect_uri": "https://evil.example/lti/launch"},
        {"redirect_uri": None},
        {"client_id": "10000000000077"},
        {"lti_message_hint": "a.b.c"},
        {"lti_message_hint": None},
    ],
)
async def test_what_canvas_answers_itself(twin: Twin, changes: dict[str, str | None]) -> None:
    student, demo = twin.cast.people["student"], twin.cast.courses["demo"]
    form = await opened(twin, student, demo, tool13(twin))

    response = await authorized(twin, form, **changes)

    assert response.status_code == 400
    assert 'id="posted"' not in response.text


async def test_redirect_uri_may_have_a_query_of_its_own(twin: Twin) -> None:
    student, demo = twin.cast.people["student"], twin.cast.courses["demo"]
    key = twin.school.developer_keys[10_000_000_000_002]
    twin.school.update(key, redirect_uris=(f"{REDIRECT_URI}?tenant=a",))
    form = await opened(twin, student, demo, tool13(twin))

    for uri, status in (
        (f"{REDIRECT_URI}?more=1", 400),
        (f"{REDIRECT_URI}?more=1&tenant=a", 200),
    ):
        assert (await authorized(twin, form, redirect_uri=uri)).status_code == status


async def test_login_is_required_of_the_very_person(twin: Twin) -> None:
    people, demo = twin.cast.people, twin.cast.courses["demo"]
    form = await opened(twin, people["student"], demo, tool13(twin))

    await log_in(twin, people["teacher"], demo, tool13(twin))
    assert await posted_error(twin, form) == {"error": "login_required"}

    twin.client.cookies.clear()
    assert await posted_error(twin, form) == {"error": "login_required"}


async def test_newer_canvas_shows_its_own_page_when_nobody_is_logged_in(
    make_twin: MakeTwin,
) -> None:
    twin = make_twin(lti_login_required_page=True)
    form = await opened(twin, twin.cast.people["student"], twin.cast.courses["demo"], tool13(twin))
    twin.client.cookies.clear()

    assert (await authorized(twin, form)).status_code == 401


@pytest.mark.parametrize("change", [{"on": False}, {"workflow_state": "inactive"}])
async def test_key_that_is_off_is_unauthorized(twin: Twin, change: dict[str, Any]) -> None:
    student, demo = twin.cast.people["student"], twin.cast.courses["demo"]
    form = await opened(twin, student, demo, tool13(twin))
    twin.school.update(twin.school.developer_keys[10_000_000_000_002], **change)

    assert await posted_error(twin, form) == {"error": "unauthorized_client"}


async def test_authentication_request_may_be_posted(twin: Twin) -> None:
    student, demo = twin.cast.people["student"], twin.cast.courses["demo"]
    form = await opened(twin, student, demo, tool13(twin))
    got = await authorized(twin, form, state=None)
    assert "state" not in posted_form(got.text).fields

    form = await opened(twin, student, demo, tool13(twin))
    request = httpx.QueryParams(
        {
            "scope": "openid",
            "response_type": "id_token",
            "response_mode": "form_post",
            "prompt": "none",
            "client_id": form.fields["client_id"],
            "redirect_uri": REDIRECT_URI,
            "nonce": "n",
            "login_hint": form.fields["login_hint"],
            "lti_message_hint": form.fields["lti_message_hint"],
        }
    )
    posted = await twin.client.post(
        "/api/lti/authorize_redirect", data=dict(request), follow_redirects=True
    )
    assert "id_token" in posted_form(posted.text).fields


async def test_keys_rotate_by_the_month_and_three_are_published(twin: Twin) -> None:
    async def kids() -> list[str]:
        response = await twin.client.get("/api/lti/security/jwks")
        assert response.headers["cache-control"] == "max-age=864000, public"
        assert all("d" not in key for key in response.json()["keys"])
        return [key["kid"] for key in response.json()["keys"]]

    first = await kids()
    twin.clock.advance(timedelta(days=30))
    second = await kids()
    twin.clock.advance(timedelta(days=365))
    later = await kids()

    assert len(set(first)) == len(set(second)) == 3
    assert second[:2] == first[1:]
    assert not set(later) & set(second)
    assert twin.app.state.lti.keys.current().kid == later[1]


async def test_without_storage_no_target_is_offered(make_twin: MakeTwin) -> None:
    twin = make_twin(lti_storage=False)
    student, demo = twin.cast.people["student"], twin.cast.courses["demo"]

    page = await log_in(twin, student, demo, tool13(twin))
    form = posted_form(page.text)

    assert "post_message_forwarding" not in page.text
    answer = posted_form((await authorized(twin, form)).text)
    assert "lti_storage_target" not in answer.fields


async def test_email_claim_is_the_first_address(twin: Twin) -> None:
    student = twin.cast.people["student"]
    make_email(twin.school, student, "second@example.edu")

    assert (await launched(twin, "student"))["email"] == "zoneil@school.example.edu"
    assert "email" not in await launched(twin, "no_email")
