"""The report files on logins, enrollments, observers and admins.

Fact sheet reports.md §4.2, §4.7, §4.10 and §4.11.
"""

from collections.abc import Iterator

from twin.date_states import date_state
from twin.records import Enrollment, Pseudonym, User
from twin.report_extract import Cells, Extract

ROLE_WORDS = {
    "StudentEnrollment": "student",
    "TeacherEnrollment": "teacher",
    "TaEnrollment": "ta",
    "ObserverEnrollment": "observer",
    "DesignerEnrollment": "designer",
}
ENROLLMENT_WORDS = {"creation_pending": "invited", "completed": "concluded"}


def users(extract: Extract) -> Iterator[Cells]:
    """One row per login: two logins are two rows, and nobody without a login has any."""
    scope = None if extract.whole else extract.associated()
    for login in list(extract.school.pseudonyms.values()):
        user = extract.school.users[login.user_id]
        if user.is_test_student or not (scope is None or user.id in scope):
            continue
        if login.workflow_state == "deleted" and not (
            extract.wanted.include_deleted and login.sis_user_id
        ):
            continue
        if (login.sis_user_id or not extract.sis) and extract.keeps(login.sis_batch_id):
            yield _user_cells(extract, login, user)


def _user_cells(extract: Extract, login: Pseudonym, user: User) -> Cells:
    last, _, first = user.sortable_name.partition(", ")
    return {
        "canvas_user_id": user.id,
        "user_id": login.sis_user_id,
        "integration_id": login.integration_id,
        "authentication_provider_id": login.authentication_provider_id,
        "login_id": login.unique_id,
        "first_name": first,
        "last_name": last,
        "full_name": user.name,
        "sortable_name": user.sortable_name,
        "short_name": user.short_name,
        "email": _email(extract, user),
        "status": login.workflow_state,
        "created_by_sis": login.sis_batch_id is not None,
        "pronouns": user.pronouns,
        "uuid": user.uuid,
    }


def _email(extract: Extract, user: User) -> str | None:
    channels = [
        channel
        for channel in extract.school.channels_of_user.of(user.id)
        if channel.path_type == "email" and channel.workflow_state != "retired"
    ]
    first = min(channels, key=lambda channel: (channel.position, channel.id), default=None)
    return first.path if first else None


def enrollments(extract: Extract) -> Iterator[Cells]:
    """By id, the one order that Canvas promises."""
    school = extract.school
    for enrollment in sorted(school.enrollments.values(), key=lambda row: row.id):
        course = school.courses[enrollment.course_id]
        section = school.sections[enrollment.section_id]
        if (
            enrollment.type == "StudentViewEnrollment"
            or not extract.in_scope(course)
            or not _enrollment_asked(extract, enrollment)
            or (extract.sis and not (course.sis_source_id or section.sis_source_id))
        ):
            continue
        ended = school.options.newest_exporter and _ended(extract, enrollment)
        login = extract.login(enrollment.user_id)
        if login is not None and (extract.wanted.include_deleted or not ended):
            yield _enrollment_cells(extract, enrollment, login, ended=ended)


def _enrollment_asked(extract: Extract, enrollment: Enrollment) -> bool:
    """Judge by the enrollment's own state: those of its section and course do not count here."""
    state, wanted = enrollment.workflow_state, extract.wanted
    if wanted.types and enrollment.type not in wanted.types:
        return False
    if wanted.states and state not in wanted.states:
        return False
    if extract.sis and state in {"invited", "creation_pending", "rejected"}:
        return False
    if state == "completed" and not wanted.include_deleted:
        return False
    if state == "deleted":
        temporary = enrollment.temporary_source_user_id is not None and not extract.sis
        touched = enrollment.sis_batch_id is not None or temporary
        return wanted.include_deleted and touched and extract.keeps(enrollment.sis_batch_id)
    return extract.keeps(enrollment.sis_batch_id)


def _ended(extract: Extract, enrollment: Enrollment) -> bool:
    return date_state(extract.school, enrollment, extract.now) == "completed"


def _enrollment_cells(
    extract: Extract, enrollment: Enrollment, login: Pseudonym, *, ended: bool
) -> Cells:
    school = extract.school
    course = school.courses[enrollment.course_id]
    section = school.sections[enrollment.section_id]
    role = school.roles[enrollment.role_id]
    made_with = school.pseudonyms.get(enrollment.sis_pseudonym_id or 0)
    if made_with and made_with.workflow_state != "deleted":
        login = made_with
    gone = "deleted" in {course.workflow_state, section.workflow_state}
    return {
        "canvas_course_id": course.id,
        "course_id": course.sis_source_id,
        "canvas_user_id": enrollment.user_id,
        "user_id": login.sis_user_id,
        "role": ROLE_WORDS[role.base_type] if role.workflow_state == "built_in" else role.name,
        "role_id": role.id,
        "canvas_section_id": section.id,
        "section_id": section.sis_source_id,
        "status": _enrollment_status(enrollment, ended=ended, gone=gone),
        "canvas_associated_user_id": enrollment.associated_user_id,
        "associated_user_id": extract.sis_user_id(enrollment.associated_user_id),
        "created_by_sis": enrollment.sis_batch_id is not None,
        "base_role_type": enrollment.type,
        "limit_section_privileges": enrollment.limit_privileges_to_course_section,
        "canvas_enrollment_id": enrollment.id,
        "canvas_temporary_enrollment_source_user_id": enrollment.temporary_source_user_id,
        "temporary_enrollment_source_user_id": extract.sis_user_id(
            enrollment.temporary_source_user_id
        ),
        "root_account": extract.host,
    }


def _enrollment_status(enrollment: Enrollment, *, ended: bool, gone: bool) -> str:
    """Canvas asks in this order: course or section gone, over by date, the row's own state."""
    if gone:
        return "deleted"
    state = enrollment.workflow_state
    return "concluded" if ended else ENROLLMENT_WORDS.get(state, state)


def user_observers(extract: Extract) -> Iterator[Cells]:
    """One row per pair of logins, four for two people with two logins each."""
    scope = None if extract.whole else extract.associated()
    for link in list(extract.school.observations.values()):
        if (
            (link.workflow_state == "deleted" and not extract.wanted.include_deleted)
            or not (scope is None or link.student_id in scope)
            or (extract.sis and link.sis_batch_id is None)
            or not extract.keeps(link.sis_batch_id)
        ):
            continue
        for observer in extract.usable(link.observer_id):
            for student in extract.usable(link.student_id):
                yield {
                    "canvas_observer_id": link.observer_id,
                    "observer_id": observer.sis_user_id,
                    "canvas_student_id": link.student_id,
                    "student_id": student.sis_user_id,
                    "status": link.workflow_state,
                    "created_by_sis": link.sis_batch_id is not None,
                }


def admins(extract: Extract) -> Iterator[Cells]:
    """The account's admins and those below; `created_by_sis` does not filter them."""
    school = extract.school
    for admin in list(school.admins.values()):
        if (
            admin.account_id not in extract.accounts
            or (admin.workflow_state == "deleted" and not extract.wanted.include_deleted)
            or (extract.sis and admin.sis_batch_id is None)
        ):
            continue
        account, role = school.accounts[admin.account_id], school.roles[admin.role_id]
        yield {
            "admin_user_name": school.users[admin.user_id].name,
            "canvas_user_id": admin.user_id,
            "user_id": extract.sis_user_id(admin.user_id),
            "canvas_account_id": account.id,
            "account_id": account.sis_source_id,
            "role_id": role.id,
            "role": role.name,
            "status": admin.workflow_state,
            "created_by_sis": admin.sis_batch_id is not None,
            "root_account": extract.host,
        }


PEOPLE = {
    "users": users,
    "enrollments": enrollments,
    "user_observers": user_observers,
    "admins": admins,
}
