"""POST of an enrollment: create, update and revive are one request, and always answer 200.

Fact sheet enrollments-api.md sections 5, 5.1 and 6. What a caller leaves out is reset.
"""

from collections.abc import Iterator

from starlette.responses import Response

from twin import errors, ids
from twin.call import Call
from twin.enrolling import (
    Identity,
    Wish,
    check_model,
    enrol,
    has_login,
    is_concluded,
    section_is_concluded,
)
from twin.making import default_section
from twin.params import Params
from twin.permissions import account_chain, course_rights
from twin.records import COURSE_TYPES, Course, Pseudonym, Role, Section, User
from twin.rest.enrollment_json import EnrollmentJson
from twin.rest.paths import course_in_path, section_in_form, section_in_path
from twin.rest.self_enrolling import self_enrol
from twin.school import School

NO_PARAMETERS = "No parameters given"
NO_USER = (
    "Can't create an enrollment without a user. Include enrollment[user_id] to create an enrollment"
)
NO_SIS_USER = (
    "Can't create an enrollment without a sis_user_id or integration_id "
    "when root_account is provided"
)
INVALID_TYPE = "Invalid type"
INVALID_ROLE = "Invalid role"
INACTIVE_ROLE = "Cannot create an enrollment with this role because it is inactive."
TYPE_MISMATCH = "The specified type must match the base type for the role"
CONCLUDED = "Can't add an enrollment to a concluded course."

ADD_RIGHTS = {
    "StudentEnrollment": "add_student_to_course",
    "TeacherEnrollment": "add_teacher_to_course",
    "TaEnrollment": "add_ta_to_course",
    "DesignerEnrollment": "add_designer_to_course",
    "ObserverEnrollment": "add_observer_to_course",
}


def create_in_course(call: Call) -> Response:
    return _create(call, course_in_path(call), None)


def create_in_section(call: Call) -> Response:
    section = section_in_path(call)
    return _create(call, call.school.courses[section.course_id], section)


def _create(call: Call, course: Course, url_section: Section | None) -> Response:
    """The checks in Canvas's order: parameters, permission, section, user, end of the course."""
    form = call.params.group("enrollment")
    if not form.values:
        raise errors.message(NO_PARAMETERS)
    if form.text("self_enrollment_code"):
        return self_enrol(call, course, form)
    role = checked_role(call, course, form)
    if not may_enrol(call, course, role.base_type):
        raise errors.Unauthorized
    section = url_section or section_in_form(call, course, form)
    user = _asked_user(call, form)
    if is_concluded(call.school, course, call.now) and not _may_enter_open_section(
        call, course, section, user
    ):
        raise errors.message(CONCLUDED)
    identity = Identity(
        user=user,
        section=section or default_section(call.school, course),
        role=role,
        associated_user_id=_associated_user_id(call, form),
    )
    check_model(call.school, course, identity)
    row = enrol(call.school, identity, _wish(call, form))
    return call.json(EnrollmentJson(call).of(row))


# -- 1: parameters ---------------------------------------------------------------------------------


def checked_role(call: Call, course: Course, form: Params) -> Role:
    """The role that role_id, role or type name; all parameter errors are told at once."""
    faults = [*_user_faults(call, form)]
    role = _named_role(call.school, course, form)
    faults += _role_faults(role, form)
    if faults or role is None:
        raise errors.message(", ".join(faults))
    return role


def _user_faults(call: Call, form: Params) -> Iterator[str]:
    if call.params.text("root_account"):
        if not form.text("sis_user_id") and not form.text("integration_id"):
            yield NO_SIS_USER
    elif not form.text("user_id"):
        yield NO_USER


def _named_role(school: School, course: Course, form: Params) -> Role | None:
    """`role_id` first, else `role`, else `type`, else a student."""
    if text := form.text("role_id"):
        number = ids.plain_id(school, text)
        return None if number is None else school.roles.get(number)
    chain = {account.id for account in account_chain(school, course.account_id)}
    name = form.text("role")
    wanted = name or form.text("type") or "StudentEnrollment"
    for role in school.roles.values():
        if role.name != wanted or role.account_id not in chain or role.workflow_state == "deleted":
            continue
        if name or role.workflow_state == "built_in":
            return role
    return None


def _role_faults(role: Role | None, form: Params) -> Iterator[str]:
    by_role = bool(form.text("role_id") or form.text("role"))
    if role is None or role.workflow_state == "deleted" or role.base_type not in COURSE_TYPES:
        yield INVALID_ROLE if by_role else INVALID_TYPE
        return
    if role.workflow_state == "inactive":
        yield INACTIVE_ROLE
    if form.text("type") and form.text("type") != role.base_type:
        yield TYPE_MISMATCH


# -- 2 to 5: permission, section, user, end of the course ------------------------------------------


def may_enrol(call: Call, course: Course, enrollment_type: str) -> bool:
    if course.template:
        return False
    if course.blueprint and enrollment_type in {"StudentEnrollment", "ObserverEnrollment"}:
        return False
    return ADD_RIGHTS[enrollment_type] in course_rights(call.school, call.user, course)


def _asked_user(call: Call, form: Params) -> User:
    """A person with a login in the root account; everybody else is not found."""
    if domain := call.params.text("root_account"):
        user = _trusted_user(call, domain, form)
    else:
        user = ids.find_user(call.school, form.text("user_id") or "", call.user)
    if user is None or not has_login(call.school, user):
        raise errors.NotFound
    return user


def _trusted_user(call: Call, domain: str, form: Params) -> User | None:
    """The school trusts no other account, so only its own domain finds anybody."""
    if domain not in {call.request.url.netloc, call.request.url.hostname}:
        return None
    for key, name in (("sis_user_id", "sis_user_id"), ("sis_integration_id", "integration_id")):
        if value := form.text(name):
            login = call.school.find(Pseudonym, key, value)
            return None if login is None else call.school.users[login.user_id]
    return None


def _may_enter_open_section(
    call: Call, course: Course, section: Section | None, user: User
) -> bool:
    """People already in a concluded course may be put in a section that is still open."""
    if section is None or section_is_concluded(call.school, course, section, call.now):
        return False
    return any(
        row.course_id == course.id and row.workflow_state != "deleted"
        for row in call.school.enrollments_of_user.of(user.id)
    )


# -- 6: what the row becomes -----------------------------------------------------------------------


def _associated_user_id(call: Call, form: Params) -> int | None:
    """Plain ids only. Whatever is no user's id breaks on the foreign key: 500 (inferred)."""
    text = form.text("associated_user_id")
    if not text:
        return None
    number = ids.plain_id(call.school, text)
    if number is None or number not in call.school.users:
        raise errors.internal_error()
    return number


def _wish(call: Call, form: Params) -> Wish:
    source = pairing = None
    if call.options.temporary_enrollments:
        source = ids.plain_id(call.school, form.text("temporary_enrollment_source_user_id") or "")
        pairing = ids.plain_id(call.school, form.text("temporary_enrollment_pairing_id") or "")
    both = source is not None and pairing is not None
    return Wish(
        state=form.text("enrollment_state") or None,
        limit_privileges=form.flag("limit_privileges_to_course_section"),
        start_at=form.time("start_at"),
        end_at=form.time("end_at"),
        self_enrolled=form.flag("self_enrolled") if form.text("self_enrolled") else None,
        temporary_source_user_id=source if both else None,
        temporary_pairing_id=pairing if both else None,
    )
