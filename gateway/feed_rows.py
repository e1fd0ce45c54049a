"""An entry of the feed as one reader is told it: in the graph, and in the messages of webhooks."""

import json

from gateway.changes import REFERENCES
from gateway.feed import Entry
from gateway.readpath.registry import Reader, Row
from models import canvas_ids
from models.moments import moment_text


def row_of(entry: Entry, reader: Reader) -> Row:
    """The graph's Change; what it links to stands as row ids, in snake case."""
    return {
        "row_id": entry.subject_id,
        "cursor": entry.cursor,
        "at": entry.at,
        "kind": entry.kind,
        "subjectType": entry.subject_type,
        "subjectId": reader.node_id(entry.subject_type, entry.subject_id),
        "before": _values(entry, entry.before, reader),
        "after": _values(entry, entry.after, reader),
        "cause": {
            "source": entry.source,
            "sisImportId": None if entry.sis_import_id is None else str(entry.sis_import_id),
            "sync_run_id": entry.sync_run_id,
            "actor_id": entry.actor_id,
        },
    }


def as_json(entry: Entry, reader: Reader) -> Row:
    """The same with ids in the place of links: what a client has of it that cannot ask for more."""
    row = row_of(entry, reader)
    told = ("cursor", "kind", "subjectType", "subjectId", "before", "after")
    cause = row["cause"]
    run, actor = cause["sync_run_id"], cause["actor_id"]
    return {name: row[name] for name in told} | {
        "at": moment_text(entry.at),
        "cause": {
            "source": cause["source"],
            "sisImportId": cause["sisImportId"],
            "syncRunId": None if run is None else reader.node_id("SyncRun", run),
            "actorId": None if actor is None else reader.node_id("User", actor),
        },
    }


def _values(entry: Entry, text: str | None, reader: Reader) -> list[Row] | None:
    """The fields of a change, without those that may not be seen."""
    if text is None:
        return None
    return [
        {"field": value["field"], "value": _shown(value["field"], value["value"], reader)}
        for value in json.loads(text)
        if not reader.rights.hides_of(entry.subject_type, value["field"], entry.subject_id)
    ]


def _shown(field: str, value: str | None, reader: Reader) -> str | None:
    """The feed keeps references as our row ids and Canvas ids in their global form (`gateway.changes`)."""
    if value is None:
        return None
    if field == "canvasId":
        return canvas_ids.to_rest(int(value), reader.shard)
    if field in REFERENCES:
        return reader.node_id(REFERENCES[field], int(value))
    return moment_text(value) if field.endswith("At") else value
