"""The parameters of an LTI 1.1 launch, by privacy level (fact sheet lti-launch.md §1.1)."""

from twin.lti import people, roles
from twin.lti.claims import mentored_ids, return_url, target_link_uri
from twin.lti.oauth1 import signed_body
from twin.lti.platform import Launch, Platform
from twin.lti.scene import Scene
from twin.lti.substitution import expand
from twin.lti.tools import v11_name
from twin.records import User

_CONTACT = "notifications@instructure.com"


def launch_form(platform: Platform, launch: Launch) -> tuple[str, dict[str, str]]:
    """Where the browser posts and what: the parameters, signed."""
    tool = launch.scene.tool
    url = target_link_uri(launch)
    fields = signed_body(
        url,
        launch_params(platform, launch),
        consumer_key=tool.consumer_key,
        secret=tool.secret,
        now=platform.now(),
        copy_query=platform.school.options.lti_post_only,
    )
    return url, fields


def launch_params(platform: Platform, launch: Launch) -> dict[str, str]:
    scene = launch.scene
    standing = people.standing(platform.school, scene.user, scene.context)
    context = scene.context
    params = {
        "lti_message_type": "basic-lti-launch-request",
        "lti_version": "LTI-1p0",
        "resource_link_id": launch.link.lti11_id if launch.link else context.lti_context_id,
        "resource_link_title": launch.link.title if launch.link else scene.tool.name,
        "roles": ",".join(roles.short_v1(standing)),
        "ext_roles": ",".join(roles.full_v1(standing)),
        "context_id": context.lti_context_id,
        "context_title": context.name,
        **_presentation(launch),
        **_consumer(platform),
        **_variables(
            scene, {"custom_canvas_enrollment_state": "$Canvas.enrollment.enrollmentState"}
        ),
    }
    if scene.course:
        params["context_label"] = scene.course.course_code
    if scene.user:
        params |= _person(scene, scene.user)
    if scene.tool.privacy_level == "public":
        params |= _public(scene)
    if launch.student_id is not None:
        params["ext_lti_student_id"] = str(launch.student_id)
    own = scene.tool.custom_for(launch.placement, launch.link)
    named = {v11_name(name): text for name, text in own.items()}
    return {**_variables(scene, named), **params, **_assignment(launch, standing)}


def _presentation(launch: Launch) -> dict[str, str]:
    shown = launch.scene.tool.placements.get(launch.placement or "")
    params = {
        "launch_presentation_locale": people.locale_of(launch.scene.user),
        "launch_presentation_document_target": "iframe",
        "launch_presentation_return_url": return_url(launch.scene),
    }
    if shown and shown.width and shown.height:
        params["launch_presentation_width"] = str(shown.width)
        params["launch_presentation_height"] = str(shown.height)
    return params


def _consumer(platform: Platform) -> dict[str, str]:
    root = platform.school.root
    return {
        "tool_consumer_instance_guid": root.lti_guid,
        "tool_consumer_instance_name": root.name,
        "tool_consumer_instance_contact_email": _CONTACT,
        "tool_consumer_info_product_family_code": "canvas",
        "tool_consumer_info_version": "cloud",
    }


def _person(scene: Scene, user: User) -> dict[str, str]:
    ids = people.ids_in(scene.school, user, scene.context)
    level = scene.tool.privacy_level
    params = {"user_id": ids.lti_context_id}
    if level in {"name_only", "public"}:
        given, family = people.given_and_family(user)
        params |= {
            "lis_person_name_given": given,
            "lis_person_name_family": family,
            "lis_person_name_full": user.name,
        }
    if level in {"email_only", "public"}:
        sis_first = scene.tool.prefer_sis_email
        email = people.email_of(scene.school, user, sis_first=sis_first)
        params["lis_person_contact_email_primary"] = email or ""
    if level == "public":
        params["user_image"] = people.avatar(user, scene.base_url)
    return params


def _public(scene: Scene) -> dict[str, str]:
    """What only the level `public` has; the SIS ids only where there are some."""
    named = {"custom_canvas_api_domain": "$Canvas.api.domain"}
    if scene.user:
        named |= {
            "custom_canvas_user_id": "$Canvas.user.id",
            "custom_canvas_user_login_id": "$Canvas.user.loginId",
        }
    if scene.course:
        named |= {
            "custom_canvas_course_id": "$Canvas.course.id",
            "custom_canvas_workflow_state": "$Canvas.course.workflowState",
        }
    else:
        named |= {
            "custom_canvas_account_id": "$Canvas.account.id",
            "custom_canvas_account_sis_id": "$Canvas.account.sisSourceId",
        }
    params = _variables(scene, named)
    if scene.login and scene.login.sis_user_id:
        params["lis_person_sourcedid"] = scene.login.sis_user_id
    if scene.course and scene.course.sis_source_id:
        params["lis_course_offering_sourcedid"] = scene.course.sis_source_id
    if mentored := mentored_ids(scene):
        params["role_scope_mentor"] = ",".join(ids.lti_context_id for ids in mentored)
    return params


def _assignment(launch: Launch, standing: roles.Standing) -> dict[str, str]:
    """What a launch of an assignment adds; the twin has no service behind the outcome URL."""
    assignment = launch.link.assignment if launch.link else None
    if assignment is None:
        return {}
    scene = launch.scene
    params = {
        "lis_outcome_service_url": f"{scene.base_url}/api/lti/v1/tools/{scene.tool.id}/grade_passback",
        "ext_ims_lis_basic_outcome_url": (
            f"{scene.base_url}/api/lti/v1/tools/{scene.tool.id}/ext_grade_passback"
        ),
        "ext_outcome_data_values_accepted": "url,text",
        "ext_outcome_result_total_score_accepted": "true",
        "custom_canvas_assignment_title": assignment.title,
        "custom_canvas_assignment_points_possible": f"{assignment.points_possible:g}",
    }
    if scene.tool.privacy_level == "public":
        params["custom_canvas_assignment_id"] = str(assignment.id)
    if "StudentEnrollment" in standing.here and scene.user:
        ids = (scene.tool.id, assignment.course_id, assignment.id, scene.user.id)
        params["lis_result_sourcedid"] = "-".join(map(str, ids))
    return params


def _variables(scene: Scene, named: dict[str, str]) -> dict[str, str]:
    return {name: str(value) for name, value in expand(scene, named, v13=False).items()}
