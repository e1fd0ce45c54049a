"""Role words of LTI, in all their spellings, each mapped to the one word of the unified model.

A full URI of LIS v2 (LTI 1.3), a URN of LIS v1 (LTI 1.1), or a short name, which always means a role in the context
(LTI 1.3 core, section A.2). Only roles in the context say anything about a course; an administrator of the institution is
nobody in it.
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

from models.roster import EnrollmentType


class Realm(StrEnum):
    """What a role is held in."""

    CONTEXT = "context"
    INSTITUTION = "institution"
    SYSTEM = "system"


class LtiRole(NamedTuple):
    """Names are in lower case: Canvas's own spellings differ in it."""

    realm: Realm
    name: str
    sub: str = ""


_V2 = re.compile(
    r"https?://purl\.imsglobal\.org/vocab/(?:lis/v2|lti)/"
    r"(?P<realm>membership|institution|system)(?:/person)?(?:/(?P<principal>\w+))?#(?P<name>\w+)",
    re.IGNORECASE,
)
_V1 = re.compile(
    r"urn:lti:(?P<realm>role|instrole|sysrole):ims/lis/(?P<name>\w+)(?:/(?P<sub>\w+))?",
    re.IGNORECASE,
)
_REALMS = {
    "membership": Realm.CONTEXT,
    "role": Realm.CONTEXT,
    "institution": Realm.INSTITUTION,
    "instrole": Realm.INSTITUTION,
    "system": Realm.SYSTEM,
    "sysrole": Realm.SYSTEM,
}

_TYPES = {
    "learner": EnrollmentType.STUDENT,
    "instructor": EnrollmentType.TEACHER,
    "teachingassistant": EnrollmentType.TA,
    "contentdeveloper": EnrollmentType.DESIGNER,
    "mentor": EnrollmentType.OBSERVER,
}
_ADMINISTRATORS = frozenset(
    {
        LtiRole(Realm.INSTITUTION, "administrator"),
        LtiRole(Realm.SYSTEM, "administrator"),
        LtiRole(Realm.SYSTEM, "sysadmin"),
    }
)
ACCOUNT_ADMIN = (
    "Account Admin"  # as $Canvas.membership.roles has it (canvas-lms: app/models/account_user.rb)
)
_TEST_USER = LtiRole(Realm.SYSTEM, "testuser")
# In 1.1 Canvas calls an observer this, although it is a role in the course (canvas-lms: lib/lti/substitutions_helper.rb).
_OBSERVER = LtiRole(Realm.INSTITUTION, "observer")


def parse(text: str) -> LtiRole | None:
    """None for what is no role."""
    text = text.strip()
    if match := _V2.fullmatch(text):
        realm, name = _REALMS[match["realm"].lower()], match["name"].lower()
        principal = (match["principal"] or "").lower()
        return LtiRole(realm, principal, name) if principal else LtiRole(realm, name)
    if match := _V1.fullmatch(text):
        realm = _REALMS[match["realm"].lower()]
        return LtiRole(realm, match["name"].lower(), (match["sub"] or "").lower())
    return LtiRole(Realm.CONTEXT, text.lower()) if text.isalpha() and text.isascii() else None


def enrollment_types(texts: Iterable[str]) -> tuple[EnrollmentType, ...]:
    """What these roles are in their context, in the model's order; empty where they say nothing known.

    In LTI 1.3 a TA is told as TA and Instructor, so Instructor beside it adds nothing: somebody who is both looks like a
    TA, the less powerful.
    """
    texts = tuple(texts)
    found = {kind for role in map(parse, texts) if role and (kind := _type(role))}
    if EnrollmentType.TA in found and not any(text.lower().startswith("urn:") for text in texts):
        found.discard(EnrollmentType.TEACHER)
    return tuple(kind for kind in EnrollmentType if kind in found)


def is_administrator(texts: Iterable[str]) -> bool:
    """Whether they administer the institution or some account of it; LTI does not say which."""
    return any(parse(text) in _ADMINISTRATORS for text in texts)


def is_account_admin(texts: Iterable[str]) -> bool:
    """Whether Canvas names them so in an account: its built-in role, which may do everything there unless the school says otherwise."""
    return ACCOUNT_ADMIN in texts


def is_test_user(texts: Iterable[str]) -> bool:
    return any(parse(text) == _TEST_USER for text in texts)


def _type(role: LtiRole) -> EnrollmentType | None:
    if role == _OBSERVER:
        return EnrollmentType.OBSERVER
    if role.realm is not Realm.CONTEXT:
        return None
    if role.name == "instructor" and role.sub == "teachingassistant":
        return EnrollmentType.TA
    if role.name == "learner" and role.sub == "noncreditlearner":
        return EnrollmentType.OBSERVER  # Canvas's other name for one, in `ext_roles`
    return _TYPES.get(role.name)
