"""How a mutation that cannot be carried out is told: entries of `errors` in its payload."""

from collections.abc import Sequence
from datetime import timedelta

import strawberry

from gateway.errors import BadRequest
from gateway.readpath.registry import Row
from models.roster import MutationErrorCode
from resolvers.provenance import described

KEY = "The same key with the same input gives the first answer again, with another input an error."


@strawberry.interface(description="Why a mutation was not carried out.")
class MutationError:
    code: MutationErrorCode = described("What kind of reason it is.")
    message: str = described("The same in words.")
    path: list[str] | None = described("The field of the input that it is about.")
    retry_after: timedelta | None = described(
        "After how long Canvas would take it, where that is known: of THROTTLED."
    )


@strawberry.type(description="A reason that lies in what was asked, or in how things stand.")
class InputError(MutationError):
    @classmethod
    def is_type_of(cls, _row: object, _info: object) -> bool:
        """There is no other kind yet."""
        return True


def row_of(
    code: MutationErrorCode,
    message: str,
    path: Sequence[str] = (),
    retry_after: timedelta | None = None,
) -> Row:
    """The graph's MutationError."""
    return {"code": code, "message": message, "path": list(path) or None, "retryAfter": retry_after}


def checked_key(key: str | None) -> str | None:
    """The idempotencyKey, or BadRequest."""
    if key is not None and not 0 < len(key) <= 255:
        raise BadRequest("An idempotencyKey has 1 to 255 characters.")
    return key
