"""Moments and durations, in and out."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from graphql import GraphQLError
from hypothesis import given
from hypothesis import strategies as st

from models.moments import moment_text
from resolvers.scalars import duration, duration_text, moment

NOON = datetime(2026, 9, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-09-01T12:00:00Z", NOON),
        ("2026-09-01t12:00:00z", NOON),
        ("2026-09-01 12:00:00Z", NOON),
        ("2026-09-01T14:00:00+02:00", NOON),
        ("2026-09-01T12:00:00.25Z", NOON + timedelta(milliseconds=250)),
    ],
)
def test_a_moment_is_rfc_3339(text: str, expected: datetime) -> None:
    assert moment(text) == expected
    assert moment(text).utcoffset() == timedelta()


@pytest.mark.parametrize(
    "wrong",
    ["2026-09-01", "2026-09-01T12:00:00", "2026-02-31T12:00:00Z", "0001-01-01T00:00:00+14:00",
     "tomorrow", "", "\uff12026-09-01T12:00:00Z", 5, None, True],
)  # fmt: skip
def test_what_is_no_moment_is_refused(wrong: object) -> None:
    with pytest.raises(GraphQLError, match="is no DateTime"):
        moment(wrong)


@given(st.datetimes(timezones=st.just(UTC)))
def test_moments_come_back(value: datetime) -> None:
    assert moment(moment_text(value)) == value
    assert moment_text(value).endswith("Z")


def test_a_moment_is_told_in_utc_whoever_kept_it() -> None:
    assert moment_text(NOON.astimezone(timezone(timedelta(hours=2)))) == "2026-09-01T12:00:00Z"
    assert moment_text("2026-09-01 12:00:00.250000+00:00") == "2026-09-01T12:00:00.250000Z"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PT5M", timedelta(minutes=5)),
        ("PT0S", timedelta()),
        ("P1DT2H3M4.5S", timedelta(days=1, hours=2, minutes=3, seconds=4.5)),
        ("P2W", timedelta(weeks=2)),
        ("PT90S", timedelta(seconds=90)),
    ],
)
def test_a_duration_is_iso_8601(text: str, expected: timedelta) -> None:
    assert duration(text) == expected


@pytest.mark.parametrize(
    "wrong", ["", "P", "PT", "P1DT", "5M", "P1Y", "P1M", "PT-5M", "P99999999999D", 300, None]
)
def test_what_is_no_duration_is_refused(wrong: object) -> None:
    with pytest.raises(GraphQLError, match="is no Duration"):
        duration(wrong)


@given(st.timedeltas(min_value=timedelta(), max_value=timedelta(days=10**6)))
def test_durations_come_back(value: timedelta) -> None:
    assert duration(duration_text(value)) == value
