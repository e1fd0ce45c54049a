"""The tools that a twin starts with: one by LTI 1.3 and one by LTI 1.1 (fact sheet lti-launch.md §9)."""

from twin.developer_keys import LTI_KEY, key_id
from twin.lti.platform import Platform
from twin.lti.tools import ACCOUNT_NAVIGATION, COURSE_NAVIGATION, Placement, Tool

_NAME = "Roster Gateway"
CUSTOM_FIELDS = {
    "canvas_user_id": "$Canvas.user.id",
    "canvas_user_global_id": "$Canvas.user.globalId",
    "canvas_user_uuid": "$vnd.instructure.User.uuid",
    "canvas_user_login_id": "$Canvas.user.loginId",
    "canvas_user_sis_id": "$Canvas.user.sisSourceId",
    "canvas_user_integration_id": "$Canvas.user.sisIntegrationId",
    "canvas_course_id": "$Canvas.course.id",
    "canvas_course_sis_id": "$Canvas.course.sisSourceId",
    "canvas_course_workflow_state": "$Canvas.course.workflowState",
    "canvas_section_ids": "$Canvas.course.sectionIds",
    "canvas_section_restricted": "$Canvas.course.sectionRestricted",
    "canvas_section_sis_ids": "$Canvas.course.sectionSisSourceIds",
    "canvas_section_names": "$com.instructure.User.sectionNames",
    "canvas_enrollment_state": "$Canvas.enrollment.enrollmentState",
    "canvas_membership_roles": "$Canvas.membership.roles",
    "canvas_account_id": "$Canvas.account.id",
    "canvas_root_account_global_id": "$Canvas.root_account.global_id",
    "canvas_root_account_uuid": "$vnd.Canvas.root_account.uuid",
    "canvas_api_domain": "$Canvas.api.domain",
    "canvas_term_id": "$Canvas.term.id",
    "canvas_term_name": "$Canvas.term.name",
    "canvas_masquerading_user_id": "$Canvas.masqueradingUser.id",
}


def install_tools(platform: Platform) -> None:
    """Both live at `tool_url` and are installed in the root account."""
    options = platform.school.options
    platform.install(
        Tool(
            id=platform.next_tool_id(),
            name=_NAME,
            context=platform.school.root,
            url=f"{options.tool_url}/lti/launch",
            privacy_level=options.tool_privacy_level,
            developer_key_id=key_id(platform.school, LTI_KEY),
            initiation_url=f"{options.tool_url}/lti/login",
            custom_fields=dict(CUSTOM_FIELDS),
            placements=_placements(),
        )
    )
    platform.install(
        Tool(
            id=platform.next_tool_id(),
            name=f"{_NAME} (LTI 1.1)",
            context=platform.school.root,
            url=f"{options.tool_url}/lti/1.1/launch",
            privacy_level=options.tool_privacy_level,
            consumer_key=options.lti11_consumer_key,
            secret=options.lti11_secret,
            custom_fields=dict(CUSTOM_FIELDS),
            placements=_placements(),
        )
    )


def _placements() -> dict[str, Placement]:
    course = Placement(
        name=COURSE_NAVIGATION, text="Roster", visibility="members", width=800, height=400
    )
    account = Placement(name=ACCOUNT_NAVIGATION, text="Roster admin")
    return {placement.name: placement for placement in (course, account)}
