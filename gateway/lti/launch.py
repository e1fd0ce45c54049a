"""A launch: who comes, from where, with which roles; the same value for LTI 1.3 and 1.1.

Pure. `gateway.lti.claims` and `gateway.lti.form` read their version's words into `Told`; `launch_of` makes one meaning of
them. An unexpanded variable (`$Canvas.user.id`) says nothing, so it is dropped before anything is matched.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from gateway.identity import Alias, alias
from models import canvas_ids, lti_roles
from models.roles import CANVAS_TYPES
from models.roster import CourseState, EnrollmentState, EnrollmentType, IdentityKind

REAL_USER = "canvas_masquerading_user_id"
SECTION_RESTRICTED = "canvas_section_restricted"
CANVAS = "canvas"  # the product family code of Canvas

# Custom fields that the gateway asks Canvas for (`gateway.lti.configuration`), by the names of Canvas's own in LTI 1.1.
CUSTOM_FIELDS: Mapping[str, str] = {
    "canvas_user_id": "$Canvas.user.id",
    "canvas_user_global_id": "$Canvas.user.globalId",
    "canvas_user_uuid": "$vnd.instructure.User.uuid",
    "canvas_user_login_id": "$Canvas.user.loginId",
    "canvas_user_sis_id": "$Canvas.user.sisSourceId",
    "canvas_user_integration_id": "$Canvas.user.sisIntegrationId",
    "canvas_course_id": "$Canvas.course.id",
    "canvas_course_sis_id": "$Canvas.course.sisSourceId",
    "canvas_course_workflow_state": "$Canvas.course.workflowState",
    "canvas_section_ids": "$Canvas.course.sectionIds",
    SECTION_RESTRICTED: "$Canvas.course.sectionRestricted",
    "canvas_section_sis_ids": "$Canvas.course.sectionSisSourceIds",
    "canvas_section_names": "$com.instructure.User.sectionNames",
    "canvas_enrollment_state": "$Canvas.enrollment.enrollmentState",
    "canvas_membership_roles": "$Canvas.membership.roles",
    "canvas_account_id": "$Canvas.account.id",
    "canvas_root_account_global_id": "$Canvas.root_account.global_id",
    "canvas_root_account_uuid": "$vnd.Canvas.root_account.uuid",
    "canvas_api_domain": "$Canvas.api.domain",
    "canvas_term_id": "$Canvas.term.id",
    "canvas_term_name": "$Canvas.term.name",
    REAL_USER: "$Canvas.masqueradingUser.id",
}

_COURSE_STATES = {
    "created": CourseState.UNPUBLISHED,
    "claimed": CourseState.UNPUBLISHED,
    "available": CourseState.AVAILABLE,
    "completed": CourseState.COMPLETED,
}
_ENROLLMENT_STATES = {"active": EnrollmentState.ACTIVE, "inactive": EnrollmentState.INACTIVE}
_IN_MEMBERSHIPS_URL = re.compile(r"/api/lti/courses/([0-9]{1,18})/names_and_roles(?:\?|$)")
_COURSE_TYPES = frozenset({"courseoffering", "coursesection", "coursetemplate"})


class Place(StrEnum):
    COURSE = "course"
    ACCOUNT = "account"
    ELSEWHERE = "elsewhere"  # a group, a person's own pages, nowhere


@dataclass(frozen=True, kw_only=True)
class Told:
    """A launch in its platform's words. Texts are None or say something.

    `custom` has only what was expanded, and what nobody but the platform's administrators can have set.
    """

    version: str
    sub: str | None = None
    lti11_ids: frozenset[str] = frozenset()
    name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    email: str | None = None
    picture: str | None = None
    sis_user_id: str | None = None
    roles: tuple[str, ...] = ()
    context_id: str | None = None
    context_title: str | None = None
    context_label: str | None = None
    context_types: tuple[str, ...] = ()
    course_sis_id: str | None = None
    custom: Mapping[str, str] = field(default_factory=dict)
    product: str | None = None
    platform_guid: str | None = None
    platform_name: str | None = None
    memberships_url: str | None = None
    resource_link_id: str | None = None
    return_url: str | None = None
    target: str | None = None
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Launch:
    """A verified launch. `person` and `course` are columns of their tables, only those that it told something for.

    `aliases` is empty for an anonymous visitor. `real_user`: the Canvas id of whoever acts as the person.
    `shard`: where the platform says that it lives; `root_account`: what it calls the whole school. `sections`: Canvas ids of
    the only ones whose people the person may see; None where the platform does not say that they are limited.
    """

    version: str
    at: datetime
    aliases: frozenset[Alias]
    test_student: bool
    person: Mapping[str, str | int]
    place: Place
    context_id: str | None
    course: Mapping[str, str | int]
    account_canvas_id: int | None
    roles: tuple[str, ...]
    types: tuple[EnrollmentType, ...]
    state: EnrollmentState | None
    administrator: bool
    sections: frozenset[int] | None
    real_user: str | None
    shard: int | None
    root_account: int | None
    platform_guid: str | None
    platform_name: str | None
    memberships_url: str | None
    resource_link_id: str | None
    return_url: str | None
    target: str | None

    @property
    def shown(self) -> tuple[str, ...]:
        """What the privacy level let through."""
        words = {"name": "name", "email": "email", "avatar_url": "picture", "sis_id": "sis"}
        return tuple(word for column, word in words.items() if column in self.person)


def said(value: object, *, longest: int = 10_000) -> str | None:
    """A text that says something: not null, blank, too long to be kept, or a variable that the platform left as it was."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        return None
    text = str(value).replace("\0", "").strip()  # PostgreSQL keeps no NUL
    return None if not text or text.startswith("$") or len(text) > longest else text


def launch_of(told: Told, *, scope: str, shard: int) -> Launch:
    """`scope`: what a `sub` is unique in (the platform's registration). `shard`: of the institution, as far as known."""
    own_shard = _shard_of(told) or shard
    place = _place(told)
    course = _course(told, own_shard) if place is Place.COURSE else {}
    types = _types(told) if place is Place.COURSE else ()
    account = told.custom.get("canvas_account_id") if place is Place.ACCOUNT else None
    person = _person(told, own_shard)
    return Launch(
        version=told.version,
        at=told.at,
        aliases=_aliases(told, person, scope),
        test_student=lti_roles.is_test_user(told.roles),
        person=person,
        place=place,
        context_id=told.context_id,
        course=course,
        account_canvas_id=_global(account, own_shard),
        roles=_roles(told, place),
        types=types,
        state=_ENROLLMENT_STATES.get(told.custom.get("canvas_enrollment_state", "")),
        administrator=lti_roles.is_administrator(told.roles),
        sections=_sections(told, own_shard) if place is Place.COURSE else None,
        real_user=told.custom.get(REAL_USER),
        shard=_shard_of(told),
        root_account=_root_account(told),
        platform_guid=told.platform_guid,
        platform_name=told.platform_name,
        memberships_url=told.memberships_url,
        resource_link_id=told.resource_link_id,
        return_url=told.return_url,
        target=told.target,
    )


def _place(told: Told) -> Place:
    """Canvas says `Account` where LTI asks for a URI; in 1.1 it says nothing, but only courses have a label."""
    kinds = {re.split("[#/:]", kind)[-1].lower() for kind in told.context_types}
    if kinds:
        if kinds & _COURSE_TYPES:
            return Place.COURSE
        return Place.ACCOUNT if "account" in kinds else Place.ELSEWHERE
    if told.context_id is None:
        return Place.ELSEWHERE
    if told.product != CANVAS or told.context_label or "canvas_course_id" in told.custom:
        return Place.COURSE
    return Place.ACCOUNT if "canvas_account_id" in told.custom else Place.ELSEWHERE


def _aliases(told: Told, person: Mapping[str, str | int], scope: str) -> frozenset[Alias]:
    """Nothing where there is no person: a custom field that a platform filled all the same proves nobody."""
    if told.sub is None and not told.lti11_ids:
        return frozenset()
    found = [
        alias(IdentityKind.LTI13_SUB, told.sub, scope=scope),
        *(alias(IdentityKind.LTI11_USER_ID, one) for one in told.lti11_ids),
        alias(IdentityKind.SIS_USER_ID, told.sis_user_id),
        *(alias(kind, _text(person.get(column))) for kind, column in _ALIAS_COLUMNS.items()),
    ]
    return frozenset(one for one in found if one is not None)


_ALIAS_COLUMNS = {
    IdentityKind.CANVAS_GLOBAL_ID: "canvas_id",
    IdentityKind.CANVAS_UUID: "uuid",
    IdentityKind.SIS_USER_ID: "sis_id",
    IdentityKind.INTEGRATION_ID: "integration_id",
    IdentityKind.LOGIN_ID: "login_id",
    IdentityKind.EMAIL: "email",
}


def _person(told: Told, shard: int) -> dict[str, str | int]:
    custom = told.custom
    sortable = (
        f"{told.family_name}, {told.given_name}" if told.family_name and told.given_name else None
    )
    return _present(
        {
            "name": told.name,
            "sortable_name": sortable,
            "given_name": told.given_name,
            "family_name": told.family_name,
            "email": told.email,
            "avatar_url": told.picture,
            "canvas_id": _global(
                custom.get("canvas_user_global_id") or custom.get("canvas_user_id"), shard
            ),
            "uuid": custom.get("canvas_user_uuid"),
            "login_id": custom.get("canvas_user_login_id"),
            "sis_id": told.sis_user_id or custom.get("canvas_user_sis_id"),
            "integration_id": custom.get("canvas_user_integration_id"),
        }
    )


def _course(told: Told, shard: int) -> dict[str, str | int]:
    custom = told.custom
    spelled = custom.get("canvas_course_id")
    if spelled is None and told.product == CANVAS and told.memberships_url:
        in_url = _IN_MEMBERSHIPS_URL.search(told.memberships_url)
        spelled = in_url[1] if in_url else None
    state = _COURSE_STATES.get(custom.get("canvas_course_workflow_state", ""))
    return _present(
        {
            "canvas_id": _global(spelled, shard),
            "sis_id": told.course_sis_id or custom.get("canvas_course_sis_id"),
            "name": told.context_title,
            "course_code": told.context_label,
            "state": state.value if state else None,
        }
    )


def _roles(told: Told, place: Place) -> tuple[str, ...]:
    """From an account's pages with Canvas's own names of the roles there: LTI's word is said of those of any account."""
    if place is not Place.ACCOUNT:
        return told.roles
    return (*told.roles, *_role_names(told))


def _role_names(told: Told) -> list[str]:
    names = told.custom.get("canvas_membership_roles", "").split(",")
    return [name.strip() for name in names if name.strip()]


def _types(told: Told) -> tuple[EnrollmentType, ...]:
    """Canvas's own names for the roles tell a person who is teacher and TA from a TA; custom ones are not known here."""
    names = _role_names(told)
    found = {CANVAS_TYPES[name] for name in names if name in CANVAS_TYPES}
    if found and len(found) == len(set(names)):
        return tuple(kind for kind in EnrollmentType if kind in found)
    return lti_roles.enrollment_types(told.roles)


def _sections(told: Told, shard: int) -> frozenset[int] | None:
    """A limit without sections shows nobody else."""
    if told.custom.get(SECTION_RESTRICTED) != "true":
        return None
    spelled = told.custom.get("canvas_section_ids", "").split(",")
    return frozenset(one for text in spelled if (one := _global(text.strip(), shard)) is not None)


def _root_account(told: Told) -> int | None:
    root = _global(told.custom.get("canvas_root_account_global_id"), 0)
    return root if root and root >= canvas_ids.SHARD_SIZE else None


def _shard_of(told: Told) -> int | None:
    root = _root_account(told)
    return root // canvas_ids.SHARD_SIZE if root else None


def _global(spelled: str | None, shard: int) -> int | None:
    if spelled is None:
        return None
    try:
        return canvas_ids.to_global(spelled, shard)
    except ValueError:
        return None  # another platform's custom field of that name


def _present(columns: Mapping[str, str | int | None]) -> dict[str, str | int]:
    """What was told; an id that is longer than any id is kept (`models.tables`) is none."""
    return {
        name: value
        for name, value in columns.items()
        if value is not None and not (isinstance(value, str) and len(value) > _longest(name))
    }


def _longest(column: str) -> int:
    return {"uuid": 64}.get(column, 255 if column.endswith("_id") else 10_000)


def _text(value: str | int | None) -> str | None:
    return None if value is None else str(value)
