"""What callers give for changes of many enrollments, and the rows that it says."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import strawberry
from msgspec import UNSET
from strawberry import ID, Maybe

from gateway.change_paths import Path
from gateway.errors import WriteRefused
from gateway.readpath.lookups import By
from gateway.writes import csv_rows
from gateway.writes.roster_planning import ExactlyThese
from gateway.writes.roster_rows import Miss, Said
from models.roster import EnrollmentState, EnrollmentType, MutationErrorCode
from resolvers import inputs
from resolvers.mutation_errors import KEY
from resolvers.scalars import Upload


def _optional(text: str) -> Any:
    return strawberry.field(default=None, description=text)


def _maybe(text: str) -> Any:
    return strawberry.field(description=text)


@strawberry.input(
    description="An enrollment as it is to be. Without a state: on the roster, in whatever state that is."
)
class RosterChangeRowInput:
    user: inputs.UserBy = strawberry.field(description="Who.")
    section: inputs.SectionBy | None = _optional("In which section; it decides the course.")
    course: inputs.CourseBy | None = _optional(
        "In which course. Without a section: where they are in that role, or the course's only section."
    )
    type: EnrollmentType | None = _optional("As what; a role says it too.")
    role: str | None = _optional("The name of the role, spelt as Canvas spells it.")
    state: EnrollmentState | None = _optional(
        "ACTIVE, INVITED, INACTIVE, COMPLETED or DELETED. Omitted: on the roster; somebody new is made ACTIVE."
    )
    associated_user: inputs.UserBy | None = _optional("Whom an observer observes.")
    limit_privileges_to_course_section: bool | None = _optional(
        "Whether the person may only deal with their own section; omitted: as it is."
    )
    start_at: Maybe[datetime | None] = _maybe("From when on; null clears it, omitted: as it is.")
    end_at: Maybe[datetime | None] = _maybe("Until when; null clears it, omitted: as it is.")


@strawberry.input(
    description="That the rows are all: whoever else is enrolled in these sections goes."
)
class ExactRosterInput:
    sections: list[inputs.SectionBy] = strawberry.field(description="The sections.")
    types: list[EnrollmentType] | None = _optional(
        "Only people of these types go; omitted: of those types that the rows have."
    )
    drop: EnrollmentState | None = _optional(
        "How they go: DELETED, INACTIVE or COMPLETED; omitted: as the institution's drop policy says."
    )


@strawberry.input(
    description="A change of many enrollments, by rows, by the text of a CSV, or by a CSV file."
)
class RosterChangeInput:
    rows: list[RosterChangeRowInput] | None = _optional("The rows, one by one.")
    csv: str | None = _optional(
        "The text of a CSV: with columns such as sis_user_id, sis_section_id, type and state; or Canvas's SIS"
        " enrollments.csv; or OneRoster's enrollments.csv."
    )
    file: Upload | None = _optional("The same CSV as a file.")
    exactly: ExactRosterInput | None = _optional("Who is not among the rows goes.")
    path: Path | None = _optional("Go this way; omitted: the cheaper one that leaves fewer rows.")
    max_age: timedelta | None = _optional(
        "How old the roster may be that the rows are compared with; omitted: the institution's default."
    )
    idempotency_key: str | None = _optional(KEY)


@strawberry.input(description="A plan that is to be carried out, or a pause that is over.")
class ApplyRosterChangeInput:
    roster_change: ID = strawberry.field(description="The `id` of the plan.")
    confirm_removals: int | None = _optional(
        "Where the plan is `held`: its number of `removals`, so that it is plain that a person has seen it."
    )
    idempotency_key: str | None = _optional(KEY)


@strawberry.input(description="A change that was carried out, and is to be taken back.")
class UndoRosterChangeInput:
    roster_change: ID = strawberry.field(description="The `id` of the change.")
    idempotency_key: str | None = _optional(KEY)


@strawberry.input(description="A change that is to stop.")
class StopRosterChangeInput:
    roster_change: ID = strawberry.field(description="The `id` of the change.")
    idempotency_key: str | None = _optional(KEY)


def exactly(
    asked: ExactRosterInput | None,
) -> tuple[ExactlyThese | None, EnrollmentState | None]:
    if asked is None:
        return None, None
    if asked.drop not in (
        None,
        EnrollmentState.DELETED,
        EnrollmentState.INACTIVE,
        EnrollmentState.COMPLETED,
    ):
        raise WriteRefused(
            MutationErrorCode.INVALID,
            "People go by DELETED, INACTIVE or COMPLETED.",
            "exactly",
            "drop",
        )
    sections = tuple(inputs.given(by) for by in asked.sections)
    return ExactlyThese(sections=sections, types=frozenset(asked.types or ())), asked.drop


async def with_text(asked: RosterChangeInput) -> RosterChangeInput:
    """A file as its text."""
    if asked.file is None:
        return asked
    if asked.csv is not None:
        words = "Give a csv or a file, not both."
        raise WriteRefused(MutationErrorCode.INVALID, words, "file")
    return replace(asked, csv=await _text(asked.file), file=None)


def said(asked: RosterChangeInput) -> Sequence[Said | Miss]:
    """Every row. UnusableFile where the CSV cannot be read as a whole."""
    if asked.rows is not None and asked.csv is not None:
        words = "Give rows or a CSV, not both."
        raise WriteRefused(MutationErrorCode.INVALID, words, "rows")
    if asked.csv is not None:
        return csv_rows.read(asked.csv)
    return [_said_row(number, row) for number, row in enumerate(asked.rows or (), 1)]


async def _text(file: Any) -> str:
    content: bytes = await file.read()
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise WriteRefused(
            MutationErrorCode.INVALID, f"The file is not UTF-8: {error}.", "file"
        ) from error


def ids(rows: Sequence[Said | Miss]) -> set[By]:
    """Everybody and everything that the rows name."""
    return {
        by
        for row in rows
        if isinstance(row, Said)
        for by in (row.user, row.section, row.course, row.associated)
        if by is not None
    }


def _said_row(number: int, row: RosterChangeRowInput) -> Said:
    limited = row.limit_privileges_to_course_section
    ids = [_by(row.user), _by(row.section), _by(row.course)]
    said = Said(
        row=number,
        text=", ".join(str(by) for by in ids if by is not None),
        user=inputs.given(row.user),
        section=_by(row.section),
        course=_by(row.course),
        type=row.type,
        role=row.role,
        state=row.state,
        associated=_by(row.associated_user),
        limited=UNSET if limited is None else limited,
    )
    if row.start_at is not None:
        said = replace(said, start_at=row.start_at.value)
    if row.end_at is not None:
        said = replace(said, end_at=row.end_at.value)
    return said


def _by(by: inputs.AnyBy | None) -> By | None:
    return None if by is None else inputs.given(by)
