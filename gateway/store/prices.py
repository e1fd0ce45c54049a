"""What calls to Canvas were found to cost, kept from one start to the next.

On SQLite in a file beside the database, so that learning never waits for the writer, nor keeps it waiting.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from gateway.prices import Endpoint, Expectation, PriceBooks
from gateway.uow import Database, Dialect, Transaction

_log = logging.getLogger(__name__)

_KEPT_EVERY_SECONDS = 60.0

Prices = dict[int, dict[Endpoint, Expectation]]
"""By institution."""


class KeptPrices(Protocol):
    async def learned(self) -> Prices: ...

    async def save(self, news: Mapping[int, Mapping[Endpoint, Expectation]]) -> None:
        """What was learned since; what is not in it stays."""


def kept_prices(database: Database) -> KeptPrices:
    if database.dialect is Dialect.SQLITE:
        path = Path(database.url.removeprefix("sqlite://").partition("?")[0])
        return PricesInFile(path.with_name(f"{path.name}.prices"))
    return PricesInTable(database)


@asynccontextmanager
async def price_books(database: Database) -> AsyncIterator[PriceBooks]:
    """As they were learned before; what is learned meanwhile is kept now and then, and at the end."""
    kept = kept_prices(database)
    books = PriceBooks(await kept.learned())
    keeping = asyncio.create_task(_keep(kept, books))
    try:
        yield books
    finally:
        keeping.cancel()
        await _save(kept, books)


async def _keep(kept: KeptPrices, books: PriceBooks) -> None:
    while True:
        await asyncio.sleep(_KEPT_EVERY_SECONDS)
        await _save(kept, books)


async def _save(kept: KeptPrices, books: PriceBooks) -> None:
    news = books.news()
    if not news:
        return
    try:
        await kept.save(news)
    except Exception:  # noqa: BLE001  whatever it was: they are learned anew after a restart
        _log.exception("prices were not kept")


class PricesInFile:
    """Of the only process there is. A file that cannot be read is begun anew: it is but experience."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def learned(self) -> Prices:
        return await asyncio.to_thread(self._load)

    async def save(self, news: Mapping[int, Mapping[Endpoint, Expectation]]) -> None:
        await asyncio.to_thread(self._save, news)

    def _load(self) -> Prices:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Prices)
        except (FileNotFoundError, msgspec.DecodeError):
            return {}

    def _save(self, news: Mapping[int, Mapping[Endpoint, Expectation]]) -> None:
        kept = self._load()
        for institution_id, learned in news.items():
            kept[institution_id] = {**kept.get(institution_id, {}), **learned}
        whole = self._path.with_suffix(f"{self._path.suffix}.new")
        whole.write_bytes(msgspec.json.encode(kept))
        whole.replace(self._path)


class PricesInTable:
    """Of all processes that share a PostgreSQL: the last word of each endpoint."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def learned(self) -> Prices:
        kept: Prices = {}
        known = {endpoint.value for endpoint in Endpoint}
        for row in await self._database.rows(
            "select institution_id, endpoint, quota, seconds, calls from learned_price"
        ):
            if row["endpoint"] in known:
                kept.setdefault(row["institution_id"], {})[Endpoint(row["endpoint"])] = Expectation(
                    quota=row["quota"], seconds=row["seconds"], calls=row["calls"]
                )
        return kept

    async def save(self, news: Mapping[int, Mapping[Endpoint, Expectation]]) -> None:
        rows = [
            (institution_id, endpoint.value, learned.quota, learned.seconds, learned.calls)
            for institution_id, endpoints in news.items()
            for endpoint, learned in endpoints.items()
        ]

        async def work(tx: Transaction) -> None:
            await tx.many(
                "insert into learned_price (institution_id, endpoint, quota, seconds, calls)"
                " values ($1, $2, $3, $4, $5) on conflict (institution_id, endpoint) do update"
                " set quota = excluded.quota, seconds = excluded.seconds, calls = excluded.calls",
                rows,
            )

        await self._database.transact(work)
