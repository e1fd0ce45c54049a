"""GraphiQL for a browser: the page, its files, and the policy that lets it ask no other host.

The page itself holds no data and asks for no credential; what it then asks of the graph does. Its files are built by
`scripts/graphiql`; where that was not possible the page says so, and offers to load GraphiQL from a CDN instead.
"""

from html import escape
from pathlib import Path
from string import Template

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

_STATIC = Path(__file__).parent / "static"
_CDN = "https://cdn.jsdelivr.net"


def files() -> StaticFiles:
    return StaticFiles(directory=_STATIC)


class Page:
    """Answers a browser that opens /graphql. `demo_token` is filled in; only a demo has one."""

    def __init__(self, *, demo_token: str | None = None, static: Path = _STATIC) -> None:
        self._static = static
        self._token = demo_token or ""
        self._built = (static / "graphiql" / "graphiql.js").is_file()

    def __call__(self, request: Request) -> Response:
        if self._built:
            return self._page("graphiql.html", sources="")
        if request.query_params.get("graphiql") == "cdn":
            return self._page("graphiql-cdn.html", sources=_CDN)
        return self._page("graphiql-missing.html", sources="")

    def _page(self, name: str, *, sources: str) -> Response:
        html = Template((self._static / name).read_text("utf-8")).substitute(
            token=escape(self._token)
        )
        return HTMLResponse(html, headers=_headers(sources))


def _headers(sources: str) -> dict[str, str]:
    own = f"'self' {sources}".strip()
    policy = {
        "default-src": "'none'",
        "script-src": own,
        "style-src": f"{own} 'unsafe-inline'",  # CodeMirror sets the style of what it measures
        "img-src": "'self' data:",
        "font-src": "'self' data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "cache-control": "no-store",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "vary": "accept",
    }
