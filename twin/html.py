"""The few HTML pages of the twin: a frame around them, and forms that a browser posts by itself."""

from collections.abc import Iterable, Mapping
from html import escape

from starlette.responses import HTMLResponse

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 72rem; padding: 1rem; }
table { border-collapse: collapse; width: 100%; }
td, th { border-bottom: 1px solid #ddd; padding: .3rem .5rem; text-align: left; vertical-align: top; }
iframe.tool { border: 1px solid #bbb; height: 75vh; width: 100%; }
fieldset { border: 1px solid #ccc; display: flex; flex-wrap: wrap; gap: 1rem; margin: 1rem 0; }
.quiet { color: #555; }
"""


def page(title: str, body: str, *, script: str | None = None, status: int = 200) -> HTMLResponse:
    """A whole page; `body` is markup, `script` the name of a file in twin/assets."""
    tail = f'<script src="/twin/assets/{script}"></script>' if script else ""
    return HTMLResponse(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>{body}{tail}</body></html>",
        status,
        {"Cache-Control": "no-store"},
    )


def hidden_fields(fields: Mapping[str, str]) -> str:
    return "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in fields.items()
    )


def posted_form(action: str, fields: Mapping[str, str], *, target: str = "_self") -> str:
    """A form for the browser to post; the button serves where scripts are off."""
    return (
        f'<form id="posted" method="post" action="{escape(action)}" target="{escape(target)}">'
        f'{hidden_fields(fields)}<noscript><button type="submit">Continue</button></noscript></form>'
    )


def options(values: Iterable[tuple[str, str]], chosen: str = "") -> str:
    return "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>'
        f"{escape(text)}</option>"
        for value, text in values
    )
