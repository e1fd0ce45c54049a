"""Every identifier ever seen for people."""

from collections.abc import Sequence

from gateway.readpath.connections import Connections
from gateway.readpath.registry import Reader, Row
from gateway.readpath.sql import Statement
from models.roster import IdentityKind

# The field of a User that shows the same: whoever may not see the one sees no alias of its kind.
FIELDS = {
    IdentityKind.LTI13_SUB: "ltiSub",
    IdentityKind.LTI11_USER_ID: "lti11UserId",
    IdentityKind.CANVAS_GLOBAL_ID: "canvasId",
    IdentityKind.CANVAS_UUID: "uuid",
    IdentityKind.SIS_USER_ID: "sisId",
    IdentityKind.INTEGRATION_ID: "integrationId",
    IdentityKind.LOGIN_ID: "loginId",
    IdentityKind.EMAIL: "email",
}


async def identities(
    connections: Connections, reader: Reader, people: Sequence[int]
) -> dict[int, list[Row]]:
    """The aliases of each person, live ones first, in one statement."""
    statement = Statement(connections.dialect, reader)
    seen = " or ".join(_seen(statement, kind, field) for kind, field in FIELDS.items())
    sql = (
        "select i.person_id, i.kind, i.scope, i.value, i.source, i.context_course_id, i.first_seen_at,"
        " i.last_seen_at, i.ended_at from identity i join person p on p.id = i.person_id and p.institution_id = $1"
        f" where i.institution_id = $1 and {statement.any_of('i.person_id', people, 'bigint')} and ({seen})"
        " order by i.person_id, case when i.ended_at is null then 0 else 1 end, i.kind, i.id"
    )
    found: dict[int, list[Row]] = {person: [] for person in people}
    for person, kind, scope, value, source, course, first, last, ended in await connections.fetch(
        sql, statement.values
    ):
        found[person].append(
            {
                "kind": kind,
                "scope": scope or None,
                "value": value,
                "source": source,
                "context_course_id": course,
                "firstSeenAt": first,
                "lastSeenAt": last,
                "endedAt": ended,
            }
        )
    return found


def _seen(statement: Statement, kind: IdentityKind, field: str) -> str:
    """Whether it is an alias of this kind, and the reader sees the person's."""
    if not statement.reader.rights.sees("User", field):
        return "false"
    own = statement.seen("User", "p", field)
    return f"(i.kind = '{kind}'{'' if own is None else f' and {own}'})"
