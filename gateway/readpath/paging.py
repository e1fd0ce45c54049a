"""Keyset pages: orders, cursors, and the window of a list that a caller asked for.

A cursor holds the order values and the id of its row, so that rows which come and go neither repeat nor hide
others; a page begins behind the row even after the row itself is gone.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

import msgspec

from gateway.errors import BadRequest
from gateway.pseudonyms import Pseudonyms
from gateway.readpath.registry import STATE, Reader
from gateway.readpath.sql import From
from gateway.uow import Dialect

DEFAULT_SIZE = 50
MAX_SIZE = 5000


class Direction(StrEnum):
    ASC = "ASC"
    DESC = "DESC"


class Kind(StrEnum):
    """What an order value is: its type in PostgreSQL."""

    TEXT = "text"
    TIME = "timestamptz"
    ID = "bigint"


@dataclass(frozen=True)
class OrderKey:
    """One way to order a list. `field` must be visible to whoever orders by it."""

    template: str
    kind: Kind
    field: tuple[str, str]
    nullable: bool = True


ORDERS: dict[str, dict[str, OrderKey]] = {
    "Course": {
        "NAME": OrderKey("{t}.sort_key", Kind.TEXT, ("Course", "name"), nullable=False),
        "COURSE_CODE": OrderKey("{t}.course_code", Kind.TEXT, ("Course", "courseCode")),
        "SIS_ID": OrderKey("{t}.sis_id", Kind.TEXT, ("Course", "sisId")),
        "START_AT": OrderKey("{t}.start_at", Kind.TIME, ("Course", "startAt")),
        "END_AT": OrderKey("{t}.end_at", Kind.TIME, ("Course", "endAt")),
    },
    "User": {
        "NAME": OrderKey("{t}.sort_key", Kind.TEXT, ("User", "sortableName"), nullable=False),
        "LOGIN_ID": OrderKey("{t}.login_id", Kind.TEXT, ("User", "loginId")),
        "SIS_ID": OrderKey("{t}.sis_id", Kind.TEXT, ("User", "sisId")),
    },
    "Enrollment": {
        "USER_NAME": OrderKey("{user}.sort_key", Kind.TEXT, ("User", "sortableName")),
        "COURSE_NAME": OrderKey("{course}.sort_key", Kind.TEXT, ("Course", "name")),
        "SECTION_NAME": OrderKey("{section}.name", Kind.TEXT, ("Section", "name")),
        "TYPE": OrderKey("{t}.type", Kind.TEXT, ("Enrollment", "type"), nullable=False),
        "STATE": OrderKey(STATE, Kind.TEXT, ("Enrollment", "state"), nullable=False),
        "CREATED_AT": OrderKey("{t}.created_at", Kind.TIME, ("Enrollment", "createdAt")),
        "UPDATED_AT": OrderKey("{t}.updated_at", Kind.TIME, ("Enrollment", "updatedAt")),
        "LAST_ACTIVITY_AT": OrderKey(
            "{t}.last_activity_at", Kind.TIME, ("Enrollment", "lastActivityAt")
        ),
    },
    "Section": {},
    "SyncRun": {},
    "IdentityConflict": {},
}


@dataclass(frozen=True)
class Order:
    """`key` None: by our id, the order in which rows were first seen. The id always decides between equals."""

    name: str = "ID"
    key: OrderKey | None = None
    direction: Direction = Direction.ASC

    @classmethod
    def of(cls, reader: Reader, type_name: str, name: str, direction: Direction) -> "Order":
        if name == "ID":
            return cls(direction=direction)
        key = ORDERS[type_name][name]
        reader.rights.require(*key.field, purpose="order")
        return cls(name, key, direction)

    def value(self, rows: From) -> str:
        """What its cursors keep of a row."""
        return (
            rows.sql("{t}.id")
            if self.key is None
            else rows.shown(self.key.template, self.key.field)
        )

    def expressions(self, rows: From) -> tuple[str, ...]:
        own_id = rows.sql("{t}.id")
        return (own_id,) if self.key is None else (_expression(self.key, rows), own_id)

    def clause(self, rows: From, *, backwards: bool) -> str:
        word = "desc" if (self.direction is Direction.DESC) is not backwards else "asc"
        return ", ".join(f"{expression} {word}" for expression in self.expressions(rows))

    def beyond(self, rows: From, cursor: "Cursor", *, backwards: bool) -> str:
        """The condition on rows that come after (backwards: before) the cursor's."""
        sign = "<" if (self.direction is Direction.DESC) is not backwards else ">"
        own_id = rows.statement.bind(cursor.row_id, Kind.ID)
        if self.key is None:
            return f"{rows.sql('{t}.id')} {sign} {own_id}"
        value = _bound(self.key, cursor.value, rows)
        return f"({', '.join(self.expressions(rows))}) {sign} ({value}, {own_id})"


def _expression(key: OrderKey, rows: From) -> str:
    """Never null: what is not known, or may not be, comes first."""
    raw = rows.shown(key.template, key.field)
    nullable = key.nullable or raw.startswith("case ")
    known = f"coalesce({raw}, {_floor(key, rows)})" if nullable else raw
    return rows.statement.bytewise(known) if key.kind is Kind.TEXT else known


def _bound(key: OrderKey, value: str | None, rows: From) -> str:
    if value is None:
        return _floor(key, rows)
    return rows.statement.bind(_time(value) if key.kind is Kind.TIME else value, key.kind)


def _floor(key: OrderKey, rows: From) -> str:
    postgres = rows.statement.dialect is Dialect.POSTGRES
    return "'-infinity'::timestamptz" if postgres and key.kind is Kind.TIME else "''"


def _time(value: str) -> datetime:
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _no_cursor() from None


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """A place in one list. `list_key` tells lists of other filters and orders apart; `as_of` is the first page's."""

    list_key: str
    row_id: int | str
    value: str | None = None
    as_of: str | None = None

    def text(self, pseudonyms: Pseudonyms | None = None) -> str:
        """As it is shown: a client that knows people by pseudonyms alone gets one for the row, too."""
        kept = self
        if pseudonyms is not None and isinstance(self.row_id, int):
            kept = msgspec.structs.replace(self, row_id=pseudonyms.place(self.row_id))
        return base64.urlsafe_b64encode(msgspec.json.encode(kept)).decode()

    @classmethod
    def parse(cls, text: str, *, list_key: str, pseudonyms: Pseudonyms | None = None) -> "Cursor":
        try:
            cursor = msgspec.json.decode(base64.b64decode(text, b"-_", validate=True), type=cls)
        except (msgspec.DecodeError, binascii.Error, ValueError):
            raise _no_cursor() from None
        if pseudonyms is not None and isinstance(cursor.row_id, str):
            row_id = pseudonyms.row_of_place(cursor.row_id)
            cursor = msgspec.structs.replace(cursor, row_id=-1 if row_id is None else row_id)
        if not isinstance(cursor.row_id, int) or not 0 <= cursor.row_id < 2**63:
            raise _no_cursor()
        if cursor.list_key != list_key:
            raise BadRequest(
                "This cursor is of a list with another filter or order; begin again without it."
            )
        return cursor


def _no_cursor() -> BadRequest:
    return BadRequest("This is no cursor of this graph; take endCursor from `pageInfo`.")


def list_key(*parts: object) -> str:
    """A short word for one list's kind, filter and order, the same in every process."""
    return _key(parts)


@lru_cache(maxsize=512)
def _key(parts: tuple[object, ...]) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


@dataclass(frozen=True, kw_only=True)
class Window:
    """The part of a list that was asked for: so many rows, behind or before a cursor."""

    size: int = DEFAULT_SIZE
    cursor: Cursor | None = None
    backwards: bool = False

    @classmethod
    def of(
        cls,
        key: str,
        *,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        pseudonyms: Pseudonyms | None = None,
    ) -> "Window":
        if last is None and before is not None and first is None and after is None:
            last = DEFAULT_SIZE
        backwards = last is not None
        if backwards and (first is not None or after is not None):
            raise BadRequest("Give `first` and `after`, or `last` and `before`, not both.")
        if not backwards and before is not None:
            raise BadRequest("`before` goes with `last`.")
        text = before if backwards else after
        return cls(
            size=page_size("last" if backwards else "first", last if backwards else first),
            cursor=None
            if text is None
            else Cursor.parse(text, list_key=key, pseudonyms=pseudonyms),
            backwards=backwards,
        )


def page_size(name: str, wanted: int | None) -> int:
    size = DEFAULT_SIZE if wanted is None else wanted
    if not 0 <= size <= MAX_SIZE:
        raise BadRequest(f"`{name}` is {size}; it can be 0 to {MAX_SIZE}. Read on with `after`.")
    return size


def order_value(order: Order, record: Sequence[Any], place: int) -> str | None:
    """The order value of a record as its cursor keeps it."""
    raw = record[place]
    if order.key is None or raw is None:
        return None
    return raw.isoformat() if isinstance(raw, datetime) else str(raw)
