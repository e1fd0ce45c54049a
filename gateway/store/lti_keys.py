"""Our signing keys as they are kept: sealed, one a period."""

from dataclasses import dataclass
from datetime import datetime

from gateway.uow import Database, Transaction


@dataclass(frozen=True, kw_only=True)
class SealedKey:
    period: int
    kid: str
    sealed: str


async def all_of(database: Database, first_period: int) -> list[SealedKey]:
    rows = await database.rows(
        "select period, kid, sealed from lti_key where period >= $1 order by period", first_period
    )
    return [SealedKey(**row) for row in rows]


async def keep(database: Database, key: SealedKey, now: datetime) -> None:
    """Unless another process kept one of this period first."""

    async def work(tx: Transaction) -> None:
        await tx.run(
            "insert into lti_key (period, kid, sealed, created_at) values ($1, $2, $3, $4) on conflict (period) do nothing",
            key.period,
            key.kid,
            key.sealed,
            now,
        )

    await database.transact(work)
