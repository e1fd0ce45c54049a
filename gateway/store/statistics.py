"""What the database believes of its tables' sizes: asked for after a load, since nobody else asks for it in time.

SQLite never does by itself, PostgreSQL within a minute or so; until then a roster read may walk a whole table.
"""

from collections.abc import Iterable
from functools import partial

from gateway.uow import Database, Transaction


async def refresh(database: Database, tables: Iterable[str]) -> None:
    """Each table in a transaction of its own, so that no writer waits for them all."""
    for table in tables:
        await database.transact(partial(analyze, table=table))


async def analyze(tx: Transaction, table: str) -> None:
    """A third of a second for a million enrollments on either database: PostgreSQL looks at a sample, SQLite at its indexes."""
    await tx.run(f"analyze {table}")
