"""`/events/canvas`: where Canvas posts its Live Events. It is answered at once, and 2xx only for what was taken."""

import logging

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.errors import EventRefused
from gateway.events.receiving import Receiving

_log = logging.getLogger(__name__)

ADDRESS = "/events/canvas"
_MOST_BYTES = (
    2_000_000  # Canvas drops events of more than a million; signed ones are a third longer
)


async def receive(request: Request) -> Response:
    receiving: Receiving = request.state.receiving
    raw = bytearray()
    async for piece in request.stream():
        raw += piece
        if len(raw) > _MOST_BYTES:
            return PlainTextResponse("too large", 413)
    try:
        await receiving.receive(bytes(raw), request.query_params.get("secret"))
    except EventRefused as refused:
        fields = {"status": refused.status, "reason": str(refused)}
        _log.warning("a Live Event was refused", extra={"fields": fields})
        return PlainTextResponse(str(refused), refused.status)
    return Response(status_code=204)


routes = [Route(ADDRESS, receive, methods=["POST"])]
