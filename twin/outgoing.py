"""Calls that the twin makes itself: a tool's keys, and Live Events."""

from typing import Any

import httpx

_TIMEOUT = 10.0


class Outgoing:
    """Sends through the network, or through the transport that a test hands in."""

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._transport = transport
        self._client: httpx.AsyncClient | None = None  # noqa: TID251  the twin shares no code with the gateway

    async def get_json(self, url: str) -> Any:
        response = await self._open().get(url, headers={"Accept": "application/json"})
        return response.raise_for_status().json()

    async def post(self, url: str, body: bytes, content_type: str) -> int:
        """The status of the answer."""
        headers = {"Content-Type": content_type}
        return (await self._open().post(url, content=body, headers=headers)).status_code

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    def _open(self) -> httpx.AsyncClient:  # noqa: TID251  the twin shares no code with the gateway
        if self._client is None:
            self._client = httpx.AsyncClient(  # noqa: TID251  the same
                transport=self._transport, timeout=_TIMEOUT, headers={"User-Agent": "Canvas"}
            )
        return self._client
