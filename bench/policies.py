"""What a day costs by fixed strategies, and what it must cost whoever knows all questions beforehand (pure).

A course's reads have one price all day, measured on the twin before the day begins.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import accumulate
from math import inf

from bench.traffic import Ask, Wants

# What the token endpoint costs (X-Request-Cost of a grant), how long a token is good, and how long one is used: nobody can
# ask NRPS without.
TOKEN_UNITS = 200.0
TOKEN_LIVES = timedelta(minutes=60)
TOKEN_LASTS = timedelta(minutes=50)


@dataclass(frozen=True, kw_only=True)
class Price:
    requests: int
    units: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Tariff:
    """Of a whole read of each course by the Enrollments API and by NRPS, and of a report, which takes `report_lasts`."""

    api: Mapping[int, Price]
    nrps: Mapping[int, Price]
    report: Price
    report_lasts: timedelta


@dataclass(kw_only=True)
class Result:
    """`answers`: rosters, also of one operation. `too_old`: older than asked, and not said so; `wrong`: of those, how many
    had really changed, or rosters that contradict the truth at their as-of. `said_old`: given stale where that was allowed.
    `held`: rows that had ended at the as-of, shown as missing since.
    """

    name: str
    requests: int = 0
    units: float = 0.0
    token_units: float = 0.0
    answers: int = 0
    local: int = 0
    unmet: int = 0
    too_old: int = 0
    wrong: int = 0
    said_old: int = 0
    held: int = 0
    waits: list[float] = field(default_factory=list)
    bought: list[tuple[datetime, float]] = field(default_factory=list)

    def buy(self, at: datetime, price: Price) -> float:
        self.requests += price.requests
        self.units += price.units
        self.bought.append((at, price.units))
        return price.seconds

    @property
    def p95(self) -> float:
        waits = sorted(self.waits)
        return waits[min(len(waits) - 1, int(0.95 * len(waits)))] if waits else 0.0


Changed = Callable[[int, datetime, datetime], bool]
"""Whether a course's roster changed between two times."""


def always_live(asks: Sequence[Ask], tariff: Tariff) -> Result:
    found = Result(name="always the live API")
    for ask in asks:
        found.answers += len(ask.courses)
        found.waits.append(max(found.buy(ask.at, tariff.api[course]) for course in ask.courses))
    return found


def nrps_only(asks: Sequence[Ask], tariff: Tariff) -> Result:
    """Members of courses that were launched; nothing else can be answered."""
    found, launched = Result(name="NRPS only"), set[int]()
    good_until: datetime | None = None
    for ask in asks:
        launched |= set(ask.courses) if ask.launch else set()
        found.answers += len(ask.courses)
        if ask.wants is not Wants.MEMBERS or not launched.issuperset(ask.courses):
            found.unmet += len(ask.courses)
            continue
        if good_until is None or ask.at >= good_until:
            found.buy(ask.at, Price(requests=1, units=TOKEN_UNITS, seconds=0.0))
            found.token_units += TOKEN_UNITS
            good_until = ask.at + TOKEN_LASTS
        found.waits.append(max(found.buy(ask.at, tariff.nrps[course]) for course in ask.courses))
    return found


def nightly_only(
    asks: Sequence[Ask], tariff: Tariff, reports: Sequence[datetime], changed: Changed
) -> Result:
    """`reports`: as of when there is one; the first is of the day before."""
    found = Result(name="nightly report only")
    for as_of in reports[1:]:
        found.buy(as_of, tariff.report)
    for ask in asks:
        found.answers += len(ask.courses)
        if ask.wants is Wants.ACTIVITY:
            found.unmet += len(ask.courses)
            continue
        as_of = max(one for one in reports if one == reports[0] or _is_there(one, ask.at, tariff))
        _aged(found, ask, dict.fromkeys(ask.courses, as_of), changed)
        found.waits.append(0.0)
    return found


def fixed_ttl(asks: Sequence[Ask], tariff: Tariff, ttl: timedelta, changed: Changed) -> Result:
    """The Enrollments API behind a cache that keeps every roster for so long, whatever is asked."""
    found = Result(name=f"cache, {ttl.total_seconds() / 60:g} min")
    kept: dict[int, datetime] = {}
    for ask in asks:
        found.answers += len(ask.courses)
        waited = 0.0
        for course in ask.courses:
            if course not in kept or ask.at - kept[course] > ttl:
                waited = max(waited, found.buy(ask.at, tariff.api[course]))
                kept[course] = ask.at
            else:
                _aged(found, ask, {course: kept[course]}, changed)
        found.waits.append(waited)
    return found


def _aged(found: Result, ask: Ask, kept: Mapping[int, datetime], changed: Changed) -> None:
    for course, as_of in kept.items():
        found.local += 1
        if ask.at - as_of > ask.max_age:
            found.too_old += 1
            found.wrong += changed(course, as_of, ask.at - ask.max_age)


def _is_there(report: datetime, at: datetime, tariff: Tariff) -> bool:
    return report + tariff.report_lasts <= at


@dataclass(frozen=True, kw_only=True)
class Urgent:
    """Questions that want facts of at most this age: how many rosters they are, and what they alone cost at least."""

    max_age: timedelta
    rosters: int
    units: float


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Throttle units that nobody can do without, however much they know of what will be asked.

    `one_report`: with the nightly report and nothing else for everybody at once, paid for; reads of courses chosen exactly.
    `free_reports`: a report ends at every moment, and costs nothing. `urgent`: the first, were only those asked who want
    facts of at most some age.
    """

    one_report: float
    free_reports: float
    urgent: Sequence[Urgent]


def clairvoyant(asks: Sequence[Ask], tariff: Tariff, reports: Sequence[datetime]) -> Bounds:
    """Each course by itself: the cheapest set of reads such that every question has one within its age, exactly.

    Reads may be made at the questions' own times (a read moved on to the end of the first span that it serves serves no
    less), through the Enrollments API for all questions or NRPS for those of members.
    """
    spans = list(_spans(asks))
    nightly = [span for span in spans if not any(_told(span, one, tariff) for one in reports)]
    at_will = [span for span in spans if span.full_list or span.age < tariff.report_lasts]
    ages = sorted({ask.max_age for ask in asks})
    at_least = _at_least(nightly, ages, tariff)
    return Bounds(
        one_report=tariff.report.units * (len(reports) - 1) + at_least[-1],
        free_reports=_at_least(at_will, ages, tariff)[-1],
        urgent=[
            Urgent(max_age=age, rosters=sum(span.age <= age for span in spans), units=units)
            for age, units in zip(ages, at_least, strict=True)
        ],
    )


@dataclass(frozen=True, slots=True)
class Span:
    """A question about one course: a read that began in between answers it. `full_list`: which a report cannot."""

    course: int
    since: datetime
    at: datetime
    members: bool
    full_list: bool

    @property
    def age(self) -> timedelta:
        return self.at - self.since


def _spans(asks: Iterable[Ask]) -> Iterator[Span]:
    """Whoever allows a stale answer wants a read behind it all the same."""
    for ask in asks:
        for course in ask.courses:
            yield Span(
                course,
                ask.at - ask.max_age,
                ask.at,
                ask.wants is Wants.MEMBERS,
                ask.wants is Wants.ACTIVITY,
            )


def _told(span: Span, report: datetime, tariff: Tariff) -> bool:
    return not span.full_list and span.since <= report <= span.at - tariff.report_lasts


def _at_least(spans: Sequence[Span], ages: Sequence[timedelta], tariff: Tariff) -> list[float]:
    """What the questions of at most each age cost: whatever is true of some of them is true of them all."""
    alone = (_cheapest_of_all((span for span in spans if span.age <= age), tariff) for age in ages)
    return list(accumulate(alone, max))


def _cheapest_of_all(spans: Iterable[Span], tariff: Tariff) -> float:
    """A bound from below: with one token for all of the day, or with all that tokens could spare at most, whichever is more."""
    by_course: defaultdict[int, list[Span]] = defaultdict(list)
    for span in spans:
        by_course[span.course].append(span)
    alone = with_nrps = 0.0
    for course, own in by_course.items():
        own.sort(key=lambda span: span.at)
        api, nrps = tariff.api[course].units, tariff.nrps[course].units
        alone += cheapest_reads(own, api, inf)
        with_nrps += cheapest_reads(own, api, nrps)
    spared = spared_by_tokens(
        by_course, {one: tariff.api[one].units - tariff.nrps[one].units for one in by_course}
    )
    return max(min(alone, with_nrps + TOKEN_UNITS), alone - spared)


_STEP = timedelta(minutes=5)


def spared_by_tokens(
    by_course: Mapping[int, Sequence[Span]],
    saving: Mapping[int, float],
    token: float = TOKEN_UNITS,
) -> float:
    """What NRPS can spare at most beyond its tokens, wherever these are bought; `saving`: of one read of each course.

    While a token lives a course need not be read oftener than there are questions which no one read could serve. Each
    start stands for all within a step, so its hour is longer by one.
    """
    members = {
        course: [span for span in own if span.members]
        for course, own in by_course.items()
        if saving[course] > 0
    }
    ends = [span.at for own in members.values() for span in own]
    if not ends:
        return 0.0
    first = min(ends) - TOKEN_LIVES
    starts = [first + n * _STEP for n in range((max(ends) - first) // _STEP + 1)]
    apart = TOKEN_LIVES // _STEP
    best = [0.0] * (len(starts) + apart)
    for n in reversed(range(len(starts))):
        until = starts[n] + TOKEN_LIVES + _STEP
        gain = sum(saving[c] * _reads(own, starts[n], until) for c, own in members.items())
        best[n] = max(best[n + 1], gain - token + best[n + apart])
    return best[0]


def _reads(spans: Sequence[Span], since: datetime, until: datetime) -> int:
    """As many reads between the two serve all of these that can be served then, in the order of their ends."""
    count, read_at = 0, None
    for span in spans:
        if span.at < since or span.since > until:
            continue
        if read_at is None or span.since > read_at:
            count, read_at = count + 1, min(span.at, until)
    return count


def cheapest_reads(spans: Sequence[Span], api: float, nrps: float) -> float:
    """The least that reads cost which between them fall into every span, of spans in the order of their ends.

    best[j]: the least with an API read at the end of span j and every span before it served. Between two API reads, spans
    that the first does not serve are served by NRPS, each as late as can be, which takes the fewest.
    """
    best = [inf] * len(spans)
    answer = inf
    for i in range(-1, len(spans)):
        paid = 0.0 if i < 0 else best[i]
        read_at = None if i < 0 else spans[i].at
        pulled_at: datetime | None = None
        for j in range(i + 1, len(spans)):
            span = spans[j]
            best[j] = min(best[j], paid + api)
            if read_at is not None and read_at >= span.since:
                continue
            if not span.members or nrps >= api:
                break
            if pulled_at is None or pulled_at < span.since:
                paid, pulled_at = paid + nrps, span.at
        else:
            answer = min(answer, paid)
    return answer
