"""What stands before every route: the request's id, its log line and its count; the database's context; the rule of origins."""

import logging
import re
import secrets
from collections.abc import Iterable
from time import perf_counter
from urllib.parse import urlsplit

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.logs import request_id
from gateway.metrics import Metrics, labelled
from gateway.uow import Database

_log = logging.getLogger("gateway.access")
_SENT_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_METHODS = frozenset({"GET", "POST", "HEAD", "OPTIONS"})


class RequestRecord:
    """Gives each request an id, or keeps the one that a proxy gave it, and records how it ended.

    The log line has the path and not the query string: a GET query's literals stand there.
    """

    def __init__(self, app: ASGIApp, *, metrics: Metrics, routes: frozenset[str]) -> None:
        self._app = app
        self._metrics = metrics
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        sent = Headers(scope=scope).get("x-request-id", "")
        known = sent if _SENT_ID.fullmatch(sent) else secrets.token_hex(8)
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] in ("http.response.start", "websocket.accept"):
                status = message.get("status", 101)
                MutableHeaders(scope=message)["x-request-id"] = known
            await send(message)

        began = perf_counter()
        token = request_id.set(known)
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            self._record(scope, status, perf_counter() - began)
            request_id.reset(token)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        path = scope["path"]
        route = path if path in self._routes else "other"
        method = scope.get("method", "WEBSOCKET")
        method = method if method in _METHODS or method == "WEBSOCKET" else "other"
        labelled(self._metrics.requests, route, method, status).inc()
        if method != "WEBSOCKET":
            labelled(self._metrics.request_seconds, route).observe(seconds)
        fields = {
            "method": method,
            "route": route,
            "status": status,
            "milliseconds": round(seconds * 1000, 2),
        }
        _log.info("answered", extra={"fields": fields})


class DatabaseContext:
    """Tortoise keeps its state in a context variable, which a request does not inherit from the lifespan."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        database: Database = scope["state"]["database"]
        with database.active():
            await self._app(scope, receive, send)


class OriginRule:
    """Refuses a browser's request from a page that is neither ours nor a host product's.

    Ours is the public address, and whichever address the request itself was sent to: a developer's `localhost` is as
    much us as `127.0.0.1`, and another site's page can forge neither header.
    """

    def __init__(self, app: ASGIApp, *, public_url: str, hosts: Iterable[str]) -> None:
        self._app = app
        self._allowed = frozenset(filter(None, map(origin_of, (public_url, *hosts))))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._allows(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # before accept: HTTP 403
        else:
            await _refuse_origin(send)

    def _allows(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        sent = headers.get("origin")
        if sent is None:
            return True
        origin = origin_of(sent)
        if origin is None:
            return False
        scheme = {"ws": "http", "wss": "https"}.get(scope["scheme"], scope["scheme"])
        host = headers.get("host")
        own = origin_of(f"{scheme}://{host}") if host else None
        return origin in self._allowed or origin == own


def origin_of(url: str) -> str | None:
    """Scheme, host and port of `url` as a browser writes an origin; None for `null` and other texts."""
    try:
        parts = urlsplit(url.strip().lower())
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port and port != default else "")


async def _refuse_origin(send: Send) -> None:
    body = orjson.dumps(
        {
            "errors": [
                {
                    "message": "This origin may not use the graph; name it in [[host]] origins.",
                    "extensions": {"code": "FORBIDDEN_ORIGIN", "requestId": request_id.get()},
                }
            ]
        }
    )
    headers = [(b"content-type", b"application/json; charset=utf-8"), (b"vary", b"origin")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
