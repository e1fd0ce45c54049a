"""The twin as one Starlette application; each module adds its `routes` here."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from twin import errors
from twin.access import MasqueradeLog
from twin.call import refusal_answer
from twin.clock import Clock, RealClock
from twin.edge import Edge
from twin.generate import generate
from twin.options import Options
from twin.throttle import Throttle


def create_twin(options: Options | None = None, clock: Clock | None = None) -> Starlette:
    """A Canvas of its own, with a school generated from the seed.

    `app.state` has `school`, `cast` (people, courses and tokens by name), `clock`, `options` and
    `masquerades`.
    """
    options = options or Options()
    clock = clock or RealClock()
    routes: list[BaseRoute] = []
    middleware: list[Middleware] = [
        Middleware(Edge, options),
        Middleware(Throttle, options, clock),
    ]
    app = Starlette(
        routes=routes,
        middleware=middleware,
        exception_handlers={
            HTTPException: _no_route,
            errors.CanvasError: _canvas_error,
        },
    )
    app.state.options = options
    app.state.clock = clock
    app.state.school, app.state.cast = generate(options, clock)
    app.state.masquerades = MasqueradeLog()
    return app


async def _no_route(request: Request, _error: Exception) -> Response:
    return refusal_answer(request, errors.NoRoute())


async def _canvas_error(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, errors.CanvasError)  # noqa: S101  registered for that class
    return refusal_answer(request, refusal)
