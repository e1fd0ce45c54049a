"""The pages of a list, of all its parents at once: made fresh enough, read, noted and told of."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from gateway.readpath import answers, past
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
