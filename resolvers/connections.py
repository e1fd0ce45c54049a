"""Pages of lists, as Relay lays them out."""

import base64
import binascii
from collections.abc import Sequence
from typing import Generic, TypeVar

import strawberry

from gateway.errors import BadRequest
from gateway.readpath.registry import Row
from resolvers.provenance import Provenance, described

T = TypeVar("T")
_MOST_DIGITS = 18  # of a number that a database takes


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    has_next_page: bool = described("Whether more rows follow.")
    has_previous_page: bool = described("Whether rows come before.")
    start_cursor: str | None = described("The cursor of the first row; null on an empty page.")
    end_cursor: str | None = described(
        "The cursor of the last row: ask on with `after`. null on an empty page."
    )


@strawberry.type(description="One row of a page, and its cursor.")
class Edge(Generic[T]):
    cursor: str = described("This place in the list: it stays good when rows come and go.")
    node: T = described("The row.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    edges: list[Edge[T]] = described("The rows of the page with their cursors.")
    nodes: list[T] = described("The rows of the page.")
    page_info: PageInfo = described("Where the page stands in its list.")
    total_count: int | None = described(
        "How many rows the whole list has; counted only when asked for. null while `completeness` is UNKNOWN."
    )
    provenance: Provenance = described("Where the answer came from, and how far it can be trusted.")


def page_of(rows: Sequence[Row], size: int, after: str | None) -> Row:
    """A connection of `rows`, each with its `cursor`, of which one more than `size` was asked for."""
    shown = rows[:size]
    return {
        "nodes": shown,
        "edges": [{"cursor": row["cursor"], "node": row} for row in shown],
        "pageInfo": {
            "hasNextPage": len(rows) > size,
            "hasPreviousPage": after is not None,
            "startCursor": shown[0]["cursor"] if shown else None,
            "endCursor": shown[-1]["cursor"] if shown else None,
        },
    }


def cursor_of(place: int, kind: str) -> str:
    """The cursor of a place in a list that a number orders; `kind` tells the lists apart."""
    return base64.urlsafe_b64encode(f"{kind}@{place}".encode()).decode()


def place_of(cursor: str, kind: str) -> int:
    """BadRequest for what is no cursor of such a list."""
    try:
        own, _, digits = base64.b64decode(cursor, b"-_", validate=True).decode().partition("@")
    except (binascii.Error, ValueError):
        own, digits = "", ""
    if own != kind or not (digits.isascii() and digits.isdigit()) or len(digits) > _MOST_DIGITS:
        raise BadRequest("This is no cursor of this list; take endCursor from `pageInfo`.")
    return int(digits)
