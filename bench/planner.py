"""A simulated day of a school: what the planner's choices cost beside fixed strategies and beside knowing the future."""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import planner_plot
from bench.gateway_day import GatewayDay, measured
from bench.page import put
from bench.policies import (
    Bounds,
    Price,
    Result,
    Tariff,
    always_live,
    clairvoyant,
    fixed_ttl,
    nightly_only,
    nrps_only,
)
from bench.school_twin import REPORT_LASTS, SchoolTwin, school_twin
from bench.traffic import MINUTE, Ask, SchoolDay

PICTURE = Path(__file__).parent.parent / "docs" / "planner.png"
BEGINS = datetime(2026, 3, 3, tzinfo=UTC)
EVENING = timedelta(hours=3)


COURSES, QUICK_COURSES = 200, 20
USERS_A_COURSE = 30  # makes classes of about 250


@dataclass(frozen=True, kw_only=True)
class Day:
    asks: list[Ask]
    results: list[Result]
    bounds: Bounds
    people: int
    courses: int
    examples: list[str]


def run(folder: Path, _postgres: str, quick: bool) -> str:  # noqa: FBT001  as every suite is called
    return report_of(folder, QUICK_COURSES if quick else COURSES, picture=not quick)


def report_of(
    folder: Path,
    courses: int,
    *,
    picture: bool,
    nrps: bool = True,
    users_a_course: int = USERS_A_COURSE,
) -> str:
    day = asyncio.run(simulated(folder, courses, users_a_course, nrps=nrps))
    for example in day.examples:
        print(example, file=sys.stderr)
    if picture:
        bounds = {
            "clairvoyant": day.bounds.one_report,
            "clairvoyant, reports free": day.bounds.free_reports,
        }
        planner_plot.draw(PICTURE, day.results, bounds, begins=BEGINS)
    return table(day)


async def simulated(folder: Path, size: int, users_a_course: int, *, nrps: bool) -> Day:
    """`size`: all courses of the school; those that are over, or not yet open, have no traffic."""
    users = users_a_course * size
    async with school_twin(
        folder, BEGINS - EVENING, courses=size, users=users, big=users // 12, nrps=nrps
    ) as twin:
        courses = running(twin)
        events = SchoolDay(begins=BEGINS, courses=courses).events()
        asks = [event for event in events if isinstance(event, Ask)]
        gateway = GatewayDay(twin)
        people = sum(len(twin.school.enrollments_of_course.of(course)) for course in courses)
        said(f"{len(courses)} courses of {people} people, {len(asks)} questions")
        await gateway.prepare(courses)
        report = report_price(twin)
        said("the evening's report is loaded")
        tariff = await measured(twin, courses, report, REPORT_LASTS)
        said("reads are priced")
        ours = await gateway.run(events, said=said)
        said("the day is over")
    return Day(
        asks=asks,
        results=[ours, *fixed(asks, tariff, gateway)],
        bounds=clairvoyant(asks, tariff, gateway.reports),
        people=people // len(courses),
        courses=len(courses),
        examples=gateway.examples,
    )


def running(twin: SchoolTwin) -> list[int]:
    """Courses that are open now, without the cast's oddities."""
    odd = {course.id for course in twin.app.state.cast.courses.values()}
    term = twin.app.state.cast.terms["current"]
    return sorted(
        course.id
        for course in twin.school.courses.values()
        if course.workflow_state == "available"
        and course.term_id == term.id
        and course.id not in odd
    )


def report_price(twin: SchoolTwin) -> Price:
    lines = [line for endpoint, line in twin.bill().items() if "/reports" in endpoint]
    requests, units = (sum(line[name] for line in lines) for name in ("requests", "units"))
    return Price(requests=int(requests), units=units, seconds=0.0)


def fixed(asks: list[Ask], tariff: Tariff, gateway: GatewayDay) -> list[Result]:
    return [
        always_live(asks, tariff),
        nrps_only(asks, tariff),
        nightly_only(asks, tariff, gateway.reports, gateway.changed),
        fixed_ttl(asks, tariff, MINUTE, gateway.changed),
        fixed_ttl(asks, tariff, 15 * MINUTE, gateway.changed),
    ]


COLUMNS: dict[str, Callable[[Result, Result], str]] = {
    "requests": lambda one, _: f"{one.requests:,}",
    "units": lambda one, _: f"{one.units:,.0f}",
    "for tokens": lambda one, _: f"{one.token_units:,.0f}",
    "of always-live": lambda one, live: f"{one.units / live.units:.1%}",
    "p95, s": lambda one, _: f"{one.p95:.2f}",
    "local": lambda one, _: f"{one.local / one.answers:.1%}",
    "too old": lambda one, _: f"{one.too_old:,}",
    "wrong": lambda one, _: f"{one.wrong:,}",
    "said to be old": lambda one, _: f"{one.said_old:,}",
    "not answered": lambda one, _: f"{one.unmet:,}",
}


def table(day: Day) -> str:
    ours, live = day.results[0], day.results[1]
    lines = [
        f"| strategy | {' | '.join(COLUMNS)} |",
        f"| --- |{' ---: |' * len(COLUMNS)}",
        *(
            f"| {one.name} | {' | '.join(cell(one, live) for cell in COLUMNS.values())} |"
            for one in day.results
        ),
        "",
        f"{len(day.asks):,} operations asked for {ours.answers:,} rosters of {day.courses:,} courses.",
        f"A course has {day.people:,} people on average.",
        f"{ours.held:,} rows had ended and were shown as missing since the newest report.",
        "",
        "| clairvoyant | units | the gateway took | without LTI tokens |",
        "| --- | ---: | ---: | ---: |",
    ]
    bounds = {
        "with the nightly report": day.bounds.one_report,
        "with a report at every moment, for nothing": day.bounds.free_reports,
    }
    lines += [
        f"| {name} | {bound:,.0f} | {ours.units / bound:.2f} x | {(ours.units - ours.token_units) / bound:.2f} x |"
        for name, bound in bounds.items()
    ]
    lines += [
        "",
        "| questions for facts of at most | of all rosters | cost at least | of always-live |",
        "| --- | ---: | ---: | ---: |",
        *(
            f"| {words(one.max_age)} | {one.rosters / ours.answers:.1%} | {one.units:,.0f} | {one.units / live.units:.1%} |"
            for one in day.bounds.urgent
        ),
    ]
    return "\n".join(lines)


def words(age: timedelta) -> str:
    seconds = int(age.total_seconds())
    for size, unit in ((86_400, "day"), (3_600, "h"), (60, "min")):
        if seconds and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def main() -> None:
    """`python -m bench.planner --courses 2000 --write`: a school of another size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--courses", type=int, default=COURSES)
    parser.add_argument(
        "--write", action="store_true", help="into docs/benchmarks.md and docs/planner.png"
    )
    parser.add_argument("--without-nrps", action="store_true", help="the gateway may not ask it")
    parser.add_argument(
        "--users", type=int, default=USERS_A_COURSE, help="for each course; a class is 8 times that"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="roster-bench-") as folder:
        tables = report_of(
            Path(folder),
            options.courses,
            picture=options.write,
            nrps=not options.without_nrps,
            users_a_course=options.users,
        )
    print(tables)
    if options.write:
        put("planner", tables)


def said(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {words}", file=sys.stderr)


if __name__ == "__main__":
    main()
