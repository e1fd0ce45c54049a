"""Buckets while Redis comes and goes."""

import pytest
from redis.exceptions import ConnectionError as RedisIsDown

from gateway.canvas.buckets import LocalBuckets
from gateway.canvas.either_buckets import EitherBuckets
from gateway.canvas.throttle import HIGH_WATER_MARK, UP_FRONT
from tests.fakes import TickingClock


class Shared(LocalBuckets):
    """Shared buckets that cannot always be reached."""

    down = False

    async def admit(self, key: str, *, background: bool) -> None:
        self._reach()
        await super().admit(key, background=background)

    async def remaining(self, key: str) -> float:
        self._reach()
        return await super().remaining(key)

    def _reach(self) -> None:
        if self.down:
            raise RedisIsDown("Error 111 connecting")


async def test_while_redis_is_down_each_process_counts_for_itself(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = TickingClock()
    shared = Shared(clock)
    either = EitherBuckets(shared, LocalBuckets(clock))
    await either.admit("token", background=False)
    assert HIGH_WATER_MARK - UP_FRONT == pytest.approx(await either.remaining("token"), abs=1)

    shared.down = True
    assert HIGH_WATER_MARK == pytest.approx(await either.remaining("token"), abs=1)
    await either.admit("token", background=False)
    assert HIGH_WATER_MARK - UP_FRONT == pytest.approx(await either.remaining("token"), abs=1)
    assert 1 == caplog.text.count("buckets are not shared")

    shared.down = False
    await either.settle("token", cost=1.0, remaining=None)
    assert HIGH_WATER_MARK - 1 == pytest.approx(await either.remaining("token"), abs=1)
