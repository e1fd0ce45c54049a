"""Sealing: what must be kept and not be read by whoever sees the database, under the configured secret keys."""

import base64
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.errors import ConfigurationError


class Seal:
    """The first secret seals, all open: a new one is put in front, and the old one leaves when nothing needs it."""

    def __init__(self, secrets: Sequence[str]) -> None:
        self._keys = MultiFernet([Fernet(_key(secret)) for secret in secrets])

    def close(self, text: str) -> str:
        return self._keys.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        try:
            return self._keys.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise ConfigurationError(
                "a stored secret was sealed with another key: put the former secret_key back, behind the new one"
            ) from error


def _key(secret: str) -> bytes:
    """32 bytes from a text of any length."""
    derived = HKDF(SHA256(), length=32, salt=None, info=b"roster seal").derive(secret.encode())
    return base64.urlsafe_b64encode(derived)
