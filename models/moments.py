"""A moment as the graph writes it: RFC 3339 in UTC."""

from datetime import UTC, datetime


def moment_text(value: datetime | str) -> str:
    """SQLite hands a moment over as the UTC text that it keeps."""
    if isinstance(value, datetime):
        value = value.astimezone(UTC).isoformat()
    return value.replace(" ", "T", 1).replace("+00:00", "Z")
