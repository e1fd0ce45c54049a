"""Ids that mean something to one client alone: of people and of their enrollments, where a client may not know who they are.

A pseudonym is the row id under a permutation that the client's key chooses, so it needs no table, and is the same at every
time; what another client calls the same person cannot be told from it.
"""

import binascii
from base64 import b32decode, b32encode
from collections.abc import Mapping

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

KEY_BYTES = 32
TYPES: Mapping[str, int] = {"User": 1, "Enrollment": 2, "Membership": 4}
_PLACE = 3  # of a cursor


class Pseudonyms:
    """Of one client. Every block is one row's, of 16 bytes: its kind in 8 and its id in 8, so nobody guesses a valid one."""

    def __init__(self, key: bytes) -> None:
        self._cipher = Cipher(AES(key), ECB())  # noqa: S305  one block is a permutation, which is what is wanted

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pseudonyms) and self.of("User", 1) == other.of("User", 1)

    def __hash__(self) -> int:
        return hash(self.of("User", 1))

    def of(self, type_name: str, row_id: int) -> str:
        return self._close(TYPES[type_name], row_id)

    def row(self, type_name: str, pseudonym: str) -> int | None:
        return self._open(TYPES[type_name], pseudonym)

    def place(self, row_id: int) -> str:
        return self._close(_PLACE, row_id)

    def row_of_place(self, place: str) -> int | None:
        return self._open(_PLACE, place)

    def _close(self, kind: int, row_id: int) -> str:
        cipher = self._cipher.encryptor()
        block = cipher.update(kind.to_bytes(8) + row_id.to_bytes(8)) + cipher.finalize()
        return b32encode(block).decode().rstrip("=").lower()

    def _open(self, kind: int, text: str) -> int | None:
        try:
            block = b32decode(text.upper() + "======")
        except (binascii.Error, ValueError):
            return None
        if len(block) != 16:
            return None
        cipher = self._cipher.decryptor()
        plain = cipher.update(block) + cipher.finalize()
        return int.from_bytes(plain[8:]) if plain[:8] == kind.to_bytes(8) else None
