"""The columns of each roster file that we take, under our names; which columns tell one file from another.

Read by name in any order, all others ignored (canvas-lms: gems/plugins/account_reports/lib/account_reports/sis_exporter.rb).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum


class ReportKind(StrEnum):
    PROVISIONING = "provisioning report"
    SIS_EXPORT = "SIS export"


class RosterFile(StrEnum):
    """In the order in which they are taken in: what is referred to comes first."""

    ACCOUNTS = "accounts"
    TERMS = "terms"
    COURSES = "courses"
    SECTIONS = "sections"
    XLIST = "xlist"
    USERS = "users"
    ENROLLMENTS = "enrollments"
    USER_OBSERVERS = "user_observers"


class Cell(Enum):
    """How a cell is read. ID: a Canvas id; KEY: a text that identifies, at most 255 characters, as Canvas allows."""

    ID = "id"
    KEY = "key"
    TEXT = "text"
    DATE = "date"
    FLAG = "flag"
    WORD = "word"


@dataclass(frozen=True, kw_only=True)
class Column:
    """`needed`: a row without it is set aside. `required`: a file without it is no such file."""

    name: str
    header: str
    cell: Cell
    needed: bool = False
    required: bool = False


def _must(name: str, header: str, cell: Cell) -> Column:
    return Column(name=name, header=header, cell=cell, needed=True, required=True)


def _may(name: str, header: str, cell: Cell = Cell.KEY) -> Column:
    return Column(name=name, header=header, cell=cell)


def _should(name: str, header: str, cell: Cell = Cell.KEY) -> Column:
    """A blank is a fact; without the column it is not this file."""
    return Column(name=name, header=header, cell=cell, required=True)


_STATUS = _must("state", "status", Cell.WORD)
_DATES = (_may("start_at", "start_date", Cell.DATE), _may("end_at", "end_date", Cell.DATE))
_LOGIN = (
    _may("integration_id", "integration_id"),
    _may("provider", "authentication_provider_id"),
    _should("login_id", "login_id"),
    _may("given_name", "first_name", Cell.TEXT),
    _may("family_name", "last_name", Cell.TEXT),
    _may("name", "full_name", Cell.TEXT),
    _may("sortable_name", "sortable_name", Cell.TEXT),
    _may("short_name", "short_name", Cell.TEXT),
    _may("pronouns", "pronouns", Cell.TEXT),
    _may("email", "email", Cell.TEXT),
    _STATUS,
)
_COURSE = (
    _may("integration_id", "integration_id"),
    _should("course_code", "short_name", Cell.TEXT),
    _should("name", "long_name", Cell.TEXT),
    *_DATES,
    _STATUS,
)
_SECTION = (
    _may("integration_id", "integration_id"),
    _should("name", "name", Cell.TEXT),
    *_DATES,
    _STATUS,
)
_ENROLLMENT = (
    _must("role", "role", Cell.KEY),
    _should("role_id", "role_id", Cell.ID),
    _may("limit_to_section", "limit_section_privileges", Cell.FLAG),
    _STATUS,
)

COLUMNS: Mapping[ReportKind, Mapping[RosterFile, tuple[Column, ...]]] = {
    ReportKind.PROVISIONING: {
        RosterFile.ACCOUNTS: (
            _must("canvas_id", "canvas_account_id", Cell.ID),
            _may("sis_id", "account_id"),
            _should("parent", "canvas_parent_id", Cell.ID),
            _should("name", "name", Cell.TEXT),
            _STATUS,
        ),
        RosterFile.TERMS: (
            _must("canvas_id", "canvas_term_id", Cell.ID),
            _may("sis_id", "term_id"),
            _should("name", "name", Cell.TEXT),
            *_DATES,
            _STATUS,
        ),
        RosterFile.COURSES: (
            _must("canvas_id", "canvas_course_id", Cell.ID),
            _may("sis_id", "course_id"),
            _may("account", "canvas_account_id", Cell.ID),
            _may("account_sis", "account_id"),
            _may("term", "canvas_term_id", Cell.ID),
            _may("term_sis", "term_id"),
            *_COURSE,
        ),
        RosterFile.SECTIONS: (
            _must("canvas_id", "canvas_section_id", Cell.ID),
            _may("sis_id", "section_id"),
            _must("course", "canvas_course_id", Cell.ID),
            _may("course_sis", "course_id"),
            *_SECTION,
        ),
        RosterFile.XLIST: (
            _must("course", "canvas_xlist_course_id", Cell.ID),
            _may("course_sis", "xlist_course_id"),
            _must("canvas_id", "canvas_section_id", Cell.ID),
            _may("sis_id", "section_id"),
            _may("origin", "canvas_nonxlist_course_id", Cell.ID),
            _may("origin_sis", "nonxlist_course_id"),
            _STATUS,
        ),
        RosterFile.USERS: (
            _must("canvas_id", "canvas_user_id", Cell.ID),
            _may("sis_id", "user_id"),
            *_LOGIN,
            _may("uuid", "uuid"),
        ),
        RosterFile.ENROLLMENTS: (
            _may("canvas_id", "canvas_enrollment_id", Cell.ID),
            _must("course", "canvas_course_id", Cell.ID),
            _may("course_sis", "course_id"),
            _must("person", "canvas_user_id", Cell.ID),
            _may("person_sis", "user_id"),
            _must("section", "canvas_section_id", Cell.ID),
            _may("section_sis", "section_id"),
            _should("associated", "canvas_associated_user_id", Cell.ID),
            _may("associated_sis", "associated_user_id"),
            _may("base_type", "base_role_type", Cell.KEY),
            *_ENROLLMENT,
        ),
        RosterFile.USER_OBSERVERS: (
            _must("observer", "canvas_observer_id", Cell.ID),
            _must("student", "canvas_student_id", Cell.ID),
            _STATUS,
        ),
    },
    ReportKind.SIS_EXPORT: {
        RosterFile.ACCOUNTS: (
            _must("sis_id", "account_id", Cell.KEY),
            _should("parent_sis", "parent_account_id"),
            _should("name", "name", Cell.TEXT),
            _STATUS,
        ),
        RosterFile.TERMS: (
            _must("sis_id", "term_id", Cell.KEY),
            _should("name", "name", Cell.TEXT),
            *_DATES,
            _STATUS,
        ),
        RosterFile.COURSES: (
            _must("sis_id", "course_id", Cell.KEY),
            _may("account_sis", "account_id"),
            _may("term_sis", "term_id"),
            *_COURSE,
        ),
        RosterFile.SECTIONS: (
            _must("sis_id", "section_id", Cell.KEY),
            _must("course_sis", "course_id", Cell.KEY),
            *_SECTION,
        ),
        RosterFile.XLIST: (
            _must("course_sis", "xlist_course_id", Cell.KEY),
            _must("sis_id", "section_id", Cell.KEY),
            _STATUS,
        ),
        RosterFile.USERS: (_must("sis_id", "user_id", Cell.KEY), *_LOGIN),
        RosterFile.ENROLLMENTS: (
            _should("course_sis", "course_id"),
            _must("person_sis", "user_id", Cell.KEY),
            _should("section_sis", "section_id"),
            _should("associated_sis", "associated_user_id"),
            *_ENROLLMENT,
        ),
        RosterFile.USER_OBSERVERS: (
            _must("observer_sis", "observer_id", Cell.KEY),
            _must("student_sis", "student_id", Cell.KEY),
            _STATUS,
        ),
    },
}

# Report files that hold nothing of a roster, known by a column that no other file has.
OTHER_FILES: Mapping[str, str] = {
    "groups": "max_membership",
    "group_membership": "group_id",
    "group_categories": "group_category_id",
    "admins": "admin_user_name",
    "institutional_tag_categories": "canvas_category_id",
    "institutional_tags": "institutional_tag_id",
    "institutional_tag_associations": "canvas_tag_id",
}
