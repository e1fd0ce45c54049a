"""A Live Event as Canvas sends it, read into a value (pure): fact sheet live-events.md §2 to §4.

canvas-lms: doc/api/data_services/md/dynamic/data_service_canvas_event_metadata.md
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from gateway.errors import EventRefused


@dataclass(frozen=True, kw_only=True)
class Event:
    """`at`: when it happened; None where it does not say. `roots`: every name that it gives its root account.

    Of `metadata` nothing else is kept: it is about whoever acted, and its `url` may hold an access token.
    """

    name: str
    at: datetime | None
    roots: frozenset[str]
    body: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """There is no id in the envelope: what tells it from others is its name, its time and all that it says."""
        said = [self.name, self.at and self.at.isoformat(), self.body]
        return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()


def event_in(unverified: object) -> Event:
    """EventRefused where it has not the shape of an event."""
    metadata = unverified.get("metadata") if isinstance(unverified, Mapping) else None
    body = unverified.get("body") if isinstance(unverified, Mapping) else None
    if not isinstance(metadata, Mapping) or not isinstance(body, Mapping):
        raise EventRefused("this is no Live Event: it has no metadata and body", status=400)
    name = metadata.get("event_name")
    if not isinstance(name, str) or not 0 < len(name) <= 64:
        raise EventRefused("the event has no name", status=400)
    roots = (
        metadata.get(key)
        for key in ("root_account_id", "root_account_uuid", "root_account_lti_guid")
    )
    return Event(
        name=name,
        at=moment(metadata.get("event_time")) or moment(body.get("updated_at")),
        roots=frozenset(str(root) for root in roots if root),
        body=body,
    )


def moment(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
