"""A school day's traffic, made from a seed: launches around class meetings, teachers' pages, dashboards, a batch, churn.

Pure. Nothing here knows what an answer costs. The mix of freshness was written down before anything was measured.
"""

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=n) for n in (1, 60, 3_600, 86_400))

# How old an answer may be, and how many of a hundred people's questions say so.
FRESHNESS: Mapping[timedelta, float] = {
    timedelta(0): 1,
    30 * SECOND: 2,
    MINUTE: 5,
    5 * MINUTE: 17,
    15 * MINUTE: 20,
    HOUR: 25,
    6 * HOUR: 15,
    DAY: 15,
}
STALE_ALLOWED = 0.25  # of people's questions: an older answer at once, and the read behind it

LAUNCHES_A_COURSE = 40  # on average; popularity is lognormal
MEETING_SHARE = 0.6  # of launches come within minutes of the beginning of a class
PAGES_A_COURSE = 4
DASHBOARD = 50  # courses on one dashboard, every hour of the working day
NIGHTLY_AT = 2 * HOUR
BATCH_AT = 5 * HOUR
CHURN_A_COURSE = 2.0


class Wants(StrEnum):
    """What is asked of a roster: names of members, standing, addresses, or when people were last active."""

    MEMBERS = "members"
    STANDING = "standing"
    CONTACT = "contact"
    ACTIVITY = "activity"


@dataclass(frozen=True, kw_only=True)
class Ask:
    at: datetime
    courses: tuple[int, ...]
    wants: Wants
    max_age: timedelta
    allow_stale: bool = False
    launch: bool = False


@dataclass(frozen=True, kw_only=True)
class Churn:
    """Somebody comes or goes, behind the gateway's back. `draw` in [0, 1) chooses who."""

    at: datetime
    course: int
    draw: float


@dataclass(frozen=True, kw_only=True)
class Nightly:
    at: datetime


Event = Ask | Churn | Nightly


@dataclass(kw_only=True)
class SchoolDay:
    """`begins` at midnight. `courses` by Canvas's ids. `zeros`: how many of a hundred people want facts of now."""

    begins: datetime
    courses: Sequence[int]
    seed: int = 1
    zeros: float = FRESHNESS[timedelta(0)]
    rng: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)  # noqa: S311  traffic, no secrets

    def events(self) -> list[Event]:
        """In the order of their time. People change from two hours before the day on: what is known is not new."""
        found: list[Event] = [Nightly(at=self.begins + NIGHTLY_AT), *self._batch()]
        for course in self.courses:
            found += self._launches(course)
            found += self._pages(course)
            found += self._churn(course)
        found += self._dashboards()
        return sorted(found, key=lambda event: event.at)

    def _launches(self, course: int) -> Iterator[Ask]:
        meetings = [self.begins + self.rng.randint(8, 17) * HOUR for _ in range(2)]
        spread = 0.8
        popularity = self.rng.lognormvariate(-(spread**2) / 2, spread)
        for _ in range(round(LAUNCHES_A_COURSE * popularity)):
            if self.rng.random() < MEETING_SHARE:
                at = self.rng.choice(meetings) + self.rng.expovariate(1 / 5) * MINUTE
            else:
                at = self._some_time()
            yield self._asked(at, course, Wants.MEMBERS, launch=True)

    def _pages(self, course: int) -> Iterator[Ask]:
        for _ in range(PAGES_A_COURSE):
            wants = self.rng.choices((Wants.STANDING, Wants.CONTACT, Wants.ACTIVITY), (60, 20, 20))[
                0
            ]
            yield self._asked(self._some_time(), course, wants)

    def _asked(self, at: datetime, course: int, wants: Wants, *, launch: bool = False) -> Ask:
        ages = {**FRESHNESS, timedelta(0): self.zeros}
        return Ask(
            at=at,
            courses=(course,),
            wants=wants,
            max_age=self.rng.choices(list(ages), list(ages.values()))[0],
            allow_stale=self.rng.random() < STALE_ALLOWED,
            launch=launch,
        )

    def _dashboards(self) -> Iterator[Ask]:
        """Of a department each; as many as make every course appear about once in two hours."""
        size = min(DASHBOARD, len(self.courses))
        for hour in range(7, 21):
            for _ in range(max(1, len(self.courses) // (2 * size))):
                at = self.begins + (hour + self.rng.random()) * HOUR
                shown = tuple(self.rng.sample(list(self.courses), size))
                yield Ask(at=at, courses=shown, wants=Wants.STANDING, max_age=6 * HOUR)

    def _batch(self) -> Iterator[Ask]:
        """Somebody's nightly job takes every roster, fifty at a time."""
        for place in range(0, len(self.courses), DASHBOARD):
            chunk = tuple(self.courses[place : place + DASHBOARD])
            at = self.begins + BATCH_AT + place * SECOND
            yield Ask(at=at, courses=chunk, wants=Wants.STANDING, max_age=6 * HOUR)

    def _churn(self, course: int) -> Iterator[Churn]:
        """More by day than by night, some before the day begins."""
        for _ in range(_poisson(self.rng, CHURN_A_COURSE)):
            at = (
                self._some_time()
                if self.rng.random() < 0.8
                else self.begins + self.rng.uniform(-2, 7) * HOUR
            )
            yield Churn(at=at, course=course, draw=self.rng.random())

    def _some_time(self) -> datetime:
        return self.begins + self.rng.triangular(7, 24, 14) * HOUR


def _poisson(rng: random.Random, mean: float) -> int:
    """Knuth's way, good for small means."""
    count, product = 0, rng.random()
    while product > math.exp(-mean):
        count, product = count + 1, product * rng.random()
    return count
