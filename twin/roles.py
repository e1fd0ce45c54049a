"""The roles of the generated school: Canvas's built-in ones and some a school would add.

Fact sheet roster-rest.md section 4.
"""

from collections.abc import Iterator
from datetime import datetime

from twin.records import Role
from twin.school import ROOT_ACCOUNT_ID, School

BUILT_IN = {
    "AccountAdmin": ("Account Admin", "AccountMembership"),
    "AccountMembership": ("Account Membership", "AccountMembership"),
    "StudentEnrollment": ("Student", "StudentEnrollment"),
    "TeacherEnrollment": ("Teacher", "TeacherEnrollment"),
    "TaEnrollment": ("TA", "TaEnrollment"),
    "DesignerEnrollment": ("Designer", "DesignerEnrollment"),
    "ObserverEnrollment": ("Observer", "ObserverEnrollment"),
}

CUSTOM: tuple[tuple[str, str, dict[str, bool]], ...] = (
    ("Grader", "TaEnrollment", {"manage_students": False, "view_user_logins": False}),
    ("Auditor", "StudentEnrollment", {"read_roster": False}),
    ("Peer Tutor", "StudentEnrollment", {"view_all_grades": True}),
    ("Parent Representative", "ObserverEnrollment", {"read_roster": True}),
    (
        "Registrar",
        "AccountMembership",
        {"read_roster": True, "read_sis": True, "read_course_list": True, "view_user_logins": True},
    ),
    (
        "Help Desk",
        "AccountMembership",
        {"read_roster": True, "become_user": True, "read_course_list": True},
    ),
)
"""Name, base type and what the school changed. A Registrar lists rosters and reads no course."""


def add_roles(school: School, at: datetime) -> None:
    for name, (label, base_type) in BUILT_IN.items():
        _add(school, at, name, base_type, label=label, workflow_state="built_in")
    for name, base_type, overrides in CUSTOM:
        _add(school, at, name, base_type, overrides=overrides)
    _add(school, at, "Reader", "TaEnrollment", workflow_state="inactive")


def _add(
    school: School,
    at: datetime,
    name: str,
    base_type: str,
    *,
    label: str | None = None,
    workflow_state: str = "active",
    overrides: dict[str, bool] | None = None,
) -> None:
    school.add(
        Role(
            id=school.new_id(Role),
            account_id=ROOT_ACCOUNT_ID,
            name=name,
            label=label or name,
            base_type=base_type,
            workflow_state=workflow_state,
            created_at=at,
            updated_at=at,
            overrides=overrides or {},
        )
    )


def named_roles(school: School, name: str) -> Iterator[Role]:
    """Roles of that name that are not deleted; Canvas may have several, one an account."""
    return (
        role
        for role in school.roles.values()
        if role.name == name and role.workflow_state != "deleted"
    )


def role_id(school: School, name: str) -> int:
    """The id of a role that the school surely has."""
    return next(named_roles(school, name)).id


def built_in_role_id(school: School, enrollment_type: str) -> int:
    """The built-in role of an enrollment type; a test student has a student's."""
    student_view = enrollment_type == "StudentViewEnrollment"
    return role_id(school, "StudentEnrollment" if student_view else enrollment_type)
