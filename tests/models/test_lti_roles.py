"""LTI's role words as Canvas and others spell them."""

import pytest

from models.lti_roles import enrollment_types, is_administrator, is_test_user
from models.roster import EnrollmentType as Type

V2 = "http://purl.imsglobal.org/vocab/lis/v2"

# What Canvas sends for each of its types (canvas-lms: lib/lti/substitutions_helper.rb, lti_user_creator.rb), and others.
ROLES: dict[str, tuple[list[str], tuple[Type, ...]]] = {
    "1.3 student": ([f"{V2}/membership#Learner"], (Type.STUDENT,)),
    "1.3 teacher": ([f"{V2}/membership#Instructor"], (Type.TEACHER,)),
    "1.3 TA": (
        [f"{V2}/membership#Instructor", f"{V2}/membership/Instructor#TeachingAssistant"],
        (Type.TA,),
    ),
    "1.3 TA of Canvas's LTI 2 spelling": (
        [f"{V2}/membership/instructor#TeachingAssistant"],
        (Type.TA,),
    ),
    "1.3 designer": ([f"{V2}/membership#ContentDeveloper"], (Type.DESIGNER,)),
    "1.3 observer": ([f"{V2}/membership#Mentor"], (Type.OBSERVER,)),
    "1.3 several": (
        [f"{V2}/membership#Mentor", f"{V2}/membership#Learner"],
        (Type.STUDENT, Type.OBSERVER),
    ),
    "1.3 admin, teacher elsewhere": (
        [f"{V2}/institution/person#Administrator", f"{V2}/institution/person#Instructor"],
        (),
    ),
    "1.3 other sub-role": ([f"{V2}/membership/Instructor#Grader"], (Type.TEACHER,)),
    "1.3 member of a group": ([f"{V2}/membership#Member"], ()),
    "https": (["https://purl.imsglobal.org/vocab/lis/v2/membership#Learner"], (Type.STUDENT,)),
    "1.1 student": (["Learner"], (Type.STUDENT,)),
    "1.1 TA": (["urn:lti:role:ims/lis/TeachingAssistant"], (Type.TA,)),
    "1.1 teacher and TA": (
        ["Instructor", "urn:lti:role:ims/lis/TeachingAssistant"],
        (Type.TEACHER, Type.TA),
    ),
    "1.1 observer": (["urn:lti:instrole:ims/lis/Observer"], (Type.OBSERVER,)),
    "1.1 observer in ext_roles": (
        ["urn:lti:role:ims/lis/Learner/NonCreditLearner"],
        (Type.OBSERVER,),
    ),
    "1.1 nobody here": (["urn:lti:sysrole:ims/lis/None"], ()),
    "short": (["Mentor"], (Type.OBSERVER,)),
    "unknown": (["Wizard", "urn:lti:role:ims/lis/Wizard", "http://example.edu/roles#Learner"], ()),
    "nothing": ([], ()),
    "no text": ([""], ()),
}


@pytest.mark.parametrize(("roles", "expected"), ROLES.values(), ids=ROLES)
def test_roles_in_a_course(roles: list[str], expected: tuple[Type, ...]) -> None:
    assert expected == enrollment_types(roles)


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (f"{V2}/institution/person#Administrator", True),
        (f"{V2}/system/person#SysAdmin", True),
        ("urn:lti:instrole:ims/lis/Administrator", True),
        ("urn:lti:sysrole:ims/lis/SysAdmin", True),
        (f"{V2}/membership#Administrator", False),
        (f"{V2}/institution/person#Instructor", False),
        ("Administrator", False),
    ],
)
def test_administrators(role: str, *, expected: bool) -> None:
    assert expected == is_administrator([role])


def test_a_test_student_is_told_by_a_system_role() -> None:
    roles = [
        f"{V2}/membership#Learner",
        "http://purl.imsglobal.org/vocab/lti/system/person#TestUser",
    ]

    assert is_test_user(roles)
    assert not is_test_user(roles[:1])
