"""The ids that Canvas makes at random, made here from the seed: fact sheet identity.md section 1."""

import hashlib
import hmac
import uuid

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"


def _digest(seed: int, *parts: object) -> bytes:
    return hashlib.sha512(":".join(map(str, (seed, *parts))).encode()).digest()


def canvas_uuid(seed: int, kind: str, row_id: int) -> str:
    """About 40 letters and digits: the `uuid` of users, courses and accounts."""
    return _letters(_digest(seed, "uuid", kind, row_id), 40)


def lti_id(seed: int, user_id: int) -> str:
    """LTI 1.3 `sub`: a UUID of version 4."""
    return str(uuid.UUID(bytes=_digest(seed, "lti_id", user_id)[:16], version=4))


def lti_context_id(seed: int, kind: str, row_id: int) -> str:
    """LTI 1.1 opaque id: HMAC-SHA1 of the global asset string under the shard's key, 40 hex."""
    return hmac.new(f"shard key {seed}".encode(), f"{kind}_{row_id}".encode(), "sha1").hexdigest()


def token_value(seed: int, *purpose: object) -> str:
    """An access token as Canvas writes it: `1~` and 64 letters and digits."""
    return "1~" + _letters(_digest(seed, "token", *purpose), 64)


def secret(seed: int, *purpose: object) -> str:
    return _letters(_digest(seed, "secret", *purpose), 64)


def _letters(digest: bytes, length: int) -> str:
    return "".join([ALPHABET[byte % 62] for byte in digest[:length]])
