"""What an enrollment lets its person do: its state, its dates, its course."""

from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.roster import CourseState, EffectiveState, EnrollmentState, EnrollmentType
from models.states import Dates, effective_dates, effective_state

NOW = datetime(2026, 9, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
NONE: Dates = (None, None)
OVER: Dates = (NOW - 2 * DAY, NOW - DAY)
TO_COME: Dates = (NOW + DAY, NOW + 2 * DAY)
RUNNING: Dates = (NOW - DAY, NOW + DAY)
HALF: Dates = (NOW + DAY, None)


@pytest.mark.parametrize(
    ("enrollment", "section", "course", "term", "expected"),
    [
        pytest.param(OVER, TO_COME, RUNNING, NONE, OVER, id="its own, both set"),
        pytest.param(HALF, TO_COME, OVER, NONE, TO_COME, id="its own, one alone has no effect"),
        pytest.param(NONE, HALF, OVER, RUNNING, HALF, id="the section's"),
        pytest.param(NONE, NONE, OVER, RUNNING, OVER, id="the course's"),
        pytest.param(NONE, NONE, NONE, RUNNING, RUNNING, id="the term's"),
        pytest.param(NONE, NONE, NONE, NONE, NONE, id="none at all"),
    ],
)
def test_the_nearest_dates_that_restrict_count(
    enrollment: Dates, section: Dates, course: Dates, term: Dates, expected: Dates
) -> None:
    assert effective_dates(enrollment, section, course, term) == expected


@pytest.mark.parametrize(
    ("stored", "type_", "course", "dates", "expected"),
    [
        ("ACTIVE", "STUDENT", "AVAILABLE", RUNNING, "ACTIVE"),
        ("ACTIVE", "STUDENT", "AVAILABLE", NONE, "ACTIVE"),
        ("ACTIVE", "STUDENT", None, NONE, "ACTIVE"),
        ("INVITED", "STUDENT", "AVAILABLE", RUNNING, "INVITED"),
        ("ACTIVE", "STUDENT", "AVAILABLE", OVER, "COMPLETED"),
        ("INVITED", "TEACHER", "AVAILABLE", OVER, "COMPLETED"),
        ("ACTIVE", "STUDENT", "AVAILABLE", TO_COME, "PENDING"),
        ("INVITED", "OBSERVER", "AVAILABLE", HALF, "PENDING"),
        ("ACTIVE", "TEACHER", "AVAILABLE", TO_COME, "INACTIVE"),
        ("ACTIVE", "TA", "AVAILABLE", TO_COME, "INACTIVE"),
        ("ACTIVE", "DESIGNER", "AVAILABLE", TO_COME, "INACTIVE"),
        ("ACTIVE", "STUDENT", "UNPUBLISHED", RUNNING, "PENDING"),
        ("ACTIVE", "TEACHER", "UNPUBLISHED", RUNNING, "ACTIVE"),
        ("ACTIVE", "STUDENT", "COMPLETED", RUNNING, "COMPLETED"),
        ("ACTIVE", "STUDENT", "COMPLETED", TO_COME, "COMPLETED"),
        ("ACTIVE", "STUDENT", "DELETED", RUNNING, "DELETED"),
        ("CREATION_PENDING", "STUDENT", "AVAILABLE", OVER, "PENDING"),
        ("INACTIVE", "STUDENT", "AVAILABLE", OVER, "INACTIVE"),
        ("COMPLETED", "STUDENT", "AVAILABLE", RUNNING, "COMPLETED"),
        ("REJECTED", "STUDENT", "AVAILABLE", RUNNING, "REJECTED"),
        ("DELETED", "STUDENT", "AVAILABLE", RUNNING, "DELETED"),
    ],
)
def test_what_an_enrollment_lets_its_person_do(
    stored: str, type_: str, course: str | None, dates: Dates, expected: str
) -> None:
    state = effective_state(
        stored=stored, type=type_, course=course, section_deleted=False, dates=dates, now=NOW
    )

    assert state == expected


def test_nobody_is_in_a_deleted_section() -> None:
    state = effective_state(
        stored="ACTIVE", type="STUDENT", course=None, section_deleted=True, dates=NONE, now=NOW
    )

    assert state is EffectiveState.DELETED


@given(st.datetimes(timezones=st.just(UTC)), st.sampled_from([NONE, OVER, TO_COME, RUNNING, HALF]))
def test_whatever_comes_together_there_is_an_answer(now: datetime, dates: Dates) -> None:
    for stored, type_, course in product(EnrollmentState, EnrollmentType, [None, *CourseState]):
        state = effective_state(
            stored=stored, type=type_, course=course, section_deleted=False, dates=dates, now=now
        )
        assert isinstance(state, EffectiveState)
        if stored not in (EnrollmentState.ACTIVE, EnrollmentState.INVITED):
            assert state != EffectiveState.ACTIVE
