"""What an operator protects from changes of many, and takes the protection from again."""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import msgspec

from gateway.errors import WriteRefused
from gateway.store import merging, pins, repeats
from gateway.store.intended import Problem
from gateway.store.repeats import Request
from gateway.uow import Database, Transaction
from gateway.viewer import Scope, Viewer
from gateway.writes.acting import caller_of
from gateway.writes.ending import problem_of

Pin: TypeAlias = pins.Pin


@dataclass(frozen=True, kw_only=True)
class Pinned:
    """The pin that is there now, or was until now; or why there is none."""

    pin: Pin | None = None
    problem: Problem | None = None


class Pins:
    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def add(
        self,
        viewer: Viewer,
        *,
        person_id: int | None,
        enrollment_id: int | None,
        why: str | None,
        key: str | None = None,
    ) -> Pinned:
        viewer.require(Scope.ADMIN)
        new = pins.New(
            institution_id=viewer.institution_id,
            person_id=person_id,
            enrollment_id=enrollment_id,
            why=why,
            pinned_by_id=viewer.acts_for_id or viewer.user_id,
            pinned_at=self._clock(),
        )

        said = f"pin {person_id} {enrollment_id} {why}"
        return await self._once(viewer, said, key, lambda tx: pins.add(tx, new))

    async def remove(self, viewer: Viewer, pin_id: int, *, key: str | None = None) -> Pinned:
        viewer.require(Scope.ADMIN)
        return await self._once(
            viewer,
            f"unpin {pin_id}",
            key,
            lambda tx: pins.remove(tx, viewer.institution_id, pin_id),
        )

    async def find(self, viewer: Viewer, *, before: int | None, limit: int) -> Sequence[Pin]:
        viewer.require(Scope.ADMIN)
        return await pins.find(self._database, viewer.institution_id, before=before, limit=limit)

    async def _once(
        self,
        viewer: Viewer,
        said: str,
        key: str | None,
        work: Callable[[Transaction], Awaitable[Pin]],
    ) -> Pinned:
        """`key`: the caller's own, by which asking again answers the same."""
        request = None if key is None else _request(viewer, said, key)

        async def once(tx: Transaction) -> Pinned:
            await merging.lock(tx, viewer.institution_id)  # so that two equal ones are one
            if request and (answer := await repeats.answer_to(tx, request)) is not None:
                return msgspec.json.decode(answer, type=Pinned)
            pinned = Pinned(pin=await work(tx))
            if request:
                answer = msgspec.json.encode(pinned).decode()
                await repeats.keep(tx, request, answer, self._clock())
            return pinned

        try:
            return await self._database.transact(once)
        except WriteRefused as refused:
            return Pinned(problem=problem_of(refused))


def _request(viewer: Viewer, said: str, key: str) -> Request:
    return Request(
        institution_id=viewer.institution_id,
        caller=caller_of(viewer),
        key=key,
        digest=hashlib.sha256(said.encode()).hexdigest(),
    )
