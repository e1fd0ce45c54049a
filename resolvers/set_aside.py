"""Rows of reports that could not be used, page by page: the run that met them lists them."""

from collections.abc import Sequence
from typing import Any

import strawberry

from gateway.readpath import set_aside
from gateway.readpath.paging import page_size
from gateway.readpath.registry import Row
from resolvers.arguments import After, First
from resolvers.connections import PageInfo, cursor_of, page_of, place_of
from resolvers.context import Info
from resolvers.provenance import described

_KIND = "set aside"


@strawberry.type(description="A row of a report that could not be used.")
class SetAsideRow:
    file: str = described("The file that it stands in.")
    line: int = described("The line in which it begins, the header being line 1.")
    reason: str | None = described(
        "Why it could not be used. null: the credential may not see what people are called."
    )


@strawberry.type(description="A row that could not be used, and its cursor.")
class SetAsideRowEdge:
    cursor: str = described("This place in the list.")
    node: SetAsideRow = described("The row.")


@strawberry.type(description="A page of rows that could not be used, in the order of the files.")
class SetAsideRowConnection:
    edges: list[SetAsideRowEdge] = described("The rows of the page with their cursors.")
    nodes: list[SetAsideRow] = described("The rows of the page.")
    page_info: PageInfo = described("Where the page stands in its list.")


async def unusable_rows(
    info: Info, root: strawberry.Parent[Row], first: First = None, after: After = None
) -> Any:
    context, size = info.context, page_size("first", first)
    behind = 0 if after is None else place_of(after, _KIND)

    async def batch(runs: Sequence[int]) -> Sequence[Row]:
        found = await set_aside.rows_of(
            context.connections, context.reader, runs, after=behind, limit=size + 1
        )
        return [page_of([_row(one) for one in rows], size, after) for rows in found]

    return await context.load(("set aside", size, after), root["row_id"], batch)


def _row(one: Sequence[Any]) -> Row:
    number, file, line, reason = one
    return {"cursor": cursor_of(number, _KIND), "file": file, "line": line, "reason": reason}
