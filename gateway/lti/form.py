"""The form of an LTI 1.1 launch, once its signature stands, as a launch (fact sheet lti-launch.md §1.1)."""

from collections.abc import Mapping
from datetime import datetime

from gateway.errors import LaunchRefused
from gateway.lti.launch import CANVAS, Launch, Told, launch_of, said

# Canvas's own names in LTI 1.1 for what our custom fields are called.
_OTHER_NAMES = {"canvas_workflow_state": "canvas_course_workflow_state"}


def launch_from(signed: Mapping[str, str], *, scope: str, shard: int, now: datetime) -> Launch:
    """`signed`: the platform's own parameters (`oauth1.own_fields`), once their signature stands."""
    if not said(signed.get("resource_link_id")):
        raise LaunchRefused("resource_link", "The launch names no resource link.")
    return launch_of(_told(signed, now), scope=scope, shard=shard)


def _told(signed: Mapping[str, str], now: datetime) -> Told:
    def text(name: str, longest: int = 10_000) -> str | None:
        return said(signed.get(name), longest=longest)

    user_id = text("user_id", 255)
    kinds = text("context_type")
    return Told(
        version="1.1",
        lti11_ids=frozenset({user_id} if user_id else ()),
        name=text("lis_person_name_full"),
        given_name=text("lis_person_name_given"),
        family_name=text("lis_person_name_family"),
        email=text("lis_person_contact_email_primary"),
        picture=text("user_image"),
        sis_user_id=text("lis_person_sourcedid"),
        roles=_listed(signed.get("roles")),
        context_id=text("context_id", 255),
        context_title=text("context_title"),
        context_label=text("context_label"),
        context_types=_listed(kinds),
        course_sis_id=text("lis_course_offering_sourcedid") or _course_of_section(signed),
        custom=_custom(signed),
        product=text("tool_consumer_info_product_family_code"),
        platform_guid=text("tool_consumer_instance_guid", 255),
        platform_name=text("tool_consumer_instance_name"),
        resource_link_id=text("resource_link_id", 255),
        return_url=text("launch_presentation_return_url"),
        at=now,
    )


def _custom(signed: Mapping[str, str]) -> dict[str, str]:
    """Custom fields of Canvas, or of a placement: elsewhere a teacher may name some for an activity."""
    in_placement = signed.get("resource_link_id") == signed.get("context_id")
    if signed.get("tool_consumer_info_product_family_code") != CANVAS and not in_placement:
        return {}
    found: dict[str, str] = {}
    for name, value in signed.items():
        own = name.removeprefix("custom_")
        told = said(value)
        if own != name and told is not None:
            found.setdefault(_OTHER_NAMES.get(own, own), told)
    return found


def _course_of_section(signed: Mapping[str, str]) -> str | None:
    """Others name the section's SIS id alone, and a section is a course to them; Canvas never sends it."""
    if signed.get("tool_consumer_info_product_family_code") == CANVAS:
        return None
    return said(signed.get("lis_course_section_sourcedid"))


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(word for part in (text or "").split(",") if (word := part.strip()))
