"""One REST call: who asks, with which parameters, and how the answer is written.

Every endpoint is a function of a `Call`, made a route by `api`.
"""

import inspect
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import orjson
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from twin import access, causes, errors, ids
from twin.access import Caller, MasqueradedCall
from twin.options import Options
from twin.params import Params, nest
from twin.records import User
from twin.school import School

STRING_IDS = "application/json+canvas-string-ids"


@dataclass(slots=True)
class Call:
    request: Request
    school: School
    caller: Caller
    params: Params
    """Query and body together."""
    path: Mapping[str, str]
    """Decoded path parameters."""
    kept: dict[object, Any] = field(default_factory=dict)
    """What was worked out once and counts for the whole call."""

    @property
    def user(self) -> User:
        """Whose rights count."""
        return self.caller.user

    @property
    def now(self) -> datetime:
        return self.school.clock.now()

    @property
    def options(self) -> Options:
        return self.school.options

    @property
    def origin(self) -> str:
        """Scheme and host the caller used."""
        return str(self.request.base_url).rstrip("/")

    def includes(self, name: str) -> bool:
        return name in self.params.texts_or_text("include")

    def chosen(self, *known: str) -> frozenset[str]:
        """What `include[]` asks for, of what the endpoint knows."""
        return frozenset(known).intersection(self.params.texts_or_text("include"))

    def json(
        self, data: object, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Response:
        return answer(self.request, data, status, headers)


Handler = Callable[[Call], Response | Awaitable[Response]]


def api(method: str, path: str, handler: Handler) -> Route:
    """A route under `/api/` whose callers are known by their token."""

    async def endpoint(request: Request) -> Response:
        school: School = request.app.state.school
        request.scope["twin.route"] = f"{method} {path}"
        named: dict[str, str] = {}
        try:
            call = await _call(school, request)
            request.scope["twin.caller"] = call.caller
            named = _names(school, call.caller)
            with causes.because_of(_cause(call)):
                result = handler(call)
                response = await result if inspect.isawaitable(result) else result
        except errors.CanvasError as refusal:
            response = refusal_answer(request, refusal)
        finally:
            await request.close()  # uploads of a form
        response.headers.update(named)
        return response

    return Route(path, endpoint, methods=[method])


async def _call(school: School, request: Request) -> Call:
    caller = access.authenticate(school, request)
    access.check_scopes(caller, request.method, request.scope["path"])
    values = await read_params(request)
    access.strip_includes(caller, values)
    caller = access.act_as(school, caller, Params(values).text("as_user_id"))
    if caller.masquerading:
        request.app.state.masquerades.append(
            MasqueradedCall(
                school.clock.now(),
                request.method,
                request.scope["path"],
                caller.user.id,
                caller.real_user.id,
                caller.token.id,
            )
        )
    path = {name: unquote(value) for name, value in request.path_params.items()}
    return Call(request, school, caller, Params(values), path)


def _cause(call: Call) -> causes.RequestCause:
    """Who acts, for the Live Events that the request makes."""
    request = call.request
    return causes.RequestCause(
        actor=call.user,
        method=request.method,
        url=str(request.url),
        user_agent=request.headers.get("user-agent", ""),
        request_id=str(uuid.uuid4()),
        developer_key_id=call.caller.key.id,
    )


def _names(school: School, caller: Caller) -> dict[str, str]:
    headers = {
        "X-Canvas-User-Id": str(ids.global_id(school, caller.user.id)),
        "X-Request-Context-Id": str(uuid.uuid4()),
    }
    if caller.masquerading:
        headers["X-Canvas-Real-User-Id"] = str(ids.global_id(school, caller.real_user.id))
    return headers


async def read_params(request: Request) -> dict[str, Any]:
    """Query and body as one tree; files stay in the form, where the endpoint finds them."""
    values = nest(request.query_params.multi_items())
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method in {"GET", "HEAD"} and not request.headers.get("content-length"):
        return values
    if kind in {"application/x-www-form-urlencoded", "multipart/form-data"}:
        form: FormData = await request.form()
        pairs = [item for item in form.multi_items() if not isinstance(item[1], UploadFile)]
        values |= nest(pairs)
    elif kind == "application/json" and (body := await request.body()):
        try:
            parsed = orjson.loads(body)
        except orjson.JSONDecodeError as broken:
            raise errors.BadRequest from broken
        values |= parsed if isinstance(parsed, dict) else {}
    return values


def answer(
    request: Request,
    data: object,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """JSON, with ids as text where the Accept header asks for it (transport.md 4.2)."""
    if STRING_IDS in request.headers.get("accept", ""):
        data = stringify_ids(data)
    return Response(
        orjson.dumps(data), status, dict(headers or {}), "application/json; charset=utf-8"
    )


def refusal_answer(request: Request, refusal: errors.CanvasError) -> Response:
    status = refusal.status
    school: School = request.app.state.school
    if isinstance(refusal, errors.Unauthorized) and school.options.forbidden_is_403:
        status = 403
    if isinstance(refusal.body, str):
        return PlainTextResponse(refusal.body, status, refusal.headers)
    return answer(request, refusal.body, status, refusal.headers)


_IDS = re.compile(r"(?:^|_)id(s?)$")


def stringify_ids(data: Any) -> Any:
    if isinstance(data, list):
        return [stringify_ids(item) for item in data]
    if not isinstance(data, dict):
        return data
    return {
        key: value if value is None or value.__class__ is str else _stringify(key, value)
        for key, value in data.items()
    }


def _stringify(key: str, value: Any) -> Any:
    if isinstance(value, int):
        return str(value) if _names_ids(key) == "" and not isinstance(value, bool) else value
    if isinstance(value, list) and _names_ids(key) == "s":
        return [str(item) if isinstance(item, int) else stringify_ids(item) for item in value]
    return stringify_ids(value)


@lru_cache(4096)
def _names_ids(key: str) -> str | None:
    """Empty for a name of one id, "s" for one of several; names are few."""
    found = _IDS.search(key)
    return None if found is None else found[1]


def iso(time: datetime | None) -> str | None:
    """UTC with `Z` and no fractions, as most times go out (transport.md 5)."""
    return None if time is None else time.strftime("%Y-%m-%dT%H:%M:%SZ")
