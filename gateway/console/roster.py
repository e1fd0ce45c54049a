"""A person's class and courses, as the graph shows them to that person."""

from typing import Any

from starlette.responses import Response

from gateway.console import words
from gateway.console.pages import page
from gateway.console.visitors import Console, Visitor
from gateway.errors import BadRequest, Forbidden
from gateway.readpath import node_ids
from models.roster import GapReason

_PEOPLE_A_PAGE = 200
_PROVENANCE = """
fragment Told on Provenance {
  source asOf stale completeness origins { source asOf } gaps { field reason message }
}
"""
_CLASS = (
    """
query ConsoleClass($course: ID!, $first: Int!, $after: String, $freshness: Freshness) {
  course(by: {id: $course}) {
    id name courseCode term { name }
    members(first: $first, after: $after, freshness: $freshness) {
      totalCount
      pageInfo { hasNextPage endCursor }
      nodes { user { name sortableName email } types sections { name } }
      provenance { ...Told }
    }
  }
}
"""
    + _PROVENANCE
)
_COURSES = (
    """
query ConsoleCourses($after: String, $freshness: Freshness) {
  courses(first: 100, after: $after, freshness: $freshness, orderBy: {field: NAME}) {
    pageInfo { hasNextPage endCursor }
    nodes { id canvasId name courseCode }
    provenance { ...Told }
  }
}
"""
    + _PROVENANCE
)
_OWN_COURSES = (
    """
query ConsoleOwnCourses($after: String, $freshness: Freshness) {
  viewer { user { enrollments(first: 100, after: $after, freshness: $freshness) {
    pageInfo { hasNextPage endCursor }
    nodes { course { id canvasId name courseCode } }
    provenance { ...Told }
  } } }
}
"""
    + _PROVENANCE
)


async def home(console: Console, who: Visitor) -> Response:
    """The course that the person was launched in; else their courses, or for an operator the school's."""
    course_id = _launched_in(who)
    if course_id is not None:
        return await _class(console, who, course_id, None)
    return await (_all_courses if who.is_operator else _own_courses)(console, who)


async def a_class(console: Console, who: Visitor) -> Response:
    return await _class(console, who, who.field("course"), who.fields.get("after"))


async def _class(console: Console, who: Visitor, course_id: str, after: str | None) -> Response:
    coming = course_id == _launched_in(who) and _is_coming(console, who)
    variables = {"course": course_id, "first": _PEOPLE_A_PAGE, "after": after, **_as_known(coming)}
    answer = await console.ask(who.viewer, _CLASS, variables)
    course = (answer.data or {}).get("course")
    if course is None:
        if answer.refusals:
            raise Forbidden(" ".join(answer.refusals))
        raise BadRequest("There is no such course, or you may not see it.")
    members = course["members"]
    return page(
        "class",
        framed_by=who.framed_by,
        who=who,
        title=course["name"] or course["courseCode"] or "Course",
        course=course,
        members=members["nodes"],
        total=members["totalCount"],
        freshness=words.freshness(members["provenance"], console.clock(), "people"),
        gaps=_distinct(members["provenance"]["gaps"]),
        after=_after(members),
        coming=coming,
    )


async def _all_courses(console: Console, who: Visitor) -> Response:
    coming = _is_coming(console, who)
    variables = {"after": who.fields.get("after"), **_as_known(coming)}
    answer = await console.ask(who.viewer, _COURSES, variables)
    found = (answer.data or {}).get("courses")
    courses = found["nodes"] if found else []
    empty = "No course is known yet."
    return _courses(console, who, found, courses, answer.refusals, empty, coming=coming)


async def _own_courses(console: Console, who: Visitor) -> Response:
    coming = _is_coming(console, who)
    variables = {"after": who.fields.get("after"), **_as_known(coming)}
    answer = await console.ask(who.viewer, _OWN_COURSES, variables)
    user = ((answer.data or {}).get("viewer") or {}).get("user")
    found = user["enrollments"] if user else None
    courses = {node["course"]["id"]: node["course"] for node in found["nodes"]} if found else {}
    empty = "No course of yours is known here yet. Open the tool from a course."
    return _courses(
        console, who, found, list(courses.values()), answer.refusals, empty, coming=coming
    )


def _courses(
    console: Console,
    who: Visitor,
    found: Any,
    courses: list[Any],
    refusals: tuple[str, ...],
    empty: str,
    *,
    coming: bool,
) -> Response:
    return page(
        "courses",
        framed_by=who.framed_by,
        who=who,
        title="Courses",
        courses=courses,
        refusals=refusals,
        freshness=words.freshness(found["provenance"], console.clock(), "courses") if found else "",
        after=_after(found) if found else None,
        empty=empty,
        coming=coming,
    )


def _launched_in(who: Visitor) -> str | None:
    """The id of the course that the visitor was launched in."""
    launched = who.viewer.launched
    if launched is None or launched.course_id is None:
        return None
    return node_ids.encode("Course", launched.course_id)


def _is_coming(console: Console, who: Visitor) -> bool:
    """Whether what the visitor was launched for is still being read."""
    launched = who.viewer.launched
    return launched is not None and console.is_coming(who.viewer.institution_id, launched.course_id)


def _as_known(coming: bool) -> dict[str, Any]:  # noqa: FBT001  it is all that it is told
    """What is still being read is not waited for again: the page says so, and shows what is known."""
    return {"freshness": {"sources": ["LOCAL"]}} if coming else {}


def _after(found: Any) -> str | None:
    page_info = found["pageInfo"]
    return page_info["endCursor"] if page_info["hasNextPage"] else None


def _distinct(gaps: list[Any]) -> list[str]:
    """A hidden field is told once for each place where it was asked for; that nothing was read, the sentence above tells."""
    told = [words.gap(gap) for gap in gaps if gap["reason"] != GapReason.NEVER_SYNCED]
    return list(dict.fromkeys(told))
