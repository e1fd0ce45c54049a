"""The private-network rule where it counts: at the connection, on the address that is connected to."""

import asyncio
import ssl
from collections.abc import Iterable

import httpcore
import pytest

from gateway.errors import AddressRefused
from gateway.http.network import PublicOnly

PUBLIC, OTHER_PUBLIC, PRIVATE = "93.184.215.14", "8.8.8.8", "10.0.0.1"
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class FakeStream(httpcore.AsyncNetworkStream):
    """A server that answers each connection with ANSWER and notes which name TLS asked for."""

    def __init__(self, names: list[str | None]) -> None:
        self._names = names
        self._answer = ANSWER

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  httpcore's signature
        read, self._answer = self._answer, b""
        return read

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  httpcore's signature
        pass

    async def aclose(self) -> None:
        pass

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore's signature
    ) -> httpcore.AsyncNetworkStream:
        self._names.append(server_hostname)
        return self


class FakeNetwork(httpcore.AsyncNetworkBackend):
    """Every address answers but those in `down`."""

    def __init__(self, *down: str) -> None:
        self._down = down
        self.connected: list[str] = []
        self.names: list[str | None] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.connected.append(host)
        if host in self._down:
            raise httpcore.ConnectError(f"{host} is down")
        return FakeStream(self.names)


class FakeNames:
    """Answers the same question with one list after the other, as a rebinding DNS server does."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = iter(answers)

    async def __call__(self, host: str, port: int) -> list[str]:
        return next(self._answers)


async def fetch(network: httpcore.AsyncNetworkBackend, url: str) -> int:
    async with httpcore.AsyncConnectionPool(network_backend=network) as pool:
        return (await pool.request("GET", url)).status


async def test_the_judged_address_is_connected_to_and_tls_asks_for_the_name() -> None:
    network = FakeNetwork()

    status = await fetch(
        PublicOnly(network, FakeNames([PUBLIC], [PRIVATE])), "https://canvas.example.edu/"
    )

    assert 200 == status
    assert [PUBLIC] == network.connected
    assert ["canvas.example.edu"] == network.names


async def test_a_name_that_comes_to_mean_a_private_address_is_refused_at_the_next_connection() -> (
    None
):
    network = FakeNetwork()
    guarded = PublicOnly(network, FakeNames([PUBLIC], [PRIVATE]))
    await fetch(guarded, "https://canvas.example.edu/")

    with pytest.raises(AddressRefused, match=r"canvas\.example\.edu is in a private network"):
        await fetch(guarded, "https://canvas.example.edu/")

    assert [PUBLIC] == network.connected


async def test_private_addresses_among_public_ones_are_passed_over() -> None:
    network = FakeNetwork(PUBLIC)

    await fetch(
        PublicOnly(network, FakeNames([PRIVATE, PUBLIC, OTHER_PUBLIC])),
        "http://canvas.example.edu/",
    )

    assert [PUBLIC, OTHER_PUBLIC] == network.connected


async def test_the_last_failure_is_told_when_no_address_answers() -> None:
    network = FakeNetwork(PUBLIC, OTHER_PUBLIC)

    with pytest.raises(httpcore.ConnectError, match=OTHER_PUBLIC):
        await fetch(
            PublicOnly(network, FakeNames([PUBLIC, OTHER_PUBLIC])), "http://canvas.example.edu/"
        )


async def test_a_name_that_is_never_resolved_is_a_timeout() -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(httpcore.ConnectTimeout, match="not resolved in time"):
        await PublicOnly(FakeNetwork(), never).connect_tcp("canvas.example.edu", 443, timeout=0.01)
