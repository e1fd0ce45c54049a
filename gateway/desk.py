"""What an operator decides at the identity desk, carried out once however often it is asked for."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import orjson

from gateway.errors import WriteRefused
from gateway.store import desk, repeats
from gateway.store.repeats import Request
from gateway.store.rows import Word
from gateway.uow import Database, Transaction
from gateway.viewer import Scope, Viewer
from models.roster import MutationErrorCode, Resolution, Source


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why it was not done, as the graph's `errors` say it."""

    code: MutationErrorCode
    message: str
    path: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Settled:
    """The person whom it was about, or why nothing was done."""

    user_id: int | None = None
    problem: Problem | None = None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """`resolution` None: as proposed. `undo`: take the former decision back."""

    conflict_id: int
    resolution: Resolution | None = None
    undo: bool = False


class Desk:
    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def decide(self, viewer: Viewer, decision: Decision, key: str | None) -> Settled:
        """`key`: the caller's own, by which asking again answers the same."""
        viewer.require(Scope.ADMIN)
        request = _request(viewer, decision, key) if key else None
        now = self._clock()
        word = Word(
            institution_id=viewer.institution_id,
            source=Source.MUTATION,
            as_of=now,
            now=now,
            actor_id=viewer.acts_for_id or viewer.user_id,
        )

        async def work(tx: Transaction) -> Settled:
            if request and (answer := await repeats.answer_to(tx, request)) is not None:
                return _read(answer)
            settled = Settled(user_id=await _carry_out(tx, decision, word))
            if request:
                await repeats.keep(tx, request, _written(settled), now)
            return settled

        try:
            return await self._database.transact(work)
        except WriteRefused as refused:
            problem = Problem(code=refused.code, message=str(refused), path=refused.path)
            return await self._refused(request, Settled(problem=problem), now)

    async def _refused(self, request: Request | None, settled: Settled, now: datetime) -> Settled:
        """What was refused is undone with its transaction; that it was refused is kept by itself."""
        mismatch = (
            settled.problem is not None
            and settled.problem.code is MutationErrorCode.IDEMPOTENCY_MISMATCH
        )
        if request is None or mismatch:
            return settled

        async def work(tx: Transaction) -> Settled:
            answer = await repeats.answer_to(tx, request)
            if answer is not None:
                return _read(answer)
            await repeats.keep(tx, request, _written(settled), now)
            return settled

        return await self._database.transact(work)


async def _carry_out(tx: Transaction, decision: Decision, word: Word) -> int | None:
    if decision.undo:
        return await desk.undo(tx, decision.conflict_id, word)
    return await desk.settle(tx, decision.conflict_id, decision.resolution, word)


def _request(viewer: Viewer, decision: Decision, key: str) -> Request:
    said = f"resolveIdentity {decision.conflict_id} {decision.resolution} {decision.undo}"
    person = viewer.acts_for_id or viewer.user_id
    return Request(
        institution_id=viewer.institution_id,
        caller="service" if person is None else f"person:{person}",
        key=key,
        digest=hashlib.sha256(said.encode()).hexdigest(),
    )


def _written(settled: Settled) -> str:
    problem = settled.problem
    said = None if problem is None else [problem.code, problem.message, problem.path]
    return orjson.dumps({"user_id": settled.user_id, "problem": said}).decode()


def _read(answer: str) -> Settled:
    kept = orjson.loads(answer)
    problem = None
    if kept["problem"] is not None:
        code, message, path = kept["problem"]
        problem = Problem(code=MutationErrorCode(code), message=message, path=tuple(path))
    return Settled(user_id=kept["user_id"], problem=problem)
