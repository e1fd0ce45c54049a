"""A twin whose school the store knows, and the office that changes many of its enrollments."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx

from gateway.canvas.client import Canvas
from gateway.canvas.sis_imports import Sleep
from gateway.change_paths import Path
from gateway.http.client import TIMEOUTS, Client
from gateway.merge import Guard
from gateway.readpath.connections import open_connections
from gateway.readpath.lookups import By
from gateway.readpath.registry import Reader
from gateway.roster_change import Outcome
from gateway.store import roster_changes
from gateway.store.roster_changes import Change, ChangeRow, Status
from gateway.uow import Database
from gateway.viewer import Scope, Service, Viewer
from gateway.writes.roster_changes import RosterChanges, Wanted
from gateway.writes.roster_jobs import Office, RosterJobs
from gateway.writes.roster_planning import ExactlyThese
from gateway.writes.roster_rows import Said
from models.roster import EnrollmentState, EnrollmentType
from tests.gateway.sources.readers import Readers
from tests.gateway.writes.office import made_office
from tests.upstream import Upstream
from twin.records import Course, Enrollment, Section, User

S = EnrollmentState


@dataclass(kw_only=True)
class Bulk:
    twin: Upstream
    readers: Readers
    database: Database
    changes: RosterChanges
    jobs: RosterJobs
    office: Office
    canvas: Canvas
    viewer: Viewer
    reader: Reader
    course: Course
    section: Section

    @property
    def institution_id(self) -> int:
        return self.readers.school.id

    def strangers(self, many: int) -> list[User]:
        """People with SIS ids who have nothing to do with the course."""
        school = self.twin.school
        there = {row.user_id for row in school.enrollments_of_course.of(self.course.id)}
        named = {
            one.user_id
            for one in school.pseudonyms.values()
            if one.sis_user_id and one.workflow_state == "active"
        }
        found = [
            user
            for user in school.users.values()
            if user.id in named - there
            and user.workflow_state != "deleted"
            and not user.is_test_student
        ]
        assert len(found) >= many
        return found[:many]

    def said(self, user: User, state: EnrollmentState | None = None, **more: Any) -> Said:
        said = Said(
            row=1,
            text=user.name,
            user=By("User", "canvasId", str(user.id)),
            section=By("Section", "canvasId", str(self.section.id)),
            type=EnrollmentType.STUDENT,
            state=state,
        )
        return replace(said, **more)

    async def plan(
        self, rows: Sequence[Said], path: Path | None = None, exactly: ExactlyThese | None = None
    ) -> int:
        numbered = tuple(replace(row, row=number) for number, row in enumerate(rows, 1))
        wanted = Wanted(rows=numbered, path=path, exactly=exactly)
        return await self.changes.plan(self.viewer, self.reader, wanted)

    async def apply(self, change: int, *, confirmed: int | None = None) -> Change:
        await self.changes.apply(self.viewer, change, confirmed=confirmed, key=None)
        await self.work(change)
        return await self.change(change)

    async def work(self, change: int, *, last: bool = True) -> str | None:
        return await self.jobs.carry_out(self.institution_id, change, last=last)

    async def change(self, change: int) -> Change:
        found = await roster_changes.find(self.database, self.institution_id, change)
        assert found is not None
        return found

    async def rows(self, change: int) -> list[ChangeRow]:
        return await roster_changes.page(self.database, self.institution_id, change)

    async def outcomes(self, change: int) -> list[tuple[Outcome, Status]]:
        return [(row.outcome, row.status) for row in await self.rows(change)]

    def students(self) -> list[int]:
        """Active students of the section, as Canvas has them."""
        return [
            row.user_id
            for row in self.twin.school.enrollments_of_course.of(self.course.id)
            if row.section_id == self.section.id
            and row.type == "StudentEnrollment"
            and row.workflow_state in ("active", "invited", "creation_pending")
        ]

    def row_of(self, user: User) -> Enrollment:
        [row] = [
            row
            for row in self.twin.school.enrollments_of_user.of(user.id)
            if row.section_id == self.section.id and row.type == "StudentEnrollment"
        ]
        return row

    def guarded(self, guard: Guard) -> "Bulk":
        """The same office with another shrink guard."""
        return self._with(replace(self.office, planning=replace(self.office.planning, guard=guard)))

    def sleeping(self, sleep: Sleep) -> "Bulk":
        """The same office, waiting otherwise for imports."""
        return self._with(replace(self.office, imports=replace(self.office.imports, sleep=sleep)))

    def _with(self, office: Office) -> "Bulk":
        offices = {self.institution_id: office}
        clock = self.twin.clock.now
        return replace(
            self,
            office=office,
            changes=RosterChanges(offices, self.database, clock),
            jobs=RosterJobs(offices=offices, database=self.database, clock=clock),
        )

    async def told_is_true(self, change: int, users: Sequence[User]) -> None:
        """Of rows that enroll `users`: those that are told as done are so in Canvas, others are not, and nobody is there twice."""
        for row, user in zip(await self.rows(change), users, strict=True):
            await self.told_is_true_of(row, user)

    async def told_is_true_of(self, row: ChangeRow, user: User) -> None:
        done = ["active"] if row.status is Status.DONE else []
        assert self.in_canvas(user) == done
        assert await self.in_store(user) == [state.upper() for state in done]

    def in_canvas(self, user: User, section: Section | None = None) -> list[str]:
        """States of the person's rows in the section, as a student: Canvas lets linked observers follow by itself."""
        place = section or self.section
        return [
            row.workflow_state
            for row in self.twin.school.enrollments_of_user.of(user.id)
            if row.section_id == place.id and row.type == "StudentEnrollment"
        ]

    async def in_store(self, user: User) -> list[str]:
        rows = await self.database.rows(
            "select e.state from enrollment e join person p on p.institution_id = $1 and p.id = e.person_id"
            " join section s on s.institution_id = $1 and s.id = e.section_id"
            " where e.institution_id = $1 and p.canvas_id = $2 and s.canvas_id = $3 and e.type = 'STUDENT' order by e.id",
            self.institution_id,
            10**13 + user.id,
            10**13 + self.section.id,
        )
        return [row["state"] for row in rows]


@asynccontextmanager
async def bulk(
    twin: Upstream, database: Database, *, guard: Guard, timeouts: httpx.Timeout = TIMEOUTS
) -> AsyncIterator[Bulk]:
    """The store has read the whole school."""
    async with (
        Client(allows_private_networks=True, timeouts=timeouts) as http,
        open_connections(database.url) as connections,
    ):
        readers = await Readers.open(twin, database, http)
        await readers.load()
        canvas, clock = twin.canvas(http), twin.clock.now
        office = made_office(
            database,
            connections,
            canvas,
            readers.school.id,
            credentials=readers.tokens,
            clock=clock,
            sleep=twin.wait,
            guard=guard,
        )
        offices = {readers.school.id: office}
        viewer = replace(
            readers.school.viewer(Scope.ROSTER_READ, Scope.ROSTER_WRITE, Scope.PII_READ),
            service=Service(token_id=1, name="registrar"),
        )
        section, course = _place(twin)
        yield Bulk(
            twin=twin,
            readers=readers,
            database=database,
            changes=RosterChanges(offices, database, clock),
            jobs=RosterJobs(offices=offices, database=database, clock=clock),
            office=office,
            canvas=canvas,
            viewer=viewer,
            reader=Reader(
                institution_id=readers.school.id, shard=1, now=clock(), rights=viewer.rights
            ),
            course=course,
            section=section,
        )


def _place(twin: Upstream) -> tuple[Section, Course]:
    """A section and its course with SIS ids, where people can be enrolled."""
    school = twin.school
    for section in school.sections.values():
        course = school.courses[section.course_id]
        if (
            section.sis_source_id
            and course.sis_source_id
            and course.workflow_state == "available"
            and not course.blueprint
            and section.workflow_state == "active"
            and len(list(school.enrollments_of_course.of(course.id))) > 10
        ):
            return section, course
    raise AssertionError
