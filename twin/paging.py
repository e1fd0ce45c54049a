"""Pages by number and by bookmark, and their Link headers: fact sheet transport.md section 1."""

import base64
import binascii
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, unquote_plus

import orjson
from starlette.responses import Response

from twin.call import Call
from twin.errors import NotFound

T = TypeVar("T")
Key = tuple[Any, ...]

LINKS_LIMIT = 6 * 1024
DROPPED = frozenset({"page", "per_page", "access_token", "api_key"})
BY_PRIORITY = ("next", "last", "prev", "current", "first")
IN_HEADER = ("current", "next", "prev", "first", "last")


def per_page(call: Call) -> int:
    """Clamped without a word; what is not a number counts as zero."""
    text = call.params.text("per_page")
    if text is None:
        return call.options.per_page_default
    digits = re.match(r"\s*\d+", text)
    return max(1, min(call.options.per_page_maximum, int(digits[0]) if digits else 0))


def ordinal(
    call: Call,
    rows: Sequence[T],
    render: Callable[[T], object],
    *,
    counted: bool = True,
    wrapped: str | None = None,
    shown: Callable[[T], bool] | None = None,
) -> Response:
    """A numbered page; rows not `shown` are taken out after the cut and leave it short."""
    size = per_page(call)
    number = _page_number(call.params.text("page"))
    page = rows[(number - 1) * size : number * size]
    left = len(rows) - number * size
    last = max(1, -(-len(rows) // size))
    links: dict[str, object] = {"current": number, "first": 1}
    if left > 0:
        links["next"] = number + 1
    if number > 1:
        links["prev"] = number - 1
    # Where Canvas does not count, it looks one page ahead and may meet the end there.
    if counted or (left < size and page):
        links["last"] = last
    body: object = [render(row) for row in page if shown is None or shown(row)]
    if wrapped is not None:
        body = {wrapped: body}
    return call.json(body, headers=_link_header(call, links, size))


def _page_number(text: str | None) -> int:
    if not text:
        return 1
    if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) == 0:
        raise NotFound
    return int(text)


def bookmarked(
    call: Call,
    rows: Sequence[T],
    key: Callable[[T], Key],
    render: Callable[[T], object],
) -> Response:
    """The page after a bookmark; `rows` are in the order of `key`."""
    size = per_page(call)
    page_text = call.params.text("page") or "first"
    mark = _decode(page_text, key(rows[0])) if rows else None
    start = 0 if mark is None else bisect_right(rows, mark, key=key)
    page = rows[start : start + size]
    links: dict[str, object] = {"current": page_text if mark is not None else "first"}
    if start + size < len(rows):
        links["next"] = _encode(key(page[-1]))
    links["first"] = "first"
    return call.json([render(row) for row in page], headers=_link_header(call, links, size))


def _encode(mark: Key) -> str:
    return "bookmark:" + base64.urlsafe_b64encode(orjson.dumps(mark)).decode().rstrip("=")


def _decode(page: str, sample: Key) -> Key | None:
    """The bookmark, or None for the first page: what is not one is no error."""
    if not page.startswith("bookmark:"):
        return None
    text = page.removeprefix("bookmark:")
    try:
        mark = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        return None
    if not isinstance(mark, list) or [type(part) for part in mark] != [type(p) for p in sample]:
        return None
    return tuple(mark)


def _link_header(call: Call, pages: dict[str, object], size: int) -> dict[str, str]:
    base = f"{call.origin}{call.request.scope['path']}"
    kept = [
        pair
        for pair in call.request.scope["query_string"].decode("latin-1").split("&")
        if pair and unquote_plus(pair.partition("=")[0]) not in DROPPED
    ]
    urls = {
        name: f"{base}?"
        + "&".join([*kept, f"page={quote(str(page), safe=':')}", f"per_page={size}"])
        for name, page in pages.items()
    }
    urls = dict(_within_limit((name, urls[name]) for name in BY_PRIORITY if name in urls))
    links = [f'<{urls[name]}>; rel="{name}"' for name in IN_HEADER if name in urls]
    return {"Link": ",".join(links)} if links else {}


def _within_limit(urls: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """Six kilobytes of links at most, the most needed first: a long query loses even `next`."""
    used = 0
    for name, url in urls:
        used += len(url)
        if used > LINKS_LIMIT:
            return
        yield name, url
