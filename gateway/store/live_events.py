"""Live Events that were taken in, by what tells them apart: Canvas sends some of them twice."""

from datetime import datetime
from typing import Protocol

from gateway.uow import Transaction


class Named(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def at(self) -> datetime | None: ...
    @property
    def digest(self) -> str: ...


async def first_time(tx: Transaction, institution_id: int, event: Named, now: datetime) -> bool:
    """Whether it has not come before; it has from now on."""
    made = await tx.rows(
        "insert into live_event (institution_id, digest, name, happened_at, received_at) values ($1, $2, $3, $4, $5)"
        " on conflict (institution_id, digest) do nothing returning id",
        institution_id,
        event.digest,
        event.name,
        event.at,
        now,
    )
    return bool(made)
