"""The people of a course, one entry each, and how many enrollments there are of what."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import strawberry

from gateway.outcomes import Outcome
from gateway.readpath import counts, ledger, levels, provenance
from gateway.readpath.answers import Question
from gateway.readpath.connections import Connections
from gateway.readpath.filters import EnrollmentFilter
from gateway.readpath.ledger import Parent
from gateway.readpath.levels import Listing
from gateway.readpath.members import Roster
from gateway.readpath.paging import ORDERS, Order, Window, list_key
from gateway.readpath.provenance import Evidence, Wanted
from gateway.readpath.registry import ENROLLMENT, SECTION, USER, Reader, Row
from gateway.readpath.shapes import Shape
from models.roster import MEMBER_STATES, Completeness, FieldGroup
from resolvers import filters, needs
from resolvers.arguments import After, AsOf, First, Fresh, WhichEnrollments
from resolvers.context import Context, Info
from resolvers.lists import course_place
from resolvers.pages import answered, as_known, node_selection, parts_of
from resolvers.selection import Selection


async def members(
    info: Info,
    root: strawberry.Parent[Row],
    which: WhichEnrollments = None,
    freshness: Fresh = None,
    first: First = None,
    after: After = None,
    as_of: AsOf = None,
) -> Any:
    context, nodes = info.context, info._raw_info.field_nodes  # noqa: SLF001  the AST as it is
    context.reads_roster()

    async def batch(courses: Sequence[Parent]) -> Sequence[Row]:
        selection = Selection(info._raw_info, nodes, "MemberConnection")  # noqa: SLF001  as above
        parts = parts_of(selection)
        meant = await filters.enrollments(context, which, states=MEMBER_STATES)
        order = _order(context)
        key = list_key("Member", meant, order.name)
        member = node_selection(selection, "Member")
        listing = Listing(
            shape=member.below("user", "User").shape(USER),
            parent="course_id",
            filter=meant,
            order=order,
            window=Window.of(
                key, first=first, after=after, pseudonyms=context.reader.rights.pseudonyms
            ),
            key=key,
        )
        sections = member.below("sections", "Section").shape(SECTION)
        question = Question(
            level=Roster(listing=listing, sections=sections if "sections" in member else None),
            subject="Member",
            parts=parts,
            wanted=filters.freshness(context, freshness),
        )
        if as_of is not None:
            return await as_known(context, question, courses, as_of)
        groups = needs.groups_of(context, "Member", listing.shape, by_name=bool(order.name))
        if "sections" in member:  # which memberships do not know
            groups |= {FieldGroup.STANDING}
        return await answered(context, question, courses, groups)

    name = ("members", *(id(node) for node in nodes))
    return await context.load(name, course_place(root), batch)


def _order(context: Context) -> Order:
    """As a class list has it; by id for whoever may not see names."""
    if not context.reader.rights.sees("User", "sortableName"):
        return Order()
    return Order("NAME", ORDERS["User"]["NAME"])


async def enrollment_counts(
    info: Info,
    root: strawberry.Parent[Row],
    which: WhichEnrollments = None,
    freshness: Fresh = None,
    as_of: AsOf = None,
) -> Any:
    context, nodes = info.context, info._raw_info.field_nodes  # noqa: SLF001  the AST as it is
    context.reads_roster()

    async def batch(courses: Sequence[Parent]) -> Sequence[Row]:
        selection = Selection(info._raw_info, nodes, "EnrollmentCounts")  # noqa: SLF001  as above
        parts = parts_of(selection)
        meant = await filters.enrollments(context, which)
        wanted = filters.freshness(context, freshness)
        outcomes: Sequence[Outcome] = ()
        if as_of is None:
            outcomes = await needs.met_counts(context, courses, wanted, meant.meant, parts)
        reader = context.reader if as_of is None else await context.reader_at(as_of)
        cursor = await context.change_cursor() if "changeCursor" in parts.provenance else None
        count = selection.below("counts", "EnrollmentCount")
        section = count.below("section", "Section").shape(SECTION) if "section" in count else None
        asked = Counted(meant=meant, wanted=wanted, section=section, cursor=cursor)
        rows = await _counted(context.connections, reader, asked, courses)
        return needs.told(context, rows, outcomes, parts)

    name = ("counts", *(id(node) for node in nodes))
    return await context.load(name, course_place(root), batch)


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What is counted, and what is told of it beside. `section`: what of the sections; `cursor`: where changes go on."""

    meant: EnrollmentFilter
    wanted: Wanted
    section: Shape | None
    cursor: str | None


async def _counted(
    connections: Connections, reader: Reader, asked: Counted, courses: Sequence[Parent]
) -> list[Row]:
    ids = [course[0][1] for course in courses]
    listing = Listing(shape=Shape(ENROLLMENT), parent="course_id", filter=asked.meant)
    counted = await counts.counts(connections, reader, listing, ids)
    tallied = await levels.tallies(connections, reader, listing, ids)
    covered = await ledger.covers(connections, reader, "Enrollment", courses)
    sections: dict[int, Row] = {}
    if asked.section is not None:
        wanted_ids = {row["section_id"] for rows in counted.values() for row in rows} - {None}
        sections = await levels.by_id(connections, reader, asked.section, sorted(wanted_ids))
    found = []
    for row_id, covers in zip(ids, covered, strict=True):
        evidence = Evidence(
            covers=covers,
            tallies=tallied[row_id],
            states=listing.filter.meant,
            limit=reader.limit("Enrollment", row_id, listing.filter.meant),
        )
        told = provenance.tell(evidence, asked.wanted, now=reader.now, change_cursor=asked.cursor)
        known = told["completeness"] is not Completeness.UNKNOWN
        found.append(
            {
                "counts": [
                    {**row, "section": sections.get(row["section_id"])} for row in counted[row_id]
                ],
                "totalCount": sum(row["count"] for row in counted[row_id]) if known else None,
                "provenance": told,
            }
        )
    return found
