"""The twin's own front page: people by courses, and a launch as any of them into the tool."""

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from itertools import islice
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from twin import html
from twin.errors import NotFound
from twin.ids import find_user
from twin.live_events import LiveEvents
from twin.lti.people import CURRENT
from twin.lti.platform import Platform, platform_of
from twin.lti.tools import PRIVACY_LEVELS, Tool
from twin.records import Course, Enrollment, User
from twin.school import School
from twin.sessions import Session, Sessions

_PEOPLE = 25
_COURSES = 12
_PLACES = {"course": "courses", "account": "accounts"}


async def index(request: Request) -> Response:
    """One page of people, found by name, login, SIS id or number; by course where one is named."""
    platform, query = platform_of(request), request.query_params
    wanted, course_wanted = query.get("person", "").strip(), query.get("course", "").strip()
    number = int(query.get("page", "1")) if query.get("page", "1").isdigit() else 1
    courses = _courses(platform.school, course_wanted) if course_wanted else None
    found = _people(platform.school, wanted, courses)
    start = (max(number, 1) - 1) * _PEOPLE
    shown = list(islice(found, start, start + _PEOPLE + 1))
    rows = "".join(_row(platform.school, user, courses) for user in shown[:_PEOPLE])
    links = _links(query, number, more=len(shown) > _PEOPLE)
    return html.page(
        "Launches",
        '<h1>Launches</h1><p class="quiet"><a href="/twin/registrations">Registrations</a></p>'
        '<form action="/twin/launches"><fieldset>'
        f'<label>Person <input name="person" value="{escape(wanted)}"></label>'
        f'<label>Course <input name="course" value="{escape(course_wanted)}"></label>'
        '<button type="submit">Search</button></fieldset></form>'
        f'<form method="post" action="/twin/launches">{_choices(platform)}'
        f"<table><tr><th>Person</th><th>Launch in</th></tr>{rows}</table></form>{links}",
    )


def _choices(platform: Platform) -> str:
    tools = [(str(tool.id), tool.name) for tool in platform.tools.values()]
    levels = [("", "as installed"), *((level, level) for level in PRIVACY_LEVELS)]
    return (
        f'<fieldset><label>Tool <select name="tool">{html.options(tools)}</select></label>'
        f'<label>Privacy level <select name="privacy">{html.options(levels)}</select></label>'
        '<label>Acting for them is (user id) <input name="real_user" size="8"></label></fieldset>'
    )


def _links(query: Mapping[str, str], number: int, *, more: bool) -> str:
    kept = {name: value for name, value in query.items() if name != "page"}
    pages = [("Previous", number - 1)] * (number > 1) + [("Next", number + 1)] * more
    return " ".join(
        f'<a href="/twin/launches?{escape(urlencode(kept | {"page": page}))}">{text}</a>'
        for text, page in pages
    )


def _courses(school: School, wanted: str) -> set[int]:
    text = wanted.lower()
    return {
        course.id
        for course in school.courses.values()
        if text == str(course.id)
        or text in course.name.lower()
        or text in course.course_code.lower()
        or text == (course.sis_source_id or "").lower()
    }


def _people(school: School, wanted: str, courses: set[int] | None) -> Iterator[User]:
    """By id, so that pages follow each other; a generator, so that few of 60,000 are looked at."""
    text = wanted.lower()
    if courses is None:
        candidates: Iterable[User] = school.users.values()
    else:
        ids = {
            enrollment.user_id
            for course_id in courses
            for enrollment in school.enrollments_of_course.of(course_id)
            if enrollment.workflow_state in CURRENT
        }
        candidates = (school.users[user_id] for user_id in sorted(ids))
    for user in candidates:
        if user.workflow_state != "deleted" and (not text or _is_named(school, user, text)):
            yield user


def _is_named(school: School, user: User, text: str) -> bool:
    if text == str(user.id) or text in user.name.lower():
        return True
    return any(
        text in login.unique_id.lower() or text == (login.sis_user_id or "").lower()
        for login in school.pseudonyms_of_user.of(user.id)
    )


def _row(school: School, user: User, courses: set[int] | None) -> str:
    logins = ", ".join(login.unique_id for login in school.pseudonyms_of_user.of(user.id))
    buttons = [*_account_buttons(school, user), *_course_buttons(school, user, courses)]
    more = "" if len(buttons) <= _COURSES else f" and {len(buttons) - _COURSES} more"
    return (
        f'<tr><td>{escape(user.name)}<br><span class="quiet">{user.id} · {escape(logins)}</span>'
        f"</td><td>{' '.join(buttons[:_COURSES])}{more}</td></tr>"
    )


def _account_buttons(school: School, user: User) -> Iterator[str]:
    for admin in school.admins_of_user.of(user.id):
        if admin.workflow_state == "active":
            account, role = school.accounts[admin.account_id], school.roles[admin.role_id]
            yield _button(user, f"account_{account.id}", f"{account.name} ({role.label})")


def _course_buttons(school: School, user: User, courses: set[int] | None) -> Iterator[str]:
    held: dict[int, list[Enrollment]] = {}
    for enrollment in school.enrollments_of_user.of(user.id):
        if enrollment.workflow_state in CURRENT and (
            courses is None or enrollment.course_id in courses
        ):
            held.setdefault(enrollment.course_id, []).append(enrollment)
    for course_id, enrollments in held.items():
        course: Course = school.courses[course_id]
        kinds = dict.fromkeys(e.type.removesuffix("Enrollment") for e in enrollments)
        yield _button(user, f"course_{course_id}", f"{course.name} ({', '.join(kinds)})")


def _button(user: User, place: str, text: str) -> str:
    return f'<button name="launch" value="{user.id}:{place}">{escape(text)}</button>'


async def launch(request: Request) -> Response:
    """Log the browser in as the person and go to the tool's page in Canvas."""
    platform, form = platform_of(request), await request.form()
    person, _, place = str(form.get("launch", "")).partition(":")
    kind, _, context_id = place.partition("_")
    user = find_user(platform.school, person)
    tool = _tool(platform, str(form.get("tool", "")))
    if user is None or tool is None or kind not in _PLACES:
        raise NotFound
    level = str(form.get("privacy", ""))
    for known in PRIVACY_LEVELS:
        if level == known:
            tool.privacy_level = known
    real_user = find_user(platform.school, str(form.get("real_user", "")).strip())
    target = f"/{_PLACES[kind]}/{context_id}/external_tools/{tool.id}"
    response = RedirectResponse(target, 303)
    sessions: Sessions = request.app.state.sessions
    sessions.start(response, Session(user, real_user))
    live_events: LiveEvents = request.app.state.live_events
    live_events.logged_in(real_user or user, target, request.headers.get("user-agent", ""))
    return response


def _tool(platform: Platform, text: str) -> Tool | None:
    return platform.tools.get(int(text)) if text.isdigit() else None


async def home(_request: Request) -> Response:
    return RedirectResponse("/twin/launches", 302)


routes: list[BaseRoute] = [
    Route("/", home),
    Route("/twin/launches", index),
    Route("/twin/launches", launch, methods=["POST"]),
]
