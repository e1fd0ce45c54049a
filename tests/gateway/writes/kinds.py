"""Every kind of enrollment that a school has: Canvas's five types, and of each a role that the school made."""

from typing import NamedTuple

from models.roles import CANVAS_TYPES
from twin.records import Role
from twin.roles import built_in_role_id
from twin.school import ROOT_ACCOUNT_ID, School

TYPES = (
    "StudentEnrollment",
    "TeacherEnrollment",
    "TaEnrollment",
    "DesignerEnrollment",
    "ObserverEnrollment",
)
TEST_STUDENT = "StudentViewEnrollment"


class Kind(NamedTuple):
    """`type`: Canvas's name. `role`: of a role that the school made."""

    type: str
    role_id: int
    role: str | None = None

    def __str__(self) -> str:
        return self.role or self.type

    @property
    def asked(self) -> dict[str, str]:
        """As an input names it."""
        return {"type": CANVAS_TYPES[self.type].value} if self.role is None else {"role": self.role}


def kinds(school: School) -> list[Kind]:
    return [
        *(Kind(name, built_in_role_id(school, name)) for name in TYPES),
        *(_made(school, name) for name in TYPES),
    ]


def student_view(school: School) -> Kind:
    return Kind(TEST_STUDENT, built_in_role_id(school, TEST_STUDENT))


def _made(school: School, type_name: str) -> Kind:
    now = school.clock.now()
    name = f"Visiting {type_name.removesuffix('Enrollment')}"
    role = Role(
        id=school.new_id(Role),
        account_id=ROOT_ACCOUNT_ID,
        name=name,
        label=name,
        base_type=type_name,
        workflow_state="active",
        created_at=now,
        updated_at=now,
    )
    return Kind(type_name, school.add(role).id, name)
