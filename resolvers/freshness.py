"""How fresh an operation wants its answers by its `Cache-Control` header, and what of that its answer's headers say."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from gateway.outcomes import Outcome
from gateway.readpath.provenance import Wanted
from models.roster import Source

_DIRECTIVE = re.compile(r"([a-z-]+)(?:\s*=\s*\"?(\d{1,9})\"?)?\s*(?:,|$)", re.IGNORECASE)


def of_request(headers: Mapping[str, str]) -> Wanted:
    """What `Cache-Control` asks for (RFC 9111 §5.2.1); the arguments of a field come before it."""
    said = {
        name.lower(): seconds
        for name, seconds in _DIRECTIVE.findall(headers.get("cache-control", ""))
    }
    max_age = said.get("max-age", "")
    seconds = int(max_age) if max_age else None
    if "no-cache" in said:
        seconds = 0
    excess = said.get("max-stale", "")
    return Wanted(
        max_age=None if seconds is None else timedelta(seconds=seconds + int(excess or 0)),
        allow_stale=True if "max-stale" in said and not excess else None,
        sources=frozenset({Source.LOCAL} if "only-if-cached" in said else ()),
    )


def of_answer(outcomes: Sequence[Outcome], now: datetime) -> dict[str, str]:
    """The age of the oldest part of an answer, and how old it might have been; nothing where some of it has no age."""
    ages = [outcome.age(now) for outcome in outcomes]
    known = [age for age in ages if age is not None]
    if not known or len(known) < len(ages):
        return {}
    most = min(outcome.need.max_age for outcome in outcomes)
    return {
        "age": str(int(max(known).total_seconds())),
        "cache-control": f"private, max-age={int(most.total_seconds())}",
    }
