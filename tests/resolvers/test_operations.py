"""Streams end when they must: their source, a stop, a credential that is gone, a client that is gone."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import strawberry

from gateway.errors import PublicError, Unauthenticated
from gateway.metrics import Metrics
from gateway.viewer import Viewer
from resolvers.documents import Operation, UseDocument
from resolvers.http import Endpoint
from resolvers.limits import Limits
from resolvers.masking import Schema
from resolvers.operations import Graph, Operations, until_first_of

ADA = Viewer(
    institution_id=1, institution_slug="demo", canvas_url=None, shard=1, scopes=frozenset()
)


class Source:
    """Numbers without end; the third one never comes."""

    def __init__(self) -> None:
        self.silent = asyncio.Event()
        self.closed = False

    async def numbers(self) -> AsyncGenerator[int, None]:
        try:
            yield 1
            yield 2
            self.silent.set()
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            self.closed = True


async def taken(numbers: AsyncGenerator[int, None], into: list[int]) -> None:
    async for number in numbers:
        into.append(number)  # noqa: PERF401  a comprehension would show nothing until the end


async def test_a_stream_ends_with_its_source() -> None:
    async def three() -> AsyncGenerator[int, None]:
        for number in (1, 2, 3):
            yield number

    assert [1, 2, 3] == [n async for n in until_first_of(three(), asyncio.Event().wait())]


async def test_a_stream_ends_when_an_ending_is_there_and_closes_its_source() -> None:
    source, stop, seen = Source(), asyncio.Event(), list[int]()
    reading = asyncio.create_task(taken(until_first_of(source.numbers(), stop.wait()), seen))
    await source.silent.wait()
    stop.set()
    await reading

    assert [1, 2] == seen
    assert source.closed


async def test_a_stream_that_is_cancelled_closes_its_source() -> None:
    source, seen = Source(), list[int]()
    numbers = until_first_of(source.numbers(), asyncio.Event().wait())
    reading = asyncio.create_task(taken(numbers, seen))
    await source.silent.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await numbers.aclose()

    assert source.closed


async def test_an_error_of_the_source_is_passed_on() -> None:
    async def failing() -> AsyncGenerator[int, None]:
        yield 1
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        await taken(until_first_of(failing(), asyncio.Event().wait()), [])


@dataclass(eq=False)
class Context:
    source: Source
    operation: Operation | None = None
    notices: tuple[PublicError, ...] = ()

    def extensions(self) -> dict[str, object]:
        return {}

    def headers(self) -> dict[str, str]:
        return {}


@strawberry.type
class Query:
    @strawberry.field
    def hello(self) -> str:
        return "hello"


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def numbers(self, info: strawberry.Info[Context, None]) -> AsyncGenerator[int, None]:
        async for number in info.context.source.numbers():
            yield number


class Door:
    """Lets everybody in until it is shut."""

    def __init__(self) -> None:
        self.shut = False

    async def authenticate(self, _headers: Mapping[str, str]) -> Viewer:
        if self.shut:
            raise Unauthenticated("revoked")
        return ADA


class Call:
    """One HTTP request to the endpoint, driven by hand: the body as far as it has come, and the client's going."""

    def __init__(self, query: str) -> None:
        self._query = query
        self._asked = False
        self._news = asyncio.Event()
        self.gone = asyncio.Event()
        self.body = b""
        self.status = 0

    async def receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": self._query.encode(), "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.status = message.get("status", self.status)
        self.body += message.get("body", b"")
        self._news.set()

    @property
    def scope(self) -> dict[str, Any]:
        headers = [(b"accept", b"text/event-stream"), (b"content-type", b"application/json")]
        return {"type": "http", "method": "POST", "path": "/graphql", "headers": headers}

    async def until(self, text: bytes) -> None:
        while text not in self.body:
            self._news.clear()
            await self._news.wait()


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def stop() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
def door() -> Door:
    return Door()


@pytest.fixture
def endpoint(source: Source, stop: asyncio.Event, door: Door) -> Endpoint:
    schema = Schema(Query, subscription=Subscription, extensions=[UseDocument])
    graph = Graph(schema, lambda _viewer, _headers: Context(source))
    operations = Operations(graph, limits=Limits(), seconds=5, stop=stop, metrics=Metrics())
    return Endpoint(operations, authenticate=door.authenticate, recheck_seconds=0.001)


@pytest.fixture
def call() -> Call:
    return Call('{"query": "subscription { numbers }"}')


async def test_a_subscription_does_not_outlive_its_credential(
    endpoint: Endpoint, call: Call, door: Door, source: Source
) -> None:
    async with asyncio.timeout(5):
        answering = asyncio.create_task(endpoint(call.scope, call.receive, call.send))
        await call.until(b'"numbers":2')
        door.shut = True
        await answering

    assert call.body.endswith(b"event: complete\ndata:\n\n")
    assert source.closed


async def test_a_subscription_ends_in_order_when_the_server_stops(
    endpoint: Endpoint, call: Call, stop: asyncio.Event, source: Source
) -> None:
    async with asyncio.timeout(5):
        answering = asyncio.create_task(endpoint(call.scope, call.receive, call.send))
        await call.until(b'"numbers":2')
        stop.set()
        await answering

    assert call.body.endswith(b"event: complete\ndata:\n\n")
    assert source.closed


async def test_a_subscription_is_closed_when_its_client_goes(
    endpoint: Endpoint, call: Call, source: Source
) -> None:
    async with asyncio.timeout(5):
        answering = asyncio.create_task(endpoint(call.scope, call.receive, call.send))
        await call.until(b'"numbers":2')
        call.gone.set()
        await answering

    assert b"complete" not in call.body
    assert source.closed
