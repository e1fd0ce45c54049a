"""The lists of the graph: each field says what it lists, below which parent, and which rows a filter means."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import strawberry

from gateway.readpath import ledger
from gateway.readpath.filters import Filter
from gateway.readpath.ledger import Parent
from gateway.readpath.registry import Row
from resolvers import filters, inputs
from resolvers.arguments import (
    After,
    AsOf,
    Before,
    CoursesBy,
    EnrollmentsBy,
    First,
    Fresh,
    Last,
    UsersBy,
    WhichCourses,
    WhichEnrollments,
    WhichRuns,
    WhichSections,
    WhichUsers,
)
from resolvers.context import Context, Info
from resolvers.pages import Asked, connection

Meant = Callable[[Context, Any], Awaitable[Filter]]


@dataclass(frozen=True, kw_only=True)
class ListField:
    """A field with a list of rows: of which type, below which parent, and which of them a filter means."""

    type_name: str
    meant: Meant
    column: str | None = None
    place: Callable[[Row], Parent] = lambda _root: (ledger.INSTITUTION,)
    newest_first: bool = False

    def asked(self, which: Any = None, order_by: Any = None, **others: Any) -> Asked:
        """Its arguments, by the names of its resolver's parameters."""

        def make_filter(context: Context) -> Awaitable[Filter]:
            return self.meant(context, which)

        return Asked(which=make_filter, order=order_by, newest_first=self.newest_first, **others)

    async def page(self, info: Info, root: Row, **arguments: Any) -> Any:
        asked = self.asked(**arguments)
        return await connection(info, self.type_name, self.column, self.place(root), asked)


def course_place(course: Row) -> Parent:
    return (("course", course["row_id"]),)


def _section_place(section: Row) -> Parent:
    return (("section", section["row_id"]), ("course", section["course_id"]))


def _user_place(user: Row) -> Parent:
    return (("person", user["row_id"]),)


async def _runs(_context: Context, which: inputs.SyncRunFilter | None) -> Filter:
    return filters.sync_runs(which)


_COURSES = ListField(type_name="Course", meant=filters.courses)
_USERS = ListField(type_name="User", meant=filters.users)
_RUNS = ListField(type_name="SyncRun", meant=_runs, newest_first=True)
_SECTIONS = ListField(
    type_name="Section", meant=filters.sections, column="course_id", place=course_place
)


def _of(column: str, place: Callable[[Row], Parent]) -> ListField:
    return ListField(type_name="Enrollment", meant=filters.enrollments, column=column, place=place)


_OF_COURSE = _of("course_id", course_place)
_OF_SECTION = _of("section_id", _section_place)
_OF_USER = _of("person_id", _user_place)


async def courses(  # noqa: PLR0913, PLR0917  the graph's arguments
    info: Info,
    which: WhichCourses = None,
    order_by: CoursesBy = None,
    freshness: Fresh = None,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
    as_of: AsOf = None,
) -> Any:
    return await _COURSES.page(
        info,
        {},
        which=which,
        order_by=order_by,
        freshness=freshness,
        first=first,
        after=after,
        last=last,
        before=before,
        as_of=as_of,
    )


async def users(  # noqa: PLR0913, PLR0917  the graph's arguments
    info: Info,
    which: WhichUsers = None,
    order_by: UsersBy = None,
    freshness: Fresh = None,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
    as_of: AsOf = None,
) -> Any:
    return await _USERS.page(
        info,
        {},
        which=which,
        order_by=order_by,
        freshness=freshness,
        first=first,
        after=after,
        last=last,
        before=before,
        as_of=as_of,
    )


async def sync_runs(
    info: Info, which: WhichRuns = None, first: First = None, after: After = None
) -> Any:
    return await _RUNS.page(info, {}, which=which, first=first, after=after)


async def sections(
    info: Info,
    root: strawberry.Parent[Row],
    which: WhichSections = None,
    freshness: Fresh = None,
    first: First = None,
    after: After = None,
    as_of: AsOf = None,
) -> Any:
    """Of a course."""
    return await _SECTIONS.page(
        info, root, which=which, freshness=freshness, first=first, after=after, as_of=as_of
    )


def _enrollments(listed: ListField) -> Any:
    """The resolver of an `enrollments` field, of whatever has enrollments."""

    async def enrollments(
        info: Info,
        root: strawberry.Parent[Row],
        which: WhichEnrollments = None,
        order_by: EnrollmentsBy = None,
        freshness: Fresh = None,
        first: First = None,
        after: After = None,
        as_of: AsOf = None,
    ) -> Any:
        return await listed.page(
            info,
            root,
            which=which,
            order_by=order_by,
            freshness=freshness,
            first=first,
            after=after,
            as_of=as_of,
        )

    return enrollments


enrollments_of_course = _enrollments(_OF_COURSE)
enrollments_of_section = _enrollments(_OF_SECTION)
enrollments_of_user = _enrollments(_OF_USER)

# By resolver: what a compiled read reads in its place, for all parents at once.
LISTS: dict[Any, ListField] = {
    courses: _COURSES,
    users: _USERS,
    sync_runs: _RUNS,
    sections: _SECTIONS,
    enrollments_of_course: _OF_COURSE,
    enrollments_of_section: _OF_SECTION,
    enrollments_of_user: _OF_USER,
}
