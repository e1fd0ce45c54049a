"""Errors as the caller may see them: each with a code and the request's id, and nothing of what is not theirs."""

import logging
from collections.abc import Iterable

import strawberry
from graphql import GraphQLError
from strawberry.types import ExecutionContext

from gateway.errors import PublicError
from gateway.logs import outline, request_id

_log = logging.getLogger(__name__)


class Schema(strawberry.Schema):
    """A schema that leaves the logging to `public`: Strawberry would quote the query, and the caller's mistakes too."""

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        pass


def public(errors: Iterable[GraphQLError]) -> list[GraphQLError]:
    """The same errors with code and request id; one that is our fault is logged, and replaced by a plain word."""
    return [_public(error) for error in errors]


def code_of(error: GraphQLError) -> str:
    return str((error.extensions or {}).get("code", "INTERNAL_ERROR"))


def _public(error: GraphQLError) -> GraphQLError:
    known = request_id.get()
    code = _code(error)
    if code is None:
        fault = error.original_error or error
        _log.error("a field failed", extra={"fields": {"exception": outline(fault)}})
        error = GraphQLError(
            "Something went wrong on our side; quote the request id when you report it.",
            nodes=error.nodes,
            path=error.path,
        )
        code = "INTERNAL_ERROR"
    error.extensions = {**(error.extensions or {}), "code": code, "requestId": known}
    return error


def _code(error: GraphQLError) -> str | None:
    """None: a fault of ours."""
    original = error.original_error
    if isinstance(original, PublicError):
        return original.code
    if original is None or isinstance(original, GraphQLError):
        # GraphQL's own words: an argument or a variable of the wrong type
        return str((error.extensions or {}).get("code", "BAD_USER_INPUT"))
    # a scalar of ours that refused the value of a variable: there is no field yet that could have failed
    return "BAD_USER_INPUT" if error.nodes and not error.path else None
