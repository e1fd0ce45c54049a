from datetime import UTC, datetime, timedelta

from gateway.breaker import Breaker

NOW = datetime(2026, 9, 1, tzinfo=UTC)


def after(failures: int) -> Breaker:
    breaker = Breaker()
    for _ in range(failures):
        breaker = breaker.failed(NOW, "503")
    return breaker


def test_two_failures_change_nothing() -> None:
    assert after(2).obstacle(NOW) is None


def test_the_third_failure_opens_it_and_says_why() -> None:
    assert "it failed 3 times in a row (503); tried again in 15 s" == after(3).obstacle(NOW)


def test_after_the_pause_it_is_tried_and_a_failure_doubles_the_pause() -> None:
    assert after(3).obstacle(NOW + timedelta(seconds=15)) is None
    assert after(4).obstacle(NOW + timedelta(seconds=29)) is not None
    assert after(4).obstacle(NOW + timedelta(seconds=30)) is None


def test_the_pause_has_an_end() -> None:
    assert after(1000).obstacle(NOW + timedelta(minutes=5)) is None


def test_one_success_closes_it() -> None:
    assert Breaker() == after(7).succeeded()


def test_a_source_that_asks_for_rest_gets_it_at_once() -> None:
    throttled = Breaker().failed(NOW, "429", at_once=True)

    assert "it failed once (429); tried again in 15 s" == throttled.obstacle(NOW)
