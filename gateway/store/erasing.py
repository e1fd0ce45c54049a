"""A person erased: every row that is about them, every mention of them in rows about others, and what the feed told of them.

The feed keeps its entries, so that cursors hold, but they say nothing any more and lead to nobody. `ABOUT`, `NAMED_IN` and
`REFERS` together list every column that names a person; a test holds them to the tables.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gateway.changes import SubjectType
from gateway.store import rows
from gateway.store.merging import lock
from gateway.store.rows import Word
from gateway.uow import Row, Transaction
from models.roster import ChangeKind

# Rows that go with the person, by the column that names them.
ABOUT = (
    ("identity", "person_id"),
    ("identity_conflict", "person_id"),
    ("identity_conflict", "other_person_id"),
    ("enrollment", "person_id"),
    ("membership", "person_id"),
    ("held_removal", "person_id"),
    ("launch_session", "person_id"),
    ("mailed_link", "person_id"),
    ("permission_answer", "person_id"),
    ("oauth_request", "person_id"),
    ("canvas_token", "person_id"),
    ("access_record", "person_id"),
    ("intent", "person_id"),
    ("pin", "person_id"),
)
# Rows about others, which lose the name alone.
NAMED_IN = (
    ("enrollment", "associated_person_id"),
    ("identity_conflict", "resolved_by_id"),
    ("change", "actor_id"),
    ("intent", "actor_id"),
    ("pin", "pinned_by_id"),
    ("roster_change", "person_id"),
)
# Rows that name things of several kinds, by kind and id.
REFERS = (
    ("coverage", "scope_kind", "scope_id", "person"),
    ("sync_run", "scope_kind", "scope_id", "person"),
    ("due_scope", "scope_kind", "scope_id", "person"),
    ("access_record", "subject_kind", "subject_id", "User"),
)


@dataclass(frozen=True, kw_only=True)
class Named:
    """Whom a request for erasure means. `listed`: as far as is known, Canvas still has them."""

    id: int
    name: str | None
    listed: bool


async def find(
    tx: Transaction, institution_id: int, *, row_id: int | None = None, canvas_id: int | None = None
) -> Named | None:
    """By our id or the global Canvas id; somebody who was merged is found as the one who stayed."""
    found = await tx.rows(
        "select p.id, p.name, p.canvas_id, p.state, p.removed_at from person p where p.institution_id = $1 and p.id ="
        " (select coalesce(n.merged_into_id, n.id) from person n where n.institution_id = $1"
        f" and {'n.id' if row_id is not None else 'n.canvas_id'} = $2)",
        institution_id,
        row_id if row_id is not None else canvas_id,
    )
    if not found:
        return None
    [row] = found
    gone = row["removed_at"] is not None or row["state"] == "DELETED"
    return Named(id=row["id"], name=row["name"], listed=row["canvas_id"] is not None and not gone)


async def erase(tx: Transaction, people: Sequence[int], word: Word) -> Mapping[str, int]:
    """Rows gone, by table. `people`: one person, as `with_merged` tells."""
    await lock(tx, word.institution_id)
    enrollments = await _ids(tx, "enrollment", "person_id", people, word)
    memberships = await _ids(tx, "membership", "person_id", people, word)
    await _silence(tx, word, SubjectType.USER, people)
    await _silence(tx, word, SubjectType.ENROLLMENT, enrollments)
    await _silence(tx, word, SubjectType.MEMBERSHIP, memberships)
    await _forget_reasons(tx, word, await _identifiers(tx, word.institution_id, people))
    gone = {"session_secret": await _secrets(tx, word, people)}
    for table, column in NAMED_IN:
        await _run(tx, f"update {table} set {column} = null", column, people, word)
    for table, kind_column, column, kind in REFERS:
        gone[table] = gone.get(table, 0) + await _run(
            tx, f"delete from {table}", column, people, word, f" and {kind_column} = '{kind}'"
        )
    for authority in (f"person:{one}" for one in people):
        for table, column in (("coverage", "authority"), ("mutation_answer", "caller")):
            gone[table] = gone.get(table, 0) + await tx.run(
                f"delete from {table} where institution_id = $1 and {column} = $2",
                word.institution_id,
                authority,
            )
    for one in people:
        await _forget_doer(tx, word.institution_id, one)
    # SIS files say whom they enrolled; without them the next one is sent whole
    gone["sis_data_set"] = await tx.run(
        "delete from sis_data_set where institution_id = $1", word.institution_id
    )
    for table, column in ABOUT:
        gone[table] = gone.get(table, 0) + await _run(
            tx, f"delete from {table}", column, people, word
        )
    gone["person"] = await _run(tx, "delete from person", "id", people, word)
    for enrollment in enrollments:
        await rows.tell(tx, word, ChangeKind.REMOVED, SubjectType.ENROLLMENT, enrollment)
    for membership in memberships:
        await rows.tell(tx, word, ChangeKind.REMOVED, SubjectType.MEMBERSHIP, membership)
    for one in people:
        await rows.tell(tx, word, ChangeKind.REMOVED, SubjectType.USER, one)
    return {table: count for table, count in gone.items() if count}


async def with_merged(tx: Transaction, institution_id: int, person: int) -> list[int]:
    """The person, and whoever was merged into them."""
    found = await tx.rows(
        "select id from person where institution_id = $1 and (id = $2 or merged_into_id = $2) order by id",
        institution_id,
        person,
    )
    return [int(row["id"]) for row in found]


async def _ids(
    tx: Transaction, table: str, column: str, people: Sequence[int], word: Word
) -> list[int]:
    found = await tx.rows(
        f"select id from {table} where institution_id = $1 and {column} in ({_listed(people)}) order by id",
        word.institution_id,
    )
    return [int(row["id"]) for row in found]


async def _run(
    tx: Transaction,
    verb: str,
    column: str,
    people: Sequence[int],
    word: Word,
    more: str = "",
) -> int:
    return await tx.run(
        f"{verb} where institution_id = $1 and {column} in ({_listed(people)}){more}",
        word.institution_id,
    )


async def _silence(tx: Transaction, word: Word, subject: SubjectType, ids: Sequence[int]) -> None:
    """What the feed told of them it tells no more."""
    if ids:
        await tx.run(
            "update change set before = null, after = null where institution_id = $1 and subject_type = $2"
            f" and subject_id in ({_listed(ids)})",
            word.institution_id,
            subject.value,
        )


async def _forget_doer(tx: Transaction, institution_id: int, person: int) -> None:
    """What they changed of others stays on record, but not that it was they; nor what changes of many did to them."""
    for column, table in (("caller = '', key = null", "intent"), ("caller = ''", "roster_change")):
        await tx.run(
            f"update {table} set {column} where institution_id = $1 and (caller = $2 or caller like $3)",
            institution_id,
            f"person:{person}",
            f"service:%:{person}",
        )
    # whom a row is about stands in JSON (`gateway.roster_change.Key`)
    await tx.run(
        "delete from roster_exchange where institution_id = $1 and exists (select 1 from roster_change_row r"
        " where r.institution_id = $1 and r.roster_change_id = roster_exchange.roster_change_id"
        " and r.place = roster_exchange.place and r.step like $2)",
        institution_id,
        f'%"person":{person},%',
    )
    await tx.run(
        "update roster_change_row set said = null, step = null, reason = null, message = null, advice = null"
        " where institution_id = $1 and step like $2",
        institution_id,
        f'%"person":{person},%',
    )


async def _secrets(tx: Transaction, word: Word, people: Sequence[int]) -> int:
    return await tx.run(
        "delete from session_secret where institution_id = $1 and session_id in (select id from launch_session"
        f" where institution_id = $1 and person_id in ({_listed(people)}))",
        word.institution_id,
    )


async def _identifiers(tx: Transaction, institution_id: int, people: Sequence[int]) -> list[Row]:
    return await tx.rows(
        f"select distinct value from identity where institution_id = $1 and person_id in ({_listed(people)})",
        institution_id,
    )


async def _forget_reasons(tx: Transaction, word: Word, identifiers: Iterable[Row]) -> None:
    """Why a line of a file was set aside may quote what the person is called."""
    for row in identifiers:
        value = str(row["value"])
        quoted = re.compile(rf"(?<![\w.@-]){re.escape(value)}(?![\w@-]|\.\w)", re.IGNORECASE)
        found = await tx.rows(
            "select id, reason from set_aside where institution_id = $1 and lower(reason) like $2 escape '!'",
            word.institution_id,
            f"%{_literal(value.lower())}%",
        )
        for reason in found:
            if quoted.search(reason["reason"]):
                await tx.run(
                    "update set_aside set reason = $1 where institution_id = $2 and id = $3",
                    quoted.sub("(erased)", reason["reason"]),
                    word.institution_id,
                    reason["id"],
                )


def _literal(text: str) -> str:
    return re.sub("([!%_])", r"!\1", text)


def _listed(ids: Iterable[int]) -> str:
    return ", ".join(str(int(one)) for one in ids) or "null"
