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
query ConsoleClass($course: ID!, $first: Int!, $after: String) {
  course(by: {id: $course}) {
    id name courseCode term { name }
    members(first: $first, after: $after) {
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
query ConsoleCourses($after: String) {
  courses(first: 100, after: $after, orderBy: {field: NAME}) {
    pageInfo { hasNextPage endCursor }
    nodes { id name courseCode }
    provenance { ...Told }
  }
}
"""
    + _PROVENANCE
)
_OWN_COURSES = (
    """
query ConsoleOwnCourses($after: String) {
  viewer { user { enrollments(first: 100, after: $after) {
    pageInfo { hasNextPage endCursor }
    nodes { course { id name courseCode } }
    provenance { ...Told }
  } } }
}
"""
    + _PROVENANCE
)


async def home(console: Console, who: Visitor) -> Response:
    """The course that the person was launched in; else their courses, or for an operator the school's."""
    launched = who.viewer.launched
    if launched is not None and launched.course_id is not None:
        return await _class(console, who, node_ids.encode("Course", launched.course_id), None)
    return await (_all_courses if who.is_operator else _own_courses)(console, who)


async def a_class(console: Console, who: Visitor) -> Response:
    return await _class(console, who, who.field("course"), who.fields.get("after"))


async def _class(console: Console, who: Visitor, course_id: str, after: str | None) -> Response:
    variables = {"course": course_id, "first": _PEOPLE_A_PAGE, "after": after}
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
        freshness=words.freshness(members["provenance"], console.clock()),
        gaps=_distinct(members["provenance"]["gaps"]),
        after=_after(members),
    )


async def _all_courses(console: Console, who: Visitor) -> Response:
    answer = await console.ask(who.viewer, _COURSES, {"after": who.fields.get("after")})
    found = (answer.data or {}).get("courses")
    courses = found["nodes"] if found else []
    return _courses(console, who, found, courses, answer.refusals, "No course is known yet.")


async def _own_courses(console: Console, who: Visitor) -> Response:
    answer = await console.ask(who.viewer, _OWN_COURSES, {"after": who.fields.get("after")})
    user = ((answer.data or {}).get("viewer") or {}).get("user")
    found = user["enrollments"] if user else None
    courses = {node["course"]["id"]: node["course"] for node in found["nodes"]} if found else {}
    empty = "No course of yours is known here yet. Open the tool from a course."
    return _courses(console, who, found, list(courses.values()), answer.refusals, empty)


def _courses(
    console: Console,
    who: Visitor,
    found: Any,
    courses: list[Any],
    refusals: tuple[str, ...],
    empty: str,
) -> Response:
    return page(
        "courses",
        framed_by=who.framed_by,
        who=who,
        title="Courses",
        courses=courses,
        refusals=refusals,
        freshness=words.freshness(found["provenance"], console.clock()) if found else "",
        after=_after(found) if found else None,
        empty=empty,
    )


def _after(found: Any) -> str | None:
    page_info = found["pageInfo"]
    return page_info["endCursor"] if page_info["hasNextPage"] else None


def _distinct(gaps: list[Any]) -> list[Any]:
    """A hidden field is told once for each place where it was asked for; that nothing was read, the sentence above tells."""
    told = {gap["message"]: gap for gap in gaps if gap["reason"] != GapReason.NEVER_SYNCED}
    return list(told.values())
