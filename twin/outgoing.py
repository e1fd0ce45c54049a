"""Calls that the twin makes itself: a tool's keys, and Live Events."""

from typing import Any

import httpx

_TIMEOUT = 10.0


class Outgoing:
    """Sends through the network, or through the transport that a test hands in."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._transport = transport

    async def get_json(self, url: str) -> Any:
        async with self._client() as client:
            response = await client.get(url, headers={"Accept": "application/json"})
            return response.raise_for_status().json()

    async def post(self, url: str, body: bytes, content_type: str) -> int:
        """The status of the answer."""
        async with self._client() as client:
            response = await client.post(url, content=body, headers={"Content-Type": content_type})
            return response.status_code

    def _client(self) -> httpx.AsyncClient:  # noqa: TID251  the twin shares no code with the gateway
        return httpx.AsyncClient(  # noqa: TID251  the same
            transport=self._transport, timeout=_TIMEOUT, headers={"User-Agent": "Canvas"}
        )
