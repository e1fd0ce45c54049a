"""The claims of an id_token, as Canvas makes them when a launch begins (fact sheet lti-launch.md §3)."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from twin.lti import people, roles
from twin.lti.platform import Launch, Platform
from twin.lti.scene import Scene
from twin.lti.substitution import expand, expand_one
from twin.lti.tools import Tool
from twin.records import Account, Course, DeveloperKey, User
from twin.scopes import NRPS

LTI = "https://purl.imsglobal.org/spec/lti/claim/"
NRPS_CLAIM = "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice"
AGS_CLAIM = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
PLACEMENT = "https://www.instructure.com/placement"
STUDENT_ID = "https://www.instructure.com/lti_student_id"
LIFE = 3600

_CONTEXT_TYPES: dict[type[Course | Account | User], str] = {
    Course: "http://purl.imsglobal.org/vocab/lis/v2/course#CourseOffering",
    Account: "Account",  # no URI, though the specification asks for one
    User: "User",
}
# The serializer of Canvas leaves these in nested claims and at the top.
_STRAY: dict[str, Any] = {"errors": {"errors": {}}, "validation_context": None}
_WITH_STRAY = ("resource_link", "context", "lis", "tool_platform", "launch_presentation")


def id_token_claims(platform: Platform, key: DeveloperKey, launch: Launch) -> dict[str, Any]:
    """All but the nonce, which the tool names later."""
    now = int(platform.now().timestamp())
    client_id = str(key.id)
    claims = {
        "iss": platform.school.options.lti_issuer,
        "aud": client_id,
        "azp": client_id,
        "iat": now,
        "exp": now + LIFE,
        **_message(platform, launch),
        **_services(platform, key, launch.scene),
        **_person(launch.scene),
        "locale": people.locale_of(launch.scene.user),
        PLACEMENT: launch.placement,
    }
    if launch.student_id is not None:
        claims[STUDENT_ID] = str(launch.student_id)
    return _with_stray_members(claims) if platform.school.options.lti_stray_members else claims


def _message(platform: Platform, launch: Launch) -> dict[str, Any]:
    scene = launch.scene
    nested = {
        "message_type": "LtiResourceLinkRequest",
        "version": "1.3.0",
        "deployment_id": scene.tool.deployment_id,
        "target_link_uri": target_link_uri(launch),
        "resource_link": _resource_link(launch),
        "context": _context(scene),
        "roles": roles.v2(people.standing(platform.school, scene.user, scene.context)),
        "custom": expand(scene, scene.tool.custom_for(launch.placement, launch.link), v13=True),
        "launch_presentation": _presentation(launch),
        "tool_platform": _tool_platform(platform),
        **legacy_ids(scene.user, launch),
    }
    if scene.tool.privacy_level in {"name_only", "public"}:
        nested["lis"] = {
            "person_sourcedid": expand_one(scene, "Person.sourcedId"),
            "course_offering_sourcedid": expand_one(scene, "CourseSection.sourcedId"),
        }
    if mentored := mentored_ids(scene):
        nested["role_scope_mentor"] = [ids.lti_id for ids in mentored]
    return {f"{LTI}{name}": value for name, value in nested.items()}


def target_link_uri(launch: Launch) -> str:
    """The link's URL, else the placement's, else the tool's."""
    return (launch.link and launch.link.url) or launch.scene.tool.launch_url(launch.placement)


def _resource_link(launch: Launch) -> dict[str, Any]:
    if launch.link is not None:
        link = launch.link
        return {"id": link.uuid, "title": link.title, "description": link.description}
    context = launch.scene.context
    return {"id": context.lti_context_id, "title": context.name, "description": None}


def _context(scene: Scene) -> dict[str, Any]:
    label = {"label": scene.course.course_code} if scene.course else {}
    return {
        "id": scene.context.lti_context_id,
        **label,
        "title": scene.context.name,
        "type": [_CONTEXT_TYPES[type(scene.context)]],
    }


def return_url(scene: Scene) -> str:
    place = {Course: "courses", Account: "accounts", User: "users"}[type(scene.context)]
    return (
        f"{scene.base_url}/{place}/{scene.context.id}"
        "/external_content/success/external_tool_redirect"
    )


def _presentation(launch: Launch) -> dict[str, Any]:
    shown = launch.scene.tool.placements.get(launch.placement or "")
    size = {"width": shown and shown.width, "height": shown and shown.height}
    return {
        "document_target": "iframe",
        "locale": people.locale_of(launch.scene.user),
        "return_url": return_url(launch.scene),
        **{name: value for name, value in size.items() if value is not None},
    }


def _tool_platform(platform: Platform) -> dict[str, str]:
    root = platform.school.root
    return {
        "guid": root.lti_guid,
        "name": root.name,
        "version": "cloud",
        "product_family_code": "canvas",
    }


def legacy_ids(user: User | None, launch: Launch | None) -> dict[str, Any]:
    """The living user's 1.1 id, after a merge as well: not what `sub` says in this context."""
    opaque = user.lti_context_id if user else ""
    claims: dict[str, Any] = {"lti11_legacy_user_id": opaque}
    link = launch.link if launch else None
    migration = {"user_id": opaque} if user else {}
    if link is not None and link.lti11_id != link.uuid:
        migration["resource_link_id"] = link.lti11_id
    return claims | ({"lti1p1": migration} if migration else {})


def mentored_ids(scene: Scene) -> list[people.LtiIds]:
    """Whom an observer watches here, as the tool may know it."""
    if scene.tool.privacy_level != "public" or scene.user is None or scene.course is None:
        return []
    watched = people.observed_in(scene.school, scene.user, scene.course)
    return [people.ids_in(scene.school, student, scene.course) for student in watched]


def _services(platform: Platform, key: DeveloperKey, scene: Scene) -> dict[str, Any]:
    """Account launches have none: there is no way to list courses over LTI."""
    if scene.course is None:
        return {}
    base = f"{platform.url}/api/lti/courses/{scene.course.id}"
    claims: dict[str, Any] = {}
    if NRPS in key.scopes:
        claims[NRPS_CLAIM] = {
            "context_memberships_url": f"{base}/names_and_roles",
            "service_versions": ["2.0"],
        }
    grades = [scope for scope in key.scopes if "/lti-ags/scope/" in scope]
    if grades:
        claims[AGS_CLAIM] = {"scope": grades, "lineitems": f"{base}/line_items"}
    return claims


def _person(scene: Scene) -> dict[str, Any]:
    user = scene.user
    if user is None:
        return {}
    ids = people.ids_in(scene.school, user, scene.context)
    return {"sub": ids.lti_id, **profile(scene, user)}


def profile(scene: Scene, user: User) -> dict[str, Any]:
    """Name, address and picture, as far as the privacy level goes."""
    level = scene.tool.privacy_level
    claims: dict[str, Any] = {}
    if level in {"name_only", "public"}:
        given, family = people.given_and_family(user)
        claims |= {"name": user.name, "given_name": given, "family_name": family}
    if level in {"email_only", "public"}:
        claims["email"] = people.email_of(scene.school, user)
    if level == "public":
        claims["picture"] = people.avatar(user, scene.base_url)
    return {name: value for name, value in claims.items() if value is not None}


def _with_stray_members(claims: dict[str, Any]) -> dict[str, Any]:
    nested = {
        name: claims[name] | _STRAY
        for name in (f"{LTI}{claim}" for claim in _WITH_STRAY)
        if name in claims
    }
    return {**claims, **nested, **_STRAY}


def with_nonce(claims: Mapping[str, Any], nonce: str, consumer: Tool | None) -> dict[str, Any]:
    """The claims as they are sent; the 1.1 tool that this one follows is named and proved (§3.5)."""
    finished = {**claims, "nonce": nonce}
    if consumer is None:
        return finished
    proof = consumer_key_sign(finished, consumer.consumer_key, consumer.secret)
    migration = {"oauth_consumer_key": consumer.consumer_key, "oauth_consumer_key_sign": proof}
    return finished | {f"{LTI}lti1p1": {**finished.get(f"{LTI}lti1p1", {}), **migration}}


def consumer_key_sign(claims: Mapping[str, Any], consumer_key: str, secret: str) -> str:
    parts = (
        consumer_key,
        claims[f"{LTI}deployment_id"],
        claims["iss"],
        claims["aud"],
        str(claims["exp"]),
        claims["nonce"],
    )
    digest = hmac.new(secret.encode(), "&".join(parts).encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()
