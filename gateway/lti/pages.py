"""The pages of a launch: why it was refused, and the two that ask the platform's storage for the state.

None shows data of anybody, so any platform may frame them, on whichever of its many hosts it stands.
"""

import secrets
from collections.abc import Mapping
from html import escape
from importlib.resources import files

from starlette.responses import HTMLResponse, Response

from gateway.logs import request_id

_STATIC = files("gateway") / "static"
_STYLE = (_STATIC / "page.css").read_text("utf-8")
_SCRIPT = (_STATIC / "platform_storage.js").read_text("utf-8")


def refusal(text: str, *, code: str, status: int) -> Response:
    """What went wrong in words, what to do, and by which words an administrator finds it in the log."""
    then = "Open the tool again from your course. If it does not help, show this page to your administrator."
    return _refused("The launch did not work", text, then, code=code, status=status)


def registration_refusal(text: str, *, code: str, status: int) -> Response:
    """The same to the administrator who let their platform introduce itself."""
    then = (
        "Nothing was kept here. Begin the registration again in your platform once this is mended."
    )
    return _refused("The registration did not work", text, then, code=code, status=status)


def _refused(title: str, text: str, then: str, *, code: str, status: int) -> Response:
    body = (
        f"<h1>{title}</h1><p>{escape(text)}</p><p>{then}</p>"
        f"<pre>{escape(code)} · request {escape(request_id.get() or 'unknown')}</pre>"
    )
    return page(title, body, status=status)


def registered(client_id: str) -> Response:
    body = (
        f"<h1>Registered</h1><p>The platform knows this gateway now, as client <code>{escape(client_id)}</code>. Turn the"
        " tool on there, launch it once, and let the gateway's operator accept the installation.</p>"
    )
    script = 'window.parent.postMessage({subject: "org.imsglobal.lti.close"}, "*");'
    return page("Registered", body, script=f"<script NONCE>{script}</script>")


def put_state(*, state: str, target: str, platform_origin: str, next_url: str) -> Response:
    """Gives the state to the platform's storage, then goes on to the platform."""
    body = (
        f"<p>Opening the tool …</p><noscript><a href='{escape(next_url)}'>Continue</a></noscript>"
    )
    data = {
        "task": "put",
        "target": target,
        "origin": platform_origin,
        "key": storage_key(state),
        "value": state,
        "next": next_url,
    }
    return page("Opening the tool", body, script=_script(data))


def get_state(
    *, state: str, target: str, platform_origin: str, fields: Mapping[str, str], action: str
) -> Response:
    """Asks the platform's storage for the state, and posts the launch again with what it says."""
    hidden = "".join(
        f"<input type='hidden' name='{escape(name)}' value='{escape(value)}'>"
        for name, value in {**fields, "storage_state": ""}.items()
    )
    body = (
        "<p>Opening the tool …</p><noscript>This browser keeps no cookie for the tool, and runs no script either."
        " Allow one of the two, or open the tool in a new tab.</noscript>"
        f"<form id='launch' method='post' action='{escape(action)}'>{hidden}</form>"
    )
    data = {
        "task": "get",
        "target": target,
        "origin": platform_origin,
        "key": storage_key(state),
    }
    return page("Opening the tool", body, script=_script(data))


def storage_key(state: str) -> str:
    return f"state_{state}"


def _script(data: Mapping[str, str]) -> str:
    attributes = " ".join(f"data-{name}='{escape(value)}'" for name, value in data.items())
    return f"<script NONCE {attributes}>{_SCRIPT}</script>"


def page(title: str, body: str, *, script: str = "", status: int = 200) -> Response:
    """`script`: with the word NONCE where its nonce goes."""
    nonce = secrets.token_urlsafe(16)
    # no form-action: a launch that is posted again is redirected to wherever it is handed on to
    policy = f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; base-uri 'none'"
    scripts = script.replace("NONCE", f"nonce='{nonce}'", 1)
    text = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>"
        f"<title>{escape(title)}</title><style nonce='{nonce}'>{_STYLE}</style></head>"
        f"<body><main>{body}</main>{scripts}</body></html>"
    )
    headers = {
        "content-security-policy": policy,
        "cache-control": "no-store",
        # the form's own post has to say where it comes from, which `no-referrer` would hide
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
    }
    return HTMLResponse(text, status, headers)
