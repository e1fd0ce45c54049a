"""Request parameters as Rails reads them: nested, from query, form and JSON alike.

Fact sheet transport.md section 5.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

TRUE_WORDS = frozenset({"true", "t", "yes", "y", "on", "1"})


class Params:
    """One level of parameters; `group` goes a level down."""

    def __init__(self, values: dict[str, Any] | None = None) -> None:
        self.values = values if values is not None else {}

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def text(self, name: str) -> str | None:
        """A scalar as text; None where absent, null, or not a scalar."""
        return as_text(self.values.get(name))

    def texts(self, name: str) -> list[str]:
        """`name[]=a&name[]=b`; a scalar is no list, as in Canvas."""
        value = self.values.get(name)
        if not isinstance(value, list):
            return []
        return [text for item in value if (text := as_text(item)) is not None]

    def texts_or_text(self, name: str) -> list[str]:
        """A list, or a scalar where the endpoint takes one for a list of one."""
        scalar = self.text(name)
        return self.texts(name) if scalar is None else [scalar]

    def flag(self, name: str, *, default: bool = False) -> bool:
        text = self.text(name)
        return default if text is None or not text else text.lower() in TRUE_WORDS

    def time(self, name: str) -> datetime | None:
        """ISO 8601 in; what cannot be read is null without an error."""
        return parse_time(self.text(name))

    def group(self, name: str) -> "Params":
        value = self.values.get(name)
        return Params(value if isinstance(value, dict) else {})


def as_text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def parse_time(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


def nest(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """`a[]=1&b[c]=2` as {"a": ["1"], "b": {"c": "2"}}; of a repeated scalar the last counts."""
    nested: dict[str, Any] = {}
    for name, value in pairs:
        head = re.match(r"[^\[]+", name)
        if head is None:
            continue
        _put(nested, [head[0], *re.findall(r"\[([^\]]*)\]", name[head.end() :])], value)
    return nested


def _put(level: dict[str, Any], path: list[str], value: Any) -> None:
    name, *rest = path
    if not rest:
        level[name] = value
    elif rest == [""]:
        items = level.setdefault(name, [])
        if isinstance(items, list):
            items.append(value)
    else:
        deeper = level.setdefault(name, {})
        if isinstance(deeper, dict):
            _put(deeper, rest, value)
