"""People and enrollments that a test of the enrollment endpoints starts from."""

from typing import Any

from tests.twin.conftest import Twin
from twin.making import make_enrollment, make_login, make_user
from twin.records import Enrollment, User
from twin.roles import built_in_role_id

FIVE_TYPES = (
    "StudentEnrollment",
    "TeacherEnrollment",
    "TaEnrollment",
    "DesignerEnrollment",
    "ObserverEnrollment",
)


def newcomer(twin: Twin, name: str = "Nell New") -> User:
    """Somebody with a login who is in no course yet."""
    user = make_user(twin.school, name)
    make_login(twin.school, user, f"new-{user.id}", sis_user_id=f"NEW-{user.id}")
    return user


def enrolled(
    twin: Twin,
    kind: str = "StudentEnrollment",
    state: str = "active",
    *,
    user: User | None = None,
    section: str = "demo",
    **fields: Any,
) -> Enrollment:
    """An enrollment in the cast's section, of a newcomer where nobody is named."""
    role_id = built_in_role_id(twin.school, kind)
    place = twin.cast.sections[section]
    person = user or newcomer(twin)
    return make_enrollment(twin.school, person, place, kind, role_id, state, **fields)


def courses_path(twin: Twin, course: str = "demo", rest: str = "") -> str:
    return f"/api/v1/courses/{twin.cast.courses[course].id}/enrollments{rest}"


def people_of(twin: Twin, rows: list[dict[str, Any]]) -> list[str]:
    """The cast's names of the listed people, sorted; one for each row."""
    names = {user.id: key for key, user in twin.cast.people.items()}
    return sorted(names.get(row["user_id"], str(row["user_id"])) for row in rows)


async def post(
    twin: Twin, path: str, person: str = "admin", /, **enrollment: Any
) -> tuple[int, Any]:
    """Status and body of a form POST of `enrollment[...]`."""
    data = {f"enrollment[{name}]": value for name, value in enrollment.items()}
    response = await twin.send("POST", path, person, data=data)
    return response.status_code, response.json()


async def made(twin: Twin, person: str = "admin", /, **enrollment: Any) -> Enrollment:
    """The row of a POST that was answered well."""
    status, body = await post(twin, courses_path(twin), person, **enrollment)
    assert status == 200, body
    return twin.school.enrollments[body["id"]]
