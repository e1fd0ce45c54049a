"""The twin as one Starlette application; each module adds its `routes` here."""

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from twin import errors, oauth2, oauth2_token, session_tokens
from twin.access import MasqueradeLog
from twin.bulk_enrolling import BulkEnrolling
from twin.call import refusal_answer
from twin.clock import Clock, RealClock
from twin.edge import Edge
from twin.generate import generate
from twin.lti import services
from twin.oauth2_grants import Codes
from twin.options import Options
from twin.outgoing import Outgoing
from twin.rest import (
    account_courses,
    account_roles,
    account_users,
    accounts,
    bulk_enrollment,
    course_users,
    courses,
    enrollments,
    sections,
    terms,
    users,
)
from twin.sessions import Sessions
from twin.temporary import Pairings
from twin.throttle import Throttle


def create_twin(
    options: Options | None = None,
    clock: Clock | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Starlette:
    """A Canvas of its own, with a school generated from the seed.

    `app.state` has `school`, `cast` (people, courses and tokens by name), `clock`, `options` and
    `masquerades`. What the twin itself calls (a tool's keys, Live Events) it calls by `transport`,
    where one is given.
    """
    options = options or Options()
    clock = clock or RealClock()
    routes: list[BaseRoute] = [
        *oauth2.routes,
        *oauth2_token.routes,
        *session_tokens.routes,
        *accounts.routes,
        *account_roles.routes,
        *account_courses.routes,
        *account_users.routes,
        *terms.routes,
        *courses.routes,
        *course_users.routes,
        *sections.routes,
        *users.routes,
        *enrollments.routes,
        *bulk_enrollment.routes,
    ]
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
    app.state.pairings = Pairings(app.state.school)
    app.state.bulk_enrolling = BulkEnrolling(app.state.school)
    app.state.masquerades = MasqueradeLog()
    app.state.outgoing = Outgoing(transport)
    app.state.sessions = Sessions()
    app.state.codes = Codes()
    app.state.authorization_requests = oauth2.Requests()
    app.state.session_tokens = session_tokens.SessionTokens()
    app.state.service_tokens = services.ServiceTokens()
    return app


async def _no_route(request: Request, _error: Exception) -> Response:
    return refusal_answer(request, errors.NoRoute())


async def _canvas_error(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, errors.CanvasError)  # noqa: S101  registered for that class
    return refusal_answer(request, refusal)
