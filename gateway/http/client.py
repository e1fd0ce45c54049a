"""The guarded HTTP client: the one door to other people's servers.

A cancelled request leaks its place in httpx's pool (encode/httpcore#1093), until the client is dead. So no more requests
run than there are connections, each runs to its end in a task of its own, and short timeouts bound that end.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Self, cast

import httpx

from gateway.errors import AddressRefused, AnswerUnusable, NotAnswered, NotSent, OutboundError
from gateway.http.addresses import origin, shown
from gateway.http.network import Transport
from gateway.shield import finish

Auth = httpx.Auth  # a token flow is one of these (`gateway.tokens`)
Request = httpx.Request

MAX_CONNECTIONS = 20
MAX_BYTES = 20 * 1024 * 1024
MAX_SECONDS = 60.0
TIMEOUTS = httpx.Timeout(connect=5, read=20, write=10, pool=5)

_HEADERS = {"user-agent": "roster-gateway", "accept-encoding": "gzip, deflate", "accept": "*/*"}
_POOL_TIMEOUTS_TO_REBUILD = 3

# What httpx raises, the most specific first; its own texts are often empty.
_FAILURES: tuple[tuple[type[Exception], type[OutboundError], str], ...] = (
    (httpx.PoolTimeout, NotSent, "has no free connection for us"),
    (httpx.ConnectTimeout, NotSent, "did not accept a connection in time"),
    (httpx.ConnectError, NotSent, "cannot be reached"),
    (httpx.UnsupportedProtocol, AddressRefused, "is not an http or https address"),
    (httpx.TimeoutException, NotAnswered, "did not answer in time"),
    (httpx.DecodingError, AnswerUnusable, "answered with something that cannot be decoded"),
    (httpx.TransportError, NotAnswered, "broke off"),
)


@dataclass(frozen=True, kw_only=True)
class Response:
    """A whole answer. Header names match in any case; `links` has the URLs of its Link header by relation."""

    url: str
    status: int
    headers: Mapping[str, str]
    links: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Download:
    """An answer whose body comes piece by piece."""

    url: str
    status: int
    headers: Mapping[str, str]
    chunks: AsyncIterator[bytes]


class Client:
    """One a process. It follows no redirect unless told to, keeps no cookie, and takes no proxy from the environment."""

    def __init__(
        self,
        *,
        allows_private_networks: bool,
        max_connections: int = MAX_CONNECTIONS,
        timeouts: httpx.Timeout = TIMEOUTS,
    ) -> None:
        self._allows_private_networks = allows_private_networks
        self._max_connections = max_connections
        self._timeouts = timeouts
        self._slots = asyncio.Semaphore(max_connections)
        self._pool = self._new_pool()
        self._pool_timeouts = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await finish(self._pool.client.aclose())

    async def send(
        self,
        request: Request,
        *,
        auth: Auth | None = None,
        max_bytes: int = MAX_BYTES,
        max_seconds: float = MAX_SECONDS,
    ) -> Response:
        """The whole answer, of whatever status."""
        async with self._slots:
            return await finish(self._whole(request, auth, max_bytes, max_seconds))

    @asynccontextmanager
    async def stream(
        self,
        request: Request,
        *,
        auth: Auth | None = None,
        max_bytes: int,
        max_seconds: float = MAX_SECONDS,
        redirects: int = 0,
    ) -> AsyncIterator[Download]:
        """The answer, to be read in pieces; up to `redirects` are followed, to another host without any credential."""
        async with self._slots, AsyncExitStack() as cleanup:
            exchange = AsyncExitStack()
            cleanup.push_async_callback(lambda: finish(exchange.aclose()))
            answer = await finish(self._reached(exchange, request, auth, redirects))
            chunks = _limited(answer, max_bytes, max_seconds)
            exchange.push_async_callback(chunks.aclose)
            yield Download(
                url=str(answer.url),
                status=answer.status_code,
                headers=answer.headers,
                chunks=_one_by_one(chunks),
            )

    async def _whole(
        self, request: Request, auth: Auth | None, max_bytes: int, max_seconds: float
    ) -> Response:
        async with self._answer(request, auth) as answer:
            body = b"".join([chunk async for chunk in _limited(answer, max_bytes, max_seconds)])
            return Response(
                url=str(answer.url),
                status=answer.status_code,
                headers=answer.headers,
                links={str(rel): link["url"] for rel, link in answer.links.items()},
                body=body,
            )

    async def _reached(
        self, exchange: AsyncExitStack, request: Request, auth: Auth | None, redirects: int
    ) -> httpx.Response:
        """The answer to `request`, or to where it was redirected; open until `exchange` is closed."""
        while True:
            answer = await exchange.enter_async_context(self._answer(request, auth))
            if not redirects or not answer.has_redirect_location or request.method != "GET":
                return answer
            redirects -= 1
            await answer.aclose()  # its connection is free for the next hop
            request, auth = _redirected(request, auth, answer.headers["location"])

    @asynccontextmanager
    async def _answer(self, request: Request, auth: Auth | None) -> AsyncIterator[httpx.Response]:
        origin(str(request.url))  # refuses what has none
        for name, value in _HEADERS.items():
            request.headers.setdefault(name, value)
        request.extensions.setdefault("timeout", self._timeouts.as_dict())
        pool = self._pool
        async with pool.held():
            with _as_ours(request):
                try:
                    answer = await pool.client.send(request, auth=auth, stream=True)
                except httpx.PoolTimeout:
                    self._count_pool_timeout(pool)
                    raise
            self._pool_timeouts = 0
            try:
                yield answer
            finally:
                await answer.aclose()

    def _count_pool_timeout(self, pool: "_Pool") -> None:
        """Place a new pool for the next requests once this one looks dead; running ones end in the old one."""
        self._pool_timeouts += 1
        if pool is self._pool and self._pool_timeouts >= _POOL_TIMEOUTS_TO_REBUILD:
            pool.retired = True
            self._pool, self._pool_timeouts = self._new_pool(), 0

    def _new_pool(self) -> "_Pool":
        return _Pool(
            httpx.AsyncClient(  # noqa: TID251  this module is the guard that the ban points to
                transport=Transport(self._max_connections, self._allows_private_networks),
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                trust_env=False,
            )
        )


@dataclass
class _Pool:
    client: httpx.AsyncClient  # noqa: TID251  as above
    in_use: int = 0
    retired: bool = False

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        self.in_use += 1
        try:
            yield
        finally:
            self.in_use -= 1
            if self.retired and not self.in_use:
                await self.client.aclose()


def _redirected(request: Request, auth: Auth | None, location: str) -> tuple[Request, Auth | None]:
    here = str(request.url)
    url = str(request.url.join(location))
    if origin(url) == origin(here):
        return Request("GET", url, headers=request.headers), auth
    if request.url.scheme == "https" and not url.startswith("https:"):
        raise AddressRefused(f"{shown(here)} redirected to {shown(url)}, which is not https")
    return Request("GET", url), None


async def _limited(
    answer: httpx.Response, max_bytes: int, max_seconds: float
) -> AsyncGenerator[bytes, None]:
    """The body, unpacked, as long as it keeps within its limits."""
    size, clock = 0, asyncio.get_running_loop().time
    end = clock() + max_seconds
    pieces = cast("AsyncGenerator[bytes, None]", answer.aiter_bytes())  # typed as less than it is
    with _as_ours(answer.request):
        async with aclosing(pieces) as chunks:
            async for chunk in chunks:
                size += len(chunk)
                if size > max_bytes:
                    raise AnswerUnusable(
                        f"{shown(str(answer.url))} sent more than {max_bytes} bytes"
                    )
                if clock() > end:
                    raise AnswerUnusable(f"{shown(str(answer.url))} took more than {max_seconds} s")
                yield chunk


async def _one_by_one(chunks: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    """Each chunk is read to its end, so that whoever leaves leaves between two."""

    async def following() -> bytes | None:
        return await anext(chunks, None)

    while (chunk := await finish(following())) is not None:
        yield chunk


@contextmanager
def _as_ours(request: Request) -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        for theirs, ours, words in _FAILURES:
            if isinstance(error, theirs):
                detail = f" ({error})" if str(error) else ""
                raise ours(f"{shown(str(request.url))} {words}{detail}") from error
        raise
