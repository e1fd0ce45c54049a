"""What happens to a request before Canvas's own code sees it.

Fact sheet transport.md: missing User-Agent (5), escaped ids and formats in paths (4.1, 6).
"""

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from twin import errors
from twin.options import Options


class Edge:
    """ASGI middleware in front of the router."""

    def __init__(self, app: ASGIApp, options: Options) -> None:
        self.app = app
        self.options = options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            await self.app(scope, receive, send)
            return
        if self.options.require_user_agent and not Headers(scope=scope).get("user-agent"):
            refusal = errors.no_user_agent()
            await JSONResponse(refusal.body, refusal.status)(scope, receive, send)
            return
        # The router sees the path still escaped, so that `%2F` in a SIS id parts no segments.
        path = scope["raw_path"].decode("ascii") if scope.get("raw_path") else scope["path"]
        path = path.partition("?")[0]
        head, _, tail = path.rpartition("/")
        if self.options.dot_is_format and "." in tail:
            tail, _, extension = tail.rpartition(".")
            if extension != "json":
                await PlainTextResponse("Unauthorized", 401)(scope, receive, send)
                return
            path = f"{head}/{tail}"
        await self.app({**scope, "path": path}, receive, send)
