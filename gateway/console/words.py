"""What the console says in words: where a list came from, how old it is, what is missing."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from models.roster import GapReason

_SOURCES = {
    "NRPS": "the course's LTI membership list",
    "ENROLLMENTS_API": "Canvas's list of enrollments",
    "REPORT": "the school's provisioning report",
    "SIS_EXPORT": "the school's SIS export",
    "LAUNCH": "launches from the course",
    "LIVE_EVENT": "Canvas's live events",
    "UPLOAD": "a file that an administrator sent",
    "MUTATION": "changes made through this gateway",
}
_TYPES = {
    "STUDENT": "Student",
    "TEACHER": "Teacher",
    "TA": "Teaching assistant",
    "DESIGNER": "Designer",
    "OBSERVER": "Observer",
    "TEST_STUDENT": "Test student",
}
_KINDS = {
    "LTI13_SUB": "LTI id",
    "LTI11_USER_ID": "LTI 1.1 user id",
    "CANVAS_GLOBAL_ID": "Canvas id",
    "CANVAS_UUID": "Canvas UUID",
    "SIS_USER_ID": "SIS id",
    "INTEGRATION_ID": "Integration id",
    "LOGIN_ID": "Login",
    "EMAIL": "E-mail address",
}
RESOLUTIONS = {
    "MERGE": "They are one person: merge them",
    "MOVE": "It is the claimant's: move it",
    "KEEP": "They are two people: leave it where it is",
}
# By what is listed: completeness in words, and what to say where nothing was read at all.
_COMPLETE = {
    "people": {
        "COMPLETE": "Everybody who should be in it is in it.",
        "PARTIAL": "Somebody may be missing from it.",
        "UNKNOWN": "Whether that is everybody cannot be told.",
    },
    "courses": {
        "COMPLETE": "No course is missing.",
        "PARTIAL": "Some courses may be missing.",
        "UNKNOWN": "Whether these are all courses cannot be told.",
    },
}
_NEVER_READ = {
    "people": "Nothing was ever read that could tell who is in it.",
    "courses": "Nothing was ever read that could tell which courses there are.",
}
_HIDDEN = {
    "user.email": "You are not shown the others' e-mail addresses.",
    "user.name": "You are not shown the others' names.",
    "user.sortableName": "You are not shown the others' names.",
}
_UNITS = (
    (timedelta(days=1), "day"),
    (timedelta(hours=1), "hour"),
    (timedelta(minutes=1), "minute"),
)


def source(name: str | None) -> str:
    return "nobody" if name is None else _SOURCES.get(name, name)


def told_by(run: Mapping[str, Any]) -> str:
    """The source of a run, and which file or list it was where its label says more than the source does."""
    told = source(run["source"])
    return told if not run["label"] or run["label"] in told else f"{told}: {run['label']}"


def kind(name: str) -> str:
    return _KINDS.get(name, name)


def resolution(name: str) -> str:
    return RESOLUTIONS.get(name, name)


def types(names: list[str]) -> str:
    return ", ".join(_TYPES.get(name, name) for name in names)


def gap(told: Mapping[str, Any]) -> str:
    """Why something is missing, to whoever looks at the page."""
    hidden = _HIDDEN.get(told["field"] or "") if told["reason"] == GapReason.NOT_PERMITTED else None
    return hidden or str(told["message"])


def freshness(provenance: Mapping[str, Any], now: datetime, of: str) -> str:
    """Source, age and completeness of a list `of` people or courses, in a sentence or three."""
    if provenance["source"] is None:
        return _NEVER_READ[of]
    complete = _COMPLETE[of][provenance["completeness"]]
    told = {origin["source"]: origin["asOf"] for origin in provenance["origins"]} or {
        provenance["source"]: provenance["asOf"]
    }
    parts = [f"{source(name)}, read {ago(as_of, now)}" for name, as_of in told.items()]
    stale = " That is older than it should be." if provenance["stale"] else ""
    return f"From {'; from '.join(parts)}.{stale} {complete}"


def under_way(run: Mapping[str, Any], now: datetime) -> str:
    """How far a run is that has not ended; nothing of any other."""
    if run["state"] != "RUNNING":
        return ""
    told = f"{run['progress'] or 0:.0%}, {run['rowsRead'] or 0:,} rows"
    if run["expectedEndAt"] is None:
        return told
    minutes = max(
        1, round((datetime.fromisoformat(run["expectedEndAt"]) - now) / timedelta(minutes=1))
    )
    return f"{told}, about {minutes} minute{'' if minutes == 1 else 's'} left"


def ago(moment: str | None, now: datetime) -> str:
    """`moment` as the graph writes it."""
    if moment is None:
        return "never"
    passed = now - datetime.fromisoformat(moment)
    for unit, name in _UNITS:
        count = passed // unit
        if count >= 1:
            return f"{count} {name}{'' if count == 1 else 's'} ago"
    return "just now"
