"""The lists of the graph: each field says what it lists, and all its parents are read at once."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import strawberry

from gateway.readpath import answers, ledger
from gateway.readpath.answers import Parts, Question
from gateway.readpath.filters import Filter
from gateway.readpath.ledger import Parent
from gateway.readpath.levels import Level, Listing
from gateway.readpath.paging import Direction, Order, Window, list_key
from gateway.readpath.registry import TABLES, Row
from models.roster import FieldGroup
from resolvers import filters, inputs, needs
from resolvers.context import Context, Info
from resolvers.selection import Selection

First = Annotated[
    int | None,
    strawberry.argument(description="How many, from the front. Omitted: 50; at most 5000."),
]
After = Annotated[
    str | None, strawberry.argument(description="Those behind this cursor: `endCursor` of a page.")
]
Last = Annotated[
    int | None, strawberry.argument(description="How many, from the end. At most 5000.")
]
Before = Annotated[
    str | None,
    strawberry.argument(description="Those before this cursor: `startCursor` of a page."),
]
Fresh = Annotated[
    inputs.Freshness | None,
    strawberry.argument(name="freshness", description="How old the answer may be."),
]
_WHICH = strawberry.argument(name="filter", description="Which ones; omitted: as said above.")
WhichEnrollments = Annotated[inputs.EnrollmentFilter | None, _WHICH]
WhichCourses = Annotated[inputs.CourseFilter | None, _WHICH]
WhichSections = Annotated[inputs.SectionFilter | None, _WHICH]
WhichUsers = Annotated[inputs.UserFilter | None, _WHICH]
WhichRuns = Annotated[inputs.SyncRunFilter | None, _WHICH]
_BY = strawberry.argument(description="The order; omitted: by ID.")
EnrollmentsBy = Annotated[inputs.EnrollmentOrder | None, _BY]
CoursesBy = Annotated[inputs.CourseOrder | None, _BY]
UsersBy = Annotated[inputs.UserOrder | None, _BY]

MakeFilter = Callable[[Context], Awaitable[Filter]]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The arguments of one connection field."""

    which: MakeFilter
    order: inputs.CourseOrder | inputs.UserOrder | inputs.EnrollmentOrder | None = None
    newest_first: bool = False
    freshness: inputs.Freshness | None = None
    first: int | None = None
    after: str | None = None
    last: int | None = None
    before: str | None = None


async def connection(
    info: Info, type_name: str, column: str | None, parent: Parent, asked: Asked
) -> Row:
    """The page of `parent`; equal fields of other parents are read in the same statement."""
    context = info.context
    context.reads_roster()
    nodes = info._raw_info.field_nodes  # noqa: SLF001  Strawberry's own selection is made anew for each parent

    async def batch(parents: Sequence[Parent]) -> Sequence[Row]:
        question = await _question(info, type_name, column, asked)
        listing = question.level.listing
        by_name = listing.order.name == "USER_NAME"
        groups = needs.groups_of(context, type_name, listing.shape, by_name=by_name)
        return await answered(context, question, parents, groups)

    name = (type_name, column, *(id(node) for node in nodes))
    return await context.load(name, parent, batch)


async def answered(
    context: Context,
    question: Question,
    parents: Sequence[Parent],
    groups: frozenset[FieldGroup],
) -> Sequence[Row]:
    """The connection of each parent, once what is kept of it is fresh enough."""
    outcomes = await needs.met(context, question, parents, groups)
    if "changeCursor" in question.parts.provenance:
        question = replace(question, change_cursor=await context.change_cursor())
    rows = await answers.connections_of(context.connections, context.reader, question, parents)
    return needs.told(context, rows, outcomes, question.parts)


async def _question(info: Info, type_name: str, column: str | None, asked: Asked) -> Question:
    context, raw = info.context, info._raw_info  # noqa: SLF001
    selection = Selection(raw, raw.field_nodes, f"{type_name}Connection")
    parts = parts_of(selection)
    which = await asked.which(context)
    order = _order(context, type_name, asked)
    key = list_key(type_name, column, which, order.name, order.direction)
    listing = Listing(
        shape=node_selection(selection, type_name).shape(TABLES[type_name]),
        parent=column,
        filter=which,
        order=order,
        window=Window.of(
            key,
            first=asked.first,
            after=asked.after,
            last=asked.last,
            before=asked.before,
            pseudonyms=context.reader.rights.pseudonyms,
        ),
        key=key,
    )
    return Question(
        level=Level(listing),
        subject=type_name,
        parts=parts,
        wanted=filters.freshness(context, asked.freshness),
    )


def parts_of(selection: Selection) -> Parts:
    edges = selection.below("edges", "Edge")
    page_info = selection.below("pageInfo", "PageInfo")
    provenance = selection.below("provenance", "Provenance")
    return Parts(
        edges="edges" in selection,
        cursors="cursor" in edges or "startCursor" in page_info or "endCursor" in page_info,
        total="totalCount" in selection,
        provenance=frozenset(provenance.fields),
    )


def node_selection(selection: Selection, type_name: str) -> Selection:
    edges = selection.below("edges", "Edge")
    return selection.at(
        [*selection.fields.get("nodes", ()), *edges.fields.get("node", ())], type_name
    )


def _order(context: Context, type_name: str, asked: Asked) -> Order:
    if asked.order is None:
        return Order(direction=Direction.DESC if asked.newest_first else Direction.ASC)
    return Order.of(context.reader, type_name, asked.order.field, asked.order.direction)


_EVERYTHING: Parent = (ledger.INSTITUTION,)


async def courses(
    info: Info,
    which: WhichCourses = None,
    order_by: CoursesBy = None,
    freshness: Fresh = None,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> Any:
    asked = Asked(
        which=lambda context: filters.courses(context, which),
        order=order_by,
        freshness=freshness,
        first=first,
        after=after,
        last=last,
        before=before,
    )
    return await connection(info, "Course", None, _EVERYTHING, asked)


async def users(
    info: Info,
    which: WhichUsers = None,
    order_by: UsersBy = None,
    freshness: Fresh = None,
    first: First = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
) -> Any:
    asked = Asked(
        which=lambda context: filters.users(context, which),
        order=order_by,
        freshness=freshness,
        first=first,
        after=after,
        last=last,
        before=before,
    )
    return await connection(info, "User", None, _EVERYTHING, asked)


async def sync_runs(
    info: Info, which: WhichRuns = None, first: First = None, after: After = None
) -> Any:
    async def make_filter(_context: Context) -> Filter:
        return filters.sync_runs(which)

    asked = Asked(which=make_filter, newest_first=True, first=first, after=after)
    return await connection(info, "SyncRun", None, _EVERYTHING, asked)


async def sections(
    info: Info,
    root: strawberry.Parent[Row],
    which: WhichSections = None,
    freshness: Fresh = None,
    first: First = None,
    after: After = None,
) -> Any:
    """Of a course."""
    asked = Asked(
        which=lambda context: filters.sections(context, which),
        freshness=freshness,
        first=first,
        after=after,
    )
    return await connection(info, "Section", "course_id", course_place(root), asked)


def _enrollments(column: str, place: Callable[[Row], Parent]) -> Any:
    """The resolver of an `enrollments` field, of whatever has enrollments."""

    async def enrollments(
        info: Info,
        root: strawberry.Parent[Row],
        which: WhichEnrollments = None,
        order_by: EnrollmentsBy = None,
        freshness: Fresh = None,
        first: First = None,
        after: After = None,
    ) -> Any:
        asked = Asked(
            which=lambda context: filters.enrollments(context, which),
            order=order_by,
            freshness=freshness,
            first=first,
            after=after,
        )
        return await connection(info, "Enrollment", column, place(root), asked)

    return enrollments


def course_place(course: Row) -> Parent:
    return (("course", course["row_id"]),)


def _section_place(section: Row) -> Parent:
    return (("section", section["row_id"]), ("course", section["course_id"]))


def _user_place(user: Row) -> Parent:
    return (("person", user["row_id"]),)


enrollments_of_course = _enrollments("course_id", course_place)
enrollments_of_section = _enrollments("section_id", _section_place)
enrollments_of_user = _enrollments("person_id", _user_place)
