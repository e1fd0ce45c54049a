"""What a person's enrollments and admin roles are called in LTI 1.1 and 1.3 (fact sheet lti-launch.md §4.1).

Site admins are left out: they belong to Instructure, no school has one.
"""

from collections.abc import Iterable
from dataclasses import dataclass

V2 = "http://purl.imsglobal.org/vocab/lis/v2"
# vocab/lti, not vocab/lis/v2: the one role of Canvas that lives elsewhere.
TEST_USER = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"

_LEARNER = f"{V2}/membership#Learner"
_INSTRUCTOR = f"{V2}/membership#Instructor"

MEMBERSHIP: dict[str, tuple[str, ...]] = {
    "StudentEnrollment": (_LEARNER,),
    "TeacherEnrollment": (_INSTRUCTOR,),
    "TaEnrollment": (_INSTRUCTOR, f"{V2}/membership/Instructor#TeachingAssistant"),
    "DesignerEnrollment": (f"{V2}/membership#ContentDeveloper",),
    "ObserverEnrollment": (f"{V2}/membership#Mentor",),
    "StudentViewEnrollment": (_LEARNER, TEST_USER),
}

_SHORT_V1 = {
    "StudentEnrollment": "Learner",
    "TeacherEnrollment": "Instructor",
    "TaEnrollment": "urn:lti:role:ims/lis/TeachingAssistant",
    "DesignerEnrollment": "ContentDeveloper",
    # Canvas calls an observer an institution role here and a learner of sorts in `ext_roles`.
    "ObserverEnrollment": "urn:lti:instrole:ims/lis/Observer",
    "StudentViewEnrollment": "Learner",
}
_FULL_V1 = {
    "StudentEnrollment": "urn:lti:role:ims/lis/Learner",
    "TeacherEnrollment": "urn:lti:role:ims/lis/Instructor",
    "TaEnrollment": "urn:lti:role:ims/lis/TeachingAssistant",
    "DesignerEnrollment": "urn:lti:role:ims/lis/ContentDeveloper",
    "ObserverEnrollment": "urn:lti:role:ims/lis/Learner/NonCreditLearner",
    "StudentViewEnrollment": "urn:lti:role:ims/lis/Learner",
}
_ADMIN_V1 = "urn:lti:instrole:ims/lis/Administrator"
_NONE_V1 = "urn:lti:sysrole:ims/lis/None"
_ANYWHERE_V1 = {
    "TeacherEnrollment": "urn:lti:instrole:ims/lis/Instructor",
    "StudentEnrollment": "urn:lti:instrole:ims/lis/Student",
    "ObserverEnrollment": "urn:lti:role:ims/lis/Learner/NonCreditLearner",
}
_ANYWHERE_V2 = {
    "TeacherEnrollment": f"{V2}/institution/person#Instructor",
    "StudentEnrollment": f"{V2}/institution/person#Student",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person is in one context and in the whole root account."""

    here: tuple[str, ...] = ()  # enrollment types in the launched course, by enrollment id
    anywhere: frozenset[str] = frozenset()  # enrollment types in any course of the root account
    admin_here: bool = False  # an account role on the context's account or above it
    admin_anywhere: bool = False
    anonymous: bool = False


def short_v1(standing: Standing) -> list[str]:
    """`roles` of a 1.1 launch: this context only."""
    found = [_SHORT_V1[kind] for kind in standing.here]
    found += [_ADMIN_V1] * standing.admin_here
    return list(dict.fromkeys(found)) or [_NONE_V1]


def full_v1(standing: Standing) -> list[str]:
    """`ext_roles` of a 1.1 launch: `$Canvas.xuser.allRoles`, sorted."""
    if standing.anonymous:
        return [_NONE_V1]
    found = {_FULL_V1[kind] for kind in standing.here}
    found |= {uri for kind, uri in _ANYWHERE_V1.items() if kind in standing.anywhere}
    found |= {_ADMIN_V1} if standing.admin_here or standing.admin_anywhere else set()
    return sorted(found | {"urn:lti:sysrole:ims/lis/User"})


def v2(standing: Standing) -> list[str]:
    """`roles` of a 1.3 launch: this context, the institution and the system, sorted."""
    if standing.anonymous:
        return [f"{V2}/system/person#None"]
    found = set(membership(standing.here))
    found |= {uri for kind, uri in _ANYWHERE_V2.items() if kind in standing.anywhere}
    if standing.admin_here or standing.admin_anywhere:
        found.add(f"{V2}/institution/person#Administrator")
    return sorted(found | {f"{V2}/system/person#User"})


def membership(kinds: Iterable[str]) -> list[str]:
    """The context roles alone, as NRPS sends them: unique, in no promised order."""
    return list(dict.fromkeys(uri for kind in kinds for uri in MEMBERSHIP[kind]))


def kinds_with(uri: str) -> frozenset[str]:
    """The enrollment types that NRPS's `role` parameter selects; an unmapped URI selects none."""
    return frozenset(kind for kind, uris in MEMBERSHIP.items() if uri in uris)
