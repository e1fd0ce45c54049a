"""The lists of the graph: each field says what it lists, and all its parents are read at once."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import strawberry

from gateway.readpath import answers, ledger, past
from gateway.readpath.answers import Parts, Question
from gateway.readpath.filters import Filter
from gateway.readpath.ledger import Parent
from gateway.readpath.levels import Level, Listing
from gateway.readpath.paging import Direction, Order, Window, list_key
from gateway.readpath.registry import TABLES, USER, Row
from gateway.readpath.shapes import MakeDecode, Shape, as_rows
from models.roster import FieldGroup, GapReason
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
AsOf = Annotated[
    datetime | None,
    strawberry.argument(
        name="asOf",
        description="As it was known then, and what each row links to; Canvas is not asked. Omitted: now.",
    ),
]
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
    as_of: datetime | None = None


class Selected(NamedTuple):
    """What of a connection was selected, and what of each of its rows, which `decode` makes."""

    parts: Parts
    shape: Shape
    decode: MakeDecode = as_rows


async def connection(
    info: Info, type_name: str, column: str | None, parent: Parent, asked: Asked
) -> Row:
    """The page of `parent`; equal fields of other parents are read in the same statement."""
    context, raw = info.context, info._raw_info  # noqa: SLF001  Strawberry's own selection is made anew for each parent

    async def batch(parents: Sequence[Parent]) -> Sequence[Row]:
        selection = Selection(raw, raw.field_nodes, f"{type_name}Connection")
        shape = node_selection(selection, type_name).shape(TABLES[type_name])
        selected = Selected(parts_of(selection), shape)
        return await listed(context, type_name, column, asked, selected, parents)

    name = (type_name, column, *(id(node) for node in raw.field_nodes))
    return await context.load(name, parent, batch)


async def listed(
    context: Context,
    type_name: str,
    column: str | None,
    asked: Asked,
    selected: Selected,
    parents: Sequence[Parent],
) -> Sequence[Row]:
    """The page of each parent, in their order."""
    context.reads_roster()
    question = await _question(context, type_name, column, asked, selected)
    if asked.as_of is not None:
        return await as_known(context, question, parents, asked.as_of)
    by_name = question.level.listing.order.name == "USER_NAME"
    groups = needs.groups_of(context, type_name, selected.shape, by_name=by_name)
    return await answered(context, question, parents, groups)


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
    _note(context, question, parents, rows)
    return needs.told(context, rows, outcomes, question.parts)


async def as_known(
    context: Context, question: Question, parents: Sequence[Parent], moment: datetime
) -> Sequence[Row]:
    """The connection of each parent as it was known at a moment, by the feed alone."""
    reader = await context.reader_at(moment)
    rows = await answers.connections_of(context.connections, reader, question, parents)
    _note(context, question, parents, rows)
    if "gaps" in question.parts.provenance:
        path = ("user",) if question.subject == "Member" else ()
        names = past.unkept(question.level.listing.shape, path)
        for row in rows:
            others = [gap for gap in row["provenance"]["gaps"] if gap["field"] not in names]
            row["provenance"]["gaps"] = others + [_unkept(name) for name in names]
    return needs.told(context, rows, (), question.parts)


def _unkept(name: str) -> Row:
    message = f"The feed does not tell of {name}, so nobody knows any more what it was."
    return {"field": name, "reason": GapReason.NOT_CARRIED_BY_SOURCE, "message": message}


def _note(
    context: Context, question: Question, parents: Sequence[Parent], rows: Sequence[Row]
) -> None:
    """What the viewer could see more of, and whom they were shown."""
    shape = _people(question)
    for parent, row in zip(parents, rows, strict=True):
        context.notice(answers.limit_of(context.reader, question, parent))
        if shape is not None:
            context.shows(_subject(parent), len(row["nodes"]), shape.fields)


def _people(question: Question) -> Shape | None:
    """What of people is asked for; None where nobody is."""
    shape = question.level.listing.shape
    return shape if shape.table is USER else dict(shape.links).get("user")


def _subject(parent: Parent) -> tuple[str, int]:
    """Whose list it is, as the access log has it."""
    kind, row_id = parent[0]
    return {"person": "User"}.get(kind, kind.title()), row_id


async def _question(
    context: Context, type_name: str, column: str | None, asked: Asked, selected: Selected
) -> Question:
    which = await asked.which(context)
    order = _order(context, type_name, asked)
    key = list_key(type_name, column, which, order.name, order.direction)
    listing = Listing(
        shape=selected.shape,
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
        level=Level(listing, selected.decode),
        subject=type_name,
        parts=selected.parts,
        wanted=filters.freshness(context, asked.freshness),
    )


def parts_of(selection: Selection) -> Parts:
    edges = _edges(selection)
    page_info = selection.below("pageInfo", "PageInfo")
    provenance = selection.below("provenance", "Provenance")
    return Parts(
        edges="edges" in selection,
        cursors="cursor" in edges or "startCursor" in page_info or "endCursor" in page_info,
        total="totalCount" in selection,
        provenance=frozenset(provenance.fields),
    )


def _edges(selection: Selection) -> Selection:
    return selection.below("edges", selection.type_name.replace("Connection", "Edge"))


def node_selection(selection: Selection, type_name: str) -> Selection:
    edges = _edges(selection)
    return selection.at(
        [*selection.fields.get("nodes", ()), *edges.fields.get("node", ())], type_name
    )


def _order(context: Context, type_name: str, asked: Asked) -> Order:
    if asked.order is None:
        return Order(direction=Direction.DESC if asked.newest_first else Direction.ASC)
    return Order.of(context.reader, type_name, asked.order.field, asked.order.direction)


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
