"""The guarded client against a real server: limits, redirects, credentials, failures in our words."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import dataclass

import httpx
import pytest
from pytest_httpx import HTTPXMock
from starlette.applications import Starlette
from starlette.requests import Request as Received
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from gateway import errors
from gateway.http.client import Auth, Client, Request
from tests.served import served

SIZE = 300_000


async def echo(request: Received) -> JSONResponse:
    """What arrived, with a cookie and a Link header."""
    headers = dict(request.headers)
    answer = JSONResponse({"path": request.url.path, "headers": headers})
    answer.set_cookie("session", "of-somebody")
    answer.headers["link"] = '<https://canvas.test/x?page=2>; rel="next", </x>; rel="current"'
    return answer


async def large(_request: Received) -> Response:
    return Response(b"x" * SIZE)


async def packed(_request: Received) -> Response:
    return Response(gzip.compress(b"x" * SIZE), headers={"content-encoding": "gzip"})


async def garbled(_request: Received) -> Response:
    return Response(b"not gzip", headers={"content-encoding": "gzip"})


async def dripping(_request: Received) -> StreamingResponse:
    async def drops() -> AsyncIterator[bytes]:
        while True:
            yield b"."
            await asyncio.sleep(0.01)

    return StreamingResponse(drops())


async def silent(_request: Received) -> Response:
    await asyncio.sleep(0.5)
    return Response()


async def redirecting(request: Received) -> RedirectResponse:
    return RedirectResponse(request.query_params["to"])


async def refusing(request: Received) -> Response:
    fine = request.headers.get("authorization") == "Bearer fresh"
    return Response(status_code=200 if fine else 401)


APP = Starlette(
    routes=[
        Route("/echo", echo, methods=["GET", "POST"]),
        Route("/large", large),
        Route("/packed", packed),
        Route("/garbled", garbled),
        Route("/dripping", dripping),
        Route("/silent", silent),
        Route("/redirecting", redirecting),
        Route("/refusing", refusing),
    ]
)


@dataclass(frozen=True)
class Outside:
    here: str
    elsewhere: str


@pytest.fixture(scope="module")
def outside() -> Iterator[Outside]:
    """Two servers: a host, and another one."""
    with served(APP) as here, served(APP) as elsewhere:
        yield Outside(here, elsewhere)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    timeouts = httpx.Timeout(connect=1, read=0.2, write=1, pool=0.1)
    async with Client(allows_private_networks=True, max_connections=2, timeouts=timeouts) as opened:
        yield opened


class Refreshing(Auth):
    """A token that has to be renewed once."""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["authorization"] = "Bearer stale"
        answer = yield request
        if answer.status_code == 401:
            request.headers["authorization"] = "Bearer fresh"
            yield request


async def test_an_answer_is_given_whole(client: Client, outside: Outside) -> None:
    answer = await client.send(
        Request("POST", f"{outside.here}/echo", params={"q": "1"}, json={"a": 1})
    )

    assert 200 == answer.status
    assert f"{outside.here}/echo?q=1" == answer.url
    assert "application/json" == answer.headers["Content-Type"]
    assert {"next": "https://canvas.test/x?page=2", "current": "/x"} == answer.links
    assert b'"user-agent":"roster-gateway"' in answer.body


async def test_a_refusal_is_an_answer(client: Client, outside: Outside) -> None:
    assert 401 == (await client.send(Request("GET", f"{outside.here}/refusing"))).status


async def test_a_token_flow_may_send_again(client: Client, outside: Outside) -> None:
    request = Request("GET", f"{outside.here}/refusing")

    assert 200 == (await client.send(request, auth=Refreshing())).status


async def test_no_cookie_is_kept_for_the_next_request(client: Client, outside: Outside) -> None:
    await client.send(Request("GET", f"{outside.here}/echo"))
    answer = await client.send(Request("GET", f"{outside.here}/echo"))

    assert "set-cookie" in answer.headers
    assert b"of-somebody" not in answer.body


async def test_no_proxy_is_taken_from_the_environment(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")

    async with Client(allows_private_networks=True) as client:
        assert 200 == (await client.send(Request("GET", f"{outside.here}/echo"))).status


@pytest.mark.parametrize("path", ["large", "packed"])
async def test_an_answer_over_the_limit_is_refused_and_one_at_it_is_not(
    client: Client, outside: Outside, path: str
) -> None:
    request = Request("GET", f"{outside.here}/{path}")

    with pytest.raises(errors.AnswerUnusable, match="more than 299999 bytes"):
        await client.send(request, max_bytes=SIZE - 1)
    assert SIZE == len((await client.send(request, max_bytes=SIZE)).body)


async def test_a_download_over_the_limit_is_refused(client: Client, outside: Outside) -> None:
    request = Request("GET", f"{outside.here}/large")

    with pytest.raises(errors.AnswerUnusable, match="more than 299999 bytes"):
        async with client.stream(request, max_bytes=SIZE - 1) as download:
            _ = [chunk async for chunk in download.chunks]


async def test_an_answer_that_never_ends_is_refused(client: Client, outside: Outside) -> None:
    request = Request("GET", f"{outside.here}/dripping")

    with pytest.raises(errors.AnswerUnusable, match=r"took more than 0\.1 s"):
        await client.send(request, max_seconds=0.1)


async def test_a_download_may_be_left_half_read(client: Client, outside: Outside) -> None:
    """More often than there are connections."""
    for _ in range(4):
        async with client.stream(
            Request("GET", f"{outside.here}/dripping"), max_bytes=SIZE
        ) as download:
            assert b"." == await anext(download.chunks)

    assert 200 == (await client.send(Request("GET", f"{outside.here}/echo"))).status


async def test_a_redirect_is_an_answer_by_default(client: Client, outside: Outside) -> None:
    request = Request("GET", f"{outside.here}/redirecting?to=/echo")

    assert 307 == (await client.send(request)).status
    async with client.stream(request, max_bytes=SIZE) as download:
        assert 307 == download.status


@pytest.mark.parametrize(
    ("elsewhere", "kept"),
    [pytest.param(False, True, id="same host"), pytest.param(True, False, id="another host")],
)
async def test_a_redirect_takes_credentials_along_to_the_same_host_alone(
    client: Client, outside: Outside, *, elsewhere: bool, kept: bool
) -> None:
    target = f"{outside.elsewhere if elsewhere else ''}/echo"
    request = Request(
        "GET",
        f"{outside.here}/redirecting?to={target}",
        headers={"authorization": "Bearer secret", "x-api-key": "secret", "cookie": "a=secret"},
    )

    async with client.stream(
        request, auth=Refreshing() if elsewhere else None, max_bytes=SIZE, redirects=1
    ) as download:
        body = b"".join([chunk async for chunk in download.chunks])

    assert 200 == download.status
    assert kept is (b"secret" in body)
    assert kept is (b"authorization" in body)


async def test_no_more_redirects_are_followed_than_allowed(
    client: Client, outside: Outside
) -> None:
    twice = f"{outside.here}/redirecting?to=/redirecting%3Fto%3D/echo"

    async with client.stream(Request("GET", twice), max_bytes=SIZE, redirects=1) as download:
        assert 307 == download.status
    async with client.stream(Request("GET", twice), max_bytes=SIZE, redirects=2) as download:
        assert 200 == download.status


async def test_a_redirect_away_from_tls_is_refused(httpx_mock: HTTPXMock, client: Client) -> None:
    httpx_mock.add_response(
        url="https://canvas.test/file", status_code=302, headers={"location": "http://files.test/f"}
    )

    with pytest.raises(errors.AddressRefused, match="which is not https"):
        async with client.stream(
            Request("GET", "https://canvas.test/file"), max_bytes=SIZE, redirects=1
        ):
            pass


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"])
async def test_private_networks_are_refused_by_whatever_name(outside: Outside, host: str) -> None:
    port = outside.here.rpartition(":")[2]

    async with Client(allows_private_networks=False) as client:
        with pytest.raises(errors.AddressRefused, match="private network"):
            await client.send(Request("GET", f"http://{host}:{port}/echo"))


@pytest.mark.httpx_mock(should_mock=lambda request: request.url.host == "files.test")
async def test_a_redirect_into_a_private_network_is_refused(httpx_mock: HTTPXMock) -> None:
    """The first answer is invented, the second request meets the real rule."""
    httpx_mock.add_response(
        url="http://files.test/f", status_code=302, headers={"location": "http://127.0.0.1:1/"}
    )
    async with Client(allows_private_networks=False) as client:
        with pytest.raises(errors.AddressRefused, match="private network"):
            async with client.stream(
                Request("GET", "http://files.test/f"), max_bytes=SIZE, redirects=1
            ):
                pass


async def test_failures_are_told_in_our_words(client: Client, outside: Outside) -> None:
    async def failure(url: str) -> Exception:
        with pytest.raises(errors.OutboundError) as caught:
            await client.send(Request("GET", url))
        return caught.value

    assert isinstance(error := await failure("http://127.0.0.1:1/p?secret=1"), errors.NotSent)
    assert "http://127.0.0.1:1/p cannot be reached (All connection attempts failed)" == str(error)
    assert isinstance(await failure("http://no-such-host.invalid/"), errors.NotSent)
    assert isinstance(error := await failure(f"{outside.here}/silent"), errors.NotAnswered)
    assert f"{outside.here}/silent did not answer in time" == str(error)
    assert isinstance(await failure(f"{outside.here}/garbled"), errors.AnswerUnusable)
    assert isinstance(await failure("ftp://canvas.test/"), errors.AddressRefused)
    assert isinstance(await failure("http://u:p@canvas.test/"), errors.AddressRefused)


async def test_a_server_that_hangs_up_is_told_apart_from_one_that_was_not_reached(
    client: Client,
) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(errors.NotAnswered, match="broke off"):
            await client.send(Request("GET", f"http://127.0.0.1:{port}/"))


async def test_a_dead_pool_is_replaced_and_what_still_runs_in_it_ends_well(
    client: Client, outside: Outside
) -> None:
    """Dead as the leak leaves it: every connection is taken by a request that nobody will end."""
    dead = client._pool
    request = Request("GET", f"{outside.here}/dripping")
    async with client.stream(request, max_bytes=SIZE) as running:
        lost = await dead.client.send(httpx.Request("GET", f"{outside.here}/dripping"), stream=True)
        for _ in range(3):
            with pytest.raises(errors.NotSent, match="no free connection"):
                await client.send(Request("GET", f"{outside.here}/echo"))

        assert 200 == (await client.send(Request("GET", f"{outside.here}/echo"))).status
        assert b"." == await anext(running.chunks)
        assert not dead.client.is_closed
        await lost.aclose()

    assert dead.client.is_closed
