"""The coverage ledger, written: what was read, when, under whose authority, and whether it was whole."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.needs import Scope
from gateway.store import dialects
from gateway.uow import Database, Transaction
from models.roster import FieldGroup, Source


@dataclass(frozen=True, kw_only=True)
class Cover:
    """One read of a scope. `subject` is the table that it fills."""

    scope_kind: str
    scope_id: int
    subject: str
    source: Source
    authority: str
    groups: frozenset[FieldGroup]
    states: frozenset[str]
    began_at: datetime
    ended_at: datetime
    whole: bool
    rows: int | None
    requests: int = 0
    quota: float = 0.0


async def record(
    tx: Transaction, institution_id: int, run_id: int | None, covers: Iterable[Cover]
) -> None:
    covers = list(covers)
    await tx.many(
        "insert into coverage (institution_id, scope_kind, scope_id, subject, source, authority, groups, states,"
        " began_at, ended_at, whole, rows, requests, quota, sync_run_id)"
        " values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
        [
            (
                institution_id,
                cover.scope_kind,
                cover.scope_id,
                cover.subject,
                cover.source.value,
                cover.authority,
                ",".join(sorted(cover.groups)),
                ",".join(sorted(cover.states)),
                cover.began_at,
                cover.ended_at,
                cover.whole,
                cover.rows,
                cover.requests,
                cover.quota,
                run_id,
            )
            for cover in covers
        ],
    )


async def replace(tx: Transaction, institution_id: int, cover: Cover) -> None:
    """The newest read of its kind; older ones, that did not come from a run, say nothing any more."""
    await tx.run(
        "delete from coverage where institution_id = $1 and scope_kind = $2 and scope_id = $3 and subject = $4"
        " and source = $5 and authority = $6 and groups = $7 and states = $8 and began_at <= $9 and sync_run_id is null"
        " and (whole = $10 or not whole)",
        institution_id,
        cover.scope_kind,
        cover.scope_id,
        cover.subject,
        cover.source.value,
        cover.authority,
        ",".join(sorted(cover.groups)),
        ",".join(sorted(cover.states)),
        cover.began_at,
        cover.whole,
    )
    await record(tx, institution_id, None, [cover])


async def vouch(
    tx: Transaction, institution_id: int, scope: Scope, source: Source, *, began_at: datetime
) -> None:
    """That a read was whole, of which the silence was not believed at first."""
    await tx.run(
        f"update coverage set whole = {dialects.true(tx.dialect)} where institution_id = $1 and scope_kind = $2"
        " and scope_id = $3 and source = $4 and began_at = $5",
        institution_id,
        scope.kind.value,
        scope.id,
        source.value,
        began_at,
    )


async def forget_courses(
    tx: Transaction, institution_id: int, cover: Cover, courses: Sequence[int]
) -> None:
    """Earlier reads like `cover` of single courses, which newer ones are about to replace."""
    await tx.many(
        "delete from coverage where institution_id = $1 and scope_kind = 'course' and scope_id = $2 and subject = $3"
        " and source = $4 and authority = $5 and began_at <= $6",
        [
            (
                institution_id,
                course,
                cover.subject,
                cover.source.value,
                cover.authority,
                cover.began_at,
            )
            for course in courses
        ],
    )


async def newer_whole_reads(
    database: Database, institution_id: int, subject: str, as_of: datetime
) -> Sequence[tuple[str, int]]:
    """Scopes that were read wholly, by eyes that see everything, in a read that began after `as_of`.

    As (kind, id), the institution's id being 0.
    """
    rows = await database.rows(
        "select distinct scope_kind, scope_id from coverage where institution_id = $1 and subject = $2"
        f" and whole = {dialects.true(database.dialect)} and authority in ('admin', 'report') and began_at > $3",
        institution_id,
        subject,
        as_of,
    )
    return [(str(row["scope_kind"]), int(row["scope_id"])) for row in rows]
