"""Where a connection may go: the address that was judged is the one connected to."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable

import httpcore
import httpx

from gateway.errors import AddressRefused
from gateway.http.addresses import is_public

Resolve = Callable[[str, int], Awaitable[list[str]]]


class Transport(httpx.AsyncHTTPTransport):
    """httpx's own, over a pool that asks the private-network rule whenever it connects."""

    def __init__(self, max_connections: int, allows_private_networks: bool) -> None:  # noqa: FBT001  private, called once
        context = httpx.create_ssl_context()  # SSL_CERT_FILE may name a school's own authority
        super().__init__(verify=context)
        network = httpcore.AnyIOBackend()
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=max_connections,
            max_keepalive_connections=max_connections,
            keepalive_expiry=30,
            network_backend=network if allows_private_networks else PublicOnly(network),
        )


async def resolved(host: str, port: int) -> list[str]:
    """The addresses of `host`, in the order in which to try them."""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise httpcore.ConnectError(str(error)) from error
    return list(dict.fromkeys(str(address[0]).partition("%")[0] for *_, address in found))


class PublicOnly(httpcore.AsyncNetworkBackend):
    """Connects to public addresses alone.

    The name is resolved here, once, and the address that was judged is the one connected to, so an answer of the DNS that
    changes in between gains nothing. TLS still asks for the name: httpcore hands it over apart from the address.
    """

    def __init__(self, network: httpcore.AsyncNetworkBackend, resolve: Resolve = resolved) -> None:
        self._network = network
        self._resolve = resolve

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                found = await self._resolve(host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"the name {host} was not resolved in time") from error
        addresses = [address for address in found if is_public(address)]
        if not addresses:
            raise AddressRefused(
                f"{host} is in a private network, and server.private_networks says refuse"
            )
        share = None if timeout is None else timeout / len(addresses)
        failure: Exception | None = None
        for address in addresses:
            try:
                return await self._network.connect_tcp(
                    address, port, share, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        assert failure is not None  # noqa: S101  there was one address at least
        raise failure

    async def sleep(self, seconds: float) -> None:
        await self._network.sleep(seconds)
