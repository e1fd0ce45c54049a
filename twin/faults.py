"""Breaks answers on purpose: each fault names what it does, to which paths, and how often.

What a refusal by the throttle looks like follows the fact sheet transport.md §2.3; the ways in
which a page, a Link or a report can be wrong follow transport.md §1 and reports.md §4.1.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from itertools import count
from typing import Any, TypeAlias

import httpx
import msgspec
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

JSON: TypeAlias = Any  # any JSON value: the faults change answers without knowing what they say


class Kind(StrEnum):
    STATUS = "status"
    THROTTLE = "throttle"
    LATENCY = "latency"
    LATE_ANSWER = "late_answer"  # done at once, and told after so many seconds
    CUT_BODY = "cut_body"
    CUT_PAGE = "cut_page"
    EMPTY = "empty"
    EMPTY_LIST = "empty_list"
    LINK_MISSING = "link_missing"
    LINK_LOOP = "link_loop"
    LINK_FOREIGN = "link_foreign"
    STRIP_IDS = "strip_ids"
    MALFORMED_JSON = "malformed_json"
    REPORT_STUCK = "report_stuck"
    REPORT_ERROR = "report_error"
    REPORT_TRUNCATED = "report_truncated"
    REPORT_ZIP_BOMB = "report_zip_bomb"
    REPORT_ENCODING = "report_encoding"
    REPORT_SHUFFLED = "report_shuffled"

    @property
    def of_report(self) -> bool:
        return self.value.startswith("report_")


class Fault(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One order to break something; every field but `kind` may be left out."""

    kind: Kind
    path: str = ""  # a regular expression, searched in "path?query"; "" is every path
    method: str = ""
    after: int = 0  # so many matching requests pass first
    count: int | None = None  # so many are broken; None until the fault is cleared
    status: int = 0
    body: str = ""
    headers: dict[str, str] = {}
    seconds: float = 0.0
    url: str = "https://elsewhere.invalid/api/v1/next"
    size: int = 2**30  # what a zip bomb unpacks to
    encoding: str = "latin-1"
    keys: tuple[str, ...] = ("id",)  # what `strip_ids` takes away, at any depth
    id: int = 0
    hits: int = 0

    def __post_init__(self) -> None:
        try:
            re.compile(self.path)
        except re.error as error:
            raise ValueError(f"path is no regular expression: {error}") from error

    def matches(self, method: str, target: str) -> bool:
        return self.method.upper() in {"", method} and re.search(self.path, target) is not None

    def strikes(self) -> bool:
        """Count a matching request, and say whether this is one to break."""
        if self.after:
            self.after -= 1
            return False
        if self.count is not None:
            if not self.count:
                return False
            self.count -= 1
        self.hits += 1
        return True


class Faults:
    """The orders in force; one whose count is used up stays listed with its hits."""

    def __init__(self) -> None:
        self._ids = count(1)
        self._faults: dict[int, Fault] = {}

    def __iter__(self) -> Iterator[Fault]:
        return iter(list(self._faults.values()))

    def add(self, fault: Fault) -> Fault:
        fault.id = next(self._ids)
        self._faults[fault.id] = fault
        return fault

    def clear(self, fault_id: int | None = None) -> int:
        gone = [fault_id] if fault_id in self._faults else []
        if fault_id is None:
            gone = list(self._faults)
        for each in gone:
            del self._faults[each]
        return len(gone)

    def of_answer(self, method: str, target: str) -> list[Fault]:
        return self._striking(method, target, of_report=False)

    def of_report(self, target: str) -> list[Fault]:
        """Find what is to go wrong with the report that a POST to this path starts."""
        return self._striking("POST", target, of_report=True)

    def _striking(self, method: str, target: str, *, of_report: bool) -> list[Fault]:
        return [
            fault
            for fault in self._faults.values()
            if fault.kind.of_report == of_report
            and fault.matches(method, target)
            and fault.strikes()
        ]


class Answer:
    """An answer held back until it is complete, so that it can be changed."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.status = 200
        self.headers = MutableHeaders()
        self.body = b""
        self.sent = -1  # how much of the body leaves; -1 is all of it

    async def hold(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = MutableHeaders(raw=list(message.get("headers", [])))
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")

    async def release(self, send: Send) -> None:
        self.headers["content-length"] = str(len(self.body))
        start: Message = {
            "type": "http.response.start",
            "status": self.status,
            "headers": self.headers.raw,
        }
        await send(start)
        if self.sent < 0:
            await send({"type": "http.response.body", "body": self.body})
            return
        await send(
            {"type": "http.response.body", "body": self.body[: self.sent], "more_body": True}
        )
        # A server closes the connection on this; an in-process client meets the very exception
        # that httpx raises for a connection closed too early.
        raise httpx.RemoteProtocolError(
            "peer closed connection without sending complete message body"
        )


class FaultInjection:
    """ASGI middleware: lets through what no fault strikes, untouched and unbuffered."""

    def __init__(self, app: ASGIApp, faults: Faults, exempt: str = "/control") -> None:
        self._app = app
        self._faults = faults
        self._exempt = exempt

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(self._exempt):
            await self._app(scope, receive, send)
            return
        faults = self._faults.of_answer(scope["method"], target_of(scope))
        if not faults:
            await self._app(scope, receive, send)
            return
        answer = Answer(url_of(scope))
        for fault in faults:
            if fault.kind is Kind.LATENCY:
                await asyncio.sleep(fault.seconds)
        replacing = next((fault for fault in faults if fault.kind in REPLACING), None)
        if replacing is None:
            await self._app(scope, receive, answer.hold)
        else:
            REPLACING[replacing.kind](answer, replacing)
        for fault in faults:
            if fault.kind is Kind.LATE_ANSWER:
                await asyncio.sleep(fault.seconds)
            if change := CHANGING.get(fault.kind):
                change(answer, fault)
        await answer.release(send)


def target_of(scope: Scope) -> str:
    """Give the path and query as the client spelt them, which is what a fault's pattern meets."""
    path = (scope.get("raw_path") or scope["path"].encode()).decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


def url_of(scope: Scope) -> str:
    headers = dict(scope["headers"])
    host = headers.get(b"host", b"localhost").decode("latin-1")
    return f"{scope['scheme']}://{host}{target_of(scope)}"


def _status(answer: Answer, fault: Fault) -> None:
    answer.status = fault.status or 500
    body = {
        "errors": [{"message": "An error occurred.", "error_code": "internal_server_error"}],
        "error_report_id": 1,
    }
    answer.headers["content-type"] = "application/json; charset=utf-8"
    answer.body = fault.body.encode() or json.dumps(body).encode()
    answer.headers.update(fault.headers)


def _throttle(answer: Answer, fault: Fault) -> None:
    answer.status = fault.status or 429
    answer.headers["content-type"] = "text/plain; charset=utf-8"
    answer.headers["x-rate-limit-remaining"] = "13.7"
    answer.body = f"{answer.status} Forbidden (Rate Limit Exceeded)\n".encode()


def _cut_body(answer: Answer, _: Fault) -> None:
    answer.sent = len(answer.body) // 2


def _cut_page(answer: Answer, _: Fault) -> None:
    page = _page(answer)
    if isinstance(page, list):
        answer.body = json.dumps(page[: len(page) // 2]).encode()
    elif (members := _members(page)) is not None:
        page["members"] = members[: len(members) // 2]
        answer.body = json.dumps(page).encode()


def _members(page: JSON) -> list[JSON] | None:
    """Of a page of Names and Roles, which is an object."""
    members = page.get("members") if isinstance(page, dict) else None
    return members if isinstance(members, list) else None


def _empty(answer: Answer, _: Fault) -> None:
    answer.status = 200
    answer.body = b""


def _empty_list(answer: Answer, _: Fault) -> None:
    page = _page(answer)
    answer.status = 200
    answer.body = b"[]" if _members(page) is None else json.dumps(page | {"members": []}).encode()


def _link_missing(answer: Answer, _: Fault) -> None:
    del answer.headers["link"]


def _link_loop(answer: Answer, _: Fault) -> None:
    answer.headers["link"] = f'<{answer.url}>; rel="current",<{answer.url}>; rel="next"'


def _link_foreign(answer: Answer, fault: Fault) -> None:
    answer.headers["link"] = f'<{answer.url}>; rel="current",<{fault.url}>; rel="next"'


def _strip_ids(answer: Answer, fault: Fault) -> None:
    page = _page(answer)
    if page is not None:
        answer.body = json.dumps(_without(fault.keys, page)).encode()


def _without(keys: tuple[str, ...], value: JSON) -> JSON:
    if isinstance(value, list):
        return [_without(keys, each) for each in value]
    if isinstance(value, dict):
        return {key: _without(keys, each) for key, each in value.items() if key not in keys}
    return value


def _malformed(answer: Answer, _: Fault) -> None:
    answer.body = answer.body.rstrip()[:-1] + b",]"


def _page(answer: Answer) -> JSON:
    """Read the answer as JSON; None where it is something else, which is then left alone."""
    try:
        return json.loads(answer.body)
    except ValueError:
        return None


Change: TypeAlias = Callable[[Answer, Fault], None]

REPLACING: dict[Kind, Change] = {Kind.STATUS: _status, Kind.THROTTLE: _throttle}
CHANGING: dict[Kind, Change] = {
    Kind.CUT_BODY: _cut_body,
    Kind.CUT_PAGE: _cut_page,
    Kind.EMPTY: _empty,
    Kind.EMPTY_LIST: _empty_list,
    Kind.LINK_MISSING: _link_missing,
    Kind.LINK_LOOP: _link_loop,
    Kind.LINK_FOREIGN: _link_foreign,
    Kind.STRIP_IDS: _strip_ids,
    Kind.MALFORMED_JSON: _malformed,
}
