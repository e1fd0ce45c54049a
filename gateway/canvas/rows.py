"""Canvas's JSON of courses, sections, people and enrollments, as rows of a batch.

A key that Canvas leaves out for want of a right is untold, not empty; a row without what names it is no row, and nothing of
its answer can be used.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gateway.batch import UNTOLD, Account, Course, Enrollment, Number, Person, Section, Term, Time
from gateway.errors import CutShort
from gateway.identity import Alias, alias
from models.canvas_ids import to_global
from models.roles import CANVAS_STATES, CANVAS_TYPES
from models.roster import CourseState, IdentityKind, RecordState

Json = Mapping[str, Any]

_RECORD_STATES = {"active": RecordState.ACTIVE, "deleted": RecordState.DELETED}
_COURSE_STATES = {
    "unpublished": CourseState.UNPUBLISHED,
    "created": CourseState.UNPUBLISHED,
    "claimed": CourseState.UNPUBLISHED,
    "available": CourseState.AVAILABLE,
    "completed": CourseState.COMPLETED,
    "deleted": CourseState.DELETED,
}


def enrollment(row: Json, shard: int) -> Enrollment:
    """The people whom it names have their global Canvas ids as keys."""
    associated = row.get("associated_user_id")
    return Enrollment(
        canvas_id=_id(row, "id", shard),
        course=_id(row, "course_id", shard),
        section=_id(row, "course_section_id", shard),
        person=str(_id(row, "user_id", shard)),
        type=_word(row, "type", CANVAS_TYPES),
        role=_text(row, "role"),
        role_id=int(_text(row, "role_id")),
        state=_word(row, "enrollment_state", CANVAS_STATES),
        limit_to_section=bool(row.get("limit_privileges_to_course_section")),
        associated=None if associated is None else str(to_global(str(associated), shard)),
        start_at=_time(row, "start_at"),
        end_at=_time(row, "end_at"),
        **_activity(row),
    )


def _activity(row: Json) -> dict[str, Any]:
    """All of it or nothing: without the right to read reports Canvas shows when a row was made, not when it was used."""
    if "last_activity_at" not in row:
        return {}
    return {
        "created_at": _time(row, "created_at"),
        "updated_at": _time(row, "updated_at"),
        "last_activity_at": _time(row, "last_activity_at"),
        "total_activity_seconds": _number(row, "total_activity_time"),
        "sis_import_id": _number(row, "sis_import_id"),
    }


def person(user: Json, shard: int) -> Person:
    canvas_id = _id(user, "id", shard)
    email = user.get("email", UNTOLD)
    return Person(
        key=str(canvas_id),
        canvas_id=canvas_id,
        aliases=_aliases(user, canvas_id),
        name=user.get("name", UNTOLD),
        sortable_name=user.get("sortable_name", UNTOLD),
        short_name=user.get("short_name", UNTOLD),
        pronouns=user.get("pronouns", UNTOLD),
        email=email,
        # Shown to everybody, so it says nothing of the group's other half where that is withheld.
        avatar_url=UNTOLD if email is UNTOLD else user.get("avatar_url", UNTOLD),
        **_login(user),
    )


def named(canvas_id: int) -> Person:
    """Somebody of whom only the id is told."""
    return Person(
        key=str(canvas_id),
        canvas_id=canvas_id,
        aliases=frozenset({Alias(kind=IdentityKind.CANVAS_GLOBAL_ID, value=str(canvas_id))}),
    )


def _login(user: Json) -> dict[str, Any]:
    """SIS ids may be withheld from people who see logins; then neither is told, so that unknown does not pass for none."""
    if "sis_user_id" not in user:
        return {}
    told = {
        "sis_id": user["sis_user_id"],
        "integration_id": user.get("integration_id"),
    }
    for name in ("login_id", "uuid"):
        if name in user:
            told[name] = user[name]
    return told


def _aliases(user: Json, canvas_id: int) -> frozenset[Alias]:
    found = {
        alias(IdentityKind.CANVAS_GLOBAL_ID, str(canvas_id)),
        alias(IdentityKind.CANVAS_UUID, user.get("uuid")),
        alias(IdentityKind.SIS_USER_ID, user.get("sis_user_id")),
        alias(IdentityKind.INTEGRATION_ID, user.get("integration_id")),
        alias(IdentityKind.LOGIN_ID, user.get("login_id")),
        alias(IdentityKind.EMAIL, user.get("email")),
    }
    return frozenset(one for one in found if one is not None)


def account(row: Json, shard: int) -> Account:
    return Account(
        canvas_id=_id(row, "id", shard),
        parent=_reference(row, "parent_account_id", shard),
        sis_id=row.get("sis_account_id", UNTOLD),
        name=row.get("name", UNTOLD),
        state=_RECORD_STATES.get(str(row.get("workflow_state")), UNTOLD),
    )


def term(row: Json, shard: int) -> Term:
    return Term(
        canvas_id=_id(row, "id", shard),
        sis_id=row.get("sis_term_id", UNTOLD),
        name=row.get("name", UNTOLD),
        state=_RECORD_STATES.get(str(row.get("workflow_state")), UNTOLD),
        start_at=_time(row, "start_at"),
        end_at=_time(row, "end_at"),
    )


def course(row: Json, shard: int) -> Course:
    term = row.get("term")
    dates = term if isinstance(term, Mapping) else {}
    return Course(
        canvas_id=_id(row, "id", shard),
        sis_id=row.get("sis_course_id", UNTOLD),
        integration_id=row.get("integration_id", UNTOLD),
        uuid=row.get("uuid", UNTOLD),
        name=row.get("name", UNTOLD),
        course_code=row.get("course_code", UNTOLD),
        state=_word(row, "workflow_state", _COURSE_STATES) if "workflow_state" in row else UNTOLD,
        start_at=_time(row, "start_at"),
        end_at=_time(row, "end_at"),
        time_zone=row.get("time_zone", UNTOLD),
        account=_reference(row, "account_id", shard),
        term=_reference(row, "enrollment_term_id", shard)
        if not dates
        else _reference(dates, "id", shard),
    )


def section(row: Json, shard: int) -> Section:
    return Section(
        canvas_id=_id(row, "id", shard),
        course=_id(row, "course_id", shard),
        origin=_reference(row, "nonxlist_course_id", shard),
        sis_id=row.get("sis_section_id", UNTOLD),
        integration_id=row.get("integration_id", UNTOLD),
        name=row.get("name", UNTOLD),
        start_at=_time(row, "start_at"),
        end_at=_time(row, "end_at"),
    )


def _id(row: Json, name: str, shard: int) -> int:
    try:
        return to_global(_text(row, name), shard)
    except ValueError as error:
        raise CutShort(f"Canvas answered with a row whose {name} is no id") from error


def _reference(row: Json, name: str, shard: int) -> Number:
    if name not in row:
        return UNTOLD
    return None if row[name] is None else _id(row, name, shard)


def _text(row: Json, name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise CutShort(f"Canvas answered with a row without {name}")
    return str(value)


def _word(row: Json, name: str, words: Mapping[str, Any]) -> Any:
    word = words.get(_text(row, name))
    if word is None:
        raise CutShort(f"Canvas answered with a {name} that we do not know: {row[name]!r}")
    return word


def _time(row: Json, name: str) -> Time:
    value = row.get(name, UNTOLD)
    if value is UNTOLD or value is None:
        return value
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError) as error:
        raise CutShort(f"Canvas answered with a {name} that is no time") from error


def _number(row: Json, name: str) -> Number:
    value = row.get(name, UNTOLD)
    return value if value is UNTOLD or value is None else int(value)
