"""Reading lists from a server that misbehaves in every way that Canvas, its edge and its faults do."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
import stamina
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from gateway.canvas.buckets import LocalBuckets
from gateway.canvas.client import Call, Canvas, Fixed, Meter
from gateway.errors import (
    CredentialSpent,
    CutShort,
    NotThere,
    RequestRefused,
    SourceDown,
    SourceError,
    SourceRefused,
    SourceThrottled,
)
from gateway.http.client import Client
from tests.served import served

PEOPLE = [{"id": str(n)} for n in range(1, 7)]
UNAUTHORIZED = {
    "status": "unauthorized",
    "errors": [{"message": "user not authorized to perform that action"}],
}
Script = Callable[[Request, int], Response]


class Scripted:
    """Two people a page; `script` may answer instead, told how many requests there have been."""

    def __init__(self, script: Script | None = None) -> None:
        self.requests: list[Request] = []
        self._script = script
        self.app = Starlette(routes=[Route("/{path:path}", self.answer, methods=["GET", "POST"])])

    async def answer(self, request: Request) -> Response:
        self.requests.append(request)
        if self._script is not None:
            scripted = self._script(request, len(self.requests))
            if scripted.status_code != 204:
                return scripted
        return page(request)


def page(request: Request, *, following: str | None = None) -> Response:
    start = int(request.query_params.get("page", "0"))
    headers = {"x-request-cost": "0.5", "x-rate-limit-remaining": "580"}
    headers["link"] = f'<{request.url}>; rel="current"'
    if start + 2 < len(PEOPLE):
        url = following or str(request.url.include_query_params(page=start + 2))
        headers["link"] += f',<{url}>; rel="next"'
    return JSONResponse(PEOPLE[start : start + 2], headers=headers)


def asked_as_ever() -> Response:
    return Response(status_code=204)


@pytest.fixture(autouse=True)
def _retries_do_not_wait() -> Iterator[None]:
    with stamina.set_testing(testing=True, attempts=3):
        yield


async def no_wait(_: float) -> None:
    return None


class Moving:
    """A clock that goes on by ten seconds at every look, so that buckets leak."""

    def __init__(self) -> None:
        self.second = 0

    def __call__(self) -> datetime:
        self.second += 10
        return datetime.fromtimestamp(1_700_000_000 + self.second, tz=UTC)


async def read(
    script: Script | None, *, as_user: str | None = None
) -> tuple[list[str], Scripted, Meter]:
    server, meter = Scripted(script), Meter()
    call = Call(credential=Fixed(secret="t"), meter=meter, as_user=as_user)
    with served(server.app) as url:
        async with Client(allows_private_networks=True) as http:
            canvas = Canvas(http=http, base_url=url, buckets=LocalBuckets(Moving(), no_wait))
            pages = canvas.pages(call, "/courses/1/enrollments", [("state[]", "active")])
            found = [row["id"] async for rows in pages for row in rows]
    return found, server, meter


async def test_a_list_is_read_to_its_end_and_paid_for() -> None:
    found, server, meter = await read(None)

    assert [row["id"] for row in PEOPLE] == found
    assert (3, 1.5) == (meter.requests, meter.quota)
    assert "application/json+canvas-string-ids" == server.requests[0].headers["accept"]
    assert "state%5B%5D=active&per_page=100" == server.requests[0].url.query


async def test_a_refusal_in_the_middle_is_waited_out_and_reading_goes_on_there() -> None:
    def script(request: Request, count: int) -> Response:
        if count == 2:
            return PlainTextResponse("403 Forbidden (Rate Limit Exceeded)\n", 403)
        return asked_as_ever()

    found, server, _ = await read(script)

    assert [row["id"] for row in PEOPLE] == found
    assert 4 == len(server.requests)


async def test_a_passing_failure_is_repeated() -> None:
    found, _, _ = await read(
        lambda _, count: Response("<html>", 502) if count == 2 else asked_as_ever()
    )

    assert len(PEOPLE) == len(found)


def at_second(answer: Callable[[Request], Response]) -> Script:
    return lambda request, count: answer(request) if count >= 2 else asked_as_ever()


FAILURES = [
    pytest.param(at_second(lambda _: Response("down", 503)), SourceDown, id="it stays down"),
    pytest.param(
        at_second(lambda _: Response("Rate Limit Exceeded", 429)),
        SourceThrottled,
        id="a throttle storm",
    ),
    pytest.param(
        at_second(lambda _: JSONResponse(PEOPLE[2:4])), CutShort, id="a page without its links"
    ),
    pytest.param(
        at_second(lambda _: JSONResponse(UNAUTHORIZED, 401)),
        SourceRefused,
        id="no permission, as 401",
    ),
    pytest.param(
        at_second(lambda _: JSONResponse(UNAUTHORIZED, 403)),
        SourceRefused,
        id="no permission, as 403",
    ),
    pytest.param(
        at_second(
            lambda _: JSONResponse({}, 401, {"www-authenticate": 'Bearer realm="canvas-lms"'})
        ),
        CredentialSpent,
        id="the token ended",
    ),
    pytest.param(at_second(lambda _: JSONResponse({}, 404)), NotThere, id="the course is gone"),
    pytest.param(
        at_second(lambda _: JSONResponse({"message": "no"}, 400)),
        RequestRefused,
        id="a wrong request",
    ),
    pytest.param(at_second(lambda _: Response("[{", 200)), CutShort, id="a body that is cut off"),
    pytest.param(
        at_second(lambda _: JSONResponse({"errors": []})),
        CutShort,
        id="an object where a list should be",
    ),
    pytest.param(
        at_second(lambda request: page(request, following="http://127.0.0.1:1/next")),
        CutShort,
        id="a foreign link",
    ),
    pytest.param(
        at_second(lambda request: page(request, following=str(request.url))),
        CutShort,
        id="a link to itself",
    ),
    pytest.param(
        at_second(
            lambda request: JSONResponse(
                PEOPLE[:2], headers={"link": f'<{request.url}&x=1>; rel="next"'}
            )
        ),
        CutShort,
        id="the first page again",
    ),
]


@pytest.mark.parametrize(("script", "error"), FAILURES)
async def test_a_list_that_does_not_end_well_is_an_error_and_never_a_short_list(
    script: Script, error: type[SourceError]
) -> None:
    with pytest.raises(error):
        await read(script)


async def test_a_masquerade_that_was_not_honoured_is_an_error() -> None:
    with pytest.raises(SourceRefused, match="token's owner"):
        await read(None, as_user="sis_user_id:S1")


async def test_a_masquerade_keeps_its_person_in_the_query() -> None:
    def script(request: Request, _: int) -> Response:
        answer = page(request)
        answer.headers["x-canvas-real-user-id"] = "1"
        return answer

    found, server, _ = await read(script, as_user="sis_user_id:S 1")

    assert len(PEOPLE) == len(found)
    assert "sis_user_id:S 1" == server.requests[0].query_params["as_user_id"]
