"""Anybody may name a platform to be registered with, so a slow one must not hold the connections that readers need."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from gateway.errors import LaunchRefused
from gateway.http.client import Client
from gateway.lti.registering import Registering
from gateway.uow import Database
from tests.gateway.lti.conftest import Clock, settings_of

pytestmark = pytest.mark.parametrize("engine", ["sqlite"], indirect=True)


@dataclass
class Slow:
    """A server that answers nothing until it is `released`. `most`: how many it was asked by at once."""

    url: str = ""
    now: int = 0
    most: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.now += 1
        self.most = max(self.most, self.now)
        if self.now == 2:
            self.asked.set()
        await self.released.wait()
        self.now -= 1
        writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()


@asynccontextmanager
async def slow() -> AsyncIterator[Slow]:
    platform = Slow()
    server = await asyncio.start_server(platform.serve, "127.0.0.1", 0)
    async with server:
        platform.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/openid"
        yield platform


async def test_slow_platforms_are_asked_two_at_a_time(database: Database, clock: Clock) -> None:
    async with slow() as platform, Client(allows_private_networks=True) as client:
        registering = Registering(settings_of(), database, client, clock)
        fields = {"openid_configuration": platform.url}
        tasks = [asyncio.create_task(registering.register(fields)) for _ in range(5)]
        await asyncio.wait_for(platform.asked.wait(), 10)
        platform.released.set()

        outcomes = await asyncio.gather(*tasks, return_exceptions=True)

    assert [LaunchRefused] * 5 == [type(one) for one in outcomes]
    assert 2 == platform.most
