"""Which rows of a list are meant: filters as values, each writing its conditions into a statement."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.errors import Forbidden
from gateway.readpath import visible
from gateway.readpath.registry import Reader
from gateway.readpath.sql import From
from models import text
from models.roster import (
    ROSTER_STATES,
    CourseState,
    EnrollmentState,
    EnrollmentType,
    IdentityKind,
    RecordState,
    Source,
    SyncRunState,
    UserState,
)


class Filter(Protocol):
    @property
    def meant(self) -> frozenset[str]:
        """The states of the rows that are meant; empty where rows have none."""
        ...

    def conditions(self, rows: From, reader: Reader) -> list[str]:
        """SQL conditions on `rows`, all of which must hold."""
        ...


@dataclass(frozen=True, kw_only=True)
class EnrollmentFilter:
    types: tuple[EnrollmentType, ...] | None = None
    roles: tuple[str, ...] | None = None
    states: tuple[EnrollmentState, ...] = ROSTER_STATES
    sections: tuple[int, ...] | None = None
    users: tuple[int, ...] | None = None
    search: str | None = None
    updated_since: datetime | None = None

    @property
    def meant(self) -> frozenset[str]:
        return frozenset(self.states)

    def conditions(self, rows: From, reader: Reader) -> list[str]:
        found = [in_states(rows, self.states)]
        if self.types is not None:
            reader.rights.require("Enrollment", "type", purpose="filter")
            found.append(one_word_of(rows.sql("{t}.type"), self.types))
        if self.roles is not None:
            reader.rights.require("Enrollment", "role", purpose="filter")
            found.append(rows.statement.any_of(rows.sql("{t}.role"), self.roles, "text"))
        if self.sections is not None:
            found.append(rows.statement.any_of(rows.sql("{t}.section_id"), self.sections, "bigint"))
        if self.users is not None:
            found.append(rows.statement.any_of(rows.sql("{t}.person_id"), self.users, "bigint"))
        if self.search is not None:
            found.append(people(rows, reader, "{user}.search_key", "{t}.person_id", self.search))
        if self.updated_since is not None:
            reader.rights.require("Enrollment", "updatedAt", purpose="filter")
            # Reports do not carry updated_at: a row of theirs counts from when it was read.
            since = rows.statement.bind(self.updated_since, "timestamptz")
            found.append(rows.sql(f"coalesce({{t}}.updated_at, {{t}}.standing_as_of) >= {since}"))
        return found


@dataclass(frozen=True, kw_only=True)
class CourseFilter:
    states: tuple[CourseState, ...] | None = None
    terms: tuple[int, ...] | None = None
    accounts: tuple[int, ...] | None = None
    canvas_ids: tuple[int, ...] | None = None
    sis_ids: tuple[str, ...] | None = None
    search: str | None = None

    @property
    def meant(self) -> frozenset[str]:
        return _or_living(self.states, CourseState)

    def conditions(self, rows: From, reader: Reader) -> list[str]:
        found = [living(rows) if self.states is None else in_states(rows, self.states)]
        found += named(rows, reader, self.canvas_ids, self.sis_ids)
        if self.terms is not None:
            found.append(rows.statement.any_of(rows.sql("{t}.term_id"), self.terms, "bigint"))
        if self.accounts is not None:
            found.append(_in_accounts(rows, self.accounts))
        if self.search is not None:
            reader.rights.require("Course", "name", purpose="search")
            reader.rights.require("Course", "courseCode", purpose="search")
            found += _words(rows, "{t}.search_key", self.search)
        return found


@dataclass(frozen=True, kw_only=True)
class SectionFilter:
    states: tuple[RecordState, ...] | None = None
    canvas_ids: tuple[int, ...] | None = None
    sis_ids: tuple[str, ...] | None = None

    @property
    def meant(self) -> frozenset[str]:
        return _or_living(self.states, RecordState)

    def conditions(self, rows: From, reader: Reader) -> list[str]:
        found = [living(rows) if self.states is None else in_states(rows, self.states)]
        return found + named(rows, reader, self.canvas_ids, self.sis_ids)


@dataclass(frozen=True, kw_only=True)
class UserFilter:
    states: tuple[UserState, ...] | None = None
    canvas_ids: tuple[int, ...] | None = None
    sis_ids: tuple[str, ...] | None = None
    login_ids: tuple[str, ...] | None = None
    search: str | None = None

    @property
    def meant(self) -> frozenset[str]:
        return _or_living(self.states, UserState)

    def conditions(self, rows: From, reader: Reader) -> list[str]:
        found = [rows.sql("{t}.merged_into_id is null"), *_among(rows, reader)]
        found.append(living(rows) if self.states is None else in_states(rows, self.states))
        if self.states is not None:
            reader.rights.require("User", "state", purpose="filter")
            found += filter(None, [rows.shows("{t}", ("User", "state"))])
        if self.canvas_ids is not None:
            found += named(rows, reader, self.canvas_ids, None)
        for kind, values in (
            (IdentityKind.SIS_USER_ID, self.sis_ids),
            (IdentityKind.LOGIN_ID, self.login_ids),
        ):
            if values is not None:
                found.append(_known_as(rows, reader, kind, values))
        if self.search is not None:
            found.append(people(rows, reader, "{t}.search_key", "{t}.id", self.search))
        return found


@dataclass(frozen=True, kw_only=True)
class SyncRunFilter:
    states: tuple[SyncRunState, ...] | None = None
    sources: tuple[Source, ...] | None = None

    @property
    def meant(self) -> frozenset[str]:
        return frozenset()

    def conditions(self, rows: From, reader: Reader) -> list[str]:
        found = []
        if self.states is not None:
            reader.rights.require("SyncRun", "state", purpose="filter")
            found.append(one_word_of(rows.sql("{t}.state"), self.states))
        if self.sources is not None:
            reader.rights.require("SyncRun", "source", purpose="filter")
            found.append(one_word_of(rows.sql("{t}.source"), self.sources))
        return found


@dataclass(frozen=True, kw_only=True)
class IdentityConflictFilter:
    """`settled` None: those that wait and those that do not."""

    settled: bool | None = False
    kinds: tuple[IdentityKind, ...] | None = None

    @property
    def meant(self) -> frozenset[str]:
        return frozenset()

    def conditions(self, rows: From, _reader: Reader) -> list[str]:
        found = []
        if self.settled is not None:
            found.append(rows.sql(f"{{t}}.resolved_at is {'not null' if self.settled else 'null'}"))
        if self.kinds is not None:
            found.append(one_word_of(rows.sql("{t}.kind"), self.kinds))
        return found


def _among(rows: From, reader: Reader) -> list[str]:
    """Says nothing new of who is seen: it lets a list of people begin with those, not with the whole institution."""
    sight = reader.rights.sight
    known = sight and visible.acquaintances(rows.statement, sight)
    return [rows.sql(f"{{t}}.id in ({known})")] if known else []


def _or_living(states: Iterable[str] | None, all_states: Iterable[str]) -> frozenset[str]:
    return frozenset(all_states) - {"DELETED"} if states is None else frozenset(states)


def one_word_of(expression: str, words: Iterable[str]) -> str:
    """Words of our own enumerations stand in the text, where the planner sees them."""
    listed = ", ".join(f"'{word}'" for word in words)
    return f"{expression} in ({listed})" if listed else "false"


def living(rows: From) -> str:
    return rows.sql("{t}.removed_at is null and ({t}.state is null or {t}.state <> 'DELETED')")


def in_states(rows: From, states: Iterable[str]) -> str:
    """Tombstones only where DELETED is among `states`."""
    words = sorted(set(states))
    present = one_word_of(rows.sql("{t}.state"), words)
    if "DELETED" in words:
        return rows.sql(f"({present} or {{t}}.removed_at is not null)")
    return rows.sql(f"{{t}}.removed_at is null and {present}")


def named(
    rows: From,
    reader: Reader,
    canvas_ids: tuple[int, ...] | None,
    sis_ids: tuple[str, ...] | None,
) -> list[str]:
    found = []
    for field, column, values, sql_type in (
        ("canvasId", "canvas_id", canvas_ids, "bigint"),
        ("sisId", "sis_id", sis_ids, "text"),
    ):
        if values is not None:
            own = (rows.table.type_name, field)
            reader.rights.require(*own, purpose="filter")
            found.append(rows.statement.any_of(rows.sql(f"{{t}}.{column}"), values, sql_type))
            found += filter(None, [rows.shows("{t}", own)])
    return found


_IDENTITY_FIELDS = {
    IdentityKind.LOGIN_ID: "loginId",
    IdentityKind.EMAIL: "email",
    IdentityKind.SIS_USER_ID: "sisId",
}


def people(rows: From, reader: Reader, names: str, person: str, search: str) -> str:
    """Whether names hold the words of `search`, or a login, an address or a SIS id begins with it."""
    rights = reader.rights
    found = []
    if rights.sees("User", "name") and rights.sees("User", "sortableName"):
        seen = rows.shows(names, ("User", "sortableName"))
        found.append([*filter(None, [seen]), *_words(rows, names, search)])
    for kind, field in _IDENTITY_FIELDS.items():
        if rights.sees("User", field):
            seen = rows.shows(names, ("User", field))
            prefix = rows.statement.begins("i.value", kind.comparable(search.strip()))
            known = f"{rows.sql(person)} in ({_people_with(kind)} and {prefix})"
            found.append([*filter(None, [seen]), known])
    if not found:
        raise Forbidden("This credential sees nothing of people that a search could look into.")
    return f"({' or '.join(' and '.join(way) or 'true' for way in found)})"


def _known_as(rows: From, reader: Reader, kind: IdentityKind, values: tuple[str, ...]) -> str:
    reader.rights.require("User", _IDENTITY_FIELDS[kind], purpose="filter")
    comparable = [kind.comparable(value) for value in values]
    listed = rows.statement.any_of("i.value", comparable, "text")
    known = rows.sql(f"{{t}}.id in ({_people_with(kind)} and {listed})")
    seen = rows.shows("{t}", ("User", _IDENTITY_FIELDS[kind]))
    return known if seen is None else f"{known} and {seen}"


def _people_with(kind: IdentityKind) -> str:
    return (
        f"select i.person_id from identity i where i.institution_id = $1 and i.kind = '{kind}'"
        " and i.ended_at is null"
    )


def _words(rows: From, template: str, search: str) -> list[str]:
    words = text.fold(search).split()
    return [rows.statement.contains(rows.sql(template), word) for word in words]


def _in_accounts(rows: From, accounts: tuple[int, ...]) -> str:
    top = rows.statement.any_of("a.id", accounts, "bigint")
    return (
        f"{rows.sql('{t}.account_id')} in (with recursive below(id) as ("
        f"select a.id from account a where a.institution_id = $1 and {top}"
        " union select a.id from account a join below on a.parent_id = below.id where a.institution_id = $1)"
        " select id from below)"
    )
