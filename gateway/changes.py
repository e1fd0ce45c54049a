"""What an entry of the feed says: which fields of what changed, from what to what.

`before` and `after` are JSON lists of `{"field", "value"}` with only the fields that changed; a value is text or null. A time
is UTC in ISO 8601, a Canvas id global, a reference (`REFERENCES`) the row id of what it names.
"""

from collections.abc import Mapping
from enum import StrEnum


class SubjectType(StrEnum):
    INSTITUTION = "Institution"
    ACCOUNT = "Account"
    TERM = "Term"
    COURSE = "Course"
    SECTION = "Section"
    USER = "User"
    ENROLLMENT = "Enrollment"
    MEMBERSHIP = "Membership"  # no node of the graph: `Course.members` shows it


# Column of the store -> field of the graph. A column that is not here changes silently.
_RECORD = {"canvas_id": "canvasId", "sis_id": "sisId", "name": "name"}
_DATES = {"start_at": "startAt", "end_at": "endAt"}

FIELDS: Mapping[SubjectType, Mapping[str, str]] = {
    SubjectType.ACCOUNT: _RECORD | {"parent_id": "parent", "state": "state"},
    SubjectType.TERM: _RECORD | _DATES | {"state": "state"},
    SubjectType.COURSE: _RECORD
    | _DATES
    | {
        "integration_id": "integrationId",
        "course_code": "courseCode",
        "account_id": "account",
        "term_id": "term",
        "state": "state",
    },
    SubjectType.SECTION: _RECORD
    | _DATES
    | {
        "integration_id": "integrationId",
        "course_id": "course",
        "origin_course_id": "originCourse",
        "state": "state",
    },
    SubjectType.USER: _RECORD
    | {
        "integration_id": "integrationId",
        "uuid": "uuid",
        "login_id": "loginId",
        "state": "state",
        "sortable_name": "sortableName",
        "short_name": "shortName",
        "given_name": "givenName",
        "family_name": "familyName",
        "pronouns": "pronouns",
        "email": "email",
    },
    SubjectType.ENROLLMENT: _DATES
    | {
        "canvas_id": "canvasId",
        "course_id": "course",
        "section_id": "section",
        "person_id": "user",
        "type": "type",
        "role": "role",
        "role_id": "roleId",
        "state": "state",
        "limit_to_section": "limitPrivilegesToCourseSection",
        "associated_person_id": "associatedUser",
    },
    SubjectType.MEMBERSHIP: {
        "course_id": "course",
        "person_id": "user",
        "types": "types",
        "roles": "roles",
        "state": "state",
        "ended_at": "endedAt",
    },
}

# Beside people themselves: each is about one.
ABOUT_PEOPLE = frozenset({SubjectType.ENROLLMENT, SubjectType.MEMBERSHIP})

REFERENCES: Mapping[str, SubjectType] = {
    "parent": SubjectType.ACCOUNT,
    "account": SubjectType.ACCOUNT,
    "term": SubjectType.TERM,
    "course": SubjectType.COURSE,
    "originCourse": SubjectType.COURSE,
    "section": SubjectType.SECTION,
    "user": SubjectType.USER,
    "associatedUser": SubjectType.USER,
}
