"""Two people are one: the one is pointed at the other, with what was theirs; and parted again."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.changes import SubjectType
from gateway.errors import WriteRefused
from gateway.store import membership_changes, rows
from gateway.store.rows import Word
from gateway.uow import Row, Transaction
from models.roster import ChangeKind, MutationErrorCode

Done = Mapping[str, Any]

# What names a person and goes along with them; identifiers stay with whom they came.
_GOES_ALONG = (
    ("enrollment", "person_id"),
    ("enrollment", "associated_person_id"),
    ("launch_session", "person_id"),
    ("person", "merged_into_id"),
)


async def join(tx: Transaction, first: int, second: int, word: Word) -> Done:
    """Whoever Canvas still knows stays, else the second; what was done, to be undone by."""
    people = await _people(tx, word.institution_id, (first, second))
    if len(people) < 2 or any(row["merged_into_id"] is not None for row in people.values()):
        raise WriteRefused(
            MutationErrorCode.CONFLICT, "One of the two was merged or erased meanwhile.", "conflict"
        )
    survivor = max(people.values(), key=lambda row: (*_standing(row), row["id"] == second))
    merged = next(row for row in people.values() if row["id"] != survivor["id"])
    moved = {
        f"{table}.{column}": await _move(tx, table, column, merged["id"], survivor["id"], word)
        for table, column in _GOES_ALONG
    }
    memberships, ended = await membership_changes.told(
        tx,
        membership_changes.telling_of(word),
        _take_memberships(tx, merged["id"], survivor["id"], word),
        people=[merged["id"], survivor["id"]],
    )
    await tx.run(
        "update person set merged_into_id = $1, removed_at = coalesce(removed_at, $2)"
        " where institution_id = $3 and id = $4",
        survivor["id"],
        word.now,
        word.institution_id,
        merged["id"],
    )
    living = merged["removed_at"] is None
    if living:
        await rows.tell(tx, word, ChangeKind.REMOVED, SubjectType.USER, merged["id"])
    return {
        "survivor": survivor["id"],
        "merged": merged["id"],
        "living": living,
        "moved": moved,
        "memberships": memberships,
        "ended": ended,
    }


async def part(tx: Transaction, done: Done, word: Word) -> None:
    """Give back what has not gone elsewhere meanwhile."""
    survivor, merged = done["survivor"], done["merged"]
    await tx.run(
        "update person set merged_into_id = null where institution_id = $1 and id = $2",
        word.institution_id,
        merged,
    )
    if done["living"]:
        await tx.run(
            "update person set removed_at = null where institution_id = $1 and id = $2",
            word.institution_id,
            merged,
        )
        await rows.tell(tx, word, ChangeKind.RESTORED, SubjectType.USER, merged)
    for table, column in _GOES_ALONG:
        ids = done["moved"][f"{table}.{column}"]
        await _point(tx, table, column, ids, survivor, merged, word)
    await membership_changes.told(
        tx,
        membership_changes.telling_of(word),
        _give_memberships_back(tx, done, word),
        people=[survivor, merged],
    )


async def _give_memberships_back(tx: Transaction, done: Done, word: Word) -> None:
    survivor, merged = done["survivor"], done["merged"]
    await _point(tx, "membership", "person_id", done["memberships"], survivor, merged, word)
    for membership in done["ended"]:
        await tx.run(
            "update membership set ended_at = null where institution_id = $1 and id = $2 and person_id = $3",
            word.institution_id,
            membership,
            merged,
        )


async def _people(tx: Transaction, institution_id: int, ids: Sequence[int]) -> dict[int, Row]:
    found = await tx.rows(
        "select id, canvas_id, state, merged_into_id, removed_at from person where institution_id = $1"
        " and id in ($2, $3)",
        institution_id,
        *ids,
    )
    return {row["id"]: row for row in found}


def _standing(row: Row) -> tuple[bool, bool]:
    gone = row["removed_at"] is not None or row["state"] == "DELETED"
    return not gone, row["canvas_id"] is not None


async def _move(
    tx: Transaction, table: str, column: str, old: int, new: int, word: Word
) -> list[int]:
    found = await tx.rows(
        f"select id from {table} where institution_id = $1 and {column} = $2 order by id",
        word.institution_id,
        old,
    )
    ids = [int(row["id"]) for row in found]
    await _point(tx, table, column, ids, old, new, word)
    return ids


async def _point(
    tx: Transaction,
    table: str,
    column: str,
    ids: Sequence[int],
    old: int,
    new: int,
    word: Word,
) -> None:
    """Rows that still name `old` name `new`; of enrollments the feed hears."""
    for row_id in ids:
        if table == "enrollment":
            found = await tx.rows(
                f"select id, course_id, {column} from enrollment where institution_id = $1 and id = $2 and {column} = $3",
                word.institution_id,
                row_id,
                old,
            )
            for row in found:
                await rows.update(tx, SubjectType.ENROLLMENT, row, {column: new}, word)
        else:
            await tx.run(
                f"update {table} set {column} = $1 where institution_id = $2 and id = $3 and {column} = $4",
                new,
                word.institution_id,
                row_id,
                old,
            )


async def _take_memberships(
    tx: Transaction, old: int, new: int, word: Word
) -> tuple[list[int], list[int]]:
    """Those that went along, and those that ended."""
    return await _memberships(tx, old, new, word), await _end_memberships(tx, old, word)


async def _memberships(tx: Transaction, old: int, new: int, word: Word) -> list[int]:
    """Those in courses where the other has none go along."""
    found = await tx.rows(
        "select m.id from membership m where m.institution_id = $1 and m.person_id = $2 and not exists"
        " (select 1 from membership o where o.institution_id = $1 and o.course_id = m.course_id and o.person_id = $3)"
        " order by m.id",
        word.institution_id,
        old,
        new,
    )
    ids = [int(row["id"]) for row in found]
    await _point(tx, "membership", "person_id", ids, old, new, word)
    return ids


async def _end_memberships(tx: Transaction, person: int, word: Word) -> list[int]:
    """What stayed behind: in those courses the other's entry is enough."""
    ended = await tx.rows(
        "update membership set ended_at = $1 where institution_id = $2 and person_id = $3 and ended_at is null"
        " returning id",
        word.now,
        word.institution_id,
        person,
    )
    return [int(row["id"]) for row in ended]
