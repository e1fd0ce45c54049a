"""The twin as one Starlette application; each module adds its `routes` here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from twin import (
    control,
    errors,
    files,
    live_events,
    oauth2,
    oauth2_token,
    progress,
    reports,
    session_tokens,
    sis_imports,
)
from twin.access import MasqueradeLog
from twin.background import Background, Worker
from twin.bill import Bill
from twin.bulk_enrolling import BulkEnrolling
from twin.call import refusal_answer
from twin.clock import Clock, RealClock
from twin.edge import Edge
from twin.faults import FaultInjection, Faults
from twin.files import Attachments
from twin.generate import generate
from twin.live_events import LiveEvents
from twin.lti import launch13, launching, nrps, pages, registration, services
from twin.lti.installed import install_tools
from twin.lti.keys import KeyRing
from twin.lti.platform import Platform
from twin.oauth2_grants import Codes
from twin.options import Options
from twin.outgoing import Outgoing
from twin.report_runs import Reports
from twin.rest import (
    account_courses,
    account_roles,
    account_users,
    accounts,
    bulk_enrollment,
    course_users,
    courses,
    enrollments,
    scopes,
    sections,
    terms,
    users,
)
from twin.sessions import Sessions
from twin.sis_queue import SisImports
from twin.sis_restoring import Restores
from twin.temporary import Pairings
from twin.throttle import Bucket, Throttle


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
        *launch13.routes,
        *launching.routes,
        *nrps.routes,
        *pages.routes,
        *registration.routes,
        *live_events.routes,
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
        *scopes.routes,
        *progress.routes,
        *bulk_enrollment.routes,
        *reports.routes,
        *sis_imports.routes,
        *files.routes,
    ]
    faults, bill, workers = Faults(), Bill(), list[Worker]()
    buckets: dict[str, Bucket] = {}
    middleware: list[Middleware] = [
        Middleware(FaultInjection, faults),
        Middleware(Edge, options),
        Middleware(Throttle, options, clock, buckets, bill.charge),
        Middleware(Background, clock, workers),
    ]
    if options.control:
        routes += control.routes
    app = Starlette(
        routes=routes,
        middleware=middleware,
        lifespan=_sending_live_events,
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
    app.state.lti = Platform(app.state.school, KeyRing(clock.now))
    install_tools(app.state.lti)
    app.state.live_events = LiveEvents(app.state.school, KeyRing(clock.now), app.state.outgoing)
    app.state.faults, app.state.bill, app.state.buckets = faults, bill, buckets
    app.state.attachments = Attachments(options)
    app.state.reports = Reports(app.state.school, app.state.attachments)
    app.state.sis_imports = SisImports(app.state.school, app.state.attachments)
    app.state.sis_imports.listeners.append(app.state.live_events.sis_batch)
    app.state.sis_restores = Restores(app.state.school)
    app.state.progresses = progress.Progresses()
    workers += [
        app.state.bulk_enrolling,
        app.state.pairings,
        app.state.reports,
        app.state.sis_imports,
        app.state.sis_restores,
        app.state.live_events,
    ]
    return app


@asynccontextmanager
async def _sending_live_events(app: Starlette) -> AsyncIterator[None]:
    sending = asyncio.create_task(app.state.live_events.run())
    try:
        yield
    finally:
        sending.cancel()
        await asyncio.wait([sending])
        if not sending.cancelled():
            sending.result()  # it ended by itself, so something went wrong
        await app.state.outgoing.close()


async def _no_route(request: Request, _error: Exception) -> Response:
    return refusal_answer(request, errors.NoRoute())


async def _canvas_error(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, errors.CanvasError)  # noqa: S101  registered for that class
    return refusal_answer(request, refusal)
