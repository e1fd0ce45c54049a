"""Observers follow their students into every course (fact sheet enrollments-api.md §4, last line).

A link makes an observer enrollment beside each student enrollment and keeps its state in step.
"""

from typing import Any

from twin.changes import set_enrollment_state
from twin.making import make_enrollment
from twin.records import Enrollment, Row, UserObservation
from twin.roles import built_in_role_id
from twin.school import Change, School


class Observing:
    """A listener of the school."""

    def __init__(self, school: School) -> None:
        self._school = school

    def __call__(self, _: Change, row: Row, old: dict[str, Any]) -> None:
        if isinstance(row, Enrollment) and row.type == "StudentEnrollment":
            if not old or old.keys() & {"workflow_state", "course_id"}:
                for link in list(self._school.observations_of_student.of(row.user_id)):
                    self._follow(link, row)
        elif isinstance(row, UserObservation):
            for enrollment in list(self._school.enrollments_of_user.of(row.student_id)):
                if enrollment.type == "StudentEnrollment":
                    self._follow(row, enrollment)

    def _follow(self, link: UserObservation, student: Enrollment) -> None:
        linked = link.workflow_state == "active"
        state = student.workflow_state if linked else "deleted"
        state = "active" if state == "invited" else state
        found = self._beside(link, student)
        if found is not None:
            if found.workflow_state != state:
                set_enrollment_state(self._school, found, state)
        elif state not in {"deleted", "rejected"}:
            make_enrollment(
                self._school,
                self._school.users[link.observer_id],
                self._school.sections[student.section_id],
                "ObserverEnrollment",
                built_in_role_id(self._school, "ObserverEnrollment"),
                state,
                associated_user_id=student.user_id,
            )

    def _beside(self, link: UserObservation, student: Enrollment) -> Enrollment | None:
        """Find the observer's row in the student's section, made by this link or by hand."""
        for row in self._school.enrollments_of_user.of(link.observer_id):
            if (row.section_id, row.type, row.associated_user_id) == (
                student.section_id,
                "ObserverEnrollment",
                student.user_id,
            ):
                return row
        return None
