"""The control API: what a test does to the twin that no client could (docs/twin.md has the list).

Served only with `--control`, without tokens: whoever reaches the port may use it.
"""

from datetime import datetime, timedelta
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from twin import errors, ids, opaque_ids
from twin.access import MasqueradeLog
from twin.bill import Bill
from twin.call import iso
from twin.cast import Cast
from twin.faults import Fault, Faults
from twin.making import make_token
from twin.records import Course, User
from twin.school import School
from twin.school_changes import CHANGES
from twin.truth import course_truth, viewer_truth

T = TypeVar("T")
MANUAL_KEY = "User-Generated"


class AdvanceClock(msgspec.Struct, forbid_unknown_fields=True):
    """Forward by `seconds`, or `to` a time that is still to come."""

    seconds: float = 0.0
    to: datetime | None = None


class NewToken(msgspec.Struct, forbid_unknown_fields=True):
    user: str


def index(_: Request) -> Response:
    listed = [
        f"{method} {route.path}"
        for route in _ROUTES
        for method in sorted((route.methods or set()) - {"HEAD"})
    ]
    return _json({"routes": listed, "changes": list(CHANGES)})


async def add_fault(request: Request) -> Response:
    faults: Faults = request.app.state.faults
    return _json(faults.add(await _read(request, Fault)), 201)


def list_faults(request: Request) -> Response:
    return _json(list(request.app.state.faults))


def clear_faults(request: Request) -> Response:
    faults: Faults = request.app.state.faults
    number = request.path_params.get("id")
    return _json({"cleared": faults.clear(number)})


def show_clock(request: Request) -> Response:
    return _json({"now": iso(_school(request).clock.now())})


async def advance_clock(request: Request) -> Response:
    asked, clock = await _read(request, AdvanceClock), _school(request).clock
    by = timedelta(seconds=asked.seconds)
    if asked.to is not None:
        if asked.to.tzinfo is None:
            raise errors.error("a time needs its zone")
        by = asked.to - clock.now()
    if by < timedelta():
        raise errors.error("time goes forward only")
    clock.advance(by)
    return _json({"now": iso(clock.now())})


async def change_school(request: Request) -> Response:
    change = CHANGES.get(request.path_params["change"])
    if change is None:
        raise errors.NotFound({"error": f"no such change; there are {', '.join(CHANGES)}"})
    try:
        return _json((await _read(request, change)).apply(_school(request)))
    except msgspec.ValidationError as error:  # a field's value, found out while applying
        raise errors.error(str(error)) from error


def show_truth(request: Request) -> Response:
    school = _school(request)
    course: Course = ids.found(ids.find_course(school, request.path_params["course"]))
    truth = course_truth(school, course)
    if (text := request.query_params.get("viewer")) is not None:
        viewer: User = ids.found(ids.find_user(school, text))
        truth["viewer"] = viewer_truth(request, course, viewer)
    return _json(truth)


def show_bill(request: Request) -> Response:
    bill: Bill = request.app.state.bill
    return _json(bill.json())


def clear_bill(request: Request) -> Response:
    bill: Bill = request.app.state.bill
    bill.clear()
    return _json({"cleared": True})


def list_masquerades(request: Request) -> Response:
    log: MasqueradeLog = request.app.state.masquerades
    return _json(list(log))


def show_cast(request: Request) -> Response:
    """The people, courses and tokens by name, for tests that come over a socket."""
    cast: Cast = request.app.state.cast
    groups = ("accounts", "terms", "people", "courses", "sections")
    shown = {
        group: {name: str(row.id) for name, row in getattr(cast, group).items()} for group in groups
    }
    return _json(shown | {"tokens": cast.tokens})


async def add_token(request: Request) -> Response:
    """A manual token for anybody, as they could make one in their settings."""
    school = _school(request)
    user: User = ids.found(ids.find_user(school, (await _read(request, NewToken)).user))
    key = next(key for key in school.developer_keys.values() if key.name == MANUAL_KEY)
    value = opaque_ids.token_value(school.options.seed, f"control {len(school.tokens)}")
    make_token(school, user, key.id, value, purpose="control API")
    return _json({"token": value, "user_id": str(user.id)}, 201)


def _school(request: Request) -> School:
    school: School = request.app.state.school
    return school


async def _read(request: Request, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(await request.body() or b"{}", type=kind)
    except (msgspec.DecodeError, ValueError) as error:
        raise errors.error(str(error)) from error


def _json(data: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(data), status, media_type="application/json")


_ROUTES = [
    Route("/control", index, methods=["GET"]),
    Route("/control/faults", list_faults, methods=["GET"]),
    Route("/control/faults", add_fault, methods=["POST"]),
    Route("/control/faults", clear_faults, methods=["DELETE"]),
    Route("/control/faults/{id:int}", clear_faults, methods=["DELETE"]),
    Route("/control/clock", show_clock, methods=["GET"]),
    Route("/control/clock", advance_clock, methods=["POST"]),
    Route("/control/school/{change}", change_school, methods=["POST"]),
    Route("/control/truth/courses/{course:path}", show_truth, methods=["GET"]),
    Route("/control/bill", show_bill, methods=["GET"]),
    Route("/control/bill", clear_bill, methods=["DELETE"]),
    Route("/control/masquerades", list_masquerades, methods=["GET"]),
    Route("/control/cast", show_cast, methods=["GET"]),
    Route("/control/tokens", add_token, methods=["POST"]),
]
routes: list[BaseRoute] = [*_ROUTES]
