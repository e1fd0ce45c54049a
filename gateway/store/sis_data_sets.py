"""SIS files that Canvas compares with one another: of each data set what was imported last, and what is on its way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from gateway.store import merging
from gateway.store.roster_changes import OVER
from gateway.store.rows import time
from gateway.uow import Database, Row, Transaction


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A file of a change. `differing`: its lines that Canvas applies, None where it applies all; `import_id`: once it has."""

    roster_change_id: int
    identifier: str
    file: str
    differing: tuple[int, ...] | None
    import_id: str | None
    imported_at: datetime | None


async def claim(
    tx: Transaction, institution_id: int, scope: str, change_id: int, *, new_identifier: str
) -> bool:
    """Be the only change that sends a file of this data set, until it is imported or not; False while another is.

    A file on its way would be compared with another that came in between, and what only that one has would go.
    """
    await merging.lock(tx, institution_id)
    over = ", ".join(f"'{state.value}'" for state in OVER)
    others = await tx.rows(
        "select s.id from sis_data_set s join roster_change c on c.institution_id = $1 and c.id = s.roster_change_id"
        " where s.institution_id = $1 and s.scope = $2 and s.roster_change_id <> $3 and s.import_id is null"
        f" and c.state not in ({over})",
        institution_id,
        scope,
        change_id,
    )
    if others:
        return False
    known = await tx.rows(
        "select identifier from sis_data_set where institution_id = $1 and scope = $2 order by id desc limit 1",
        institution_id,
        scope,
    )
    await tx.run(
        "insert into sis_data_set (institution_id, scope, identifier, roster_change_id, file) values ($1, $2, $3, $4, '')"
        " on conflict (institution_id, roster_change_id) do nothing",
        institution_id,
        scope,
        known[0]["identifier"] if known else new_identifier,
        change_id,
    )
    return True


async def write_down(
    tx: Transaction,
    institution_id: int,
    change_id: int,
    file: str,
    differing: Sequence[int] | None,
) -> None:
    """What is about to be sent."""
    await tx.run(
        "update sis_data_set set file = $3, differing = $4 where institution_id = $1 and roster_change_id = $2",
        institution_id,
        change_id,
        file,
        None if differing is None else orjson.dumps(list(differing)).decode(),
    )


async def of_change(database: Database, institution_id: int, change_id: int) -> Sent | None:
    rows = await database.rows(f"{_SELECT} and roster_change_id = $2", institution_id, change_id)
    return _sent(rows[0]) if rows else None


async def imported(database: Database, institution_id: int, scope: str) -> Sent | None:
    """The one that Canvas compares the next file with, as far as we know."""
    rows = await database.rows(
        f"{_SELECT} and scope = $2 and import_id is not null order by id desc limit 1",
        institution_id,
        scope,
    )
    return _sent(rows[0]) if rows else None


async def keep(
    tx: Transaction,
    institution_id: int,
    scope: str,
    change_id: int,
    import_id: str,
    imported_at: datetime,
) -> None:
    """Canvas has imported the file of this change: it is what the next one is compared with."""
    await tx.run(
        "delete from sis_data_set where institution_id = $1 and scope = $2 and import_id is not null",
        institution_id,
        scope,
    )
    await tx.run(
        "update sis_data_set set import_id = $3, imported_at = $4 where institution_id = $1 and roster_change_id = $2",
        institution_id,
        change_id,
        import_id,
        imported_at,
    )


async def give_up(tx: Transaction, institution_id: int, change_id: int) -> None:
    """Canvas did not import it, or was never sent it: what came before stands."""
    await tx.run(
        "delete from sis_data_set where institution_id = $1 and roster_change_id = $2 and import_id is null",
        institution_id,
        change_id,
    )


async def forget(tx: Transaction, institution_id: int, scope: str) -> None:
    """Nobody knows what Canvas would compare with: the next file begins a data set of its own."""
    await tx.run(
        "delete from sis_data_set where institution_id = $1 and scope = $2", institution_id, scope
    )


_SELECT = (
    "select roster_change_id, identifier, file, differing, import_id, imported_at from sis_data_set"
    " where institution_id = $1"
)


def _sent(row: Row) -> Sent:
    differing, imported_at = row["differing"], row["imported_at"]
    return Sent(
        roster_change_id=row["roster_change_id"],
        identifier=row["identifier"],
        file=row["file"],
        differing=None if differing is None else tuple(orjson.loads(differing)),
        import_id=row["import_id"],
        imported_at=None if imported_at is None else time(imported_at),
    )
