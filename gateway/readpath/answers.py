"""One list's whole answer, as the graph shows a connection: rows, cursors, count and provenance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.pseudonyms import Pseudonyms
from gateway.readpath import ledger, members, provenance
from gateway.readpath.connections import Connections
from gateway.readpath.ledger import Cover, Parent
from gateway.readpath.levels import Listing, Page
from gateway.readpath.provenance import Evidence, Tally, Wanted
from gateway.readpath.registry import Reader, Row
from gateway.sight import Limit
from models.roster import Completeness


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What of a connection was asked for; what was not is not read."""

    edges: bool = False
    cursors: bool = False
    total: bool = False
    provenance: frozenset[str] = frozenset()

    @property
    def tallies(self) -> bool:
        return self.total or not self.provenance.isdisjoint({"origins", "gaps"})

    @property
    def covers(self) -> bool:
        return self.total or self.cursors or bool(self.provenance)


# What memberships have in common with enrollments; they know no sections.
_OF_MEMBERSHIPS = ("course_id", "person_id")


class Level(Protocol):
    """A read function: the rows of one list, and how many there are, for many parents at once."""

    @property
    def listing(self) -> Listing: ...

    async def pages(
        self, connections: Connections, reader: Reader, parents: Sequence[int], /
    ) -> dict[int, Page]: ...

    async def tallies(
        self,
        connections: Connections,
        reader: Reader,
        parents: Sequence[int],
        /,
        *,
        unfilled: bool = False,
    ) -> dict[int, list[Tally]]: ...


@dataclass(frozen=True, kw_only=True)
class Question:
    """A field's list, asked for many parents at once. `change_cursor` was read before anything else."""

    level: Level
    subject: str
    parts: Parts
    wanted: Wanted
    change_cursor: str | None = None


async def connections_of(
    connections: Connections, reader: Reader, question: Question, parents: Sequence[Parent]
) -> list[Row]:
    """The connection of each parent, in their order."""
    ids = [parent[0][1] for parent in parents]
    level, parts = question.level, question.parts
    listing = level.listing
    found = await level.pages(connections, reader, ids)
    if not parts.covers:
        return [_page(question, _Cursors(listing, found[row_id])) for row_id in ids]
    tallied: dict[int, list[Tally]] = {}
    covered: list[list[Cover]] = [[] for _ in parents]
    if parts.tallies:
        unfilled = "gaps" in parts.provenance
        tallied = await level.tallies(connections, reader, ids, unfilled=unfilled)
    unlisted: dict[int, int] = {}
    if (
        "gaps" in parts.provenance
        and question.subject == "Enrollment"
        and listing.parent in _OF_MEMBERSHIPS
    ):
        unlisted = await members.only_members(connections, reader, listing.parent, ids)
    if question.subject in ledger.SUBJECTS:
        covered = await ledger.covers(connections, reader, question.subject, parents)
    path = ("user",) if question.subject == "Member" else ()
    states = listing.filter.meant
    return [
        _connection(
            reader,
            question,
            found[parent[0][1]],
            Evidence(
                covers=covers,
                tallies=tallied.get(parent[0][1], ()),
                states=states,
                hidden=listing.shape.hidden(reader.rights, _course(parent), path),
                only_members=unlisted.get(parent[0][1], 0),
                limit=limit_of(reader, question, parent),
            ),
        )
        for parent, covers in zip(parents, covered, strict=True)
    ]


def _connection(reader: Reader, question: Question, page: Page, evidence: Evidence) -> Row:
    parts = question.parts
    stands = provenance.standing(evidence, question.wanted)
    known = stands.completeness is not Completeness.UNKNOWN
    told = None
    if parts.provenance:
        told = provenance.tell(
            evidence, question.wanted, now=reader.now, change_cursor=question.change_cursor
        )
    cursors = _Cursors(question.level.listing, page, stands.as_of, reader.rights.pseudonyms)
    return _page(question, cursors) | {
        "totalCount": sum(tally.rows for tally in evidence.tallies) if known else None,
        "provenance": told,
    }


def _page(question: Question, cursors: "_Cursors") -> Row:
    """A connection of which no more was asked for than its rows and where they stand."""
    parts = question.parts
    return {
        "nodes": cursors.page.rows,
        "edges": cursors.edges(with_cursor=parts.cursors) if parts.edges else (),
        "pageInfo": cursors.page_info(with_cursor=parts.cursors),
    }


def limit_of(reader: Reader, question: Question, parent: Parent) -> Limit | None:
    """Why the list of this parent may lack rows that the reader may not see."""
    if reader.rights.sight is None:
        return None
    return reader.limit(question.subject, _course(parent), question.level.listing.filter.meant)


def _course(parent: Parent) -> int | None:
    """The course that all rows of the list are of."""
    return next((row_id for kind, row_id in parent if kind == "course"), None)


class _Cursors:
    """The cursors of one page; all of a listing's pages carry the first page's `asOf`."""

    def __init__(
        self,
        listing: Listing,
        page: Page,
        as_of: Any = None,
        pseudonyms: Pseudonyms | None = None,
    ) -> None:
        self._listing, self.page, self._pseudonyms = listing, page, pseudonyms
        begun = listing.window.cursor
        self._as_of = begun.as_of if begun else as_of and as_of.isoformat()

    def edges(self, *, with_cursor: bool) -> list[Row]:
        return [
            {"node": row, "cursor": self._at(index) if with_cursor else None}
            for index, row in enumerate(self.page.rows)
        ]

    def page_info(self, *, with_cursor: bool) -> Row:
        window, some = self._listing.window, with_cursor and bool(self.page.rows)
        beyond = window.cursor is not None
        return {
            "hasNextPage": beyond if window.backwards else self.page.more,
            "hasPreviousPage": self.page.more if window.backwards else beyond,
            "startCursor": self._at(0) if some else None,
            "endCursor": self._at(-1) if some else None,
        }

    def _at(self, index: int) -> str:
        cursor = self.page.cursor(index, self._listing.key, self._as_of)
        return cursor.text(self._pseudonyms)
