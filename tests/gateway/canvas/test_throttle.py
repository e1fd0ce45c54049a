from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.canvas.throttle import Bucket

NOW = datetime(2026, 9, 1, tzinfo=UTC)
AT_ONCE = timedelta(0)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_eleven_requests_run_at_once_from_an_empty_bucket_and_the_twelfth_waits() -> None:
    bucket = Bucket(at=NOW)
    started = 0
    while bucket.wait(NOW, background=False) == AT_ONCE:
        bucket = bucket.begin(NOW)
        started += 1

    assert 11 == started


def test_background_work_stops_while_people_still_get_through() -> None:
    bucket = Bucket(at=NOW, level=320)

    assert bucket.wait(NOW, background=True) > AT_ONCE
    assert AT_ONCE == bucket.wait(NOW, background=False)


def test_the_level_leaks_with_time() -> None:
    assert 400 == Bucket(at=NOW, level=300).remaining(after(10))
    assert 600 == Bucket(at=NOW, level=300).remaining(after(3600))


def test_the_header_corrects_the_model() -> None:
    bucket = Bucket(at=NOW).begin(NOW).end(after(1), cost=2.5, remaining=123.4)

    assert pytest.approx(123.4) == bucket.remaining(after(1))
    assert 0 == bucket.running


def test_without_a_header_the_cost_replaces_the_reserve() -> None:
    bucket = Bucket(at=NOW, level=100).begin(NOW).end(NOW, cost=2.5, remaining=None)

    assert 600 - 102.5 == bucket.remaining(NOW)


def test_after_a_refusal_nothing_is_sent_until_enough_has_leaked() -> None:
    bucket = Bucket(at=NOW).begin(NOW).refuse(NOW, remaining=13.7)
    wait = bucket.wait(NOW, background=False)

    assert wait >= timedelta(seconds=(50 - 13.7) / 10)
    assert AT_ONCE == bucket.wait(NOW + wait, background=False)


def test_a_refusal_without_a_header_is_believed_too() -> None:
    assert (
        Bucket(at=NOW).begin(NOW).refuse(NOW, remaining=None).wait(NOW, background=False) > AT_ONCE
    )


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0, 20)), max_size=40))
def test_one_request_at_a_time_that_obeys_the_wait_is_never_refused(
    steps: list[tuple[float, float]],
) -> None:
    """Canvas's own arithmetic beside ours: what the model lets through, Canvas takes."""
    bucket, level, now = Bucket(at=NOW), 0.0, NOW
    for pause, cost in steps:
        wait = bucket.wait(now, background=False).total_seconds()
        level = max(0.0, level - 10 * wait)
        now += timedelta(seconds=wait)
        assert level + 50 < 600
        bucket = bucket.begin(now).end(now, cost=cost, remaining=600 - (level + cost))
        level = max(0.0, level + cost - 10 * pause)
        now += timedelta(seconds=pause)
