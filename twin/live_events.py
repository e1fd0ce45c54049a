"""Live Events out: what the school does, told to subscribers by HTTPS (fact sheet live-events.md §5 and §6).

Events are lost, doubled and out of order as in Canvas, by the switches of `Options`.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from html import escape
from random import Random
from typing import Any

import httpx
import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from twin import causes, html
from twin import live_event_bodies as bodies
from twin.causes import JobCause, RequestCause
from twin.errors import BadRequest
from twin.live_event_bodies import BODIES, Event
from twin.live_event_dates import DateBoundaries
from twin.lti.keys import CACHE_CONTROL, KeyRing
from twin.outgoing import Outgoing
from twin.records import Enrollment, Row, User
from twin.school import Change, School
from twin.sis_batch import SisBatch

# Four tries over ten to twenty minutes.
RETRIES = (timedelta(minutes=1), timedelta(minutes=4), timedelta(minutes=10))
HELD_FOR = timedelta(seconds=30)
DAY = timedelta(hours=24)
MAX_TIMEOUTS = 9_500
MAX_FAILURES = 28_000
_STATE_JOB = "EnrollmentState.process_account_states_in_ranges"
_STATE_FIELDS = frozenset({"workflow_state", "start_at", "end_at", "section_id", "course_id"})


@dataclass(slots=True, eq=False)
class Subscription:
    """A data stream that an administrator made."""

    url: str
    signed: bool = True
    events: frozenset[str] | None = None
    """None: all of them."""
    active: bool = True
    timeouts: deque[datetime] = field(default_factory=deque)
    failures: deque[datetime] = field(default_factory=deque)


@dataclass(slots=True)
class Parcel:
    subscription: Subscription
    event: Event
    due_at: datetime
    tries: int = 0


class LiveEvents:
    """Listens to the school and keeps what is still to be sent."""

    def __init__(self, school: School, keys: KeyRing, outgoing: Outgoing) -> None:
        self.school = school
        self.keys = keys
        self.subscriptions: list[Subscription] = []
        self.waiting: list[Parcel] = []
        self._held: list[Parcel] = []  # wait for the next event to overtake them
        self._outgoing = outgoing
        self._random = Random(school.options.seed)  # noqa: S311  which events are lost is no secret
        self._boundaries: DateBoundaries | None = None
        self._wake = asyncio.Event()
        if school.options.live_events_url:
            self.subscribe(school.options.live_events_url, signed=school.options.live_events_signed)

    def subscribe(
        self, url: str, *, signed: bool = True, events: frozenset[str] | None = None
    ) -> Subscription:
        if self._boundaries is None:
            self._boundaries = DateBoundaries(self.school)
            self.school.listeners.append(self._changed)
        subscription = Subscription(url, signed, events)
        self.subscriptions.append(subscription)
        return subscription

    def logged_in(self, user: User, redirect_url: str, user_agent: str) -> None:
        cause = RequestCause(user, "POST", redirect_url, user_agent, "", 0)
        with causes.because_of(cause):
            self.emit("logged_in", {"redirect_url": redirect_url})

    def sis_batch(self, change: Change, batch: SisBatch) -> None:
        """A listener of the SIS imports."""
        self.emit(f"sis_batch_{change}", bodies.sis_batch(batch))

    def _changed(self, change: Change, row: Row, old: dict[str, Any]) -> None:
        """A listener of the school."""
        if self._boundaries:
            self._boundaries.note(row)
        if isinstance(row, Enrollment) and _is_silent(change, row):
            return
        if type(row) in BODIES:
            name, body, shown = BODIES[type(row)]
            if change == "created" or shown & set(old):
                self.emit(f"{name}_{change}", body(self.school, row))
        if isinstance(row, Enrollment) and (change == "created" or _STATE_FIELDS & set(old)):
            state = bodies.enrollment_state(self.school, row)
            self.emit(f"enrollment_state_{change}", state)
        if change == "created" and (joined := bodies.new_association(self.school, row)):
            self.emit("user_account_association_created", joined)

    def emit(self, name: str, body: dict[str, Any]) -> None:
        """Put an event on its streams; best effort, so some are lost here."""
        made = bodies.event(self.school, name, body, causes.current())
        for subscription in self.subscriptions:
            if subscription.active and (subscription.events is None or name in subscription.events):
                self._queue(Parcel(subscription, made, self.school.clock.now()))
        self._wake.set()

    def _queue(self, parcel: Parcel) -> None:
        options = self.school.options
        if self._random.random() < options.live_events_drop:
            return
        copies = 2 if self._random.random() < options.live_events_duplicate else 1
        if self._random.random() < options.live_events_reorder:
            parcel.due_at += HELD_FOR
            self._held += [parcel] * copies
            return
        self.waiting += [parcel] * copies
        for overtaken in self._held:
            overtaken.due_at = parcel.due_at
            self.waiting.append(overtaken)
        self._held = []

    async def catch_up(self, now: datetime) -> None:
        """What the clock alone has done: states by date, and retries that are due."""
        if self._boundaries:
            with causes.because_of(JobCause(_STATE_JOB)):
                for row in self._boundaries.passed(now):
                    state = bodies.enrollment_state(self.school, row)
                    self.emit("enrollment_state_updated", state)
        if self.waiting or self._held:
            self._wake.set()

    async def run(self) -> None:
        """Send for ever, as soon as there is something to send."""
        while True:
            await self.deliver()
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), self._seconds_to_next())
            except TimeoutError:
                await self.catch_up(self.school.clock.now())

    async def deliver(self) -> None:
        """Send all that is due, one event a request."""
        now = self.school.clock.now()
        every = self.waiting + self._held
        self.waiting = [parcel for parcel in self.waiting if parcel.due_at > now]
        self._held = [parcel for parcel in self._held if parcel.due_at > now]
        for parcel in every:
            if parcel.due_at > now:
                continue
            if parcel.subscription.active:
                await self._send(parcel)

    async def _send(self, parcel: Parcel) -> None:
        signed = parcel.subscription.signed
        body = self.keys.sign(parcel.event).encode() if signed else orjson.dumps(parcel.event)
        kind = "application/jwt" if signed else "application/json"
        try:
            status = await self._outgoing.post(parcel.subscription.url, body, kind)
            failures = None if 200 <= status < 300 else parcel.subscription.failures
        except httpx.TimeoutException:
            failures = parcel.subscription.timeouts
        except httpx.HTTPError:
            failures = parcel.subscription.failures
        if failures is not None:
            self._failed(parcel, failures)

    def _failed(self, parcel: Parcel, failures: deque[datetime]) -> None:
        """Try again later, three times; a stream that fails all day is switched off."""
        now, subscription = self.school.clock.now(), parcel.subscription
        failures.append(now)
        while failures[0] <= now - DAY:
            failures.popleft()
        if len(subscription.timeouts) >= MAX_TIMEOUTS or len(subscription.failures) >= MAX_FAILURES:
            subscription.active = False
        if parcel.tries < len(RETRIES):
            wait = RETRIES[parcel.tries] * self._random.uniform(0.8, 1.2)
            again = Parcel(subscription, parcel.event, now + wait, parcel.tries + 1)
            self.waiting.append(again)

    def _seconds_to_next(self) -> float | None:
        now = self.school.clock.now()
        moments = [parcel.due_at for parcel in self.waiting + self._held]
        if self._boundaries and (boundary := self._boundaries.next_at()):
            moments.append(boundary)
        return max(0.0, (min(moments) - now).total_seconds()) if moments else None


def _is_silent(change: Change, row: Enrollment) -> bool:
    """Deletions by SIS import, and bulk clean-ups, go past what makes events (§3.1)."""
    cause = causes.current()
    if change == "created" or not isinstance(cause, JobCause) or cause.tag != causes.SIS_IMPORT:
        return False
    return cause.in_bulk or row.workflow_state == "deleted"


async def jwks(request: Request) -> Response:
    """Stands for the address that Instructure publishes its keys at."""
    live_events: LiveEvents = request.app.state.live_events
    return JSONResponse(live_events.keys.jwks(), headers={"Cache-Control": CACHE_CONTROL})


async def index(request: Request) -> Response:
    live_events: LiveEvents = request.app.state.live_events
    rows = "".join(
        f"<tr><td>{escape(stream.url)}</td><td>{'signed' if stream.signed else 'plain'}</td>"
        f"<td>{'active' if stream.active else 'off'}</td></tr>"
        for stream in live_events.subscriptions
    )
    default = f"{live_events.school.options.tool_url}/events/canvas"
    return html.page(
        "Live Events",
        f'<h1>Live Events</h1><table>{rows}</table><form method="post"><fieldset>'
        f'<label>URL <input name="url" size="60" value="{escape(default)}"></label>'
        '<label><input type="checkbox" name="signed" value="1" checked> Sign Payload</label>'
        '<button type="submit">Subscribe</button></fieldset></form>',
    )


async def subscribe(request: Request) -> Response:
    live_events: LiveEvents = request.app.state.live_events
    form = await request.form()
    url, names = str(form.get("url", "")), str(form.get("events", "")).split()
    if not url.startswith(("http://", "https://")):
        raise BadRequest
    live_events.subscribe(
        url, signed=form.get("signed") == "1", events=frozenset(names) if names else None
    )
    return RedirectResponse("/twin/live_events", 303)


routes: list[BaseRoute] = [
    Route("/twin/live_events", index),
    Route("/twin/live_events", subscribe, methods=["POST"]),
    Route("/twin/live_events/jwks", jwks),
]
