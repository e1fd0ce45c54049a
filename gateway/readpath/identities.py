"""Every identifier ever seen for people."""

from collections.abc import Sequence

from gateway.readpath.connections import Connections
from gateway.readpath.registry import ALIAS_FIELDS, Reader, Row
from gateway.readpath.sql import Statement
from models.roster import IdentityKind


async def identities(
    connections: Connections, reader: Reader, people: Sequence[int]
) -> dict[int, list[Row]]:
    """The aliases of each person, and of those merged into them: live ones first, in one statement."""
    statement = Statement(connections.dialect, reader)
    seen = " or ".join(_seen(statement, kind, field) for kind, field in ALIAS_FIELDS.items())
    sql = (
        "select p.id, p.merged_into_id, i.kind, i.scope, i.value, i.source, i.context_course_id, i.first_seen_at,"
        " i.last_seen_at, i.ended_at from identity i join person p on p.id = i.person_id and p.institution_id = $1"
        f" where i.institution_id = $1 and i.person_id in (select m.id from person m where m.institution_id = $1"
        f" and {statement.any_of('m.id', people, 'bigint')} union all {_merged_into(statement, people)}) and ({seen})"
        " order by case when i.ended_at is null then 0 else 1 end, i.kind, i.id"
    )
    found: dict[int, list[Row]] = {person: [] for person in people}
    for (
        own,
        other,
        kind,
        scope,
        value,
        source,
        course,
        first,
        last,
        ended,
    ) in await connections.fetch(sql, statement.values):
        row = {
            "kind": kind,
            "scope": scope or None,
            "value": value,
            "source": source,
            "context_course_id": course,
            "firstSeenAt": first,
            "lastSeenAt": last,
            "endedAt": ended,
        }
        # a membership may still name a person who was merged: asked for as itself, and perhaps beside who it is now
        for person in (own, other):
            if person in found:
                found[person].append(row)
    return found


def _merged_into(statement: Statement, people: Sequence[int]) -> str:
    """Only the desk merges, so its few rows name everybody who may have been: no index on the people is needed."""
    settled = "from identity_conflict d where d.institution_id = $1 and d.resolution = 'MERGE'"
    return (
        f"select m.id from person m where m.institution_id = $1 and m.id in (select d.person_id {settled}"
        f" union select d.other_person_id {settled}) and {statement.any_of('m.merged_into_id', people, 'bigint')}"
    )


def _seen(statement: Statement, kind: IdentityKind, field: str) -> str:
    """Whether it is an alias of this kind, and the reader sees the person's."""
    if not statement.reader.rights.sees("User", field):
        return "false"
    own = statement.seen("User", "p", field)
    return f"(i.kind = '{kind}'{'' if own is None else f' and {own}'})"
