"""What Canvas calls the things that a change is about, and our ids of them."""

from dataclasses import dataclass

from gateway.errors import WriteRefused
from gateway.store.intended import Subjects
from gateway.uow import Database, Row
from models.roster import MutationErrorCode


@dataclass(frozen=True, kw_only=True)
class Known:
    """Global Canvas ids; `subjects` are ours."""

    course: int
    person: int
    subjects: Subjects
    section: int | None = None
    enrollment: int | None = None
    associated: int | None = None


async def of_enrollment(database: Database, institution_id: int, *, row_id: int) -> Known:
    rows = await database.rows(
        "select e.id, e.canvas_id, e.course_id, e.person_id, c.canvas_id as course, p.canvas_id as person from enrollment e"
        " join course c on c.institution_id = $1 and c.id = e.course_id"
        " join person p on p.institution_id = $1 and p.id = e.person_id where e.institution_id = $1 and e.id = $2",
        institution_id,
        row_id,
    )
    if not rows:
        raise WriteRefused(
            MutationErrorCode.NOT_FOUND, "There is no such enrollment.", "enrollment"
        )
    [row] = rows
    return Known(
        course=_canvas_id(row, "course", "enrollment"),
        person=_canvas_id(row, "person", "enrollment"),
        enrollment=_canvas_id(row, "canvas_id", "enrollment"),
        subjects=Subjects(
            person_id=row["person_id"], course_id=row["course_id"], enrollment_id=row["id"]
        ),
    )


async def of_creation(
    database: Database,
    institution_id: int,
    *,
    person_id: int,
    course_id: int | None,
    section_id: int | None,
    associated_id: int | None,
) -> Known:
    section = None
    if section_id is not None:
        section = await _row(database, institution_id, "section", section_id)
        if course_id not in (None, section["course_id"]):
            words = "The section is in another course."
            raise WriteRefused(MutationErrorCode.INVALID, words, "section")
        course_id = int(section["course_id"])
    if course_id is None:
        raise WriteRefused(MutationErrorCode.INVALID, "Say a course or a section.", "course")
    course = await _row(database, institution_id, "course", course_id)
    person = await _row(database, institution_id, "person", person_id)
    associated = None
    if associated_id is not None:
        associated = await _row(database, institution_id, "person", associated_id)
    return Known(
        course=_canvas_id(course, "canvas_id", "course"),
        section=None if section is None else _canvas_id(section, "canvas_id", "section"),
        person=_canvas_id(person, "canvas_id", "user"),
        associated=None
        if associated is None
        else _canvas_id(associated, "canvas_id", "associatedUser"),
        subjects=Subjects(person_id=person_id, course_id=course_id),
    )


async def enrollment(database: Database, institution_id: int, canvas_id: int) -> int | None:
    """Our id of it, where it is known."""
    rows = await database.rows(
        "select id from enrollment where institution_id = $1 and canvas_id = $2",
        institution_id,
        canvas_id,
    )
    return int(rows[0]["id"]) if rows else None


async def _row(database: Database, institution_id: int, table: str, row_id: int) -> Row:
    course = ", course_id" if table == "section" else ""
    rows = await database.rows(
        f"select id, canvas_id{course} from {table} where institution_id = $1 and id = $2",
        institution_id,
        row_id,
    )
    if not rows:
        raise WriteRefused(MutationErrorCode.NOT_FOUND, f"There is no such {table}.")
    return rows[0]


def _canvas_id(row: Row, column: str, place: str) -> int:
    """Known through LTI alone, a thing has none."""
    if row[column] is None:
        words = "What Canvas calls this is not known, so it cannot be told to change it."
        raise WriteRefused(MutationErrorCode.NOT_SUPPORTED, words, place)
    return int(row[column])
