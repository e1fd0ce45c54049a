"""Node ids: the graph's own ids, `base64("Course:12")`, where 12 is our row and never changes."""

import binascii
from base64 import b64decode, b64encode

from gateway.errors import BadRequest

_HOW = "Take it from the `id` of a node as this graph gave it, or use canvasId or sisId instead."


def encode(type_name: str, row_id: int) -> str:
    return b64encode(b"%b:%d" % (type_name.encode(), row_id)).decode()


def decode(node_id: str) -> tuple[str, int]:
    """Type and row id. BadRequest when it is no node id of this graph."""
    try:
        type_name, _, row_id = b64decode(node_id, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise BadRequest(f"{node_id!r} is not a node id. {_HOW}") from None
    if not type_name or not (row_id.isascii() and row_id.isdigit()) or len(row_id) > 18:
        raise BadRequest(f"{node_id!r} is not a node id. {_HOW}")
    return type_name, int(row_id)


def decode_as(type_name: str, node_id: str) -> int:
    """The row id of a node that must be a `type_name`."""
    found, row_id = decode(node_id)
    if found != type_name:
        raise BadRequest(f"{node_id!r} is the id of a {found}, not of a {type_name}. {_HOW}")
    return row_id
