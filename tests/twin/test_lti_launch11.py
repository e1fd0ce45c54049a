"""1.1 launches at the four privacy levels, signed as oauthlib checks them (fact sheet lti-launch.md §1)."""

from collections.abc import Mapping

import pytest

from tests.twin.browser import Form, opened, posted_form, tool11
from tests.twin.conftest import MakeTwin, Twin
from tests.twin.test_lti_oauth1 import oauthlib_accepts
from twin.lti.tools import Assignment, Placement, PrivacyLevel, ResourceLink
from twin.making import make_email

NAMES = {"lis_person_name_given", "lis_person_name_family", "lis_person_name_full"}
EMAIL = {"lis_person_contact_email_primary"}
PUBLIC = {
    "user_image",
    "lis_person_sourcedid",
    "custom_canvas_workflow_state",
    "lis_course_offering_sourcedid",
}
ALWAYS = {
    "lti_message_type",
    "lti_version",
    "resource_link_id",
    "resource_link_title",
    "user_id",
    "roles",
    "ext_roles",
    "custom_canvas_enrollment_state",
    "context_id",
    "context_title",
    "context_label",
    "launch_presentation_locale",
    "launch_presentation_document_target",
    "launch_presentation_return_url",
    "launch_presentation_width",
    "launch_presentation_height",
    "tool_consumer_instance_guid",
    "tool_consumer_instance_name",
    "tool_consumer_instance_contact_email",
    "tool_consumer_info_product_family_code",
    "tool_consumer_info_version",
    "oauth_consumer_key",
    "oauth_nonce",
    "oauth_timestamp",
    "oauth_version",
    "oauth_signature_method",
    "oauth_callback",
    "oauth_signature",
}


async def launched(twin: Twin, person: str, course: str = "demo", **fields: str) -> Form:
    """What the browser posts to the tool; its signature holds."""
    tool = tool11(twin)
    form = await opened(twin, twin.cast.people[person], twin.cast.courses[course], tool, **fields)
    assert accepted(form)
    return form


def accepted(form: Form) -> bool:
    return oauthlib_accepts(form.action, form.fields, "demo-key", "demo-secret")


def without_custom(fields: Mapping[str, str]) -> set[str]:
    kept = {"custom_canvas_enrollment_state", "custom_canvas_workflow_state"}
    return {name for name in fields if name in kept or not name.startswith("custom_")}


@pytest.mark.parametrize(
    ("level", "more"),
    [
        ("anonymous", set()),
        ("name_only", NAMES),
        ("email_only", EMAIL),
        ("public", NAMES | EMAIL | PUBLIC),
    ],
)
async def test_parameters_at_each_privacy_level(
    twin: Twin, level: PrivacyLevel, more: set[str]
) -> None:
    tool11(twin).custom_fields = {}

    form = await launched(twin, "student", privacy=level)

    assert without_custom(form.fields) == ALWAYS | more


async def test_custom_canvas_ids_are_for_public_alone_but_configured_ones_for_all(
    twin: Twin,
) -> None:
    demo = twin.cast.courses["demo"]
    tool11(twin).custom_fields = {
        "My Course-Id": "$Canvas.course.id",
        "note": "in ${Canvas.course.name}!",
    }

    public = (await launched(twin, "student", privacy="public")).fields
    anonymous = (await launched(twin, "student", privacy="anonymous")).fields

    assert public["custom_canvas_user_id"] == str(twin.cast.people["student"].id)
    assert public["custom_canvas_user_login_id"] == "zoneil"
    assert public["custom_canvas_course_id"] == str(demo.id)
    assert public["custom_canvas_api_domain"] == "canvas.test"
    assert "custom_canvas_user_id" not in anonymous
    assert anonymous["custom_my_course_id"] == str(demo.id)
    assert anonymous["custom_note"] == f"in {demo.name}!"


async def test_course_launch_of_a_student(twin: Twin) -> None:
    student, demo = twin.cast.people["student"], twin.cast.courses["demo"]

    form = await launched(twin, "student")

    expected = {
        "lti_message_type": "basic-lti-launch-request",
        "lti_version": "LTI-1p0",
        "resource_link_id": demo.lti_context_id,
        "context_id": demo.lti_context_id,
        "context_label": demo.course_code,
        "user_id": student.lti_context_id,
        "roles": "Learner",
        "ext_roles": (
            "urn:lti:instrole:ims/lis/Student,urn:lti:role:ims/lis/Learner,"
            "urn:lti:sysrole:ims/lis/User"
        ),
        "custom_canvas_enrollment_state": "active",
        "lis_person_sourcedid": "000123",
        "lis_course_offering_sourcedid": demo.sis_source_id,
        "tool_consumer_instance_guid": twin.school.root.lti_guid,
        "launch_presentation_document_target": "iframe",
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_callback": "about:blank",
        "oauth_timestamp": str(int(twin.clock.now().timestamp())),
        "custom_canvas_masquerading_user_id": "$Canvas.masqueradingUser.id",
    }
    assert expected.items() <= form.fields.items()
    assert form.action == "http://127.0.0.1:8000/lti/1.1/launch"
    assert not {"context_type", "lis_course_section_sourcedid", "tool_consumer_instance_url"} & set(
        form.fields
    )


@pytest.mark.parametrize(
    ("person", "roles"),
    [
        ("teacher", "Instructor"),
        ("ta", "urn:lti:role:ims/lis/TeachingAssistant"),
        ("designer", "ContentDeveloper"),
        ("loose_observer", "urn:lti:instrole:ims/lis/Observer"),
        ("test_student", "Learner"),
        ("admin", "urn:lti:instrole:ims/lis/Administrator"),
        ("registrar", "urn:lti:instrole:ims/lis/Administrator"),
    ],
)
async def test_roles(twin: Twin, person: str, roles: str) -> None:
    tool11(twin).placements["course_navigation"] = Placement(name="course_navigation")
    twin.school.update(twin.cast.courses["demo"], is_public=True)

    assert (await launched(twin, person)).fields["roles"] == roles


async def test_person_without_a_role_here_and_observer_in_ext_roles(twin: Twin) -> None:
    tool11(twin).placements["course_navigation"] = Placement(name="course_navigation")
    twin.school.update(twin.cast.courses["evening"], is_public=True)

    stranger = (await launched(twin, "designer", "evening")).fields
    observer = (await launched(twin, "loose_observer")).fields

    assert stranger["roles"] == "urn:lti:sysrole:ims/lis/None"
    assert stranger["custom_canvas_enrollment_state"] == ""
    assert "urn:lti:role:ims/lis/Learner/NonCreditLearner" in observer["ext_roles"].split(",")


async def test_account_launch(twin: Twin) -> None:
    admin, engineering = twin.cast.people["admin"], twin.cast.accounts["engineering"]

    form = await opened(twin, admin, engineering, tool11(twin))

    expected = {
        "custom_canvas_enrollment_state": "$Canvas.enrollment.enrollmentState",
        "custom_canvas_account_id": str(engineering.id),
        "custom_canvas_account_sis_id": "ENG",
        "context_title": "Engineering",
        "custom_canvas_course_id": "$Canvas.course.id",
    }
    assert accepted(form)
    assert expected.items() <= form.fields.items()
    assert "context_label" not in form.fields
    assert "custom_canvas_workflow_state" not in form.fields


async def test_sis_ids_are_left_out_where_there_are_none(twin: Twin) -> None:
    fields = (await launched(twin, "no_sis")).fields
    course = (await launched(twin, "teacher", "open")).fields

    assert "lis_person_sourcedid" not in fields
    assert "lis_course_offering_sourcedid" not in course
    assert fields["custom_canvas_user_sis_id"] == ""


async def test_person_without_a_login_shows_the_variables_text(twin: Twin) -> None:
    fields = (await launched(twin, "no_login")).fields

    assert fields["custom_canvas_user_login_id"] == "$Canvas.user.loginId"


async def test_observer_names_whom_they_watch_at_public_only(twin: Twin) -> None:
    student = twin.cast.people["student"]

    assert (await launched(twin, "observer")).fields["role_scope_mentor"] == student.lti_context_id
    hidden = await launched(twin, "observer", privacy="name_only")
    assert "role_scope_mentor" not in hidden.fields


async def test_merged_person_keeps_the_old_user_id_where_the_other_was(twin: Twin) -> None:
    survivor, gone = twin.cast.people["survivor"], twin.cast.people["merged_away"]

    assert (await launched(twin, "survivor")).fields["user_id"] == gone.lti_context_id
    elsewhere = await launched(twin, "survivor", "open")
    assert elsewhere.fields["user_id"] == survivor.lti_context_id


async def test_sis_email_goes_first_where_the_tool_prefers_it(twin: Twin) -> None:
    student = twin.cast.people["student"]
    login = twin.school.pseudonyms_of_user.of(student.id)[0]
    make_email(twin.school, student, "by.sis@example.edu", sis_pseudonym_id=login.id)

    own = (await launched(twin, "student")).fields
    tool11(twin).prefer_sis_email = True
    by_sis = (await launched(twin, "student")).fields

    assert own["lis_person_contact_email_primary"] == "zoneil@school.example.edu"
    assert by_sis["lis_person_contact_email_primary"] == "by.sis@example.edu"


async def test_query_of_the_launch_url_is_copied_or_left(make_twin: MakeTwin) -> None:
    for post_only in (True, False):
        twin = make_twin(lti_post_only=post_only)
        tool11(twin).url = "http://127.0.0.1:8000/lti/1.1/launch?tenant=demo"
        tool11(twin).custom_fields = {}

        form = await opened(
            twin, twin.cast.people["student"], twin.cast.courses["demo"], tool11(twin)
        )

        assert form.action.endswith("?tenant=demo")
        assert ("tenant" in form.fields) == post_only
        assert accepted(form) != post_only
        bare = Form(form.action.partition("?")[0], form.fields)
        assert accepted(bare) == post_only


async def test_assignment_launch(twin: Twin) -> None:
    demo = twin.cast.courses["demo"]
    assignment = Assignment(id=7, course_id=demo.id, title="Essay", points_possible=10)
    link = ResourceLink(
        uuid="f3d9a1de-28d3-4f53-8f7e-0d6f9d1f4a77",
        lti11_id="b" * 40,
        course_id=demo.id,
        tool_id=2,
        title="Essay",
        assignment=assignment,
    )
    twin.app.state.lti.links[link.uuid] = link

    async def parameters(person: str) -> dict[str, str]:
        await launched(twin, person)
        page = await twin.client.get(
            f"/courses/{demo.id}/external_tools/retrieve",
            params={"resource_link_lookup_uuid": link.uuid},
        )
        form = posted_form(page.text)
        assert accepted(form)
        return form.fields

    student, teacher = await parameters("student"), await parameters("teacher")

    assert student["resource_link_id"] == "b" * 40
    assert student["custom_canvas_assignment_points_possible"] == "10"
    assert student["custom_canvas_assignment_id"] == "7"
    assert student["lis_result_sourcedid"].startswith(f"2-{demo.id}-7-")
    assert "lis_result_sourcedid" not in teacher
