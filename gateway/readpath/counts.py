"""Enrollments counted by type, role, state and section, without reading them."""

from collections.abc import Sequence

from gateway.readpath.connections import Connections
from gateway.readpath.levels import Listing, conditions
from gateway.readpath.registry import STATE, Reader, Row
from gateway.readpath.sql import From, Statement

_KEYS = ("type", "role", "state", "section_id")


async def counts(
    connections: Connections, reader: Reader, listing: Listing, parents: Sequence[int]
) -> dict[int, list[Row]]:
    """Each parent's counts, in one statement; what may not be seen is not told apart."""
    statement = Statement(connections.dialect, reader)
    rows = From(statement, listing.shape.table)
    where = " and ".join(conditions(rows, reader, listing, None))
    parent = f"{rows.alias}.{listing.parent}"
    rows.near_any(listing.parent or "id", parents)
    keys = ", ".join(_visible(reader, rows, key) for key in _KEYS)
    sql = (
        f"select {parent}, {keys}, count(*) from {rows} where {where}"
        f" and {statement.any_of(parent, parents, 'bigint')} group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5"
    )
    found: dict[int, list[Row]] = {parent_id: [] for parent_id in parents}
    for parent_id, *record in await connections.fetch(sql, statement.values):
        found[parent_id].append(dict(zip((*_KEYS, "count"), record, strict=True)))
    return found


def _visible(reader: Reader, rows: From, key: str) -> str:
    if not reader.rights.sees("Enrollment", key.removesuffix("_id")):
        return "null"
    if key == "state":
        return rows.sql(STATE)
    return rows.sql(f"{{t}}.{key}")
