"""Who of a course a caller sees in the lists of users: fact sheet roster-rest.md section 7.1.

Not the same as in the enrollment lists: a section-limited caller sees nobody of other sections,
and a caller with `read_roster` alone no observers and no designers.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable

from twin import errors, ids
from twin.call import Call
from twin.permissions import (
    FULL_ROSTER_RIGHTS,
    ROSTER_RIGHTS,
    Rights,
    course_rights,
    section_limit,
)
from twin.records import Course, Enrollment, User
from twin.rest.render import email_of, login_of

HIDDEN_STATES = frozenset({"rejected", "completed", "deleted", "inactive"})
NOT_ACCEPTED = frozenset({"invited", "creation_pending", "rejected"})
TYPE_WORDS = {
    "teacher": "TeacherEnrollment",
    "student": "StudentEnrollment",
    "student_view": "StudentViewEnrollment",
    "ta": "TaEnrollment",
    "observer": "ObserverEnrollment",
    "designer": "DesignerEnrollment",
}
People = dict[User, list[Enrollment]]
"""Users with the enrollments that put them on the list."""


def demand_roster(call: Call, course: Course, *rights: str) -> Rights:
    """The caller's rights, where one of `rights` is among them."""
    held = course_rights(call.school, call.user, course)
    if not held.intersection(rights or ROSTER_RIGHTS):
        raise errors.Unauthorized
    return held


def visible(call: Call, course: Course, rights: Rights) -> list[Enrollment]:
    """Rows of the people the caller sees, in every state but deleted."""
    rows: Iterable[Enrollment] = call.school.enrollments_of_course.of(course.id)
    sections = section_limit(call.school, call.user, course)
    if sections is not None:
        rows = [row for row in rows if row.section_id in sections]
    if not rights & FULL_ROSTER_RIGHTS:
        hidden = {"ObserverEnrollment", "DesignerEnrollment"}
        rows = [row for row in rows if row.type not in hidden or row.user_id == call.user.id]
    return [row for row in rows if row.workflow_state != "deleted"]


def by_state(call: Call, rows: Iterable[Enrollment], rights: Rights) -> list[Enrollment]:
    """The states asked for; by default all that are not over."""
    states = call.params.texts_or_text("enrollment_state")
    if states:
        return [row for row in rows if row.workflow_state in states]
    hidden = set(HIDDEN_STATES)
    if call.params.flag("include_inactive") and "read_as_admin" in rights:
        hidden.discard("inactive")
    return [row for row in rows if row.workflow_state not in hidden]


def by_role(call: Call, rows: list[Enrollment]) -> list[Enrollment]:
    """By role, which wins, or by type, of which a wrong one is an error."""
    role_ids = call.params.texts_or_text("enrollment_role_id")
    if role_ids:
        return [row for row in rows if str(row.role_id) in role_ids]
    names = call.params.texts_or_text("enrollment_role")
    if names:
        return [row for row in rows if call.school.roles[row.role_id].name in names]
    words = call.params.texts_or_text("enrollment_type")
    if not words:
        return rows
    if unknown := [word for word in words if word not in TYPE_WORDS]:
        raise errors.error(f"Invalid enrollment type: {unknown[0]}")
    kinds = {TYPE_WORDS[word] for word in words}
    return [row for row in rows if row.type in kinds]


def by_section(call: Call, rows: list[Enrollment]) -> list[Enrollment]:
    texts = call.params.texts_or_text("section_ids")
    if not texts:
        return rows
    wanted = {
        section.id for text in texts if (section := ids.find_section(call.school, text)) is not None
    }
    return [row for row in rows if row.section_id in wanted]


def grouped(call: Call, rows: Iterable[Enrollment]) -> People:
    """Several enrollments of one user merged under one user."""
    people: defaultdict[User, list[Enrollment]] = defaultdict(list)
    for row in rows:
        people[call.school.users[row.user_id]].append(row)
    return dict(people)


def searched(call: Call, people: People, rights: Rights) -> People:
    """Those whose name, or with permission id, login, SIS id or e-mail, has the search term."""
    term = call.params.text("search_term")
    if not term:
        return people
    if len(term) < 2:
        raise errors.short_search_term()
    wanted = term.casefold()
    return {
        user: rows
        for user, rows in people.items()
        if any(wanted in text.casefold() for text in _texts(call, user, rights))
    }


def _texts(call: Call, user: User, rights: Rights) -> list[str]:
    login = login_of(call.school, user)
    texts: list[str | None] = [user.name]
    if rights & {"read_sis", "manage_sis"} and login is not None:
        texts.append(login.sis_user_id)
    if "view_user_logins" in rights and login is not None:
        texts += [login.unique_id, str(user.id)]
    if "read_email_addresses" in rights:
        texts.append(email_of(call.school, user))
    return [text for text in texts if text]


def ordered(call: Call, people: People) -> list[User]:
    """By sortable name unless asked otherwise; then the id decides."""
    school = call.school

    def sis_id(user: User) -> str:
        login = login_of(school, user)
        return (login.sis_user_id if login else None) or ""

    keys: dict[str, Callable[[User], str]] = {
        "username": lambda user: user.sortable_name.casefold(),
        "email": lambda user: email_of(school, user) or "",
        "sis_id": sis_id,
        "last_login": lambda user: user.last_login.isoformat() if user.last_login else "",
    }
    key = keys.get(call.params.text("sort") or "", keys["username"])
    backwards = call.params.text("order") == "desc"
    return sorted(people, key=lambda user: (key(user), user.id), reverse=backwards)


def has_accepted(rows: Iterable[Enrollment]) -> bool:
    return any(row.workflow_state not in NOT_ACCEPTED for row in rows)
