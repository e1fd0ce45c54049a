"""Node ids: the graph's own ids, `base64("Course:12")`, where 12 is our row and never changes.

Whoever may not know who people are gets `base64("User:bbi7rl3mebol7ws2tp5r4iyatu")` instead, which means something to that
client alone (`gateway.pseudonyms`), and may not send the other form.
"""

import binascii
from base64 import b64decode, b64encode
from binascii import b2a_base64
from collections.abc import Callable

from gateway.errors import BadRequest
from gateway.pseudonyms import TYPES, Pseudonyms

_HOW = "Take it from the `id` of a node as this graph gave it, or use canvasId or sisId instead."


def encode(type_name: str, row_id: int, pseudonyms: Pseudonyms | None = None) -> str:
    word = pseudonyms.of(type_name, row_id) if pseudonyms and type_name in TYPES else row_id
    return b64encode(f"{type_name}:{word}".encode()).decode()


def encoder(type_name: str, pseudonyms: Pseudonyms | None) -> Callable[[int], str]:
    """`encode` for many rows of one type."""
    plain = plainly(type_name, pseudonyms)
    return lambda row_id: b2a_base64(plain(row_id), newline=False).decode()


def plainly(type_name: str, pseudonyms: Pseudonyms | None) -> Callable[[int], bytes]:
    """The same before base64, which msgspec makes of bytes by itself."""
    if pseudonyms and type_name in TYPES:
        return lambda row_id: f"{type_name}:{pseudonyms.of(type_name, row_id)}".encode()
    return f"{type_name}:%d".encode().__mod__


def decode(node_id: str, pseudonyms: Pseudonyms | None = None) -> tuple[str, int]:
    """Type and row id. BadRequest when it is no node id of this graph, or not one of this client's."""
    try:
        type_name, _, word = b64decode(node_id, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise BadRequest(f"{node_id!r} is not a node id. {_HOW}") from None
    if pseudonyms is not None and type_name in TYPES:
        row_id = pseudonyms.row(type_name, word)
    else:
        digits = word.isascii() and word.isdigit() and len(word) <= 18
        row_id = int(word) if digits else None
    if not type_name or row_id is None:
        raise BadRequest(f"{node_id!r} is not a node id. {_HOW}")
    return type_name, row_id


def decode_as(type_name: str, node_id: str, pseudonyms: Pseudonyms | None = None) -> int:
    """The row id of a node that must be a `type_name`."""
    found, row_id = decode(node_id, pseudonyms)
    if found != type_name:
        raise BadRequest(f"{node_id!r} is the id of a {found}, not of a {type_name}. {_HOW}")
    return row_id
