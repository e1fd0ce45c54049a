"""Changes of the school from outside of every API, as a teacher or registrar would make them by hand.

Each is a struct that knows how to apply itself; the control API takes them as JSON.
"""

from typing import Any, Literal, get_type_hints

import msgspec

from twin import changes, ids
from twin.enrolling import Identity, find_row
from twin.errors import BadRequest
from twin.making import default_section, make_email, make_enrollment
from twin.records import (
    Account,
    Course,
    Enrollment,
    Pseudonym,
    Role,
    Section,
    Term,
    User,
)
from twin.rest.render import login_of
from twin.roles import named_roles
from twin.school import School

Ids = dict[str, Any]


class SchoolChange(msgspec.Struct, forbid_unknown_fields=True):
    """Ids are texts in any form that Canvas takes in a path."""

    def apply(self, school: School) -> Ids:
        raise NotImplementedError


class Enrol(SchoolChange):
    """`role` is a role's name; a row of the same identity is revived."""

    user: str
    course: str | None = None
    section: str | None = None
    role: str = "StudentEnrollment"
    state: str = "active"
    associated_user: str | None = None
    limited: bool = False

    def apply(self, school: School) -> Ids:
        user: User = ids.found(ids.find_user(school, self.user))
        section = _section(school, self.section, self.course)
        role: Role = ids.found(next(named_roles(school, self.role), None))
        observed = (
            self.associated_user and ids.found(ids.find_user(school, self.associated_user)).id
        )
        identity = Identity(
            user=user, section=section, role=role, associated_user_id=observed or None
        )
        row = find_row(school, identity)
        if row is None:
            row = make_enrollment(
                school,
                user,
                section,
                role.base_type,
                role.id,
                self.state,
                associated_user_id=identity.associated_user_id,
                limit_privileges_to_course_section=self.limited,
            )
        else:
            changes.set_enrollment_state(school, row, self.state)
            school.update(row, limit_privileges_to_course_section=self.limited)
        return {"enrollment": row.id}


class Drop(SchoolChange):
    """One enrollment, or all of a person's in a course, or in one of its sections."""

    enrollment: int | None = None
    user: str | None = None
    course: str | None = None
    section: str | None = None
    state: Literal["deleted", "completed", "inactive", "rejected"] = "deleted"

    def apply(self, school: School) -> Ids:
        rows = self._rows(school)
        for row in rows:
            changes.set_enrollment_state(school, row, self.state)
        return {"enrollments": [row.id for row in rows]}

    def _rows(self, school: School) -> list[Enrollment]:
        if self.enrollment is not None:
            return [ids.found(school.enrollments.get(self.enrollment))]
        if self.user is None or (self.course is None and self.section is None):
            raise BadRequest({"error": "name an enrollment, or a user with a course or section"})
        user: User = ids.found(ids.find_user(school, self.user))
        course = ids.found(ids.find_course(school, self.course)) if self.course else None
        section = ids.found(ids.find_section(school, self.section)) if self.section else None
        return [
            row
            for row in school.enrollments_of_user.of(user.id)
            if row.workflow_state != "deleted"
            and (course is None or row.course_id == course.id)
            and (section is None or row.section_id == section.id)
        ]


class ChangeCourse(SchoolChange):
    course: str
    to: Literal["published", "concluded", "unconcluded", "deleted", "undeleted"]

    def apply(self, school: School) -> Ids:
        course: Course = ids.found(ids.find_course(school, self.course))
        {
            "published": changes.publish_course,
            "concluded": changes.conclude_course,
            "unconcluded": changes.unconclude_course,
            "deleted": changes.delete_course,
            "undeleted": changes.undelete_course,
        }[self.to](school, course)
        return {"course": course.id}


class MoveSection(SchoolChange):
    """Cross-list a section into a course, or back to where it came from (`course` left out)."""

    section: str
    course: str | None = None

    def apply(self, school: School) -> Ids:
        section: Section = ids.found(ids.find_section(school, self.section))
        if self.course is None:
            changes.uncrosslist(school, section)
        else:
            changes.crosslist(school, section, ids.found(ids.find_course(school, self.course)))
        return {"section": section.id, "course": section.course_id}


class DeleteSection(SchoolChange):
    section: str

    def apply(self, school: School) -> Ids:
        section: Section = ids.found(ids.find_section(school, self.section))
        changes.delete_section(school, section)
        return {"section": section.id}


class Rename(SchoolChange):
    """By hand, so that later SIS imports leave the name alone."""

    name: str
    user: str | None = None
    course: str | None = None
    section: str | None = None
    sortable_name: str | None = None

    def apply(self, school: School) -> Ids:
        row: User | Course | Section
        fields: dict[str, Any] = {"name": self.name}
        if self.user is not None:
            row = ids.found(ids.find_user(school, self.user))
            fields |= {"short_name": self.name}
            if self.sortable_name:
                fields |= {"sortable_name": self.sortable_name}
        elif self.course is not None:
            row = ids.found(ids.find_course(school, self.course))
        elif self.section is not None:
            row = ids.found(ids.find_section(school, self.section))
        else:
            raise BadRequest({"error": "name a user, a course or a section"})
        school.update(row, **fields, stuck=row.stuck | fields.keys())
        return {type(row).__name__.lower(): row.id}


class Merge(SchoolChange):
    loser: str
    survivor: str

    def apply(self, school: School) -> Ids:
        loser: User = ids.found(ids.find_user(school, self.loser))
        survivor: User = ids.found(ids.find_user(school, self.survivor))
        if loser is survivor or "deleted" in {loser.workflow_state, survivor.workflow_state}:
            raise BadRequest({"error": "merge two living people"})
        changes.merge_users(school, loser, survivor)
        return {"user": survivor.id}


class DeleteUser(SchoolChange):
    user: str

    def apply(self, school: School) -> Ids:
        user: User = ids.found(ids.find_user(school, self.user))
        changes.delete_user(school, user)
        return {"user": user.id}


class ReissueSisId(SchoolChange):
    """The SIS id of one login goes to another person's, as when a number is given out again."""

    sis_user_id: str
    to: str
    instead: str | None = None
    """What the first login has from now on."""

    def apply(self, school: School) -> Ids:
        former: Pseudonym = ids.found(school.find(Pseudonym, "sis_user_id", self.sis_user_id))
        user: User = ids.found(ids.find_user(school, self.to))
        login: Pseudonym = ids.found(login_of(school, user))
        school.update(former, sis_user_id=self.instead)
        school.update(login, sis_user_id=self.sis_user_id)
        return {"from": former.user_id, "to": user.id}


class SetEmail(SchoolChange):
    """Retire the person's addresses; with `email`, give a new one."""

    user: str
    email: str | None = None

    def apply(self, school: School) -> Ids:
        user: User = ids.found(ids.find_user(school, self.user))
        for channel in list(school.channels_of_user.of(user.id)):
            school.update(channel, workflow_state="retired")
        if self.email:
            make_email(school, user, self.email)
        return {"user": user.id}


class Set(SchoolChange):
    """Any field of any row, by the names of twin/records.py."""

    table: Literal["account", "term", "role", "user", "login", "course", "section", "enrollment"]
    id: int
    fields: dict[str, Any]

    def apply(self, school: School) -> Ids:
        kind, rows = _tables(school)[self.table]
        row = ids.found(rows.get(self.id))
        hints = get_type_hints(kind)
        if unknown := [name for name in self.fields if name not in hints or name == "id"]:
            raise BadRequest({"error": f"no field {unknown[0]} of {self.table} can be set"})
        values = {name: msgspec.convert(value, hints[name]) for name, value in self.fields.items()}
        school.update(row, **values)
        return {self.table: self.id}


def _tables(school: School) -> dict[str, tuple[type, dict[int, Any]]]:
    return {
        "account": (Account, school.accounts),
        "term": (Term, school.terms),
        "role": (Role, school.roles),
        "user": (User, school.users),
        "login": (Pseudonym, school.pseudonyms),
        "course": (Course, school.courses),
        "section": (Section, school.sections),
        "enrollment": (Enrollment, school.enrollments),
    }


def _section(school: School, section: str | None, course: str | None) -> Section:
    if section is not None:
        named: Section = ids.found(ids.find_section(school, section))
        return named
    return default_section(school, ids.found(ids.find_course(school, course or "")))


CHANGES: dict[str, type[SchoolChange]] = {
    "enrol": Enrol,
    "drop": Drop,
    "course": ChangeCourse,
    "move_section": MoveSection,
    "delete_section": DeleteSection,
    "rename": Rename,
    "merge": Merge,
    "delete_user": DeleteUser,
    "reissue_sis_id": ReissueSisId,
    "set_email": SetEmail,
    "set": Set,
}
