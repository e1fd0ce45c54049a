"""What a browser posts or asks: small, and in UTF-8."""

from collections.abc import Sequence
from urllib.parse import parse_qsl

from starlette.requests import Request

from gateway.errors import LaunchRefused

MOST_BYTES = 256_000


async def pairs(request: Request) -> Sequence[tuple[str, str]]:
    """The fields of a posted form in their order, blank and repeated ones too."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise LaunchRefused("form", "A launch is posted as a form.", status=415)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            raise LaunchRefused("form", "The launch is too large.", status=413)
    try:
        return parse_qsl(
            body.decode(), keep_blank_values=True, max_num_fields=2000, errors="strict"
        )
    except ValueError as error:
        raise LaunchRefused("form", "The launch's form cannot be read.") from error


async def single(request: Request) -> dict[str, str]:
    """The fields of a form or a query, each of which may be there once."""
    if request.method == "GET":
        found: Sequence[tuple[str, str]] = request.query_params.multi_items()
    else:
        found = await pairs(request)
    fields = dict(found)
    if len(fields) != len(found):
        raise LaunchRefused("form", "The launch has a field more than once.")
    return fields
