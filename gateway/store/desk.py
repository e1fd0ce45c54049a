"""The identity desk: a conflict is settled by a person's word, with everything that was done kept, to be undone by.

Two people are joined by pointing the one at the other: every identifier stays with whom it came, so that a merge which
Canvas takes back can be taken back here as well (fact sheet identity.md §4.1).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.changes import SubjectType
from gateway.errors import WriteRefused
from gateway.identity import COLUMNS, proposed
from gateway.store import joining, rows
from gateway.store.merging import lock
from gateway.store.rows import Word
from gateway.uow import Row, Transaction
from models.roster import IdentityKind, MutationErrorCode, Resolution

Done = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """`person` claims the identifier, None where it is not known who does; `holder` has it."""

    id: int
    kind: IdentityKind
    scope: str
    value: str
    person: int | None
    holder: int | None
    resolution: Resolution | None
    done: Done

    @property
    def proposed(self) -> Resolution:
        return proposed(self.kind, claimed=self.person is not None)


async def settle(
    tx: Transaction, conflict_id: int, resolution: Resolution | None, word: Word
) -> int | None:
    """Do as decided, or (None) as proposed; the person whom it is about. WriteRefused where it cannot be done."""
    await lock(tx, word.institution_id)
    conflict = await _conflict(tx, word.institution_id, conflict_id)
    if conflict.resolution is not None:
        raise WriteRefused(
            MutationErrorCode.CONFLICT,
            f"This conflict is settled already ({conflict.resolution}); undo that first.",
            "conflict",
        )
    chosen = resolution or conflict.proposed
    person, done = await _ACTS[chosen](tx, conflict, word)
    await tx.run(
        "update identity_conflict set resolved_at = $1, resolved_by_id = $2, resolution = $3, done = $4"
        " where institution_id = $5 and id = $6",
        word.now,
        word.actor_id,
        chosen.value,
        orjson.dumps(done).decode(),
        word.institution_id,
        conflict.id,
    )
    return person


async def undo(tx: Transaction, conflict_id: int, word: Word) -> int | None:
    """Take back what was decided, and put the conflict on the desk again."""
    await lock(tx, word.institution_id)
    conflict = await _conflict(tx, word.institution_id, conflict_id)
    if conflict.resolution is Resolution.MERGE:
        await joining.part(tx, conflict.done, word)
    elif conflict.resolution is Resolution.MOVE:
        await _move_back(tx, conflict, word)
    elif conflict.resolution is None:
        raise WriteRefused(MutationErrorCode.CONFLICT, "This conflict is not settled.", "conflict")
    await tx.run(
        "update identity_conflict set resolved_at = null, resolved_by_id = null, resolution = null, done = null"
        " where institution_id = $1 and id = $2",
        word.institution_id,
        conflict.id,
    )
    return conflict.person if conflict.person is not None else conflict.holder


async def _conflict(tx: Transaction, institution_id: int, conflict_id: int) -> Conflict:
    found = await tx.rows(
        "select id, kind, scope, value, person_id, other_person_id, resolution, done from identity_conflict"
        " where institution_id = $1 and id = $2",
        institution_id,
        conflict_id,
    )
    if not found:
        raise WriteRefused(MutationErrorCode.NOT_FOUND, "There is no such conflict.", "conflict")
    row = found[0]
    return Conflict(
        id=row["id"],
        kind=IdentityKind(row["kind"]),
        scope=row["scope"],
        value=row["value"],
        person=row["person_id"],
        holder=row["other_person_id"],
        resolution=None if row["resolution"] is None else Resolution(row["resolution"]),
        done={} if row["done"] is None else orjson.loads(row["done"]),
    )


async def _keep(_tx: Transaction, conflict: Conflict, _word: Word) -> tuple[int | None, Done]:
    return conflict.holder, {}


async def _merge(tx: Transaction, conflict: Conflict, word: Word) -> tuple[int | None, Done]:
    if conflict.person is None or conflict.holder is None:
        raise WriteRefused(
            MutationErrorCode.INVALID,
            "Only one person is known here: nobody can be merged.",
            "task",
        )
    done = await joining.join(tx, conflict.person, conflict.holder, word)
    return done["survivor"], done


async def _move(tx: Transaction, conflict: Conflict, word: Word) -> tuple[int | None, Done]:
    """The identifier ends with whom it was, and begins with who claims it, where that is known."""
    if not conflict.kind.exclusive or conflict.kind is IdentityKind.CANVAS_GLOBAL_ID:
        raise WriteRefused(
            MutationErrorCode.INVALID, f"A {conflict.kind} does not move between people.", "task"
        )
    held = await _live(tx, conflict, word.institution_id)
    if held is None:
        raise WriteRefused(
            MutationErrorCode.CONFLICT, "Nobody has this identifier any more.", "conflict"
        )
    await _end(tx, held["id"], word)
    opened = None
    if conflict.person is not None:
        opened = await _open(tx, conflict, conflict.person, word)
    changed = [
        *await _set_column(tx, conflict, held["person_id"], word, was=conflict.value, now=None),
        *await _set_column(tx, conflict, conflict.person, word, was=None, now=conflict.value),
    ]
    return conflict.person or held["person_id"], {
        "ended": held["id"],
        "opened": opened,
        "columns": changed,
    }


async def _move_back(tx: Transaction, conflict: Conflict, word: Word) -> None:
    done = conflict.done
    if done["opened"] is not None:
        await _end(tx, done["opened"], word)
    if await _live(tx, conflict, word.institution_id) is not None:
        raise WriteRefused(
            MutationErrorCode.CONFLICT,
            "Somebody else has this identifier meanwhile: it cannot go back.",
            "conflict",
        )
    await tx.run(
        "update identity set ended_at = null, exclusive = $1 where institution_id = $2 and id = $3",
        True,  # noqa: FBT003  a value of the column
        word.institution_id,
        done["ended"],
    )
    for person, was in reversed(done["columns"]):
        now = None if was is not None else conflict.value
        await _set_column(tx, conflict, person, word, was=now, now=was)


_ACTS = {Resolution.KEEP: _keep, Resolution.MERGE: _merge, Resolution.MOVE: _move}


async def _live(tx: Transaction, conflict: Conflict, institution_id: int) -> Row | None:
    found = await tx.rows(
        "select id, person_id from identity where institution_id = $1 and kind = $2 and scope = $3 and value = $4"
        " and ended_at is null",
        institution_id,
        conflict.kind.value,
        conflict.scope,
        conflict.value,
    )
    return found[0] if found else None


async def _end(tx: Transaction, alias_id: int, word: Word) -> None:
    await tx.run(
        "update identity set ended_at = $1, exclusive = null where institution_id = $2 and id = $3",
        word.now,
        word.institution_id,
        alias_id,
    )


async def _open(tx: Transaction, conflict: Conflict, person: int, word: Word) -> int:
    made = await tx.rows(
        "insert into identity (institution_id, person_id, kind, scope, value, exclusive, source, first_seen_at, last_seen_at)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $8) returning id",
        word.institution_id,
        person,
        conflict.kind.value,
        conflict.scope,
        conflict.value,
        True,  # noqa: FBT003  a value of the column
        word.source.value,
        word.now,
    )
    return int(made[0]["id"])


async def _set_column(
    tx: Transaction,
    conflict: Conflict,
    person: int | None,
    word: Word,
    *,
    was: str | None,
    now: str | None,
) -> list[tuple[int, str | None]]:
    """The column in which the graph shows the identifier, where it stands as expected; whom that changed, and what was."""
    column = COLUMNS.get(conflict.kind)
    if column is None or person is None:
        return []
    found = await tx.rows(
        f"select id, {column} from person where institution_id = $1 and id = $2",
        word.institution_id,
        person,
    )
    if not found or found[0][column] != was:
        return []
    await rows.update(tx, SubjectType.USER, found[0], {column: now}, word)
    return [(person, was)]
