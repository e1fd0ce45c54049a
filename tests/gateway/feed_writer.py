"""A process that writes changes until it is killed: eight writers at once, each renaming courses of its own.

Run as `python -m tests.gateway.feed_writer URL INSTITUTION PROCESS`. The name counts: whoever follows the feed sees every
number of every course, once and in order, or has missed something.
"""

import asyncio
import random
import sys
from datetime import UTC, datetime

from gateway.changes import SubjectType
from gateway.store import rows
from gateway.store.rows import Word
from gateway.uow import Database, Transaction
from models.roster import Source

WRITERS = 8
COURSES = 4  # of each writer
NOW = datetime(2026, 9, 1, tzinfo=UTC)


class GivenUpError(Exception):
    """A transaction that ends without a trace: its places in the feed have to be given to others."""


def first_course(process: int, writer: int) -> int:
    """The Canvas id of the writer's first course."""
    return 10**13 + 1 + (process * WRITERS + writer) * COURSES


async def write(database: Database, institution_id: int, process: int, writer: int) -> None:
    chance = random.Random()  # noqa: S311  it makes a mess, no secret
    word = Word(institution_id=institution_id, source=Source.REPORT, as_of=NOW, now=NOW)
    first = first_course(process, writer)

    async def work(tx: Transaction) -> None:
        for _ in range(chance.choice((1, 2, 5, 20))):
            [row] = await tx.rows(
                "select id, name from course where institution_id = $1 and canvas_id = $2",
                institution_id,
                first + chance.randrange(COURSES),
            )
            name = str(int(row["name"]) + 1)
            await rows.update(tx, SubjectType.COURSE, row, {"name": name}, word, of_course=True)
        if chance.random() < 0.1:
            raise GivenUpError

    while True:
        try:
            await database.transact(work)
        except GivenUpError:
            continue


async def main(url: str, institution_id: int, process: int) -> None:
    async with Database.open(url) as database:
        await asyncio.gather(
            *(write(database, institution_id, process, one) for one in range(WRITERS))
        )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
