"""What a webhook is sent: a stretch of the feed as JSON, signed as Standard Webhooks says.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime

import orjson
from standardwebhooks import Webhook as Signer

from gateway import feed_rows
from gateway.feed import Entry, cursor_of
from gateway.readpath.registry import Reader
from models.moments import moment_text

CHANGED = "roster.changed"
EXPIRED = (
    "roster.feed_expired"  # changes were dropped before they could be sent: read the roster anew
)

_PREFIX = "whsec_"
_KEY_BYTES = 32


def new_secret() -> str:
    return _PREFIX + base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()


def new_name() -> str:
    return f"msg_{secrets.token_urlsafe(18)}"


def body(kind: str, made_at: datetime, until: int, entries: Sequence[Entry], reader: Reader) -> str:
    """`cursor`: where the feed goes on behind this message."""
    changes = [feed_rows.as_json(entry, reader) for entry in entries]
    told = {
        "type": kind,
        "timestamp": moment_text(made_at),
        "data": {"cursor": cursor_of(until), "changes": changes},
    }
    return orjson.dumps(told).decode()


def headers(name: str, sent_at: datetime, body: str, secrets: Sequence[str]) -> dict[str, str]:
    """One signature for each secret, so that a receiver may change from one to the next when it likes."""
    signatures = [Signer(secret).sign(name, sent_at, body) for secret in secrets]
    return {
        "content-type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": str(int(sent_at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
