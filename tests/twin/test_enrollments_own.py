"""A person's list, read by that person and by others: enrollments-api.md sections 2.2 and 2.3."""

from datetime import timedelta
from typing import Any

import pytest

from tests.twin.conftest import NOW, Twin
from tests.twin.enrolled import courses_path, enrolled, people_of


async def courses_listed(twin: Twin, path: str, person: str = "admin", **params: Any) -> list[str]:
    names = {course.id: key for key, course in twin.cast.courses.items()}
    rows = await twin.pages(path, person, per_page=100, **params)
    return sorted(names[row["course_id"]] for row in rows)


@pytest.mark.parametrize(
    ("states", "courses"),
    [
        (None, ["demo", "evening", "future", "open"]),
        (["active"], ["demo", "evening", "open"]),
        (["current_and_invited"], ["demo", "evening", "open"]),
        (["pending_active"], ["future"]),
        (["current_and_future"], ["demo", "evening", "future", "open", "unpublished"]),
        (["completed"], ["concluded", "past"]),
        (["current_and_concluded"], ["concluded", "demo", "evening", "open", "past"]),
        (["creation_pending"], ["unpublished"]),
    ],
)
async def test_a_student_reads_the_own_list_by_date(
    twin: Twin, states: list[str] | None, courses: list[str]
) -> None:
    params: dict[str, Any] = {} if states is None else {"state": states}

    assert courses == await courses_listed(
        twin, "/api/v1/users/self/enrollments", "student", **params
    )


@pytest.mark.parametrize(
    ("states", "courses"),
    [
        (None, ["demo", "evening", "future", "open", "unpublished"]),
        (["active"], ["demo", "evening", "open", "unpublished"]),
        (["inactive"], ["future"]),
        (["current_future_and_restricted"], ["demo", "evening", "future", "open", "unpublished"]),
        (["completed"], ["concluded", "past"]),
    ],
)
async def test_a_teacher_is_inactive_before_the_term_and_active_before_publication(
    twin: Twin, states: list[str] | None, courses: list[str]
) -> None:
    params: dict[str, Any] = {} if states is None else {"state": states}

    assert courses == await courses_listed(
        twin, "/api/v1/users/self/enrollments", "teacher", **params
    )


@pytest.mark.parametrize("state", ["deleted", "bogus"])
async def test_an_invalid_state_of_the_own_list_is_refused_by_name(twin: Twin, state: str) -> None:
    asked: tuple[tuple[str, dict[str, Any]], ...] = (
        ("/api/v1/users/self/enrollments", {}),
        (courses_path(twin), {"user_id": "self"}),
    )
    for path, extra in asked:
        response = await twin.get(path, "student", state=["active", state], **extra)

        assert (400, {"error": f"Invalid state {state}"}) == (
            response.status_code,
            response.json(),
        )


async def test_the_trick_of_acting_as_the_person_gives_states_by_date(twin: Twin) -> None:
    """The same question as oneself, and as somebody else, is answered differently."""
    student = twin.cast.people["student"].id
    states = ["current_and_concluded"]

    acting = await courses_listed(
        twin, "/api/v1/users/self/enrollments", as_user_id=student, state=states
    )
    asking = await courses_listed(twin, f"/api/v1/users/{student}/enrollments", state=states)

    assert ["concluded", "demo", "evening", "open", "past"] == acting
    assert [] == asking


async def test_of_another_user_unpublished_and_ended_courses_are_listed_by_stored_state(
    twin: Twin,
) -> None:
    path = f"/api/v1/users/{twin.cast.people['teacher'].id}/enrollments"

    assert ["demo", "evening", "future", "open", "past", "unpublished"] == await courses_listed(
        twin, path
    )
    assert ["concluded"] == await courses_listed(twin, path, state=["completed"])
    assert ["deleted"] == await courses_listed(twin, path, state=["deleted"])


async def test_own_dates_count_only_when_both_are_set(twin: Twin) -> None:
    person = twin.cast.people["student"]
    path = courses_path(twin, "open")
    (row,) = [
        row
        for row in twin.school.enrollments_of_user.of(person.id)
        if row.course_id == twin.cast.courses["open"].id
    ]
    twin.school.update(row, end_at=NOW - timedelta(days=1))
    asked: dict[str, Any] = {"user_id": "self", "state": ["active"]}

    assert ["student"] == people_of(twin, await twin.pages(path, "student", **asked))

    twin.school.update(row, start_at=NOW - timedelta(days=9))

    assert [] == await twin.pages(path, "student", **asked)


@pytest.mark.parametrize("params", [{}, {"state": ["active"]}])
async def test_an_active_student_waits_for_publication_all_the_same(
    twin: Twin, params: dict[str, Any]
) -> None:
    student = twin.cast.people["comma"]
    row = enrolled(twin, user=student, section="unpublished")
    path = "/api/v1/users/self/enrollments"
    before = await twin.pages(path, as_user_id=student.id, **params)
    twin.school.update(twin.cast.courses["unpublished"], workflow_state="available")
    after = await twin.pages(path, as_user_id=student.id, **params)

    assert row.id not in {item["id"] for item in before}
    assert row.id in {item["id"] for item in after}
