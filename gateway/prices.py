"""What a call to Canvas is expected to cost, learned from what calls did cost.

Pure. Each endpoint of each institution has an exponentially weighted mean of throttle units and seconds a call,
beginning at a prior; the throttle's own headers and the clock teach it (`gateway.canvas.answers.cost`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from math import ceil

from gateway.offers import Price

LEARNING_RATE = 0.2


class Endpoint(StrEnum):
    """Calls that cost alike. A page is a full one: 100 enrollments, 50 members."""

    ENROLLMENT_PAGE = "enrollment page"
    MEMBER_PAGE = "member page"
    MEMBER_PAGE_WITH_MESSAGE = (
        "member page with message"  # each custom field is worked out for each member
    )
    COURSE_PAGE = "course page"
    REPORT = "report"  # a whole run: start and polls
    REPORT_LOAD = "report load"  # its file: fetched and loaded
    REPORT_LOOKUP = "report lookup"
    LOOKUP = "lookup"
    ENROLLMENT_LOOKUP = "enrollment lookup"  # one person's in one course
    ENROLLMENT_WRITE = "enrollment write"  # a POST, which says all of it
    ENROLLMENT_TASK = "enrollment task"  # it is ended, or reactivated
    USER_WRITE = "user write"
    SIS_UPLOAD = "SIS upload"  # its seconds: until a small import is over
    SIS_ROW = "SIS row"  # no call: how much longer a large one takes, by its rows
    SERVICE_TOKEN = "service token"  # noqa: S105  the endpoint's name


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """Of one call: throttle units and seconds. `calls` have taught it so far."""

    quota: float
    seconds: float
    calls: int = 0

    def taught(self, *, quota: float, seconds: float) -> "Expectation":
        """The first calls outweigh the prior quickly: the rate falls from one half to the lasting one."""
        rate = max(LEARNING_RATE, 1.0 / (self.calls + 2))
        return Expectation(
            quota=self.quota + rate * (quota - self.quota),
            seconds=self.seconds + rate * (seconds - self.seconds),
            calls=self.calls + 1,
        )

    def price(self, calls: float) -> Price:
        """Of so many calls one after another."""
        return Price(
            requests=calls,
            quota=calls * self.quota,
            latency=timedelta(seconds=calls * self.seconds),
        )


# Cost is seconds of CPU plus seconds of database time (transport of a page of 100 rows is well below one).
PRIORS = {
    Endpoint.ENROLLMENT_PAGE: Expectation(quota=0.8, seconds=0.8),
    Endpoint.MEMBER_PAGE: Expectation(quota=0.3, seconds=0.4),
    Endpoint.MEMBER_PAGE_WITH_MESSAGE: Expectation(quota=1.5, seconds=1.8),
    Endpoint.COURSE_PAGE: Expectation(quota=0.8, seconds=0.8),
    Endpoint.REPORT: Expectation(quota=3.0, seconds=300.0),
    Endpoint.REPORT_LOAD: Expectation(quota=0.1, seconds=60.0),
    Endpoint.REPORT_LOOKUP: Expectation(quota=0.2, seconds=0.3),
    Endpoint.LOOKUP: Expectation(quota=0.1, seconds=0.2),
    Endpoint.ENROLLMENT_LOOKUP: Expectation(quota=0.1, seconds=0.2),
    Endpoint.ENROLLMENT_WRITE: Expectation(quota=0.4, seconds=0.4),
    Endpoint.ENROLLMENT_TASK: Expectation(quota=0.3, seconds=0.3),
    Endpoint.USER_WRITE: Expectation(quota=0.5, seconds=0.5),
    Endpoint.SIS_UPLOAD: Expectation(quota=0.5, seconds=5.0),
    Endpoint.SIS_ROW: Expectation(quota=0.0, seconds=0.01),
    # Canvas adds 200 units to every token it gives (fact sheet transport.md §2.1).
    Endpoint.SERVICE_TOKEN: Expectation(quota=200.0, seconds=0.3),
}

PAGE_SIZES = {
    Endpoint.ENROLLMENT_PAGE: 100,
    Endpoint.COURSE_PAGE: 100,
    Endpoint.MEMBER_PAGE: 50,
    Endpoint.MEMBER_PAGE_WITH_MESSAGE: 50,
}


class PriceBook:
    """What an institution's calls cost, for its sources to price their offers by and to teach."""

    def __init__(self, known: Mapping[Endpoint, Expectation] | None = None) -> None:
        self._known = {**PRIORS, **(known or {})}
        self._taught: set[Endpoint] = set()

    def expected(self, endpoint: Endpoint) -> Expectation:
        return self._known[endpoint]

    def teach(self, endpoint: Endpoint, *, quota: float, seconds: float, calls: int = 1) -> None:
        """What `calls` calls cost together."""
        if calls < 1:
            return
        self._known[endpoint] = self._known[endpoint].taught(
            quota=quota / calls, seconds=seconds / calls
        )
        self._taught.add(endpoint)

    def news(self) -> dict[Endpoint, Expectation]:
        """What was learned since this was last asked."""
        learned = {endpoint: self._known[endpoint] for endpoint in sorted(self._taught)}
        self._taught.clear()
        return learned


class PriceBooks:
    """One book for each institution, whoever prices by it and teaches it. `known`: what was learned before."""

    def __init__(self, known: Mapping[int, Mapping[Endpoint, Expectation]] | None = None) -> None:
        self._known = known or {}
        self._books: dict[int, PriceBook] = {}

    def of(self, institution_id: int) -> PriceBook:
        book = self._books.get(institution_id)
        if book is None:
            book = self._books[institution_id] = PriceBook(self._known.get(institution_id))
        return book

    def news(self) -> dict[int, dict[Endpoint, Expectation]]:
        """What was learned since this was last asked, of those that learned anything."""
        told = {institution_id: book.news() for institution_id, book in self._books.items()}
        return {institution_id: news for institution_id, news in told.items() if news}


def pages(endpoint: Endpoint, rows: int | None) -> int:
    """Calls to list `rows`; None, a list of unknown length, is taken for a usual class of two pages."""
    if rows is None:
        return 2
    return max(1, ceil(rows / PAGE_SIZES[endpoint]))
