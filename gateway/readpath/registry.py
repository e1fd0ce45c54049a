"""Where the graph's fields are kept: type and field to table, columns and to-one links.

A template names a row's table by `{t}` and a linked row by its path, as in `{user}` or `{course.term}`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from gateway.identity import proposed
from gateway.readpath import node_ids
from gateway.readpath.past import Past
from gateway.sight import Limit
from gateway.viewer import Rights
from models import canvas_ids, pace, states
from models.roster import FieldGroup, IdentityKind, SyncRunState

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Reader:
    """For whom, of which institution and when rows are read; `past`: as they were then."""

    institution_id: int
    shard: int
    now: datetime = field(compare=False)  # readers are equal who are shown the same rows
    rights: Rights
    past: Past | None = None

    def limit(self, subject: str, course_id: int | None, states: Iterable[str]) -> Limit | None:
        """Why a list may lack rows that the reader may not see."""
        sight = self.rights.sight
        return None if sight is None else sight.limit(subject, course_id, states)

    def node_id(self, type_name: str, row_id: int) -> str:
        return node_ids.encode(type_name, row_id, self.rights.pseudonyms)

    def decode(self, node_id: str) -> tuple[str, int]:
        return node_ids.decode(node_id, self.rights.pseudonyms)

    def decode_as(self, type_name: str, node_id: str) -> int:
        return node_ids.decode_as(type_name, node_id, self.rights.pseudonyms)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the graph: the SQL it needs, and what it makes of the raw values (None: the value as it is)."""

    sql: tuple[str, ...]
    make: Callable[..., Any] | None = None
    group: str | None = None  # the template of the source of its group of fields


@dataclass(frozen=True, slots=True)
class Link:
    """A to-one field: the type it leads to and the column with that row's id."""

    type_name: str
    column: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """A type of the graph and where its rows are. `always`: raw columns that every read of it brings along."""

    type_name: str
    name: str
    fields: Mapping[str, Field]
    links: Mapping[str, Link] = field(default_factory=dict)
    always: tuple[str, ...] = ()


def _plain(*columns: str, group: str | None = None, **renamed: str) -> dict[str, Field]:
    """Fields that show a column as it is; named as the column in camelCase unless named here."""
    return {camel(column): Field((f"{{t}}.{column}",), None, group) for column in columns} | {
        name: Field((f"{{t}}.{column}",), None, group) for name, column in renamed.items()
    }


def camel(column: str) -> str:
    head, *tail = column.split("_")
    return head + "".join(word.title() for word in tail)


@dataclass(frozen=True, slots=True)
class NodeId:
    type_name: str

    def __call__(self, reader: Reader, row_id: int) -> str:
        return reader.node_id(self.type_name, row_id)


def made_for(reader: Reader, make: Callable[..., Any]) -> Callable[..., Any]:
    """What makes a field for one reader: every row has an id, so much of making it is done once."""
    if isinstance(make, NodeId):
        return node_ids.encoder(make.type_name, reader.rights.pseudonyms)
    return partial(make, reader)


def _ids(type_name: str) -> dict[str, Field]:
    return {
        "id": Field(("{t}.id",), NodeId(type_name)),
        "canvasId": Field(("{t}.canvas_id",), _canvas_id),
    }


def _canvas_id(reader: Reader, value: int | None) -> str | None:
    return None if value is None else canvas_ids.to_rest(value, reader.shard)


def _text(_reader: Reader, value: int | None) -> str | None:
    return None if value is None else str(value)


def _seconds(_reader: Reader, value: int | None) -> timedelta | None:
    return None if value is None else timedelta(seconds=value)


def _flag(_reader: Reader, value: int | None) -> bool | None:
    """SQLite keeps a truth value as a number."""
    return None if value is None else bool(value)


def _effective_state(reader: Reader, *raw: Any) -> str:
    stored, type_, course, section, *dates = raw
    own, of_section, of_course, of_term = (
        (start and as_time(start), end and as_time(end))
        for start, end in zip(dates[::2], dates[1::2], strict=True)
    )
    return states.effective_state(
        stored=stored,
        type=type_,
        course=course,
        section_deleted=section is not None,
        dates=states.effective_dates(own, of_section, of_course, of_term),
        now=reader.now,
    )


def as_time(value: Any) -> datetime:
    """SQLite hands a time over as the text that it keeps."""
    time: datetime = datetime.fromisoformat(value) if isinstance(value, str) else value
    return time


def _row_provenance(reader: Reader, *raw: Any) -> dict[str, Any]:
    """What the row itself says; a whole read since may vouch for it anew (`provenance.of_row`)."""
    state, missing_since, *pairs = raw
    groups = [
        {
            "name": name.value,
            "fields": list(fields),
            "source": source,
            "asOf": as_of and as_time(as_of),
        }
        for (name, fields), source, as_of in zip(
            GROUPS.items(), pairs[::2], pairs[1::2], strict=True
        )
    ]
    until = reader.past and reader.past.moment
    return {"state": state, "missingSince": missing_since, "groups": groups, "until": until}


def _expected_end(
    reader: Reader, state: str, progress: float, paced_from: float | None, paced_at: Any
) -> datetime | None:
    if state != SyncRunState.RUNNING:
        return None
    at = paced_at and as_time(paced_at)
    return pace.expected_end(progress=progress, paced_from=paced_from, paced_at=at, now=reader.now)


# Fields of an enrollment that a source fills together.
GROUPS = {
    FieldGroup.STANDING: (
        *("type", "role", "roleId", "state", "section", "limitPrivilegesToCourseSection"),
        "associatedUser",
    ),
    FieldGroup.DATES: ("startAt", "endAt"),
    FieldGroup.ACTIVITY: (
        *("createdAt", "updatedAt", "lastActivityAt", "totalActivityTime", "sisImportId"),
    ),
}


# A tombstone says DELETED, whatever its last state was.
def _state(table: str = "{t}") -> str:
    return f"case when {table}.removed_at is null then {table}.state else 'DELETED' end"


STATE = _state()
_STATE = {"state": Field((STATE,))}
_EFFECTIVE_DATES = tuple(
    f"{{{path}}}.{end}"
    for path in ("t", "section", "course", "course.term")
    for end in ("start_at", "end_at")
)

ACCOUNT = Table(
    type_name="Account",
    name="account",
    fields=_ids("Account") | _STATE | _plain("sis_id", "name"),
    links={"parent": Link("Account", "parent_id")},
)
TERM = Table(
    type_name="Term",
    name="term",
    fields=_ids("Term") | _STATE | _plain("sis_id", "name", "start_at", "end_at"),
)
COURSE = Table(
    type_name="Course",
    name="course",
    fields=_ids("Course")
    | _STATE
    | _plain("sis_id", "integration_id", "uuid", "lti_context_id", "name", "course_code")
    | _plain("start_at", "end_at", "time_zone"),
    links={"account": Link("Account", "account_id"), "term": Link("Term", "term_id")},
)
SECTION = Table(
    type_name="Section",
    name="section",
    fields=_ids("Section")
    | _STATE
    | _plain("sis_id", "integration_id", "name", "start_at", "end_at"),
    links={
        "course": Link("Course", "course_id"),
        "originCourse": Link("Course", "origin_course_id"),
    },
    always=("course_id",),
)
USER = Table(
    type_name="User",
    name="person",
    fields=_ids("User")
    | _STATE
    | _plain("uuid")
    | _plain("name", "sortable_name", "short_name", group="{t}.name_source")
    | _plain("given_name", "family_name", "pronouns", group="{t}.name_source")
    | _plain("login_id", "sis_id", "integration_id", group="{t}.login_source")
    | _plain("email", "avatar_url", group="{t}.contact_source"),
)
ENROLLMENT = Table(
    type_name="Enrollment",
    name="enrollment",
    fields=_ids("Enrollment")
    | _STATE
    | _plain("type", "role")
    | {
        "roleId": Field(("{t}.role_id",), _text),
        "limitPrivilegesToCourseSection": Field(("{t}.limit_to_section",), _flag),
        "provenance": Field(
            (
                STATE,
                "{t}.missing_since",
                *(f"{{t}}.{group}_{word}" for group in GROUPS for word in ("source", "as_of")),
            ),
            _row_provenance,
        ),
        "effectiveState": Field(
            (
                STATE,
                "{t}.type",
                _state("{course}"),
                "case when {section}.removed_at is not null or {section}.state = 'DELETED' then 1 end",
                *_EFFECTIVE_DATES,
            ),
            _effective_state,
        ),
        "totalActivityTime": Field(
            ("{t}.total_activity_seconds",), _seconds, "{t}.activity_source"
        ),
        "sisImportId": Field(("{t}.sis_import_id",), _text, "{t}.activity_source"),
    }
    | _plain("start_at", "end_at", group="{t}.dates_source")
    | _plain(
        "created_at",
        "updated_at",
        "last_activity_at",
        group="{t}.activity_source",
    ),
    links={
        "user": Link("User", "person_id"),
        "course": Link("Course", "course_id"),
        "section": Link("Section", "section_id"),
        "associatedUser": Link("User", "associated_person_id"),
    },
    always=("course_id",),
)
# No type of the graph: `members` reads it beside the enrollments.
MEMBERSHIP = Table(
    type_name="Membership",
    name="membership",
    fields={},
    links={"user": Link("User", "person_id"), "course": Link("Course", "course_id")},
)
SYNC_RUN = Table(
    type_name="SyncRun",
    name="sync_run",
    fields={
        "id": _ids("SyncRun")["id"],
        "expectedEndAt": Field(
            ("{t}.state", "{t}.progress", "{t}.paced_from", "{t}.paced_at"), _expected_end
        ),
    }
    | _plain("state", "source", "started_at", "ended_at", "progress", "message")
    | _plain("rows_read", "created", "updated", "removed", "unchanged", "set_aside", "held")
    | _plain("requests", "quota", "label"),
    always=("state",),
)

# The field of a User that shows the same as an alias: whoever may not see the one sees no alias of its kind.
ALIAS_FIELDS = {
    IdentityKind.LTI13_SUB: "ltiSub",
    IdentityKind.LTI11_USER_ID: "lti11UserId",
    IdentityKind.CANVAS_GLOBAL_ID: "canvasId",
    IdentityKind.CANVAS_UUID: "uuid",
    IdentityKind.SIS_USER_ID: "sisId",
    IdentityKind.INTEGRATION_ID: "integrationId",
    IdentityKind.LOGIN_ID: "loginId",
    IdentityKind.EMAIL: "email",
}


def _alias(reader: Reader, kind: str, value: str) -> str | None:
    return value if reader.rights.sees("User", ALIAS_FIELDS[IdentityKind(kind)]) else None


def _proposal(_reader: Reader, kind: str, claimant: int | None) -> str:
    return proposed(IdentityKind(kind), claimed=claimant is not None)


IDENTITY_CONFLICT = Table(
    type_name="IdentityConflict",
    name="identity_conflict",
    fields={
        "id": _ids("IdentityConflict")["id"],
        "value": Field(("{t}.kind", "{t}.value"), _alias),
        "proposal": Field(("{t}.kind", "{t}.person_id"), _proposal),
    }
    | _plain("kind", "source", "found_at", "resolution", "resolved_at")
    | _plain(why="evidence", advice="proposal"),
    links={
        "person": Link("User", "person_id"),
        "otherPerson": Link("User", "other_person_id"),
        "resolvedBy": Link("User", "resolved_by_id"),
    },
)

TABLES = {
    table.type_name: table
    for table in (ACCOUNT, TERM, COURSE, SECTION, USER, ENROLLMENT, SYNC_RUN, IDENTITY_CONFLICT)
}
