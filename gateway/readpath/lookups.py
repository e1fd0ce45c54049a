"""Ids as callers give them, found: Canvas, SIS and integration ids, logins, LTI subjects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from gateway.errors import Ambiguous, BadRequest
from gateway.readpath import past
from gateway.readpath.connections import Connections
from gateway.readpath.ledger import Cover
from gateway.readpath.levels import merged
from gateway.readpath.registry import TABLES, Reader, Row
from gateway.readpath.shapes import Columns, Placed, Shape, as_rows, placed
from gateway.readpath.sql import From, Open, Statement, array
from gateway.uow import Dialect
from models import canvas_ids
from models.roster import (
    CourseState,
    EnrollmentState,
    IdentityKind,
    RecordState,
    Source,
    UserState,
)

Key = str | int

_KEPT = 512  # statements


@dataclass(frozen=True, kw_only=True)
class Form:
    """One way to name a row: by a column of its own, or by a live alias of a person."""

    column: str | None = None
    identity: IdentityKind | None = None
    tombstones: bool = False  # whether rows that are gone are still found by it
    # Sources whose whole reads list every id of this form, so that their silence proves something.
    listed_by: tuple[Source, ...] = (Source.REPORT, Source.UPLOAD)


@dataclass(frozen=True)
class By:
    """An id as it was given: `form` is the name of the input field."""

    type_name: str
    form: str
    value: str

    def __str__(self) -> str:
        return f"{self.type_name} with {self.form} {self.value!r}"


# Ids of rows and of Canvas are never given to another thing, so a tombstone is still found by them.
_NODE = Form(column="id", tombstones=True, listed_by=())
_CANVAS = Form(column="canvas_id", tombstones=True)
_SIS = Form(column="sis_id")
_INTEGRATION = Form(column="integration_id")

FORMS: Mapping[str, Mapping[str, Form]] = {
    "Account": {"id": _NODE, "canvasId": _CANVAS, "sisId": _SIS},
    "Term": {"id": _NODE, "canvasId": _CANVAS, "sisId": _SIS},
    "Course": {
        "id": _NODE,
        "canvasId": _CANVAS,
        "sisId": _SIS,
        "integrationId": _INTEGRATION,
        "ltiContextId": Form(column="lti_context_id", listed_by=()),
    },
    "Section": {"id": _NODE, "canvasId": _CANVAS, "sisId": _SIS, "integrationId": _INTEGRATION},
    "User": {
        "id": _NODE,
        "canvasId": _CANVAS,
        "sisId": Form(identity=IdentityKind.SIS_USER_ID),
        "integrationId": Form(identity=IdentityKind.INTEGRATION_ID),
        "loginId": Form(identity=IdentityKind.LOGIN_ID),
        "ltiSub": Form(identity=IdentityKind.LTI13_SUB, listed_by=()),
        "lti11UserId": Form(identity=IdentityKind.LTI11_USER_ID, listed_by=()),
        "uuid": Form(identity=IdentityKind.CANVAS_UUID),
    },
    "Enrollment": {"id": _NODE, "canvasId": _CANVAS},
    "SyncRun": {"id": Form(column="id", listed_by=())},
}


def proves_absence(by: By, cover: Cover) -> bool:
    """Whether a read of the whole institution that does not show `by` proves that there is none."""
    listed = cover.source in FORMS[by.type_name][by.form].listed_by
    return listed and cover.proves(_LIVING.get(by.type_name, frozenset()))


# Whoever is in none of these states is gone.
_LIVING = {
    "Course": frozenset(CourseState) - {CourseState.DELETED},
    "Section": frozenset(RecordState) - {RecordState.DELETED},
    "User": frozenset(UserState) - {UserState.DELETED},
    "Enrollment": frozenset(EnrollmentState) - {EnrollmentState.DELETED},
}


class _Prepared(NamedTuple):
    """The statement that finds a row by one form of id; `values` are open where it stands."""

    sql: str
    values: tuple[object, ...]
    row: Placed


async def one(connections: Connections, reader: Reader, by: By, shape: Shape) -> Row | None:
    """The row that `by` names. Ambiguous when there are two."""
    prepare = _kept if reader.past is None else _prepared
    prepared = prepare(connections.dialect, reader, shape, by.type_name, by.form)
    keys = array(connections.dialect, _keys(reader, by.type_name, by.form, [by.value]))
    values = [keys if value is Open.ARRAY else value for value in prepared.values]
    rows = await connections.fetch(prepared.sql, values)
    if len(rows) > 1:
        raise _ambiguous(by)
    return as_rows(prepared.row, reader)(rows)[0] if rows else None


def _prepared(
    dialect: Dialect, reader: Reader, shape: Shape, type_name: str, form: str
) -> _Prepared:
    statement = Statement(dialect, reader)
    source, columns = From(statement, shape.table), Columns()
    row = placed(shape, source, columns, reader)
    found = _matching(statement, reader, type_name, form, Open.ARRAY)
    sql = (
        f"select {columns} from {source}"
        f" where {' and '.join([f'{source.alias}.institution_id = $1', *source.seen()])}"
        f" and {source.alias}.id in (select found_id from ({found}) f) limit 2"
    )
    return _Prepared(sql, tuple(statement.values), row)


# As with lists, the reader's `now` is no part of a statement.
_kept = lru_cache(maxsize=_KEPT)(_prepared)


async def ids(connections: Connections, reader: Reader, wanted: Sequence[By]) -> tuple[int, ...]:
    """Row ids of all that are known, in one statement for each form. Ambiguous when one of them names two rows."""
    found: set[int] = set()
    for form in {(by.type_name, by.form) for by in wanted}:
        values = {by.value for by in wanted if (by.type_name, by.form) == form}
        found |= await _ids_of(connections, reader, form, sorted(values))
    return tuple(sorted(found))


async def each(
    connections: Connections, reader: Reader, wanted: Sequence[By]
) -> dict[By, int | None]:
    """The row that each names: None where it names two, and nothing where it is not known or makes no sense."""
    found: dict[By, int | None] = {}
    for form in {(by.type_name, by.form) for by in wanted}:
        named: dict[Key, list[By]] = {}
        for by in wanted:
            if (by.type_name, by.form) == form:
                try:
                    [key] = _keys(reader, by.type_name, by.form, [by.value])
                    named.setdefault(key, []).append(by)
                except BadRequest:
                    continue
        values = [of[0].value for of in named.values()]
        for start in range(0, len(values), _AT_ONCE):
            found |= await _each(connections, reader, form, values[start : start + _AT_ONCE], named)
    return found


_AT_ONCE = 5_000


async def _each(
    connections: Connections,
    reader: Reader,
    form: tuple[str, str],
    values: Sequence[str],
    named: Mapping[Key, Sequence[By]],
) -> dict[By, int | None]:
    statement = Statement(connections.dialect, reader)
    matching = _matching(statement, reader, *form, values)
    sql = f"select found_key, found_id from ({matching}) f group by found_key, found_id"
    rows: dict[Key, set[int]] = {}
    for key, row_id in await connections.fetch(sql, statement.values):
        rows.setdefault(key, set()).add(row_id)
    return {
        by: min(ids) if len(ids) == 1 else None for key, ids in rows.items() for by in named[key]
    }


async def _ids_of(
    connections: Connections, reader: Reader, form: tuple[str, str], values: Sequence[str]
) -> set[int]:
    type_name, name = form
    plain = type_name != "User" and reader.rights.sight is None and reader.past is None
    if name == "id" and plain:  # people may be merged
        reader.rights.require(type_name, name, purpose="find it")
        return {reader.decode_as(type_name, value) for value in values}
    statement = Statement(connections.dialect, reader)
    found = _matching(statement, reader, type_name, name, values)
    sql = f"select found_key, found_id from ({found}) f group by found_key, found_id"
    by_key: dict[Key, int] = {}
    for key, row_id in await connections.fetch(sql, statement.values):
        if by_key.setdefault(key, row_id) != row_id:
            raise _ambiguous(By(type_name, name, str(key)))
    return set(by_key.values())


def _ambiguous(by: By) -> Ambiguous:
    return Ambiguous(f"There is more than one {by}; ask by `id` or canvasId.")


def _matching(
    statement: Statement,
    reader: Reader,
    type_name: str,
    name: str,
    values: Sequence[str] | Open,
) -> str:
    """A select of (found_key, found_id): a merged person's ids lead to the one they were merged into.

    Only what is seen, by what is seen of it: an id that is hidden finds nobody.
    """
    reader.rights.require(type_name, name, purpose="find it")
    form, table = FORMS[type_name][name], TABLES[type_name].name
    target = merged("r", reader) if type_name == "User" else "r.id"
    seen = _seen(statement, type_name, name, target)
    keys = values if isinstance(values, Open) else _keys(reader, type_name, name, values)
    if form.identity is not None:
        return (
            f"select i.value as found_key, {target} as found_id from identity i"
            f" join {past.table(statement, type_name, table, None)} r on r.id = i.person_id"
            f" and r.institution_id = $1 where i.institution_id = $1 and i.kind = '{form.identity}'"
            f" and {statement.any_of('i.value', keys, 'text')} and {_live(statement)}{seen}"
        )
    sql_type = "bigint" if name in ("id", "canvasId") else "text"
    living = "" if form.tombstones or type_name == "SyncRun" else " and r.removed_at is null"
    if reader.past is not None:
        near = statement.any_of(str(form.column), keys, sql_type)
        table = past.table(statement, type_name, table, near)
    return (
        f"select r.{form.column} as found_key, {target} as found_id from {table} r where r.institution_id = $1"
        f" and {statement.any_of(f'r.{form.column}', keys, sql_type)}{living}{seen}"
    )


def _live(statement: Statement) -> str:
    """Whether the alias `i` is somebody's, or was."""
    if statement.reader.past is None:
        return "i.ended_at is null"
    moment = statement.bind(statement.reader.past.moment, "timestamptz")
    return f"i.first_seen_at <= {moment} and (i.ended_at is null or i.ended_at > {moment})"


def _seen(statement: Statement, type_name: str, field: str, target: str) -> str:
    """The condition that the row that is led to is seen, and its field too."""
    conditions = [
        condition
        for condition in (statement.seen(type_name, "v"), statement.seen(type_name, "v", field))
        if condition is not None
    ]
    if not conditions:
        return ""
    return (
        f" and exists (select 1 from {TABLES[type_name].name} v where v.institution_id = $1 and v.id = {target}"
        f" and {' and '.join(conditions)})"
    )


def _keys(reader: Reader, type_name: str, name: str, values: Sequence[str]) -> list[Key]:
    """The values as the database has them."""
    identity = FORMS[type_name][name].identity
    if identity is not None:
        return [identity.comparable(value) for value in values]
    if name == "id":
        return [reader.decode_as(type_name, value) for value in values]
    if name == "canvasId":
        return [canvas_id(reader, value) for value in values]
    return list(values)


def canvas_id(reader: Reader, value: str) -> int:
    try:
        return canvas_ids.to_global(value, reader.shard)
    except ValueError as refusal:
        raise BadRequest(
            f"{refusal}. For a SIS id write sisId; for an id of this graph, id."
        ) from None


async def root_account(connections: Connections, reader: Reader) -> int | None:
    """The row of the root account: the one that the institution names, else the only one without a parent."""
    sql = (
        "select a.id from account a join institution i on i.id = a.institution_id"
        " where a.institution_id = $1 and a.removed_at is null"
        " and (a.canvas_id = i.root_account or (i.root_account is null and a.parent_id is null))"
        " order by a.id limit 2"
    )
    rows = await connections.fetch(sql, [reader.institution_id])
    return rows[0][0] if len(rows) == 1 else None
