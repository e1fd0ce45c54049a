"""Changes of 1 to 50,000 enrollments by either path: what they cost, what was predicted, and which path the plan takes."""

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

from bench.school_twin import SchoolTwin, school_twin
from gateway.canvas.sis_imports import SisImports
from gateway.change_paths import Cost, cheaper
from gateway.change_paths import Path as Way
from gateway.merge import Guard
from gateway.offers import Price
from gateway.planner import Budget, worth
from gateway.prices import PriceBook
from gateway.readpath.lookups import By
from gateway.readpath.registry import Reader
from gateway.store import roster_changes
from gateway.store.roster_changes import State
from gateway.sync.importer import import_report
from gateway.viewer import Rights, Service
from gateway.writes.acting import Actors
from gateway.writes.roster_changes import RosterChanges, Wanted
from gateway.writes.roster_jobs import Office, RosterJobs
from gateway.writes.roster_planning import Planning
from gateway.writes.roster_reading import RosterReading
from gateway.writes.roster_rows import Said
from models.roster import EnrollmentState, EnrollmentType
from twin.enrolling import is_concluded
from twin.report_file import write_report

BEGINS = datetime(2026, 3, 3, tzinfo=UTC)
SIZES = (1, 10, 100, 1_000, 50_000)
QUICK = (1, 10, 100)
# A gateway that has changed something before knows what that costs.
LEARNED_BY = (
    *((rows, Way.SINGLE_CALLS) for rows in (100, 30, *(1,) * 12)),
    *((rows, Way.SIS_IMPORT) for rows in (100, *(10,) * 12)),
)


@dataclass(frozen=True, kw_only=True)
class Measured:
    rows: int
    path: Way
    predicted: Price
    billed: Price
    chosen: bool
    seconds: float  # of this machine


@dataclass(kw_only=True)
class Registrar:
    """Enrolls people whom the school's sections do not have yet."""

    twin: SchoolTwin
    changes: RosterChanges
    jobs: RosterJobs
    pairs: Iterator[tuple[int, int]]

    async def add(self, rows: int, path: Way | None) -> tuple[int, tuple[Cost, ...]]:
        """The plan, and what it says of the cost of each path."""
        reader = Reader(
            institution_id=self.twin.institution.id,
            shard=self.twin.institution.shard,
            now=self.twin.clock.now(),
            rights=Rights(),
        )
        said = tuple(
            Said(
                row=number,
                text="",
                user=By("User", "canvasId", str(user)),
                section=By("Section", "canvasId", str(section)),
                type=EnrollmentType.STUDENT,
            )
            for number, (user, section) in enumerate(islice(self.pairs, rows), 1)
        )
        if len(said) < rows:
            sys.exit("the school is too small")
        wanted = Wanted(rows=said, path=path, max_age=timedelta(days=365))
        viewer = replace(self.twin.viewer, service=Service(token_id=1, name="bench"))
        change = await self.changes.plan(viewer, reader, wanted)
        kept = await self._find(change)
        return change, kept.costs

    async def carry_out(self, change: int) -> Price:
        """What Canvas charged, and how long it took by its clock."""
        viewer = replace(self.twin.viewer, service=Service(token_id=1, name="bench"))
        began, before = self.twin.clock.now(), self._billed()
        await self.changes.apply(viewer, change, confirmed=None, key=None)
        await self.jobs.carry_out(self.twin.institution.id, change, last=True)
        done, after = await self._find(change), self._billed()
        if done.state is not State.SUCCEEDED:
            sys.exit(f"a change ended as {done.state}: {done.message}")
        return Price(
            requests=after.requests - before.requests,
            quota=after.quota - before.quota,
            latency=self.twin.clock.now() - began,
        )

    def _billed(self) -> Price:
        lines = self.twin.bill().values()
        return Price(
            requests=sum(line["requests"] for line in lines),
            quota=sum(line["units"] for line in lines),
        )

    async def _find(self, change: int) -> roster_changes.Change:
        found = await roster_changes.find(self.twin.database, self.twin.institution.id, change)
        if found is None:
            sys.exit("a change is gone")
        return found


def _pairs(twin: SchoolTwin) -> Iterator[tuple[int, int]]:
    """People and sections with SIS ids who do not have each other yet, section by section.

    None of a course that is over: a SIS file would enroll them there, and a call may not.
    """
    school, now = twin.school, twin.clock.now()
    people = sorted(
        {
            login.user_id
            for login in school.pseudonyms.values()
            if login.sis_user_id
            and login.workflow_state == "active"
            and school.users[login.user_id].workflow_state != "deleted"
        }
    )
    for section in list(school.sections.values()):
        course = school.courses[section.course_id]
        open_ = course.workflow_state == "available" and not course.blueprint
        if not (open_ and section.sis_source_id and course.sis_source_id):
            continue
        if is_concluded(school, course, now):
            continue
        there = {row.user_id for row in school.enrollments_of_course.of(course.id)}
        yield from ((person, section.id) for person in people if person not in there)


def _office(twin: SchoolTwin) -> Office:
    async def wait(seconds: float) -> None:
        twin.clock.advance(timedelta(seconds=seconds))

    prices, institution = PriceBook(), twin.institution
    return Office(
        planning=Planning(
            database=twin.database,
            connections=twin.connections,
            prices=prices,
            guard=Guard(),
            reading=RosterReading(
                database=twin.database,
                canvas=twin.canvas,
                prices=prices,
                clock=twin.clock.now,
                institution_id=institution.id,
                shard=institution.shard,
            ),
        ),
        actors=Actors(
            institution_id=institution.id,
            shard=institution.shard,
            database=twin.database,
            credentials=twin.credentials,
        ),
        imports=SisImports(canvas=twin.canvas, account="self", sleep=wait),
        drop=EnrollmentState.DELETED,
        max_age=timedelta(days=365),
    )


async def _measure(folder: Path, sizes: tuple[int, ...]) -> list[Measured]:
    users = 4_000 if max(sizes) > 1_000 else 600
    async with school_twin(folder, BEGINS, courses=60, users=users, big=200) as twin:
        write_report(folder / "report.zip", twin.school)
        await import_report(
            twin.database, twin.institution, folder / "report.zip", clock=twin.clock.now
        )
        offices = {twin.institution.id: _office(twin)}
        registrar = Registrar(
            twin=twin,
            changes=RosterChanges(offices, twin.database, twin.clock.now),
            jobs=RosterJobs(offices=offices, database=twin.database, clock=twin.clock.now),
            pairs=_pairs(twin),
        )
        for rows, path in LEARNED_BY:
            change, _ = await registrar.add(rows, path)
            await registrar.carry_out(change)
        found = []
        for rows in sizes:
            for path in Way:
                change, costs = await registrar.add(rows, path)
                began = time.perf_counter()
                found.append(
                    Measured(
                        rows=rows,
                        path=path,
                        predicted=next(one.price for one in costs if one.path is path),
                        billed=await registrar.carry_out(change),
                        chosen=cheaper(costs).path is path,
                        seconds=time.perf_counter() - began,
                    )
                )
                print(found[-1], file=sys.stderr)
        return found


def _line(one: Measured) -> str:
    path = {Way.SINGLE_CALLS: "single calls", Way.SIS_IMPORT: "SIS import"}[one.path]
    predicted = one.predicted
    cells = [
        f"{one.rows:,}",
        f"**{path}**" if one.chosen else path,
        *_price(one.billed),
        *_price(predicted),
        f"{predicted.quota / one.billed.quota - 1:+.0%}",
    ]
    return f"| {' | '.join(cells)} |"


def _price(price: Price) -> tuple[str, str, str, str]:
    return (
        f"{price.requests:,.0f}",
        f"{price.quota:,.1f}",
        f"{price.latency.total_seconds():,.0f}",
        f"{worth(price, Budget()):,.1f}",
    )


def table(found: list[Measured]) -> str:
    return "\n".join(
        [
            "| rows | path | requests | units | s until read back | worth | predicted requests | units | s | worth | off, units |",
            "| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
            *map(_line, found),
        ]
    )


def run(folder: Path, _postgres: str, quick: bool) -> str:  # noqa: FBT001  as every suite is called
    return table(asyncio.run(_measure(folder, QUICK if quick else SIZES)))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="roster-bench-") as made:
        print(run(Path(made), "", "--quick" in sys.argv))
