"""Names and Role Provisioning: the roster of one course for one tool (fact sheet nrps.md §2 to §8).

The twin has no groups, so a group is a context that does not exist.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from twin.errors import NotFound
from twin.ids import plain_id
from twin.lti import people, roles
from twin.lti.claims import LTI, legacy_ids, profile
from twin.lti.platform import Platform, platform_of
from twin.lti.rlid import Selection, selection
from twin.lti.scene import Scene
from twin.lti.service_access import ServiceError, authorize_service
from twin.lti.substitution import expand
from twin.lti.tools import Tool
from twin.records import Course, DeveloperKey, Enrollment, User
from twin.scopes import NRPS

MEDIA_TYPE = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
PAGE_LIMIT = 50
_ACTIVE = frozenset({"active"})


async def course_names_and_roles(request: Request) -> Response:
    platform = platform_of(request)
    key = authorize_service(request, NRPS)
    course = _course(platform, request.path_params["course_id"])
    tool = _tool(platform, key, course)
    wanted = selection(platform, tool, course, request.query_params.get("rlid"))
    members = _members(platform, course, wanted, request.query_params.get("role"))
    number, size = _page(request.query_params)
    shown = members[(number - 1) * size : number * size]
    scene = Scene(platform.school, tool, course, user=None, in_roster=True)
    container = {
        "id": f"{_url(request)}?{request.url.query}" if request.url.query else _url(request),
        "context": {
            "id": course.lti_context_id,
            "label": course.course_code,
            "title": course.name,
        },
        "members": [_member(replace(scene, user=user), wanted) for user in shown],
    }
    pages = max(1, -(-len(members) // size))
    headers = {"Link": _links(request, number, size, pages)}
    return Response(orjson.dumps(container), 200, headers, MEDIA_TYPE)


async def group_names_and_roles(request: Request) -> Response:
    authorize_service(request, NRPS)
    raise NotFound


def _course(platform: Platform, text: str) -> Course:
    number = plain_id(platform.school, text)
    course = platform.school.courses.get(number) if number is not None else None
    if course is None:
        raise NotFound
    if course.workflow_state == "deleted":
        raise ServiceError(404, "Context is deleted or not found")
    return course


def _tool(platform: Platform, key: DeveloperKey, course: Course) -> Tool:
    """The installation that answers: of several on the course's path the oldest, whoever launched."""
    mine = (t for t in platform.visible_in(course) if t.developer_key_id == key.id)
    tool = min(mine, key=lambda tool: tool.id, default=None)
    if tool is None:
        text = "Access Token not linked to a Tool associated with this Context"
        raise ServiceError(401, text)
    return tool


def _members(platform: Platform, course: Course, wanted: Selection, role: str | None) -> list[User]:
    """People with an active enrollment, by id; the filter picks people, not enrollments."""
    enrollments = _active(platform, course)
    if role is not None:
        kinds = roles.kinds_with(role)
        enrollments = [enrollment for enrollment in enrollments if enrollment.type in kinds]
    ids = {enrollment.user_id for enrollment in enrollments if wanted.includes(enrollment)}
    return [platform.school.users[user_id] for user_id in sorted(ids)]


def _active(platform: Platform, course: Course) -> list[Enrollment]:
    """By stored state alone: dates and terms are not looked at (§4)."""
    every = platform.school.enrollments_of_course.of(course.id)
    return [enrollment for enrollment in every if enrollment.workflow_state == "active"]


def _member(scene: Scene, wanted: Selection) -> dict[str, Any]:
    user = scene.user
    assert user is not None  # noqa: S101  a scene of the roster is one of its members
    ids = people.ids_in(scene.school, user, scene.context)
    kinds = [enrollment.type for enrollment in scene.enrollments(_ACTIVE)]
    member = {
        "status": "Active",
        **_profile(scene, user),
        "user_id": ids.lti_id,
        "lti11_legacy_user_id": user.lti_context_id,
        "roles": roles.membership(kinds),
    }
    if wanted.with_message:
        member["message"] = [_message(scene, user, wanted)]
    return member


def _profile(scene: Scene, user: User) -> dict[str, Any]:
    login = scene.login
    if scene.tool.privacy_level in {"name_only", "public"} and login and login.sis_user_id:
        return profile(scene, user) | {"lis_person_sourcedid": login.sis_user_id}
    return profile(scene, user)


def _message(scene: Scene, user: User, wanted: Selection) -> dict[str, Any]:
    """Tool-level custom fields for this member; no placement is known here."""
    custom = expand(scene, scene.tool.custom_for(None, wanted.link), v13=True)
    return {
        f"{LTI}message_type": "LtiResourceLinkRequest",
        "locale": people.locale_of(user),
        **{f"{LTI}{name}": value for name, value in legacy_ids(user, None).items()},
        f"{LTI}custom": custom,
    }


def _page(query: Mapping[str, str]) -> tuple[int, int]:
    """The page's number and size; `limit` goes before Canvas's own `per_page`, both up to 50."""
    size = _positive(query.get("limit")) or (
        None if "limit" in query else _positive(query.get("per_page"))
    )
    return _positive(query.get("page")) or 1, min(size or PAGE_LIMIT, PAGE_LIMIT)


def _positive(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and int(text) > 0 else None


def _links(request: Request, number: int, size: int, pages: int) -> str:
    """Filters stay in the links; `limit` is taken out and lives on as `per_page`."""
    kept = [
        pair
        for pair in request.query_params.multi_items()
        if pair[0] not in {"limit", "page", "per_page"}
    ]
    numbers = {"current": number, "next": number + 1, "prev": number - 1, "first": 1, "last": pages}
    if number >= pages:
        del numbers["next"]
    if number <= 1:
        del numbers["prev"]
    return ",".join(
        f'<{_url(request)}?{urlencode([*kept, ("page", page), ("per_page", size)])}>; rel="{rel}"'
        for rel, page in numbers.items()
    )


def _url(request: Request) -> str:
    return f"{str(request.base_url).rstrip('/')}{request.url.path}"


routes: list[BaseRoute] = [
    Route("/api/lti/courses/{course_id}/names_and_roles", course_names_and_roles),
    Route("/api/lti/groups/{group_id}/names_and_roles", group_names_and_roles),
]
