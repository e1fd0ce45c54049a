"""Where a person stands: their own enrollments and memberships, and what Canvas has answered that they may do."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from gateway.judgement import AccountFacts, Answer, CourseFacts, Facts, OwnEnrollment
from gateway.sight import Right
from gateway.uow import Database, Row, Transaction
from models.roster import CourseState, EnrollmentState, EnrollmentType

COURSE, ACCOUNT, ROOT = "course", "account", "root"
ACCOUNTS = "accounts"  # that it was asked which ones the person administers


@dataclass(frozen=True)
class Told:
    """One answer of Canvas's, to be kept. `sections`: Canvas ids of the only ones that are seen; None: not cut."""

    scope_kind: str
    scope_id: int
    rights: frozenset[Right]
    sections: frozenset[int] | None = None


@dataclass(frozen=True, kw_only=True)
class Standing:
    facts: Facts
    canvas_id: int | None = None


async def of_person(
    database: Database, institution_id: int, person_id: int, *, launched_in: int | None
) -> Standing:
    person = await database.rows(
        "select canvas_id from person where institution_id = $1 and id = $2",
        institution_id,
        person_id,
    )
    answers = await _answers(database, institution_id, person_id)
    courses = await _courses(database, institution_id, person_id, launched_in)
    enrollments = await database.rows(
        "select course_id, section_id, type, state, limit_to_section, associated_person_id from enrollment"
        " where institution_id = $1 and person_id = $2 and removed_at is null",
        institution_id,
        person_id,
    )
    own: dict[int, list[OwnEnrollment]] = {}
    for row in enrollments:
        own.setdefault(row["course_id"], []).append(_enrollment(row))
    asked = answers.get((ACCOUNTS, 0))
    return Standing(
        facts=Facts(
            person_id=person_id,
            courses=tuple(
                CourseFacts(
                    course_id=row["id"],
                    canvas_id=row["canvas_id"],
                    state=_course_state(row),
                    enrollments=tuple(own.get(row["id"], ())),
                    member=bool(row["member"]),
                    answer=answers.get((COURSE, row["id"])),
                )
                for row in courses
            ),
            accounts=tuple(
                [
                    AccountFacts(
                        below=None
                        if kind == ROOT
                        else await _below(database, institution_id, account),
                        answer=answer,
                    )
                    for (kind, account), answer in answers.items()
                    if kind in (ACCOUNT, ROOT) and answer.rights
                ]
            ),
            accounts_asked_at=asked.asked_at if asked else None,
        ),
        canvas_id=person[0]["canvas_id"] if person else None,
    )


async def of_nobody(database: Database, institution_id: int, *, launched_in: int | None) -> Facts:
    """Of a visitor whom the platform does not name."""
    rows = await _courses(database, institution_id, 0, launched_in)
    courses = (CourseFacts(course_id=row["id"], state=_course_state(row)) for row in rows)
    return Facts(person_id=None, courses=tuple(courses))


async def keep(
    database: Database,
    institution_id: int,
    person_id: int,
    told: Iterable[Told],
    *,
    now: datetime,
    instead_of: tuple[str, ...] = (),
) -> None:
    """Keep Canvas's answers, in place of those to the same questions and of all of the kinds `instead_of`."""

    async def work(tx: Transaction) -> None:
        for kind in instead_of:
            await tx.run(
                "delete from permission_answer where institution_id = $1 and person_id = $2 and scope_kind = $3",
                institution_id,
                person_id,
                kind,
            )
        await tx.many(
            "insert into permission_answer (institution_id, person_id, scope_kind, scope_id, rights, sections, asked_at)"
            " values ($1, $2, $3, $4, $5, $6, $7) on conflict (institution_id, person_id, scope_kind, scope_id)"
            " do update set rights = excluded.rights, sections = excluded.sections, asked_at = excluded.asked_at",
            [
                (
                    institution_id,
                    person_id,
                    one.scope_kind,
                    one.scope_id,
                    " ".join(sorted(one.rights)),
                    None if one.sections is None else orjson.dumps(sorted(one.sections)).decode(),
                    now,
                )
                for one in told
            ],
        )

    await database.transact(work)


async def forget(database: Database, institution_id: int, person_id: int) -> None:
    """So that the next question is put to Canvas again."""

    async def work(tx: Transaction) -> int:
        return await tx.run(
            "delete from permission_answer where institution_id = $1 and person_id = $2",
            institution_id,
            person_id,
        )

    await database.transact(work)


async def account_ids(
    database: Database, institution_id: int, canvas_ids: Iterable[int]
) -> dict[int, int]:
    """Our accounts by Canvas id, as far as they are known."""
    listed = ", ".join(str(int(one)) for one in canvas_ids)
    if not listed:
        return {}
    rows = await database.rows(
        f"select id, canvas_id from account where institution_id = $1 and canvas_id in ({listed})",
        institution_id,
    )
    return {row["canvas_id"]: row["id"] for row in rows}


async def section_ids(
    database: Database, institution_id: int, canvas_ids: Iterable[int]
) -> frozenset[int]:
    """Ours of these sections, as far as they are known."""
    return frozenset((await _sections(database, institution_id, set(canvas_ids))).values())


async def person(database: Database, institution_id: int, row_id: int) -> int | None:
    """Whom this id means: whoever they were merged into; None for nobody, or somebody who is gone."""
    rows = await database.rows(
        "select p.id from person a join person p on p.id = coalesce(a.merged_into_id, a.id)"
        " and p.institution_id = $1 where a.institution_id = $1 and a.id = $2 and p.removed_at is null",
        institution_id,
        row_id,
    )
    return int(rows[0]["id"]) if rows else None


async def _answers(
    database: Database, institution_id: int, person_id: int
) -> dict[tuple[str, int], Answer]:
    rows = await database.rows(
        "select scope_kind, scope_id, rights, sections, asked_at from permission_answer"
        " where institution_id = $1 and person_id = $2",
        institution_id,
        person_id,
    )
    cut = {one for row in rows for one in orjson.loads(row["sections"] or "[]")}
    ours = await _sections(database, institution_id, cut)
    return {(row["scope_kind"], row["scope_id"]): _answer(row, ours) for row in rows}


def _answer(row: Row, ours: dict[int, int]) -> Answer:
    sections = orjson.loads(row["sections"] or "[]")
    return Answer(
        rights=frozenset(Right(word) for word in row["rights"].split()),
        asked_at=_time(row["asked_at"]),
        cut=row["sections"] is not None,
        sections=frozenset(ours[one] for one in sections if one in ours),
    )


async def _sections(
    database: Database, institution_id: int, canvas_ids: set[int]
) -> dict[int, int]:
    if not canvas_ids:
        return {}
    listed = ", ".join(str(int(one)) for one in sorted(canvas_ids))
    rows = await database.rows(
        f"select id, canvas_id from section where institution_id = $1 and canvas_id in ({listed})",
        institution_id,
    )
    return {row["canvas_id"]: row["id"] for row in rows}


async def _courses(
    database: Database, institution_id: int, person_id: int, launched_in: int | None
) -> list[Row]:
    """Those that the person has anything to do with, the launched one first, then the newest."""
    member = (
        "select 1 from membership m where m.institution_id = $1 and m.course_id = c.id"
        " and m.person_id = $2 and m.ended_at is null"
    )
    return await database.rows(
        f"select c.id, c.canvas_id, c.state, c.removed_at, case when exists ({member}) then 1 else 0 end as member"
        " from course c where c.institution_id = $1 and (c.id = $3 or c.id in (select e.course_id from enrollment e"
        " where e.institution_id = $1 and e.person_id = $2 and e.removed_at is null) or c.id in (select o.course_id"
        " from membership o where o.institution_id = $1 and o.person_id = $2 and o.ended_at is null))"
        " order by case when c.id = $3 then 0 else 1 end, c.id desc",
        institution_id,
        person_id,
        launched_in or 0,
    )


async def _below(database: Database, institution_id: int, account_id: int) -> frozenset[int]:
    """The account and all below it."""
    rows = await database.rows(
        "with recursive below(id) as (select a.id from account a where a.institution_id = $1 and a.id = $2"
        " union select a.id from account a join below on a.parent_id = below.id where a.institution_id = $1)"
        " select id from below",
        institution_id,
        account_id,
    )
    return frozenset(row["id"] for row in rows)


def _enrollment(row: Row) -> OwnEnrollment:
    limited: Any = row["limit_to_section"]
    return OwnEnrollment(
        section_id=row["section_id"],
        type=EnrollmentType(row["type"]),
        state=EnrollmentState(row["state"]),
        limited=None if limited is None else bool(limited),
        observed=row["associated_person_id"],
    )


def _course_state(row: Row) -> CourseState | None:
    if row["removed_at"] is not None:
        return CourseState.DELETED
    return CourseState(row["state"]) if row["state"] else None


def _time(value: datetime | str) -> datetime:
    return datetime.fromisoformat(value) if isinstance(value, str) else value
