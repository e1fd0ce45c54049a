"""The course that a launch came from: found or made, and who is in it as the launch says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from gateway import merge
from gateway.changes import SubjectType
from gateway.store import membership_changes, merging, rows
from gateway.store.rows import Word
from gateway.uow import Row, Transaction
from models import text
from models.roster import ChangeKind, EnrollmentState, EnrollmentType, Source


@dataclass(frozen=True, kw_only=True)
class Context:
    """What LTI calls the course, and where it serves its roster."""

    issuer: str
    client_id: str
    context_id: str
    deployment_id: str
    memberships_url: str | None
    resource_link_id: str | None


async def find_course(
    tx: Transaction, context_id: str, told: Mapping[str, str | int], word: Word
) -> int | None:
    """By its LTI context, then its Canvas id, then its SIS id; never by a code or a title, which teachers edit."""
    row = await _find(tx, context_id, told, word)
    return int(row["id"]) if row else None


async def course(
    tx: Transaction, context_id: str, told: Mapping[str, str | int], word: Word
) -> int:
    """The course's id, after what the launch tells of it is written; a richer source's word stands."""
    found = await _find(tx, context_id, told, word)
    columns: dict[str, object] = dict(told)
    if found is None:
        columns |= _vouched(word) | _keys(columns)
        columns |= {"lti_context_id": context_id}
        return await rows.create(tx, SubjectType.COURSE, columns, word, of_course=True)
    known = merge.Word(source=Source(found["source"]), as_of=rows.time(found["as_of"]))
    becomes: dict[str, object] = {}
    if merge.wins(merge.Word(source=word.source, as_of=word.as_of), known):
        becomes = columns | _vouched(word) | _keys({**found, **columns})
    if found["canvas_id"] is None and "canvas_id" in told:
        becomes["canvas_id"] = told["canvas_id"]
    becomes["lti_context_id"] = context_id
    await rows.update(tx, SubjectType.COURSE, found, becomes, word, of_course=True)
    return int(found["id"])


async def _find(
    tx: Transaction, context_id: str, told: Mapping[str, str | int], word: Word
) -> Row | None:
    keys = {
        "lti_context_id": context_id,
        **{n: told[n] for n in ("canvas_id", "sis_id") if n in told},
    }
    found: list[Row] = []
    for name, value in keys.items():
        matching = await tx.rows(
            f"select {_READ} from course where institution_id = $1 and {name} = $2"
            " order by case when removed_at is null then 0 else 1 end, id limit 1",
            word.institution_id,
            value,
        )
        found += [row for row in matching if row["id"] not in {one["id"] for one in found}]
    if not found:
        return None
    by_canvas_id = next((row for row in found if row["canvas_id"] == told.get("canvas_id")), None)
    if by_canvas_id is not None and found[0]["canvas_id"] is None and by_canvas_id is not found[0]:
        await _join(tx, found[0]["id"], by_canvas_id["id"], word)
        return by_canvas_id
    return found[0]


async def _join(tx: Transaction, nameless: int, course_id: int, word: Word) -> None:
    """A course that was known by its LTI context alone turns out to be one that a report knew: its people move there."""
    await merging.lock(tx, word.institution_id)
    telling = membership_changes.telling_of(word)
    moved = _move_people(tx, word.institution_id, nameless, course_id)
    await membership_changes.told(tx, telling, moved, courses=[nameless, course_id])
    await tx.run(
        "update course set lti_context_id = null, removed_at = as_of where institution_id = $1 and id = $2",
        word.institution_id,
        nameless,
    )
    await rows.tell(tx, word, ChangeKind.REMOVED, SubjectType.COURSE, nameless, course_id=nameless)


async def _move_people(tx: Transaction, institution_id: int, nameless: int, course_id: int) -> None:
    for table in ("lti_context", "launch_session", "membership"):
        once = (
            " and not exists (select 1 from membership m where m.institution_id = $1 and m.course_id = $3"
            " and m.person_id = membership.person_id)"
        )
        await tx.run(
            f"update {table} set course_id = $3 where institution_id = $1 and course_id = $2"
            + (once if table == "membership" else ""),
            institution_id,
            nameless,
            course_id,
        )


def _vouched(word: Word) -> dict[str, object]:
    return {"source": word.source.value, "as_of": word.as_of}


def _keys(columns: Mapping[str, object]) -> dict[str, object]:
    name, code = (_text(columns.get(column)) for column in ("name", "course_code"))
    return {"sort_key": text.sort_key(name, code), "search_key": text.search_key(name, code)}


def _text(value: object) -> str | None:
    return None if value is None else str(value)


_READ = "id, canvas_id, sis_id, name, course_code, state, lti_context_id, sort_key, search_key, source, as_of"


async def membership(
    tx: Transaction,
    course_id: int,
    person_id: int,
    *,
    types: Sequence[EnrollmentType],
    roles: Sequence[str],
    state: EnrollmentState | None,
    word: Word,
) -> None:
    """That the person is in the course, with these roles; a newer word stands."""
    written = tx.run(
        "insert into membership (institution_id, course_id, person_id, types, roles, state, source, as_of)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (institution_id, course_id, person_id) do update set"
        " types = excluded.types, roles = excluded.roles, state = excluded.state, source = excluded.source,"
        " as_of = excluded.as_of, ended_at = null where membership.as_of <= excluded.as_of"
        " and (membership.ended_at is null or membership.ended_at <= excluded.as_of)",
        word.institution_id,
        course_id,
        person_id,
        ",".join(types),
        orjson.dumps(roles).decode(),
        state.value if state else None,
        word.source.value,
        word.as_of,
    )
    telling = membership_changes.telling_of(word)
    await membership_changes.told(tx, telling, written, courses=[course_id], people=[person_id])


async def context(
    tx: Transaction, institution_id: int, course_id: int, launched: Context, now: datetime
) -> None:
    """Where the course's roster can be asked for; a launch that does not say it leaves what is known."""
    await tx.run(
        "insert into lti_context (institution_id, issuer, client_id, context_id, deployment_id, course_id, memberships_url,"
        " resource_link_id, launched_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
        " on conflict (institution_id, issuer, client_id, context_id) do update set deployment_id = excluded.deployment_id,"
        " course_id = excluded.course_id, memberships_url = coalesce(excluded.memberships_url, lti_context.memberships_url),"
        " resource_link_id = excluded.resource_link_id, launched_at = excluded.launched_at",
        institution_id,
        launched.issuer,
        launched.client_id,
        launched.context_id,
        launched.deployment_id,
        course_id,
        launched.memberships_url,
        launched.resource_link_id,
        now,
    )
