"""How a row of enrollments.csv finds its enrollment and what it does (fact sheet sis-imports.md §5, §6)."""

from dataclasses import dataclass
from datetime import datetime

from twin.changes import set_enrollment_state
from twin.making import default_section, make_enrollment
from twin.params import TRUE_WORDS, parse_time
from twin.records import Course, Enrollment, Pseudonym, Role, Section, User
from twin.report_people import ROLE_WORDS
from twin.sis_batch import Importing, RowRejected, status_word
from twin.sis_files import Row

STATUSES = ("deleted_last_completed", "active", "deleted", "completed", "inactive")
TYPES = {word: kind for kind, word in ROLE_WORDS.items()}
DATES = ("start_at", "end_at")


@dataclass(frozen=True, slots=True)
class Target:
    """Everything that tells one enrollment from another."""

    user: User
    section: Section
    role: Role
    associated_user_id: int | None
    temporary_source_user_id: int | None

    def matches(self, row: Enrollment) -> bool:
        return (
            row.section_id,
            row.type,
            row.role_id,
            row.associated_user_id,
            row.temporary_source_user_id,
        ) == (
            self.section.id,
            self.role.base_type,
            self.role.id,
            self.associated_user_id,
            self.temporary_source_user_id,
        )


def enrollment(importing: Importing, row: Row) -> None:
    status = _check(row)
    login = _login(importing, row)
    course, section = _place(importing, row)
    role = _role(importing, row)
    user = importing.school.users[login.user_id]
    _refuse_blueprint(course, role, row)
    target = Target(user, section, role, _associated(importing, row, role), _source(importing, row))
    _validate(target, course, row)
    if status != "deleted":
        status = _of_living(importing, row, login, status)
    _apply(importing, row, target, login, status)


def _check(row: Row) -> str:
    if not (row.get("course_id") or row.get("section_id")):
        raise RowRejected("No course_id or section_id given for an enrollment")
    if not (row.get("user_id") or row.get("user_integration_id")):
        raise RowRejected("No user_id given for an enrollment")
    if not (row.get("role") or row.get("role_id")):
        raise RowRejected('Improper role "" for an enrollment')
    status = status_word(row.get("status"), STATUSES)
    if status is None:
        raise RowRejected(f'Improper status "{row.get("status") or ""}" for an enrollment')
    return status


def _login(importing: Importing, row: Row) -> Pseudonym:
    """With an integration id given, the SIS id is not used at all."""
    if integration_id := row.get("user_integration_id"):
        login = importing.login("sis_integration_id", integration_id)
    else:
        login = importing.login("sis_user_id", row.get("user_id"))
    if login is None:
        raise RowRejected(
            f"User not found for enrollment (User ID: {_user_text(row)}, "
            f"Course ID: {_text(row, 'course_id')}, Section ID: {_text(row, 'section_id')})"
        )
    return login


def _text(row: Row, name: str) -> str:
    return row.get(name) or ""


def _user_text(row: Row) -> str:
    return _text(row, "user_id") or _text(row, "user_integration_id")


def _place(importing: Importing, row: Row) -> tuple[Course, Section]:
    """Find the section; a course alone means its default section, never where the user is."""
    school = importing.school
    course_id, section_id = row.get("course_id"), row.get("section_id")
    course = school.find(Course, "sis_course_id", course_id) if course_id else None
    section = school.find(Section, "sis_section_id", section_id) if section_id else None
    if course is None and section is None:
        raise RowRejected(
            f"Neither course nor section existed for user enrollment "
            f"(Course ID: {course_id or ''}, Section ID: {section_id or ''}, "
            f"User ID: {_user_text(row)})"
        )
    if section_id and section is None:
        raise RowRejected(f"An enrollment referenced a non-existent section {section_id}")
    if course_id and course is None:
        raise RowRejected(f"An enrollment referenced a non-existent course {course_id}")
    if section is None:
        assert course is not None  # noqa: S101  one of the two exists
        return course, default_section(school, course)
    # SIS files keep naming the course that a cross-listed section came from.
    if course and course.id not in {section.course_id, section.nonxlist_course_id}:
        raise RowRejected(
            f"An enrollment listed a section ({section_id}) and a course ({course_id}) "
            f"that are unrelated for user ({_user_text(row)})"
        )
    return school.courses[section.course_id], section


def _role(importing: Importing, row: Row) -> Role:
    """Find the role by id first, then by one of five words, then by its exact name."""
    roles = importing.school.roles
    found: Role | None = None
    word = row.get("role")
    if role_id := row.get("role_id"):
        found = roles.get(int(role_id)) if role_id.isdecimal() else None
    elif word in TYPES:
        found = next(role for role in roles.values() if role.name == TYPES[word])
    else:
        custom = (role for role in roles.values() if role.workflow_state != "built_in")
        found = next((role for role in custom if role.name == word), None)
    usable = found is not None and found.workflow_state in {"built_in", "active"}
    if found is None or not usable or found.base_type not in ROLE_WORDS:
        raise RowRejected(f'Improper role "{role_id or word}" for an enrollment')
    return found


def _refuse_blueprint(course: Course, role: Role, row: Row) -> None:
    kind = {"StudentEnrollment": "Student", "ObserverEnrollment": "Observer"}.get(role.base_type)
    if course.blueprint and kind:
        raise RowRejected(
            f'{kind} enrollment for "{_user_text(row)}" not allowed in '
            f'blueprint course "{course.sis_source_id or ""}"'
        )


def _associated(importing: Importing, row: Row, role: Role) -> int | None:
    sis_id = row.get("associated_user_id")
    if sis_id is None or role.base_type != "ObserverEnrollment":
        return None
    user = importing.user(sis_id)
    if user is None:
        raise RowRejected(f"An enrollment referenced a non-existent associated user {sis_id}")
    return user.id


def _source(importing: Importing, row: Row) -> int | None:
    sis_id = row.get("temporary_enrollment_source_user_id")
    if sis_id is None or not importing.school.options.temporary_enrollments:
        return None
    user = importing.user(sis_id)
    if user is None:
        raise RowRejected(
            f"An enrollment referenced a non-existent temporary enrollment source user {sis_id}"
        )
    return user.id


def _validate(target: Target, course: Course, row: Row) -> None:
    problem = ""
    if target.associated_user_id == target.user.id:
        problem = "Associated user Cannot observe yourself"
    elif target.user.is_test_student:
        problem = "User cannot add a student view student in a regular role"
    elif course.template:
        problem = "Course is a template course"
    if problem:
        raise RowRejected(
            f"An enrollment did not pass validation (course: {_text(row, 'course_id')}, "
            f"section: {_text(row, 'section_id')}, user: {_user_text(row)}, "
            f"role: {target.role.name}, error: {problem})"
        )


def _of_living(importing: Importing, row: Row, login: Pseudonym, status: str) -> str:
    """Somebody who is gone is not enrolled: the row may be turned into a deletion, or refused."""
    user = importing.school.users[login.user_id]
    who, where = _user_text(row), _text(row, "course_id") or _text(row, "section_id")
    if user.workflow_state == "deleted":
        importing.warn(f"Attempted enrolling of deleted user {who} in course {where}")
        return "deleted"
    if login.workflow_state == "deleted":
        others = importing.school.pseudonyms_of_user.of(user.id)
        if not any(other.workflow_state == "active" for other in others):
            raise RowRejected(
                f"Attempted enrolling with deleted sis login {login.unique_id} in course {where}"
            )
        importing.warn(
            f"Enrolled a user {who} in course {where}, but referenced a deleted sis login"
        )
    return status


def _apply(importing: Importing, row: Row, target: Target, login: Pseudonym, status: str) -> None:
    school = importing.school
    rows = school.enrollments_of_user.of(target.user.id)
    found = next((row for row in rows if target.matches(row)), None)
    state = _state(importing, target, found, status)
    start_at, end_at = _dates(importing, row)
    # One that matches nothing is made all the same, deleted ones too and without a warning.
    made = found or make_enrollment(
        school,
        target.user,
        target.section,
        target.role.base_type,
        target.role.id,
        state,
        associated_user_id=target.associated_user_id,
        temporary_source_user_id=target.temporary_source_user_id,
        sis_batch_id=importing.batch.id,
        sis_pseudonym_id=login.id,
    )
    if made.workflow_state != state:
        set_enrollment_state(school, made, state)  # a state is never sticky
    limit = row.get("limit_section_privileges")
    limited = made.limit_privileges_to_course_section if limit is None else _true(limit)
    importing.set(
        made,
        sticky=DATES,
        start_at=start_at,
        end_at=end_at,
        limit_privileges_to_course_section=limited,
    )
    school.update(made, sis_pseudonym_id=login.id, updated_at=made.updated_at)
    importing.touch(made)


def _true(text: str) -> bool:
    return text.lower() in TRUE_WORDS


def _state(importing: Importing, target: Target, found: Enrollment | None, status: str) -> str:
    if status != "deleted_last_completed":
        return status
    others = importing.school.enrollments_of_user.of(target.user.id)
    another = any(
        other is not found
        and other.course_id == target.section.course_id
        and other.role_id == target.role.id
        and other.workflow_state != "deleted"
        for other in others
    )
    return "deleted" if another else "completed"


def _dates(importing: Importing, row: Row) -> tuple[datetime | None, datetime | None]:
    """Read both dates: absent or empty ones clear what is stored, unless it is sticky."""
    texts = [row.get("start_date"), row.get("end_date")]
    times = [parse_time(text) for text in texts]
    if any(text and time is None for text, time in zip(texts, times, strict=True)):
        where = _text(row, "course_id") or _text(row, "section_id")
        importing.warn(f"Bad date format for user {_user_text(row)} in course {where}")
        return None, None
    return times[0], times[1]
