"""Who may do what: role permissions, admins, date states, section limits.

Fact sheets roster-rest.md sections 4 and 5.4, enrollments-api.md section 2.2.
"""

from datetime import datetime

from twin.date_states import date_state
from twin.records import TEACHER_LIKE, Account, Course, Enrollment, Role, User
from twin.school import ROOT_ACCOUNT_ID, School

_STUDENT = frozenset({"read_roster"})
_DESIGNER = frozenset(
    {
        "read_roster",
        "manage_students",
        "add_student_to_course",
        "remove_student_from_course",
        "add_observer_to_course",
        "remove_observer_from_course",
        "read_course_content",
        "use_student_view",
    }
)
_TA = _DESIGNER | {
    "view_all_grades",
    "manage_grades",
    "view_user_logins",
    "read_email_addresses",
    "read_reports",
}
_TEACHER = _TA | {
    "read_sis",
    "allow_course_admin_actions",
    "add_teacher_to_course",
    "add_ta_to_course",
    "add_designer_to_course",
    "remove_teacher_from_course",
    "remove_ta_from_course",
    "remove_designer_from_course",
}
_ACCOUNT_ONLY = frozenset(
    {
        "create_courses",
        "manage_account_memberships",
        "manage_account_settings",
        "manage_courses",
        "manage_courses_admin",
        "manage_developer_keys",
        "manage_role_overrides",
        "manage_user_details",
        "manage_user_observers",
        "read_course_list",
        "temporary_enrollments_add",
        "temporary_enrollments_delete",
        "temporary_enrollments_edit",
        "view_statistics",
    }
)
ROOT_ONLY = frozenset({"become_user", "import_sis", "manage_sis", "manage_user_logins"})
"""Rights that count only for a membership in the root account."""

DEFAULTS: dict[str, frozenset[str]] = {
    "StudentEnrollment": _STUDENT,
    "StudentViewEnrollment": _STUDENT,
    "ObserverEnrollment": frozenset(),
    "DesignerEnrollment": _DESIGNER,
    "TaEnrollment": _TA,
    "TeacherEnrollment": _TEACHER,
    "AccountAdmin": _TEACHER | _ACCOUNT_ONLY | ROOT_ONLY,
    "AccountMembership": frozenset(),
}
"""Default holders by base type; every school can change each (`Role.overrides`)."""

ROLE_PERMISSIONS = DEFAULTS["AccountAdmin"]
ACCOUNT_PERMISSIONS = ROLE_PERMISSIONS | {"read", "read_as_admin", "read_terms"}
COURSE_PERMISSIONS = (_TEACHER | {"manage_sis"}) | {
    "read",
    "read_as_admin",
    "read_prior_roster",
    "manage",
}

ROSTER_RIGHTS = frozenset({"read_roster", "view_all_grades", "manage_grades"})
"""Any of them lists a course's people."""
FULL_ROSTER_RIGHTS = frozenset(
    {"view_all_grades", "manage_grades", "manage_students", "read_as_admin"}
)
"""Any of them shows more than `read_roster` alone."""

Rights = frozenset[str]


def role_permissions(role: Role) -> Rights:
    """What the role is granted: the defaults of its base with the school's changes over them."""
    base = role.name if role.name in DEFAULTS else role.base_type
    granted = set(DEFAULTS[base])
    for permission, enabled in role.overrides.items():
        (granted.add if enabled else granted.discard)(permission)
    return frozenset(granted)


def account_chain(school: School, account_id: int) -> list[Account]:
    """The account and all above it, the root last."""
    chain = [school.accounts[account_id]]
    while (parent_id := chain[-1].parent_id) is not None:
        chain.append(school.accounts[parent_id])
    return chain


def account_rights(school: School, user: User, account: Account) -> Rights:
    """What the user's admin roles on the account and above it allow there."""
    above = {held.id for held in account_chain(school, account.id)}
    rights: set[str] = set()
    for admin in school.admins_of_user.of(user.id):
        if admin.workflow_state != "active" or admin.account_id not in above:
            continue
        role = school.roles[admin.role_id]
        if role.workflow_state in {"inactive", "deleted"}:
            continue
        granted = role_permissions(role)
        rights |= granted if admin.account_id == ROOT_ACCOUNT_ID else granted - ROOT_ONLY
        rights |= {"read", "read_as_admin", "read_terms"}
    return frozenset(rights)


def root_rights(school: School, user: User) -> Rights:
    return account_rights(school, user, school.root)


def is_admin_somewhere(school: School, user: User) -> bool:
    return any(admin.workflow_state == "active" for admin in school.admins_of_user.of(user.id))


def own_enrollments(school: School, user: User, course: Course) -> list[Enrollment]:
    return [row for row in school.enrollments_of_user.of(user.id) if row.course_id == course.id]


def course_rights(school: School, user: User, course: Course) -> Rights:
    """Every right of the user on the course, by enrollment and by admin role together."""
    now = school.clock.now()
    rights: set[str] = set()
    for row in own_enrollments(school, user, course):
        rights |= enrollment_rights(school, row, course, now)
    admin = account_rights(school, user, school.accounts[course.account_id])
    rights |= admin - {"read"}
    if "read_course_content" in admin or course.is_public:
        rights.add("read")
    if rights & {"manage_students", "manage_courses"}:
        rights.add("manage")
    return frozenset(rights)


def enrollment_rights(school: School, row: Enrollment, course: Course, now: datetime) -> Rights:
    """What one enrollment gives today: see the table of situations in roster-rest.md 4."""
    state = date_state(school, row, now)
    if course.workflow_state == "completed" and state in {"active", "invited"}:
        state = "completed"
    unpublished = course.workflow_state in {"created", "claimed"}
    teacher_like = row.type in TEACHER_LIKE
    if course.workflow_state == "deleted" or _shut_out(row, course, state):
        return frozenset()
    if unpublished and not teacher_like:
        return frozenset()
    granted = role_permissions(school.roles[row.role_id])
    if state == "completed":
        return _after_the_end(school, row, granted)
    implied = {"read", "read_as_admin"} if teacher_like else {"read"}
    return granted | implied


def _shut_out(row: Enrollment, course: Course, state: str) -> bool:
    if state in {"inactive", "creation_pending", "rejected", "deleted"}:
        return True
    if row.type in TEACHER_LIKE:
        return False
    return (state == "completed" and course.restrict_student_past_view) or (
        state.startswith("pending_") and course.restrict_student_future_view
    )


def _after_the_end(school: School, row: Enrollment, granted: Rights) -> Rights:
    kept = {"view_all_grades"}
    if row.type in TEACHER_LIKE:
        kept.add("read_roster")
    if row.type in {"TeacherEnrollment", "TaEnrollment"}:
        kept.add("read_email_addresses")
        if school.options.completed_teachers_keep_sis:
            kept |= {"read_sis", "view_user_logins"}
    implied = {"read", "read_prior_roster"}
    if row.type in TEACHER_LIKE:
        implied.add("read_as_admin")
    return frozenset((granted & kept) | implied)


def may_view_as_student(school: School, user: User, test_student: User) -> bool:
    """Whether the user may use the student view of a course of this test student."""
    return any(
        "use_student_view" in course_rights(school, user, school.courses[row.course_id])
        for row in school.enrollments_of_user.of(test_student.id)
    )


def section_limit(school: School, user: User, course: Course) -> frozenset[int] | None:
    """The sections a limited caller sees; None where nothing is cut.

    Cut are callers whose own enrollments here are all section-limited, ended ones too. This is
    asked before admin rights: an admin with one limited enrollment is cut as well.
    """
    own = [row for row in own_enrollments(school, user, course) if row.workflow_state != "deleted"]
    if not own or not all(row.limit_privileges_to_course_section for row in own):
        return None
    return frozenset(row.section_id for row in own)
