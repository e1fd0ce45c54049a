"""Enrollments whose state changes by the clock alone (fact sheet live-events.md §3, `enrollment_state_updated`)."""

import heapq
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import chain

from twin.date_states import date_state
from twin.records import Course, Enrollment, Row, Section, Term
from twin.school import School

Dated = Term | Course | Section | Enrollment


class DateBoundaries:
    """The moments at which terms, courses, sections and enrollments begin or end, nearest first."""

    def __init__(self, school: School) -> None:
        self._school = school
        self._seen_until = school.clock.now()
        self._heap: list[tuple[datetime, int]] = []
        self._rows: dict[int, Dated] = {}
        rows: Iterable[Dated] = chain(
            school.terms.values(),
            school.courses.values(),
            school.sections.values(),
            school.enrollments.values(),
        )
        for row in rows:
            self.note(row)

    def note(self, row: Row) -> None:
        """The row is new, or its dates may have changed."""
        if not isinstance(row, Term | Course | Section | Enrollment):
            return
        for at in _dates(row):
            if at >= self._seen_until:
                self._rows[id(row)] = row
                heapq.heappush(self._heap, (at, id(row)))

    def passed(self, now: datetime) -> list[Enrollment]:
        """The enrollments that are in another state now than when this was last asked."""
        before, self._seen_until = self._seen_until, now
        due: dict[int, Dated] = {}
        while self._heap and self._heap[0][0] <= now:
            _, key = heapq.heappop(self._heap)
            due[key] = self._rows[key]
        affected = {row.id: row for dated in due.values() for row in self._enrollments(dated)}
        return [
            row
            for row in affected.values()
            if date_state(self._school, row, before) != date_state(self._school, row, now)
        ]

    def next_at(self) -> datetime | None:
        return self._heap[0][0] if self._heap else None

    def _enrollments(self, row: Dated) -> Iterator[Enrollment]:
        school = self._school
        if isinstance(row, Enrollment):
            yield row
        elif isinstance(row, Section):
            yield from school.enrollments_of_section.of(row.id)
        elif isinstance(row, Course):
            yield from school.enrollments_of_course.of(row.id)
        else:
            for course in school.courses.values():
                if course.term_id == row.id:
                    yield from school.enrollments_of_course.of(course.id)


def _dates(row: Dated) -> Iterator[datetime]:
    """When a start has come and when an end is over: an end still counts as in time."""
    overrides = row.overrides.values() if isinstance(row, Term) else ()
    for start_at, end_at in ((row.start_at, row.end_at), *overrides):
        if start_at is not None:
            yield start_at
        if end_at is not None:
            yield end_at + timedelta.resolution
