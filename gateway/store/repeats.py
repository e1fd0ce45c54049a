"""Answers of mutations by the caller's own key: the same question again gets the same answer, also after a restart."""

from dataclasses import dataclass
from datetime import datetime

from gateway.errors import WriteRefused
from gateway.uow import Transaction
from models.roster import MutationErrorCode


@dataclass(frozen=True, kw_only=True)
class Request:
    """`digest`: of what was asked, so that a key which was used for something else is noticed."""

    institution_id: int
    caller: str
    key: str
    digest: str


async def answer_to(tx: Transaction, request: Request) -> str | None:
    """The kept answer; None for a new key. WriteRefused where the key stands for another question."""
    found = await tx.rows(
        "select digest, answer from mutation_answer where institution_id = $1 and caller = $2 and key = $3",
        request.institution_id,
        request.caller,
        request.key,
    )
    if not found:
        return None
    if found[0]["digest"] != request.digest:
        raise WriteRefused(
            MutationErrorCode.IDEMPOTENCY_MISMATCH,
            "This idempotencyKey was used with another input.",
            "idempotencyKey",
        )
    return str(found[0]["answer"])


async def keep(tx: Transaction, request: Request, answer: str, now: datetime) -> None:
    await tx.run(
        "insert into mutation_answer (institution_id, caller, key, digest, answer, answered_at)"
        " values ($1, $2, $3, $4, $5, $6)",
        request.institution_id,
        request.caller,
        request.key,
        request.digest,
        answer,
        now,
    )
