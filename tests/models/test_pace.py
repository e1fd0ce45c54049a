"""When what is under way will have ended, as far as its pace tells."""

from datetime import UTC, datetime, timedelta

import pytest

from models.pace import expected_end

NOW = datetime(2026, 9, 15, 12, tzinfo=UTC)
A_MINUTE_AGO = NOW - timedelta(minutes=1)


@pytest.mark.parametrize(
    ("progress", "paced_from", "seconds"),
    [
        (0.5, 0.0, 60),
        (0.4, 0.1, 120),
        (0.99, 0.0, 1),
        (0.1, 0.05, 1080),
    ],
)
def test_it_goes_on_at_the_pace_that_it_had(
    progress: float, paced_from: float, seconds: int
) -> None:
    end = expected_end(progress=progress, paced_from=paced_from, paced_at=A_MINUTE_AGO, now=NOW)

    assert end == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("progress", "paced_from", "paced_at"),
    [
        (0.5, None, None),
        (0.5, 0.1, NOW - timedelta(seconds=1)),
        (0.11, 0.1, A_MINUTE_AGO),
        (0.05, 0.7, A_MINUTE_AGO),
        (1.0, 0.1, A_MINUTE_AGO),
    ],
    ids=["nothing begun", "just begun", "hardly moved", "begun anew", "ended"],
)
def test_where_no_pace_tells_it_is_not_known(
    progress: float, paced_from: float | None, paced_at: datetime | None
) -> None:
    assert (
        expected_end(progress=progress, paced_from=paced_from, paced_at=paced_at, now=NOW) is None
    )
