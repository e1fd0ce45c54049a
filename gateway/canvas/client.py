"""The one Canvas REST client: authorisation, throttling, paging to the end, and failures as our errors.

A list is read whole or not at all: a page that is missing, foreign, repeated or malformed ends it with an error, so that
nobody downstream can take a part for the whole (canvas-lms: doc/api/pagination.md).
"""

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple, Protocol
from urllib.parse import quote

import stamina

from gateway.canvas import answers, throttle
from gateway.canvas.buckets import Buckets
from gateway.errors import (
    AddressRefused,
    CredentialSpent,
    CutShort,
    NotAnswered,
    NotSent,
    OutboundError,
    SourceDown,
    SourceRefused,
    SourceThrottled,
)
from gateway.http.addresses import followed, shown
from gateway.http.client import Client, Request, Response
from models.canvas_ids import SHARD_SIZE

Params = Sequence[tuple[str, str]]

STRING_IDS = "application/json+canvas-string-ids"  # ids pass 2^53
PAGE_SIZE = 100
MOST_PAGES = 2_000  # 200,000 rows: more than any course has; beyond it, paging is broken
READ_ATTEMPTS = 4
LONGEST_WAIT = 1.5  # seconds before a read is repeated


class Credential(Protocol):
    """Somebody's right to call Canvas."""

    async def token(self) -> str: ...

    async def renewed(self, spent: str) -> str:
        """A token in place of `spent`. CredentialSpent when there is none to be had."""


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """A token that an operator made: it cannot be renewed."""

    secret: str

    async def token(self) -> str:
        return self.secret

    async def renewed(self, spent: str) -> str:  # noqa: ARG002  a credential's shape
        raise CredentialSpent(
            "Canvas does not take this token any more; an operator has to make a new one"
        )


@dataclass(frozen=True, kw_only=True)
class File:
    """What is sent as the multipart field `attachment`."""

    name: str
    content: bytes
    type: str


@dataclass(kw_only=True)
class Meter:
    """What was spent upstream so far. `refused`: requests that met the throttle; `waiting`: those held back for it now.

    `heard`: those that Canvas may have acted on; of the others it is certain that nothing was done.
    """

    requests: int = 0
    quota: float = 0.0
    refused: int = 0
    waiting: int = 0
    heard: int = 0

    @property
    def throttled(self) -> bool:
        """Whether the throttle is what this has met, or waits for."""
        return bool(self.refused or self.waiting)

    def charge(self, quota: float) -> None:
        self.requests += 1
        self.quota += quota


@dataclass(frozen=True, kw_only=True)
class Call:
    """Who calls: the credential, whom it stands in for (any id form of users), for whom it is charged and how urgent it is."""

    credential: Credential
    meter: Meter
    as_user: str | None = None
    background: bool = False


class Container(NamedTuple):
    """A page of a list of an LTI service. `differences`: where what changes from now on will be told."""

    body: dict[str, Any]
    differences: str | None


class Canvas:
    def __init__(self, *, http: Client, base_url: str, buckets: Buckets) -> None:
        self._http = http
        self._base = base_url.rstrip("/")
        self._buckets = buckets

    async def get(self, call: Call, path: str, params: Params = ()) -> dict[str, Any]:
        """One object."""
        return answers.record(await self._read(call, self._url(call, path, params)))

    async def pages(
        self, call: Call, path: str, params: Params = (), *, under: str | None = None
    ) -> AsyncGenerator[list[dict[str, Any]], None]:
        """Every page of a list, following `Link` to its end. Anything but a whole list ends in an error.

        A wrong or outdated bookmark gives the first page again with 200, so a URL or a first row seen before is a loop.
        """
        firsts: set[object] = set()
        url = self._url(call, path, (*params, ("per_page", str(PAGE_SIZE))))
        async for answer in self._followed(call, url, STRING_IDS):
            page = answers.rows(answer, under=under)
            # A list names its own page at least; without that its end is not known.
            if not answer.links:
                raise CutShort(f"a page of {path} came without its links")
            if page and page[0].get("id") is not None:
                if page[0]["id"] in firsts:
                    raise CutShort(f"the pages of {path} begin anew")
                firsts.add(page[0]["id"])
            yield page

    async def containers(
        self, call: Call, url: str, accept: str, *, names_its_pages: bool
    ) -> AsyncIterator[Container]:
        """Every page of a list of an LTI service, each an object, to its end.

        `names_its_pages`: a page without any link was cut, as it is where Canvas serves the list.
        """
        async for answer in self._followed(call, url, accept):
            if names_its_pages and not answer.links:
                raise CutShort(f"a page of {shown(url)} came without its links")
            yield Container(answers.record(answer), self._linked(answer, "differences"))

    async def _followed(self, call: Call, url: str, accept: str) -> AsyncIterator[Response]:
        urls: set[str] = set()
        following: str | None = url
        while following is not None:
            if following in urls or len(urls) >= MOST_PAGES:
                raise CutShort(f"the pages of {shown(url)} lead in a circle")
            urls.add(following)
            answer = await self._read(call, following, accept)
            yield answer
            following = self._linked(answer, "next")

    async def remaining(self, credential: Credential) -> float:
        """Throttle units left in the bucket of its token, as far as we know."""
        return await self._buckets.remaining(_bucket(await credential.token()))

    async def refills_in(self, call: Call) -> timedelta:
        """How long until Canvas lets whoever calls in again, as far as we know."""
        return throttle.refills_in(await self.remaining(call.credential))

    async def write(
        self,
        call: Call,
        method: str,
        path: str,
        fields: Params = (),
        *,
        patient: Callable[[], bool] = lambda: True,
    ) -> dict[str, Any]:
        """Send a change once. It is repeated only where Canvas certainly did nothing (throttled, token renewed).

        SourceThrottled where the throttle refuses it and whoever asks is not `patient` any more.
        """
        url = self._url(call, path, ())
        while True:
            try:
                return answers.record(await self._sent(call, method, url, fields))
            except SourceThrottled:
                if not patient():
                    raise  # else admission waits until the bucket has leaked

    async def send_file(self, call: Call, path: str, params: Params, file: File) -> dict[str, Any]:
        """Send a file once, as `write` sends a change."""
        url = self._url(call, path, params)
        while True:
            try:
                return answers.record(await self._sent(call, "POST", url, file))
            except SourceThrottled:
                continue

    async def _read(self, call: Call, url: str, accept: str = STRING_IDS) -> Response:
        # full jitter: those who failed together do not come back together
        async for attempt in stamina.retry_context(
            on=_worth_repeating,
            attempts=READ_ATTEMPTS,
            timeout=None,
            wait_initial=0.0,
            wait_jitter=LONGEST_WAIT,
        ):
            with attempt:
                return await self._sent(call, "GET", url, (), accept)
        raise AssertionError  # stamina returns or raises

    async def _sent(
        self, call: Call, method: str, url: str, fields: Params | File, accept: str = STRING_IDS
    ) -> Response:
        token = await call.credential.token()
        try:
            return await self._once(call, token, _request(method, url, token, fields, accept))
        except CredentialSpent:
            renewed = await call.credential.renewed(token)
            return await self._once(call, renewed, _request(method, url, renewed, fields, accept))

    async def _once(self, call: Call, token: str, request: Request) -> Response:
        bucket = _bucket(token)
        call.meter.waiting += 1
        try:
            await self._buckets.admit(bucket, background=call.background)
        finally:
            call.meter.waiting -= 1
        answer: Response | None = None
        call.meter.heard += 1
        try:
            answer = await self._http.send(request)
        except AddressRefused:
            call.meter.heard -= 1
            raise
        except OutboundError as error:
            call.meter.heard -= isinstance(error, NotSent)
            raise SourceDown(str(error)) from error
        finally:
            await self._account(call, bucket, answer)
        if failed := answers.failure(answer):
            raise failed
        if call.as_user is not None and not _answered_as(call.as_user, answer):
            raise SourceRefused(
                "Canvas answered as the token's owner, not as the person to stand in for"
            )
        return answer

    async def _account(self, call: Call, bucket: str, answer: Response | None) -> None:
        if answer is None:
            await self._buckets.settle(bucket, cost=0.0, remaining=None)
        elif isinstance(answers.failure(answer), SourceThrottled):
            call.meter.charge(0.0)
            call.meter.refused += 1
            call.meter.heard -= 1
            await self._buckets.refused(bucket, remaining=answers.remaining(answer))
        else:
            cost = answers.cost(answer)
            call.meter.charge(cost)
            await self._buckets.settle(bucket, cost=cost, remaining=answers.remaining(answer))

    def _url(self, call: Call, path: str, params: Params) -> str:
        query = [*params, *([("as_user_id", call.as_user)] if call.as_user is not None else [])]
        return str(Request("GET", f"{self._base}/api/v1{path}", params=tuple(query)).url)

    def _linked(self, answer: Response, relation: str) -> str | None:
        link = answer.links.get(relation)
        if link is None:
            return None
        try:
            return followed(link, of=answer.url)
        except AddressRefused as error:
            raise CutShort(str(error)) from error


def segment(form: str) -> str:
    """Any form of an id as a part of a path; a dot in it begins a format for Canvas's router."""
    return quote(form, safe=":").replace(".", "%2E")


def _request(method: str, url: str, token: str, fields: Params | File, accept: str) -> Request:
    headers: Mapping[str, str] = {"authorization": f"Bearer {token}", "accept": accept}
    if method == "GET":
        return Request(method, url, headers=headers)
    if isinstance(fields, File):
        content = (fields.name, fields.content, fields.type)
        return Request(method, url, headers=headers, files={"attachment": content})
    data: dict[str, list[str]] = {}
    for name, value in fields:
        data.setdefault(name, []).append(value)
    return Request(method, url, headers=headers, data=data)


def _answered_as(user: str, answer: Response) -> bool:
    """Whether Canvas let the token's owner stand in for the user; for themselves they need not."""
    if "x-canvas-real-user-id" in answer.headers:
        return True
    owner = answer.headers.get("x-canvas-user-id", "")
    return owner.isdecimal() and user.isdecimal() and _local(owner) == _local(user)


def _local(user: str) -> int:
    return int(user) % SHARD_SIZE


def _bucket(token: str) -> str:
    """Canvas keeps one bucket for each token string; ours is named without giving the token away."""
    return hashlib.sha256(token.encode()).hexdigest()[:32]


def _worth_repeating(error: Exception) -> bool:
    return isinstance(error, SourceDown | SourceThrottled | NotSent | NotAnswered)
