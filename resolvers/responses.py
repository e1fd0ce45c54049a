"""GraphQL answers on the wire: JSON with the status that the standard asks for, or a stream of events (graphql-sse)."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Any

import orjson
from graphql import GraphQLError
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.types.execution import ExecutionResult

from resolvers.masking import code_of
from resolvers.operations import next_of, until_first_of
from resolvers.requests import EVENT_STREAM, GRAPHQL_JSON, media_type

_HEADERS = {"cache-control": "no-store", "vary": "accept, authorization, roster-act-as"}
_HEARTBEAT_SECONDS = 12.0


def answer(accept: str, result: ExecutionResult, *, headers: Mapping[str, str]) -> Response:
    """What an operation answered that began to run. `headers` say how old it is, unless parts of it are missing."""
    return _json(accept, 200, payload(result), None if result.errors else headers)


def validated(response: Response, if_none_match: str) -> Response:
    """An answer to GET, which its caller may keep and ask about: 304 where it is what they have already.

    The tag is weak: it is of the text alone, which says the same in whatever encoding it is sent.
    """
    if response.status_code != 200:
        return response
    tag = f'W/"{hashlib.blake2b(response.body, digest_size=16).hexdigest()}"'
    response.headers["etag"] = tag
    if response.headers["cache-control"] == "no-store":  # else it says for how long it may be kept
        response.headers["cache-control"] = "private, no-cache"
    opaque = tag.removeprefix("W/")
    known = (one.strip().removeprefix("W/") for one in if_none_match.split(","))
    if not any(one in ("*", opaque) for one in known):
        return response
    kept = {k: v for k, v in response.headers.items() if not k.startswith("content-")}
    return Response(status_code=304, headers=kept)


def refusal(accept: str, errors: Iterable[GraphQLError], *, cost: int | None = None) -> Response:
    """What was asked cannot be run. The older media type says so with 200, as its clients expect."""
    errors = list(errors)
    status = 400 if media_type(accept) == GRAPHQL_JSON else 200
    if any(code_of(one) == "INTERNAL_ERROR" for one in errors):
        status = 500
    return failure(accept, status, errors, cost=cost)


def failure(
    accept: str,
    status: int,
    errors: Iterable[GraphQLError],
    *,
    cost: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Errors alone: no operation began, so there is no `data`."""
    body: dict[str, Any] = {"errors": [one.formatted for one in errors]}
    if cost is not None:
        body["extensions"] = {"cost": cost}
    return _json(accept, status, body, headers)


def payload(result: ExecutionResult) -> dict[str, Any]:
    body: dict[str, Any] = {"data": result.data}
    if result.errors:
        body["errors"] = [one.formatted for one in result.errors]
    if result.extensions:
        body["extensions"] = result.extensions
    return body


def _json(
    accept: str, status: int, body: object, headers: Mapping[str, str] | None = None
) -> Response:
    return Response(
        orjson.dumps(body),
        status,
        {**_HEADERS, **(headers or {})},
        f"{media_type(accept)}; charset=utf-8",
    )


class EventStream(Response):
    """One `next` event for each result, then `complete`; the results are closed when the client goes."""

    def __init__(self, results: AsyncGenerator[ExecutionResult, None]) -> None:
        # nginx holds events back unless it is told
        super().__init__(None, 200, {**_HEADERS, "x-accel-buffering": "no"}, EVENT_STREAM)
        del self.headers["content-length"]
        self._results = results

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        async for chunk in until_first_of(_events(self._results), _gone(receive)):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _events(results: AsyncGenerator[ExecutionResult, None]) -> AsyncGenerator[bytes, None]:
    """The events; while nothing comes, a comment now and then keeps proxies from closing the line."""
    step = next_of(results)
    try:
        while True:
            if not (await asyncio.wait({step}, timeout=_HEARTBEAT_SECONDS))[0]:
                yield b":\n\n"
                continue
            try:
                result = step.result()
            except StopAsyncIteration:
                break
            yield b"event: next\ndata: " + orjson.dumps(payload(result)) + b"\n\n"
            step = next_of(results)
        yield b"event: complete\ndata:\n\n"
    finally:
        step.cancel()
        await asyncio.gather(step, return_exceptions=True)
        await results.aclose()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
