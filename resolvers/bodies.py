"""What the bodies of requests have in common: how large they may be, and how one is refused."""

from collections.abc import Mapping
from typing import Any

import orjson
from graphql import GraphQLError

BODY_LIMIT = 1_000_000


class BadRequest(Exception):
    """A request that is answered with `status` before any document is read."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        code: str = "BAD_REQUEST",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.error = GraphQLError(message, extensions={"code": code})


def too_large(limit: int) -> BadRequest:
    return BadRequest(
        f"The body is larger than {limit} bytes.", status=413, code="CONTENT_TOO_LARGE"
    )


def json_of(text: bytes | str, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadRequest(f"{what} is not JSON in UTF-8.") from error
