"""Pages of lists, as Relay lays them out."""

from typing import Generic, TypeVar

import strawberry

from resolvers.provenance import Provenance, described

T = TypeVar("T")


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
