"""Signing LTI 1.1 launches the way Canvas does: OAuth 1.0a, HMAC-SHA1, in the body (fact sheet lti-launch.md §1.2)."""

import base64
import hashlib
import hmac
import re
import secrets
import string
from collections.abc import Iterable, Mapping
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlsplit

Pairs = Iterable[tuple[str, str]]

_DEFAULT_PORTS = {"http": 80, "https": 443}
_NONCE_LETTERS = string.ascii_letters + string.digits + "_"


def escape(text: str) -> str:
    """RFC 5849 §3.6: everything but the unreserved characters, in UTF-8, space as %20."""
    return quote(text, safe="-._~")


def base_url(launch_url: str) -> str:
    """The launch URL as it is signed: lower-case scheme and host, no default port, no query."""
    parts = urlsplit(launch_url)
    host = (parts.hostname or "").lower()
    scheme = parts.scheme.lower()
    if parts.port and parts.port != _DEFAULT_PORTS.get(scheme):
        host = f"{host}:{parts.port}"
    return f"{scheme}://{host}{parts.path or '/'}"


def base_string(launch_url: str, pairs: Pairs) -> str:
    encoded = sorted((escape(name), escape(value)) for name, value in pairs)
    normalised = "&".join(f"{name}={value}" for name, value in encoded)
    return "&".join(("POST", escape(base_url(launch_url)), escape(normalised)))


def signature(launch_url: str, pairs: Pairs, secret: str) -> str:
    # There is no token secret; the ampersand that would stand before it stays.
    key = f"{escape(secret)}&".encode()
    digest = hmac.new(key, base_string(launch_url, pairs).encode(), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def signed_body(
    launch_url: str,
    params: Mapping[str, str],
    *,
    consumer_key: str,
    secret: str,
    now: datetime,
    nonce: str | None = None,
    copy_query: bool = True,
) -> dict[str, str]:
    """The form fields that the browser posts, `oauth_signature` last.

    With `copy_query` (Canvas's default; the feature `disable_lti_post_only` turns it off) each
    query parameter of the launch URL is copied into the body once, never over a parameter of the
    launch, and signed once, although the browser still posts to the URL with its query.
    """
    query = parse_qsl(urlsplit(launch_url).query, keep_blank_values=True)
    body = {name: _with_crlf(value) for name, value in params.items()}
    if copy_query:
        for name, value in query:
            body.setdefault(name, value)
    body |= {
        "oauth_nonce": nonce or _new_nonce(),
        "oauth_timestamp": str(int(now.timestamp())),
        "oauth_version": "1.0",
        "oauth_signature_method": "HMAC-SHA1",
        "oauth_consumer_key": consumer_key,
        "oauth_callback": "about:blank",
    }
    signed = list(body.items()) + ([] if copy_query else query)
    return body | {"oauth_signature": signature(launch_url, signed, secret)}


def _with_crlf(value: str) -> str:
    """Browsers post line breaks as CRLF, so Canvas signs them so."""
    return re.sub(r"\r\n|\r|\n", "\r\n", value)


def _new_nonce() -> str:
    return "".join(secrets.choice(_NONCE_LETTERS) for _ in range(42))
