"""Every substitution variable: `$Canvas.user.id` and its like (fact sheet lti-launch.md §5).

Caliper, xAPI and course-copy variables are left out: the twin has nothing behind them.
"""

from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

import orjson

from twin import date_states
from twin.ids import global_id
from twin.lti import people, roles
from twin.lti.scene import LITERAL, Expander, Scene, Value
from twin.records import Course, Enrollment, Pseudonym, Term, User


def _joined(values: Iterable[object]) -> str:
    return ",".join(str(value) for value in values)


def _for_user(value: Callable[[Scene, User], Value]) -> Expander:
    return lambda scene: LITERAL if scene.user is None else value(scene, scene.user)


def _for_login(value: Callable[[Pseudonym], Value]) -> Expander:
    return lambda scene: LITERAL if scene.login is None else value(scene.login)


def _for_course(value: Callable[[Scene, Course], Value]) -> Expander:
    return lambda scene: LITERAL if scene.course is None else value(scene, scene.course)


def _for_term(value: Callable[[Term], Value]) -> Expander:
    return lambda scene: LITERAL if scene.term is None else value(scene.term)


def _for_member(value: Callable[[Scene, User, Course], Value]) -> Expander:
    def expander(scene: Scene) -> Value:
        if scene.user is None or scene.course is None:
            return LITERAL
        return value(scene, scene.user, scene.course)

    return expander


def _for_masquerader(value: Callable[[User], Value]) -> Expander:
    return lambda scene: LITERAL if scene.real_user is None else value(scene.real_user)


def _email_by_sis(scene: Scene, user: User) -> Value:
    if scene.login is None or scene.login.sis_user_id is None:
        return LITERAL
    return people.sis_email_of(scene.school, user)


def _observees(scene: Scene, user: User, course: Course) -> Value:
    observed = people.observed_in(scene.school, user, course)
    ids = (people.ids_in(scene.school, student, course) for student in observed)
    return _joined(i.lti_id if scene.tool.is_lti13 else i.lti_context_id for i in ids)


def _section_ids(scene: Scene, _user: User, _course: Course) -> Value:
    return _joined(sorted({enrollment.section_id for enrollment in scene.enrollments()}))


def _section_sis_ids(scene: Scene, _user: User, _course: Course) -> Value:
    sections = {enrollment.section_id for enrollment in scene.enrollments()}
    sis_ids = (scene.school.sections[section_id].sis_source_id for section_id in sections)
    return _joined(sorted(sis_id for sis_id in sis_ids if sis_id))


def _section_names(scene: Scene, _user: User, _course: Course) -> Value:
    active = sorted(scene.enrollments(frozenset({"active"})), key=lambda e: (e.section_id, e.id))
    return orjson.dumps([scene.school.sections[e.section_id].name for e in active]).decode()


def _section_restricted(scene: Scene, _user: User, _course: Course) -> Value:
    limits = [e.limit_privileges_to_course_section for e in scene.enrollments()]
    return bool(limits) and all(limits)


def _enrollment_state(scene: Scene) -> Value:
    """Meant for a course; a course without an enrollment of the person gives nothing."""
    if scene.course is None:
        return LITERAL
    every = scene.enrollments(people.CURRENT | {"inactive", "completed"})
    if not every:
        return None
    now = scene.school.clock.now()
    active = any(date_states.date_state(scene.school, e, now) == "active" for e in every)
    return "active" if active else "inactive"


def _membership_roles(scene: Scene, user: User) -> Value:
    return _joined(people.role_names(scene.school, user, scene.context))


def _concluded_roles(scene: Scene, _course: Course) -> Value:
    ended = scene.enrollments(frozenset({"completed"}))
    return _joined(roles.short_v1(roles.Standing(here=(kind,)))[0] for kind in _kinds(ended))


def _kinds(enrollments: Iterable[Enrollment]) -> list[str]:
    return list(dict.fromkeys(enrollment.type for enrollment in enrollments))


def _membership_uris(scene: Scene, user: User) -> Value:
    here = people.standing(scene.school, user, scene.context)
    admin = [f"{roles.V2}/institution/person#Administrator"] if here.admin_here else []
    return _joined([*roles.membership(here.here), *admin])


def _all_roles(scene: Scene) -> Value:
    return _joined(roles.v2(people.standing(scene.school, scene.user, scene.context)))


def _all_roles_v1(scene: Scene) -> Value:
    return _joined(roles.full_v1(people.standing(scene.school, scene.user, scene.context)))


def _adminable_accounts(scene: Scene, user: User) -> Value:
    text = _joined(sorted(people.admin_account_ids(scene.school, user)))
    return text if len(text) <= 40_000 else text[: 40_000 - len("truncated")] + "truncated"


def _is_root_admin(scene: Scene, user: User) -> Value:
    return scene.school.root.id in people.admin_account_ids(scene.school, user)


def _uuid_here(scene: Scene, user: User) -> Value:
    return people.ids_in(scene.school, user, scene.context).uuid


def _email(scene: Scene, user: User) -> Value:
    return people.email_of(scene.school, user, sis_first=scene.tool.prefer_sis_email)


def _memberships_url(scene: Scene, course: Course) -> Value:
    return f"{scene.base_url}/api/lti/courses/{course.id}/membership_service"


_CANVAS_USER_ID = _for_user(lambda _, user: user.id)
_LOGIN_ID = _for_login(lambda login: login.unique_id)
_SIS_USER_ID = _for_login(lambda login: login.sis_user_id)
_SIS_COURSE_ID = _for_course(lambda _, course: course.sis_source_id)

_PERSON: dict[str, Expander] = {
    "Canvas.user.id": _CANVAS_USER_ID,
    "User.id": _CANVAS_USER_ID,
    "Canvas.user.globalId": _for_user(lambda scene, user: global_id(scene.school, user.id)),
    "vnd.instructure.User.uuid": _for_user(_uuid_here),
    "Canvas.user.loginId": _LOGIN_ID,
    "User.username": _LOGIN_ID,
    "Canvas.user.sisSourceId": _SIS_USER_ID,
    "Person.sourcedId": _SIS_USER_ID,
    "Canvas.user.sisIntegrationId": _for_login(lambda login: login.integration_id),
    "Person.email.primary": _for_user(_email),
    "vnd.Canvas.Person.email.sis": _for_user(_email_by_sis),
    "Person.name.full": _for_user(lambda _, user: user.name),
    "Person.name.display": _for_user(lambda _, user: user.short_name),
    "Person.name.given": _for_user(lambda _, user: people.given_and_family(user)[0]),
    "Person.name.family": _for_user(lambda _, user: people.given_and_family(user)[1]),
    "Person.address.timezone": _for_user(lambda _, user: user.time_zone),
    "User.image": _for_user(lambda scene, user: people.avatar(user, scene.base_url)),
    "Message.locale": lambda scene: people.locale_of(scene.user),
}
_COURSE: dict[str, Expander] = {
    "Canvas.course.id": _for_course(lambda _, course: course.id),
    "Canvas.course.name": _for_course(lambda _, course: course.name),
    "Canvas.course.sisSourceId": _SIS_COURSE_ID,
    "Canvas.course.workflowState": _for_course(lambda _, course: course.workflow_state),
    "Canvas.course.startAt": _for_course(lambda _, course: course.start_at),
    "Canvas.course.endAt": _for_course(lambda _, course: course.end_at),
    "Canvas.course.sectionIds": _for_member(_section_ids),
    "Canvas.course.sectionSisSourceIds": _for_member(_section_sis_ids),
    "Canvas.course.sectionRestricted": _for_member(_section_restricted),
    "com.instructure.User.sectionNames": _for_member(_section_names),
    "Canvas.group.contextIds": _for_member(lambda *_: ""),  # the twin has no groups
}
_LAUNCH_ONLY: dict[str, Expander] = {
    "vnd.instructure.User.current_uuid": _for_user(lambda _, user: user.uuid),
    "com.instructure.Person.name_sortable": _for_user(lambda _, user: user.sortable_name),
    "com.instructure.User.student_view": _for_user(lambda _, user: user.is_test_student),
    "com.instructure.User.observees": _for_member(_observees),
    "com.instructure.Context.globalId": lambda scene: global_id(scene.school, scene.context.id),
    "com.instructure.Context.uuid": lambda scene: scene.context.uuid,
    "vnd.instructure.Course.uuid": _for_course(lambda _, course: course.uuid),
    "CourseSection.sourcedId": _SIS_COURSE_ID,
    "CourseOffering.sourcedId": _SIS_COURSE_ID,
    "com.instructure.Course.integrationId": _for_course(lambda _, course: course.integration_id),
    "com.instructure.contextLabel": _for_course(lambda _, course: course.course_code),
    "Canvas.enrollment.enrollmentState": _enrollment_state,
    "Canvas.membership.roles": _for_user(_membership_roles),
    "Canvas.membership.concludedRoles": _for_course(_concluded_roles),
    "com.Instructure.membership.roles": _for_user(_membership_uris),
    "com.instructure.User.allRoles": _all_roles,
    "Canvas.xuser.allRoles": _all_roles_v1,
    "Canvas.term.id": _for_term(lambda term: term.id),
    "Canvas.term.name": _for_term(lambda term: term.name),
    "Canvas.term.startAt": _for_term(lambda term: term.start_at or LITERAL),
    "Canvas.term.endAt": _for_term(lambda term: term.end_at or LITERAL),
    "Canvas.account.id": lambda scene: scene.account.id,
    "Canvas.account.name": lambda scene: scene.account.name,
    "Canvas.account.sisSourceId": lambda scene: scene.account.sis_source_id,
    "Canvas.rootAccount.id": lambda scene: scene.school.root.id,
    "Canvas.rootAccount.sisSourceId": lambda scene: scene.school.root.sis_source_id,
    "Canvas.root_account.global_id": lambda scene: global_id(scene.school, scene.school.root.id),
    "vnd.Canvas.root_account.uuid": lambda scene: scene.school.root.uuid,
    "Canvas.shard.id": lambda scene: scene.school.options.shard,
    "Canvas.api.domain": lambda scene: urlsplit(scene.base_url).netloc,
    "Canvas.api.baseUrl": lambda scene: scene.base_url,
    "Canvas.user.adminableAccounts": _for_user(_adminable_accounts),
    "Canvas.user.isRootAccountAdmin": _for_user(_is_root_admin),
    "Canvas.masqueradingUser.id": _for_masquerader(lambda real: real.id),
    "Canvas.masqueradingUser.userId": _for_masquerader(lambda real: real.lti_context_id),
    "Canvas.externalTool.global_id": lambda scene: global_id(scene.school, scene.tool.id),
    "ToolProxyBinding.memberships.url": _for_course(_memberships_url),
}
VARIABLES: dict[str, Expander] = {**_PERSON, **_COURSE, **_LAUNCH_ONLY}

# nrps.md §7: the newest list, and the shorter one of mid-2022.
PERSON_VARIABLES = frozenset(_PERSON)
ROSTER_VARIABLES = PERSON_VARIABLES | frozenset(_COURSE)
