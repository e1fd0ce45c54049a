"""Which rows the parameters of an enrollment list leave.

Fact sheet enrollments-api.md sections 2.1 and 2.4.
"""

from collections.abc import Callable, Iterable

from twin import errors, ids
from twin.call import Call
from twin.permissions import account_chain, course_rights, root_rights
from twin.records import COURSE_TYPES, Account, Course, Enrollment
from twin.school import School

Rule = Callable[[Enrollment], bool]

SIS_FILTERS = ("sis_account_id", "sis_course_id", "sis_section_id", "sis_user_id")


def apply_filters(
    call: Call, rows: Iterable[Enrollment], course: Course | None
) -> list[Enrollment]:
    """The rows that every given parameter lets through; `course` is None on a user's list."""
    rules = [*_rules(call, course)]
    return [row for row in rows if all(rule(row) for rule in rules)]


def _rules(call: Call, course: Course | None) -> Iterable[Rule]:
    if call.params.text("grading_period_id"):
        # The twin's school keeps no grading periods, so every id is unknown.
        raise errors.error("invalid grading_period_id")
    account = call.school.accounts[course.account_id] if course else call.school.root
    yield from _kind_rules(call, account)
    if course is None or call.params.text("user_id"):
        yield from _term_rules(call)
    yield from _sis_rules(call, course)


def _kind_rules(call: Call, account: Account) -> Iterable[Rule]:
    """`role_id[]` wins over `role[]`, and that over `type[]`."""
    role_ids = call.params.texts_or_text("role_id")
    roles = call.params.texts_or_text("role")
    types = call.params.texts_or_text("type")
    if role_ids:
        wanted = {ids.plain_id(call.school, text) for text in role_ids}
        yield lambda row: row.role_id in wanted
    elif roles:
        named = {_role_id(call.school, account, name) for name in roles}
        yield lambda row: row.role_id in named
    elif types:
        yield lambda row: row.type in types


def _role_id(school: School, account: Account, name: str) -> int:
    chain = {above.id for above in account_chain(school, account.id)}
    for role in school.roles.values():
        if role.name != name or role.account_id not in chain or role.base_type not in COURSE_TYPES:
            continue
        if role.workflow_state != "deleted":
            return role.id
    raise errors.BadRequest


def _term_rules(call: Call) -> Iterable[Rule]:
    text = call.params.text("enrollment_term_id")
    if text:
        term = ids.found(ids.find_term(call.school, text))
        yield lambda row: call.school.courses[row.course_id].term_id == term.id


def _sis_rules(call: Call, course: Course | None) -> Iterable[Rule]:
    asked = {name: set(call.params.texts_or_text(name)) for name in SIS_FILTERS}
    asked = {name: values for name, values in asked.items() if values}
    if not asked:
        return
    rights = root_rights(call.school, call.user)
    if course is not None:
        rights |= course_rights(call.school, call.user, course)
    if not rights & {"read_sis", "manage_sis"}:
        raise errors.message("Insufficient permissions to filter by SIS fields")
    school = call.school
    if accounts := asked.get("sis_account_id"):
        yield (
            lambda row: (
                school.accounts[school.courses[row.course_id].account_id].sis_source_id in accounts
            )
        )
    if courses := asked.get("sis_course_id"):
        yield lambda row: school.courses[row.course_id].sis_source_id in courses
    if sections := asked.get("sis_section_id"):
        yield lambda row: school.sections[row.section_id].sis_source_id in sections
    if users := asked.get("sis_user_id"):
        yield _sis_user_rule(call, course, users)


def _sis_user_rule(call: Call, course: Course | None, wanted: set[str]) -> Rule:
    school = call.school
    if call.params.flag("created_for_sis_id"):
        return lambda row: (
            row.sis_pseudonym_id is not None
            and school.pseudonyms[row.sis_pseudonym_id].sis_user_id in wanted
        )
    kept = {"active", "suspended"}
    if call.options.sis_user_id_by_search:
        if any(len(value) < 2 for value in wanted):
            raise errors.short_search_term()
        if course is None:
            raise errors.internal_error()
        kept = {"active"}
    return lambda row: any(
        login.sis_user_id in wanted and login.workflow_state in kept
        for login in school.pseudonyms_of_user.of(row.user_id)
    )
