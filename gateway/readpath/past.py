"""The roster as it was known at a moment, from the feed: each row with the changes since then taken back.

An entry of the feed says what its fields were before it, so a field was at a moment what its first change since says that it
was before. A row whose first entry since tells that it is new was not known; one that was loaded with many others, as a BASELINE, has
no entry of its own, and was known from that on. What the feed does not tell of (`UNKEPT`) nobody knows any more.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from gateway.changes import FIELDS, SubjectType
from gateway.errors import BadRequest
from gateway.readpath.connections import Connections
from gateway.store.columns import columns_of
from gateway.uow import Dialect

if TYPE_CHECKING:
    from gateway.readpath.shapes import Shape
    from gateway.readpath.sql import Statement

KINDS = frozenset(SubjectType) - {SubjectType.INSTITUTION, SubjectType.MEMBERSHIP}  # of nodes

# By type: columns that change silently, and the fields that show them.
UNKEPT: Mapping[str, Mapping[str, str]] = {
    "Course": {"time_zone": "timeZone"},
    "User": {"avatar_url": "avatarUrl"},
    "Enrollment": {
        "updated_at": "updatedAt",
        "last_activity_at": "lastActivityAt",
        "total_activity_seconds": "totalActivityTime",
        "sis_import_id": "sisImportId",
    },
}


@dataclass(frozen=True)
class Past:
    """`position`: where the feed ended at that `moment`.

    `loaded`: the school had been loaded as a whole by then, or before all that the feed still tells.
    """

    moment: datetime
    position: int
    loaded: bool


async def at(
    connections: Connections, institution_id: int, moment: datetime, now: datetime
) -> Past:
    """BadRequest for the future, and for what the feed does not reach back to."""
    if moment > now:
        raise BadRequest("asOf lies in the future.")
    sql = (
        "select coalesce(i.feed_horizon, 0), (select max(c.position) from change c where c.institution_id = $1 and c.at <= $2),"
        " exists (select 1 from change c where c.institution_id = $1 and c.kind = 'BASELINE' and c.at <= $2"
        f" and c.subject_type = '{SubjectType.INSTITUTION}') from institution i where i.id = $1"
    )
    [(horizon, position, loaded)] = await connections.fetch(sql, [institution_id, moment])
    if horizon and (position is None or position <= horizon):
        raise BadRequest(
            "asOf lies before what this institution keeps of its history (`retention`)."
        )
    return Past(moment, int(position or 0), bool(loaded or horizon))


def table(statement: "Statement", type_name: str, name: str, parent: str | None) -> str:
    """The table `name` as it was, for a from clause. `parent`: `column = value` that most of the wanted rows hold still."""
    past = statement.reader.past
    if past is None or type_name not in list(SubjectType):
        return name
    fields = FIELDS[SubjectType(type_name)]
    own = f"c.institution_id = $1 and c.subject_type = '{type_name}' and c.subject_id = t.id"
    position = statement.bind(past.position, "bigint")
    since = f"{own} and c.position > {position}"
    # a row may be told as REMOVED at once, by a source that knows no more of it
    is_new = "case when c.kind = 'CREATED' or (c.before is null and c.after is not null) then 1 else 0 end"
    made = f"(select {is_new} from change c where {since} order by c.position limit 1)"
    ended = (
        f"(select c.kind from change c where {since} and c.kind in ('REMOVED', 'RESTORED')"
        " order by c.position limit 1)"
    )
    moment = statement.bind(past.moment, "timestamptz")
    columns = []
    for column in columns_of(name):
        sql = f"t.{column}"
        if column in fields:
            sql = _before(statement.dialect, column, fields[column], since)
        elif column in UNKEPT.get(type_name, ()):
            sql = "null"
        elif column == "removed_at":
            was = f"case {ended} when 'REMOVED' then null when 'RESTORED' then {moment}"
            sql = f"{was} else t.{column} end"
        elif column == "missing_since":
            sql = f"case when t.{column} <= {moment} then t.{column} end"
        elif column.endswith("as_of"):
            sql = f"case when t.{column} > {moment} then {moment} else t.{column} end"
        columns.append(f"{sql} as {column}")
    known = [
        "t.institution_id = $1",
        f"coalesce({made}, 0) = 0",
    ]
    if not past.loaded:
        earlier = f"exists (select 1 from change c where {own} and c.position <= {position})"
        loaded = _loaded(type_name, position, moment)
        known.append(f"({earlier} or {loaded})")
    if parent is not None:
        known.append(_near(statement, type_name, fields, parent, past))
    return f"(select {', '.join(columns)} from {name} t where {' and '.join(known)})"


def _loaded(type_name: str, position: str, moment: str) -> str:
    """Whether the load that brought the row was over: it has no entry of its own, its course's BASELINE stands for it."""
    if type_name == SubjectType.USER:
        return (
            "exists (select 1 from identity i where i.institution_id = $1 and i.person_id = t.id"
            f" and i.first_seen_at <= {moment})"
        )
    course = {
        SubjectType.COURSE: "t.id",
        SubjectType.SECTION: "t.course_id",
        SubjectType.ENROLLMENT: "t.course_id",
        SubjectType.MEMBERSHIP: "t.course_id",
    }.get(SubjectType(type_name))
    if course is None:
        return f"t.as_of <= {moment}"
    return (
        "exists (select 1 from change b where b.institution_id = $1 and b.kind = 'BASELINE'"
        f" and b.subject_type = 'Course' and b.subject_id = {course} and b.position <= {position})"
    )


def unkept(shape: "Shape", path: tuple[str, ...] = ()) -> list[str]:
    """The fields of a shape that nobody knows any more, as in "user.avatarUrl"."""
    silent = set(UNKEPT.get(shape.table.type_name, {}).values())
    own = [".".join((*path, name)) for name in sorted(shape.fields & silent)]
    return own + [one for name, linked in shape.links for one in unkept(linked, (*path, name))]


def _before(dialect: Dialect, column: str, field: str, since: str) -> str:
    if dialect is Dialect.SQLITE:
        elements, value = "json_each(c.before) x", "json_extract(x.value, '$.value')"
        name = "json_extract(x.value, '$.field')"
    else:
        elements = "jsonb_array_elements(c.before::jsonb) x(value)"
        value, name = "x.value ->> 'value'", "x.value ->> 'field'"
    source = f"change c, {elements} where {since} and {name} = '{field}'"
    was = f"(select {_typed(dialect, column, value)} from {source} order by c.position limit 1)"
    return f"case when exists (select 1 from {source}) then {was} else t.{column} end"


def _typed(dialect: Dialect, column: str, value: str) -> str:
    """From the text that the feed keeps to what the column keeps."""
    if column.endswith("_id") and column not in ("sis_id", "integration_id", "login_id"):
        return f"cast({value} as bigint)"
    if column.endswith("_at"):
        if dialect is Dialect.POSTGRES:
            return f"cast({value} as timestamptz)"
        return f"replace(replace({value}, 'T', ' '), 'Z', '+00:00')"
    if column == "limit_to_section":
        if dialect is Dialect.POSTGRES:
            return f"cast({value} as boolean)"
        return f"case lower({value}) when 'true' then 1 when '1' then 1 when 'false' then 0 when '0' then 0 end"
    return value


def _near(
    statement: "Statement", type_name: str, fields: Mapping[str, str], parent: str, past: Past
) -> str:
    """Rows that stand there now, and those that have been moved since; what changes silently has not."""
    column = parent.partition(" ")[0]
    if column not in fields:
        return f"t.{parent}"
    moved = statement.contains("m.before", f'"{fields[column]}"')
    return (
        f"(t.{parent} or t.id in (select m.subject_id from change m where m.institution_id = $1"
        f" and m.subject_type = '{type_name}' and m.position > {statement.bind(past.position, 'bigint')} and {moved}))"
    )
