"""The page in which Canvas shows a tool: who may open it, and what its frame is sent (fact sheet lti-launch.md §2 and §7)."""

from collections.abc import Callable, Mapping
from html import escape
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from twin import html
from twin.errors import NotFound, Unauthorized
from twin.ids import find_account, find_course, find_user
from twin.lti import people
from twin.lti.launch11 import launch_form
from twin.lti.launch13 import STORAGE_TARGET, login_initiation
from twin.lti.people import Context
from twin.lti.platform import Launch, Platform, platform_of
from twin.lti.scene import Scene
from twin.lti.tools import COURSE_NAVIGATION, ResourceLink, Tool
from twin.permissions import account_rights, course_rights
from twin.records import TEACHER_LIKE, Account, Course, User
from twin.school import School
from twin.sessions import Session, Sessions

_ASSETS = files("twin") / "assets"


async def show_tool(request: Request) -> Response:
    """`/courses/412/external_tools/1`: a tool in its navigation placement."""
    platform = platform_of(request)
    context = _context(platform.school, request)
    tool = platform.tools.get(int(request.path_params["tool_id"]))
    if tool is None or tool not in platform.visible_in(context):
        raise NotFound
    placement = request.query_params.get("placement") or _default_placement(context)
    student = request.query_params.get("student_id", "")
    return _page(
        request,
        context,
        tool,
        placement=placement,
        student_id=int(student) if student.isdigit() else None,
    )


async def show_link(request: Request) -> Response:
    """`/courses/412/external_tools/retrieve`: a link that a teacher made to the tool."""
    platform = platform_of(request)
    context = _context(platform.school, request)
    link = platform.links.get(request.query_params.get("resource_link_lookup_uuid", ""))
    tool = platform.tools.get(link.tool_id) if link else None
    if link is None or tool is None or link.workflow_state == "deleted":
        raise NotFound
    if not isinstance(context, Course) or link.course_id != context.id:
        raise NotFound
    return _page(request, context, tool, link=link)


def _context(school: School, request: Request) -> Context:
    find: Mapping[str, Callable[[School, str], Context | None]] = {
        "courses": find_course,
        "accounts": find_account,
        "users": find_user,
    }
    place = find.get(request.path_params.get("place", "courses"))
    context = place(school, request.path_params["context_id"]) if place else None
    if context is None or context.workflow_state == "deleted":
        raise NotFound
    return context


def _default_placement(context: Context) -> str:
    if isinstance(context, Course):
        return COURSE_NAVIGATION
    return "account_navigation" if isinstance(context, Account) else "user_navigation"


def _page(
    request: Request,
    context: Context,
    tool: Tool,
    *,
    placement: str | None = None,
    link: ResourceLink | None = None,
    student_id: int | None = None,
) -> Response:
    platform = platform_of(request)
    sessions: Sessions = request.app.state.sessions
    session = sessions.of(request)
    if not may_open(platform, session, context, tool, placement):
        raise Unauthorized
    scene = Scene(
        platform.school,
        tool,
        context,
        session.user if session else None,
        session.real_user if session else None,
    )
    launch = Launch(scene=scene, placement=placement, link=link, student_id=student_id)
    return _framed(platform, launch)


def may_open(
    platform: Platform, session: Session | None, context: Context, tool: Tool, placement: str | None
) -> bool:
    """Whether the person can read the context and the placement is meant for them."""
    shown = tool.placements.get(placement or "")
    if placement is not None and (shown is None or not shown.enabled):
        return False
    if shown and shown.root_account_only and context is not platform.school.root:
        return False
    if not _may_read(platform.school, session, context):
        return False
    visibility = shown.visibility if shown else "public"
    if visibility == "public":
        return True
    return session is not None and _belongs(platform.school, session.user, context, visibility)


def _may_read(school: School, session: Session | None, context: Context) -> bool:
    user = session.user if session else None
    if isinstance(context, Course):
        if user is None:
            return context.is_public and context.workflow_state == "available"
        return "read" in course_rights(school, user, context)
    if user is None:
        return False
    if isinstance(context, Account):
        return "read" in account_rights(school, user, context)
    return user is context


def _belongs(school: School, user: User, context: Context, visibility: str) -> bool:
    here = people.standing(school, user, context)
    wanted = here.here if visibility == "members" else TEACHER_LIKE & set(here.here)
    return here.admin_here or bool(wanted)


def _framed(platform: Platform, launch: Launch) -> Response:
    """The tool's frame, the frame that forwards its messages, and the form that opens it."""
    if launch.scene.tool.is_lti13:
        action, fields = launch.scene.tool.initiation_url, login_initiation(platform, launch)
    else:
        action, fields = launch_form(platform, launch)
    user, real_user = launch.scene.user, launch.scene.real_user
    who = user.name if user else "somebody who is not logged in"
    acting = f", in truth {real_user.name}" if real_user else ""
    storage = platform.school.options.lti_storage
    forwarder = f'<iframe name="{STORAGE_TARGET}" src="/{STORAGE_TARGET}" hidden></iframe>'
    return html.page(
        launch.scene.tool.name,
        f'<p class="quiet"><a href="/twin/launches">Launches</a> · {escape(launch.scene.tool.name)}'
        f" in {escape(launch.scene.context.name)} as {escape(who + acting)}</p>"
        f"{forwarder if storage else ''}"
        '<iframe class="tool" name="tool_content" title="tool" allow="clipboard-write"></iframe>'
        + html.posted_form(action, fields, target="tool_content"),
        script="platform_storage.js" if storage else "post.js",
    )


async def forwarder(_request: Request) -> Response:
    return html.page("Forwarding", "", script="forwarder.js")


async def returned(request: Request) -> Response:
    """Where `launch_presentation.return_url` leads, with what the tool wants to say."""
    query = request.query_params
    said = [query[name] for name in ("lti_msg", "lti_errormsg") if name in query]
    return html.page("Back in Canvas", f"<p>Back in Canvas. {escape(' '.join(said))}</p>")


async def asset(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in {"post.js", "platform_storage.js", "forwarder.js"}:
        raise NotFound
    return Response((_ASSETS / name).read_text(), media_type="text/javascript")


routes: list[BaseRoute] = [
    Route("/courses/{context_id}/external_tools/retrieve", show_link),
    Route("/{place}/{context_id}/external_tools/{tool_id:int}", show_tool),
    Route("/{place}/{context_id}/external_content/success/external_tool_redirect", returned),
    Route(f"/{STORAGE_TARGET}", forwarder),
    Route("/twin/assets/{name}", asset),
]
