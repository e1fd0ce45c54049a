"""A real server stops on a signal: what runs is answered, streams end in order, every `finally` runs, the status is 0."""

import asyncio
import json
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import psutil
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from gateway.errors import RosterError, UsageError
from gateway.server import serve
from gateway.uow import Database, Dialect, dialect_of
from tests.acceptance.conftest import StartServer, settings_for
from tests.acceptance.server_process import ServerProcess
from tests.acceptance.small_graph import make_graph

SLOW_SECONDS = 0.8
SERVICE_RESTART = 1012


@asynccontextmanager
async def post(
    server: ServerProcess, token: str, query: str, accept: str = "application/json"
) -> AsyncIterator[asyncio.StreamReader]:
    """The answer as it arrives, status line and all; the connection is closed behind it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    body = json.dumps({"query": query}).encode()
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {token}\r\n"
        f"Accept: {accept}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)
    try:
        yield reader
    finally:
        writer.close()
        await writer.wait_closed()


async def answer(server: ServerProcess, token: str, query: str) -> Any:
    async with post(server, token, query) as reader:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split()[0])
        return json.loads(await reader.readexactly(length))["data"]


async def websocket(server: ServerProcess, token: str, query: str) -> ClientConnection:
    connection = await connect(
        f"ws://127.0.0.1:{server.port}/graphql",
        subprotocols=["graphql-transport-ws"],  # type: ignore[list-item]  # a NewType of str
        additional_headers={"authorization": f"Bearer {token}"},
    )
    await connection.send('{"type": "connection_init"}')
    assert {"type": "connection_ack"} == json.loads(await connection.recv())
    await connection.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": query}}))
    assert "next" == json.loads(await connection.recv())["type"]
    return connection


async def rest_of(connection: ClientConnection) -> tuple[list[Any], int | None]:
    """What still came, and the code that closed the connection."""
    messages = []
    with suppress(ConnectionClosed):
        async for text in connection:
            messages.append(json.loads(text))  # noqa: PERF401  a comprehension would lose them at the end
    return messages, connection.close_code


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_open_streams_and_lets_a_slow_request_finish(
    start_server: StartServer, token: str, sig: signal.Signals
) -> None:
    sse, slowly = 'subscription { ticks(name: "sse") }', f"{{ slow(seconds: {SLOW_SECONDS}) }}"
    with start_server() as server:
        async with (
            asyncio.timeout(20),
            post(server, token, sse, "text/event-stream") as events,
            post(server, token, slowly) as slow,
        ):
            await events.readuntil(b'data: {"data":{"ticks":1}')
            ws = await websocket(server, token, 'subscription { ticks(name: "ws") }')
            while (await answer(server, token, "{ slowNow }"))["slowNow"] != 1:
                pass

            server.process.send_signal(sig)
            signalled = time.monotonic()

            assert b'"slow":"done"' in await slow.read()
            assert b"event: complete" in await events.read()
            assert ([{"id": "1", "type": "complete"}], SERVICE_RESTART) == await rest_of(ws)
            assert 0 == await asyncio.to_thread(server.process.wait)
            assert time.monotonic() - signalled < SLOW_SECONDS + 3
            for name in ("sse", "ws"):
                assert f"closed {name}" in server.log
            assert "Traceback" not in server.log
            assert '"stopped"' in server.log


async def test_several_workers_share_a_port_and_their_counts(
    start_server: StartServer, token: str, database_url: str
) -> None:
    if dialect_of(database_url) is Dialect.SQLITE:
        settings = settings_for(database_url)
        with pytest.raises(UsageError, match="SQLite takes one server process"):
            serve(settings, make_graph=make_graph, host="127.0.0.1", port=0, workers=2)
        return
    with start_server(workers=2) as server:
        async with asyncio.timeout(60):
            for _ in range(20):
                assert {"hello": "hello world"} == await answer(server, token, "{ hello }")
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: roster\r\nConnection: close\r\n\r\n")
            text = (await reader.read()).decode()
            writer.close()
            assert 'roster_operations_total{kind="query",outcome="OK"} 20.0' in text

            workers_of(server)[0].kill()
            # the other one goes on answering
            while "a worker died" not in server.log or len(workers_of(server)) < 2:
                assert {"slow": "done"} == await answer(server, token, "{ slow(seconds: 0.1) }")

            server.process.send_signal(signal.SIGTERM)
            assert 0 == await asyncio.to_thread(server.process.wait)


def workers_of(server: ServerProcess) -> list[psutil.Process]:
    """Those that live; Python's own resource tracker is a child as well."""
    children = psutil.Process(server.process.pid).children()
    return [one for one in children if "spawn_main" in command_of(one)]


def command_of(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # dead, and not buried yet
        return ""


async def test_a_stream_is_closed_when_its_client_goes(
    start_server: StartServer, token: str
) -> None:
    with start_server() as server:
        async with asyncio.timeout(20):
            async with post(server, token, "subscription { ticks }", "text/event-stream") as events:
                await events.readuntil(b'data: {"data":{"ticks":1}')
                ws = await websocket(server, token, 'subscription { ticks(name: "ws") }')
                assert {"openTicks": 2} == await answer(server, token, "{ openTicks }")
                await ws.close()
            while (await answer(server, token, "{ openTicks }"))["openTicks"]:
                pass


async def test_a_port_that_is_taken_is_refused_in_words(
    database: Database, start_server: StartServer
) -> None:
    with start_server() as server:
        settings = settings_for(database.url)
        with pytest.raises(RosterError, match=f"cannot listen on 127.0.0.1:{server.port}: "):
            await asyncio.to_thread(
                serve, settings, make_graph=make_graph, host="127.0.0.1", port=server.port
            )
