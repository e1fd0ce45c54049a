"""Canvas's own work is done by time, beside the requests and not by them."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
from starlette.responses import PlainTextResponse

from twin.background import Background
from twin.clock import FixedClock

Client = httpx.AsyncClient  # noqa: TID251  in process: there is no pool to leak
START = datetime(2026, 3, 2, tzinfo=UTC)


class SlowWork:
    """Work of several steps that is due a minute after the start."""

    def __init__(self) -> None:
        self.begun, self.may_end, self.ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.done: list[datetime] = []

    async def catch_up(self, now: datetime) -> None:
        if now < START + timedelta(minutes=1):
            return
        self.begun.set()
        await self.may_end.wait()
        self.done.append(now)
        self.ended.set()


def client(work: SlowWork, clock: FixedClock) -> Client:
    app = Background(PlainTextResponse("answered"), clock, [work])
    return Client(transport=httpx.ASGITransport(app), base_url="http://canvas.test")


async def test_what_is_not_due_is_left_alone() -> None:
    work, clock = SlowWork(), FixedClock(START)

    async with client(work, clock) as http:
        assert (await http.get("/")).text == "answered"

    assert not work.begun.is_set()


async def test_the_request_that_finds_work_waits_for_it_and_others_do_not() -> None:
    work, clock = SlowWork(), FixedClock(START)
    clock.advance(timedelta(minutes=2))

    async with client(work, clock) as http:
        first = asyncio.create_task(http.get("/"))
        await work.begun.wait()
        assert (await http.get("/")).text == "answered"
        assert not first.done()
        work.may_end.set()
        assert (await first).text == "answered"

    assert work.done == [START + timedelta(minutes=2)]


async def test_a_client_that_hangs_up_does_not_break_the_work_off() -> None:
    work, clock = SlowWork(), FixedClock(START)
    clock.advance(timedelta(minutes=1))

    async with client(work, clock) as http:
        first = asyncio.create_task(http.get("/"))
        await work.begun.wait()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        work.may_end.set()
        await work.ended.wait()

    assert work.done == [START + timedelta(minutes=1)]
