"""The console's pages: plain HTML that needs no script, for a frame in a platform's page or a window of its own."""

import re
import secrets
from collections.abc import Sequence
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from gateway.console import words
from gateway.middleware import origin_of

_PLAIN_ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+")
_STYLE = "".join(
    (files("gateway") / "static" / name).read_text("utf-8") for name in ("page.css", "console.css")
)

_templates = Environment(
    loader=PackageLoader("gateway.console"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters |= {
    "ago": words.ago,
    "under_way": words.under_way,
    "types": words.types,
    "source": words.source,
    "told_by": words.told_by,
    "kind": words.kind,
    "resolution": words.resolution,
    "query": lambda fields: f"?{urlencode(fields)}" if fields else "",
}


def page(
    name: str,
    *,
    framed_by: Sequence[str | None] | None,
    leads_to: Sequence[str | None] = (),
    status: int = 200,
    **values: Any,
) -> Response:
    """The template `name`. `framed_by`: whose pages may show it in a frame, None: anybody's; `leads_to`: where its forms may end up."""
    nonce = secrets.token_urlsafe(16)
    text = _templates.get_template(f"{name}.html").render(nonce=nonce, style=_STYLE, **values)
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none';"
        f" form-action {_origins(leads_to)}"
    )
    if framed_by is not None:
        policy += f"; frame-ancestors {_origins(framed_by)}"
    headers = {
        "content-security-policy": policy,
        "cache-control": "no-store",
        # a form of ours has to say where it comes from, which `no-referrer` would hide
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
    }
    return HTMLResponse(text, status, headers)


def _origins(urls: Sequence[str | None]) -> str:
    """Our own and these, as a policy lists them; a host with an odd character in it is left out."""
    origins = {origin for one in urls if one and (origin := origin_of(one))}
    return " ".join(("'self'", *filter(_PLAIN_ORIGIN.fullmatch, sorted(origins))))
