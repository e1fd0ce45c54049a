"""Batch mode's clean-up: what the import did not contain is removed (fact sheet sis-imports.md §7)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from twin.changes import delete_course, delete_section, set_enrollment_state
from twin.records import Course, Enrollment, Section
from twin.school import School
from twin.sis_batch import SisBatch

DROPS = ("deleted", "completed", "inactive")


class CleanupFailed(Exception):
    """The import ends aborted, with its rows applied; the message is Canvas's."""


@dataclass(slots=True)
class Removal:
    """Objects of one type that SIS manages and this import did not touch."""

    kind: str
    rows: list[Any] = field(default_factory=list)
    managed: int = 0

    @property
    def percent(self) -> float:
        return len(self.rows) / self.managed * 100 if self.managed else 0.0


def removals(school: School, batch: SisBatch, kinds: Iterable[str]) -> list[Removal]:
    """Find all that would go; over the threshold nothing of any type does."""
    terms = _terms(school, batch)
    courses = [course for course in school.courses.values() if course.term_id in terms]
    found = [
        _removal(batch, kind, LISTED[kind](school, courses)) for kind in LISTED if kind in kinds
    ]
    threshold = batch.options.change_threshold
    for removal in found:
        if threshold is not None and removal.percent > threshold:
            raise CleanupFailed(
                f"{len(removal.rows)} {removal.kind}s would be deleted and exceeds the set "
                f"threshold of {threshold:g}%"
            )
    return found


def _terms(school: School, batch: SisBatch) -> set[int]:
    options = batch.options
    if options.batch_mode_term_id is not None:
        return {options.batch_mode_term_id}
    if not options.multi_term_batch_mode:
        return set()  # sent with a false value: batch mode without a term, which does nothing
    uploaded = {term.id for term in school.terms.values() if term.sis_batch_id == batch.id}
    if not uploaded:
        raise CleanupFailed("Terms not found. Terms must be included with multi_term_batch_mode")
    return uploaded


def _removal(batch: SisBatch, kind: str, rows: Iterable[Any]) -> Removal:
    removal = Removal(kind)
    gone = {"deleted"}
    if kind == "enrollment":
        gone.add(batch.options.batch_mode_enrollment_drop_status)
    for row in rows:
        if row.sis_batch_id is None or row.workflow_state in gone:
            continue
        removal.managed += 1
        if row.sis_batch_id != batch.id:
            removal.rows.append(row)
    return removal


def _enrollments(school: School, courses: Iterable[Course]) -> list[Enrollment]:
    return [row for course in courses for row in school.enrollments_of_course.of(course.id)]


def _sections(school: School, courses: Iterable[Course]) -> list[Section]:
    return [row for course in courses for row in school.sections_of_course.of(course.id)]


def _courses(_: School, courses: Iterable[Course]) -> list[Course]:
    return list(courses)


LISTED: dict[str, Callable[[School, list[Course]], list[Any]]] = {
    "enrollment": _enrollments,
    "section": _sections,
    "course": _courses,
}


def remove(school: School, batch: SisBatch, removal: Removal) -> None:
    """Courses and sections are always deleted; enrollments get the drop status."""
    drop = batch.options.batch_mode_enrollment_drop_status
    if removal.kind == "enrollment" and removal.rows and drop not in DROPS:
        raise ValueError(f"no way to drop an enrollment as {drop}")
    for row in removal.rows:
        if isinstance(row, Enrollment):
            set_enrollment_state(school, row, drop)
        elif isinstance(row, Section):
            delete_section(school, row)
        else:
            delete_course(school, row)
    batch.counts[f"batch_{removal.kind}s_deleted"] = len(removal.rows)
