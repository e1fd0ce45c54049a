"""The coverage ledger as reads need it: which whole or broken reads stand behind an answer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.readpath.connections import Connections
from gateway.readpath.registry import Reader, as_time
from gateway.readpath.sql import Statement
from models.roster import Source

# Scope kind and our id in it; the institution's own id there is 0.
Place = tuple[str, int]
# The place of the row that a list belongs to, then those around it.
Parent = tuple[Place, ...]
INSTITUTION: Place = ("institution", 0)

SUBJECTS = {
    "Account": ("account",),
    "Term": ("term",),
    "Course": ("course",),
    "Section": ("section",),
    "User": ("person",),
    "Enrollment": ("enrollment",),
    "Member": ("enrollment", "membership"),
}

# Eyes that see everything; a read through a person's own shows what that person may see, and proves nothing.
_SEES_ALL = ("admin", "report", "platform")
_OWN_EYES = "person:"


@dataclass(frozen=True, kw_only=True)
class Cover:
    """The newest read of its kind. `states` empty: of rows in whatever state.

    `eyes`: the person whose permission cut it, None for eyes that see everything. `whole`: it reached the end, and with
    such eyes; `ended`: it reached the end of what its own eyes see.
    """

    source: Source
    groups: frozenset[str]
    states: frozenset[str]
    began_at: datetime
    whole: bool
    eyes: int | None = None
    ended: bool = False

    def proves(self, states: Iterable[str]) -> bool:
        """Whether nobody in these states can be missing from it."""
        return self.whole and (not self.states or self.states.issuperset(states))


async def covers(
    connections: Connections, reader: Reader, type_name: str, parents: Sequence[Parent]
) -> list[list[Cover]]:
    """What stands behind each parent's rows of a type: reads of its places, of its accounts, of the institution."""
    places = {INSTITUTION}.union(*parents)
    found = await _newest(connections, reader, type_name, places)
    above = await _accounts_above(connections, reader, places) if _of_accounts(found) else {}
    return [_behind(parent, found, above) for parent in parents]


async def overtaken(
    connections: Connections, reader: Reader, places: Iterable[Place]
) -> dict[Place, tuple[datetime, str]]:
    """The places that are due for a read: which reads are too early for them, and why (`gateway.store.due`)."""
    statement = Statement(connections.dialect, reader)
    scopes = list(_scopes(statement, set(places), of="d"))
    if not scopes:
        return {}
    sql = (
        "select d.scope_kind, d.scope_id, d.since, d.why from due_scope d where d.institution_id = $1"
        f" and ({' or '.join(scopes)})"
    )
    rows = await connections.fetch(sql, statement.values)
    return {(kind, scope_id): (as_time(since), str(why)) for kind, scope_id, since, why in rows}


async def last_told(connections: Connections, reader: Reader) -> dict[Source, datetime]:
    """When the newest read of each source ended, of those that ever told anything."""
    statement = Statement(connections.dialect, reader)
    sql = "select c.source, max(c.ended_at) from coverage c where c.institution_id = $1 group by 1"
    found = await connections.fetch(sql, statement.values)
    return {Source(source): as_time(ended_at) for source, ended_at in found}


def _behind(
    parent: Parent, found: dict[Place, list[Cover]], above: dict[Place, list[Place]]
) -> list[Cover]:
    around = [account for place in parent for account in above.get(place, ())]
    wide = [cover for place in (*parent, *around) for cover in found.get(place, ())]
    if parent[0] == INSTITUTION:
        # The whole read of one account shows a part of the institution.
        return wide + [replace(cover, whole=False, ended=False) for cover in _of_accounts(found)]
    return wide + found.get(INSTITUTION, [])


def _of_accounts(found: dict[Place, list[Cover]]) -> list[Cover]:
    return [cover for (kind, _), covers in found.items() if kind == "account" for cover in covers]


async def _newest(
    connections: Connections, reader: Reader, type_name: str, places: Iterable[Place]
) -> dict[Place, list[Cover]]:
    """The newest read of each kind, by place; of accounts, all that were read."""
    statement = Statement(connections.dialect, reader)
    columns = "scope_kind, scope_id, source, authority, groups, states, whole"
    of = f" and {statement.any_of('c.subject', SUBJECTS[type_name], 'text')}"
    if reader.past is not None:
        of += f" and c.began_at <= {statement.bind(reader.past.moment, 'timestamptz')}"
    # each kind of place by itself: an `or` of them would go through everything that was ever read
    reads = " union all ".join(
        f"select {columns}, began_at from coverage c where c.institution_id = $1 and {scopes}{of}"
        for scopes in ("c.scope_kind = 'account'", *_scopes(statement, places))
    )
    sql = (
        f"select {columns}, began_at from (select {columns}, began_at, row_number() over (partition by {columns}"
        f" order by began_at desc) as nth from ({reads}) reads) newest where nth = 1 order by began_at desc"
    )
    found: dict[Place, list[Cover]] = {}
    for kind, scope_id, *facts in await connections.fetch(sql, statement.values):
        found.setdefault((kind, scope_id), []).append(_cover(facts))
    return found


def _scopes(statement: Statement, places: Iterable[Place], *, of: str = "c") -> Iterable[str]:
    by_kind: dict[str, list[int]] = {}
    for kind, scope_id in sorted(places):
        by_kind.setdefault(kind, []).append(scope_id)
    for kind, ids in by_kind.items():
        yield f"({of}.scope_kind = '{kind}' and {statement.any_of(f'{of}.scope_id', ids, 'bigint')})"


async def _accounts_above(
    connections: Connections, reader: Reader, places: Iterable[Place]
) -> dict[Place, list[Place]]:
    """The accounts that courses stand in, up to the root."""
    statement = Statement(connections.dialect, reader)
    courses = sorted(scope_id for kind, scope_id in places if kind == "course")
    sql = (
        "with recursive above(course_id, account_id) as (select c.id, c.account_id from course c"
        f" where c.institution_id = $1 and {statement.any_of('c.id', courses, 'bigint')}"
        " union select above.course_id, a.parent_id from above join account a"
        " on a.id = above.account_id and a.institution_id = $1)"
        " select course_id, account_id from above where account_id is not null"
    )
    found: dict[Place, list[Place]] = {}
    for course, account in await connections.fetch(sql, statement.values):
        found.setdefault(("course", course), []).append(("account", account))
    return found


def _cover(facts: Sequence[object]) -> Cover:
    source, authority, groups, states, whole, began_at = facts
    eyes = None if authority in _SEES_ALL else int(str(authority).removeprefix(_OWN_EYES))
    return Cover(
        source=Source(str(source)),
        groups=_words(groups),
        states=_words(states),
        began_at=as_time(began_at),
        whole=bool(whole) and eyes is None,
        eyes=eyes,
        ended=bool(whole),
    )


def _words(joined: object) -> frozenset[str]:
    return frozenset(str(joined).split(",")) - {""}
