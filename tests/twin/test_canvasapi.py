"""The twin as `canvasapi` sees it, a client nobody here wrote, over a real socket."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from canvasapi import Canvas
from canvasapi.exceptions import (
    BadRequest,
    InvalidAccessToken,
    ResourceDoesNotExist,
    Unauthorized,
)

from tests.twin.conftest import NOW, SMALL
from tests.twin.serving import served
from twin import making
from twin.access import MasqueradeLog
from twin.app import create_twin
from twin.cast import Cast
from twin.clock import FixedClock
from twin.options import Options
from twin.records import Enrollment, User
from twin.school import School


@dataclass
class Served:
    url: str
    school: School
    cast: Cast
    masquerades: MasqueradeLog
    clients: list[Any]

    def canvas(self, person: str = "admin") -> Any:
        return self.with_token(self.cast.tokens[person])

    def with_token(self, token: str) -> Any:
        with pytest.warns(UserWarning, match="HTTP"):  # it would rather speak https
            client = Canvas(self.url, token)
        self.clients.append(client)
        return client

    def demo(self, person: str = "admin") -> Any:
        return self.canvas(person).get_course(self.cast.courses["demo"].id)

    def big_roster(self) -> list[Enrollment]:
        """All enrollments of the course that has most of them."""
        return max(self.school.enrollments_of_course.values(), key=len)

    def newcomer(self) -> User:
        user = making.make_user(self.school, "Nell New")
        making.make_login(self.school, user, f"new-{user.id}")
        return user


@pytest.fixture
def twin_at() -> Iterator[Served]:
    sizes: dict[str, Any] = {**SMALL}
    app = create_twin(Options(**sizes), FixedClock(NOW))
    state = app.state
    clients: list[Any] = []
    with served(app) as url:
        yield Served(url, state.school, state.cast, state.masquerades, clients)
        for client in clients:
            client._Canvas__requester._session.close()


def test_it_lists_courses_of_a_person_and_of_an_account(twin_at: Served) -> None:
    own = {course.id for course in twin_at.canvas("teacher").get_courses()}
    everything = list(twin_at.canvas().get_account(1).get_courses(per_page=5))
    kept = {row.id for row in twin_at.school.courses.values() if row.workflow_state != "deleted"}

    assert twin_at.cast.courses["demo"].id in own
    assert twin_at.cast.courses["deleted"].id not in own
    assert kept == {course.id for course in everything}
    assert len(everything) == len(kept)


def test_it_finds_a_course_by_its_sis_id(twin_at: Served) -> None:
    course = twin_at.canvas().get_course("00420", use_sis_id=True)

    assert twin_at.cast.courses["evening"].id == course.id


def test_it_pages_enrollments_by_bookmark(twin_at: Served) -> None:
    """It always asks for pages of a hundred."""
    rows = twin_at.big_roster()
    states = sorted({row.workflow_state for row in rows})
    course = twin_at.canvas().get_course(rows[0].course_id)
    listed = [enrollment.id for enrollment in course.get_enrollments(state=states)]

    assert len(listed) > 100
    assert sorted(row.id for row in rows) == sorted(listed)


def test_it_enrols_updates_and_finds_the_row_again(twin_at: Served) -> None:
    course, user = twin_at.demo(), twin_at.newcomer()
    section = twin_at.cast.sections["demo_b"].id
    asked = {"type": "TaEnrollment", "course_section_id": section}
    made = course.enroll_user(
        user.id, enrollment={**asked, "limit_privileges_to_course_section": True}
    )
    again = course.enroll_user(user.id, enrollment=asked)
    shown = twin_at.canvas().get_account(1).get_enrollment(made.id)

    assert ("invited", section, True) == (
        made.enrollment_state,
        made.course_section_id,
        made.limit_privileges_to_course_section,
    )
    assert (made.id, False) == (again.id, again.limit_privileges_to_course_section)
    assert shown.id == made.id
    assert not hasattr(shown, "user")


def test_it_inactivates_reactivates_concludes_and_deletes(twin_at: Served) -> None:
    made = twin_at.demo().enroll_user(
        twin_at.newcomer().id, enrollment={"type": "StudentEnrollment"}
    )
    states = [
        made.deactivate("inactivate").enrollment_state,
        made.reactivate().enrollment_state,
        made.deactivate("conclude").enrollment_state,
        made.deactivate("delete").enrollment_state,
    ]

    assert ["inactive", "active", "completed", "deleted"] == states
    with pytest.raises(ResourceDoesNotExist):
        made.deactivate("delete")


def test_it_accepts_for_the_enrollee_by_masquerading(twin_at: Served) -> None:
    user = twin_at.newcomer()
    made = twin_at.demo().enroll_user(user.id, enrollment={"type": "StudentEnrollment"})

    with pytest.raises(Unauthorized):
        made.accept()
    assert made.accept(as_user_id=user.id) is True
    assert "active" == twin_at.school.enrollments[made.id].workflow_state
    assert [(user.id, twin_at.cast.people["admin"].id)] == [
        (call.user_id, call.real_user_id) for call in twin_at.masquerades
    ]


def test_it_sees_less_as_somebody_else(twin_at: Served) -> None:
    course = twin_at.demo()
    own = list(course.get_enrollments())
    teacher = twin_at.cast.people["limited_teacher"].id
    cut = list(course.get_enrollments(as_user_id=teacher))

    assert 0 < len(cut) < len(own)
    assert {row.id for row in cut} < {row.id for row in own}
    assert any(hasattr(row, "sis_import_id") for row in own)
    assert not any(hasattr(row, "sis_import_id") for row in cut)


def test_it_stays_somebody_else_on_every_page(twin_at: Served) -> None:
    rows = twin_at.big_roster()
    teacher = next(row for row in rows if row.type == "TeacherEnrollment").user_id
    course = twin_at.canvas().get_course(rows[0].course_id)
    listed = list(course.get_enrollments(as_user_id=teacher))

    assert len(listed) > 100
    assert [teacher] * -(-len(listed) // 100) == [call.user_id for call in twin_at.masquerades]
    assert not any(hasattr(row, "sis_import_id") for row in listed)


def test_it_reads_states_by_date_as_the_person(twin_at: Served) -> None:
    student = twin_at.cast.people["student"]
    canvas = twin_at.canvas()
    states = ["current_and_concluded"]
    acting = canvas.get_user("self", as_user_id=student.id)
    listed = list(acting.get_enrollments(state=states, as_user_id=student.id))
    asked = list(canvas.get_user(student.id).get_enrollments(state=states))

    assert student.id == acting.id
    assert {"concluded", "past"} <= {
        key
        for key, course in twin_at.cast.courses.items()
        if course.id in {row.course_id for row in listed}
    }
    assert [] == asked


def test_it_lists_a_section(twin_at: Served) -> None:
    section = twin_at.canvas().get_section("0007/B".replace("/", "%2F"), use_sis_id=True)

    assert twin_at.cast.sections["demo_b"].id == section.id
    assert {section.id} == {row.course_section_id for row in section.get_enrollments()}


def test_its_errors_are_told_apart(twin_at: Served) -> None:
    student, course = twin_at.demo("student"), twin_at.demo()

    with pytest.raises(BadRequest, match="Invalid role"):
        course.enroll_user(1, enrollment={"role": "Janitor"})
    with pytest.raises(Unauthorized, match="not authorized"):
        student.enroll_user(1, enrollment={"type": "StudentEnrollment"})
    with pytest.raises(Unauthorized, match="Invalid as_user_id"):
        list(student.get_enrollments(as_user_id=twin_at.cast.people["teacher"].id))
    with pytest.raises(ResourceDoesNotExist):
        course.enroll_user(999_999, enrollment={"type": "StudentEnrollment"})
    with pytest.raises(InvalidAccessToken):
        twin_at.with_token("nobody's").get_course(1)
