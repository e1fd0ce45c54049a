"""Rows of reports that could not be used, as the runs that met them keep them."""

from collections.abc import Sequence
from typing import Any

from gateway.readpath.connections import Connections
from gateway.readpath.registry import ALIAS_FIELDS, Reader
from gateway.readpath.sql import Statement


async def rows_of(
    connections: Connections, reader: Reader, runs: Sequence[int], *, after: int, limit: int
) -> Sequence[Sequence[Sequence[Any]]]:
    """Of each run so many rows behind the id `after`: id, file, line and reason, in one statement.

    A reason may tell people's ids, and is null where any kind of these is hidden.
    """
    statement = Statement(connections.dialect, reader)
    told = all(reader.rights.sees("User", field) for field in ALIAS_FIELDS.values())
    numbered = (
        f"select s.sync_run_id, s.id, s.file, s.line, {'s.reason' if told else 'null'} as reason,"
        " row_number() over (partition by s.sync_run_id order by s.id) as place from set_aside s"
        f" where s.institution_id = $1 and {statement.any_of('s.sync_run_id', runs, 'bigint')}"
        f" and s.id > {statement.bind(after)}"
    )
    sql = f"select * from ({numbered}) n where place <= {statement.bind(limit)} order by id"
    found: dict[int, list[Sequence[Any]]] = {run: [] for run in runs}
    for run, *row, _ in await connections.fetch(sql, statement.values):
        found[run].append(row)
    return [found[run] for run in runs]
