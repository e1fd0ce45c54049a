"""What probes and Prometheus ask: whether the process lives, whether it can serve, and what it has counted."""

import asyncio

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.errors import ConfigurationError
from gateway.metrics import Metrics
from gateway.store import schema
from gateway.uow import Database

_PATIENCE_SECONDS = 3.0


async def alive(_request: Request) -> Response:
    return JSONResponse({"status": "alive"})


async def ready(request: Request) -> Response:
    """503 with the reason while the database does not answer, or lacks a migration of this version."""
    reason = await _reason_not_ready(request.state.database)
    if reason:
        return JSONResponse({"status": "not ready", "reason": reason}, 503)
    return JSONResponse({"status": "ready"})


async def _reason_not_ready(database: Database) -> str | None:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await database.reach()
            missing = await schema.behind(database)
    except TimeoutError:
        return f"the database has not answered for {_PATIENCE_SECONDS:g} seconds"
    except ConfigurationError:
        return "the database does not answer"
    return f"the database lacks {len(missing)} migrations" if missing else None


async def metrics(request: Request) -> Response:
    counted: Metrics = request.state.metrics
    return Response(counted.text(), media_type=CONTENT_TYPE_LATEST)
