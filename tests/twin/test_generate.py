"""The generated school: the same from the same seed, of the size asked for, with its oddities."""

import dataclasses
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.twin.conftest import MakeTwin, Twin
from twin.calendar import half_year
from twin.options import Options
from twin.records import COURSE_TYPES
from twin.school import School


def snapshot(school: School) -> list[object]:
    tables = (school.users, school.pseudonyms, school.courses, school.sections, school.enrollments)
    return [dataclasses.asdict(row) for table in tables for row in table.values()]


def test_the_same_seed_makes_the_same_school(make_twin: MakeTwin) -> None:
    """Down to uuids and tokens; another seed makes another one."""
    one, two, other = make_twin(), make_twin(), make_twin(seed=2)

    assert snapshot(one.school) == snapshot(two.school)
    assert one.cast.tokens == two.cast.tokens
    assert one.cast.tokens["admin"] != other.cast.tokens["admin"]
    assert one.school.users[60].name != other.school.users[60].name or snapshot(
        one.school
    ) != snapshot(other.school)


@pytest.mark.parametrize(
    ("courses", "users", "big"), [(10, 60, 20), (40, 1500, 2000), (25, 300, 90)]
)
async def test_sizes_are_what_was_asked_for(
    make_twin: MakeTwin, courses: int, users: int, big: int
) -> None:
    """As an admin's lists count them: courses and users, and the rows of the big course."""
    twin = make_twin(courses=courses, users=users, big=big, enrollments=None)
    school = twin.school
    ethics = next(course for course in school.courses.values() if "Ethics" in course.name)
    listed = await twin.pages("/api/v1/accounts/1/courses", per_page=100)
    people = await twin.pages("/api/v1/accounts/1/users", per_page=100)
    rows = await twin.pages(f"/api/v1/courses/{ethics.id}/enrollments", per_page=100)

    assert (courses, users, big) == (len(listed), len(people), len(rows))


def test_the_default_size_has_25_enrollments_for_every_3_users(make_twin: MakeTwin) -> None:
    """And what the observers add."""
    twin = make_twin(courses=40, users=1500, big=2000, enrollments=None)

    assert 12_500 <= len(twin.school.enrollments) <= 12_500 * 1.03


@pytest.mark.parametrize("option", [{"courses": 3}, {"users": 10}, {"big": 1}])
def test_too_small_a_school_is_refused(option: dict[str, Any]) -> None:
    """The cast needs its room."""
    with pytest.raises(ValueError, match="at least"):
        Options(**option)


def test_every_type_and_state_occurs(twin: Twin) -> None:
    """All enrollment types, all stored states, custom roles, limits and observers' students."""
    rows = twin.school.enrollments.values()

    assert {*COURSE_TYPES, "StudentViewEnrollment"} == {row.type for row in rows}
    assert {
        "active",
        "invited",
        "creation_pending",
        "completed",
        "inactive",
        "rejected",
        "deleted",
    } == {row.workflow_state for row in rows}
    assert {"Grader", "Auditor"} <= {twin.school.roles[row.role_id].name for row in rows}
    assert any(row.limit_privileges_to_course_section for row in rows)
    assert any(row.associated_user_id for row in rows)
    assert {"available", "claimed", "created", "completed", "deleted"} == {
        course.workflow_state for course in twin.school.courses.values()
    }


def test_people_are_odd(make_twin: MakeTwin) -> None:
    """Logins, addresses, SIS ids and names as schools have them."""
    school = make_twin(users=1500).school
    logins = Counter(login.user_id for login in school.pseudonyms.values())
    addresses = Counter(channel.path for channel in school.channels.values())
    sis_ids = {login.sis_user_id for login in school.pseudonyms.values() if login.sis_user_id}
    names = [user.name for user in school.users.values()]

    assert 2 in logins.values()
    assert any(user_id not in logins for user_id in school.users)
    assert any(user_id not in school.channels_of_user for user_id in school.users)
    assert any(login.sis_user_id is None for login in school.pseudonyms.values())
    assert addresses.most_common(1)[0][1] > 1
    assert all(any(mark in text for text in sis_ids) for mark in "/+% ,")
    assert any(text.startswith("00") for text in sis_ids)
    assert {"123", "000123"} <= sis_ids
    assert all(any(mark in name for name in names) for mark in ("'", ",", "Ł", "李", "😀"))


def test_observers_of_the_crowd_follow_their_students(make_twin: MakeTwin) -> None:
    """One row for each of the student's, in the same section, as long as they are linked."""
    school = make_twin(users=300).school
    link = list(school.observations.values())[-1]
    followed = {
        row.section_id
        for row in school.enrollments_of_user.of(link.observer_id)
        if row.workflow_state != "deleted"
    }
    studied = {
        row.section_id
        for row in school.enrollments_of_user.of(link.student_id)
        if row.workflow_state not in {"deleted", "rejected"}
    }

    assert studied
    assert followed == studied


def test_sections_are_cross_listed(make_twin: MakeTwin) -> None:
    """Beside the cast's, some of the crowd's."""
    sections = make_twin(courses=60).school.sections.values()

    assert 2 <= sum(section.nonxlist_course_id is not None for section in sections)


@pytest.mark.parametrize(
    ("now", "name"),
    [
        (datetime(2026, 1, 1, 6, 59, tzinfo=UTC), "Fall 2025"),
        (datetime(2026, 1, 1, 7, 0, tzinfo=UTC), "Spring 2026"),
        (datetime(2026, 6, 30, 12, tzinfo=UTC), "Spring 2026"),
        (datetime(2026, 12, 31, 23, tzinfo=UTC), "Fall 2026"),
    ],
)
def test_a_term_always_runs(now: datetime, name: str) -> None:
    """Half-years follow each other without a gap."""
    half = half_year(now)

    assert name == half.name
    assert half.start_at <= now <= half.end_at
    assert (half.next.start_at - half.end_at).total_seconds() == 1
