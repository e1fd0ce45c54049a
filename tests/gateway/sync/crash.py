"""An import in a process of its own that kills itself at a chosen transaction, before or after it is committed."""

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from gateway.store import institutions
from gateway.sync.importer import import_report
from gateway.sync.report_files import Limits
from gateway.uow import Database, T, Transaction, Work

NOW = datetime(2026, 9, 2, tzinfo=UTC)
LIMITS = Limits(block_bytes=2048, chunk_rows=20)


class Doomed(Database):
    """Dies by SIGKILL in its transaction number `last`: with the work done and not committed, or just committed."""

    last = 0
    committed = False
    count = 0

    async def transact(self, work: Work[T]) -> T:
        self.count += 1

        async def doomed(tx: Transaction) -> T:
            done = await work(tx)
            if self.count == self.last and not self.committed:
                os.kill(os.getpid(), signal.SIGKILL)
            return done

        result = await super().transact(doomed)
        if self.count == self.last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result


async def load(
    url: str, path: Path, as_of: datetime, *, last: int = 0, committed: bool = False
) -> int:
    """How many transactions the import took."""
    async with Doomed.open(url) as database:
        assert isinstance(database, Doomed)
        institution = await institutions.ensure(database, slug="demo", canvas_url=None)
        database.last, database.committed, database.count = last, committed, 0
        await import_report(
            database, institution, path, clock=lambda: NOW, as_of=as_of, limits=LIMITS
        )
        return database.count


if __name__ == "__main__":
    url, path, as_of, last, committed = sys.argv[1:]
    asyncio.run(
        load(
            url,
            Path(path),
            datetime.fromisoformat(as_of),
            last=int(last),
            committed=committed == "committed",
        )
    )
