"""A Canvas to read from: the twin on a real socket, under a clock of the test's, changed and broken behind the reader's back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from joserfc.jwk import RSAKey
from starlette.applications import Starlette

from gateway.canvas.buckets import LocalBuckets
from gateway.canvas.client import Canvas, Fixed
from gateway.http.client import Client
from tests.twin.serving import address, listening, served
from twin.app import create_twin
from twin.cast import Cast
from twin.clock import FixedClock
from twin.faults import Fault, Kind
from twin.options import Options
from twin.outgoing import Outgoing
from twin.records import Course
from twin.school import School
from twin.school_changes import CHANGES
from twin.truth import course_truth

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
SMALL: dict[str, Any] = {"courses": 14, "users": 260, "big": 260, "enrollments": 1000}


@dataclass(frozen=True, kw_only=True)
class Upstream:
    app: Starlette
    url: str
    clock: FixedClock

    @property
    def school(self) -> School:
        school: School = self.app.state.school
        return school

    @property
    def cast(self) -> Cast:
        cast: Cast = self.app.state.cast
        return cast

    @property
    def big(self) -> Course:
        """The course that takes several pages."""
        rows = self.school.enrollments_of_course
        return max(self.school.courses.values(), key=lambda course: len(list(rows.of(course.id))))

    def change(self, name: str, **fields: Any) -> dict[str, Any]:
        return CHANGES[name](**fields).apply(self.school)

    def break_(self, kind: Kind, path: str = "", **fields: Any) -> Fault:
        return self.app.state.faults.add(Fault(kind=kind, path=path, **fields))  # type: ignore[no-any-return]  # state is untyped

    def mend(self) -> None:
        self.app.state.faults.clear()

    def truth(self, course: Course) -> list[dict[str, Any]]:
        """Every enrollment of the course, with nothing hidden."""
        rows: list[dict[str, Any]] = course_truth(self.school, course)["enrollments"]
        return rows

    def billed(self) -> dict[str, int]:
        """Requests so far, by endpoint."""
        bill = self.app.state.bill.json()["by_endpoint"]
        return {endpoint: item["requests"] for endpoint, item in bill.items()}

    def token(self, person: str = "admin") -> Fixed:
        return Fixed(secret=self.cast.tokens[person])

    def knows_our_key(self, key: RSAKey) -> None:
        """As Canvas would, by fetching our JWKS."""
        answer = httpx.Response(200, json={"keys": [key.as_dict(private=False)]})
        self.app.state.outgoing = Outgoing(httpx.MockTransport(lambda _: answer))

    def memberships_url(self, course: Course) -> str:
        return f"{self.url}/api/lti/courses/{course.id}/names_and_roles"

    def canvas(self, http: Client) -> Canvas:
        return Canvas(
            http=http, base_url=self.url, buckets=LocalBuckets(self.clock.now, sleep=self.wait)
        )

    async def wait(self, seconds: float) -> None:
        """Waiting is the clock's business."""
        self.clock.advance(timedelta(seconds=seconds))


@contextmanager
def upstream(**options: Any) -> Iterator[Upstream]:
    listener = listening()
    url, clock = address(listener), FixedClock(NOW)
    app = create_twin(Options(**{**SMALL, **options, "public_url": url}), clock)
    with served(app, on=listener):
        yield Upstream(app=app, url=url, clock=clock)
